//! The files in `config/` are what an administrator begins with: each pair of them must check, without a word of warning. Those in
//! `systemd/` must suit systemd.
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

/// What `systemd-analyze` says with these arguments; `None` where there is none and it may be missing.
fn analyze(arguments: &[&str], file: &Path) -> Option<String> {
    let output = Command::new("systemd-analyze")
        .args(arguments)
        .arg(file)
        .env("SYSTEMD_COLORS", "0")
        .output();
    match output {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout).into_owned()
                + &String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{said}");
            Some(said)
        }
        Err(error) => {
            assert!(
                std::env::var_os("DANERELAY_SKIP_PEERS").is_some(),
                "systemd-analyze (Debian: systemd): {error}; DANERELAY_SKIP_PEERS=1 leaves it out"
            );
            None
        }
    }
}

/// The units that are shipped.
const UNITS: [&str; 5] = [
    "danerelay.service",
    "danerelay.socket",
    "danerelay-check.service",
    "danerelay-check-alarm.service",
    "danerelay-check.timer",
];

#[test]
fn systemd_takes_the_units_and_finds_the_service_well_confined() {
    let systemd = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../systemd"));
    let place = tempfile::tempdir().unwrap();
    for name in UNITS {
        let text = fs::read_to_string(systemd.join(name)).unwrap();
        let text = text.replace("/usr/bin/danerelay", env!("CARGO_BIN_EXE_danerelay"));
        fs::write(place.path().join(name), text).unwrap();
    }
    for name in UNITS {
        let said = analyze(&["verify", "--man=no"], &place.path().join(name));
        assert_eq!(said.unwrap_or_default(), "", "{name}");
    }
    let service = place.path().join("danerelay.service");
    let Some(said) = analyze(&["security", "--offline=yes", "--no-pager"], &service) else {
        return;
    };
    let (_, rest) = said
        .split_once("Overall exposure level for danerelay.service: ")
        .expect("a verdict");
    let level: f64 = rest.split(' ').next().unwrap().parse().unwrap();
    assert!(level <= 1.5, "{said}");
}
