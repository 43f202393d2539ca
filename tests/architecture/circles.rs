//! No two files of a member import each other, not even through others.
//!
//! A file that holds `mod x;` uses `x`. So what several modules of a folder need stands in a file below them,
//! never in the parent that lists them.

use std::path::Path;

use crate::modules::Modules;
use crate::source::{Names, members, shown};

/// The circles of a crate, each with the arrows in it.
fn circles(crate_root: &Path) -> Vec<String> {
    let modules = Modules::of(crate_root);
    let uses = modules.uses();
    let circles = modules.circles().into_iter().map(|circle| {
        let arrows =
            modules.files.iter().zip(&uses).filter(|(file, _)| circle.contains(file)).map(|(file, used)| {
                let used = used.iter().map(|used| &modules.files[*used]).filter(|used| circle.contains(used));
                format!(
                    "  {} -> {}",
                    shown(file),
                    used.map(|used| shown(used)).collect::<Vec<_>>().join(", ")
                )
            });
        arrows.collect::<Vec<_>>().join("\n")
    });
    circles.collect()
}

#[test]
fn no_files_of_a_member_import_each_other() {
    let mut wrong = Vec::new();
    for member in members() {
        let roots = ["src/lib.rs", "src/main.rs"].map(|file| member.folder.join(file));
        let found: Vec<String> =
            roots.iter().filter(|root| root.exists()).flat_map(|root| circles(root)).collect();
        wrong.extend(found.into_iter().map(|circle| format!("{}:\n{circle}", member.name)));
    }
    assert!(wrong.is_empty(), "files import each other:\n{}", wrong.join("\n"));
}

#[test]
fn paths_are_found_in_code_imports_and_macros_but_not_in_tests() {
    let text = r#"
        use super::a::{self, B, c::D as E};
        mod child;
        mod inline { fn f() { super::g::h(); } }
        use crate::q as r;
        fn f(x: crate::m::T) -> u8 { format!("{}", p(crate::n::o(x), [r::s, z])); 1 }
        struct T { #[serde(default = "super::form::first")] field: u8 }
        macro_rules! later { () => { $crate::not::counted() } }
        #[cfg(test)] fn g() { crate::not::this() }
        #[cfg(all(test, unix))] mod tests { use crate::nor::this; }
        pub(in crate::nor) struct S;
        impl S { #[cfg(test)] fn t() { crate::nor::that() } }
        fn after() { crate::but::this() }
    "#;
    let names = Names::of(&syn::parse_file(text).expect("it is Rust"));
    let paths: Vec<String> = names.paths.iter().map(|(_, path)| path.join("::")).collect();
    for expected in [
        "super::a",
        "super::a::B",
        "super::a::c::D",
        "super::g::h",
        "crate::m::T",
        "crate::n::o",
        "crate::q::s",
        "super::form::first",
        "crate::but::this",
    ] {
        assert!(paths.iter().any(|path| path == expected), "{expected} in {paths:?}");
    }
    assert!(!paths.iter().any(|path| path.contains("nor") || path.contains("not")), "{paths:?}");
    assert_eq!(names.modules, [(Vec::new(), "child".to_owned())]);
}
