//! What the client offers, read from its first octets, and what it takes for an answer.

use std::sync::Arc;

use dane::{
    ClientConfigs, DaneVerifier, Group, RecordingVerifier, ReferenceIdentifiers, TlsVersion, TlsaSet,
    provider, server_name,
};
use rustls::{ClientConfig, ClientConnection};

use crate::pki::{HOST, ThreeTier, record};

const SERVER_NAME: u16 = 0;
const SERVER_CERTIFICATE_TYPE: u16 = 20;
const PRE_SHARED_KEY: u16 = 41;
const SUPPORTED_VERSIONS: u16 = 43;

/// Forward secrecy, a certificate and an AEAD of 128 bits or more, all of them; the last is no suite but the signal of
/// RFC 5746 §3.3.
const SUITES: [u16; 10] = [
    0x1301, 0x1302, 0x1303, 0xc02b, 0xc02c, 0xc02f, 0xc030, 0xcca8, 0xcca9, 0x00ff,
];

struct Hello {
    suites: Vec<u16>,
    extensions: Vec<(u16, Vec<u8>)>,
}

impl Hello {
    fn of(config: Arc<ClientConfig>) -> Self {
        let name = server_name("MX1.Example.COM.").unwrap();
        let mut client = ClientConnection::new(config, name).unwrap();
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        // The headers of record and handshake, a version, and 32 random octets.
        let mut rest = &wire[5 + 4 + 2 + 32..];
        let _session = take(&mut rest, 1);
        let suites = take(&mut rest, 2)
            .chunks(2)
            .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
            .collect();
        assert_eq!(take(&mut rest, 1), [0], "no compression");
        let mut block = take(&mut rest, 2);
        let mut extensions = Vec::new();
        while !block.is_empty() {
            let number = u16::from_be_bytes([block[0], block[1]]);
            block = &block[2..];
            extensions.push((number, take(&mut block, 2).to_vec()));
        }
        Self { suites, extensions }
    }

    fn extension(&self, number: u16) -> Option<&[u8]> {
        let found = self.extensions.iter().find(|(own, _)| *own == number)?;
        Some(&found.1)
    }
}

/// A vector behind a length of one or two octets.
fn take<'a>(rest: &mut &'a [u8], width: usize) -> &'a [u8] {
    let length = rest[..width]
        .iter()
        .fold(0, |sum, octet| sum * 256 + usize::from(*octet));
    let (vector, after) = rest[width..].split_at(length);
    *rest = after;
    vector
}

/// The configurations of a connection under a DANE-TA record and of one where nobody is authenticated.
fn both(minimum: TlsVersion) -> [Arc<ClientConfig>; 2] {
    let groups = Arc::new(provider(&[Group::X25519, Group::P256]));
    let configs = ClientConfigs::new(groups, minimum).unwrap();
    let set = TlsaSet::new(vec![record((2, 0, 1), &ThreeTier::new().root)]);
    let references = ReferenceIdentifiers::new(HOST).unwrap();
    let dane = DaneVerifier::new(set, references, configs.provider());
    let recording = RecordingVerifier::new(configs.provider());
    [configs.dane(&dane), configs.recording(&recording)]
}

#[test]
fn the_offer_is_current_and_has_the_name() {
    for (minimum, versions) in [
        (TlsVersion::Tls12, &[4, 3, 4, 3, 3][..]),
        (TlsVersion::Tls13, &[2, 3, 4]),
    ] {
        for config in both(minimum) {
            let hello = Hello::of(config);
            assert_eq!(hello.extension(SUPPORTED_VERSIONS), Some(versions));
            assert!(!hello.suites.is_empty());
            for suite in &hello.suites {
                assert!(SUITES.contains(suite), "{suite:#06x}");
            }
            let name = hello.extension(SERVER_NAME).unwrap();
            assert!(
                name[5..].eq_ignore_ascii_case(HOST.as_bytes()),
                "no dot at the end"
            );
            assert_eq!(
                hello.extension(SERVER_CERTIFICATE_TYPE),
                None,
                "no raw public keys"
            );
            assert_eq!(hello.extension(PRE_SHARED_KEY), None, "no session is resumed");
        }
    }
}

#[test]
fn an_answer_in_an_older_version_ends_the_handshake() {
    for minor in [0, 1, 2] {
        for config in both(TlsVersion::Tls12) {
            let mut client = ClientConnection::new(config, server_name(HOST).unwrap()).unwrap();
            client.write_tls(&mut Vec::new()).unwrap();
            // ServerHello: version, random, no session, ECDHE_RSA_WITH_AES_128_GCM_SHA256, no compression.
            let mut hello = vec![22, 3, minor, 0, 42, 2, 0, 0, 38, 3, minor];
            hello.extend([7; 32]);
            hello.extend([0, 0xc0, 0x2f, 0]);
            assert_eq!(hello.len(), 5 + 42);
            client.read_tls(&mut hello.as_slice()).unwrap();
            let refused = client.process_new_packets().unwrap_err();
            assert!(
                matches!(refused, rustls::Error::PeerIncompatible(_)),
                "version 3.{minor}: {refused:?}"
            );
        }
    }
}
