//! A place of its own for each test: namespaces, a directory, a resolver configuration.
//!
//! The test function calls [`run`] with its own name. That starts the same test program once more below
//! `unshare`, asking for this one test; the second time [`run`] finds itself inside and plays the story. The story's
//! processes share one process namespace and end with it, however the test ends.

use crate::exim;
use crate::process::{command, find, run as run_to_end};
use crate::server::{BACK, FRONT};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// The programs that the peers consist of, and the Debian packages that bring them.
pub const PROGRAMS: [(&str, &str); 11] = [
    ("unshare", "util-linux"),
    ("mount", "mount"),
    ("ip", "iproute2"),
    ("postfix", "postfix"),
    ("sendmail", "postfix"),
    ("knotd", "knot"),
    ("dnssec-keygen", "bind9-utils"),
    ("dnssec-signzone", "bind9-utils"),
    ("unbound", "unbound"),
    ("openssl", "openssl"),
    ("swaks", "swaks"),
];

const DIRECTORY: &str = "DANERELAY_ARENA";
const FINISHED: &str = "finished";

/// Plays `story` in an arena of its own; `test` is the name of the calling test function.
///
/// # Panics
/// When the story fails, and when root rights or programs are missing.
pub fn run(test: &str, story: fn(&Path)) {
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        let directory = PathBuf::from(directory);
        prepare(&directory);
        story(&directory);
        fs::write(directory.join(FINISHED), "").unwrap();
        return;
    }
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
    play(test);
}

fn play(test: &str) {
    let directory = tempfile::Builder::new()
        .prefix("danerelay-peers-")
        .tempdir()
        .unwrap();
    // Servers that give up root must still be able to pass through.
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let status = command("unshare")
        .args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--"])
        .arg(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(DIRECTORY, directory.path())
        .stdin(Stdio::null())
        .status()
        .expect("unshare starts");
    let finished = directory.path().join(FINISHED).exists();
    if !status.success() {
        print_logs(directory.path());
    }
    if std::env::var_os("DANERELAY_KEEP").is_some() {
        eprintln!("{test}: files kept in {}", directory.keep().display());
    }
    assert!(
        status.success(),
        "{test} failed in its arena ({status}); the logs are above"
    );
    assert!(finished, "no test is called {test}: nothing was played");
}

/// Inside: an own loopback interface and an own `/etc/resolv.conf`.
fn prepare(directory: &Path) {
    run_to_end(command("ip").args(["link", "set", "lo", "up"]));
    // Postfix insists on addresses that an interface has by name, not by netmask.
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
    let mut missing = Vec::new();
    if run_to_end(command("id").arg("-u")).trim() != "0" {
        missing.push("root (for namespaces, port 25 and Postfix)".to_owned());
    }
    for (program, package) in PROGRAMS {
        if find(program).is_none() {
            missing.push(format!("{program} (Debian package {package})"));
        }
    }
    if exim::program().is_none() {
        missing.push(format!(
            "exim4 (Debian package exim4-daemon-light, unpacked to target/{} or installed)",
            exim::UNPACKED
        ));
    }
    missing
}

/// What the programs of a failed story had to say.
fn print_logs(directory: &Path) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "log") {
            let text = fs::read(&path).unwrap();
            eprintln!("--- {}\n{}", path.display(), String::from_utf8_lossy(&text));
        }
    }
}
