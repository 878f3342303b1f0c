//! Whole handshakes in memory: what a proof requires, in TLS 1.2 and TLS 1.3.

use std::sync::Arc;

use dane::{
    ClientConfigs, DaneVerifier, Group, PkixFailure, PkixVerifier, RecordingVerifier, ReferenceIdentifiers,
    Refusal, TlsVersion, TlsaRecord, TlsaSet, Untrusted, VerifyFailure, WebPki, WebPkiVerdict, provider,
    server_name,
};
use rcgen::{
    KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256,
    SignatureAlgorithm,
};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, Error, ProtocolVersion, RootCertStore, ServerConfig, ServerConnection,
    SupportedProtocolVersion,
};

use crate::pki::{
    HOST, Issued, ThreeTier, ca_params, chain, leaf_params, record, self_signed, self_signed_with, signed_by,
    signed_by_with, stale,
};

const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// Sends one chain and signs with one key, whether they belong together or not; keeps the SNI it saw.
#[derive(Debug)]
struct Server(Arc<CertifiedKey>);

impl ResolvesServerCert for Server {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        assert_eq!(hello.server_name(), Some(HOST));
        Some(self.0.clone())
    }
}

fn server(
    version: &'static SupportedProtocolVersion,
    chain: Vec<CertificateDer<'static>>,
    key: &KeyPair,
) -> Arc<ServerConfig> {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let key = aws_lc_rs::sign::any_supported_type(&key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Server(Arc::new(CertifiedKey::new(chain, key)))));
    Arc::new(config)
}

/// Runs a handshake to its end; the client's error, if it refused.
fn shake(client: &mut ClientConnection, server: &Arc<ServerConfig>) -> Result<(), Error> {
    let mut server = ServerConnection::new(server.clone()).unwrap();
    while client.is_handshaking() || server.is_handshaking() || server.wants_write() {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        let mut input = wire.as_slice();
        while !input.is_empty() {
            server.read_tls(&mut input).unwrap();
            server.process_new_packets().unwrap();
        }
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        let mut input = wire.as_slice();
        while !input.is_empty() {
            client.read_tls(&mut input).unwrap();
            client.process_new_packets()?;
        }
    }
    Ok(())
}

fn configs() -> ClientConfigs {
    let groups = [Group::X25519, Group::P256];
    ClientConfigs::new(Arc::new(provider(&groups)), TlsVersion::Tls12).unwrap()
}

fn connect(config: Arc<ClientConfig>) -> ClientConnection {
    ClientConnection::new(config, server_name(HOST).unwrap()).unwrap()
}

fn dane(records: Vec<TlsaRecord>) -> Arc<DaneVerifier> {
    let references = ReferenceIdentifiers::new(HOST).unwrap();
    DaneVerifier::new(TlsaSet::new(records), references, configs().provider())
}

fn key_of(algorithm: &'static SignatureAlgorithm) -> KeyPair {
    KeyPair::generate_for(algorithm).unwrap()
}

#[test]
fn the_right_key_gives_one_proof() {
    for algorithm in [
        &PKCS_RSA_SHA256,
        &PKCS_ECDSA_P256_SHA256,
        &PKCS_ECDSA_P384_SHA384,
        &PKCS_ED25519,
    ] {
        let leaf = self_signed_with(leaf_params(&[]), key_of(algorithm));
        for version in VERSIONS {
            let verifier = dane(vec![record((3, 1, 1), &leaf)]);
            let mut client = connect(configs().dane(&verifier));
            assert!(verifier.proof(&client).is_none(), "before the handshake");
            shake(&mut client, &server(version, chain(&[&leaf]), &leaf.key)).unwrap();
            assert_eq!(client.protocol_version(), Some(version.version));
            let proof = verifier.proof(&client).expect("a proof");
            assert_eq!(proof.matched().record, record((3, 1, 1), &leaf));
            assert!(verifier.proof(&client).is_none(), "a second proof");
            assert_eq!(verifier.refusal(), None);
        }
    }
}

#[test]
fn the_right_chain_with_the_wrong_key_is_refused() {
    for algorithm in [&PKCS_RSA_SHA256, &PKCS_ECDSA_P256_SHA256, &PKCS_ED25519] {
        let root = self_signed(ca_params("root"));
        let own = signed_by_with(&root, leaf_params(&[HOST]), key_of(algorithm));
        let replayed = chain(&[&own, &root]);
        let thief = key_of(algorithm);
        for version in VERSIONS {
            for record in [record((3, 1, 1), &own), record((2, 0, 1), &root)] {
                let verifier = dane(vec![record.clone()]);
                let mut client = connect(configs().dane(&verifier));
                let config = server(version, replayed.clone(), &thief);
                assert!(shake(&mut client, &config).is_err(), "{version:?} {record}");
                assert!(verifier.proof(&client).is_none());
                assert_eq!(verifier.refusal(), Some(Refusal::Signature));

                let verifier = dane(vec![record]);
                let mut client = connect(configs().dane(&verifier));
                shake(&mut client, &server(version, replayed.clone(), &own.key)).unwrap();
                assert!(verifier.proof(&client).is_some(), "with the right key");
            }
        }
    }
}

#[test]
fn a_mismatch_is_refused_with_its_reason() {
    let world = ThreeTier::new();
    let other = signed_by(&world.root, leaf_params(&["other.example"]));
    for version in VERSIONS {
        for (leaf, record, reason) in [
            (
                &world.leaf,
                stale(record((3, 1, 1), &world.leaf)),
                VerifyFailure::NoMatch,
            ),
            (
                &other,
                record((2, 0, 1), &world.root),
                VerifyFailure::NameMismatch,
            ),
        ] {
            let verifier = dane(vec![record]);
            let mut client = connect(configs().dane(&verifier));
            let sent = chain(&[leaf, &world.intermediate, &world.root]);
            let error = shake(&mut client, &server(version, sent, &leaf.key)).unwrap_err();
            assert!(matches!(error, Error::InvalidCertificate(_)), "{error:?}");
            assert_eq!(verifier.refusal(), Some(Refusal::Dane(reason)));
            assert!(verifier.proof(&client).is_none());
        }
    }
}

#[test]
fn a_set_without_usable_records_authenticates_nobody() {
    let world = ThreeTier::new();
    let verifier = dane(vec![record((1, 1, 1), &world.leaf)]);
    let mut client = connect(configs().dane(&verifier));
    let config = server(&TLS13, world.chain(), &world.leaf.key);
    assert!(shake(&mut client, &config).is_err());
    assert_eq!(verifier.refusal(), Some(Refusal::Dane(VerifyFailure::NoMatch)));
}

#[test]
fn a_verifier_is_for_one_connection() {
    let world = ThreeTier::new();
    for version in VERSIONS {
        let config = server(version, world.chain(), &world.leaf.key);
        let verifier = dane(vec![record((3, 1, 1), &world.leaf)]);
        let client_config = configs().dane(&verifier);
        let mut first = connect(client_config.clone());
        shake(&mut first, &config).unwrap();
        let mut second = connect(client_config);
        assert!(shake(&mut second, &config).is_err(), "used twice");
        assert!(verifier.proof(&second).is_none());
        assert!(verifier.proof(&first).is_some());
    }
}

#[test]
fn the_webpki_verifier_checks_root_name_and_key() {
    let world = ThreeTier::new();
    let (trusted, webpki) = (configs(), webpki_of(&world.root));
    for version in VERSIONS {
        let attempt = |host: &str, sent: Vec<CertificateDer<'static>>, key: &KeyPair| {
            let verifier = PkixVerifier::new(&webpki, server_name(host).unwrap());
            let mut client = connect(trusted.pkix(&verifier));
            let outcome = shake(&mut client, &server(version, sent, key));
            let proof = verifier.proof(&client);
            assert_eq!(outcome.is_ok(), proof.is_some());
            assert!(verifier.proof(&client).is_none());
            proof.ok_or(verifier.refusal())
        };
        let proof = attempt(HOST, world.chain(), &world.leaf.key).unwrap();
        assert_eq!(proof.host(), &server_name(HOST).unwrap());
        assert_eq!(
            attempt("other.example.com", world.chain(), &world.leaf.key),
            Err(Some(Refusal::Pkix(PkixFailure::NameMismatch)))
        );
        assert_eq!(
            attempt(HOST, world.chain(), &KeyPair::generate().unwrap()),
            Err(Some(Refusal::Signature))
        );
        let stranger = self_signed(leaf_params(&[HOST]));
        assert_eq!(
            attempt(HOST, chain(&[&stranger]), &stranger.key),
            Err(Some(Refusal::Pkix(PkixFailure::Untrusted(Untrusted::SelfSigned))))
        );
    }
}

fn webpki_of(root: &Issued) -> WebPki {
    let mut roots = RootCertStore::empty();
    roots.add(root.der.clone()).unwrap();
    WebPki::new(Arc::new(roots), configs().provider()).unwrap()
}

#[test]
fn dane_and_webpki_together_need_both() {
    let world = ThreeTier::new();
    let attempt = |records: Vec<TlsaRecord>, root: &Issued| {
        let verifier = DaneVerifier::and_webpki(
            TlsaSet::new(records),
            ReferenceIdentifiers::new(HOST).unwrap(),
            &webpki_of(root),
            server_name(HOST).unwrap(),
        );
        let mut client = connect(configs().dane(&verifier));
        let _ = shake(&mut client, &server(&TLS13, world.chain(), &world.leaf.key));
        match verifier.proof(&client) {
            Some(proof) => Ok(proof.pkix().is_some()),
            None => Err(verifier.refusal()),
        }
    };
    let good = record((3, 1, 1), &world.leaf);
    let stranger = self_signed(ca_params("stranger"));
    assert_eq!(attempt(vec![good.clone()], &world.root), Ok(true));
    let not_dane = Some(Refusal::Dane(VerifyFailure::NoMatch));
    assert_eq!(attempt(vec![stale(good.clone())], &world.root), Err(not_dane));
    let untrusted = PkixFailure::Untrusted(Untrusted::SelfSignedInChain);
    assert_eq!(
        attempt(vec![good], &stranger),
        Err(Some(Refusal::Pkix(untrusted)))
    );
}

#[test]
fn the_recording_verifier_accepts_and_tells() {
    let leaf = self_signed(leaf_params(&["unrelated.example"]));
    let world = ThreeTier::new();
    for version in VERSIONS {
        let configs = configs();
        let host = server_name(HOST).unwrap();
        let webpki = webpki_of(&world.root);
        let verifier = RecordingVerifier::with_webpki(configs.provider(), &webpki, host);
        assert_eq!(verifier.observed(), None);
        let mut client = connect(configs.recording(&verifier));
        shake(&mut client, &server(version, chain(&[&leaf]), &leaf.key)).unwrap();
        let seen = verifier.observed().unwrap();
        assert_eq!(seen.chain, chain(&[&leaf]));
        let code = seen.webpki.code().unwrap();
        assert_eq!(code.to_string(), "18 (self-signed certificate)");

        let plain = RecordingVerifier::new(configs.provider());
        let mut client = connect(configs.recording(&plain));
        shake(&mut client, &server(version, world.chain(), &world.leaf.key)).unwrap();
        assert_eq!(plain.observed().unwrap().webpki, WebPkiVerdict::NotAsked);
    }
}

#[test]
fn no_configuration_ever_resumes() {
    let world = ThreeTier::new();
    for version in VERSIONS {
        let config = server(version, world.chain(), &world.leaf.key);
        let configs = configs();
        for _ in 0..3 {
            let verifier = dane(vec![record((3, 1, 1), &world.leaf)]);
            let mut client = connect(configs.dane(&verifier));
            shake(&mut client, &config).unwrap();
            assert_eq!(client.handshake_kind(), Some(rustls::HandshakeKind::Full));
            assert!(verifier.proof(&client).is_some());
        }
    }
}

#[test]
fn the_minimum_version_is_kept() {
    let world = ThreeTier::new();
    let groups = Arc::new(provider(&[Group::X25519MlKem768, Group::X25519]));
    let strict = ClientConfigs::new(groups, TlsVersion::Tls13).unwrap();
    let verifier = dane(vec![record((3, 1, 1), &world.leaf)]);
    let mut client = connect(strict.dane(&verifier));
    shake(&mut client, &server(&TLS13, world.chain(), &world.leaf.key)).unwrap();
    assert_eq!(client.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    assert_eq!(strict.provider().kx_groups.len(), 2);
}

#[test]
fn a_server_that_was_refused_is_known_by_what_it_showed() {
    let tiers = ThreeTier::new();
    let sent = tiers.chain();
    for version in VERSIONS {
        let other = self_signed(leaf_params(&[]));
        let verifier = dane(vec![record((3, 1, 1), &other)]);
        let mut client = connect(configs().dane(&verifier));
        assert!(verifier.refused().is_empty());
        shake(&mut client, &server(version, sent.clone(), &tiers.leaf.key)).unwrap_err();
        assert_eq!(verifier.refused(), sent);

        let verifier = dane(vec![record((3, 1, 1), &tiers.leaf)]);
        let mut client = connect(configs().dane(&verifier));
        shake(&mut client, &server(version, sent.clone(), &other.key)).unwrap_err();
        assert_eq!(verifier.refusal(), Some(Refusal::Signature));
        assert_eq!(verifier.refused(), sent[..1]);
    }
}
