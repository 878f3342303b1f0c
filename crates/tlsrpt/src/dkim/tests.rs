#![allow(clippy::unwrap_used)]

use aws_lc_rs::encoding::Pkcs8V1Der;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};

use super::*;

fn pem(label: &str, der: &[u8]) -> String {
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        BASE64.encode(der)
    )
}

fn rsa(size: KeySize) -> String {
    let pair = RsaKeyPair::generate(size).unwrap();
    let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    pem("PRIVATE KEY", der.as_ref())
}

fn ed25519() -> String {
    let pair = Ed25519KeyPair::generate().unwrap();
    pem("PRIVATE KEY", pair.to_pkcs8v1().unwrap().as_ref())
}

fn signer(pem: &str) -> Result<Signer, KeyFault> {
    Signer::from_pem(
        &Domain::parse("example.nl").unwrap(),
        "tlsrpt2026",
        pem.as_bytes(),
    )
}

const MESSAGE: &str = "From: <a@example.nl>\r\nTLS-Report-Domain: example.org\r\nTLS-Report-Submitter: example.nl\r\n\
                       Subject: x\r\nX-Other: y\r\n\r\nbody\r\n";

#[test]
fn signatures_cover_what_they_must() {
    for (key, algorithm, public) in [
        (
            rsa(KeySize::Rsa2048),
            "a=rsa-sha256;",
            "v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEF",
        ),
        (ed25519(), "a=ed25519-sha256;", "v=DKIM1; k=ed25519; p="),
    ] {
        let signer = signer(&key).unwrap();
        let field = signer.sign(MESSAGE.as_bytes()).unwrap();
        assert!(
            field.starts_with("DKIM-Signature: v=1; ") && field.ends_with("\r\n"),
            "{field}"
        );
        let flat: String = field.split_whitespace().collect();
        for tag in [
            algorithm,
            ";d=example.nl;",
            ";s=tlsrpt2026;",
            ";c=relaxed/relaxed;",
        ] {
            assert!(format!("{flat};").contains(tag), "{tag}: {flat}");
        }
        assert!(!flat.contains(";l="), "{flat}");
        let covered = flat.split(";h=").nth(1).unwrap().split(';').next().unwrap();
        let covered: Vec<&str> = covered.split(':').collect();
        for name in ["From", "TLS-Report-Domain", "TLS-Report-Submitter", "Subject"] {
            assert!(covered.contains(&name), "{name}: {covered:?}");
        }
        assert!(signer.record().starts_with(public), "{}", signer.record());
        assert!(field.split("\r\n").all(|line| line.len() <= 998));
    }
}

#[test]
fn keys_that_do_not_sign_are_refused_with_the_reason() {
    let ecdsa = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let ecdsa = pem("PRIVATE KEY", ecdsa.to_pkcs8v1().unwrap().as_ref());
    // PKCS#8, version 0, rsaEncryption, and a key that is none.
    let broken = b"\x30\x14\x02\x01\x00\x30\x0D\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x01\x01\x05\x00\x04\x00";
    for (text, fault) in [
        (String::new(), KeyFault::NoKey),
        (pem("CERTIFICATE", b"0"), KeyFault::NoKey),
        (pem("PUBLIC KEY", b"0"), KeyFault::NoKey),
        (pem("ENCRYPTED PRIVATE KEY", b"0"), KeyFault::Encrypted),
        (pem("RSA PRIVATE KEY", b"0"), KeyFault::OldForm),
        (pem("EC PRIVATE KEY", b"0"), KeyFault::OldForm),
        (ecdsa, KeyFault::Algorithm),
    ] {
        assert_eq!(signer(&text).unwrap_err(), fault, "{text}");
    }
    let broken = signer(&pem("PRIVATE KEY", broken)).unwrap_err();
    assert!(matches!(broken, KeyFault::Rsa(_)), "{broken}");
    let selector = Signer::from_pem(&Domain::parse("example.nl").unwrap(), "a b", ed25519().as_bytes());
    assert!(matches!(selector, Err(KeyFault::Selector(..))));
}
