//! A separate environment for each test: namespaces, a directory, a resolver configuration.
//!
//! [`run`] runs a story in its own network, mount and process [`namespaces`]. The story's processes end with these
//! namespaces, however the test ends.

use crate::exim;
use crate::namespaces;
use crate::process::{command, find, run as run_to_end};
use crate::server::{BACK, FRONT};
use crate::unpacked;
use std::fs;
use std::path::Path;

/// The programs that the peers consist of, and the Debian packages that bring them.
pub const PROGRAMS: [(&str, &str); 20] = [
    ("unshare", "util-linux"),
    ("setpriv", "util-linux"),
    ("mount", "mount"),
    ("ip", "iproute2"),
    ("postfix", "postfix"),
    ("sendmail", "postfix"),
    ("postgrey", "postgrey"),
    ("knotd", "knot"),
    ("dnssec-keygen", "bind9-utils"),
    ("dnssec-signzone", "bind9-utils"),
    ("unbound", "unbound"),
    ("openssl", "openssl"),
    ("swaks", "swaks"),
    ("msmtp", "msmtp"),
    ("curl", "curl"),
    ("node", "nodejs"),
    ("haproxy", "haproxy"),
    ("rsyslogd", "rsyslog"),
    ("ldns-dane", "ldnsutils"),
    ("danetool", "gnutls-bin"),
];

/// The name of the machine that all of this runs on.
pub const HOSTNAME: &str = "relay.test";

/// The namespaces of an arena, as options of unshare(1).
const NAMESPACES: [&str; 6] = ["--net", "--mount", "--uts", "--pid", "--fork", "--kill-child"];

/// Runs `story` in its own arena; `test` is the name of the calling test function.
///
/// # Panics
/// If the story fails, or if root rights or programs are missing.
pub fn run(test: &str, story: fn(&Path)) {
    if !namespaces::are_own() {
        if std::env::var_os("DANERELAY_SKIP_PEERS").is_some_and(|value| value == "1") {
            eprintln!("{test}: skipped, because DANERELAY_SKIP_PEERS=1");
            return;
        }
        let missing = missing();
        assert!(
            missing.is_empty(),
            "the peer tests need {}; tests/run brings them, DANERELAY_SKIP_PEERS=1 skips these tests",
            missing.join(", ")
        );
    }
    namespaces::run(test, &NAMESPACES, |directory| {
        prepare(directory);
        story(directory);
    });
}

/// The same for a program that is no test and needs these programs (with their packages) and Exim: runs it again, with its
/// arguments, in an arena; there it plays `story`.
///
/// # Errors
/// What is missing, or that the program failed in its arena.
pub fn run_program(
    programs: &[(&str, &str)],
    story: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<(), String> {
    if let Some(directory) = namespaces::directory() {
        prepare(&directory);
        return story(&directory);
    }
    let missing = missing_of(programs);
    if !missing.is_empty() {
        return Err(format!("this needs {}", missing.join(", ")));
    }
    let directory = namespaces::make_directory();
    let status = namespaces::again(&NAMESPACES, directory.path())
        .args(std::env::args_os().skip(1))
        .status()
        .map_err(|error| format!("cannot start unshare: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("failed in its namespaces ({status})"))
    }
}

/// Inside the namespaces: sets up loopback, the host name and `/etc/resolv.conf`.
fn prepare(directory: &Path) {
    fs::write("/proc/sys/kernel/hostname", HOSTNAME).unwrap();
    run_to_end(command("ip").args(["link", "set", "lo", "up"]));
    // Postfix insists on addresses that an interface lists individually, not by netmask.
    for address in [FRONT, BACK] {
        run_to_end(command("ip").args(["address", "add", address, "dev", "lo"]));
    }
    let resolv_conf = directory.join("resolv.conf");
    // `trust-ad` lets Postfix see the resolver's AD bit through the C library.
    fs::write(&resolv_conf, "nameserver 127.0.0.1\noptions edns0 trust-ad\n").unwrap();
    run_to_end(
        command("mount")
            .arg("--bind")
            .arg(resolv_conf)
            .arg("/etc/resolv.conf"),
    );
}

fn missing() -> Vec<String> {
    let mut missing = missing_of(&PROGRAMS);
    if unpacked::find(unpacked::OPENSMTPD).is_none() {
        missing.push(format!(
            "smtpd (Debian package opensmtpd, unpacked to target/{})",
            unpacked::OPENSMTPD
        ));
    }
    missing
}

/// What is missing for these programs and Exim.
fn missing_of(programs: &[(&str, &str)]) -> Vec<String> {
    let mut missing = Vec::new();
    if run_to_end(command("id").arg("-u")).trim() != "0" {
        missing.push("root (for namespaces, port 25 and Postfix)".to_owned());
    }
    for (program, package) in programs {
        if find(program).is_none() {
            missing.push(format!("{program} (Debian package {package})"));
        }
    }
    if exim::program().is_none() {
        missing.push(format!(
            "exim4 (Debian package exim4-daemon-light, unpacked to target/{} or installed)",
            unpacked::EXIM
        ));
    }
    missing
}
