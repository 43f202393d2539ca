//! Members, manifests and files, as the tests read them.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the kinds of syntax are not ours: most of them do not matter here"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::punctuated::Punctuated;
use syn::visit::Visit;
use syn::{Attribute, ImplItem, Item, Lit, Meta, Stmt, Token, UseTree};

/// The name of the root package, which puts everything together.
pub(crate) const ROOT: &str = "lubdub";

/// One package of the workspace.
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    pub(crate) manifest: toml::Table,
}

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn manifest(folder: &Path) -> toml::Table {
    let file = folder.join("Cargo.toml");
    let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Every package of the workspace, the root package first.
pub(crate) fn members() -> Vec<Member> {
    let listed = manifest(&root())["workspace"]["members"].as_array().expect("a list of members").clone();
    let folders = listed.iter().map(|folder| root().join(folder.as_str().expect("a folder")));
    let members = std::iter::once(root()).chain(folders).map(|folder| {
        let manifest = manifest(&folder);
        let name = manifest["package"]["name"].as_str().expect("a name").to_owned();
        Member { name, folder, manifest }
    });
    members.collect()
}

/// Every Rust file under a folder.
pub(crate) fn rust_files(under: &Path) -> Vec<PathBuf> {
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

/// Every Rust file of a member: sources, tests and benches.
pub(crate) fn member_files(member: &Member) -> Vec<PathBuf> {
    ["src", "tests", "benches"]
        .into_iter()
        .flat_map(|folder| rust_files(&member.folder.join(folder)))
        .collect()
}

/// A file's path from the root of the repository.
pub(crate) fn shown(file: &Path) -> String {
    file.strip_prefix(root()).unwrap_or(file).display().to_string()
}

/// A file's syntax tree.
pub(crate) fn parse(file: &Path) -> syn::File {
    let text = fs::read_to_string(file).expect("a readable file");
    syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Whether an item is compiled for tests only.
pub(crate) fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) if list.path.is_ident("cfg") => list
            .parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
            .is_ok_and(|conditions| conditions.iter().any(needs_test)),
        Meta::List(_) | Meta::NameValue(_) => false,
    })
}

fn needs_test(condition: &Meta) -> bool {
    match condition {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) if list.path.is_ident("all") => list
            .parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
            .is_ok_and(|conditions| conditions.iter().any(needs_test)),
        Meta::List(_) | Meta::NameValue(_) => false,
    }
}

fn attributes_of(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// The names that a file's product code uses: paths in code, in `use` items and in the arguments of macros.
/// Items for tests, bodies of `macro_rules!` and visibilities do not count; of attributes, only the paths in
/// their texts do.
#[derive(Default)]
pub(crate) struct Names {
    /// Each path with the inline modules around it.
    pub(crate) paths: Vec<(Vec<String>, Vec<String>)>,
    /// Modules in files of their own, with the inline modules around them.
    pub(crate) modules: Vec<(Vec<String>, String)>,
    /// Names of called methods.
    pub(crate) methods: Vec<String>,
    pub(crate) has_async: bool,
    /// What `use … as` calls otherwise: the whole path of each such name.
    renamed: BTreeMap<String, Vec<String>>,
    inline: Vec<String>,
}

impl Names {
    pub(crate) fn of(file: &syn::File) -> Self {
        let mut names = Self::default();
        names.visit_file(file);
        names
    }

    fn path(&mut self, segments: Vec<String>) {
        let renamed = segments.first().and_then(|first| self.renamed.get(first));
        let segments = match renamed {
            Some(whole) => whole.iter().chain(&segments[1..]).cloned().collect(),
            None => segments,
        };
        self.paths.push((self.inline.clone(), segments));
    }

    fn use_tree(&mut self, tree: &UseTree, before: &[String]) {
        let with = |name: String| before.iter().cloned().chain([name]).collect::<Vec<_>>();
        match tree {
            UseTree::Path(path) => self.use_tree(&path.tree, &with(path.ident.to_string())),
            UseTree::Name(name) if name.ident == "self" => self.path(before.to_vec()),
            UseTree::Name(name) => self.path(with(name.ident.to_string())),
            UseTree::Rename(rename) if rename.ident == "self" => self.path(before.to_vec()),
            UseTree::Rename(rename) => {
                let whole = with(rename.ident.to_string());
                self.path(whole.clone());
                self.renamed.insert(rename.rename.to_string(), whole);
            }
            UseTree::Glob(_) => self.path(before.to_vec()),
            UseTree::Group(group) => group.items.iter().for_each(|item| self.use_tree(item, before)),
        }
    }

    /// Paths among the tokens of a macro's arguments, however deep they stand in brackets.
    fn tokens(&mut self, tokens: &TokenStream) {
        let mut segments: Vec<String> = Vec::new();
        let mut colons = 0;
        let mut behind_a_dot = false;
        for token in tokens.clone() {
            let is_method = std::mem::replace(
                &mut behind_a_dot,
                matches!(&token, TokenTree::Punct(mark) if mark.as_char() == '.'),
            );
            match token {
                TokenTree::Punct(mark) if mark.as_char() == ':' => colons += 1,
                TokenTree::Ident(name) if is_method => {
                    self.has_async |= name == "await";
                    self.methods.push(name.to_string());
                }
                TokenTree::Ident(name) => {
                    self.has_async |= name == "async" || name == "await";
                    if colons != 2 {
                        self.path_of_several(&mut segments);
                    }
                    segments.push(name.to_string());
                    colons = 0;
                }
                TokenTree::Group(group) => {
                    self.path_of_several(&mut segments);
                    self.tokens(&group.stream());
                    colons = 0;
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {
                    self.path_of_several(&mut segments);
                    colons = 0;
                }
            }
        }
        self.path_of_several(&mut segments);
    }

    /// Notes the segments as a path if they are one, and not a single name.
    fn path_of_several(&mut self, segments: &mut Vec<String>) {
        let segments = std::mem::take(segments);
        if segments.len() > 1 {
            self.path(segments);
        }
    }

    /// Paths in the texts of attributes, as serde takes them: `#[serde(with = "super::form")]`.
    fn attribute_texts(&mut self, tokens: &TokenStream) {
        for token in tokens.clone() {
            match token {
                TokenTree::Group(group) => self.attribute_texts(&group.stream()),
                TokenTree::Literal(literal) => {
                    if let Lit::Str(text) = Lit::new(literal)
                        && let Ok(path) = text.parse::<syn::Path>()
                        && path.segments.len() > 1
                    {
                        self.visit_path(&path);
                    }
                }
                TokenTree::Ident(_) | TokenTree::Punct(_) => {}
            }
        }
    }
}

impl<'ast> Visit<'ast> for Names {
    fn visit_item(&mut self, item: &'ast Item) {
        if is_for_tests(attributes_of(item)) {
            return;
        }
        match item {
            Item::Use(item) => self.use_tree(&item.tree, &[]),
            Item::Mod(module) if module.content.is_none() => {
                self.modules.push((self.inline.clone(), module.ident.to_string()));
            }
            Item::Mod(module) => {
                self.inline.push(module.ident.to_string());
                syn::visit::visit_item_mod(self, module);
                self.inline.pop();
            }
            Item::Macro(item) if item.mac.path.is_ident("macro_rules") => {}
            _ => syn::visit::visit_item(self, item),
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes: &[Attribute] = match item {
            ImplItem::Const(item) => &item.attrs,
            ImplItem::Fn(item) => &item.attrs,
            ImplItem::Type(item) => &item.attrs,
            ImplItem::Macro(item) => &item.attrs,
            _ => &[],
        };
        if !is_for_tests(attributes) {
            syn::visit::visit_impl_item(self, item);
        }
    }

    fn visit_stmt(&mut self, statement: &'ast Stmt) {
        if let Stmt::Local(local) = statement
            && is_for_tests(&local.attrs)
        {
            return;
        }
        syn::visit::visit_stmt(self, statement);
    }

    fn visit_signature(&mut self, signature: &'ast syn::Signature) {
        self.has_async |= signature.asyncness.is_some();
        syn::visit::visit_signature(self, signature);
    }

    fn visit_expr_async(&mut self, block: &'ast syn::ExprAsync) {
        self.has_async = true;
        syn::visit::visit_expr_async(self, block);
    }

    fn visit_expr_closure(&mut self, closure: &'ast syn::ExprClosure) {
        self.has_async |= closure.asyncness.is_some();
        syn::visit::visit_expr_closure(self, closure);
    }

    fn visit_expr_await(&mut self, wait: &'ast syn::ExprAwait) {
        self.has_async = true;
        syn::visit::visit_expr_await(self, wait);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        self.methods.push(call.method.to_string());
        syn::visit::visit_expr_method_call(self, call);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.path(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        syn::visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.visit_path(&call.path);
        self.tokens(&call.tokens);
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let Meta::List(list) = &attribute.meta {
            self.attribute_texts(&list.tokens);
        }
    }

    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}
}
