//! The rules of the layout, checked.

use std::fs;
use std::path::{Path, PathBuf};

const MEMBERS: [&str; 5] = ["machine", "ingest", "scheduler", "notifier", "console/api"];
/// What members share, apart from roles.
const SHARED: [&str; 6] =
    ["console/management", "common/model", "common/ports", "common/api", "common/serving", "common/sending"];
const MAX_LINES: usize = 500;

/// Modules without I/O, clocks and random sources of their own.
const PURE: [&str; 11] = [
    "common/api/src/export",
    "common/model/src",
    "common/model/src/wire",
    "ingest/src/accept",
    "machine/src",
    "notifier/src/retry",
    "notifier/src/event",
    "notifier/src/delivery/lanes",
    "common/sending/src/address_guard",
    "common/sending/src/presets",
    "common/sending/src/template",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(under: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(under) else { return Vec::new() };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

fn all_rust_files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in ["src", "tests", "benches"] {
        files.extend(rust_files(&root().join(folder)));
    }
    for member in MEMBERS.into_iter().chain(SHARED) {
        for folder in ["src", "tests"] {
            files.extend(rust_files(&root().join(member).join(folder)));
        }
    }
    assert!(files.len() > 100, "the sources are where this test looks");
    files
}

#[test]
fn no_source_file_is_long_or_named_after_nothing() {
    for file in all_rust_files() {
        let text = fs::read_to_string(&file).expect("a readable file");
        let lines = text.lines().count();
        assert!(lines <= MAX_LINES, "{} has {lines} lines, more than {MAX_LINES}", file.display());
        let stem = file.file_stem().and_then(|stem| stem.to_str()).expect("a name");
        assert!(
            !["utils", "util", "helpers", "helper", "misc", "imp", "mod"].contains(&stem),
            "{} is named after nothing",
            file.display()
        );
    }
}

#[test]
fn roles_depend_on_common_and_the_machine_only() {
    for member in MEMBERS {
        let manifest = fs::read_to_string(root().join(member).join("Cargo.toml")).expect("a manifest");
        for other in MEMBERS {
            let depends = manifest
                .lines()
                .any(|line| line.starts_with(&format!("{other}.")) || line.starts_with(&format!("{other} ")));
            let allowed = other == "machine";
            assert!(!depends || allowed, "{member} depends on {other}");
        }
        let version = manifest.lines().find(|line| line.contains("version ="));
        assert_eq!(version, None, "versions stand in the root's Cargo.toml only, not in {member}");
    }
}

#[test]
fn pure_modules_touch_nothing() {
    let banned = [
        "tokio",
        "async fn",
        "std::net::Tcp",
        "std::fs",
        "std::env",
        "SystemTime",
        "Instant::now",
        "rand::",
        "reqwest",
        "rusqlite",
        "ports",
        "crate::ports",
        "ports::clock",
        "crate::clock",
    ];
    for module in PURE {
        let mut files = rust_files(&root().join(module));
        files.extend([root().join(format!("{module}.rs"))].into_iter().filter(|file| file.exists()));
        // A file of tests may read its golden files.
        files.retain(|file| !file.ends_with("golden.rs") && !file.ends_with("tests.rs"));
        assert!(!files.is_empty(), "{module} is where this test looks");
        for file in files {
            let text = fs::read_to_string(&file).expect("a readable file");
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            for word in banned {
                let used =
                    code.lines().any(|line| !line.trim_start().starts_with("//") && line.contains(word));
                assert!(!used, "{} is pure and must not use {word}", file.display());
            }
        }
    }
}

#[test]
fn every_role_has_the_same_face() {
    for member in MEMBERS.into_iter().filter(|member| !["common", "machine"].contains(member)) {
        for file in ["lib.rs", "config.rs", "error.rs", "metrics.rs", "service.rs"] {
            assert!(root().join(member).join("src").join(file).exists(), "{member} has no src/{file}");
        }
    }
}

#[test]
fn main_stays_short() {
    let main = fs::read_to_string(root().join("src/main.rs")).expect("main.rs");
    assert!(main.lines().count() <= 100, "main.rs only chooses what to run");
}
