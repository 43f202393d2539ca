//! The programs that the tests ask, and the files that they ask about.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use testbed::find_program;

/// A file or folder of `deploy/`.
pub(crate) fn deploy(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(path)
}

/// What a file holds.
#[track_caller]
pub(crate) fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The program of these tests' own build, without any setting of the machine that runs them.
pub(crate) fn lubdub() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lubdub"));
    command.stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("LUBDUB_") {
            command.env_remove(name);
        }
    }
    command
}

/// promtool, a part of Prometheus.
pub(crate) fn promtool() -> Command {
    Command::new(find_program("promtool", "LUBDUB_TEST_PROMTOOL"))
}

/// Runs a program to its end, which must be a good one.
#[track_caller]
pub(crate) fn succeeds(command: &mut Command) -> String {
    let (output, said) = run(command);
    assert!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    String::from_utf8(output.stdout).expect("it speaks UTF-8")
}

/// Runs a program to its end, and what it said on both of its outputs.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> (Output, String) {
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => panic!("{:?} does not start: {error}", command.get_program()),
    };
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output, said)
}

/// The documents of a YAML file. Python reads it, whose reader comes with kubernetes-validate.
#[track_caller]
pub(crate) fn yaml(path: &Path) -> Vec<Value> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/venv/bin/python");
    let python = std::env::var_os("LUBDUB_TEST_PYTHON").map_or(tools, PathBuf::from);
    assert!(python.exists(), "{} is missing: run `make tools`, or set LUBDUB_TEST_PYTHON", python.display());
    let script = "import json, sys, yaml; json.dump(list(yaml.safe_load_all(open(sys.argv[1]))), sys.stdout)";
    let json = succeeds(Command::new(python).args(["-c", script]).arg(path));
    serde_json::from_str(&json).expect("Python writes JSON")
}
