//! `danerelay tlsa verify` says what the crate says.

use std::fs;

use danerelay_tests::process::{self, words};
use danerelay_tests::relay;
use rustls::pki_types::CertificateDer;

use crate::cases;
use crate::faults::NOW;
use crate::judge::{Judge, Question, Verdict};
use crate::verdict::{self, Comparison};

/// [`NOW`] in RFC 3339 form.
const NOW_TEXT: &str = "2026-09-21T14:13:20Z";
const SAMPLE: usize = 100;

#[test]
fn the_program_says_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let chain = directory.path().join("chain.pem");
    let mut judge = Judge::new();
    let (mut asked, mut verified) = (0, 0);
    for (name, case) in cases(10_000) {
        // Empty data has no zone-file form.
        if case.question.records.iter().any(|record| record.data.is_empty()) {
            continue;
        }
        let theirs = judge.ask(&case.question);
        let comparison = verdict::compare(&mut judge, &case, theirs, &verdict::ours(&case.question)).unwrap();
        let pem: String = case.question.chain.iter().map(to_pem).collect();
        fs::write(&chain, pem).unwrap();
        let (code, depth) = ask(&case.question, chain.to_str().unwrap());
        match (comparison, theirs.verdict) {
            (Comparison::Verified { usage, depth: theirs }, Verdict::Verified { .. }) => {
                assert_eq!(code, 0, "{name}");
                // A bare key has no place of its own in OpenSSL's count.
                assert!(
                    depth == Some(theirs) || usage == 2 && depth == Some(theirs + 1),
                    "{name}"
                );
                verified += 1;
            }
            (Comparison::AnotherPath | Comparison::LastSecond, _) => assert_eq!(code, 0, "{name}"),
            (_, _) => assert_eq!((code, depth), (1, None), "{name}"),
        }
        asked += 1;
        if asked == SAMPLE {
            break;
        }
    }
    assert_eq!(asked, SAMPLE);
    assert!((20..80).contains(&verified), "{verified} of {SAMPLE} verified");
}

/// The exit status, and the depth where the chain was verified.
fn ask(question: &Question, chain: &str) -> (i32, Option<usize>) {
    assert_eq!(question.at, NOW);
    let mut command = process::command(relay::program());
    command.args(["tlsa", "verify", "--json", "--chain", chain, "--at", NOW_TEXT]);
    for name in &question.names {
        command.args(["--name", name]);
    }
    for record in &question.records {
        command.args(["--record", &record.to_string()]);
    }
    let output = process::output(&mut command);
    let report: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", words(&output)));
    let code = output.status.code().unwrap();
    assert_eq!(report["verified"].as_bool().unwrap(), code == 0, "{report}");
    let depth = report["depth"].as_u64().map(|depth| depth.try_into().unwrap());
    (code, depth)
}

fn to_pem(certificate: &CertificateDer<'_>) -> String {
    let mut body = base64(certificate);
    body.push('\n');
    format!("-----BEGIN CERTIFICATE-----\n{body}-----END CERTIFICATE-----\n")
}

/// RFC 4648 §4, in one line.
fn base64(octets: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in octets.chunks(3) {
        let mut bits = [0; 3];
        bits[..group.len()].copy_from_slice(group);
        let [first, second, third] = bits.map(usize::from);
        let indices = [
            first >> 2,
            first << 4 & 63 | second >> 4,
            second << 2 & 63 | third >> 6,
            third & 63,
        ];
        for (place, index) in indices.into_iter().enumerate() {
            text.push(if place <= group.len() {
                char::from(ALPHABET[index])
            } else {
                '='
            });
        }
    }
    text
}
