//! The programs that the tests ask, and the files that they ask about.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use servers::find_program;

/// A file or folder of `deploy/`.
pub(crate) fn deploy(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(path)
}

/// The content of a file.
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

/// kubectl, of which only kustomize is used: it needs no cluster.
pub(crate) fn kubectl() -> Command {
    Command::new(find_program("kubectl", "LUBDUB_TEST_KUBECTL"))
}

/// Checks objects of Kubernetes by the schemas that it carries.
pub(crate) fn kubernetes_validate() -> Command {
    Command::new(find_program("kubernetes-validate", "LUBDUB_TEST_KUBERNETES_VALIDATE"))
}

/// A part of systemd; it need not run.
pub(crate) fn systemd_analyze() -> Command {
    Command::new(find_program("systemd-analyze", "LUBDUB_TEST_SYSTEMD_ANALYZE"))
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

/// The variables that a command of `lubdub` reads, by its help.
#[track_caller]
pub(crate) fn variables(subcommand: &str) -> BTreeSet<String> {
    let help = succeeds(lubdub().args([subcommand, "--help"]));
    // Lines are wrapped between `[env:` and the name, too.
    let words: Vec<&str> = help.split_whitespace().collect();
    let named = words.windows(2).filter(|pair| pair[0] == "[env:").map(|pair| pair[1]);
    let mut names: BTreeSet<String> =
        named.map(|word| word.trim_end_matches([']', '=']).to_owned()).collect();
    assert!(names.len() > 3, "the help of {subcommand} names its variables:\n{help}");
    // Every role reads it, and it has no flag.
    names.insert("LUBDUB_LOG".to_owned());
    names
}

/// The names of the files that `lubdub secrets` makes for a role.
#[track_caller]
pub(crate) fn secrets(role: &str) -> BTreeSet<String> {
    let folder = tempfile::tempdir().expect("a folder");
    succeeds(lubdub().arg("secrets").arg(folder.path()));
    let made = std::fs::read_dir(folder.path().join(role));
    let made = made.unwrap_or_else(|error| panic!("nothing is made for {role}: {error}"));
    made.map(|file| file.expect("a file").file_name().into_string().expect("UTF-8")).collect()
}
