//! Runs a unit's commands as systemd would, and has systemd check it.

use std::path::Path;
use std::process::Command;

use super::guide::Example;
use crate::harness::{Finished, Process, needs};

/// The settings of that name: of lines that end in a backslash, systemd makes one.
fn setting(unit: &str, name: &str) -> String {
    let joined = unit.replace("\\\n", " ");
    let found: Vec<&str> =
        joined.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('=')).collect();
    let [value] = found.as_slice() else { panic!("one {name} is expected: {unit}") };
    (*value).to_owned()
}

/// Runs `ExecStopPost`, which must be a script of `/bin/sh`, with what systemd says of the job's end.
pub(super) fn stop_post(
    example: &Example,
    push_url: &str,
    home: &Path,
    outcome: &[(&str, &str)],
) -> Finished {
    assert_eq!(example.language, "ini");
    let command = setting(&example.code, "ExecStopPost");
    let quoted = command.strip_prefix("/bin/sh -c '").and_then(|rest| rest.strip_suffix('\''));
    let quoted = quoted.unwrap_or_else(|| panic!("a script of /bin/sh is expected: {command}"));
    let (script, single) = (quoted.replace("$$", "$"), quoted.replace("$$", ""));
    assert!(!single.contains(['$', '%', '\'']), "systemd would replace it: {quoted}");
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", &script]).current_dir(home).env_clear();
    shell.env("PATH", "/usr/bin:/bin").env("PUSH_URL", push_url).envs(outcome.iter().copied());
    Process::start(&mut shell).finish()
}

/// What `systemd-analyze verify` says of units in a folder.
pub(super) fn verify(folder: &Path, units: &[&str]) -> Finished {
    needs("systemd-analyze");
    let mut analyze = Command::new("systemd-analyze");
    analyze.args(["verify", "--man=no", "--recursive-errors=no"]).args(units).current_dir(folder);
    Process::start(&mut analyze).finish()
}

#[test]
fn a_setting_is_read_over_its_lines() {
    assert_eq!(setting("[Service]\nExecStart=a \\\n  b\nType=x\n", "ExecStart"), "a    b");
}
