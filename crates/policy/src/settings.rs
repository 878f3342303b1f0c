//! What the policy says about one destination and one receiving host, as input for the decision.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

use jiff::civil::Date;
use mail::NextHop;
use serde::{Deserialize, Serialize};

use crate::login::Login;

/// A key of `[default]` or of a rule that says something about mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Key {
    /// [`DestinationPolicy::dane`].
    Dane,
    /// [`DestinationPolicy::insecure_mx`].
    InsecureMx,
    /// [`DestinationPolicy::tls`].
    Tls,
    /// [`DestinationPolicy::mta_sts`].
    MtaSts,
    /// [`DestinationPolicy::honor_tls_required_no`].
    HonorTlsRequiredNo,
    /// [`DestinationPolicy::route`].
    Route,
    /// [`DestinationPolicy::fallback`].
    Fallback,
    /// [`Limits::connections`].
    Connections,
    /// [`Limits::messages_per_minute`].
    MessagesPerMinute,
}

/// The lines of the policy file, from 1, that set the keys which are not built in: where the rule begins, or where the key
/// stands in `[default]`.
pub type Lines = BTreeMap<Key, usize>;

impl Key {
    /// The word used in the policy file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dane => "dane",
            Self::InsecureMx => "insecure_mx",
            Self::Tls => "tls",
            Self::MtaSts => "mta_sts",
            Self::HonorTlsRequiredNo => "honor_tls_required_no",
            Self::Route => "route",
            Self::Fallback => "fallback",
            Self::Connections => "connections",
            Self::MessagesPerMinute => "messages_per_minute",
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How much DANE counts, from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DaneMode {
    /// No TLSA look-ups; MX and address look-ups still validate.
    Off,
    /// As [`DaneMode::Opportunistic`], but a failure is only recorded and the mail is still delivered
    /// (RFC 7672 §9.1, "audit only").
    SoftFail,
    /// RFC 7672 §2.2: secure TLSA records are binding if there are any.
    Opportunistic,
    /// RFC 7672 §6: mandatory; only an authenticated host gets mail.
    Strict,
}

impl DaneMode {
    /// The word used in the policy file and the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::SoftFail => "soft-fail",
            Self::Opportunistic => "opportunistic",
            Self::Strict => "strict",
        }
    }
}

impl fmt::Display for DaneMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a host named by an insecure MX record must achieve (RFC 7672 §2.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InsecureMx {
    /// Its secure TLSA records are binding, although success does not count as secure delivery to the domain.
    Dane,
    /// Its secure TLSA records require TLS, without authentication.
    Encrypt,
    /// Its TLSA records are ignored.
    May,
}

impl InsecureMx {
    /// The word used in the policy file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dane => "dane",
            Self::Encrypt => "encrypt",
            Self::May => "may",
        }
    }
}

impl fmt::Display for InsecureMx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The minimum of transport security if neither DANE nor MTA-STS applies, from lowest to highest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsFloor {
    /// No TLS; STARTTLS is not tried.
    Off,
    /// TLS if it is offered (RFC 3207, RFC 7435).
    May,
    /// TLS, unauthenticated.
    Encrypt,
    /// TLS with a certificate that a public certification authority has issued for the name of the MX host.
    Verify,
}

impl TlsFloor {
    /// The word used in the policy file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::May => "may",
            Self::Encrypt => "encrypt",
            Self::Verify => "verify",
        }
    }
}

impl fmt::Display for TlsFloor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How far a destination's MTA-STS policy (RFC 8461 §5) is used at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MtaStsMode {
    /// Ignored.
    Off,
    /// Evaluated and reported, never binding.
    Testing,
    /// Binding if the destination's own policy says `enforce`.
    Enforce,
}

impl MtaStsMode {
    /// The word used in the policy file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Testing => "testing",
            Self::Enforce => "enforce",
        }
    }
}

impl fmt::Display for MtaStsMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where a [`DaneMode`] comes from. Lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModeSource {
    /// `[default]`, written or built in.
    Default,
    /// A `[[domain]]` rule.
    Rule {
        /// The line of the policy file on which the rule begins.
        line: usize,
    },
    /// An entry of a list of kind `strict`.
    StrictList {
        /// The list as the policy file names it.
        source: Arc<str>,
        /// The entry's line in the list.
        line: usize,
    },
    /// An entry of a list of kind `soft-fail`.
    SoftFailList {
        /// The list as the policy file names it.
        source: Arc<str>,
        /// The entry's line in the list.
        line: usize,
    },
    /// An entry of a list of kind `danefail`.
    Danefail {
        /// The list as the policy file names it.
        source: Arc<str>,
        /// The entry's line in the list.
        line: usize,
    },
    /// A dated exception.
    Exception(ExceptionEntry),
}

/// Where a dated exception is written, and its reason. Lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ExceptionEntry {
    /// The file that contains it.
    pub file: Arc<str>,
    /// The line on which it begins.
    pub line: usize,
    /// The last day on which it applies.
    pub until: Date,
    /// The administrator's reason.
    pub reason: Arc<str>,
}

/// `until 2027-01-31 (policy.toml:12: told hostmaster)`.
impl fmt::Display for ExceptionEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            until,
            reason,
        } = self;
        write!(f, "until {until} ({file}:{line}: {reason})")
    }
}

impl fmt::Display for ModeSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Rule { line } => write!(f, "rule in line {line}"),
            Self::StrictList { source, line } => write!(f, "strict list {source}:{line}"),
            Self::SoftFailList { source, line } => write!(f, "soft-fail list {source}:{line}"),
            Self::Danefail { source, line } => write!(f, "danefail {source}:{line}"),
            Self::Exception(entry) => write!(f, "exception {entry}"),
        }
    }
}

/// What the policy says about one destination: the answer of [`Policy::for_destination`](crate::Policy::for_destination).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DestinationPolicy {
    /// How much DANE counts; there may be an exception for a receiving host, see
    /// [`Policy::for_mx_host`](crate::Policy::for_mx_host).
    pub dane: DaneMode,
    /// What set `dane`.
    pub dane_source: ModeSource,
    /// What is required of hosts that an insecure MX record names.
    pub insecure_mx: InsecureMx,
    /// The floor where neither DANE nor MTA-STS applies.
    pub tls: TlsFloor,
    /// How far the destination's MTA-STS policy is used at most.
    pub mta_sts: MtaStsMode,
    /// Whether a message may waive requirements with `TLS-Required: No` (RFC 8689 §4.2.2). It can never waive
    /// [`DaneMode::Strict`]; the decision must ensure that.
    pub honor_tls_required_no: bool,
    /// Where the mail goes instead of the next-hop domain itself.
    pub route: Option<Route>,
    /// Where it goes if every host is out of reach or says that it cannot take it now. Not used under
    /// [`DaneMode::Strict`].
    pub fallback: Option<NextHop>,
    /// The limits for all mail to this destination.
    pub limits: Limits,
}

impl DestinationPolicy {
    /// The fallback, if it may be used: mandatory DANE is about the destination itself (RFC 7672 §6).
    pub fn usable_fallback(&self) -> Option<&NextHop> {
        self.fallback.as_ref().filter(|_| self.dane != DaneMode::Strict)
    }
}

/// Where the mail of a destination goes instead of to its own hosts. What is said about the connection belongs to this
/// route alone: a more specific rule with another route has none of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Route {
    /// The next hop.
    pub next_hop: NextHop,
    /// How TLS begins there.
    pub tls: RouteTls,
    /// With what to log in there. It is left out when this is written.
    #[serde(skip)]
    pub login: Option<Login>,
}

/// How TLS begins at a route's servers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RouteTls {
    /// With STARTTLS (RFC 3207).
    #[default]
    Starttls,
    /// With the first octet (RFC 8314 §3.3).
    Implicit,
}

/// On this port servers speak TLS from the first octet (RFC 8314 §3.3).
pub const SUBMISSIONS: u16 = 465;

impl RouteTls {
    /// How TLS begins on this port where nothing else is said.
    pub const fn at_port(port: u16) -> Self {
        match port {
            SUBMISSIONS => Self::Implicit,
            _ => Self::Starttls,
        }
    }

    /// The word used in the policy file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starttls => "starttls",
            Self::Implicit => "implicit",
        }
    }
}

impl fmt::Display for RouteTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl DestinationPolicy {
    /// Where the mail goes instead of the next-hop domain itself.
    pub fn routed(&self) -> Option<&NextHop> {
        self.route.as_ref().map(|route| &route.next_hop)
    }
}

/// How much mail a destination or a receiving host gets at a time. What is not set is limited by `danerelay.toml` alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Connections at the same time.
    pub connections: Option<NonZeroU32>,
    /// Messages per minute, in any minute.
    pub messages_per_minute: Option<NonZeroU32>,
}

/// What the policy says about one receiving host of a destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostPolicy {
    /// How much DANE counts for this host.
    pub dane: DaneMode,
    /// What set it: the destination's own source, or an exception for this host.
    pub dane_source: ModeSource,
    /// The limits for all mail to this host, whatever its destination; they are in addition to the destination's own.
    pub limits: Limits,
}
