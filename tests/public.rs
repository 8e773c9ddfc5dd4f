//! The public surface: `tests/golden/public-api.txt` lists it, so that a change is seen in the diff, and no signature names a type that
//! a user of the library cannot name.
//!
//! It is read from the sources, since the tools that read it from the compiler want an unstable one. `BLESS=1 cargo test --test public`
//! writes the file anew.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use quote::ToTokens;
use syn::{Fields, Item, Type, UseTree, Visibility};

/// Types that need no import.
const PRELUDE: [&str; 20] = [
    "Self",
    "String",
    "Option",
    "Some",
    "None",
    "Vec",
    "Box",
    "Result",
    "Iterator",
    "IntoIterator",
    "Item",
    "Into",
    "From",
    "AsRef",
    "Send",
    "Sync",
    "Fn",
    "FnMut",
    "Future",
    "Output",
];
/// Crates that are re-exported, or everybody's.
const SHARED: [&str; 5] = ["std", "arrow", "datafusion", "url", "futures"];

/// One source file: its items, and where the names in it come from.
struct Source {
    path: PathBuf,
    items: Vec<Item>,
    imports: BTreeMap<String, String>,
}

/// What is exported: lines of the list by name, and the uppercase names in them that must be known, with the file they stand in.
#[derive(Default)]
struct Surface {
    /// Files that were read.
    sources: HashMap<PathBuf, Rc<Source>>,
    exported: BTreeSet<String>,
    lines: Vec<String>,
    named: Vec<(String, String, String)>,
}

fn read(path: &Path) -> Source {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let items = syn::parse_file(&text).unwrap().items;
    let mut imports = BTreeMap::new();
    for item in &items {
        if let Item::Use(item) = item {
            leaves(&item.tree, &mut Vec::new(), &mut |path, name| {
                imports.insert(name.to_owned(), path[0].clone());
            });
        }
    }
    Source {
        path: path.to_owned(),
        items,
        imports,
    }
}

/// Calls `act` for each name that a `use` brings, with the path to it.
fn leaves(tree: &UseTree, path: &mut Vec<String>, act: &mut impl FnMut(&[String], &str)) {
    match tree {
        UseTree::Path(inner) => {
            path.push(inner.ident.to_string());
            leaves(&inner.tree, path, act);
            path.pop();
        }
        UseTree::Name(name) => {
            path.push(name.ident.to_string());
            act(path, &name.ident.to_string());
            path.pop();
        }
        UseTree::Rename(name) => {
            path.push(name.ident.to_string());
            act(path, &name.rename.to_string());
            path.pop();
        }
        UseTree::Group(group) => group.items.iter().for_each(|tree| leaves(tree, path, act)),
        // Only macros and tests of ours are imported so.
        UseTree::Glob(_) => act(path, "*"),
    }
}

/// The file of a module.
fn module(folder: &Path, name: &str) -> PathBuf {
    let file = folder.join(format!("{name}.rs"));
    if file.exists() {
        file
    } else {
        folder.join(name).join("mod.rs")
    }
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// Code on one line, with the blanks that people write.
fn text(tokens: impl ToTokens) -> String {
    let mut text = tokens.to_token_stream().to_string();
    for (from, to) in [
        (" :: ", "::"),
        (":: ", "::"),
        (" < ", "<"),
        ("< ", "<"),
        (" <", "<"),
        (" >", ">"),
        (" ,", ","),
        (" ;", ";"),
        ("( ", "("),
        (" )", ")"),
        (" (", "("),
        ("& ", "&"),
        ("[ ", "["),
        (" ]", "]"),
        (" :", ":"),
        ("->", "-> "),
        ("->  ", "-> "),
        (",)", ")"),
        (" - >", " ->"),
        ("fn(", "fn ("),
        ("' ", "'"),
        ("=(", "= ("),
        ("mut(", "mut ("),
    ] {
        text = text.replace(from, to);
    }
    text
}

impl Surface {
    fn source(&mut self, path: &Path) -> Rc<Source> {
        let sources = self.sources.entry(path.to_owned());
        sources.or_insert_with(|| Rc::new(read(path))).clone()
    }

    /// Every file of the module that a file begins.
    fn subtree(&mut self, file: &Path) -> Vec<Rc<Source>> {
        let mut files = vec![file.to_owned()];
        if file.ends_with("mod.rs") {
            let mut folders = vec![file.parent().unwrap().to_owned()];
            files.clear();
            while let Some(folder) = folders.pop() {
                for entry in std::fs::read_dir(folder).unwrap() {
                    let path = entry.unwrap().path();
                    if path.is_dir() {
                        folders.push(path);
                    } else if path.extension().is_some_and(|extension| extension == "rs") {
                        files.push(path);
                    }
                }
            }
            files.sort();
        }
        files.iter().map(|file| self.source(file)).collect()
    }

    fn line(&mut self, source: &Source, line: String) {
        // Literals and lifetimes have no uppercase letter at the start of a word that matters.
        let words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
        for word in words.filter(|word| word.starts_with(char::is_uppercase)) {
            let from = source.imports.get(word).cloned().unwrap_or_default();
            self.named.push((word.to_owned(), from, line.clone()));
        }
        self.lines.push(line);
    }

    /// What a module exports by `pub use`, and its own public items.
    fn module(&mut self, file: &Path, prefix: &str) {
        let source = self.source(file);
        let files = self.subtree(file);
        let folder = file.parent().unwrap();
        for item in &source.items {
            match item {
                // For a benchmark, and not part of what is promised.
                Item::Use(item) if item.attrs.iter().any(|attribute| text(attribute).contains("hidden")) => {}
                Item::Use(item) if is_public(&item.vis) => {
                    let mut found = Vec::new();
                    leaves(&item.tree, &mut Vec::new(), &mut |path, name| {
                        found.push((path.to_vec(), name.to_owned()))
                    });
                    for (path, name) in found {
                        assert!(name != "*", "a glob exports what nobody has looked at");
                        self.exported.insert(name.clone());
                        if SHARED.contains(&path[0].as_str()) {
                            self.lines.push(format!("pub use {}", path.join("::")));
                        } else {
                            self.follow(&module(folder, &path[0]), &path[1..], &format!("{prefix}{name}"));
                        }
                    }
                }
                Item::Mod(item) if is_public(&item.vis) => {
                    let name = item.ident.to_string();
                    self.exported.insert(name.clone());
                    self.module(&module(folder, &name), &format!("{prefix}{name}::"));
                }
                _ => self.item(&source, &files, item, prefix, None),
            }
        }
    }

    /// Finds what a path means, from the file of its first module on.
    fn follow(&mut self, file: &Path, path: &[String], shown: &str) {
        let source = self.source(file);
        let Some(name) = path.first() else {
            // A whole module.
            return self.module(file, &format!("{shown}::"));
        };
        for item in &source.items {
            if let Item::Use(item) = item {
                let mut found = None;
                leaves(&item.tree, &mut Vec::new(), &mut |path, leaf| {
                    if leaf == name {
                        found = Some(path.to_vec());
                    }
                });
                if let Some(path) = found {
                    let folder = file.parent().unwrap();
                    return self.follow(&module(folder, &path[0]), &path[1..], shown);
                }
            }
        }
        let around = file
            .ancestors()
            .find(|folder| folder.parent().is_some_and(|parent| parent.ends_with("src")));
        let top = around
            .filter(|top| top.is_dir())
            .map_or(file.to_owned(), |top| top.join("mod.rs"));
        let before = self.lines.len();
        let files = self.subtree(&top);
        for item in &source.items {
            self.item(&source, &files, item, "", Some((name, shown)));
        }
        if self.lines.len() == before {
            let of_macro = source.items.iter().filter(|item| matches!(item, Item::Macro(_))).any(|item| {
                let tokens = item.to_token_stream().to_string();
                tokens
                    .split(|c: char| !c.is_alphanumeric() && c != '_')
                    .any(|word| word == name)
            });
            assert!(of_macro, "{name} is not in {}", source.path.display());
            self.lines.push(format!("pub {shown}, which a macro makes"));
        }
    }

    /// A public item; only that of a name, where one is given with what it is exported as.
    fn item(&mut self, source: &Source, files: &[Rc<Source>], item: &Item, prefix: &str, only: Option<(&str, &str)>) {
        let as_shown = |name: String| match only {
            Some((wanted, shown)) => (wanted == name).then(|| shown.to_owned()),
            None => Some(format!("{prefix}{name}")),
        };
        match item {
            Item::Fn(item) if is_public(&item.vis) => {
                let Some(shown) = as_shown(item.sig.ident.to_string()) else {
                    return;
                };
                let signature = text(&item.sig);
                let (_, rest) = signature.split_once(&item.sig.ident.to_string()).unwrap();
                self.line(source, format!("pub fn {shown}{rest}"));
            }
            Item::Const(item) if is_public(&item.vis) => {
                let Some(shown) = as_shown(item.ident.to_string()) else {
                    return;
                };
                let of = text(&item.ty);
                self.lines.push(format!("pub const {shown}: {of}"));
            }
            Item::Type(item) if is_public(&item.vis) => {
                let Some(shown) = as_shown(item.ident.to_string()) else {
                    return;
                };
                self.exported.insert(item.ident.to_string());
                self.lines.push(format!("pub type {shown} = {}", text(&item.ty)));
            }
            Item::Struct(item) if is_public(&item.vis) => {
                let name = item.ident.to_string();
                let Some(shown) = as_shown(name.clone()) else { return };
                self.exported.insert(name.clone());
                self.lines.push(format!("pub struct {shown}"));
                self.fields(source, &item.fields, &shown, is_public);
                self.methods(files, &name, &shown);
            }
            Item::Enum(item) if is_public(&item.vis) => {
                let name = item.ident.to_string();
                let Some(shown) = as_shown(name.clone()) else { return };
                self.exported.insert(name.clone());
                self.lines.push(format!("pub enum {shown}"));
                for variant in &item.variants {
                    let variant_name = format!("{shown}::{}", variant.ident);
                    self.lines.push(variant_name.clone());
                    self.fields(source, &variant.fields, &variant_name, |_| true);
                }
                self.methods(files, &name, &shown);
            }
            _ => {}
        }
    }

    fn fields(&mut self, source: &Source, fields: &Fields, of: &str, shows: impl Fn(&Visibility) -> bool) {
        for (position, field) in fields.iter().enumerate().filter(|(_, field)| shows(&field.vis)) {
            let name = field.ident.as_ref().map_or(position.to_string(), ToString::to_string);
            let of_type = text(&field.ty);
            self.typed(source, format!("{of}.{name}: "), &of_type);
        }
    }

    /// A line of which only the end is code.
    fn typed(&mut self, source: &Source, begin: String, code: &str) {
        self.line(source, code.to_owned());
        let code = self.lines.pop().unwrap();
        self.lines.push(format!("{begin}{code}"));
    }

    /// Methods and traits of a type, wherever in its module they are written.
    fn methods(&mut self, files: &[Rc<Source>], name: &str, shown: &str) {
        for source in files {
            for item in &source.items {
                let Item::Impl(item) = item else { continue };
                let Type::Path(of) = &*item.self_ty else { continue };
                if of.path.segments.last().is_none_or(|segment| segment.ident != name) {
                    continue;
                }
                if let Some((of_trait, _)) = &item.trait_ {
                    self.lines.push(format!("impl {} for {shown}", text(of_trait)));
                    continue;
                }
                for member in &item.items {
                    match member {
                        syn::ImplItem::Fn(member) if is_public(&member.vis) => {
                            let signature = &member.sig;
                            let generic: BTreeSet<String> = signature
                                .generics
                                .type_params()
                                .map(|parameter| parameter.ident.to_string())
                                .collect();
                            let before = self.named.len();
                            self.typed(source, format!("{shown}: "), &text(signature));
                            let mut of_line = self.named.split_off(before);
                            of_line.retain(|(word, ..)| !generic.contains(word));
                            self.named.append(&mut of_line);
                        }
                        syn::ImplItem::Const(member) if is_public(&member.vis) => {
                            self.lines.push(format!("{shown}: const {}", member.ident));
                        }
                        _ => {}
                    }
                }
            }
        }
    }
}

#[test]
fn the_public_surface_is_the_one_that_was_looked_at() {
    let mut surface = Surface::default();
    surface.module(Path::new("src/lib.rs"), "");

    let golden = Path::new("tests/golden/public-api.txt");
    let lines: BTreeSet<&str> = surface.lines.iter().map(String::as_str).collect();
    if std::env::var_os("BLESS").is_some() {
        let lines: Vec<&str> = lines.iter().copied().collect();
        std::fs::write(golden, lines.join("\n") + "\n").unwrap();
    }
    let known = std::fs::read_to_string(golden).unwrap_or_default();
    let known: BTreeSet<&str> = known.lines().collect();
    let gone: Vec<_> = known.difference(&lines).collect();
    let added: Vec<_> = lines.difference(&known).collect();
    assert!(
        gone.is_empty() && added.is_empty(),
        "the public surface has changed: look at it, and run BLESS=1 cargo test --test public\ngone: {gone:#?}\nadded: {added:#?}"
    );

    // Every type that a signature names can be named by who calls it.
    let unnamed: BTreeSet<String> = surface
        .named
        .iter()
        .filter(|(word, from, _)| {
            let is_shared = SHARED.contains(&from.as_str());
            !is_shared && !surface.exported.contains(word) && !PRELUDE.contains(&word.as_str())
        })
        .map(|(word, _, line)| format!("{word} in `{line}`"))
        .collect();
    assert!(unnamed.is_empty(), "lib.rs does not export {unnamed:#?}");
    assert!(!surface.exported.contains("Copy"), "it would hide the Copy of the prelude");
}
