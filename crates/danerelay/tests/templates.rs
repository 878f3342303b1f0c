//! The files in `config/` are what an administrator begins with: each pair of them must check.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;
use std::process::Command;

fn check(directory: &Path) {
    let output = Command::new(env!("CARGO_BIN_EXE_danerelay"))
        .arg("--config")
        .arg(directory.join("danerelay.toml"))
        .args(["config", "check"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", directory.display());
    assert!(!said.contains("not available"), "{}: {said}", directory.display());
}

#[test]
fn the_templates_and_the_minimal_files_check() {
    let config = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../config"));
    for directory in [config.to_owned(), config.join("minimal")] {
        // A copy: what is checked is what is there, and nothing beside it.
        let copy = tempfile::tempdir().unwrap();
        for name in ["danerelay.toml", "policy.toml"] {
            fs::copy(directory.join(name), copy.path().join(name)).unwrap();
        }
        check(copy.path());
    }
}
