//! DKIM signatures, by a verifier that is not ours.

use std::fs;
use std::path::Path;
use std::process::Command;

use danerelay_tests::process::{command, run};
use tlsrpt::{KeyFault, Signer};

use crate::cases::{Case, domain};
use crate::judge::{PYTHON, ask, is_left_out};

/// A key that OpenSSL makes, in PEM.
fn key(directory: &Path, options: &[&str]) -> Vec<u8> {
    let file = directory.join("key.pem");
    run(command("openssl")
        .arg("genpkey")
        .args(options)
        .arg("-out")
        .arg(&file));
    fs::read(file).unwrap()
}

fn signer(pem: &[u8]) -> Result<Signer, KeyFault> {
    Signer::from_pem(&domain("example.nl"), "tlsrpt2026", pem)
}

/// What the signature covers, if it verifies.
fn verify(signer: &Signer, message: &[u8]) -> Result<String, String> {
    let name = format!("{}._domainkey.{}", signer.selector(), signer.domain());
    let script = include_str!("signatures.py");
    let script = format!(
        "import sys; sys.argv += [{name:?}, {:?}]\n{script}",
        signer.record()
    );
    ask(Command::new(PYTHON).arg("-I"), &script, message)
}

#[test]
fn signatures_verify() {
    if is_left_out() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    for options in [
        &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"][..],
        &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"],
        &["-algorithm", "ED25519"],
    ] {
        let signer = signer(&key(directory.path(), options)).unwrap();
        for case in [Case::whole(), Case::quiet()] {
            let message = case.mail(Some(&signer));
            let covered = verify(&signer, &message);
            let covered = covered.unwrap_or_else(|wrong| panic!("{options:?}: {wrong}"));
            for field in [
                "from",
                "to",
                "subject",
                "content-type",
                "tls-report-domain",
                "tls-report-submitter",
            ] {
                assert!(
                    covered.split_whitespace().any(|name| name == field),
                    "{field}: {covered}"
                );
            }
        }
    }
}

#[test]
fn what_was_changed_on_the_way_does_not_verify() {
    if is_left_out() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let signer = signer(&key(directory.path(), &["-algorithm", "ED25519"])).unwrap();
    let message = String::from_utf8(Case::quiet().mail(Some(&signer))).unwrap();
    for (part, changed) in [
        ("TLS-Report-Domain: example.org", "TLS-Report-Domain: example.com"),
        (
            "TLS-Report-Submitter: example.nl",
            "TLS-Report-Submitter: example.com",
        ),
        ("aggregate", "forged"),
    ] {
        let forged = message.replacen(part, changed, 1);
        assert_ne!(forged, message, "{part}");
        assert!(verify(&signer, forged.as_bytes()).is_err(), "{changed}");
    }
    // Nothing can be added at the end: there is no l=.
    let longer = format!("{message}more\r\n");
    assert!(verify(&signer, longer.as_bytes()).is_err());
}

#[test]
fn keys_of_a_wrong_length_or_form_are_refused() {
    if is_left_out() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let rsa = |bits: &str| {
        key(
            directory.path(),
            &[
                "-algorithm",
                "RSA",
                "-pkeyopt",
                &format!("rsa_keygen_bits:{bits}"),
            ],
        )
    };
    let short = signer(&rsa("1024")).unwrap_err();
    assert!(matches!(short, KeyFault::Rsa(_)), "{short}");
    assert_eq!(signer(&rsa("4224")).unwrap_err(), KeyFault::RsaLong(4224));
    let curve = key(
        directory.path(),
        &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    );
    assert_eq!(signer(&curve).unwrap_err(), KeyFault::Algorithm);
    let good = rsa("2048");
    fs::write(directory.path().join("good.pem"), &good).unwrap();
    let convert = |options: &[&str]| {
        let made = directory.path().join("made.pem");
        let mut openssl = command("openssl");
        openssl
            .args(options)
            .arg("-in")
            .arg(directory.path().join("good.pem"));
        run(openssl.arg("-out").arg(&made));
        signer(&fs::read(made).unwrap()).unwrap_err()
    };
    assert_eq!(convert(&["rsa", "-traditional"]), KeyFault::OldForm);
    assert_eq!(
        convert(&["pkcs8", "-topk8", "-passout", "pass:secret"]),
        KeyFault::Encrypted
    );
    assert_eq!(convert(&["rsa", "-pubout"]), KeyFault::NoKey);
}
