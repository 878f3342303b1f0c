//! No circles: inside a crate, modules use each other in one direction only, read from the sources themselves.
//!
//! A module is a file; what is written in a module inside a file counts as the file's, and what only tests use does not
//! count. A name that is handed on (`pub use`) counts as used from where it is defined, so a `lib.rs` that only shows its
//! modules' names ties no circle.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod graph;
mod source;

use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{MetadataCommand, TargetKind};

use self::graph::circles;
use self::source::Modules;

#[test]
fn modules_form_no_circles() {
    let mut found = Vec::new();
    let mut modules = 0;
    for (name, root) in crates() {
        let read = Modules::read(&root);
        modules += read.len();
        let circles = circles(&read.uses());
        for circle in &circles {
            found.push(format!("{name}: {}", read.describe(circle)));
        }
    }
    assert!(
        modules > 100,
        "only {modules} modules found: the test looks at the wrong things"
    );
    assert!(
        found.is_empty(),
        "modules that use each other:\n{}",
        found.join("\n")
    );
}

/// The root file of each crate of the house that is built for use.
fn crates() -> Vec<(String, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("a workspace");
    let metadata = MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .no_deps()
        .exec()
        .unwrap();
    let packages = metadata.workspace_packages();
    let targets = packages.into_iter().flat_map(|package| &package.targets);
    let built = targets.filter(|target| {
        target
            .kind
            .iter()
            .any(|kind| matches!(kind, TargetKind::Lib | TargetKind::Bin))
    });
    built
        .map(|target| (target.name.clone(), target.src_path.clone().into_std_path_buf()))
        .collect()
}

/// A crate written for the occasion.
fn written(files: &[(&str, &str)]) -> Vec<Vec<String>> {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let modules = Modules::read(&directory.path().join("lib.rs"));
    let found = circles(&modules.uses());
    found
        .into_iter()
        .map(|circle| circle.into_iter().map(|at| modules.name(at).to_owned()).collect())
        .collect()
}

#[test]
fn a_circle_is_seen_through_names_handed_on() {
    let found = written(&[
        ("lib.rs", "mod a; mod b; pub use a::A;"),
        ("a.rs", "pub struct A; fn f() { crate::b::g(); }"),
        ("b.rs", "use crate::A; pub fn g() -> A { A }"),
    ]);
    assert_eq!(found, [["a", "b"]]);
}

#[test]
fn a_parent_that_defines_what_its_child_uses_ties_a_circle() {
    let found = written(&[
        ("lib.rs", "mod room;"),
        (
            "room/mod.rs",
            "mod inner; pub struct Shared; pub fn f() { inner::g(); }",
        ),
        (
            "room/inner.rs",
            "use super::Shared; pub fn g() -> Shared { Shared }",
        ),
    ]);
    assert_eq!(found, [["room", "room::inner"]]);
}

#[test]
fn one_direction_tests_and_neighbours_through_the_root_are_no_circle() {
    let found = written(&[
        ("lib.rs", "mod a; mod b; pub use self::{a::A, b::B};"),
        ("a.rs", "pub struct A;\n#[cfg(test)] mod tests { use crate::B; }"),
        ("b.rs", "use crate::A; pub struct B(A);"),
    ]);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn uses_inside_expressions_and_macros_count() {
    let found = written(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "pub fn f() { println!(\"{}\", crate::b::g()); }"),
        ("b.rs", "use super::a; pub fn g() -> u8 { a::f(); 1 }"),
    ]);
    assert_eq!(found, [["a", "b"]]);
}
