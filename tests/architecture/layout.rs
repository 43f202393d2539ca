//! Lengths, names, and the face that the roles share.

use std::fs;

use crate::source::{member_files, members, root, shown};

const MAX_LINES: usize = 500;
/// The width of rustfmt.toml, in characters: rustfmt wraps code only.
const MAX_COMMENT_WIDTH: usize = 110;
const MAX_MAIN_LINES: usize = 100;
const NAMES_THAT_SAY_NOTHING: [&str; 7] = ["utils", "util", "helpers", "helper", "misc", "imp", "mod"];
/// The members of each role.
const ROLES: [&[&str]; 4] =
    [&["ingest"], &["scheduler"], &["notifier"], &["console/api", "console/management"]];

#[test]
fn no_source_file_is_long_or_named_after_nothing() {
    for member in members() {
        let files = member_files(&member);
        assert!(!files.is_empty(), "{} has sources where this test looks", member.name);
        for file in files {
            let lines = fs::read_to_string(&file).expect("a readable file").lines().count();
            assert!(lines <= MAX_LINES, "{} has {lines} lines, more than {MAX_LINES}", shown(&file));
            let stem = file.file_stem().and_then(|stem| stem.to_str()).expect("a name");
            assert!(!NAMES_THAT_SAY_NOTHING.contains(&stem), "{} is named after nothing", shown(&file));
        }
    }
}

#[test]
fn comments_are_wrapped() {
    let mut wide = Vec::new();
    for file in members().iter().flat_map(member_files) {
        let text = fs::read_to_string(&file).expect("a readable file");
        for (number, line) in text.lines().enumerate() {
            if line.trim_start().starts_with("//") && line.chars().count() > MAX_COMMENT_WIDTH {
                wide.push(format!("{}:{}", shown(&file), number + 1));
            }
        }
    }
    assert!(wide.is_empty(), "wider than {MAX_COMMENT_WIDTH} characters:\n{}", wide.join("\n"));
}

#[test]
fn every_role_has_the_same_face() {
    for members in ROLES {
        for file in ["lib.rs", "config.rs", "error.rs", "metrics.rs", "service.rs"] {
            let has = |member: &&str| root().join(member).join("src").join(file).exists();
            assert!(members.iter().any(has), "{} has no src/{file}", members.join(", "));
        }
    }
}

#[test]
fn main_stays_short() {
    let main = fs::read_to_string(root().join("src/main.rs")).expect("main.rs");
    assert!(main.lines().count() <= MAX_MAIN_LINES, "main.rs only chooses what to run");
}
