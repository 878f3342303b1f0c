//! Why a domain's live policy is not known.

use mail::{FailedLookup, TlsResult};

use crate::policy::PolicyFault;
use crate::record::RecordFault;

/// Why a domain's live policy is not known. A policy in the cache counts all the same; without one, mail goes on as if the
/// domain had none (RFC 8461 §3.3).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// The look-up of the TXT record failed.
    #[error("the look-up of the _mta-sts record failed: {0}")]
    Lookup(FailedLookup),
    /// What is published is not a record.
    #[error("the _mta-sts record is invalid: {0}")]
    Record(#[from] RecordFault),
    /// There is a record, but the policy could not be had.
    #[error("the policy could not be fetched: {0}")]
    Fetch(#[from] FetchFailure),
}

/// Why a policy could not be had from its host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchFailure {
    /// The look-up of the host's addresses failed.
    #[error("the look-up of the policy host's addresses failed: {0}")]
    Lookup(FailedLookup),
    /// It has none.
    #[error("the policy host has no address")]
    NoAddress,
    /// No connection; the system's words.
    #[error("no connection to the policy host: {0}")]
    Unreachable(String),
    /// Our proxy gave no connection, whether it cannot or will not; its address and the reason.
    #[error("{0}")]
    Proxy(String),
    /// The certificate does not prove that it is the policy host; what is wrong with it.
    #[error("the policy host's certificate is not accepted: {0}")]
    Certificate(String),
    /// TLS or HTTP broke; the library's words.
    #[error("the exchange with the policy host failed: {0}")]
    Broken(String),
    /// It refers to another address, which must not be followed (RFC 8461 §3.3).
    #[error("the policy host refers to another address, which must not be followed")]
    Redirect,
    /// The status is not 200.
    #[error("the policy host answers with the status {0}, and only 200 counts")]
    Status(u16),
    /// The media type is not `text/plain`.
    #[error("the policy is not text/plain, but {0}")]
    MediaType(String),
    /// The policy is larger than so many octets.
    #[error("the policy is larger than {0} octets")]
    TooLarge(usize),
    /// All of it took longer than so many seconds.
    #[error("the policy host took longer than {0} seconds")]
    TimedOut(u64),
    /// What was fetched is not a policy.
    #[error("what was fetched is not a policy: {0}")]
    Policy(#[from] PolicyFault),
    /// Too many fetches are under way. It is the only one that is our own, and says nothing about the host.
    #[error("too many policies are being fetched")]
    Busy,
}

impl Trouble {
    /// What a TLS report calls it (RFC 8460 §4.3.2.2).
    pub fn tls_result(&self) -> TlsResult {
        match self {
            Self::Lookup(_) => TlsResult::StsPolicyFetchError,
            Self::Record(_) => TlsResult::StsPolicyInvalid,
            Self::Fetch(failure) => failure.tls_result(),
        }
    }

    /// Whether it shows that something is published, be it no valid record.
    pub fn shows_a_record(&self) -> bool {
        match self {
            Self::Lookup(_) => false,
            Self::Record(_) | Self::Fetch(_) => true,
        }
    }

    /// Whether it says nothing about the domain, because it is for our own limits or our own resolver.
    pub fn is_ours(&self) -> bool {
        match self {
            Self::Lookup(failure) | Self::Fetch(FetchFailure::Lookup(failure)) => failure.culprit.is_ours(),
            Self::Fetch(FetchFailure::Busy | FetchFailure::Proxy(_)) => true,
            Self::Record(_)
            | Self::Fetch(
                FetchFailure::NoAddress
                | FetchFailure::Unreachable(_)
                | FetchFailure::Certificate(_)
                | FetchFailure::Broken(_)
                | FetchFailure::Redirect
                | FetchFailure::Status(_)
                | FetchFailure::MediaType(_)
                | FetchFailure::TooLarge(_)
                | FetchFailure::TimedOut(_)
                | FetchFailure::Policy(_),
            ) => false,
        }
    }
}

impl FetchFailure {
    fn tls_result(&self) -> TlsResult {
        match self {
            Self::Certificate(_) => TlsResult::StsWebpkiInvalid,
            Self::Policy(_) | Self::MediaType(_) => TlsResult::StsPolicyInvalid,
            Self::Lookup(_)
            | Self::NoAddress
            | Self::Unreachable(_)
            | Self::Proxy(_)
            | Self::Broken(_)
            | Self::Redirect
            | Self::Status(_)
            | Self::TooLarge(_)
            | Self::TimedOut(_)
            | Self::Busy => TlsResult::StsPolicyFetchError,
        }
    }
}
