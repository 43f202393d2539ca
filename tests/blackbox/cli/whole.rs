//! Every client command against a real server.

use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{Finished, Process, directory, eventually, free_port, lubdub};
use crate::stub::{Answer, Stub};

/// A server that may post to this machine. Its commands find it as a person's do: the key lies in the data
/// directory.
pub(super) struct Server {
    directory: TempDir,
    url: String,
    _process: Process,
}

impl Server {
    pub(super) fn start() -> Self {
        let directory = directory();
        let address = format!("127.0.0.1:{}", free_port());
        let mut up = lubdub(directory.path());
        up.args(["up", "--listen", &address, "--allow-private", "127.0.0.0/8"]);
        let server = Self { url: format!("http://{address}"), _process: Process::start(&mut up), directory };
        eventually("it is ready", || server.run(&["health"]).status.success().then_some(()));
        server
    }

    pub(super) fn command(&self) -> Command {
        let mut command = lubdub(self.directory.path());
        command.env("LUBDUB_URL", &self.url);
        command
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Finished {
        Process::start(self.command().args(arguments)).finish()
    }

    #[track_caller]
    pub(super) fn well(&self, arguments: &[&str]) -> String {
        let finished = self.run(arguments);
        assert_eq!(finished.status.code(), Some(0), "{arguments:?}: {finished:?}");
        finished.stdout
    }

    #[track_caller]
    pub(super) fn refused(&self, arguments: &[&str], why: &str) {
        let finished = self.run(arguments);
        assert_eq!(finished.status.code(), Some(1), "{arguments:?}: {finished:?}");
        assert!(finished.stderr.contains(why), "{arguments:?}: {}", finished.stderr);
    }

    #[track_caller]
    pub(super) fn json(&self, arguments: &[&str]) -> Value {
        let printed = self.well(&[arguments, &["--json"]].concat());
        serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {printed}"))
    }
}

#[test]
fn monitors_live_and_die_by_the_command_line() {
    let server = Server::start();
    let created = server.run(&["monitor", "create", "job", "--timeout", "1h", "--tag", "prod"]);
    assert!(created.stderr.contains("nobody will be alerted"), "{created:?}");
    let push_url = created.stdout.lines().last().expect("the push URL").to_owned();
    for (arguments, why) in [
        (
            &["--cron", "0 25 * * *"][..],
            "invalid value '0 25 * * *' for '--cron <PATTERN>': hour 25: 0 to 23",
        ),
        (&["--cron", "@daily", "--timezone", "Mars/Olympus"], "'Mars/Olympus' for '--timezone <ZONE>'"),
        (&["--timeout", "400d"], "--timeout 400d is too long: 1 s to 365 d"),
    ] {
        let finished = server.run(&[&["monitor", "create", "x"], arguments].concat());
        assert_eq!(finished.status.code(), Some(2), "{finished:?}");
        assert!(finished.stderr.contains(why), "{}", finished.stderr);
    }

    assert_eq!(server.well(&["push", &push_url, "--msg", "copied 3 files", "--value", "3"]), "");
    let shown = eventually("the heartbeat is shown", || {
        let shown = server.well(&["monitor", "show", "job"]);
        (shown.contains("copied 3 files") && shown.contains("state      up")).then_some(shown)
    });
    assert!(shown.contains(&push_url), "{shown}");
    assert!(
        server
            .well(&["monitor", "list", "--state", "up", "--tag", "prod", "--q", "jo"])
            .contains("every 1 h")
    );
    assert_eq!(server.well(&["monitor", "list", "--state", "down"]), "No monitor is like that.\n");

    let edited =
        server.json(&["monitor", "edit", "job", "--cron", "0 3 * * *", "--grace", "1h", "--no-tags"]);
    assert_eq!((&edited["cron"], &edited["grace"]), (&"0 3 * * *".into(), &3_600.into()));
    assert_eq!(server.json(&["monitor", "pause", "job"])["paused"], true);
    assert_eq!(server.json(&["monitor", "resume", "job"])["paused"], false);
    let rotated = server.well(&["monitor", "rotate-token", "job", "--overlap", "0"]);
    let new_url = rotated.lines().last().expect("the new push URL");
    assert_eq!(server.well(&["push", new_url]), "");
    server.refused(&["push", &push_url], "unknown token");

    server.well(&["monitor", "create", "job", "--timeout", "1h", "--allow-same-name"]);
    server.refused(&["monitor", "delete", "job", "--yes"], "2 monitors are named \"job\"");
    let id = edited["id"].as_str().expect("an id");
    server.well(&["monitor", "delete", id, "--yes"]);
    assert_eq!(server.json(&["monitor", "list"])["items"].as_array().map(Vec::len), Some(1));
    server.well(&["monitor", "delete", "job", "--yes"]);
    assert_eq!(server.well(&["monitor", "list"]), "There are no monitors yet.\n");
}

#[test]
fn channels_are_made_tested_and_deleted() {
    let server = Server::start();
    let good = Stub::start(|_| Answer::text(204, ""));
    let bad = Stub::start(|_| Answer::text(500, "broken"));
    let created = server.well(&["channel", "create", "ops", "webhook", "--url", &good.url()]);
    assert!(created.contains("whsec_") && created.contains("every monitor"), "{created}");
    server.well(&["channel", "create", "bad", "webhook", "--url", &bad.url(), "--header", "X-Key: abc"]);
    server.well(&["channel", "create", "mail", "email", "--to", "a@example.com"]);
    server.refused(
        &["channel", "create", "post", "email", "--to", "ops"],
        "--to: \"ops\" is not an e-mail address",
    );
    server.refused(&["channel", "create", "x", "slack", "--url", "http://10.0.0.1/a"], "--url: ");
    let chat = ["channel", "create", "x", "telegram", "--token", "1:a", "--chat-id"];
    server.refused(&[&chat[..], &["name"]].concat(), "--chat-id: it must be a number such as -1001234567890");
    server.refused(&[&chat[..], &["-5", "--thread-id", "abc"]].concat(), "--thread-id: it must be a whole");
    server.refused(
        &["channel", "create", "x", "pagerduty", "--routing-key", "short"],
        "--routing-key: it must be 32 letters and digits",
    );
    server.well(&["channel", "create", "team", "slack", "--url", "http://127.0.0.1:9/services/secret"]);
    assert!(server.well(&["channel", "show", "team"]).contains("to       http://127.0.0.1:9/***\n"));
    server.refused(&["channel", "create", "x", "webhook", "--url", "http://10.0.0.1/"], "--url: ");
    let created = server.run(&["monitor", "create", "job", "--timeout", "1h"]);
    assert_eq!(created.stderr, "", "ops is the default channel");

    assert!(server.well(&["channel", "test", "ops"]).starts_with("delivered (204)\n"));
    assert_eq!(good.requests().len(), 1);
    let failed = server.run(&["channel", "test", "bad"]);
    assert_eq!(failed.status.code(), Some(1));
    assert!(failed.stdout.starts_with("not delivered (500)"), "{failed:?}");
    assert_eq!(bad.requests()[0].header("x-key"), "abc");
    assert!(server.well(&["channel", "show", "bad"]).contains("x-key: ***"));

    let edited =
        server.json(&["channel", "edit", "bad", "--default", "webhook", "--new-secret", "--no-headers"]);
    assert_eq!((&edited["default"], &edited["headers"]), (&true.into(), &serde_json::json!({})));
    assert!(edited["secret"].as_str().is_some_and(|secret| secret.starts_with("whsec_")), "{edited}");
    server.well(&["channel", "delete", "ops", "--yes"]);
    let listed = server.well(&["channel", "list"]);
    assert!(!listed.contains("ops") && listed.contains("bad"), "{listed}");
}

#[test]
fn maintenance_windows_and_parents_live_and_die_by_the_command_line() {
    let server = Server::start();
    for name in ["router", "web"] {
        server.run(&["monitor", "create", name, "--timeout", "1h"]);
    }
    server.well(&["monitor", "edit", "web", "--parent", "router"]);
    assert!(server.well(&["monitor", "show", "web"]).contains("parent     router ("));
    server.refused(
        &["monitor", "edit", "router", "--parent", "web"],
        "--parent: depends on this monitor itself",
    );
    assert!(server.json(&["monitor", "edit", "web", "--no-parent"])["parent"].is_null());

    assert_eq!(server.well(&["maintenance", "list"]), "There are no maintenance windows.\n");
    let created =
        server.well(&["maintenance", "create", "disks", "--monitor", "web", "--tag", "db", "--for", "2h"]);
    assert!(created.contains("for   1 monitor, tag db\n"), "{created}");
    server.well(&[
        "maintenance",
        "create",
        "night",
        "--tag",
        "db",
        "--cron",
        "0 2 * * *",
        "--for",
        "30m",
        "--timezone",
        "UTC",
    ]);
    let refused = ["maintenance", "create", "x", "--tag", "a", "--cron", "0 2 * * *", "--for", "59s"];
    server.refused(&refused, "--for 59 s: must be 1 min to 31 d");
    let listed = server.well(&["maintenance", "list"]);
    assert!(listed.contains("active") && listed.contains("30 min at 02:00, UTC"), "{listed}");
    assert!(server.well(&["maintenance", "show", "disks"]).contains("monitor  web ("));
    assert_eq!(server.json(&["maintenance", "edit", "night", "--for", "1h"])["duration"], 3_600);
    server.well(&["maintenance", "edit", "disks", "--to", "now"]);
    assert_eq!(server.json(&["maintenance", "show", "disks"])["active"], false);
    server.well(&["maintenance", "delete", "disks", "--yes"]);
    server.refused(&["maintenance", "show", "disks"], "there is no maintenance window named \"disks\"");
}

#[test]
fn a_channel_that_is_gone_is_enabled_and_its_dead_letters_sent_again() {
    let server = Server::start();
    let gone = Stub::start(|_| Answer::text(410, "moved away"));
    let good = Stub::start(|_| Answer::text(204, ""));
    server.well(&["channel", "create", "ops", "webhook", "--url", &gone.url()]);
    let created = server.well(&["monitor", "create", "job", "--timeout", "1h"]);
    let push_url = created.lines().last().expect("the push URL");
    server.well(&["push", push_url]);
    server.well(&["push", push_url, "--status", "down", "--msg", "disk full"]);

    let dead = eventually("the alert is a dead letter", || {
        let listing =
            server.json(&["deliveries", "list", "--monitor", "job", "--channel", "ops", "--state", "dead"]);
        listing["items"][0]["id"].as_str().map(str::to_owned)
    });
    assert!(server.well(&["deliveries", "list"]).contains("ops      down: job"));
    let shown = server.well(&["deliveries", "show", &dead]);
    assert!(shown.contains("ops (") && shown.contains("410") && shown.contains("moved away"), "{shown}");
    assert!(server.well(&["channel", "list"]).contains("disabled"));
    let warned = server.run(&["monitor", "edit", "job", "--add-tag", "x"]).stderr;
    assert!(
        warned.contains("its channels are disabled") && warned.contains("channel enable ops"),
        "{warned}"
    );

    server.well(&["channel", "edit", "ops", "webhook", "--url", &good.url()]);
    server.well(&["channel", "enable", "ops"]);
    server.well(&["deliveries", "redrive", &dead]);
    eventually("it is delivered after all", || {
        (server.json(&["deliveries", "show", &dead])["state"] == "delivered").then_some(())
    });
    assert_eq!(good.requests()[0].json()["data"]["message"], "disk full");
}

#[test]
fn a_read_key_reads_and_changes_nothing() {
    let server = Server::start();
    server.well(&["monitor", "create", "job", "--timeout", "1h"]);
    let created = server.well(&["key", "create", "dashboard", "--read"]);
    let key = created.lines().last().expect("the key");
    let shown = server.well(&["monitor", "show", "job", "--api-key", key]);
    assert!(!shown.contains("push URL"), "{shown}");
    server.refused(&["monitor", "delete", "job", "--yes", "--api-key", key], "this key may read only");
    assert!(server.well(&["key", "list"]).contains("dashboard"));
    server.well(&["key", "delete", "dashboard", "--yes"]);
    server.refused(&["monitor", "list", "--api-key", key], "this is not a valid API key");
}
