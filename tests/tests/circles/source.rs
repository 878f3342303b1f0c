//! The modules of a crate, and what each uses of the others, according to the sources.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, ItemUse, UseTree, Visibility};

use crate::graph::Graph;

/// A path from the root of the crate, `crate` itself left out.
type ModulePath = Vec<String>;

/// How many names of a circle's arrows are told.
const TOLD: usize = 12;

/// All modules of a crate.
#[derive(Default)]
pub(crate) struct Modules {
    /// Their names, by number; the number is that of a file.
    files: Vec<String>,
    /// Which file a module's items stand in.
    places: BTreeMap<ModulePath, usize>,
    /// Names that a module hands on from elsewhere.
    aliases: BTreeMap<(ModulePath, String), ModulePath>,
    /// What is named where: the file, the module that it is named in, and the path as written.
    named: Vec<(usize, ModulePath, Vec<String>)>,
}

impl Modules {
    /// Reads the files of a crate, from its root on.
    pub(crate) fn read(root: &Path) -> Self {
        let mut modules = Self::default();
        modules.file(root, root.parent().unwrap(), &Vec::new());
        modules
    }

    pub(crate) fn len(&self) -> usize {
        self.files.len()
    }

    pub(crate) fn name(&self, file: usize) -> &str {
        &self.files[file]
    }

    /// Which file uses which.
    pub(crate) fn uses(&self) -> Graph {
        let mut graph = vec![BTreeSet::new(); self.files.len()];
        for (from, to, _) in self.arrows() {
            graph[from].insert(to);
        }
        graph
    }

    /// A circle in words: its modules, and the names that tie it.
    pub(crate) fn describe(&self, circle: &[usize]) -> String {
        let modules: Vec<&str> = circle.iter().map(|file| self.name(*file)).collect();
        let mut ties: BTreeMap<(usize, usize), BTreeSet<String>> = BTreeMap::new();
        for (from, to, name) in self.arrows() {
            if circle.contains(&from) && circle.contains(&to) {
                ties.entry((from, to)).or_default().insert(name);
            }
        }
        let told = ties.iter().map(|((from, to), names)| {
            let names: Vec<&str> = names.iter().take(TOLD).map(String::as_str).collect();
            format!(
                "\n    {} -> {}: {}",
                self.name(*from),
                self.name(*to),
                names.join(", ")
            )
        });
        format!("{}{}", modules.join(", "), told.collect::<String>())
    }

    fn arrows(&self) -> impl Iterator<Item = (usize, usize, String)> {
        self.named.iter().filter_map(|(from, module, path)| {
            let (to, name) = self.resolve(module, path, 0)?;
            (to != *from).then_some((*from, to, name))
        })
    }

    /// The file that a path leads to, and the name it refers to there.
    fn resolve(&self, module: &[String], path: &[String], depth: usize) -> Option<(usize, String)> {
        let mut here: ModulePath = Vec::new();
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => rest = &path[1..],
            "self" => {
                here = module.to_vec();
                rest = &path[1..];
            }
            "super" => {
                here = module.to_vec();
                while rest.first().is_some_and(|word| word == "super") {
                    here.pop()?;
                    rest = &rest[1..];
                }
            }
            // A module of this one, or something from another crate.
            first => {
                here = module.to_vec();
                let mut child = here.clone();
                child.push(first.to_owned());
                if !self.places.contains_key(&child) {
                    return None;
                }
            }
        }
        while let Some(next) = rest.first() {
            let mut deeper = here.clone();
            deeper.push(next.clone());
            if self.places.contains_key(&deeper) {
                here = deeper;
                rest = &rest[1..];
                continue;
            }
            if depth < 8
                && let Some(origin) = self.aliases.get(&(here.clone(), next.clone()))
                && let Some(found) = self.resolve(&here, &[origin, &rest[1..]].concat(), depth + 1)
            {
                return Some(found);
            }
            break;
        }
        let name = rest.first().cloned().unwrap_or_default();
        self.places.get(&here).map(|file| (*file, name))
    }

    fn file(&mut self, path: &Path, children: &Path, module: &ModulePath) {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let name = if module.is_empty() {
            "the root".to_owned()
        } else {
            module.join("::")
        };
        self.files.push(name);
        let file = self.files.len() - 1;
        self.items(&parsed.items, file, children, module);
    }

    fn items(&mut self, items: &[Item], file: usize, children: &Path, module: &ModulePath) {
        self.places.insert(module.clone(), file);
        for item in items {
            match item {
                Item::Mod(inner) if !is_for_tests(&inner.attrs) => self.module(inner, file, children, module),
                Item::Mod(_) => {}
                other => {
                    let mut named = Named {
                        modules: self,
                        file,
                        module,
                    };
                    named.visit_item(other);
                }
            }
        }
    }

    fn module(&mut self, inner: &ItemMod, file: usize, children: &Path, module: &ModulePath) {
        let name = inner.ident.to_string();
        let deeper = [&module[..], std::slice::from_ref(&name)].concat();
        let below = children.join(&name);
        if let Some((_, items)) = &inner.content {
            self.items(items, file, &below, &deeper);
            return;
        }
        let (flat, own) = (children.join(format!("{name}.rs")), below.join("mod.rs"));
        self.file(if flat.exists() { &flat } else { &own }, &below, &deeper);
    }
}

/// Gathers the paths of one item.
struct Named<'a> {
    modules: &'a mut Modules,
    file: usize,
    module: &'a ModulePath,
}

impl Named<'_> {
    fn name(&mut self, path: Vec<String>) {
        self.modules.named.push((self.file, self.module.clone(), path));
    }

    fn tree(&mut self, tree: &UseTree, before: &[String], handed_on: bool) {
        let with = |name: &str| [before, &[name.to_owned()]].concat();
        match tree {
            UseTree::Path(path) => self.tree(&path.tree, &with(&path.ident.to_string()), handed_on),
            UseTree::Group(group) => group
                .items
                .iter()
                .for_each(|tree| self.tree(tree, before, handed_on)),
            UseTree::Glob(_) => self.name(before.to_vec()),
            UseTree::Name(name) => {
                self.leaf(with(&name.ident.to_string()), &name.ident.to_string(), handed_on);
            }
            UseTree::Rename(name) => {
                self.leaf(with(&name.ident.to_string()), &name.rename.to_string(), handed_on);
            }
        }
    }

    fn leaf(&mut self, mut path: Vec<String>, known_as: &str, handed_on: bool) {
        if path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        if handed_on {
            let key = (self.module.clone(), known_as.to_owned());
            self.modules.aliases.insert(key, path.clone());
        }
        self.name(path);
    }

    /// What stands in the arguments of a macro is not parsed: paths are looked for among its words.
    fn words(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut joined = false;
        for token in tokens {
            match token {
                TokenTree::Ident(word) => {
                    if !joined {
                        self.end_of_words(&mut path);
                    }
                    path.push(word.to_string());
                    joined = false;
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' => joined = true,
                TokenTree::Group(group) => {
                    self.end_of_words(&mut path);
                    self.words(group.stream());
                    joined = false;
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {
                    self.end_of_words(&mut path);
                    joined = false;
                }
            }
        }
        self.end_of_words(&mut path);
    }

    fn end_of_words(&mut self, path: &mut Vec<String>) {
        if path.len() > 1 {
            self.name(std::mem::take(path));
        }
        path.clear();
    }
}

impl<'ast> Visit<'ast> for Named<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Fn(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            Item::Struct(item) => &item.attrs,
            Item::Const(item) => &item.attrs,
            _ => return visit::visit_item(self, item),
        };
        if !is_for_tests(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let handed_on = !matches!(item.vis, Visibility::Inherited);
        // A private `use` in a module serves its children too, by `super::`.
        self.tree(&item.tree, &[], handed_on || item.leading_colon.is_none());
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 {
            self.name(
                path.segments
                    .iter()
                    .map(|segment| segment.ident.to_string())
                    .collect(),
            );
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.words(call.tokens.clone());
        visit::visit_macro(self, call);
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.meta.require_list().is_ok_and(|list| {
                list.tokens
                    .to_string()
                    .split(|c: char| !c.is_alphanumeric())
                    .any(|word| word == "test")
            })
    })
}
