//! The commands that look and change nothing: `dns`, `tlsa`, `explain`, in a small signed world on loopback.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod check;
mod dns;
mod doctor;
mod explain;
#[allow(dead_code, reason = "each test uses its part of it")]
#[path = "../common/pem.rs"]
mod pem;
mod tlsa;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;
use testworld::dns::World;
use tokio::runtime::Runtime;

/// A world, its trust anchor and a configuration that points to it.
struct Stage {
    world: World,
    directory: TempDir,
    /// Serves the world.
    runtime: Runtime,
}

impl Stage {
    /// With these lines in addition to what every test needs; they follow those of `[delivery]`.
    fn new(more: &str) -> Self {
        Self::with_delivery(&format!("ignore_addresses = []\n{more}"))
    }

    /// With these lines of `[delivery]`, and of sections after it.
    fn with_delivery(delivery: &str) -> Self {
        let runtime = Runtime::new().unwrap();
        let world = runtime.block_on(World::start()).unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("anchor"), world.trust_anchor_ds().unwrap()).unwrap();
        std::fs::write(
            directory.path().join("danerelay.toml"),
            format!(
                "hostname = \"relay.example\"\nstate_directory = \"state\"\n[admin]\nsocket = \"admin.sock\"\n[dns]\nmode = \"validate\"\nservers = [\"{}\"]\n\
                 trust_anchor = \"anchor\"\ntimeout = \"3s\"\n[delivery]\n{delivery}",
                world.address()
            ),
        )
        .unwrap();
        world.domain("test").signed().add().unwrap();
        Self {
            world,
            directory,
            runtime,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.path(name), text).unwrap();
        text_of(&self.path(name))
    }

    /// Runs the command with this world's configuration.
    fn run(&self, arguments: &[&str]) -> End {
        let config = text_of(&self.path("danerelay.toml"));
        danerelay(&[&["--config", &config], arguments].concat())
    }
}

fn text_of(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// How a command ended.
struct End {
    status: i32,
    stdout: String,
    stderr: String,
}

impl End {
    /// The one JSON object on standard output.
    fn json(&self) -> Value {
        assert_eq!(self.stdout.lines().count(), 1, "{}{}", self.stdout, self.stderr);
        serde_json::from_str(&self.stdout).unwrap()
    }
}

fn danerelay(arguments: &[&str]) -> End {
    let output: Output = Command::new(env!("CARGO_BIN_EXE_danerelay"))
        .args(arguments)
        .output()
        .unwrap();
    End {
        status: output.status.code().expect("the program ends by itself"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn every_command_explains_itself_and_reads_the_configuration_first() {
    for (command, words) in [
        (
            &["dns"][..],
            &["secure", "--dns-server <SERVER>", "--json", "Exit status"][..],
        ),
        (
            &["explain"],
            &["--connect", "--trust-anchor <FILE>", "--json", "Exit status"],
        ),
        (
            &["tlsa", "verify"],
            &[
                "--chain <FILE>",
                "--record <U S M HEX>",
                "--at <TIME>",
                "Exit status",
            ],
        ),
        (
            &["tlsa", "make"],
            &[
                "--issuer-selector <SELECTOR>",
                "--ttl <SECONDS>",
                "zone-file form",
                "--host <NAME>",
            ],
        ),
        (
            &["tlsa", "guard"],
            &["--chain <FILE>", "--memory <FILE>", "--json", "Exit status"],
        ),
        (
            &["tlsa", "rollover"],
            &["--current <FILE>", "--next <FILE>", "--json", "Exit status"],
        ),
        (
            &["doctor"],
            &["--probe <DOMAIN>", "--self-test", "--json", "Exit status"],
        ),
    ] {
        let help = danerelay(&[command, &["--help"]].concat());
        assert_eq!(help.status, 0, "{command:?}");
        for word in words {
            assert!(help.stdout.contains(word), "{word:?} is not in\n{}", help.stdout);
        }
    }
    let stage = Stage::new("conections = 5\n");
    for command in [&["dns", "a.test", "A"][..], &["explain", "a.test"]] {
        let end = stage.run(command);
        assert_eq!(end.status, 2, "{command:?}");
        assert!(
            end.stderr.contains("did you mean \"connections\"?"),
            "{}",
            end.stderr
        );
    }
}
