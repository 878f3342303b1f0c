//! The receiving side's keys and certificates, and the TLSA records for them.

use aws_lc_rs::digest::{SHA256, digest};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PublicKeyData,
};
use std::fmt::Write;

/// One server certificate under one private authority, known to no public root.
pub struct Certificates {
    /// Key, certificate and the authority's certificate, PEM, in the order in which Postfix wants them.
    pub key_and_chain: String,
    /// `3 1 1`: the server's public key.
    pub end_entity: String,
    /// `2 0 1`: the authority's certificate.
    pub authority: String,
}

impl Certificates {
    /// Makes a server certificate for these names.
    pub fn new(names: &[&str]) -> Self {
        let authority_key = KeyPair::generate().unwrap();
        let authority_params = authority_params();
        let authority_certificate = authority_params.self_signed(&authority_key).unwrap();
        let issuer = Issuer::new(authority_params, authority_key);

        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name = DistinguishedName::new();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        Self {
            key_and_chain: [
                key.serialize_pem(),
                certificate.pem(),
                authority_certificate.pem(),
            ]
            .concat(),
            end_entity: tlsa("3 1 1", &key.subject_public_key_info()),
            authority: tlsa("2 0 1", authority_certificate.der()),
        }
    }
}

/// A `3 1 1` record for a key that nobody has.
pub fn wrong_tlsa() -> String {
    tlsa("3 1 1", b"no such key")
}

fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, "Private Test Authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn tlsa(parameters: &str, data: &[u8]) -> String {
    let mut record = format!("{parameters} ");
    for octet in digest(&SHA256, data).as_ref() {
        write!(record, "{octet:02x}").unwrap();
    }
    record
}
