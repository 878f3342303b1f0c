//! Keys of servers: which ones can prove anything, and what is said of the others.

use std::process::Command;

use dane::{
    Refusal, TlsaRecord, UnsupportedKey, VerifyFailure, WebPki, is_issued_by, provider, server_name,
    supported_key,
};
use rcgen::{Issuer, PKCS_RSA_SHA256, PublicKeyData, SignatureAlgorithm};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::openssl::{connect, start};
use crate::pki::{
    HOST, ThreeTier, ca_params, leaf_params, now, record, self_signed, signed_by, verdict, verdict_for,
};

/// A certificate for [`HOST`] that `openssl` made with a key of its own, in PEM form after the key.
struct Odd(String);

impl Odd {
    /// With a key that `openssl genpkey` makes from these arguments.
    fn with_key(genpkey: &str) -> Self {
        let key = openssl(&format!("genpkey {genpkey}"), "");
        let subject = format!("req -x509 -key /dev/stdin -days 30 -subj /CN={HOST}");
        let certificate = openssl(&format!("{subject} -addext basicConstraints=CA:FALSE"), &key);
        Self(key + &certificate)
    }

    fn der(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.0.as_bytes()).unwrap()
    }

    fn key(&self) -> RsaKey {
        let der = self.der();
        let (_, parsed) = x509_parser::parse_x509_certificate(&der).unwrap();
        RsaKey(parsed.public_key().subject_public_key.data.to_vec())
    }

    fn record(&self, usage: u8, selector: u8, matching: u8) -> TlsaRecord {
        TlsaRecord::for_certificate(usage.into(), selector.into(), matching.into(), &self.der()).unwrap()
    }
}

/// An `RSAPublicKey`.
struct RsaKey(Vec<u8>);

impl PublicKeyData for RsaKey {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_RSA_SHA256
    }
}

fn openssl(arguments: &str, input: &str) -> String {
    use std::io::Write;
    let mut child = Command::new("openssl")
        .args(arguments.split(' '))
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{arguments}");
    String::from_utf8(output.stdout).unwrap()
}

/// The chain's verdict and the handshake's agree for every kind of key; where the server sends such a certificate at all,
/// so do the reasons.
#[test]
fn a_matching_record_does_not_help_a_key_that_proves_nothing() {
    let short = |bits| Some(UnsupportedKey::ShortRsa { bits });
    for (genpkey, expected) in [
        ("-algorithm RSA -pkeyopt rsa_keygen_bits:1024", short(1024)),
        ("-algorithm RSA -pkeyopt rsa_keygen_bits:2047", short(2047)),
        ("-algorithm RSA -pkeyopt rsa_keygen_bits:2048", None),
        (
            "-algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048",
            Some(UnsupportedKey::Kind),
        ),
        ("-algorithm EC -pkeyopt ec_paramgen_curve:P-521", None),
        (
            "-algorithm EC -pkeyopt ec_paramgen_curve:P-224",
            Some(UnsupportedKey::Kind),
        ),
        (
            "-algorithm EC -pkeyopt ec_paramgen_curve:secp256k1",
            Some(UnsupportedKey::Kind),
        ),
        (
            "-algorithm EC -pkeyopt ec_paramgen_curve:brainpoolP256r1",
            Some(UnsupportedKey::Kind),
        ),
        ("-algorithm ED25519", None),
        ("-algorithm ED448", Some(UnsupportedKey::Kind)),
    ] {
        let server = Odd::with_key(genpkey);
        assert_eq!(supported_key(&server.der()).err(), expected, "{genpkey}");
        let record = server.record(3, 1, 1);
        let alone = verdict(&[server.der()], std::slice::from_ref(&record)).map(|found| found.depth);
        let refused = expected.map(VerifyFailure::UnsupportedKey);
        assert_eq!(alone, refused.map_or(Ok(0), Err), "{genpkey}");
        for version in ["-tls1_2", "-tls1_3"] {
            let listening = start(&server.0, &server.0, "", version);
            let live = connect(&listening, std::slice::from_ref(&record));
            // The groups on offer are the curves that TLS 1.2 lets a key be on (RFC 8422 §5.1).
            if genpkey.ends_with("P-521") && version == "-tls1_2" {
                assert_eq!(live, Err(None), "{genpkey} {version}");
                continue;
            }
            match (live, refused) {
                // Or the server did not show its certificate to a client that cannot use it.
                (Ok(_), None) | (Err(None), Some(VerifyFailure::UnsupportedKey(UnsupportedKey::Kind))) => {}
                (Err(Some(reason)), Some(refused)) => {
                    assert_eq!(reason, Refusal::Dane(refused), "{genpkey} {version}");
                }
                (live, _) => panic!("{genpkey} {version}: {live:?}"),
            }
        }
    }
}

#[test]
fn the_key_is_looked_at_after_records_and_path() {
    let odd = Odd::with_key("-algorithm RSA -pkeyopt rsa_keygen_bits:1024");
    let short = VerifyFailure::UnsupportedKey(UnsupportedKey::ShortRsa { bits: 1024 });
    assert_eq!(
        verdict(&[odd.der()], &[odd.record(3, 1, 2)]),
        Err(short),
        "matching"
    );
    let other = record((3, 1, 1), &self_signed(leaf_params(&[HOST])));
    assert_eq!(
        verdict(&[odd.der()], &[other]),
        Err(VerifyFailure::NoMatch),
        "matching nothing"
    );
    // An anchor whose key is supported, above a leaf whose key is not.
    let root = self_signed(ca_params("root"));
    let leaf = leaf_params(&[HOST])
        .signed_by(&odd.key(), &Issuer::from_params(&root.params, &root.key))
        .unwrap();
    let leaf = leaf.der().clone();
    let chain = [leaf, root.der.clone()];
    let anchor = [record((2, 0, 1), &root)];
    assert_eq!(verdict_for(&chain, &anchor, &[HOST]), Err(short));
    assert_eq!(
        verdict_for(&chain, &anchor, &["other.example"]),
        Err(VerifyFailure::NameMismatch)
    );
    assert_eq!(
        (short.log_words(), short.code().to_string()),
        (
            "TLS handshake: unsupported key",
            "66 (EE certificate key too weak)".to_owned()
        )
    );

    let mut roots = RootCertStore::empty();
    roots.add(root.der.clone()).unwrap();
    let webpki = WebPki::new(roots.into(), &provider(&[])).unwrap();
    let failure = webpki
        .verify_chain(&chain, &server_name(HOST).unwrap(), now())
        .unwrap_err();
    assert_eq!(VerifyFailure::from(failure), short);
}

#[test]
fn issuers_are_told_by_name_and_signature() {
    let world = ThreeTier::new();
    let [root, middle, leaf] = [&world.root, &world.intermediate, &world.leaf].map(|issued| &issued.der);
    for (certificate, issuer, expected) in [
        (leaf, middle, true),
        (middle, root, true),
        (root, root, true),
        (leaf, root, false),
        (middle, leaf, false),
        (leaf, leaf, false),
    ] {
        assert_eq!(is_issued_by(certificate, issuer), Ok(expected));
    }
    let namesake = self_signed(ca_params("intermediate"));
    assert_eq!(is_issued_by(leaf, &namesake.der), Ok(false));
    assert_eq!(is_issued_by(leaf, &b"no certificate"[..].into()), Ok(false));
    let odd = Odd::with_key("-algorithm RSA -pkeyopt rsa_keygen_bits:1024").der();
    assert_eq!(
        is_issued_by(&odd, &odd),
        Err(UnsupportedKey::ShortRsa { bits: 1024 })
    );
    let expired = {
        let mut params = leaf_params(&[HOST]);
        params.not_after = rcgen::date_time_ymd(2001, 1, 1);
        signed_by(&world.intermediate, params)
    };
    assert_eq!(is_issued_by(&expired.der, middle), Ok(true), "whatever the date");
}
