//! `policy.toml`, version 1, as written. [`crate::compile`] works out what it means.

use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use jiff::civil::Date;
use mail::{NextHop, NextHopProblem};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use settings_file::Version;
use settings_file::forms::{self, Form, Formed, Unfit};
use toml::Spanned;

use crate::pattern::Pattern;
use crate::settings::{DaneMode, InsecureMx, MtaStsMode, RouteTls, TlsFloor};

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyFile {
    /// The version of the format.
    #[serde(default)]
    pub version: Version,
    /// What applies unless something else sets it.
    #[serde(default)]
    pub default: Defaults,
    /// Rules by destination.
    #[serde(default)]
    pub domain: Vec<Spanned<DomainRule>>,
    /// Rules by receiving host; they never affect security.
    #[serde(default)]
    pub mx: Vec<Spanned<MxRule>>,
    /// Lists of destinations.
    #[serde(default)]
    pub list: Vec<Spanned<List>>,
    /// Dated decisions.
    #[serde(default)]
    pub exception: Vec<Spanned<Exception>>,
}

/// The file of exceptions that commands add: the same format, but with exceptions only.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExceptionsFile {
    /// The version of the format.
    #[serde(default)]
    pub version: Version,
    /// Dated decisions.
    #[serde(default)]
    pub exception: Vec<Spanned<Exception>>,
}

/// `[default]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Defaults {
    /// See [`DaneMode`].
    pub dane: Option<Spanned<DaneMode>>,
    /// See [`InsecureMx`].
    pub insecure_mx: Option<Spanned<InsecureMx>>,
    /// See [`TlsFloor`].
    pub tls: Option<Spanned<DefaultTls>>,
    /// See [`MtaStsMode`].
    pub mta_sts: Option<Spanned<MtaStsMode>>,
    /// Whether messages may waive requirements (RFC 8689).
    pub honor_tls_required_no: Option<Spanned<bool>>,
    /// Where the mail goes instead.
    pub route: Option<Spanned<Formed<NextHopForm>>>,
    /// How TLS begins there.
    pub route_tls: Option<Spanned<RouteTls>>,
    /// A file with user name and password for it, relative to the policy file.
    pub route_login: Option<Spanned<PathBuf>>,
    /// Where it goes if that is out of reach.
    pub fallback: Option<Spanned<Formed<NextHopForm>>>,
}

/// A [`TlsFloor`] for everybody: not without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DefaultTls {
    /// [`TlsFloor::May`].
    May,
    /// [`TlsFloor::Encrypt`].
    Encrypt,
    /// [`TlsFloor::Verify`].
    Verify,
}

impl From<DefaultTls> for TlsFloor {
    fn from(floor: DefaultTls) -> Self {
        match floor {
            DefaultTls::May => Self::May,
            DefaultTls::Encrypt => Self::Encrypt,
            DefaultTls::Verify => Self::Verify,
        }
    }
}

/// `[[domain]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DomainRule {
    /// The destinations that it matches.
    #[serde(rename = "match")]
    pub matches: Patterns,
    /// See [`DaneMode`].
    pub dane: Option<DaneMode>,
    /// See [`InsecureMx`].
    pub insecure_mx: Option<InsecureMx>,
    /// See [`TlsFloor`].
    pub tls: Option<TlsFloor>,
    /// See [`MtaStsMode`].
    pub mta_sts: Option<MtaStsMode>,
    /// Whether messages may waive requirements (RFC 8689).
    pub honor_tls_required_no: Option<bool>,
    /// Where the mail goes instead.
    pub route: Option<Spanned<Formed<NextHopForm>>>,
    /// How TLS begins there.
    pub route_tls: Option<Spanned<RouteTls>>,
    /// A file with user name and password for it, relative to the policy file.
    pub route_login: Option<Spanned<PathBuf>>,
    /// Where it goes if that, or the destination itself, is out of reach.
    pub fallback: Option<Spanned<Formed<NextHopForm>>>,
    /// Simultaneous connections.
    pub connections: Option<Formed<NonZeroU32>>,
    /// Messages per minute, in any minute.
    pub messages_per_minute: Option<Formed<NonZeroU32>>,
}

/// `[[mx]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MxRule {
    /// The receiving hosts that it matches.
    #[serde(rename = "match")]
    pub matches: Patterns,
    /// Simultaneous connections.
    pub connections: Option<Formed<NonZeroU32>>,
    /// Messages per minute, in any minute.
    pub messages_per_minute: Option<Formed<NonZeroU32>>,
}

/// What the names on a list have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ListKind {
    /// DANE is mandatory for them.
    Strict,
    /// DANE failures are recorded, and the mail is delivered.
    SoftFail,
    /// Their DANE is known to be broken.
    Danefail,
}

impl ListKind {
    /// The word used in the policy file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::SoftFail => "soft-fail",
            Self::Danefail => "danefail",
        }
    }
}

impl fmt::Display for ListKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How far a danefail entry or an exception weakens DANE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weakening {
    /// To [`DaneMode::Off`].
    Off,
    /// To [`DaneMode::SoftFail`].
    SoftFail,
}

impl From<Weakening> for DaneMode {
    fn from(weakening: Weakening) -> Self {
        match weakening {
            Weakening::Off => Self::Off,
            Weakening::SoftFail => Self::SoftFail,
        }
    }
}

/// `[[list]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// What the names on it have in common.
    pub kind: ListKind,
    /// A file, relative to the policy file.
    pub file: Option<Spanned<PathBuf>>,
    /// An HTTPS address.
    pub url: Option<Spanned<String>>,
    /// How often the address is fetched.
    pub refresh: Option<Spanned<Formed<Duration>>>,
    /// How old a copy may become.
    pub max_age: Option<Spanned<Formed<Duration>>>,
    /// What an entry of a danefail list means.
    pub dane: Option<Spanned<Weakening>>,
}

/// `[[exception]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// The destinations that it applies to; either this or `mx`.
    pub domain: Option<Spanned<Pattern>>,
    /// The receiving hosts that it applies to; either this or `domain`.
    pub mx: Option<Spanned<Pattern>>,
    /// How much DANE counts while the exception applies.
    pub dane: Option<Weakening>,
    /// `off`: a negative trust anchor (RFC 7646).
    pub dnssec: Option<Spanned<DnssecOff>>,
    /// Whether it also applies against a strict rule or list.
    #[serde(default)]
    pub override_strict: bool,
    /// The last day on which it applies.
    pub until: Spanned<Until>,
    /// The reason for it.
    pub reason: Spanned<String>,
}

/// `off` is the only value of `dnssec`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DnssecOff {
    /// The name and everything below it counts as unsigned.
    Off,
}

/// The last day of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Until(#[serde(deserialize_with = "forms::date")] pub Date);

/// A next hop that is used instead of a destination's own.
#[derive(Debug)]
pub enum NextHopForm {}

impl Form for NextHopForm {
    type Value = NextHop;

    const ALLOWED: &'static str = "\"name\" or \"name:port\" (its MX records), \"[name]\" or \"[name]:port\" (that very \
                                   host), \"[address]\" or \"[address]:port\"";

    fn read(text: &str) -> Result<NextHop, Unfit> {
        NextHop::configured(text).map_err(|error| match error.problem {
            NextHopProblem::Form => Unfit::Form,
            NextHopProblem::BareAddress(_) | NextHopProblem::Name(_) => Unfit::because(error.problem),
        })
    }
}

/// One pattern or a list of them.
#[derive(Debug, Clone)]
pub struct Patterns(pub Vec<Pattern>);

impl<'de> Deserialize<'de> for Patterns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PatternsVisitor)
    }
}

struct PatternsVisitor;

impl<'de> Visitor<'de> for PatternsVisitor {
    type Value = Patterns;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r#"a list of domains like ["xs4all.nl", ".havedane.net"]"#)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Patterns, E> {
        forms::read::<Pattern, E>(text).map(|pattern| Patterns(vec![pattern]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Patterns, A::Error> {
        let mut patterns = Vec::new();
        while let Some(pattern) = sequence.next_element()? {
            patterns.push(pattern);
        }
        if patterns.is_empty() {
            return Err(A::Error::invalid_length(0, &self));
        }
        Ok(Patterns(patterns))
    }
}
