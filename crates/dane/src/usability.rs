//! Which records of a TLSA RRset count: usability (RFC 6698 §4.1, RFC 7672 §3.1) and digest agility
//! (RFC 7671 §9).

use aws_lc_rs::digest::{SHA256_OUTPUT_LEN, SHA512_OUTPUT_LEN};

use crate::der::{Fields, spki_contents};
use crate::tlsa::{MatchingType, Selector, TlsaRecord, Usage};

/// Why a record cannot be used. Such a record still says that the host speaks TLS (RFC 7672 §2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// PKIX-TA(0) or PKIX-EE(1), which SMTP does not define (RFC 7672 §3.1.3).
    #[error("certificate usages 0 and 1 are not defined for SMTP")]
    PkixUsage,
    /// A certificate usage above 3.
    #[error("unknown certificate usage")]
    UnknownUsage,
    /// A selector above 1.
    #[error("unknown selector")]
    UnknownSelector,
    /// A matching type above 2.
    #[error("unknown matching type")]
    UnknownMatchingType,
    /// The digest is known, but disabled by the caller's [`DigestOrder`].
    #[error("digest algorithm switched off")]
    DigestDisabled,
    /// No association data at all.
    #[error("no association data")]
    Empty,
    /// The data does not have the length of its digest.
    #[error("the digest has the wrong length")]
    DigestLength,
    /// Matching type Full(0) whose data is not a certificate.
    #[error("the data is not a certificate")]
    NotACertificate,
    /// Matching type Full(0) whose data is not a public key.
    #[error("the data is not a public key")]
    NotAPublicKey,
}

/// A digest algorithm of TLSA records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digest {
    /// Matching type 1.
    Sha256,
    /// Matching type 2.
    Sha512,
}

/// The digests in use, strongest first (RFC 7671 §9 leaves the order to the client). The default is
/// SHA2-512 before SHA2-256; a digest that is left out makes its records unusable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigestOrder(Vec<Digest>);

impl Default for DigestOrder {
    fn default() -> Self {
        Self(vec![Digest::Sha512, Digest::Sha256])
    }
}

impl DigestOrder {
    /// An order of the caller's choice, strongest first.
    pub fn new(strongest_first: Vec<Digest>) -> Self {
        Self(strongest_first)
    }

    fn rank(&self, digest: Digest) -> Option<usize> {
        self.0.iter().position(|known| *known == digest)
    }
}

/// Whether one record can be used with the default digests, and if not, why.
pub fn usability(record: &TlsaRecord) -> Result<(), Unusable> {
    usability_with(record, &DigestOrder::default())
}

fn usability_with(record: &TlsaRecord, order: &DigestOrder) -> Result<(), Unusable> {
    match record.usage {
        Usage::DaneTa | Usage::DaneEe => {}
        Usage::PkixTa | Usage::PkixEe => return Err(Unusable::PkixUsage),
        Usage::Other(_) => return Err(Unusable::UnknownUsage),
    }
    if let Selector::Other(_) = record.selector {
        return Err(Unusable::UnknownSelector);
    }
    if let MatchingType::Other(_) = record.matching {
        return Err(Unusable::UnknownMatchingType);
    }
    if record.data.is_empty() {
        return Err(Unusable::Empty);
    }
    match digest_of(record.matching) {
        None => full_data(record),
        Some((digest, length)) => {
            if order.rank(digest).is_none() {
                return Err(Unusable::DigestDisabled);
            }
            if record.data.len() != length {
                return Err(Unusable::DigestLength);
            }
            Ok(())
        }
    }
}

fn digest_of(matching: MatchingType) -> Option<(Digest, usize)> {
    match matching {
        MatchingType::Sha256 => Some((Digest::Sha256, SHA256_OUTPUT_LEN)),
        MatchingType::Sha512 => Some((Digest::Sha512, SHA512_OUTPUT_LEN)),
        MatchingType::Full | MatchingType::Other(_) => None,
    }
}

/// Full(0) data must be the object that the selector names (RFC 6698 §2.1.3).
fn full_data(record: &TlsaRecord) -> Result<(), Unusable> {
    match record.selector {
        Selector::Cert if Fields::read(&record.data).is_none() => Err(Unusable::NotACertificate),
        Selector::Spki if spki_contents(&record.data).is_none() => Err(Unusable::NotAPublicKey),
        Selector::Cert | Selector::Spki => Ok(()),
        Selector::Other(_) => Err(Unusable::UnknownSelector),
    }
}

/// A TLSA RRset, sorted by usability.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct TlsaSet {
    usable: Vec<TlsaRecord>,
    outranked: Vec<TlsaRecord>,
    unusable: Vec<(TlsaRecord, Unusable)>,
}

impl TlsaSet {
    /// Sorts an RRset with SHA2-512 as the strongest digest.
    pub fn new(records: Vec<TlsaRecord>) -> Self {
        Self::with_digests(records, &DigestOrder::default())
    }

    /// Sorts an RRset by the caller's order of digests.
    ///
    /// First the unusable records are set aside. Then, separately for each pair of usage and selector, only the records with
    /// the strongest digest present and those with matching type Full(0) are kept (RFC 7671 §9), so that a publisher can
    /// move to a stronger digest and clients no longer depend on the weaker one.
    pub fn with_digests(records: Vec<TlsaRecord>, order: &DigestOrder) -> Self {
        let mut set = Self::default();
        let mut candidates = Vec::with_capacity(records.len());
        for record in records {
            match usability_with(&record, order) {
                Ok(()) => candidates.push(record),
                Err(reason) => set.unusable.push((record, reason)),
            }
        }
        let ranks: Vec<_> = [Usage::DaneTa, Usage::DaneEe]
            .into_iter()
            .flat_map(|usage| [(usage, Selector::Cert), (usage, Selector::Spki)])
            .map(|group| (group, strongest(&candidates, group, order)))
            .collect();
        for record in candidates {
            let group = (record.usage, record.selector);
            let best = ranks
                .iter()
                .find(|(g, _)| *g == group)
                .and_then(|(_, best)| *best);
            match rank_of(&record, order) {
                Some(rank) if Some(rank) != best => set.outranked.push(record),
                Some(_) | None => set.usable.push(record),
            }
        }
        set
    }

    /// The records of which one must match.
    pub fn usable(&self) -> &[TlsaRecord] {
        &self.usable
    }

    /// Usable records that are ignored because their group has a stronger digest.
    pub fn outranked(&self) -> &[TlsaRecord] {
        &self.outranked
    }

    /// The records that cannot be used, each with the reason.
    pub fn unusable(&self) -> &[(TlsaRecord, Unusable)] {
        &self.unusable
    }

    /// Number of records of which one must match.
    pub fn usable_count(&self) -> usize {
        self.usable.len()
    }

    /// Whether the set can authenticate a server. If not, but the RRset was secure and not empty, TLS is
    /// required without authentication (RFC 7672 §2.2).
    pub fn is_usable(&self) -> bool {
        !self.usable.is_empty()
    }

    /// Number of records in the RRset.
    pub fn len(&self) -> usize {
        self.usable.len() + self.outranked.len() + self.unusable.len()
    }

    /// Whether the RRset had no records at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Position in the order of digests, 0 the strongest; `None` for Full(0).
fn rank_of(record: &TlsaRecord, order: &DigestOrder) -> Option<usize> {
    digest_of(record.matching).and_then(|(digest, _)| order.rank(digest))
}

fn strongest(records: &[TlsaRecord], group: (Usage, Selector), order: &DigestOrder) -> Option<usize> {
    records
        .iter()
        .filter(|record| (record.usage, record.selector) == group)
        .filter_map(|record| rank_of(record, order))
        .min()
}
