//! The floors: which crate may rest on which, read from `cargo metadata`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};
use std::fs;
use std::path::{Path, PathBuf};

/// Where a member stands in the house.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    /// A floor; arrows point to lower numbers only.
    Floor(u8),
    /// The world for tests and the demonstration.
    World,
    /// Tests across crates, which may use everything.
    Tests,
    /// The benchmark, which may also use what the tests bring.
    Bench,
}

use Place::{Bench, Floor, Tests, World};

/// Every crate of the finished house, present yet or not.
const PLACES: [(&str, Place); 20] = [
    ("danerelay", Floor(4)),
    ("listener", Floor(3)),
    ("delivery", Floor(3)),
    ("report", Floor(3)),
    ("dns", Floor(2)),
    ("spool", Floor(2)),
    ("spool-embedded", Floor(2)),
    ("spool-postgres", Floor(2)),
    ("policy", Floor(1)),
    ("smtp", Floor(1)),
    ("mta-sts", Floor(1)),
    ("tlsrpt", Floor(1)),
    ("dsn", Floor(1)),
    ("mail", Floor(0)),
    ("dane", Floor(0)),
    ("settings-file", Floor(0)),
    ("https", Floor(0)),
    ("testworld", World),
    ("danerelay-tests", Tests),
    ("danerelay-bench", Bench),
];

/// The arrows that stay on their floor: from each store to the traits that it implements.
const LEVEL: [(&str, &str); 2] = [("spool-embedded", "spool"), ("spool-postgres", "spool")];

/// The stores.
const STORES: [&str; 2] = ["spool-embedded", "spool-postgres"];

/// The highest floor that the test world may depend on.
const WORLD_RESTS_ON: u8 = 2;

#[test]
fn every_member_has_a_place() {
    for package in workspace().workspace_packages() {
        assert!(
            place(&package.name).is_some(),
            "{} has no floor: docs and this table must name it",
            package.name
        );
    }
}

#[test]
fn arrows_point_down() {
    let metadata = workspace();
    let mut arrows = 0;
    for package in metadata.workspace_packages() {
        for sibling in siblings(package) {
            let (from, to) = (package.name.as_str(), sibling.as_str());
            assert!(may_use(from, to), "{from} must not depend on {to}");
            arrows += 1;
        }
    }
    assert!(arrows > 0, "no arrows found: the test looks at the wrong things");
}

/// Only the wiring, which builds the store from the settings, and tests know which store keeps the queue.
#[test]
fn nothing_but_the_wiring_names_a_store() {
    let metadata = workspace();
    for package in metadata.workspace_packages() {
        let named = siblings(package)
            .iter()
            .any(|sibling| STORES.contains(&sibling.as_str()));
        let may = package.name == "danerelay";
        assert!(may || !named, "{} must not depend on a store", package.name);
    }
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/danerelay/src");
    let mut naming = Vec::new();
    for file in sources(&program) {
        let text = fs::read_to_string(&file).unwrap();
        if STORES.iter().any(|store| names_crate(&text, store)) {
            naming.push(file.strip_prefix(&program).unwrap().display().to_string());
        }
    }
    assert_eq!(naming, ["wiring/store.rs"]);
}

/// Whether this source uses something of the crate, which is not the same as to have its name in a text.
fn names_crate(source: &str, package: &str) -> bool {
    let path = format!("{}::", package.replace('-', "_"));
    source
        .match_indices(&path)
        .any(|(place, _)| !source[..place].ends_with('"'))
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn members_inherit_from_the_workspace() {
    for package in workspace().workspace_packages() {
        let manifest = fs::read_to_string(&package.manifest_path).unwrap();
        for key in ["license", "rust-version", "edition"] {
            let inherited = format!("\n{key}.workspace = true\n");
            assert!(
                manifest.contains(&inherited),
                "{}: {key} is not the workspace's",
                package.name
            );
        }
        assert!(
            manifest.contains("\n[lints]\nworkspace = true\n"),
            "{}: lints are not the workspace's",
            package.name
        );
    }
}

#[test]
fn the_rules_tell_right_from_wrong() {
    let allowed = [
        ("danerelay", "delivery"),
        ("delivery", "dns"),
        ("spool-embedded", "spool"),
        ("spool-postgres", "spool"),
        ("testworld", "dns"),
        ("danerelay", "testworld"),
        ("danerelay-tests", "testworld"),
        ("danerelay-bench", "danerelay-tests"),
    ];
    let forbidden = [
        ("mail", "dane"),
        ("dane", "mail"),
        ("dns", "delivery"),
        ("dns", "spool"),
        ("spool", "spool-embedded"),
        ("spool-postgres", "spool-embedded"),
        ("listener", "delivery"),
        ("testworld", "delivery"),
        ("delivery", "testworld"),
        ("danerelay", "danerelay-tests"),
        ("danerelay-tests", "danerelay-bench"),
        ("delivery", "stranger"),
    ];
    for (from, to) in allowed {
        assert!(may_use(from, to), "{from} may use {to}");
    }
    for (from, to) in forbidden {
        assert!(!may_use(from, to), "{from} may not use {to}");
    }
}

/// Whether `from` may have `to` among its ordinary dependencies.
fn may_use(from: &str, to: &str) -> bool {
    let (Some(from_place), Some(to_place)) = (place(from), place(to)) else {
        return false;
    };
    match (from_place, to_place) {
        (Tests, Floor(_) | World) | (Bench, Floor(_) | World | Tests) => true,
        (Floor(upper), Floor(lower)) => lower < upper || LEVEL.contains(&(from, to)),
        (World, Floor(lower)) => lower <= WORLD_RESTS_ON,
        (Floor(_), World) => from == "danerelay",
        (World, World) | (_, Tests | Bench) => false,
    }
}

fn place(name: &str) -> Option<Place> {
    PLACES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, place)| *place)
}

/// The members that a member depends on when it is built for use; tests may use anything.
fn siblings(package: &Package) -> Vec<String> {
    let dependencies = package.dependencies.iter();
    dependencies
        .filter(|dependency| dependency.path.is_some() && dependency.kind != DependencyKind::Development)
        .map(|dependency| dependency.name.clone())
        .collect()
}

fn workspace() -> Metadata {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("a workspace");
    MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .no_deps()
        .exec()
        .unwrap()
}
