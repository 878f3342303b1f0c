//! How a host became one of the destination's, and which names its certificate may have because of that.

use dane::ReferenceIdentifiers;
use mail::{Domain, Security};

/// How a host became one of the destination's.
pub(super) enum Origin<'a> {
    /// Through an MX record of this next-hop domain (the first name), whose fully expanded name is the second.
    Mx(Security, &'a Domain, &'a Domain),
    /// Through the absence of MX records, or by configuration.
    Itself(Security),
}

impl Origin<'_> {
    /// The status of the answer that named it.
    pub(super) fn security(&self) -> Security {
        match self {
            Self::Mx(security, ..) | Self::Itself(security) => *security,
        }
    }
}

/// The names that a certificate under a DANE-TA record may have (RFC 7672 §3.2.2): the base domain; after a secure MX
/// also the next-hop domain and its expansion; without MX also the original name if the base is its expansion. Names that
/// cannot occur in a certificate need not be looked for there.
pub(super) fn reference_identifiers(
    base: &Domain,
    name: &Domain,
    expanded: Option<&Domain>,
    origin: &Origin<'_>,
) -> ReferenceIdentifiers {
    let also: Vec<&Domain> = match origin {
        Origin::Mx(Security::Secure, next_hop, expanded) => vec![next_hop, expanded],
        Origin::Itself(_) if expanded == Some(base) => vec![name],
        Origin::Itself(_) | Origin::Mx(Security::Insecure, ..) => Vec::new(),
    };
    let base = ReferenceIdentifiers::new(base.as_str()).unwrap_or_else(|_| ReferenceIdentifiers::none());
    also.into_iter().fold(base, |references, name| {
        let more = references.clone().and(name.as_str());
        more.unwrap_or(references)
    })
}
