//! The files in `config/` are what an administrator begins with: each pair of them must check, without a word of warning.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;
use std::process::Command;

/// On a machine that has a name for a mail server: in a namespace that has.
fn check(directory: &Path) {
    let output = Command::new("unshare")
        .args([
            "--map-root-user",
            "--uts",
            "sh",
            "-c",
            "hostname relay.example.org && exec \"$@\"",
            "sh",
        ])
        .arg(env!("CARGO_BIN_EXE_danerelay"))
        .arg("--config")
        .arg(directory.join("danerelay.toml"))
        .args(["config", "check", "--strict"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said, "", "{}", directory.display());
    assert!(output.status.success(), "{}", directory.display());
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
