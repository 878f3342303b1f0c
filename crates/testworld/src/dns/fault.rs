//! What the name server does wrong, and where.

use std::time::Duration;

use hickory_proto::rr::{Name, RecordType};

/// One way of answering badly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DnsFault {
    /// RCODE 2.
    ServFail,
    /// RCODE 5.
    Refused,
    /// RCODE 4, as some load balancers answer TLSA questions.
    NotImp,
    /// No answer at all.
    Silence,
    /// The right answer, delayed by this much.
    Delay(Duration),
    /// NXDOMAIN instead of NODATA, as broken servers answer for an empty non-terminal.
    NxDomain,
    /// NXDOMAIN with validly signed proofs, although names stand below the name: what a signer says that forgets empty
    /// non-terminals.
    SignedNxDomain,
    /// The right answer of a server that does not speak for the zone: without the AA bit.
    NotAuthoritative,
    /// The answer without RRSIG, NSEC and NSEC3, whatever was asked for.
    StripDnssec,
    /// One bit of each signature is wrong.
    BadSignature,
    /// The authority section is left out: no denial, and no proof that a wildcard applies.
    NoProof,
    /// NOERROR without records, and with only the unsigned SOA of this zone of the world as authority.
    ForgedNoData(String),
    /// NXDOMAIN in the same manner.
    ForgedNxDomain(String),
    /// The validly signed records of the wildcard beside the name, returned for the name although it exists.
    ReplayedWildcard,
    /// Over UDP only the truncation flag; TCP answers properly.
    Truncate,
    /// Octets that are no DNS message but carry the right ID.
    Malformed,
}

/// Which questions a fault meets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Questions {
    /// One name, one type.
    Of(String, RecordType),
    /// One name, all types.
    At(String),
    /// A name and everything under it; `.` for all.
    Below(String),
}

/// [`Questions`] with its name parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    Of(Name, RecordType),
    At(Name),
    Below(Name),
}

impl Scope {
    pub(crate) fn parse(questions: &Questions) -> Result<Self, crate::WorldError> {
        use super::rdata::parse_name;
        Ok(match questions {
            Questions::Of(name, record_type) => Self::Of(parse_name(name)?, *record_type),
            Questions::At(name) => Self::At(parse_name(name)?),
            Questions::Below(name) => Self::Below(parse_name(name)?),
        })
    }

    pub(crate) fn meets(&self, name: &Name, record_type: RecordType) -> bool {
        match self {
            Self::Of(owner, only) => owner == name && *only == record_type,
            Self::At(owner) => owner == name,
            Self::Below(top) => top.zone_of(name),
        }
    }
}
