//! One zone: its keys, how it is signed, and what is wrong with that.

use std::time::{SystemTime, UNIX_EPOCH};

use hickory_proto::dnssec::crypto::{EcdsaSigningKey, Ed25519SigningKey, RsaSigningKey};
use hickory_proto::dnssec::rdata::{DNSKEY, DNSSECRData, DS, RRSIG, SigInput};
use hickory_proto::dnssec::{self, DigestType, SigningKey, TBS};
use hickory_proto::rr::{DNSClass, Name, RData, Record, SerialNumber};
use rustls::pki_types::PrivatePkcs8KeyDer;

use crate::WorldError;

/// The algorithm that signs a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Algorithm {
    /// ECDSA P-256 with SHA-256 (13, RFC 6605): what most zones use today.
    #[default]
    EcdsaP256,
    /// Ed25519 (15, RFC 8080).
    Ed25519,
    /// RSA with SHA-256 (8, RFC 5702), 2048 bits; its larger answers make truncation likely.
    RsaSha256,
}

/// How a zone denies names and types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Denial {
    /// NSEC (RFC 4034 §4).
    #[default]
    Nsec,
    /// NSEC3 (RFC 5155), without salt.
    Nsec3 {
        /// Additional iterations; validators treat many as insecure or bogus (RFC 9276).
        iterations: u16,
        /// Whether unsigned delegations are left out of the chain (RFC 5155 §6).
        span: Span,
    },
}

/// Which delegations the NSEC3 chain names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// All of them.
    Full,
    /// Only signed ones: the opt-out flag is set.
    OptOut,
}

/// The DNSSEC state that a zone is meant to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Status {
    /// Signed, with a DS in its parent.
    #[default]
    Signed,
    /// Not signed; the parent proves that there is no DS.
    Unsigned,
    /// The parent has a DS, yet nothing in the zone validates.
    Bogus(Bogus),
}

/// What makes a zone bogus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bogus {
    /// Signed by a key other than the one published under that tag.
    WrongKey,
    /// The parent's DS belongs to a key that the zone does not have.
    DsMismatch,
    /// The signatures ran out yesterday.
    Expired,
    /// The parent has a DS, the zone has no signatures at all.
    NoSignatures,
}

/// A zone cut of the tree; the records live in the tree itself.
pub(crate) struct Zone {
    pub(crate) apex: Name,
    pub(crate) status: Status,
    pub(crate) denial: Denial,
    key: ZoneKey,
    /// A key that the zone does not publish, for the ways of being bogus that need one.
    other_key: ZoneKey,
}

impl Zone {
    pub(crate) fn new(
        apex: Name,
        algorithm: Algorithm,
        denial: Denial,
        status: Status,
    ) -> Result<Self, WorldError> {
        Ok(Self {
            apex,
            status,
            denial,
            key: ZoneKey::generate(algorithm)?,
            other_key: ZoneKey::generate(algorithm)?,
        })
    }

    /// Whether its answers carry signatures and denials.
    pub(crate) fn serves_signatures(&self) -> bool {
        match self.status {
            Status::Signed | Status::Bogus(Bogus::WrongKey | Bogus::DsMismatch | Bogus::Expired) => true,
            Status::Unsigned | Status::Bogus(Bogus::NoSignatures) => false,
        }
    }

    pub(crate) fn dnskey(&self) -> &DNSKEY {
        &self.key.dnskey
    }

    /// The DS that the parent publishes, none for an unsigned zone.
    pub(crate) fn ds(&self) -> Result<Option<RData>, WorldError> {
        let key = match self.status {
            Status::Unsigned => return Ok(None),
            Status::Bogus(Bogus::DsMismatch) => &self.other_key,
            Status::Signed | Status::Bogus(Bogus::WrongKey | Bogus::Expired | Bogus::NoSignatures) => {
                &self.key
            }
        };
        let ds = key.ds(&self.apex)?;
        Ok(Some(RData::DNSSEC(DNSSECRData::DS(ds))))
    }

    /// The DS of the key that the zone really has: for the root, the trust anchor.
    pub(crate) fn own_ds(&self) -> Result<DS, WorldError> {
        self.key.ds(&self.apex)
    }

    /// The RRSIG over one record set, fresh each time: nothing has to be signed again when a record changes.
    /// All of `rrset` must share owner, type and TTL.
    pub(crate) fn sign(&self, rrset: &[Record]) -> Result<Option<Record>, WorldError> {
        let Some(first) = rrset.first() else {
            return Ok(None);
        };
        let (inception, expiration) = self.validity();
        let input = SigInput {
            type_covered: first.record_type(),
            algorithm: self.key.signing.algorithm(),
            num_labels: first.name.num_labels(),
            original_ttl: first.ttl,
            sig_expiration: SerialNumber::new(expiration),
            sig_inception: SerialNumber::new(inception),
            key_tag: self.key.tag,
            signer_name: self.apex.clone(),
        };
        let tbs =
            TBS::from_input(&first.name, DNSClass::IN, &input, rrset.iter()).map_err(WorldError::signing)?;
        let signer = match self.status {
            Status::Bogus(Bogus::WrongKey) => &self.other_key,
            Status::Signed
            | Status::Unsigned
            | Status::Bogus(Bogus::DsMismatch | Bogus::Expired | Bogus::NoSignatures) => &self.key,
        };
        let signature = signer.signing.sign(&tbs).map_err(WorldError::signing)?;
        let rrsig = RRSIG::from_sig(input, signature);
        Ok(Some(Record::from_rdata(
            first.name.clone(),
            first.ttl,
            RData::DNSSEC(DNSSECRData::RRSIG(rrsig)),
        )))
    }

    /// Inception and expiration, in seconds since the epoch (RFC 4034 §3.1.5).
    fn validity(&self) -> (u32, u32) {
        const HOUR: u32 = 3600;
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = u32::try_from(since_epoch.as_secs()).unwrap_or(u32::MAX);
        match self.status {
            Status::Bogus(Bogus::Expired) => (now.saturating_sub(72 * HOUR), now.saturating_sub(24 * HOUR)),
            Status::Signed
            | Status::Unsigned
            | Status::Bogus(Bogus::WrongKey | Bogus::DsMismatch | Bogus::NoSignatures) => {
                (now.saturating_sub(HOUR), now.saturating_add(24 * HOUR))
            }
        }
    }
}

/// One key that signs everything in its zone, the DNSKEY record set included.
struct ZoneKey {
    signing: Box<dyn SigningKey>,
    dnskey: DNSKEY,
    tag: u16,
}

impl ZoneKey {
    fn generate(algorithm: Algorithm) -> Result<Self, WorldError> {
        let signing: Box<dyn SigningKey> = match algorithm {
            Algorithm::EcdsaP256 => {
                let algorithm = dnssec::Algorithm::ECDSAP256SHA256;
                let der = EcdsaSigningKey::generate_pkcs8(algorithm).map_err(WorldError::signing)?;
                Box::new(EcdsaSigningKey::from_pkcs8(&der, algorithm).map_err(WorldError::signing)?)
            }
            Algorithm::Ed25519 => {
                let der = Ed25519SigningKey::generate_pkcs8().map_err(WorldError::signing)?;
                Box::new(Ed25519SigningKey::from_pkcs8(&der).map_err(WorldError::signing)?)
            }
            Algorithm::RsaSha256 => {
                let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256)?;
                let der = PrivatePkcs8KeyDer::from(pair.serialize_der());
                let algorithm = dnssec::Algorithm::RSASHA256;
                Box::new(RsaSigningKey::from_pkcs8(&der, algorithm).map_err(WorldError::signing)?)
            }
        };
        let public = signing.to_public_key().map_err(WorldError::signing)?;
        let dnskey = DNSKEY::from_key(&public);
        let tag = dnskey.calculate_key_tag().map_err(WorldError::signing)?;
        Ok(Self { signing, dnskey, tag })
    }

    fn ds(&self, apex: &Name) -> Result<DS, WorldError> {
        let digest = self
            .dnskey
            .to_digest(apex, DigestType::SHA256)
            .map_err(WorldError::signing)?;
        let algorithm = self.signing.algorithm();
        Ok(DS::new(
            self.tag,
            algorithm,
            DigestType::SHA256,
            digest.as_ref().to_vec(),
        ))
    }
}
