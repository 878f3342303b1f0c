//! A certificate as the server presented it; what TLSA records are compared with is computed at most once.

use std::borrow::Cow;
use std::cell::OnceCell;

use aws_lc_rs::digest::{self, Digest};
use rustls::pki_types::CertificateDer;

use crate::der::Fields;
use crate::tlsa::{MatchingType, Selector, TlsaRecord, Usage};

/// One certificate of the server's `Certificate` message.
///
/// Digests are kept, so that a large TLSA RRset costs comparisons, not hashing.
pub(crate) struct Presented<'a> {
    pub(crate) der: &'a CertificateDer<'a>,
    /// `None` if the certificate cannot be read.
    pub(crate) fields: Option<Fields<'a>>,
    certificate: Digests,
    spki: Digests,
}

#[derive(Default)]
struct Digests {
    sha256: OnceCell<Digest>,
    sha512: OnceCell<Digest>,
}

impl<'a> Presented<'a> {
    pub(crate) fn new(der: &'a CertificateDer<'a>) -> Self {
        Self {
            der,
            fields: Fields::read(der.as_ref()),
            certificate: Digests::default(),
            spki: Digests::default(),
        }
    }

    /// Whether selector, matching type and data match this certificate (RFC 6698 §2.1).
    pub(crate) fn matches(&self, record: &TlsaRecord) -> bool {
        self.association_data(record.selector, record.matching)
            .is_some_and(|data| *data == *record.data)
    }

    /// The octets that a matching record contains; `None` for unknown field values or an unreadable key.
    pub(crate) fn association_data(
        &self,
        selector: Selector,
        matching: MatchingType,
    ) -> Option<Cow<'_, [u8]>> {
        let (object, digests) = match selector {
            Selector::Cert => (self.der.as_ref(), &self.certificate),
            Selector::Spki => (self.fields?.spki, &self.spki),
            Selector::Other(_) => return None,
        };
        let digest = match matching {
            MatchingType::Full => return Some(Cow::Borrowed(object)),
            MatchingType::Sha256 => digests
                .sha256
                .get_or_init(|| digest::digest(&digest::SHA256, object)),
            MatchingType::Sha512 => digests
                .sha512
                .get_or_init(|| digest::digest(&digest::SHA512, object)),
            MatchingType::Other(_) => return None,
        };
        Some(Cow::Borrowed(digest.as_ref()))
    }
}

impl TlsaRecord {
    /// The record that an administrator publishes for `certificate`.
    ///
    /// `None` if a selector or matching type is unknown, or if the certificate's key cannot be found.
    pub fn for_certificate(
        usage: Usage,
        selector: Selector,
        matching: MatchingType,
        certificate: &CertificateDer<'_>,
    ) -> Option<Self> {
        let presented = Presented::new(certificate);
        let data = presented.association_data(selector, matching)?.into_owned();
        Some(Self {
            usage,
            selector,
            matching,
            data,
        })
    }

    /// The position in `chain`, 0 for the server's own, of the certificate that the record matches. Usages for the server's
    /// own certificate are compared with that one, the others with the rest (RFC 6698 §2.1.1). Says nothing about dates or
    /// names.
    pub fn place_in(&self, chain: &[CertificateDer<'_>]) -> Option<usize> {
        let mut numbered = chain.iter().enumerate();
        let (depth, _) = match self.usage {
            Usage::DaneEe | Usage::PkixEe => numbered.next().filter(|(_, own)| self.matches(own))?,
            Usage::DaneTa | Usage::PkixTa | Usage::Other(_) => {
                numbered.skip(1).find(|(_, issuer)| self.matches(issuer))?
            }
        };
        Some(depth)
    }

    /// Whether the record's selector, matching type and data match `certificate`. Says nothing about usage, dates or names:
    /// see [`crate::verify_chain`].
    pub fn matches(&self, certificate: &CertificateDer<'_>) -> bool {
        Presented::new(certificate).matches(self)
    }
}
