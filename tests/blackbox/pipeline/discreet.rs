//! URLs with a password, and push URLs: they are used, and neither shown nor logged.

use std::path::Path;

use rustix::process::Signal;

use crate::harness::{Finished, Process, directory, eventually, lubdub};
use crate::stub::{Answer, Stub};

/// `ops:s3cret` as a header has it.
const PAIR: &str = "b3BzOnMzY3JldA==";

#[track_caller]
fn tells_no_secret(finished: &Finished) {
    let said = format!("{}{}", finished.stdout, finished.stderr);
    assert!(!said.is_empty(), "it says something");
    assert!(!said.contains("s3cret") && !said.contains(PAIR), "{said}");
}

fn run(home: &Path, arguments: &[&str], variable: &str, value: &str) -> Finished {
    Process::start(lubdub(home).args(arguments).env(variable, value)).finish()
}

#[test]
fn no_error_repeats_a_url_that_may_hold_a_secret() {
    let home = directory();
    for (arguments, flag, named, variable) in [
        (&["up"][..], "--meta-webhook", "--meta-webhook", "LUBDUB_META_WEBHOOK"),
        (&["up"], "--beat-url", "--beat-url", "LUBDUB_BEAT_URL"),
        (&["up"], "--smtp-url", "--smtp-url", "LUBDUB_SMTP_URL"),
        (&["up"], "--public-url", "public URL", "LUBDUB_PUBLIC_URL"),
        (&["monitor", "list"], "--url", "--url", "LUBDUB_URL"),
        (&["push"], "", "TOKEN-OR-URL", "LUBDUB_PUSH_URL"),
    ] {
        for value in ["ftp://ops:s3cret@example.com/s3cret", "https://ops:s3cret@[", "https://ops:s3cret@/ x"]
        {
            let finished = run(home.path(), arguments, variable, value);
            assert_eq!(finished.status.code(), Some(2), "{variable} {value}: {finished:?}");
            tells_no_secret(&finished);
            let mut words = arguments.to_vec();
            words.extend([flag, value].into_iter().filter(|word| !word.is_empty()));
            let finished = Process::start(lubdub(home.path()).args(&words)).finish();
            assert_eq!(finished.status.code(), Some(2), "{words:?}: {finished:?}");
            tells_no_secret(&finished);
            assert!(finished.stderr.contains(named), "it names the flag: {finished:?}");
        }
    }
    let away = run(
        home.path(),
        &["monitor", "list", "--api-key", "k"],
        "LUBDUB_URL",
        "http://ops:s3cret@127.0.0.1:1",
    );
    assert_eq!(away.status.code(), Some(2), "an API key is all that a request can bring: {away:?}");
    tells_no_secret(&away);
}

#[test]
fn no_help_repeats_a_url_of_the_environment() {
    let home = directory();
    for (arguments, variables) in [
        (
            &["up", "--help"][..],
            &["LUBDUB_META_WEBHOOK", "LUBDUB_BEAT_URL", "LUBDUB_SMTP_URL", "LUBDUB_PUBLIC_URL"][..],
        ),
        (&["notifier", "--help"], &["LUBDUB_PUBLIC_URL", "LUBDUB_SMTP_URL", "LUBDUB_NATS", "LUBDUB_REDIS"]),
        (&["console", "--help"], &["LUBDUB_PUBLIC_URL", "LUBDUB_NATS", "LUBDUB_REDIS"]),
        (
            &["scheduler", "--help"],
            &["LUBDUB_META_WEBHOOK", "LUBDUB_BEAT_URL", "LUBDUB_NATS", "LUBDUB_REDIS"],
        ),
        (&["monitor", "list", "--help"], &["LUBDUB_URL"]),
        (&["push", "--help"], &["LUBDUB_PUSH_URL", "LUBDUB_URL"]),
    ] {
        let mut command = lubdub(home.path());
        command.args(arguments);
        for variable in variables {
            command.env(variable, "https://ops:s3cret@example.com/s3cret");
        }
        let finished = Process::start(&mut command).finish();
        assert_eq!(finished.status.code(), Some(0), "{arguments:?}: {finished:?}");
        for variable in variables {
            assert!(finished.stdout.contains(variable), "{variable} in {arguments:?}");
        }
        tells_no_secret(&finished);
    }
}

#[test]
fn the_operators_urls_are_used_with_their_password_and_logged_without_it() {
    let home = directory();
    let other = Stub::start(|_| Answer::text(200, ""));
    // It answers no beat, so that there is something to log.
    let refusing = Stub::start(|_| Answer::text(401, "s3cret"));
    for (stub, succeeds) in [(&other, true), (&refusing, false)] {
        let url = stub.url().replacen("http://", "http://ops:s3cret@", 1);
        let mut command = lubdub(home.path());
        command.args(["up", "--listen", "127.0.0.1:0", "--data-dir"]).arg(home.path().join("data"));
        command.args(["--beat-url", &format!("{url}/beat"), "--meta-webhook", &format!("{url}/operator")]);
        let process = Process::start(command.env("LUBDUB_LOG", "trace"));
        let beat = eventually("a beat", || stub.requests().first().cloned());
        assert_eq!(
            (beat.line().as_str(), beat.header("authorization")),
            ("GET /beat", &*format!("Basic {PAIR}"))
        );
        if !succeeds {
            eventually("it is tried again", || (stub.requests().len() > 1).then_some(()));
        }
        process.signal(Signal::TERM);
        let finished = process.finish();
        assert_eq!(finished.stderr.contains("failed to beat"), !succeeds, "{finished:?}");
        tells_no_secret(&finished);
    }
}
