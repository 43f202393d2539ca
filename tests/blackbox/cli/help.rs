//! Help texts and bad usage.

use std::collections::VecDeque;

use super::run;
use crate::harness::{Process, directory, lubdub};
use crate::stub::{Answer, Stub};

/// The commands that a help text lists.
fn listed(help: &str) -> Vec<String> {
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names =
        commands.take_while(|line| !line.is_empty()).filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

#[test]
fn every_client_command_has_examples_that_begin_with_the_programs_path() {
    let directory = directory();
    let help = |path: &[String]| {
        let finished = Process::start(lubdub(directory.path()).args(path).arg("--help")).finish();
        assert_eq!(finished.status.code(), Some(0), "{path:?}: {finished:?}");
        finished.stdout
    };
    let clients = [
        "monitor",
        "channel",
        "maintenance",
        "key",
        "push",
        "deliveries",
        "replay",
        "advise",
        "tail",
        "health",
    ];
    let mut waiting: VecDeque<Vec<String>> = clients.iter().map(|name| vec![(*name).to_owned()]).collect();
    let mut seen = 0;
    while let Some(path) = waiting.pop_front() {
        let text = help(&path);
        seen += 1;
        assert!(text.contains("Examples:\n"), "{path:?}:\n{text}");
        assert!(
            text.contains(&format!(" {} {}", env!("CARGO_BIN_EXE_lubdub"), path[0])),
            "{path:?}:\n{text}"
        );
        assert!(!text.contains(" lubdub "), "{path:?}:\n{text}");
        // A kind of channel comes after the channel's name.
        let below = if path.len() > 1 { Vec::new() } else { listed(&text) };
        waiting.extend(below.into_iter().map(|name| [path.clone(), vec![name]].concat()));
    }
    assert!(seen >= 32, "only {seen} commands were found");
}

/// A command that is broken over lines cannot be copied.
#[test]
fn examples_are_not_broken_on_a_narrow_terminal() {
    let directory = directory();
    let program = env!("CARGO_BIN_EXE_lubdub");
    let help = |path: &[&str], columns: &str| {
        let mut command = lubdub(directory.path());
        Process::start(command.args(path).arg("--help").env("COLUMNS", columns)).finish().stdout
    };
    let mut seen = 0;
    for path in [
        &[][..],
        &["up"],
        &["monitor"],
        &["monitor", "create"],
        &["monitor", "edit"],
        &["channel", "create"],
        &["channel", "create", "x", "telegram"],
        &["maintenance", "create"],
        &["replay"],
        &["push"],
        &["completions"],
    ] {
        let (wide, narrow) = (help(path, "1000"), help(path, "50"));
        assert!(!wide.contains('\u{a0}') && !narrow.contains('\u{a0}'), "{path:?}: blanks are blanks");
        for example in wide.lines().filter(|line| line.starts_with("  ") && line.contains(program)) {
            seen += 1;
            assert!(
                narrow.lines().any(|line| line == example),
                "{path:?}: {example}\nis broken in\n{narrow}"
            );
        }
    }
    assert!(seen > 25, "{seen}");
}

#[test]
fn commands_come_in_the_order_in_which_people_need_them() {
    let directory = directory();
    let help = Process::start(lubdub(directory.path()).arg("--help")).finish().stdout;
    let names = listed(&help);
    let place = |name: &str| names.iter().position(|found| found == name).expect(name);
    for pair in [
        "up",
        "monitor",
        "channel",
        "push",
        "maintenance",
        "replay",
        "key",
        "ingest",
        "secrets",
        "completions",
        "man",
    ]
    .windows(2)
    {
        assert!(place(pair[0]) < place(pair[1]), "{pair:?}: {names:?}");
    }
    assert!(help.contains("First steps"), "{help}");
}

#[test]
fn what_the_environment_sets_is_not_shown_as_needed() {
    let directory = directory();
    let mut command = lubdub(directory.path());
    command.args(["monitor", "create", "x"]).env("LUBDUB_API_KEY", "k").env("LUBDUB_URL", "http://x.example");
    let told = Process::start(command.env("LUBDUB_DATA_DIR", "d")).finish().stderr;
    let usage = told.lines().find(|line| line.starts_with("Usage: ")).expect("a usage line");
    assert!(
        usage.ends_with("monitor create [OPTIONS] <--timeout <DURATION>|--cron <PATTERN>> <NAME>"),
        "{told}"
    );
}

#[test]
fn a_key_in_the_environment_is_not_shown_by_help() {
    let directory = directory();
    let mut command = lubdub(directory.path());
    command.args(["monitor", "list", "--help"]).env("LUBDUB_API_KEY", "secret-key");
    assert!(!Process::start(&mut command).finish().stdout.contains("secret-key"));
}

#[test]
fn bad_usage_exits_with_2_and_asks_no_server() {
    let server = Stub::start(|_| Answer::text(500, ""));
    for arguments in [
        &["monitor", "create", "x"][..],
        &["monitor", "create", "x", "--timeout", "60s", "--cron", "0 3 * * *"],
        &["monitor", "create", "x", "--timeout", "soon"],
        &["monitor", "create", "x", "--timeout", "60s", "--channel", "a", "--no-channels"],
        &["monitor", "edit", "x"],
        &["monitor", "edit", "x", "--tag", "prod", "--grace", "1m"],
        &["monitor", "edit", "x", "y", "--name", "z", "--yes"],
        &["monitor", "edit", "x", "--set-tags", "a", "--add-tag", "b"],
        &["monitor", "edit", "--grace", "1m"],
        &["monitor", "pause"],
        &["monitor", "pause", "x", "--all", "--yes"],
        &["monitor", "resume", "--all", "--tag", "prod", "--yes"],
        &["monitor", "delete", "x", "--state", "down", "--yes"],
        &["monitor", "delete", "--state", "asleep", "--yes"],
        &["maintenance", "create", "x", "--all", "--tag", "a", "--for", "2h", "--yes"],
        &["monitor", "list", "--state", "asleep"],
        &["monitor", "list", "--limit", "0"],
        &["monitor", "dance"],
        &["channel", "create", "x"],
        &["channel", "create", "x", "webhook"],
        &["channel", "create", "x", "webhook", "--url", "https://x.example", "--header", "none"],
        &["channel", "edit", "x"],
        &["channel", "create", "x", "slack"],
        &["channel", "edit", "x", "slack"],
        &["maintenance", "create", "x", "--for", "2h"],
        &["maintenance", "create", "x", "--tag", "a"],
        &["maintenance", "create", "x", "--tag", "a", "--cron", "0 2 * * *"],
        &["maintenance", "create", "x", "--tag", "a", "--cron", "0 2 * * *", "--from", "now", "--for", "2h"],
        &["maintenance", "create", "x", "--tag", "a", "--from", "25:00", "--for", "2h"],
        &["maintenance", "edit", "x"],
        &["monitor", "edit", "x", "--parent", "y", "--no-parent"],
        &["push", "bad"],
        &["push", "abcdefgh", "--value", "many"],
        &["health", "--url", "ftp://x.example"],
        &[],
    ] {
        let finished = run(&server, arguments);
        assert_eq!(finished.status.code(), Some(2), "{arguments:?}: {finished:?}");
        assert!(!finished.stderr.is_empty(), "{arguments:?}");
    }
    assert_eq!(server.lines(), [""; 0]);
}
