//! The units.

use std::collections::{BTreeMap, BTreeSet};

use crate::programs::{deploy, read, run, secrets, succeeds, systemd_analyze, variables};

/// Each unit's file, without its end, and the command that it runs.
const UNITS: [(&str, &str); 6] = [
    ("lubdub", "up"),
    ("lubdub-init", "init"),
    ("lubdub-ingest", "ingest"),
    ("lubdub-scheduler", "scheduler"),
    ("lubdub-notifier", "notifier"),
    ("lubdub-console", "console"),
];

/// The worst that `systemd-analyze security` may say, in tenths.
const EXPOSURE: &str = "15";

/// The values of a setting, in the order in which they stand.
fn settings<'u>(unit: &'u str, name: &str) -> Vec<&'u str> {
    unit.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('=')).collect()
}

/// The variables that a unit sets.
fn environment(unit: &str) -> BTreeMap<&str, &str> {
    let pairs = settings(unit, "Environment").into_iter().flat_map(str::split_whitespace);
    pairs.map(|pair| pair.split_once('=').expect("a value")).collect()
}

#[test]
fn systemd_takes_the_units_and_finds_them_hardened() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut files = Vec::new();
    for (name, command) in UNITS {
        let unit = read(&deploy(&format!("systemd/{name}.service")));
        assert_eq!(settings(&unit, "ExecStart"), [format!("/usr/local/bin/lubdub {command}")], "{name}");
        assert_eq!(settings(&unit, "LimitCORE"), ["0"], "{name}: a core would hold every secret");
        assert_eq!(
            (settings(&unit, "TasksMax").len(), settings(&unit, "LimitNOFILE").len()),
            (1, 1),
            "{name}"
        );
        // systemd-analyze checks that the program exists.
        let unit = unit.replace("/usr/local/bin/lubdub", env!("CARGO_BIN_EXE_lubdub"));
        let file = folder.path().join(format!("{name}.service"));
        std::fs::write(&file, unit).expect("write it");
        files.push(file);
    }
    // systemd-analyze only prints what is wrong with a setting.
    let (verified, said) = run(systemd_analyze().args(["verify", "--man=no"]).args(&files));
    let of_ours: Vec<&str> = said.lines().filter(|line| line.contains("lubdub")).collect();
    assert!(verified.status.success() && of_ours.is_empty(), "{said}");
    for file in files {
        succeeds(
            systemd_analyze()
                .args(["security", "--offline=true", "--no-pager", "--threshold", EXPOSURE])
                .arg(file),
        );
    }
}

#[test]
fn units_set_what_their_role_reads_and_load_what_lubdub_secrets_makes_for_it() {
    for (name, command) in UNITS {
        let unit = read(&deploy(&format!("systemd/{name}.service")));
        let known = variables(command);
        let set = environment(&unit);
        let unknown: Vec<_> = set.keys().filter(|variable| !known.contains(**variable)).collect();
        assert!(unknown.is_empty(), "lubdub {command} knows nothing of {unknown:?}");

        let made = if command == "up" { BTreeSet::new() } else { secrets(command) };
        let loaded: BTreeSet<String> =
            made.iter().map(|file| format!("{file}:/etc/lubdub/secrets/{command}/{file}")).collect();
        let loads = settings(&unit, "LoadCredential").into_iter().map(str::to_owned);
        assert_eq!(loads.collect::<BTreeSet<_>>(), loaded, "{name}");
        let read = set.values().filter_map(|value| value.strip_prefix("%d/")).map(str::to_owned);
        assert_eq!(read.collect::<BTreeSet<_>>(), made, "{name} uses what it loads");
    }
}

#[test]
fn the_example_of_the_environment_names_variables_that_a_role_reads() {
    let known: BTreeSet<String> = UNITS.iter().flat_map(|(_, command)| variables(command)).collect();
    let example = read(&deploy("systemd/lubdub.env.example"));
    let set =
        example.lines().map(|line| line.trim_start_matches('#')).filter(|line| line.starts_with("LUBDUB_"));
    let names: Vec<&str> = set.filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    assert!(names.len() > 5, "they are where this test looks");
    for name in names {
        assert!(known.contains(name), "no role knows {name}");
    }
}
