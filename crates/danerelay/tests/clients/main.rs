//! Real clients with the daemon: TLS, users and certificates as its configuration says them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod activation;
#[path = "../common/mod.rs"]
mod common;
mod descriptors;
mod hostile;
mod programs;
mod settings;
mod smarthost;
mod tls;
mod users;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use common::{End, NO_DNS, Relay, configuration};
use tempfile::TempDir;

/// The program, or `None` where it is not installed: `tests/run` brings all of them.
fn run(program: &str, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}; `tests/run` brings it"));
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn good(output: &Output) -> String {
    let end = End::of(output);
    assert_eq!(end.status, 0, "{}{}", end.stdout, end.stderr);
    end.stdout
}

/// A certificate and its key, in these files.
fn certificate(directory: &Path, name: &str) {
    let path = |kind: &str| directory.join(format!("{name}.{kind}")).display().to_string();
    let (key, pem) = (path("key"), path("pem"));
    good(&run(
        "openssl",
        &[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=relay.example",
            "-keyout",
            &key,
            "-out",
            &pem,
        ],
        "",
    ));
}

/// What the administrator is told to type for `access.client_certificates`.
fn key_digest(directory: &Path, name: &str) -> String {
    let line = format!(
        "openssl x509 -in {name}.pem -noout -pubkey | openssl pkey -pubin -outform DER | openssl dgst -sha256 -c"
    );
    let output = Command::new("sh")
        .args(["-c", &line])
        .current_dir(directory)
        .output()
        .unwrap();
    let text = good(&output);
    text.trim().rsplit(' ').next().unwrap().to_owned()
}

/// A configuration with everything about clients in it, and nobody who may relay by address.
fn with_everything() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for name in ["relay", "client", "stranger"] {
        certificate(directory.path(), name);
    }
    let digest = key_digest(directory.path(), "client");
    let text = configuration(NO_DNS).replace(
        "smtp = [\"127.0.0.1:0\"]\n",
        "smtp = [\"127.0.0.1:0\"]\nsmtps = [\"127.0.0.1:0\"]\ntls_certificate = \"relay.pem\"\n\
         tls_key = \"relay.key\"\n",
    );
    let access =
        format!("[access]\nnetworks = []\nusers_file = \"users\"\nclient_certificates = [\"{digest}\"]\n");
    let file = directory.path().join("danerelay.toml");
    std::fs::write(file, format!("{text}{access}")).unwrap();
    directory
}

/// The relay with all of that, and with a user whose password is `secret`.
fn relay_with_everything() -> Relay {
    let directory = with_everything();
    assert_eq!(user(directory.path(), &["add", "user"], "secret\n").status, 0);
    Relay::start_in_any(directory)
}

fn user(directory: &Path, arguments: &[&str], input: &str) -> End {
    let file = directory.join("danerelay.toml");
    let arguments = [&["-c", file.to_str().unwrap(), "user"], arguments].concat();
    End::of(&run(env!("CARGO_BIN_EXE_danerelay"), &arguments, input))
}

/// Both ports: STARTTLS and TLS from the first octet.
fn ports(relay: &Relay) -> [u16; 2] {
    let started = relay.wait_for("event=started");
    let (_, rest) = started.split_once("listen=\"").unwrap();
    let addresses = rest.split('"').next().unwrap().split(", ");
    let ports: Vec<u16> = addresses
        .map(|one| one.rsplit(':').next().unwrap().parse().unwrap())
        .collect();
    ports.try_into().unwrap()
}
