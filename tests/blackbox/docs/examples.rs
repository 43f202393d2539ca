//! Each example and what it must have pushed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::guide::{example, examples};
use super::server::{Heartbeat, KEY, Monitor, Server};
use super::{crontab, systemd};
use crate::harness::{Finished, directory, needs};

/// Status, message and value.
type Said<'a> = (&'a str, Option<&'a str>, Option<f64>);

/// Examples that push once and end.
const ONCE: [(&str, Said<'static>); 5] = [
    ("curl", ("up", None, None)),
    ("curl-message", ("up", Some("copied 120 files & 3 folders"), Some(4.2))),
    ("curl-down", ("down", Some("the disk is full"), None)),
    ("wget", ("up", Some("copied 120 files"), Some(120.0))),
    ("lubdub-push", ("up", Some("copied 120 files"), Some(120.0))),
];

/// Examples that push until they are stopped.
const LOOPS: [&str; 4] = ["shell-loop", "node", "python-loop", "python-thread"];

/// Examples with a test of their own.
const OTHERS: [&str; 13] = [
    "create",
    "create-cron",
    "create-watchdog",
    "cron",
    "curl-output",
    "lubdub-push-code",
    "python-sync",
    "rotate",
    "shell-exit-code",
    "shell-wrapper",
    "show",
    "systemd-service",
    "systemd-timer",
];

fn said(heartbeat: &Heartbeat) -> Said<'_> {
    (&heartbeat.status, heartbeat.msg.as_deref(), heartbeat.value)
}

/// Runs an example to its end, with the settings by which `lubdub` finds the server.
#[track_caller]
fn run(name: &str, server: &Server, monitor: &Monitor, directory: &Path) -> Finished {
    let setting = [KEY, ("LUBDUB_URL", server.url())];
    example(name).start(&monitor.push_url, directory, &setting).finish()
}

/// An executable script.
fn script(path: &Path, code: &str) {
    fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("made");
    fs::write(path, format!("#!/bin/sh\n{code}\n")).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("set");
}

#[test]
fn every_example_of_the_guide_has_a_test() {
    let printed: Vec<String> = examples().into_keys().collect();
    let mut tested: Vec<&str> = ONCE.iter().map(|(name, _)| *name).chain(LOOPS).chain(OTHERS).collect();
    tested.sort_unstable();
    assert_eq!(printed, tested);
}

#[test]
fn one_heartbeat_says_what_the_example_says() {
    needs("wget");
    let server = Server::start();
    for (name, expected) in ONCE {
        let monitor = server.monitor(name);
        let directory = directory();
        let finished = run(name, &server, &monitor, directory.path());
        assert!(finished.status.success(), "{name}: {finished:?}");
        assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), ("", ""), "{name}");
        let heartbeats = server.heartbeats(&monitor, 1);
        assert_eq!(heartbeats.iter().map(said).collect::<Vec<_>>(), [expected], "{name}");
    }
}

#[test]
fn loops_push_until_they_are_stopped() {
    needs("node");
    let server = Server::start();
    for name in LOOPS {
        let monitor = server.monitor(name);
        let directory = directory();
        let process = example(name).start(&monitor.push_url, directory.path(), &[]);
        let heartbeats = server.heartbeats(&monitor, 4);
        let finished = process.kill();
        assert_eq!(finished.stderr, "", "{name}");
        for heartbeat in heartbeats {
            assert_eq!(heartbeat.status, "up", "{name}");
            match name {
                "shell-loop" => assert_eq!(said(&heartbeat), ("up", None, None)),
                "python-loop" => assert_eq!(said(&heartbeat), ("up", Some("alive"), None)),
                "python-thread" => assert_eq!(said(&heartbeat), ("up", Some("jobs waiting"), Some(0.0))),
                _ => {
                    assert_eq!(heartbeat.msg.as_deref(), Some("alive"), "{name}");
                    assert!(heartbeat.value.is_some_and(|megabytes| megabytes > 1.0), "{heartbeat:?}");
                }
            }
        }
    }
}

#[test]
fn a_commands_output_is_kept() {
    let server = Server::start();
    let monitor = server.monitor("disk");
    let directory = directory();
    let finished = run("curl-output", &server, &monitor, directory.path());
    assert!(finished.status.success(), "{finished:?}");
    let heartbeats = server.heartbeats(&monitor, 1);
    assert_eq!(heartbeats.iter().map(said).collect::<Vec<_>>(), [("up", Some("disk usage"), None)]);
    let output = server.output(&monitor, &heartbeats[0]);
    assert!(output.starts_with("Filesystem"), "{output}");
}

#[test]
fn the_exit_code_of_a_command_tells_how_it_ended() {
    for name in ["lubdub-push-code", "shell-exit-code"] {
        let server = Server::start();
        let monitor = server.monitor("backup");
        let directory = directory();
        for code in ["echo copied", "echo no space left; exit 3"] {
            script(&directory.path().join("backup.sh"), code);
            assert!(run(name, &server, &monitor, directory.path()).status.success(), "{name}");
        }
        let heartbeats = server.heartbeats(&monitor, 2);
        let expected = [("up", None, None), ("down", None, None)];
        assert_eq!(heartbeats.iter().map(said).collect::<Vec<_>>(), expected, "{name}");
        if name == "lubdub-push-code" {
            assert_eq!(server.output(&monitor, &heartbeats[1]), "no space left\n");
        }
    }
}

#[test]
fn the_script_around_a_command_tells_how_it_ended() {
    let server = Server::start();
    let monitor = server.monitor("backup");
    let directory = directory();
    script(&directory.path().join("backup.sh"), "echo all is copied");
    assert!(run("shell-wrapper", &server, &monitor, directory.path()).status.success());
    script(&directory.path().join("backup.sh"), "echo no space left >&2; exit 3");
    assert!(run("shell-wrapper", &server, &monitor, directory.path()).status.success());
    let heartbeats = server.heartbeats(&monitor, 2);
    let expected = [("up", Some("backup"), None), ("down", Some("backup"), None)];
    assert_eq!(heartbeats.iter().map(said).collect::<Vec<_>>(), expected);
    assert_eq!(server.output(&monitor, &heartbeats[0]), "all is copied\n");
    assert_eq!(server.output(&monitor, &heartbeats[1]), "no space left\n");
}

#[test]
fn the_service_of_systemd_tells_how_its_job_ended() {
    let server = Server::start();
    let monitor = server.monitor("backup");
    let home = directory();
    for (result, code, status) in
        [("success", "exited", "0"), ("exit-code", "exited", "7"), ("timeout", "killed", "TERM")]
    {
        let outcome = [("SERVICE_RESULT", result), ("EXIT_CODE", code), ("EXIT_STATUS", status)];
        let finished =
            systemd::stop_post(&example("systemd-service"), &monitor.push_url, home.path(), &outcome);
        assert!(finished.status.success(), "{finished:?}");
        assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), ("", ""), "the journal stays empty");
    }
    let heartbeats = server.heartbeats(&monitor, 3);
    let expected = [
        ("up", Some("backup: success 0"), None),
        ("down", Some("backup: exit-code 7"), None),
        ("down", Some("backup: timeout TERM"), None),
    ];
    assert_eq!(heartbeats.iter().map(said).collect::<Vec<_>>(), expected);
}

#[test]
fn systemd_takes_the_units_of_the_guide() {
    let home = directory();
    for (name, file) in [("systemd-service", "backup.service"), ("systemd-timer", "backup.timer")] {
        // It checks that the program is there.
        let unit = example(name).code.replace("/usr/local/bin/backup", "/bin/true");
        fs::write(home.path().join(file), unit).expect("written");
    }
    let said = systemd::verify(home.path(), &["backup.service", "backup.timer"]);
    assert!(said.status.success(), "{said:?}");
    assert_eq!((said.stdout.as_str(), said.stderr.as_str()), ("", ""), "nothing is ignored");
}

#[test]
fn the_cron_job_has_a_success_and_a_failure_branch() {
    let server = Server::start();
    let monitor = server.monitor("backup");
    let home = directory();
    for code in ["exit 0", "exit 7"] {
        script(&home.path().join("bin/backup"), code);
        let finished = crontab::start(&example("cron"), &monitor.push_url, home.path()).finish();
        assert!(finished.status.success(), "{finished:?}");
        assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), ("", ""), "cron sends no mail");
    }
    let heartbeats = server.heartbeats(&monitor, 2);
    let expected = [("up", Some("backup done"), None), ("down", Some("backup failed with code 7"), None)];
    assert_eq!(heartbeats.iter().map(said).collect::<Vec<_>>(), expected);
}

#[test]
fn the_data_sync_says_down_when_it_fails_and_fails_as_before() {
    let server = Server::start();
    let monitor = server.monitor("sync");
    let directory = directory();
    fs::write(directory.path().join("orders.csv"), "id,amount\n1,9.50\n2,12\n3,7\n").expect("written");
    let finished = run("python-sync", &server, &monitor, directory.path());
    assert!(finished.status.success(), "{finished:?}");
    fs::remove_file(directory.path().join("orders.csv")).expect("it was there");
    let finished = run("python-sync", &server, &monitor, directory.path());
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    assert!(finished.stderr.contains("FileNotFoundError"), "{finished:?}");
    let heartbeats = server.heartbeats(&monitor, 2);
    assert_eq!(said(&heartbeats[0]), ("up", Some("synced 3 rows"), Some(3.0)));
    assert_eq!(heartbeats[1].status, "down");
    let message = heartbeats[1].msg.as_deref().unwrap_or_default();
    assert!(message.starts_with("sync failed: FileNotFoundError: "), "{message}");
}

#[test]
fn monitors_are_made_looked_at_and_rotated() {
    let server = Server::start();
    let other = server.monitor("other");
    let directory = directory();

    let created = run("create", &server, &other, directory.path());
    assert!(created.status.success(), "{created:?}");
    assert!(created.stderr.contains("nobody will be alerted"), "there is no channel: {}", created.stderr);
    let made =
        server.monitors().into_iter().find(|monitor| monitor.name == "nightly sync").expect("it is made");
    assert_eq!((made.timeout, made.grace), (Some(60), 6));
    assert_eq!(created.stdout.lines().last(), Some(made.push_url.as_str()));

    let shown = run("show", &server, &made, directory.path());
    assert!(shown.status.success(), "{shown:?}");
    assert!(
        shown.stdout.contains("nightly sync") && shown.stdout.contains("{\"ok\":true"),
        "{}",
        shown.stdout
    );
    assert_eq!(server.heartbeats(&made, 1).iter().map(said).collect::<Vec<_>>(), [("up", None, None)]);

    let rotated = run("rotate", &server, &made, directory.path());
    assert!(rotated.status.success(), "{rotated:?}");
    let new_url = rotated.stdout.lines().last().unwrap_or_default().to_owned();
    assert_ne!(new_url, made.push_url);
    let again = Monitor { push_url: new_url, ..made.clone() };
    for monitor in [&again, &made] {
        assert!(run("curl", &server, monitor, directory.path()).status.success(), "both URLs work for now");
    }
    server.heartbeats(&made, 3);

    let created = run("create-cron", &server, &other, directory.path());
    assert!(created.status.success(), "{created:?}");
    let made = server.monitors().into_iter().find(|monitor| monitor.name == "backup").expect("it is made");
    assert_eq!((made.cron.as_deref(), made.timezone.as_deref()), (Some("0 3 * * *"), Some("Europe/Berlin")));
    assert_eq!(made.grace, 7_200);

    let created = run("create-watchdog", &server, &other, directory.path());
    assert!(created.status.success(), "{created:?}");
    let made = server.monitors().into_iter().find(|monitor| monitor.name == "watchdog").expect("it is made");
    assert_eq!((made.timeout, made.grace), (Some(180), 60));
}
