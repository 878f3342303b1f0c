//! Each reason why this crate refuses what OpenSSL accepts, with a case made for it.

use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;

use dane::{TlsaRecord, UnsupportedKey, Untrusted, VerifyFailure};
use danerelay_tests::process;
use rcgen::{
    CustomExtension, DistinguishedName, DnType, DnValue, ExtendedKeyUsagePurpose, KeyPair, PKCS_RSA_SHA256,
    PublicKeyData, SignatureAlgorithm, SigningKey,
};
use rustls::pki_types::CertificateDer;

use crate::factory::{Draft, Issued, keys};
use crate::faults::{Fault, HOST, NOW};
use crate::judge::{Judge, Question, Verdict};
use crate::scene::in_capitals;
use crate::verdict::{self, Stricter};

/// A leaf for [`HOST`] below `anchor`, which both sent and published.
fn below<K: SigningKey>(anchor: &Issued<'_, K>, leaf: Draft, key: &KeyPair) -> Question {
    question(
        &[&leaf.signed_by(anchor, key).der, &anchor.der],
        anchor.record(2, 0, 1),
    )
}

fn question(chain: &[&CertificateDer<'static>], record: TlsaRecord) -> Question {
    Question {
        at: NOW,
        names: vec![HOST],
        records: vec![record],
        chain: chain.iter().copied().cloned().collect(),
    }
}

fn server() -> Draft {
    Draft::server("no host", &[HOST])
}

fn authority(name: &str, fault: Fault) -> Draft {
    fault.apply(Draft::authority(name))
}

/// Every reason with its case, and this crate's verdict.
fn shown(keys: &[KeyPair], reason: Stricter) -> (Question, Untrusted) {
    let root = Draft::authority("root").self_signed(&keys[0]);
    match reason {
        Stricter::Version1Leaf => {
            let leaf = Draft::server(HOST, &[]).into_version_1();
            (below(&root, leaf, &keys[1]), Untrusted::Unsupported)
        }
        Stricter::LeafIsCa => (
            below(&root, Fault::Ca.apply(server()), &keys[1]),
            Untrusted::InvalidCa,
        ),
        Stricter::CriticalPolicies => (
            below(&root, Fault::CriticalPolicies.apply(server()), &keys[1]),
            Untrusted::CriticalExtension,
        ),
        Stricter::NameSpelling => {
            let name = in_capitals(&root.draft.params.distinguished_name);
            let leaf = server().signed(&keys[1], name, root.key);
            (
                question(&[&leaf.der, &root.der], root.record(2, 0, 1)),
                Untrusted::UnknownIssuer,
            )
        }
        Stricter::NoBasicConstraints => {
            let anchor = authority("anchor", Fault::NoBasicConstraints).signed_by(&root, &keys[1]);
            (below(&anchor, server(), &keys[2]), Untrusted::InvalidCa)
        }
        // The path that comes too close is not the only one tried, and the last one decides the words.
        Stricter::PathLength => (self_issued(keys), Untrusted::Signature),
        Stricter::ManyCertificates => {
            let mut many = below(&root, server(), &keys[1]);
            let junk = Draft::authority("junk").self_signed(&keys[2]).der;
            many.chain.resize(17, junk);
            (many, Untrusted::TooLong)
        }
        Stricter::ManyIntermediates => (seven_intermediates(keys), Untrusted::TooLong),
        Stricter::ShortKey => {
            let key = ShortKey::new();
            let root = Draft::authority("short").self_signed(&key);
            (below(&root, server(), &keys[1]), Untrusted::Signature)
        }
        Stricter::MalformedUnderKey => {
            let root = authority("root", Fault::MalformedIdentifier).self_signed(&keys[0]);
            let leaf = server().signed_by(&root, &keys[1]);
            (
                question(&[&leaf.der, &root.der], root.record(2, 1, 0)),
                Untrusted::Malformed,
            )
        }
        Stricter::TrailingOctets => {
            let leaf = named_by(&[&general_names(&[HOST.as_bytes()])[..], &[0, 0]].concat());
            (below(&root, leaf, &keys[1]), Untrusted::Malformed)
        }
        Stricter::NameIsNoText => {
            let leaf = named_by(&general_names(&[HOST.as_bytes(), b"\xff.example.com"]));
            (below(&root, leaf, &keys[1]), Untrusted::Malformed)
        }
        Stricter::SteppedUp => {
            let mut leaf = server();
            let purpose = ExtendedKeyUsagePurpose::Other(vec![2, 16, 840, 1, 113_730, 4, 1]);
            leaf.params.extended_key_usages = vec![purpose];
            (below(&root, leaf, &keys[1]), Untrusted::Purpose)
        }
        Stricter::ExcludedByWildcard => {
            let root = authority("root", Fault::Excludes(HOST)).self_signed(&keys[0]);
            let leaf = Draft::server("no host", &["*.example.com"]);
            (below(&root, leaf, &keys[1]), Untrusted::NameConstraints)
        }
        Stricter::AnchorDates
        | Stricter::ConstrainedCommonName
        | Stricter::CommonNameEncoding
        | Stricter::KeyParameters
        | Stricter::LeafKey
        | Stricter::NonsenseInFullData => unreachable!("these have tests of their own"),
    }
}

#[test]
fn paths() {
    let keys = keys();
    let mut judge = Judge::new();
    for reason in [
        Stricter::Version1Leaf,
        Stricter::LeafIsCa,
        Stricter::CriticalPolicies,
        Stricter::NameSpelling,
        Stricter::NoBasicConstraints,
        Stricter::PathLength,
        Stricter::ManyCertificates,
        Stricter::ManyIntermediates,
        Stricter::ShortKey,
        Stricter::MalformedUnderKey,
        Stricter::TrailingOctets,
        Stricter::NameIsNoText,
        Stricter::SteppedUp,
        Stricter::ExcludedByWildcard,
    ] {
        let (question, expected) = shown(&keys, reason);
        refused_here(&mut judge, &question, VerifyFailure::Untrusted(expected), reason);
    }
}

fn refused_here(judge: &mut Judge, question: &Question, expected: VerifyFailure, reason: Stricter) {
    let theirs = judge.ask(question).verdict;
    assert!(
        matches!(theirs, Verdict::Verified { .. }),
        "{reason:?}: OpenSSL {theirs:?}"
    );
    let ours = verdict::ours(question).verdict;
    assert_eq!(ours, Err(expected), "{reason:?}");
}

/// The anchor is an intermediate whose time is over.
#[test]
fn anchor_dates() {
    let keys = keys();
    let root = Draft::authority("root").self_signed(&keys[0]);
    let mut judge = Judge::new();
    for (fault, expected) in [
        (Fault::Expired, VerifyFailure::Expired),
        (Fault::NotYetValid, VerifyFailure::NotYetValid),
    ] {
        let anchor = authority("anchor", fault).signed_by(&root, &keys[1]);
        let question = below(&anchor, server(), &keys[2]);
        refused_here(&mut judge, &question, expected, Stricter::AnchorDates);
    }
}

#[test]
fn constrained_common_name() {
    let keys = keys();
    let root = authority("root", Fault::Permits("example.com")).self_signed(&keys[0]);
    let question = below(&root, Draft::server(HOST, &[]), &keys[1]);
    let reason = Stricter::ConstrainedCommonName;
    refused_here(&mut Judge::new(), &question, VerifyFailure::NameMismatch, reason);
}

#[test]
fn common_name_encoding() {
    let keys = keys();
    let root = Draft::authority("root").self_signed(&keys[0]);
    let mut judge = Judge::new();
    for common_name in [
        DnValue::BmpString(HOST.try_into().unwrap()),
        DnValue::TeletexString(HOST.try_into().unwrap()),
    ] {
        let mut leaf = Draft::server(HOST, &[]);
        leaf.params.distinguished_name = DistinguishedName::new();
        leaf.params
            .distinguished_name
            .push(DnType::CommonName, common_name);
        let question = below(&root, leaf, &keys[1]);
        let reason = Stricter::CommonNameEncoding;
        refused_here(&mut judge, &question, VerifyFailure::NameMismatch, reason);
    }
}

/// A record matches, and the key is too short for the signature of a handshake.
#[test]
fn leaf_key() {
    let keys = keys();
    let root = Draft::authority("root").self_signed(&keys[0]);
    let key = ShortKey::new();
    let leaf = server().signed(&key, root.draft.params.distinguished_name.clone(), root.key);
    let mut judge = Judge::new();
    for record in [leaf.record(3, 1, 1), root.record(2, 0, 1)] {
        let question = question(&[&leaf.der, &root.der], record);
        let too_short = UnsupportedKey::ShortRsa { bits: 1024 };
        let expected = VerifyFailure::UnsupportedKey(too_short);
        refused_here(&mut judge, &question, expected, Stricter::LeafKey);
    }
}

/// The anchor is a bare key, and the NULL behind its OID is none.
#[test]
fn key_parameters() {
    let keys = keys();
    let key = keys
        .iter()
        .find(|key| key.algorithm() == &PKCS_RSA_SHA256)
        .unwrap();
    let root = Draft::authority("root").self_signed(key);
    let mut question = below(&root, server(), &keys[0]);
    let mut record = root.record(2, 1, 0);
    let null = record
        .data
        .windows(2)
        .position(|octets| octets == [5, 0])
        .unwrap();
    record.data[null] = 0x85;
    question.records = vec![record];
    let reason = Stricter::KeyParameters;
    refused_here(&mut Judge::new(), &question, VerifyFailure::NoMatch, reason);
}

/// A record that OpenSSL counts as unusable, so that the server would not be authenticated at all; here it counts, and
/// nothing matches it.
#[test]
fn nonsense_in_full_data() {
    let keys = keys();
    let leaf = server().self_signed(&keys[0]);
    let mut record = leaf.record(3, 1, 0);
    *record.data.last_mut().unwrap() ^= 1;
    let question = question(&[&leaf.der], record);
    assert_eq!(Judge::new().ask(&question).verdict, Verdict::NothingUsable);
    let ours = verdict::ours(&question);
    assert_eq!((ours.usable, ours.verdict), (1, Err(VerifyFailure::NoMatch)));
}

/// A server's draft with these octets as its alternative names.
fn named_by(general_names: &[u8]) -> Draft {
    let mut draft = Draft::server("no host", &[]);
    let extension = CustomExtension::from_oid_content(&[2, 5, 29, 17], general_names.to_vec());
    draft.params.custom_extensions.push(extension);
    draft
}

/// A `GeneralNames` with these DNS names, each of them text or not.
fn general_names(names: &[&[u8]]) -> Vec<u8> {
    let element =
        |tag: u8, contents: &[u8]| [&[tag, u8::try_from(contents.len()).unwrap()], contents].concat();
    let names: Vec<_> = names.iter().flat_map(|name| element(0x82, name)).collect();
    element(0x30, &names)
}

/// root → authority, path length 0 → its self-issued new key → leaf. RFC 5280 §4.2.1.9 does not count the last.
fn self_issued(keys: &[KeyPair]) -> Question {
    let root = Draft::authority("root").self_signed(&keys[0]);
    let old = authority("authority", Fault::PathLength(0)).signed_by(&root, &keys[1]);
    let mut draft = Draft::authority("authority");
    draft.params.use_authority_key_identifier_extension = true;
    let new = draft.signed_by(&old, &keys[2]);
    let mut leaf = server();
    leaf.params.use_authority_key_identifier_extension = true;
    let leaf = leaf.signed_by(&new, &keys[3]);
    question(&[&leaf.der, &new.der, &old.der, &root.der], root.record(2, 0, 1))
}

fn seven_intermediates(keys: &[KeyPair]) -> Question {
    let root = Draft::authority("root").self_signed(&keys[0]);
    let mut chain = vec![root];
    for (number, key) in keys[1..=7].iter().enumerate() {
        let next = Draft::authority(&format!("authority {number}")).signed_by(&chain[0], key);
        chain.insert(0, next);
    }
    let leaf = server().signed_by(&chain[0], &keys[8]);
    chain.insert(0, leaf);
    let sent: Vec<_> = chain.iter().map(|issued| &issued.der).collect();
    question(&sent, chain[8].record(2, 0, 1))
}

/// An RSA key of 1024 bits, in the hands of the `openssl` program.
struct ShortKey {
    public: Vec<u8>,
    file: PathBuf,
    _directory: tempfile::TempDir,
}

impl ShortKey {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("key.pem");
        let path = file.to_str().unwrap();
        process::run(process::command("openssl").args(["genrsa", "-out", path, "1024"]));
        let mut export = process::command("openssl");
        export.args(["rsa", "-in", path, "-RSAPublicKey_out", "-outform", "DER"]);
        let public = process::output(&mut export).stdout;
        Self {
            public,
            file,
            _directory: directory,
        }
    }
}

impl PublicKeyData for ShortKey {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_RSA_SHA256
    }
}

impl SigningKey for ShortKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let mut command = process::command("openssl");
        command.args(["dgst", "-sha256", "-sign"]).arg(&self.file);
        let mut signer = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        signer.stdin.take().unwrap().write_all(message).unwrap();
        Ok(signer.wait_with_output().unwrap().stdout)
    }
}
