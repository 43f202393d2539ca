//! `lubdub replay rebuild` on one process, under load.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::pusher::{Habit, Pusher, check_answers, check_recorded};
use super::server::{ALLOW, Server};
use crate::api::KEY;
use crate::harness::{Finished, Process, directory, eventually, lubdub, needs};
use crate::receiver::Receiver;

fn rebuild(server: &Server, flags: &[&str]) -> Finished {
    let home = directory();
    let mut command = lubdub(home.path());
    command.args(["replay", "rebuild"]).args(flags);
    command.env("LUBDUB_URL", format!("http://{}", server.address())).env("LUBDUB_API_KEY", KEY);
    Process::start(&mut command).finish()
}

/// Changes one row of a database of a server that is stopped.
#[track_caller]
fn change(server: &Server, database: &str, sql: &str) {
    needs("python3");
    let script = "import sqlite3, sys\n\
                  db = sqlite3.connect(sys.argv[1])\n\
                  changed = db.execute(sys.argv[2]).rowcount\n\
                  db.commit()\n\
                  sys.exit(0 if changed == 1 else 1)";
    let done =
        Command::new("python3").args(["-c", script]).arg(server.data().join(database)).arg(sql).status();
    assert!(done.expect("python3").success(), "one row was to be changed");
}

#[test]
fn an_entry_that_cannot_be_read_is_passed_over_and_named() {
    let mut server = Server::start(&ALLOW);
    let monitor = server.monitor("job", 600, 60);
    for _ in 0..3 {
        assert_eq!(server.push(&monitor, "status=up"), 200);
    }
    eventually("it is up", || (server.shown(&monitor).state == "up").then_some(()));
    server.stop();
    let damage = "UPDATE entries SET frame = x'ff' WHERE key = (SELECT key FROM entries ORDER BY length(frame) DESC LIMIT 1)";
    change(&server, "log.db", damage);
    server.start_again();
    let found = rebuild(&server, &["--verify", "--json"]);
    let shown: Value = serde_json::from_str(&found.stdout).expect("JSON");
    let report = &shown[0]["report"];
    assert_eq!(
        (&report["damaged"], report["damaged_at"].as_array().map(Vec::len)),
        (&1.into(), Some(1)),
        "{shown:#}"
    );
    assert_eq!(report["known_since"], Value::Null, "{shown:#}");
    let said = rebuild(&server, &["--verify"]);
    assert!(said.stdout.contains("passed over 1 damaged entries, at "), "{said:?}");
}

#[test]
fn a_corrupted_state_is_found_and_mended_under_load_and_after_a_kill() {
    let receiver = Receiver::start();
    let mut server = Server::start(&ALLOW);
    server.channel("hook", &receiver.url());
    let steady = server.monitor("steady", 5, 5);
    let pusher = Pusher::start(server.address(), &steady, "steady", Habit::every(Duration::from_millis(100)));
    let reported = server.monitor("reported", 600, 60);
    assert_eq!(server.push(&reported, "status=down"), 200);
    server.until_reasons(&reported, &["reported"]);
    eventually("the webhook came", || (!receiver.requests().is_empty()).then_some(()));

    let same = rebuild(&server, &["--verify"]);
    assert_eq!(same.status.code(), Some(0), "{same:?}");
    assert!(same.stdout.contains("partition 0: all 2 monitors are as the log says"), "{same:?}");
    let refused = rebuild(&server, &[]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert!(refused.stderr.contains("--yes"), "{refused:?}");

    server.stop();
    let forget = format!("DELETE FROM states WHERE monitor = x'{}'", reported.id.replace('-', ""));
    change(&server, "state.db", &forget);
    server.start_again();
    eventually("the steady one is heard again", || {
        let heard = server.heartbeats(&steady);
        (!heard.is_empty()).then_some(())
    });
    let differs = rebuild(&server, &["--verify", "--json"]);
    assert_eq!(differs.status.code(), Some(1), "{differs:?}");
    let shown: Value = serde_json::from_str(&differs.stdout).expect("JSON");
    assert_eq!(shown[0]["report"]["different"], 1, "{shown:#}");
    assert_eq!(shown[0]["report"]["differences"][0]["monitor"], reported.id, "{shown:#}");

    // Asked for, and killed at once: the next start carries it out.
    server.api("POST /replay/rebuilds", &serde_json::json!({"verify": false, "history": true}));
    server.kill();
    server.start_again();
    eventually("it was carried out", || {
        let shown = server.get("/replay/rebuilds/0");
        assert_ne!(shown["state"], "failed", "{shown:#}");
        (shown["report"]["replaced"] == true).then_some(())
    });
    assert_eq!(server.shown(&reported).state, "down");
    let again = rebuild(&server, &["--history", "--yes"]);
    assert_eq!(again.status.code(), Some(0), "{again:?}");
    assert!(again.stdout.contains("partition 0: replaced"), "{again:?}");
    let same = rebuild(&server, &["--verify"]);
    assert_eq!(same.status.code(), Some(0), "{same:?}");

    assert_eq!(server.push(&reported, "status=up"), 200);
    server.until_reasons(&reported, &["reported", "recovered"]);
    eventually("the webhook of the recovery came", || (receiver.requests().len() >= 2).then_some(()));
    let attempts = pusher.stop();
    check_answers(&attempts);
    check_recorded(&server, &steady, &attempts);
    let told = receiver.requests();
    assert_eq!(told.len(), 2, "each once: {told:?}");
}
