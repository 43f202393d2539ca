//! Wrong flags are reported before anything is touched, and without the password.

use super::IN_URL;
use crate::api::KEY;
use crate::harness::{Process, directory, lubdub};
use crate::pipeline::server::Server;

#[test]
fn a_channel_of_mail_does_not_work_where_no_mail_is_sent_and_says_so() {
    let server = Server::start(&[]);
    let home = directory();
    let mut create = lubdub(home.path());
    create.args(["channel", "create", "mail", "email", "--to", "ops@example.org"]);
    create.env("LUBDUB_URL", format!("http://{}", server.address())).env("LUBDUB_API_KEY", KEY);
    let made = Process::start(&mut create).finish();
    assert_eq!(made.status.code(), Some(0), "{made:?}");
    assert!(made.stderr.contains("mail does not work yet") && made.stderr.contains("--smtp-url"), "{made:?}");
    let channel = &server.list("/channels")[0];
    assert_eq!(channel["state"], "failing", "{channel}");
    assert!(channel["state_detail"].as_str().is_some_and(|why| why.contains("--mail-from")), "{channel}");
}

#[test]
fn half_or_bad_settings_of_mail_are_bad_usage_and_keep_the_password() {
    let home = directory();
    let url = format!("smtp://{IN_URL}@mail.example.org:587");
    let with = |changed: &str| url.replace("@mail.example.org:587", changed);
    let from = ["--mail-from", "Lubdub <lubdub@example.org>"];
    for (role, flags, about) in [
        ("up", vec!["--smtp-url", &url], "--smtp-url needs --mail-from"),
        ("notifier", vec!["--smtp-url", &url], "--smtp-url needs --mail-from"),
        ("scheduler", vec!["--smtp-url", &url], "--smtp-url needs --mail-from"),
        ("up", from.to_vec(), "--mail-from needs --smtp-url"),
        ("up", vec!["--smtp-ca", "ca.pem"], "--smtp-ca needs --smtp-url"),
        ("up", vec!["--smtp-url", &url, "--mail-from", "Lubdub"], "--mail-from must be an address"),
        ("up", [&["--smtp-url", &with("@")], &from[..]].concat(), "--smtp-url is not a URL"),
        (
            "up",
            [&["--smtp-url", &with("@mail.example.org/x")], &from[..]].concat(),
            "--smtp-url must end after",
        ),
        (
            "notifier",
            [&["--smtp-url", "http://hush.example.org"], &from[..]].concat(),
            "--smtp-url must begin with",
        ),
        (
            "up",
            [&["--smtp-url", &url, "--smtp-ca", "missing.pem"], &from[..]].concat(),
            "read --smtp-ca missing.pem",
        ),
        ("up", vec!["--meta-mail", "ops@example.org"], "--meta-mail needs --smtp-url and --mail-from"),
        ("scheduler", vec!["--meta-mail", "ops@example.org"], "--meta-mail needs --smtp-url and --mail-from"),
        ("scheduler", vec!["--meta-mail", "Ops <ops@example.org>"], "must be one address"),
    ] {
        let finished = Process::start(lubdub(home.path()).arg(role).args(&flags)).finish();
        assert_eq!(finished.status.code(), Some(2), "{role} {flags:?}: {finished:?}");
        assert!(finished.stderr.contains(about), "{role} {flags:?}: {}", finished.stderr);
        assert!(!finished.stderr.contains("hush"), "{}", finished.stderr);
        let left: Vec<_> = std::fs::read_dir(home.path()).expect("it is there").flatten().collect();
        assert!(left.is_empty(), "{flags:?} made {left:?}");
    }
}

#[test]
fn help_names_the_flags_and_never_what_the_environment_holds() {
    let home = directory();
    for role in ["up", "notifier", "scheduler"] {
        let mut command = lubdub(home.path());
        command.args([role, "--help"]).env("LUBDUB_SMTP_URL", format!("smtp://{IN_URL}@mail.example.org"));
        let help = Process::start(&mut command).finish().stdout;
        for flag in ["--smtp-url <URL>", "--mail-from <ADDRESS>", "--smtp-ca <FILE>"] {
            assert!(help.contains(flag), "{role} has no {flag}: {help}");
        }
        assert_eq!(help.contains("--meta-mail <ADDRESS>"), role != "notifier");
        assert!(!help.contains("hush"), "{help}");
    }
}
