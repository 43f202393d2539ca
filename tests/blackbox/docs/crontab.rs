//! Runs a crontab's line as cron would.

use std::path::Path;
use std::process::Command;

use super::guide::Example;
use crate::harness::Process;

/// The command of a crontab with one line: five fields of schedule, then the command up to the first
/// unescaped `%`.
pub(super) fn command(crontab: &str) -> String {
    let lines: Vec<&str> =
        crontab.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let [line] = lines.as_slice() else { panic!("one line is expected: {crontab}") };
    let mut rest = *line;
    for _ in 0..5 {
        let (field, after) = rest.split_once(' ').expect("five fields and a command");
        assert!(field.chars().all(|c| c.is_ascii_digit() || "*/,-".contains(c)), "not a schedule: {field}");
        rest = after.trim_start();
    }
    assert!(!rest.replace("\\%", "").contains('%'), "cron would end the command at the %: {rest}");
    rest.replace("\\%", "%")
}

/// Starts the command with cron's shell and its small environment.
pub(super) fn start(example: &Example, push_url: &str, home: &Path) -> Process {
    assert_eq!(example.language, "crontab");
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(command(&example.adapted(push_url))).current_dir(home);
    shell.env_clear().env("HOME", home).env("SHELL", "/bin/sh").env("PATH", "/usr/bin:/bin");
    Process::start(&mut shell)
}

#[test]
fn a_line_is_read_as_cron_reads_it() {
    assert_eq!(command("# comment\n*/5 0-3 1,2 * * date +\\%F && x\n"), "date +%F && x");
}

#[test]
#[should_panic(expected = "cron would end the command")]
fn an_unescaped_percent_sign_is_noticed() {
    command("0 3 * * * date +%F\n");
}
