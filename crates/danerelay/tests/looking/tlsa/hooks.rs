//! The hooks of the documentation, run as the ACME clients run them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use testworld::mail::{Ca, Identity};

use super::chain_of;
use crate::{Stage, text_of};

const PAGE: &str = include_str!("../../../../../docs/tlsa.md");
const HOST: &str = "mx1.example.org";

/// A mail server's directory, a directory of renewed files, and the programs that a hook calls.
struct Machine {
    stage: Stage,
    directory: tempfile::TempDir,
}

impl Machine {
    fn new(published: &[&str]) -> Self {
        let stage = Stage::new("");
        stage.world.set_ttl(3600);
        stage.world.domain("org").signed().add().unwrap();
        let mut zone = stage.world.domain("example.org").signed();
        zone = zone.host(HOST, "127.0.0.1:25".parse().unwrap());
        for record in published {
            zone = zone.tlsa(record);
        }
        zone.add().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let machine = Self { stage, directory };
        for name in ["bin", "tls", "lineage"] {
            fs::create_dir(machine.path(name)).unwrap();
        }
        let config = text_of(&machine.stage.path("danerelay.toml"));
        let program = env!("CARGO_BIN_EXE_danerelay");
        machine.program("danerelay", &format!("exec {program} --config {config} \"$@\""));
        machine.program(
            "postfix",
            &format!("echo \"$@\" >>{}", text_of(&machine.path("calls"))),
        );
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn program(&self, name: &str, text: &str) {
        let path = self.path("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        make_executable(&path);
    }

    fn renew(&self, identity: &Identity, chain: &str, key: &str) {
        fs::write(self.path("lineage").join(chain), chain_of(identity)).unwrap();
        fs::write(self.path("lineage").join(key), "the key\n").unwrap();
    }

    /// The hook that is shown with this path, with this machine's directories in the place of others.
    fn hook(&self, path: &str) -> PathBuf {
        let blocks = PAGE.split("```sh\n").skip(1);
        let mut hooks = blocks.filter_map(|block| block.split("```").next());
        let text = hooks
            .find(|text| text.starts_with(&format!("#!/bin/sh\n# {path}\n")))
            .unwrap_or_else(|| panic!("no hook {path} in docs/tlsa.md"));
        let tls = text_of(&self.path("tls"));
        let lineage = text_of(&self.path("lineage"));
        let text = text
            .replace("/etc/postfix/tls", &tls)
            .replace("/etc/letsencrypt/live/mx1.example.org", &lineage)
            .replace("/root/.acme.sh/mx1.example.org_ecc", &lineage);
        let hook = self.path("hook");
        fs::write(&hook, text).unwrap();
        make_executable(&hook);
        hook
    }

    /// Runs a hook; returns its exit status and everything that it printed.
    fn run(&self, hook: &Path, environment: &[(&str, PathBuf)]) -> (i32, String) {
        let programs = format!("{}:/usr/bin:/bin", text_of(&self.path("bin")));
        let output = Command::new(hook)
            .env_clear()
            .env("PATH", programs)
            .envs(environment.iter().map(|(name, value)| (*name, value)))
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].map(|octets| String::from_utf8(octets).unwrap());
        (output.status.code().unwrap(), said.concat())
    }

    fn installed(&self) -> Option<String> {
        fs::read_to_string(self.path("tls").join("chain.pem")).ok()
    }

    fn reloads(&self) -> usize {
        let calls = fs::read_to_string(self.path("calls")).unwrap_or_default();
        calls.lines().filter(|line| *line == "reload").count()
    }
}

fn make_executable(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// One key that is published, and one that is not yet.
fn identities() -> (Identity, Identity) {
    let ca = Ca::new("Test CA").unwrap();
    let issue = || ca.issue(&[HOST]).unwrap();
    (issue(), issue())
}

fn installs_what_is_published_and_nothing_else(path: &str, chain: &str, key: &str, names: [&str; 2]) {
    let (known, unknown) = identities();
    let machine = Machine::new(&[&known.tlsa_3_1_1()]);
    let hook = machine.hook(path);
    let lineage = machine.path("lineage");
    let environment = match names {
        ["RENEWED_LINEAGE", _] => vec![("RENEWED_LINEAGE", lineage.clone())],
        [chain_name, key_name] => vec![(chain_name, lineage.join(chain)), (key_name, lineage.join(key))],
    };
    machine.renew(&known, chain, key);
    let (status, said) = machine.run(&hook, &environment);
    assert_eq!(status, 0, "{said}");
    let whole = format!("the key\n{}", chain_of(&known));
    assert_eq!(machine.installed().as_ref(), Some(&whole));
    let (status, said) = machine.run(&hook, &[]);
    assert_eq!((status, said.as_str()), (0, ""), "by cron: nothing to do");
    assert_eq!(machine.reloads(), 1);

    if names[0] == "RENEWED_LINEAGE" {
        let (status, said) = machine.run(&hook, &[("RENEWED_LINEAGE", machine.path("of-the-web-server"))]);
        assert_eq!(
            (status, said.as_str()),
            (0, ""),
            "another certificate was renewed"
        );
        assert_eq!(machine.installed().as_ref(), Some(&whole));
    }

    machine.renew(&unknown, chain, key);
    for environment in [environment.as_slice(), &[]] {
        let (status, said) = machine.run(&hook, environment);
        assert_eq!(status, 1, "{said}");
        assert!(said.contains(&unknown.tlsa_3_1_1()), "{said}");
        assert_eq!(machine.installed().as_ref(), Some(&whole), "the old one stays");
    }
    let left: Vec<_> = fs::read_dir(machine.path("tls"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(!left.iter().any(|name| name == "chain.pem.new"), "{left:?}");
    assert_eq!(machine.reloads(), 1);

    // Once it is published, it still waits for two TTLs.
    let owner = format!("_25._tcp.{HOST}");
    let records = [known.tlsa_3_1_1(), unknown.tlsa_3_1_1()];
    machine.stage.world.set_ttl(2);
    let tlsa = testworld::RecordType::TLSA;
    machine
        .stage
        .world
        .set(&owner, tlsa, &records.each_ref().map(String::as_str))
        .unwrap();
    let (status, said) = machine.run(&hook, &environment);
    assert_eq!(status, 1, "{said}");
    assert!(
        said.contains("some senders may still have the records of before"),
        "{said}"
    );
}

#[test]
fn the_hook_for_certbot() {
    installs_what_is_published_and_nothing_else(
        "/etc/letsencrypt/renewal-hooks/deploy/tlsa-guard",
        "fullchain.pem",
        "privkey.pem",
        ["RENEWED_LINEAGE", ""],
    );
}

#[test]
fn the_hook_for_acme_sh() {
    installs_what_is_published_and_nothing_else(
        "/usr/local/sbin/tlsa-guard",
        "fullchain.cer",
        "mx1.example.org.key",
        ["CERT_FULLCHAIN_PATH", "CERT_KEY_PATH"],
    );
}
