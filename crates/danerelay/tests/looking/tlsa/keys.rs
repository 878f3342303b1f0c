//! Keys with which a server cannot prove itself, whatever record matches them.

use serde_json::{Value, json};

use super::{Chain, openssl};
use crate::{danerelay, text_of};

#[test]
fn a_match_is_shown_and_is_not_enough() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    for (newkey, words) in [
        ("rsa:1024", "RSA key of 1024 bits is too short"),
        ("rsa:2047", "RSA key of 2047 bits is too short"),
        ("ed448", "of a kind that is not supported"),
        (
            "ec -pkeyopt ec_paramgen_curve:P-224",
            "of a kind that is not supported",
        ),
        (
            "ec -pkeyopt ec_paramgen_curve:secp256k1",
            "of a kind that is not supported",
        ),
        (
            "rsa-pss -pkeyopt rsa_keygen_bits:2048",
            "of a kind that is not supported",
        ),
        ("ec -pkeyopt ec_paramgen_curve:P-384", ""),
        ("rsa:2048", ""),
    ] {
        openssl(
            at,
            &format!("req -x509 -newkey {newkey} -nodes -keyout key -out leaf.pem -subj /CN=mx"),
        );
        let file = text_of(&at.join("leaf.pem"));
        let made = danerelay(&["tlsa", "make", &file]).stdout;
        let record = made.trim().rsplit_once("TLSA ").unwrap().1;
        let verify = ["tlsa", "verify", "--chain", &file, "--record", record];
        let found = danerelay(&[&verify[..], &["--json"]].concat());
        let (status, json) = (found.status, found.json());
        let good = words.is_empty();
        assert_eq!(
            (status, &json["verified"], &json["matched"], &json["depth"]),
            (i32::from(!good), &json!(good), &json!(record), &json!(0)),
            "{newkey}: {json}"
        );
        assert!(
            json["reason"].as_str().unwrap().contains(words),
            "{newkey}: {json}"
        );
        let table = danerelay(&verify).stdout;
        let verdict = if good {
            "verified: "
        } else {
            "not verified: a TLSA record matches, but "
        };
        assert!(table.starts_with(verdict), "{table}");
        assert!(table.contains(&format!("\nmatched:  {record}\n")), "{table}");
    }
}

#[test]
fn without_a_match_the_key_is_not_the_reason() {
    let chain = Chain::issued();
    let (found, status) = chain.verify_json(&["--record", super::NOTHING]);
    assert_eq!(
        (status, &found["matched"], &found["depth"]),
        (1, &Value::Null, &Value::Null)
    );
    assert_eq!(found["reason"], "no matching TLSA records");
}
