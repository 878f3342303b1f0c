//! The files in `config/` are what an administrator begins with: each pair of them must check, without a word of warning. Those in
//! `systemd/` must suit systemd.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

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
const UNITS: [&str; 7] = [
    "danerelay.service",
    "danerelay.socket",
    "danerelay-check.service",
    "danerelay-check-alarm.service",
    "danerelay-check.timer",
    "danerelay-report.service",
    "danerelay-report.timer",
];

#[test]
fn systemd_takes_the_units_and_finds_the_service_well_confined() {
    let systemd = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../systemd"));
    let place = tempfile::tempdir().unwrap();
    for name in UNITS {
        let text = fs::read_to_string(systemd.join(name)).unwrap();
        let text = text.replace("/usr/bin/danerelay", env!("CARGO_BIN_EXE_danerelay"));
        let alarm = systemd.join("danerelay-check-alarm");
        let text = text.replace("/usr/libexec/danerelay/check-alarm", alarm.to_str().unwrap());
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

/// A directory of programs that say what systemd and its journal would say of a run, and keep mail.
struct Alarm(tempfile::TempDir);

impl Alarm {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        for (name, text) in [
            (
                "systemctl",
                "case $3 in *InvocationID) echo 1;; *) cat \"$PLACE/status\";; esac",
            ),
            ("journalctl", "cat \"$PLACE/said\""),
            ("sendmail", "cat >\"$PLACE/mail\""),
        ] {
            let path = place.path().join(name);
            fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self(place)
    }

    /// The subject of the mail about a run of the check, if there is any.
    fn after(&self, status: u8, said: &str) -> Option<String> {
        let place = self.0.path();
        fs::write(place.join("status"), status.to_string()).unwrap();
        fs::write(place.join("said"), said).unwrap();
        let paths = format!("{}:/usr/bin:/bin", place.display());
        let program = Path::new(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../systemd/danerelay-check-alarm"
        ));
        let end = Command::new(program)
            .env("PATH", paths)
            .env("PLACE", place)
            .env("STATE_DIRECTORY", place)
            .env("ALARM_TO", "root")
            .status()
            .unwrap();
        assert!(end.success());
        let mail = fs::read_to_string(place.join("mail")).ok()?;
        fs::remove_file(place.join("mail")).unwrap();
        assert!(mail.starts_with("To: root\n") && mail.contains(said), "{mail}");
        let (_, rest) = mail.split_once("Subject: our mail domains: ").unwrap();
        rest.lines().next().map(str::to_owned)
    }
}

#[test]
fn the_check_mails_what_has_changed_and_reminds_once_a_day() {
    let alarm = Alarm::new();
    let (broken, still) = (
        Some("something is broken".to_owned()),
        Some("still broken".to_owned()),
    );
    assert_eq!(alarm.after(0, "all well"), None);
    assert_eq!(alarm.after(1, "a.example broken\nb.example insecure"), broken);
    assert_eq!(alarm.after(1, "b.example insecure\na.example broken"), None);
    assert_eq!(alarm.after(3, "no answer"), None);
    assert_eq!(alarm.after(1, "a.example broken\nb.example insecure"), None);
    assert_eq!(alarm.after(1, "a.example broken for 3 days"), broken);
    assert_eq!(alarm.after(1, "a.example broken for 4 days"), None);
    assert_eq!(alarm.after(1, "a4.example broken for 4 days"), broken);
    assert_eq!(alarm.after(1, "a.example broken for 4 days"), broken);
    let mailed = fs::File::options()
        .append(true)
        .open(alarm.0.path().join("mailed"))
        .unwrap();
    let yesterday = SystemTime::now() - Duration::from_hours(24);
    mailed.set_modified(yesterday).unwrap();
    assert_eq!(alarm.after(1, "a.example broken for 4 days"), still);
    assert_eq!(alarm.after(1, "a.example broken for 5 days"), None);
    assert_eq!(alarm.after(0, "warnings"), Some("secure again".to_owned()));
    assert_eq!(alarm.after(0, "warnings"), None);
    assert_eq!(alarm.after(1, "a.example broken for 5 days"), broken);
}
