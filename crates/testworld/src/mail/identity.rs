//! A server's identity: a certificate chain, a private key, and the TLSA records that match them (RFC 6698 §2.1).

use aws_lc_rs::digest;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::WorldError;

/// The kind of a server's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyKind {
    /// ECDSA on P-256.
    #[default]
    EcdsaP256,
    /// RSA with 2048 bits.
    Rsa2048,
    /// Ed25519.
    Ed25519,
}

impl KeyKind {
    fn generate(self) -> Result<KeyPair, WorldError> {
        let algorithm = match self {
            Self::EcdsaP256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            Self::Rsa2048 => &rcgen::PKCS_RSA_SHA256,
            Self::Ed25519 => &rcgen::PKCS_ED25519,
        };
        Ok(KeyPair::generate_for(algorithm)?)
    }
}

/// The validity dates of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Validity {
    /// Valid now and for long.
    #[default]
    Valid,
    /// Ran out in 2001.
    Expired,
    /// Begins in 2990.
    NotYet,
}

/// A private certification authority.
pub struct Ca {
    certificate: CertificateDer<'static>,
    spki: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
}

impl Ca {
    /// A CA with a self-signed certificate of this common name.
    pub fn new(name: &str) -> Result<Self, WorldError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key)?.der().clone();
        let spki = key.subject_public_key_info();
        Ok(Self {
            certificate,
            spki,
            issuer: Issuer::new(params, key),
        })
    }

    /// A certificate for these names, followed by the CA's own in the chain.
    pub fn issue(&self, names: &[&str]) -> Result<Identity, WorldError> {
        Identity::builder(names).issue(self)
    }

    /// The CA's certificate in DER.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }
}

/// A certificate to be made.
#[derive(Debug, Clone)]
pub struct IdentityBuilder {
    names: Vec<String>,
    key: KeyKind,
    validity: Validity,
    is_ca: IsCa,
}

impl IdentityBuilder {
    /// With this kind of key.
    #[must_use]
    pub fn key(self, key: KeyKind) -> Self {
        Self { key, ..self }
    }

    /// With these validity dates.
    #[must_use]
    pub fn validity(self, validity: Validity) -> Self {
        Self { validity, ..self }
    }

    /// Marked as a certificate authority's, as `openssl req -x509` does.
    #[must_use]
    pub fn authority(self) -> Self {
        let is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self { is_ca, ..self }
    }

    /// Signed by its own key.
    pub fn self_signed(self) -> Result<Identity, WorldError> {
        let key = self.key.generate()?;
        let certificate = self.params()?.self_signed(&key)?.der().clone();
        let spki = key.subject_public_key_info();
        Ok(Identity {
            chain: vec![certificate],
            key: key.serialize_der(),
            leaf_spki: spki.clone(),
            anchor_spki: spki,
        })
    }

    /// Signed by a CA; the chain is the certificate and the CA's.
    pub fn issue(self, ca: &Ca) -> Result<Identity, WorldError> {
        let key = self.key.generate()?;
        let certificate = self.params()?.signed_by(&key, &ca.issuer)?.der().clone();
        Ok(Identity {
            chain: vec![certificate, ca.certificate.clone()],
            key: key.serialize_der(),
            leaf_spki: key.subject_public_key_info(),
            anchor_spki: ca.spki.clone(),
        })
    }

    fn params(&self) -> Result<CertificateParams, WorldError> {
        let mut params = CertificateParams::new(self.names.clone())?;
        let common_name = self.names.first().map_or("nobody", String::as_str);
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.is_ca = self.is_ca;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        (params.not_before, params.not_after) = match self.validity {
            Validity::Valid => (date_time_ymd(2020, 1, 1), date_time_ymd(2999, 1, 1)),
            Validity::Expired => (date_time_ymd(2000, 1, 1), date_time_ymd(2001, 1, 1)),
            Validity::NotYet => (date_time_ymd(2990, 1, 1), date_time_ymd(2999, 1, 1)),
        };
        Ok(params)
    }
}

/// A chain as it is sent, leaf first, and a private key.
#[derive(Clone)]
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    /// PKCS #8.
    key: Vec<u8>,
    leaf_spki: Vec<u8>,
    anchor_spki: Vec<u8>,
}

impl Identity {
    /// Starts a certificate for these DNS names.
    pub fn builder(names: &[&str]) -> IdentityBuilder {
        IdentityBuilder {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            key: KeyKind::default(),
            validity: Validity::default(),
            is_ca: IsCa::ExplicitNoCa,
        }
    }

    /// A self-signed certificate for these names.
    pub fn self_signed(names: &[&str]) -> Result<Self, WorldError> {
        Self::builder(names).self_signed()
    }

    /// This chain with the private key of another identity: what an attacker has who copied the public chain. The keys must
    /// be of one kind, or the handshake finds no common scheme.
    #[must_use]
    pub fn with_key_of(mut self, other: &Self) -> Self {
        self.key.clone_from(&other.key);
        self
    }

    /// This identity with only the leaf in the chain.
    #[must_use]
    pub fn without_issuer(mut self) -> Self {
        self.chain.truncate(1);
        self
    }

    /// The chain in DER, leaf first.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// The private key.
    pub fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.clone()))
    }

    /// The data of a TLSA record. Usages 0 and 2 refer to the last certificate of the chain, 1 and 3 to the leaf; selector 0
    /// is the certificate, anything else its public key; matching types 1 and 2 are SHA-256 and SHA-512, anything else gives
    /// the full data, so that unusable records can be made too.
    pub fn tlsa(&self, usage: u8, selector: u8, matching: u8) -> String {
        let anchor = matches!(usage, 0 | 2);
        let certificate = if anchor {
            self.chain.last()
        } else {
            self.chain.first()
        };
        let selected = match selector {
            0 => certificate.map_or(&[][..], |certificate| certificate.as_ref()),
            _ if anchor => &self.anchor_spki,
            _ => &self.leaf_spki,
        };
        let data = match matching {
            1 => hex(digest::digest(&digest::SHA256, selected).as_ref()),
            2 => hex(digest::digest(&digest::SHA512, selected).as_ref()),
            _ => hex(selected),
        };
        format!("{usage} {selector} {matching} {data}")
    }

    /// DANE-EE, public key, SHA-256: what RFC 7672 §3.1.1 recommends.
    pub fn tlsa_3_1_1(&self) -> String {
        self.tlsa(3, 1, 1)
    }

    /// DANE-TA, certificate, SHA-256.
    pub fn tlsa_2_0_1(&self) -> String {
        self.tlsa(2, 0, 1)
    }

    /// DANE-TA, public key, SHA-256.
    pub fn tlsa_2_1_1(&self) -> String {
        self.tlsa(2, 1, 1)
    }
}

fn hex(octets: &[u8]) -> String {
    octets
        .iter()
        .fold(String::with_capacity(octets.len() * 2), |mut text, octet| {
            for nibble in [octet >> 4, octet & 15] {
                text.extend(char::from_digit(u32::from(nibble), 16));
            }
            text
        })
}
