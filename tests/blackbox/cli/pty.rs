//! What a person sees on a terminal: tables that fit it.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::run_well;
use crate::harness::{Process, directory, lubdub, needs};
use crate::stub::{Answer, Stub};

const MONITOR: &str = "0199a3c4-7d2e-7000-8000-000000000001";

/// Runs a command on a terminal of so many columns, and gives back what it showed.
#[track_caller]
pub(super) fn on_a_terminal(
    server: &Stub,
    columns: u16,
    setting: &[(&str, &str)],
    arguments: &[&str],
) -> String {
    needs("python3");
    let directory = directory();
    // The settings of the command under test, for the program that gives it a terminal.
    let inner = lubdub(directory.path());
    let mut command = Command::new("python3");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/blackbox/cli/on_a_pty.py"));
    let rows = if columns == 0 { "0" } else { "40" };
    command.args([&columns.to_string(), rows]).arg(inner.get_program()).args(arguments);
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
        .current_dir(directory.path())
        .env_remove("COLUMNS")
        .env("TERM", "xterm")
        .env("TZ", "Europe/Berlin");
    command.env("LUBDUB_URL", server.url()).env("LUBDUB_API_KEY", "test-key").envs(setting.iter().copied());
    let finished = Process::start(&mut command).finish();
    assert_eq!(finished.status.code(), Some(0), "{arguments:?}: {finished:?}");
    finished.stdout
}

/// Forty monitors in every state, channels, windows, keys, deliveries and what comes of a look back.
fn installation() -> Stub {
    let states = ["up", "new", "down", "late", "paused"];
    let monitors: Vec<Value> = (0..40_usize)
        .map(|n| {
            json!({
                "id": format!("0199a3c4-7d2e-7000-8000-{n:012}"), "name": format!("web{n} of the shop"),
                "state": states[n % 5], "state_since": "2026-11-22T10:00:00.000Z", "timeout": 60, "grace": 6,
                "tags": ["prod", "a long tag"], "channels": ["c1", "c2"], "expected_at": "2026-11-22T10:01:00.000Z",
                "last_heartbeat": {"id": "1", "at": "2026-11-22T10:00:00.000Z", "status": "up", "msg": "x".repeat(200)},
            })
        })
        .collect();
    let comparison = json!({"downs": 1_000, "down_seconds": 93_784, "false_alarms": 900});
    let settings = json!({"cron": "*/15 9-16 * * 1-5", "timezone": "Europe/Berlin", "grace": 3_600});
    let past = json!({
        "from": "2026-11-08T10:00:00.000Z", "until": "2026-11-22T10:00:00.000Z", "heartbeats": 12, "count": 1,
        "truncated": false, "notes": [], "total": {"was": comparison, "would_be": comparison},
        "monitors": [{"id": "1", "name": "the nightly backup of the whole shop", "revision": 1, "verdict": "change",
                      "current": settings, "proposal": settings, "why": "It follows the clock.",
                      "was": comparison, "would_be": comparison}],
    });
    Stub::start(move |request| {
        let items = match request.path.as_str() {
            "/api/v1/monitors" => json!(monitors),
            "/api/v1/channels" => json!([
                {"id": "c1", "name": "ops", "kind": "webhook", "url": format!("https://x.example/{}", "y".repeat(100)),
                 "state": "ok", "default": true, "state_detail": null},
                {"id": "c2", "name": "mail of the night shift", "kind": "email", "to": ["a@example.com", "b@example.com"],
                 "state": "disabled", "state_detail": "the receiver answered 550, no such mailbox here"},
            ]),
            "/api/v1/keys" => json!([{"id": MONITOR, "name": "the dashboard of the shop", "scope": "read",
                                      "created_at": "2026-11-22T10:00:00.000Z"}]),
            "/api/v1/maintenance-windows" => json!([
                {"id": "w1", "name": "nightly restart of the shop", "tags": ["prod", "a long tag"], "cron": "0 2 * * *",
                 "timezone": "Europe/Berlin", "duration": 1_800, "active": false, "next_at": "2026-11-23T01:00:00.000Z"},
            ]),
            "/api/v1/deliveries" => json!([
                {"id": "5c1f09ab-7d2e-5000-8000-000000000001", "monitor": MONITOR, "channel": "c2", "state": "suppressed",
                 "monitor_name": "the nightly backup of the whole shop", "type": "monitor.was_down",
                 "created_at": "2026-11-22T10:00:00.000Z", "attempts": []},
            ]),
            "/api/v1/replay/what-if" | "/api/v1/replay/advise" => return Answer::json(200, &past),
            other => panic!("{other}"),
        };
        Answer::json(200, &json!({"items": items, "next_cursor": null}))
    })
}

const LISTS: [&[&str]; 7] = [
    &["monitor", "list"],
    &["channel", "list"],
    &["key", "list"],
    &["maintenance", "list"],
    &["deliveries", "list"],
    &["replay", "what-if", "--all"],
    &["advise", "--all"],
];

/// The lines of the table alone.
fn table(shown: &str) -> Vec<&str> {
    shown.lines().take_while(|line| !line.is_empty()).collect()
}

#[test]
fn every_list_fits_the_terminal() {
    let server = installation();
    for arguments in LISTS {
        for columns in [60_u16, 80, 120] {
            let shown = on_a_terminal(&server, columns, &[], arguments);
            let lines = table(&shown);
            let too_wide = lines.iter().find(|line| line.chars().count() > columns.into());
            assert_eq!(too_wide, None, "{arguments:?} at {columns}:\n{shown}");
            assert!(lines[0].starts_with("NAME") || lines[0].starts_with("ID"), "{arguments:?}:\n{shown}");
            assert!(!lines[0].contains('…'), "{arguments:?} at {columns}:\n{shown}");
        }
    }
}

#[test]
fn names_are_whole_at_sixty_columns_and_on_a_terminal_without_a_size() {
    let server = installation();
    for columns in [60, 0] {
        let shown = on_a_terminal(&server, columns, &[], &["monitor", "list"]);
        for n in [0, 1, 10, 39] {
            assert!(shown.contains(&format!("web{n} of the shop ")), "{columns}:\n{shown}");
        }
        assert!(shown.ends_with("\n8 down, 8 late, 8 up, 8 new, 8 paused\n"), "{shown}");
    }
    let shown = on_a_terminal(&server, 0, &[], &["monitor", "list"]);
    let widest = |shown: &str| shown.lines().map(|line| line.chars().count()).max();
    assert!(widest(&shown) > Some(60) && widest(&shown) <= Some(80), "80 columns are assumed:\n{shown}");
    let shown = on_a_terminal(&server, 0, &[("COLUMNS", "50")], &["monitor", "list"]);
    assert!(widest(&shown) <= Some(50), "{shown}");
    let shown = on_a_terminal(&server, 80, &[("COLUMNS", "50")], &["monitor", "list"]);
    assert!(widest(&shown) > Some(60), "the terminal knows better:\n{shown}");
}

#[test]
fn where_no_person_looks_nothing_is_cut() {
    let server = installation();
    for arguments in LISTS {
        let printed = run_well(&server, arguments);
        assert!(!printed.contains('…'), "{arguments:?}:\n{printed}");
    }
    let printed = run_well(&server, &["monitor", "list"]);
    let head = "NAME               STATE   SINCE                      HEARD                      EXPECTED";
    assert!(printed.starts_with(head), "{printed}");
    assert!(printed.contains(&"x".repeat(200)) && printed.contains("2026-11-22T11:00:00+01:00"), "{printed}");
    assert!(!printed.contains(" ago"), "{printed}");
}

#[test]
fn the_order_is_that_of_need_and_then_natural() {
    let printed = run_well(&installation(), &["monitor", "list"]);
    let names: Vec<&str> =
        printed.lines().skip(1).filter_map(|line| line.split_once(' ')).map(|(n, _)| n).collect();
    assert_eq!(names[..3], ["web2", "web7", "web12"], "those that are down");
    assert_eq!(names[8..10], ["web3", "web8"], "those that are late");
    assert_eq!(names[16..20], ["web0", "web1", "web4", "web5"], "the others");
}
