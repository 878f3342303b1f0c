//! One zone: its keys, how it is signed, and how its signing is broken.

use std::time::{SystemTime, UNIX_EPOCH};

use hickory_proto::dnssec::crypto::{EcdsaSigningKey, Ed25519SigningKey, RsaSigningKey};
use hickory_proto::dnssec::rdata::{DNSKEY, DNSSECRData, DS, RRSIG, SigInput};
use hickory_proto::dnssec::{self, DigestType, PublicKey as _, PublicKeyBuf, SigningKey, TBS};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType, SerialNumber};
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
    /// Compact denial (RFC 9824): one NSEC for each answer, made for the name asked about, and NOERROR even if that name
    /// does not exist. Records from a wildcard are signed as the name's own.
    Compact,
}

/// The keys of a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Keys {
    /// One that signs everything.
    #[default]
    Combined,
    /// A key-signing key, which the parent's DS names and which signs only the key set, and a zone-signing key for
    /// everything else.
    Split,
    /// The same, but the zone-signing key also signs the key set.
    SplitBothSign,
}

/// When signatures are valid, in seconds from the moment of the answer; negative means earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// The inception.
    pub from: i32,
    /// The expiration.
    pub until: i32,
}

impl Default for Validity {
    /// From an hour ago to tomorrow.
    fn default() -> Self {
        Self {
            from: -HOUR,
            until: 24 * HOUR,
        }
    }
}

const HOUR: i32 = 3600;

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
    /// The signatures expired two days ago, longer than any tolerated clock error.
    Expired,
    /// The parent has a DS, the zone has no signatures at all.
    NoSignatures,
}

/// A zone cut of the tree; the records live in the tree itself.
pub(crate) struct Zone {
    pub(crate) apex: Name,
    pub(crate) status: Status,
    pub(crate) denial: Denial,
    validity: Validity,
    /// The key that the parent's DS names.
    key: ZoneKey,
    /// The zone-signing key, if it is a different one, and whether it also signs the key set.
    data_key: Option<(ZoneKey, bool)>,
    /// A key that the zone does not publish, for the kinds of bogus zone that need one.
    other_key: ZoneKey,
}

/// How a zone is signed.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Signing {
    pub(crate) status: Status,
    pub(crate) algorithm: Algorithm,
    pub(crate) keys: Keys,
    pub(crate) denial: Denial,
    pub(crate) validity: Validity,
}

impl Zone {
    pub(crate) fn new(apex: Name, signing: Signing) -> Result<Self, WorldError> {
        let algorithm = signing.algorithm;
        let data_key = match signing.keys {
            Keys::Combined => None,
            Keys::Split => Some((ZoneKey::generate(algorithm, Purpose::Data)?, false)),
            Keys::SplitBothSign => Some((ZoneKey::generate(algorithm, Purpose::Data)?, true)),
        };
        Ok(Self {
            apex,
            status: signing.status,
            denial: signing.denial,
            validity: signing.validity,
            key: ZoneKey::generate(algorithm, Purpose::Keys)?,
            data_key,
            other_key: ZoneKey::generate(algorithm, Purpose::Keys)?,
        })
    }

    /// Whether its answers carry signatures and denials.
    pub(crate) fn serves_signatures(&self) -> bool {
        match self.status {
            Status::Signed | Status::Bogus(Bogus::WrongKey | Bogus::DsMismatch | Bogus::Expired) => true,
            Status::Unsigned | Status::Bogus(Bogus::NoSignatures) => false,
        }
    }

    /// The key that the parent's DS names.
    pub(crate) fn dnskey(&self) -> &DNSKEY {
        &self.key.dnskey
    }

    /// The whole key set.
    pub(crate) fn dnskeys(&self) -> impl Iterator<Item = &DNSKEY> {
        let other = self.data_key.as_ref().map(|(key, _)| &key.dnskey);
        std::iter::once(&self.key.dnskey).chain(other)
    }

    /// The DS that the parent publishes; `None` for an unsigned zone.
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

    /// The DS of the zone's real key: for the root, the trust anchor.
    pub(crate) fn own_ds(&self) -> Result<DS, WorldError> {
        self.key.ds(&self.apex)
    }

    /// The RRSIGs over one record set, fresh each time: nothing has to be signed again when a record changes.
    /// All of `rrset` must share owner, type and TTL.
    pub(crate) fn sign(&self, rrset: &[Record]) -> Result<Vec<Record>, WorldError> {
        let Some(first) = rrset.first() else {
            return Ok(Vec::new());
        };
        let signers = match (&self.data_key, first.record_type()) {
            (None, _) | (Some((_, false)), RecordType::DNSKEY) => vec![&self.key],
            (Some((other, true)), RecordType::DNSKEY) => vec![&self.key, other],
            (Some((other, _)), _) => vec![other],
        };
        let signed = signers.into_iter().map(|key| self.signature(first, rrset, key));
        signed.collect()
    }

    fn signature(&self, first: &Record, rrset: &[Record], key: &ZoneKey) -> Result<Record, WorldError> {
        let (inception, expiration) = self.validity();
        let input = SigInput {
            type_covered: first.record_type(),
            algorithm: key.signing.algorithm(),
            num_labels: first.name.num_labels(),
            original_ttl: first.ttl,
            sig_expiration: SerialNumber::new(expiration),
            sig_inception: SerialNumber::new(inception),
            key_tag: key.tag,
            signer_name: self.apex.clone(),
        };
        let tbs =
            TBS::from_input(&first.name, DNSClass::IN, &input, rrset.iter()).map_err(WorldError::signing)?;
        let signer = match self.status {
            Status::Bogus(Bogus::WrongKey) => &self.other_key,
            Status::Signed
            | Status::Unsigned
            | Status::Bogus(Bogus::DsMismatch | Bogus::Expired | Bogus::NoSignatures) => key,
        };
        let signature = signer.signing.sign(&tbs).map_err(WorldError::signing)?;
        let rrsig = RRSIG::from_sig(input, signature);
        Ok(Record::from_rdata(
            first.name.clone(),
            first.ttl,
            RData::DNSSEC(DNSSECRData::RRSIG(rrsig)),
        ))
    }

    /// Inception and expiration, in seconds since the epoch (RFC 4034 §3.1.5).
    fn validity(&self) -> (u32, u32) {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = u32::try_from(since_epoch.as_secs()).unwrap_or(u32::MAX);
        let Validity { from, until } = match self.status {
            Status::Bogus(Bogus::Expired) => Validity {
                from: -96 * HOUR,
                until: -48 * HOUR,
            },
            Status::Signed
            | Status::Unsigned
            | Status::Bogus(Bogus::WrongKey | Bogus::DsMismatch | Bogus::NoSignatures) => self.validity,
        };
        (now.saturating_add_signed(from), now.saturating_add_signed(until))
    }
}

/// What a key is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// Signing the key set, and all else where there is no other: it has the SEP flag (RFC 4034 §2.1.1).
    Keys,
    /// Signing everything but the key set.
    Data,
}

struct ZoneKey {
    signing: Box<dyn SigningKey>,
    dnskey: DNSKEY,
    tag: u16,
}

impl ZoneKey {
    fn generate(algorithm: Algorithm, purpose: Purpose) -> Result<Self, WorldError> {
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
        let dnskey = match purpose {
            Purpose::Keys => DNSKEY::from_key(&public),
            Purpose::Data => {
                let octets = public.public_bytes().to_vec();
                DNSKEY::new(true, false, false, PublicKeyBuf::new(octets, public.algorithm()))
            }
        };
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
