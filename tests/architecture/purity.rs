//! What crates and files that call themselves pure must not use: clocks, random sources, files, the network.
//!
//! A file calls itself pure by the first words of its documentation: `//! Pure`.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use crate::source::{Names, member_files, members, parse, root, shown};

const MARKER: &str = "//! Pure";
/// Packages that are pure as a whole, and the most packages that each may be built from.
const PURE_PACKAGES: [&str; 2] = ["model", "machine"];
const MAX_PACKAGES: usize = 75;

/// Paths that a pure file must not name: by their first segments.
const FORBIDDEN: [&str; 22] = [
    "tokio",
    "tokio_util",
    "async_nats",
    "async_trait",
    "axum::Router",
    "axum::serve",
    "hyper",
    "lettre::AsyncTransport",
    "lettre::Transport",
    "lettre::transport",
    "rand",
    "redis",
    "reqwest",
    "rusqlite",
    "std::env",
    "std::fs",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::UdpSocket",
    "std::process",
    "ports::clock",
    "jiff::Timestamp::now",
];
/// Calls that a pure file must not make: by their last segments.
const FORBIDDEN_CALLS: [&str; 6] =
    ["Instant::now", "SystemTime::now", "Timestamp::now", "Zoned::now", "Uuid::new_v4", "Uuid::now_v7"];

fn begins_with(path: &[String], forbidden: &str) -> bool {
    let mut segments = path.iter();
    forbidden.split("::").all(|word| segments.next().is_some_and(|segment| segment == word))
}

fn ends_with(path: &[String], forbidden: &str) -> bool {
    let mut segments = path.iter().rev();
    forbidden.rsplit("::").all(|word| segments.next().is_some_and(|segment| segment == word))
}

/// The forbidden things that a file uses.
fn impurities(file: &syn::File) -> Vec<String> {
    let names = Names::of(file);
    let forbidden = |path: &&Vec<String>| {
        FORBIDDEN.iter().any(|forbidden| begins_with(path, forbidden))
            || FORBIDDEN_CALLS.iter().any(|forbidden| ends_with(path, forbidden))
            || begins_with(path, "crate::clock")
    };
    let paths = names.paths.iter().map(|(_, path)| path).filter(forbidden).map(|path| path.join("::"));
    paths.chain(names.has_async.then(|| "async".to_owned())).collect()
}

#[test]
fn what_calls_itself_pure_touches_nothing() {
    let mut wrong = Vec::new();
    let mut marked = 0;
    for member in members() {
        let is_pure_package = PURE_PACKAGES.contains(&member.name.as_str());
        for file in member_files(&member) {
            let text = fs::read_to_string(&file).expect("a readable file");
            let has_marker = text.starts_with(MARKER);
            marked += usize::from(has_marker);
            // A list of modules may say that one of them is pure.
            let claims = |line: &str| {
                line.contains(" Pure.") && line.starts_with("//!") && !line.starts_with("//! - ")
            };
            if !has_marker && text.lines().any(claims) {
                wrong.push(format!("{} does not say in its first words that it is pure", shown(&file)));
            }
            let is_for_tests = file.file_stem().is_some_and(|stem| stem == "tests" || stem == "golden");
            let is_source = file.starts_with(member.folder.join("src")) && !is_for_tests;
            if has_marker || (is_pure_package && is_source) {
                let used = impurities(&parse(&file));
                wrong.extend(used.into_iter().map(|used| format!("{} uses {used}", shown(&file))));
            }
        }
    }
    assert!(wrong.is_empty(), "what is pure touches nothing:\n{}", wrong.join("\n"));
    assert!(marked > 20, "the marker is on {marked} files only");
}

#[test]
fn what_is_for_tests_does_not_hide_what_stands_behind_it() {
    let text = "#[cfg(test)] use std::fs; fn f() {} #[cfg(test)] mod tests { use tokio::spawn; } fn g() { std::env::args(); }";
    assert_eq!(impurities(&syn::parse_file(text).expect("it is Rust")), ["std::env::args"]);
}

#[test]
fn pure_packages_are_built_from_few_others_and_no_runtime() {
    for package in PURE_PACKAGES {
        let tree = Command::new(env!("CARGO"))
            .args(["tree", "--offline", "-p", package, "-e", "normal,build", "--prefix", "none"])
            .current_dir(root())
            .output()
            .expect("cargo runs");
        assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
        let text = String::from_utf8(tree.stdout).expect("cargo writes text");
        let packages: BTreeSet<&str> =
            text.lines().map(|line| line.trim_end_matches(" (*)")).filter(|line| !line.is_empty()).collect();
        for forbidden in ["tokio ", "cc ", "mio ", "rand "] {
            let named = packages.iter().any(|line| line.starts_with(forbidden));
            assert!(!named, "{package} is pure and must not be built from {forbidden}");
        }
        let count = packages.len();
        assert!(count <= MAX_PACKAGES, "{package} is built from {count} packages, more than {MAX_PACKAGES}");
    }
}
