//! The files of a crate, and which of them uses which.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::source::{Names, parse};

/// The product files of one crate. A file is its place in `files`.
pub(crate) struct Modules {
    pub(crate) files: Vec<PathBuf>,
    by_path: BTreeMap<Vec<String>, usize>,
    names: Vec<Names>,
    /// Each file's own module.
    paths: Vec<Vec<String>>,
}

impl Modules {
    /// Follows `mod` items from a crate's root. Modules for tests are left out.
    pub(crate) fn of(crate_root: &Path) -> Self {
        let mut modules =
            Self { files: Vec::new(), by_path: BTreeMap::new(), names: Vec::new(), paths: Vec::new() };
        let folder = crate_root.parent().expect("a file is in a folder").to_owned();
        modules.add(crate_root.to_owned(), &folder, Vec::new());
        modules
    }

    fn add(&mut self, file: PathBuf, children: &Path, path: Vec<String>) {
        let names = Names::of(&parse(&file));
        let index = self.files.len();
        let inline: BTreeSet<Vec<String>> = names.paths.iter().map(|(inline, _)| inline.clone()).collect();
        for inline in inline.iter().flat_map(|inline| (0..=inline.len()).map(|end| &inline[..end])) {
            self.by_path.insert([&path[..], inline].concat(), index);
        }
        self.by_path.insert(path.clone(), index);
        let found = names.modules.clone();
        self.files.push(file);
        self.names.push(names);
        self.paths.push(path.clone());
        for (inline, name) in found {
            let folder = inline.iter().fold(children.to_owned(), |folder, module| folder.join(module));
            let child = folder.join(format!("{name}.rs"));
            assert!(child.exists(), "{} is where the module {name} is looked for", child.display());
            self.add(child, &folder.join(&name), [&path[..], &inline[..], &[name]].concat());
        }
    }

    /// The files that each file uses: its modules, and the files that its paths lead to.
    pub(crate) fn uses(&self) -> Vec<BTreeSet<usize>> {
        let uses = self.names.iter().zip(&self.paths).enumerate().map(|(file, (names, own))| {
            let children = names.modules.iter().map(|(inline, name)| {
                let path = [&own[..], &inline[..], std::slice::from_ref(name)].concat();
                self.by_path.get(&path).copied()
            });
            let named = names.paths.iter().map(|(inline, path)| {
                let around = [&own[..], &inline[..]].concat();
                self.leads_to(&around, path)
            });
            children.chain(named).flatten().filter(|used| *used != file).collect()
        });
        uses.collect()
    }

    /// The file that a path leads to, if it is one of this crate.
    fn leads_to(&self, around: &[String], path: &[String]) -> Option<usize> {
        let (first, rest) = path.split_first()?;
        let mut whole = match first.as_str() {
            "crate" => Vec::new(),
            "self" => around.to_vec(),
            "super" => around[..around.len().checked_sub(1)?].to_vec(),
            // A name from elsewhere, or a module right here.
            name => [around, &[name.to_owned()]].concat(),
        };
        if !["crate", "self", "super"].contains(&first.as_str()) && !self.by_path.contains_key(&whole) {
            return None;
        }
        for segment in rest {
            if segment == "super" {
                whole.pop();
            } else {
                whole.push(segment.clone());
            }
        }
        // A last segment that is no module is an item of the module before it.
        while !self.by_path.contains_key(&whole) {
            whole.pop()?;
        }
        self.by_path.get(&whole).copied()
    }

    /// Files that use each other, directly or through others.
    pub(crate) fn circles(&self) -> Vec<Vec<PathBuf>> {
        let uses = self.uses();
        let reach: Vec<BTreeSet<usize>> = (0..uses.len()).map(|file| reachable(&uses, file)).collect();
        let mut seen = BTreeSet::new();
        let mut circles = Vec::new();
        for file in 0..uses.len() {
            let circle: Vec<usize> =
                reach[file].iter().copied().filter(|other| reach[*other].contains(&file)).collect();
            if !circle.is_empty() && seen.insert(circle.clone()) {
                circles.push(circle.into_iter().map(|member| self.files[member].clone()).collect());
            }
        }
        circles
    }
}

fn reachable(uses: &[BTreeSet<usize>], from: usize) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut open: Vec<usize> = uses[from].iter().copied().collect();
    while let Some(file) = open.pop() {
        if found.insert(file) {
            open.extend(&uses[file]);
        }
    }
    found
}
