//! The configurations and policies that the manual shows.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use testworld::mail::{Ca, Identity, KeyKind};

use crate::common::pem::{key_pem, pem};
use crate::pages::{self, Block, Page};

/// What a file begins with if a snippet is only a part of it.
const VERSION: &str = "version = 1";
/// Lines that only a policy has.
const POLICY: [&str; 6] = [
    "[default]",
    "default.",
    "[[domain]]",
    "[[list]]",
    "[[mx]]",
    "[[exception]]",
];
/// What every configuration is given: nothing of this machine is looked at.
const PLACES: &str = "state_directory = \"state\"\n";

#[test]
fn every_snippet_passes_config_check() {
    let mut checked = 0;
    for page in pages::all() {
        for block in page.blocks() {
            if block.language == "toml" {
                check(&page, &block);
                checked += 1;
            }
        }
    }
    assert!(checked > 20, "{checked}");
}

/// The rotation that is shown is the one that is installed.
#[test]
fn the_rotation_is_the_one_that_is_shipped() {
    let shipped = fs::read_to_string(pages::root().join("systemd/danerelay.logrotate")).unwrap();
    let page = pages::page("docs/log.md");
    assert!(
        page.blocks().iter().any(|block| block.text == shipped),
        "{shipped}"
    );
}

fn check(page: &Page, block: &Block<'_>) {
    let directory = tempfile::tempdir().unwrap();
    let is_policy = block
        .text
        .lines()
        .any(|line| POLICY.iter().any(|start| line.starts_with(start)));
    let text = if block.text.lines().any(|line| line.starts_with("version =")) {
        block.text.clone()
    } else {
        format!("{VERSION}\n{}", block.text)
    };
    let (configuration, policy) = if is_policy {
        (format!("{VERSION}\n"), text)
    } else {
        (text, format!("{VERSION}\n"))
    };
    let place = directory.path();
    furnish(place);
    let configuration = configuration.replacen(VERSION, &format!("{VERSION}\n{PLACES}"), 1);
    fs::write(place.join("danerelay.toml"), configuration).unwrap();
    fs::write(place.join("policy.toml"), policy).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_danerelay"))
        .arg("-c")
        .arg(place.join("danerelay.toml"))
        .args(["config", "check", "--no-dns"])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}:{}: {}\n{}",
        page.path.display(),
        block.line,
        String::from_utf8_lossy(&output.stderr),
        block.text
    );
}

/// The files that snippets name.
fn furnish(place: &Path) {
    let certificate = Ca::new("Example CA")
        .unwrap()
        .issue(&["relay.example.org"])
        .unwrap();
    fs::create_dir(place.join("state")).unwrap();
    fs::write(place.join("relay.pem"), pem(&certificate.chain()[0])).unwrap();
    fs::write(
        place.join("relay.key"),
        key_pem(certificate.private_key().secret_der()),
    )
    .unwrap();
    let signer = Identity::builder(&["example.nl"]).key(KeyKind::Rsa2048);
    let signer = signer.self_signed().unwrap();
    fs::write(
        place.join("tlsrpt.pem"),
        key_pem(signer.private_key().secret_der()),
    )
    .unwrap();
    fs::write(place.join("users"), "").unwrap();
    for list in ["strict.list", "danefail.list"] {
        fs::write(place.join(list), "listed.example\n").unwrap();
    }
    for login in ["smarthost.login", "gateway.login", "upstream.login"] {
        let login = place.join(login);
        fs::write(&login, "name\npassword\n").unwrap();
        fs::set_permissions(&login, fs::Permissions::from_mode(0o600)).unwrap();
    }
}
