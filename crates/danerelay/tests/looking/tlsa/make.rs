//! `tlsa make`: what is printed, and which files give nothing.

use std::fmt::Write;

use serde_json::json;
use testworld::mail::{Ca, Identity};

use super::{Chain, chain_of, openssl, pem};
use crate::{End, danerelay, text_of};

#[test]
fn make_prints_what_verify_accepts() {
    let chain = Chain::issued();
    let (own, certificate, key) = (
        chain.identity.tlsa_3_1_1(),
        chain.identity.tlsa_2_0_1(),
        chain.identity.tlsa_2_1_1(),
    );
    let path = chain.path();
    let make = |more: &[&str]| danerelay(&[&["tlsa", "make", &path], more].concat());

    let end = make(&["--name", "MX.example.test"]);
    let owner = "_25._tcp.mx.example.test. IN TLSA";
    assert_eq!(
        (end.status, end.stdout),
        (0, format!("{owner} {own}\n{owner} {certificate}\n"))
    );
    assert!(end.stderr.is_empty(), "{}", end.stderr);
    let end = make(&[
        "--name",
        "a.test",
        "--port",
        "587",
        "--ttl",
        "3600",
        "--issuer-selector",
        "1",
        "--usage",
        "2",
    ]);
    assert_eq!(
        (end.status, end.stdout),
        (0, format!("_587._tcp.a.test. 3600 IN TLSA {key}\n"))
    );
    let end = make(&[]);
    assert_eq!(
        (end.status, end.stdout),
        (
            0,
            format!("_25._tcp IN TLSA {own}\n_25._tcp IN TLSA {certificate}\n")
        )
    );
    assert!(end.stderr.contains("--name"), "{}", end.stderr);
    let end = make(&["--name", "a.test", "--usage", "3", "--json"]);
    assert_eq!(
        end.json(),
        json!({"records": [{"owner": "_25._tcp.a.test.", "ttl": null, "record": own}]})
    );

    let line = make(&["--name", "mx.example.test", "--usage", "2"]).stdout;
    assert_eq!(
        chain
            .verify(&["--name", "mx.example.test", "--record", line.trim()])
            .status,
        0
    );
}

#[test]
fn make_refuses_what_gives_no_record() {
    let leaf = Chain::new(Identity::self_signed(&["mx.example.test"]).unwrap());
    let end = danerelay(&["tlsa", "make", &leaf.path(), "--usage", "2"]);
    assert_eq!(end.status, 2);
    assert!(end.stderr.contains("--issuer"), "{}", end.stderr);

    let broken = leaf.directory.path().join("broken.pem");
    std::fs::write(&broken, pem(b"no certificate")).unwrap();
    let end = danerelay(&["tlsa", "make", &text_of(&broken)]);
    assert_eq!(end.status, 2);
    assert!(
        end.stderr.contains("certificate 1 is malformed"),
        "{}",
        end.stderr
    );
}

/// `make` of one file with this text, and with these further arguments.
fn make_of(text: &str, more: &[&str]) -> End {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("given.pem");
    std::fs::write(&path, text).unwrap();
    danerelay(&[&["tlsa", "make", &text_of(&path), "--name", "a.test"], more].concat())
}

#[test]
fn copies_of_the_servers_own_certificate_are_no_issuers() {
    let ca = Ca::new("Test CA").unwrap();
    let identity = ca.issue(&["mx.example.test"]).unwrap();
    let own = pem(&identity.chain()[0]);
    let end = make_of(&(own.clone() + &chain_of(&identity)), &[]);
    let owner = "_25._tcp.a.test. IN TLSA";
    let (key, issuer) = (identity.tlsa_3_1_1(), identity.tlsa_2_0_1());
    assert_eq!(
        (end.status, end.stdout),
        (0, format!("{owner} {key}\n{owner} {issuer}\n"))
    );
    let end = make_of(&(own.clone() + &own), &["--usage", "2"]);
    assert_eq!((end.status, end.stdout), (2, String::new()));
    assert!(end.stderr.contains("--issuer"), "{}", end.stderr);
}

#[test]
fn the_servers_own_certificate_comes_first() {
    let identity = Ca::new("Test CA").unwrap().issue(&["mx.example.test"]).unwrap();
    let reversed: String = identity.chain().iter().rev().map(|der| pem(der)).collect();
    for more in [&[][..], &["--usage", "2"], &["--usage", "3"]] {
        let end = make_of(&reversed, more);
        assert_eq!((end.status, end.stdout), (2, String::new()));
        assert!(end.stderr.contains("must come first"), "{}", end.stderr);
    }
}

#[test]
fn who_issued_nothing_here_gets_no_record() {
    let ca = Ca::new("Test CA").unwrap();
    let identity = ca.issue(&["mx.example.test"]).unwrap();
    let [stranger, namesake] = ["Another CA", "Test CA"].map(|name| Ca::new(name).unwrap());
    for other in [&stranger, &namesake] {
        let given = chain_of(&identity) + &pem(other.certificate());
        let end = make_of(&given, &[]);
        assert_eq!((end.status, end.stdout), (2, String::new()));
        let words = "certificate 3 issued neither";
        assert!(end.stderr.contains(words), "{}", end.stderr);
        let end = make_of(&given, &["--usage", "3"]);
        assert_eq!(end.status, 0, "no record of it is asked for: {}", end.stderr);
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("issuer.pem");
    std::fs::write(&file, pem(stranger.certificate())).unwrap();
    let end = make_of(&chain_of(&identity), &["--issuer", &text_of(&file)]);
    assert_eq!(end.status, 2);
    let words = format!("{}: certificate 1 issued neither", text_of(&file));
    assert!(end.stderr.contains(&words), "{}", end.stderr);
}

/// The path may lead through any of the files, in any order, and dates play no part.
#[test]
fn an_issuer_of_an_issuer_is_reached() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let openssl = |arguments: &str| String::from_utf8(openssl(at, arguments)).unwrap();
    std::fs::write(at.join("ca"), "basicConstraints=critical,CA:TRUE\n").unwrap();
    openssl("req -x509 -newkey ed25519 -nodes -keyout root.key -out root.pem -subj /CN=root");
    for (name, issuer, days) in [("middle", "root", 30), ("leaf", "middle", 0)] {
        openssl(&format!(
            "req -newkey ed25519 -nodes -keyout {name}.key -out {name}.csr -subj /CN={name}"
        ));
        let by = format!("-CA {issuer}.pem -CAkey {issuer}.key -CAcreateserial -extfile ca");
        openssl(&format!(
            "x509 -req -in {name}.csr -out {name}.pem -days {days} {by}"
        ));
    }
    let file = |name: &str| text_of(&at.join(name));
    let (leaf, middle, root) = (file("leaf.pem"), file("middle.pem"), file("root.pem"));
    let make = |more: &[&str]| danerelay(&[&["tlsa", "make", &leaf], more].concat());
    let end = make(&["--issuer", &root, "--issuer", &middle]);
    assert_eq!((end.status, end.stdout.lines().count()), (0, 3), "{}", end.stderr);
    let end = make(&["--issuer", &root]);
    assert_eq!(end.status, 2);
    assert!(end.stderr.contains("in between are missing"), "{}", end.stderr);
}

#[test]
fn keys_that_prove_nothing_are_warned_of() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    openssl(
        at,
        "req -x509 -newkey rsa:1024 -nodes -keyout key -out short.pem -subj /CN=short",
    );
    let short = text_of(&at.join("short.pem"));
    let end = danerelay(&["tlsa", "make", &short, "--name", "a.test"]);
    assert_eq!((end.status, end.stdout.lines().count()), (0, 1));
    let words = "short.pem: certificate 1: the certificate's RSA key of 1024 bits is too short";
    assert!(end.stderr.contains(words), "{}", end.stderr);
    let good = Chain::new(Identity::self_signed(&["mx.example.test"]).unwrap());
    let end = danerelay(&["tlsa", "make", &good.path(), "--name", "a.test"]);
    assert_eq!((end.status, end.stderr), (0, String::new()));
}

/// The same as OpenSSL computes it, from a chain that OpenSSL made.
#[test]
fn openssl_agrees() {
    let directory = tempfile::tempdir().unwrap();
    let openssl = |arguments: &str| openssl(directory.path(), arguments);
    let hex = |octets: &[u8]| {
        octets.iter().fold(String::new(), |mut text, octet| {
            write!(text, "{octet:02x}").unwrap();
            text
        })
    };
    openssl("req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 30 -subj /CN=OurCA");
    openssl("req -newkey rsa:2048 -nodes -keyout leaf.key -out leaf.csr -subj /CN=leaf");
    std::fs::write(
        directory.path().join("san"),
        "subjectAltName=DNS:mx.example.test\n",
    )
    .unwrap();
    openssl(
        "x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out leaf.pem -days 20 -extfile san",
    );
    openssl("pkey -in leaf.key -pubout -outform DER -out spki.der");
    openssl("x509 -in ca.pem -outform DER -out ca.der");
    let own = format!("3 1 1 {}", hex(&openssl("dgst -sha256 -binary spki.der")));
    let issuer = format!("2 0 1 {}", hex(&openssl("dgst -sha256 -binary ca.der")));

    let file = |name: &str| text_of(&directory.path().join(name));
    let read = |name: &str| std::fs::read_to_string(directory.path().join(name)).unwrap();
    std::fs::write(
        directory.path().join("chain.pem"),
        read("leaf.key") + &read("leaf.pem") + &read("ca.pem"),
    )
    .unwrap();
    let made = danerelay(&[
        "tlsa",
        "make",
        &file("leaf.pem"),
        "--issuer",
        &file("ca.pem"),
        "--name",
        "mx.example.test",
    ]);
    let owner = "_25._tcp.mx.example.test. IN TLSA";
    assert_eq!(
        made.stdout,
        format!("{owner} {own}\n{owner} {issuer}\n"),
        "{}",
        made.stderr
    );
    for (record, depth) in [(own, 0), (issuer, 1)] {
        let end = danerelay(&[
            "tlsa",
            "verify",
            "--chain",
            &file("chain.pem"),
            "--name",
            "mx.example.test",
            "--record",
            &record,
            "--json",
        ]);
        assert_eq!(
            (end.status, end.json()["depth"].clone()),
            (0, json!(depth)),
            "{}",
            end.stdout
        );
    }
}
