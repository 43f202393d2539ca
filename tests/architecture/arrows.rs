//! Which member may depend on which: arrows point downward only.

use std::collections::BTreeSet;

use toml::Value;

use crate::source::{Member, ROOT, members, root, shown};

/// Our packages that each member may depend on. The root package may depend on all.
const ALLOWED: [(&str, &[&str]); 20] = [
    ("model", &[]),
    ("ports", &["model"]),
    ("api", &["model"]),
    ("serving", &["ports", "model"]),
    ("sending", &["model"]),
    ("machine", &["model"]),
    ("backend-sqlite", &["ports", "model"]),
    ("backend-nats", &["ports", "model"]),
    ("backend-redis", &["ports", "model"]),
    ("ingest", &["ports", "model", "serving"]),
    ("scheduler", &["ports", "model", "serving", "sending", "machine"]),
    ("notifier", &["ports", "model", "serving", "sending"]),
    // The rules of an installation, without HTTP.
    ("management", &["ports", "model", "sending", "machine", "api"]),
    ("console-api", &["ports", "model", "serving", "sending", "machine", "api", "management"]),
    ("cli", &["api", "model", "ports", "sending"]),
    ("secrets", &["backend-nats", "backend-redis", "model", "ports"]),
    ("doubles", &["ports", "model"]),
    ("conformance", &["ports", "model", "doubles"]),
    ("servers", &["model"]),
    ("histories", &["model", "machine"]),
];

/// Packages of others that a member must not depend on.
const FORBIDDEN: [(&str, &[&str]); 1] =
    [("management", &["axum", "hyper", "hyper-util", "tower", "tower-http", "utoipa-axum"])];

const DEPENDENCIES: [&str; 2] = ["dependencies", "build-dependencies"];
const DEV_DEPENDENCIES: [&str; 1] = ["dev-dependencies"];

/// A member's dependencies of some kinds: their names and entries.
fn dependencies<'a>(member: &'a Member, kinds: &[&str]) -> Vec<(&'a String, &'a Value)> {
    let targets = member.manifest.get("target").and_then(Value::as_table);
    let tables = targets.into_iter().flatten().filter_map(|(_, target)| target.as_table());
    let tables = std::iter::once(&member.manifest).chain(tables);
    tables.flat_map(|table| kinds.iter().filter_map(|kind| table.get(*kind)?.as_table()).flatten()).collect()
}

fn allowed(member: &str) -> &'static [&'static str] {
    let found = ALLOWED.iter().find(|(name, _)| *name == member);
    found.unwrap_or_else(|| panic!("{member} is not in the table of arrows")).1
}

#[test]
fn members_depend_on_what_is_below_them_only() {
    let members = members();
    let ours: BTreeSet<&str> = members.iter().map(|member| member.name.as_str()).collect();
    let testing: BTreeSet<&str> = members
        .iter()
        .filter(|member| member.folder.starts_with(root().join("testing")))
        .map(|member| member.name.as_str())
        .collect();
    assert!(ours.len() > 10 && testing.len() > 2, "the members are where this test looks");
    for member in members.iter().filter(|member| member.name != ROOT) {
        let allowed = allowed(&member.name);
        for (name, _) in dependencies(member, &DEPENDENCIES) {
            let name = name.as_str();
            assert!(!ours.contains(name) || allowed.contains(&name), "{} depends on {name}", member.name);
        }
        for (name, _) in dependencies(member, &DEV_DEPENDENCIES) {
            let name = name.as_str();
            assert!(
                !ours.contains(name) || allowed.contains(&name) || testing.contains(name),
                "the tests of {} depend on {name}",
                member.name
            );
        }
    }
}

#[test]
fn the_product_does_not_depend_on_what_serves_tests() {
    let members = members();
    let is_testing = |member: &Member| member.folder.starts_with(root().join("testing"));
    let testing: BTreeSet<&str> =
        members.iter().filter(|member| is_testing(member)).map(|member| member.name.as_str()).collect();
    for member in members.iter().filter(|member| !is_testing(member)) {
        for (name, _) in dependencies(member, &DEPENDENCIES) {
            assert!(!testing.contains(name.as_str()), "{} depends on {name}", member.name);
        }
    }
}

#[test]
fn rules_of_the_installation_know_no_http() {
    let members = members();
    for (name, forbidden) in FORBIDDEN {
        let member = members.iter().find(|member| member.name == name).expect("a member of this name");
        for (dependency, _) in dependencies(member, &DEPENDENCIES) {
            assert!(!forbidden.contains(&dependency.as_str()), "{name} depends on {dependency}");
        }
    }
}

#[test]
fn versions_stand_in_the_root_only() {
    for member in members() {
        let manifest = shown(&member.folder.join("Cargo.toml"));
        let version = &member.manifest["package"]["version"];
        assert!(version.is_table(), "{manifest} takes the package's version from the workspace");
        for (name, given) in dependencies(&member, &[DEPENDENCIES.as_slice(), &DEV_DEPENDENCIES].concat()) {
            let inherited = given.get("workspace").and_then(Value::as_bool) == Some(true);
            assert!(
                inherited && given.get("version").is_none(),
                "{manifest} takes {name} from the workspace"
            );
        }
    }
}
