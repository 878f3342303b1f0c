//! Forms of certificate files.

use super::{Chain, openssl};
use crate::{End, danerelay, text_of};

/// Both commands on a file with these octets.
fn both(chain: &Chain, octets: &[u8]) -> [End; 2] {
    let file = chain.directory.path().join("given");
    std::fs::write(&file, octets).unwrap();
    let file = text_of(&file);
    let record = chain.identity.tlsa_3_1_1();
    [
        danerelay(&["tlsa", "make", &file, "--name", "a.test"]),
        danerelay(&["tlsa", "verify", "--chain", &file, "--record", &record]),
    ]
}

#[test]
fn other_spellings_of_pem_are_read() {
    let chain = Chain::issued();
    let text = std::fs::read_to_string(chain.path()).unwrap();
    for given in [
        format!("\u{feff}{text}"),
        text.replace(" CERTIFICATE-----", " X509 CERTIFICATE-----"),
        text.replace(" CERTIFICATE-----", " X509 CERTIFICATE-----")
            .replace('\n', "\r\n"),
        format!("subject=CN = mx\n{text}"),
    ] {
        let [made, verified] = both(&chain, given.as_bytes());
        assert_eq!(
            (made.status, made.stdout.lines().count()),
            (0, 2),
            "{given}{}",
            made.stderr
        );
        assert_eq!(verified.status, 0, "{given}{}", verified.stderr);
    }
}

#[test]
fn what_is_no_certificate_is_2_and_told_what_it_is() {
    let chain = Chain::issued();
    let text = std::fs::read_to_string(chain.path()).unwrap();
    let trusted = openssl(
        chain.directory.path(),
        "x509 -in chain.pem -trustout -addtrust serverAuth",
    );
    let second_broken = text.clone() + &super::pem(b"0\x03\x02\x01\x01");
    for (given, words) in [
        (Vec::new(), "no certificate"),
        (
            b"-----BEGIN CERTIFICATE-----\nMIIB\n".to_vec(),
            "a beginning and no end",
        ),
        (chain.identity.chain()[0].to_vec(), "-inform DER"),
        (trusted, "TRUSTED CERTIFICATE"),
        (second_broken.into_bytes(), "certificate 3 is malformed"),
        (super::pem(b"nothing").into_bytes(), "certificate 1 is malformed"),
        (
            b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n".to_vec(),
            "not base64",
        ),
    ] {
        for end in both(&chain, &given) {
            assert_eq!((end.status, end.stdout), (2, String::new()), "{words}");
            assert!(end.stderr.contains(words), "{words}: {}", end.stderr);
        }
    }
    let end = danerelay(&[
        "tlsa",
        "verify",
        "--chain",
        "/nonexistent.pem",
        "--record",
        super::NOTHING,
    ]);
    assert_eq!((end.status, end.stdout), (2, String::new()));
    assert!(end.stderr.contains("/nonexistent.pem: "), "{}", end.stderr);
}
