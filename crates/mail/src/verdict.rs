//! The closed set of values of the log field `dane=`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::LookupFailure;

/// What DANE found for the last host tried.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DaneVerdict {
    /// No host was reached, so there is nothing to say: `-`.
    NotReached,
    /// Secure MX (or a configured host), and the server authenticated itself.
    Verify,
    /// The server authenticated itself, but an insecure MX record named it (RFC 7672 §2.2.1).
    VerifyHostOnly,
    /// Secure TLSA records, none usable: encrypted, not authenticated (RFC 7672 §2.2).
    EncryptNoUsable,
    /// DANE did not apply.
    Skip(SkipReason),
    /// DANE failed, but the policy said to deliver anyway (RFC 7672 §9.1).
    Softfail(FailCause),
    /// DANE failed, and nothing was delivered.
    Fail(FailCause),
}

/// Why DANE did not apply.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SkipReason {
    /// The host's addresses are not secure.
    InsecureHost,
    /// No TLSA records, or insecure ones.
    NoSecureTlsa,
    /// The MX records are not secure, and the policy then ignores TLSA.
    InsecureMx,
    /// The MX records are not secure, and TLSA records then only require TLS, by the policy. The log says the same.
    EncryptInsecureMx,
    /// The destination is an address.
    AddressLiteral,
    /// `dane = "off"`.
    DisabledByPolicy,
    /// The message waived it (RFC 8689 §4.2.2).
    TlsRequiredNo,
    /// An entry of a danefail list.
    Danefail {
        /// The list's file name or URL.
        source: String,
        /// The line in it, from 1.
        line: usize,
    },
    /// A dated exception; the date is RFC 3339's full-date.
    Exception {
        /// The last day on which it applies.
        until: String,
    },
}

/// Why DANE failed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FailCause {
    /// The MX look-up gave no answer.
    MxLookup(LookupFailure),
    /// Neither address family gave a usable answer.
    AddressLookup(LookupFailure),
    /// The TLSA look-up gave no answer.
    TlsaLookup(LookupFailure),
    /// Insecure MX records although secure ones are demanded.
    InsecureMx,
    /// Insecure addresses although secure ones are demanded.
    InsecureHost,
    /// No secure TLSA records although they are demanded.
    NoSecureTlsa,
    /// No usable TLSA records although they are demanded.
    NoUsableTlsa,
    /// The certificate matches no TLSA record.
    NoMatchingTlsa,
    /// The server did not offer STARTTLS.
    StarttlsNotOffered,
    /// The server refused STARTTLS.
    StarttlsRefused,
    /// The handshake failed; the alert or error in a few words.
    TlsHandshake(String),
    /// A trust anchor matched, but not the names.
    NameMismatch,
    /// A trust anchor matched, but a certificate is not valid now.
    Expired,
    /// A trust anchor matched, but the path to it is not valid.
    Untrusted,
}

impl fmt::Display for DaneVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotReached => f.write_str("-"),
            Self::Verify => f.write_str("Verify (Secure TLSA RRs found)"),
            Self::VerifyHostOnly => f.write_str("Verify host only (Insecure MX)"),
            Self::EncryptNoUsable => f.write_str("Encrypt (No usable TLSA RRs)"),
            Self::Skip(reason) => write!(f, "Skip ({reason})"),
            Self::Softfail(cause) => write!(f, "Softfail ({cause})"),
            Self::Fail(cause) => write!(f, "Fail ({cause})"),
        }
    }
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InsecureHost => f.write_str("Insecure host information"),
            Self::NoSecureTlsa => f.write_str("No secure TLSA RRs"),
            Self::InsecureMx | Self::EncryptInsecureMx => f.write_str("Insecure MX"),
            Self::AddressLiteral => f.write_str("Address literal"),
            Self::DisabledByPolicy => f.write_str("Disabled by policy"),
            Self::TlsRequiredNo => f.write_str("TLS-Required: No"),
            Self::Danefail { source, line } => write!(f, "danefail {source}:{line}"),
            Self::Exception { until } => write!(f, "Exception until {until}"),
        }
    }
}

impl fmt::Display for FailCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MxLookup(cause) => write!(f, "MX lookup: {cause}"),
            Self::AddressLookup(cause) => write!(f, "Address lookup: {cause}"),
            Self::TlsaLookup(cause) => write!(f, "TLSA lookup: {cause}"),
            Self::InsecureMx => f.write_str("Insecure MX"),
            Self::InsecureHost => f.write_str("Insecure host information"),
            Self::NoSecureTlsa => f.write_str("No secure TLSA RRs"),
            Self::NoUsableTlsa => f.write_str("No usable TLSA RRs"),
            Self::NoMatchingTlsa => f.write_str("No matching TLSA RRs"),
            Self::StarttlsNotOffered => f.write_str("STARTTLS not offered"),
            Self::StarttlsRefused => f.write_str("STARTTLS refused"),
            Self::TlsHandshake(error) => write!(f, "TLS handshake: {error}"),
            Self::NameMismatch => f.write_str("DANE-TA: name mismatch"),
            Self::Expired => f.write_str("DANE-TA: expired"),
            Self::Untrusted => f.write_str("DANE-TA: untrusted"),
        }
    }
}
