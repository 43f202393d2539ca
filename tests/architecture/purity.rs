//! Things that crates and files that call themselves pure must not use: clocks, random sources, files, the
//! network.
//!
//! A file calls itself pure by the first words of its documentation: `//! Pure`.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use crate::source::{Names, member_files, members, parse, root, rust_files, shown};

const MARKER: &str = "//! Pure";
/// Packages that are pure as a whole, and the most packages that each may be built from.
const PURE_PACKAGES: [&str; 2] = ["model", "machine"];
const MAX_PACKAGES: usize = 75;

/// Paths that a pure file must not name: by their first segments.
const FORBIDDEN: [&str; 25] = [
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
    "std::io::stdin",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::ToSocketAddrs",
    "std::net::UdpSocket",
    "std::process",
    "std::thread",
    "ports::clock",
    "jiff::Timestamp::now",
];
/// Calls that a pure file must not make: by their last segments.
const FORBIDDEN_CALLS: [&str; 6] =
    ["Instant::now", "SystemTime::now", "Timestamp::now", "Zoned::now", "Uuid::new_v4", "Uuid::now_v7"];

/// Methods that a pure file must not call.
const FORBIDDEN_METHODS: [&str; 2] = ["elapsed", "to_socket_addrs"];
/// Files and folders outside of the pure packages that must be marked.
const PURE: &[&str] = &[
    "backends/nats/src/queue/subjects.rs",
    "backends/nats/src/rights.rs",
    "backends/redis/src/rights.rs",
    "cli/src/near.rs",
    "cli/src/replay/matching.rs",
    "cli/src/replay/pace.rs",
    "cli/src/replay/pairing.rs",
    "cli/src/replay/past.rs",
    "cli/src/replay/windows.rs",
    "common/api/src",
    "common/ports/src/queue_index.rs",
    "common/ports/src/queue_room.rs",
    "common/ports/src/repeats.rs",
    "common/ports/src/shares.rs",
    "common/sending/src/address_guard.rs",
    "common/sending/src/mail/message.rs",
    "common/sending/src/mail_address.rs",
    "common/sending/src/presets",
    "common/sending/src/presets.rs",
    "common/sending/src/target.rs",
    "common/sending/src/template",
    "common/sending/src/words.rs",
    "common/serving/src/proxies.rs",
    "common/serving/src/strangers.rs",
    "console/api/src/public_url.rs",
    "console/api/src/sight.rs",
    "console/management/src/draft",
    "console/management/src/draft.rs",
    "console/management/src/import/lines.rs",
    "console/management/src/situation.rs",
    "ingest/src/accept",
    "ingest/src/accept.rs",
    "ingest/src/clock_offset.rs",
    "notifier/src/defects.rs",
    "notifier/src/delivery/lanes.rs",
    "notifier/src/desk/chat.rs",
    "notifier/src/desk/digest.rs",
    "notifier/src/desk/flaps.rs",
    "notifier/src/desk/forgotten.rs",
    "notifier/src/desk/gather.rs",
    "notifier/src/desk/incidents.rs",
    "notifier/src/desk/machine.rs",
    "notifier/src/desk/outcome.rs",
    "notifier/src/desk/pager.rs",
    "notifier/src/desk/rows.rs",
    "notifier/src/desk/state",
    "notifier/src/desk/storm.rs",
    "notifier/src/desk/timing.rs",
    "notifier/src/event.rs",
    "notifier/src/fanout/untold.rs",
    "notifier/src/gate/rule.rs",
    "notifier/src/message",
    "notifier/src/message.rs",
    "notifier/src/retry.rs",
    "notifier/src/standing.rs",
    "notifier/src/transport/email/html.rs",
    "scheduler/src/checkpoints/retention.rs",
    "scheduler/src/rebuild/compare.rs",
    "scheduler/src/watchdog/turn.rs",
    "secrets/src/next_steps.rs",
];

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
    let methods = names.methods.iter().filter(|name| FORBIDDEN_METHODS.contains(&name.as_str())).cloned();
    paths.chain(methods).chain(names.has_async.then(|| "async".to_owned())).collect()
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
fn what_must_be_pure_says_so() {
    let mut wrong = Vec::new();
    for named in PURE {
        let path = root().join(named);
        assert!(path.exists(), "{named} is not there");
        let files = if path.is_dir() { rust_files(&path) } else { vec![path] };
        for file in files {
            let is_for_tests = file.strip_prefix(root()).is_ok_and(|file| {
                file.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "tests.rs")
            });
            let text = fs::read_to_string(&file).expect("a readable file");
            if !is_for_tests && !text.starts_with(MARKER) {
                wrong.push(shown(&file));
            }
        }
    }
    assert!(wrong.is_empty(), "these must be pure, and say so:\n{}", wrong.join("\n"));
}

#[test]
fn what_says_that_it_is_pure_must_stay_so() {
    let mut unlisted = Vec::new();
    for member in members().iter().filter(|member| !PURE_PACKAGES.contains(&member.name.as_str())) {
        for file in member_files(member) {
            let text = fs::read_to_string(&file).expect("a readable file");
            let listed = PURE.iter().any(|named| file.starts_with(root().join(named)));
            if text.starts_with(MARKER) && !listed {
                unlisted.push(shown(&file));
            }
        }
    }
    assert!(unlisted.is_empty(), "the list PURE lacks:\n{}", unlisted.join("\n"));
}

#[test]
fn what_is_for_tests_does_not_hide_what_stands_behind_it() {
    let text = "#[cfg(test)] use std::fs; fn f() {} #[cfg(test)] mod tests { use tokio::spawn; } fn g() { std::env::args(); }";
    assert_eq!(impurities(&syn::parse_file(text).expect("it is Rust")), ["std::env::args"]);
}

#[test]
fn another_name_a_bracket_or_a_closure_hides_nothing() {
    let text = r#"
        use std::time::Instant as T;
        fn f() { T::now(); }
        fn g() { format!("{}", h([std::env::args()])); }
        fn i() { std::time::SystemTime::UNIX_EPOCH.elapsed(); }
        fn j() { format!("{:?}", k.elapsed()); }
    "#;
    let found = impurities(&syn::parse_file(text).expect("it is Rust"));
    assert_eq!(found, ["std::time::Instant::now", "std::env::args", "elapsed", "elapsed"]);
    let closure = syn::parse_file("fn f() { g(async || 1) }").expect("it is Rust");
    assert_eq!(impurities(&closure), ["async"]);
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
