//! The policy that a domain publishes over HTTPS (RFC 8461 §3.2).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mail::Domain;
use serde::{Deserialize, Serialize};

use crate::pattern::MxPattern;
use crate::record::is_name;

/// The longest that a policy is used after it was fetched, in seconds; longer ones are cut down to it.
const LONGEST_AGE: u64 = 31_557_600;
/// The most digits of `max_age`.
const AGE_DIGITS: usize = 10;

/// What a policy says about hosts that fail it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// They get no mail.
    Enforce,
    /// They get mail, and reports tell of it.
    Testing,
    /// There is no policy any more.
    None,
}

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// What becomes of hosts that fail it.
    pub mode: Mode,
    /// How long it may be used after it was fetched, in seconds, as it is written.
    max_age: u64,
    /// Which MX hosts it allows, in its order.
    pub mx: Arc<[MxPattern]>,
}

/// Why a text is not a policy. Lines count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PolicyFault {
    /// It is not UTF-8.
    #[error("it is not UTF-8 text")]
    NotText,
    /// A line is not a field.
    #[error("line {0} is not of the form name: value")]
    Field(usize),
    /// `version` is not `STSv1`.
    #[error("line {0}: the version is not STSv1")]
    Version(usize),
    /// `mode` is not one of the three.
    #[error("line {0}: the mode is not enforce, testing or none")]
    Mode(usize),
    /// `max_age` is not 1 to 10 digits.
    #[error("line {0}: max_age is not a number of seconds of 1 to 10 digits")]
    MaxAge(usize),
    /// An `mx` is not a pattern.
    #[error("line {0}: an mx pattern is a host name in A-labels, or *. and such a name")]
    Mx(usize),
    /// A field that must be there is missing.
    #[error("there is no {0}")]
    Missing(&'static str),
}

impl Mode {
    /// The word of policies and of the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Testing => "testing",
            Self::None => "none",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The fields found so far. Of those that may stand only once the first counts (RFC 8461 §3.2).
#[derive(Default)]
struct Fields {
    has_version: bool,
    mode: Option<Mode>,
    max_age: Option<u64>,
    mx: Vec<MxPattern>,
}

impl Policy {
    /// Parses a policy. Lines end in LF or CRLF, blank ones are skipped; unknown fields are ignored, but must be fields.
    pub fn parse(octets: &[u8]) -> Result<Self, PolicyFault> {
        let text = std::str::from_utf8(octets).map_err(|_| PolicyFault::NotText)?;
        let mut fields = Fields::default();
        for (number, line) in (1..).zip(text.split('\n')) {
            let line = line.strip_suffix('\r').unwrap_or(line);
            let line = line.trim_end_matches([' ', '\t']);
            if !line.is_empty() {
                fields.take(number, line)?;
            }
        }
        fields.finish()
    }

    /// How long it may be used after it was fetched.
    pub fn max_age(&self) -> Duration {
        Duration::from_secs(self.max_age.min(LONGEST_AGE))
    }

    /// Whether it allows the host that an MX record names, unexpanded (RFC 8461 §4.1).
    pub fn allows(&self, host: &Domain) -> bool {
        self.mx.iter().any(|pattern| pattern.matches(host))
    }

    /// The policy line by line, as reports show it (RFC 8460 §4.2: `policy-string`).
    pub fn lines(&self) -> impl Iterator<Item = String> + '_ {
        let first = ["version: STSv1".to_owned(), format!("mode: {}", self.mode)];
        let last = format!("max_age: {}", self.max_age);
        let mx = self.mx.iter().map(|pattern| format!("mx: {pattern}"));
        first.into_iter().chain(mx).chain([last])
    }

    /// Its octets in memory, roughly.
    pub(crate) fn weight(&self) -> usize {
        size_of::<Self>() + self.mx.iter().map(MxPattern::weight).sum::<usize>()
    }
}

impl Fields {
    fn take(&mut self, number: usize, line: &str) -> Result<(), PolicyFault> {
        let (name, value) = line.split_once(':').ok_or(PolicyFault::Field(number))?;
        let value = value.trim_start_matches([' ', '\t']);
        if !is_name(name) || value.is_empty() || value.contains(char::is_control) {
            return Err(PolicyFault::Field(number));
        }
        match name {
            "version" if self.has_version => {}
            "version" if value == "STSv1" => self.has_version = true,
            "version" => return Err(PolicyFault::Version(number)),
            "mode" if self.mode.is_some() => {}
            "mode" => self.mode = Some(mode(value).ok_or(PolicyFault::Mode(number))?),
            "max_age" if self.max_age.is_some() => {}
            "max_age" => self.max_age = Some(max_age(value).ok_or(PolicyFault::MaxAge(number))?),
            "mx" => {
                let pattern = MxPattern::parse(value).map_err(|_| PolicyFault::Mx(number))?;
                self.mx.push(pattern);
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(self) -> Result<Policy, PolicyFault> {
        if !self.has_version {
            return Err(PolicyFault::Missing("version"));
        }
        let mode = self.mode.ok_or(PolicyFault::Missing("mode"))?;
        let max_age = self.max_age.ok_or(PolicyFault::Missing("max_age"))?;
        match mode {
            Mode::Enforce | Mode::Testing if self.mx.is_empty() => Err(PolicyFault::Missing("mx")),
            Mode::Enforce | Mode::Testing | Mode::None => Ok(Policy {
                mode,
                max_age,
                mx: self.mx.into(),
            }),
        }
    }
}

fn mode(value: &str) -> Option<Mode> {
    [Mode::Enforce, Mode::Testing, Mode::None]
        .into_iter()
        .find(|mode| mode.as_str() == value)
}

fn max_age(value: &str) -> Option<u64> {
    let is_number = value.len() <= AGE_DIGITS && value.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| value.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const GOOD: &str =
        "version: STSv1\nmode: enforce\nmx: mail.example.com\nmx: *.example.net\nmax_age: 604800\n";

    fn parse(text: &str) -> Result<Policy, PolicyFault> {
        Policy::parse(text.as_bytes())
    }

    #[test]
    fn the_policy_of_the_rfc() {
        let policy = parse(GOOD).unwrap();
        assert_eq!(policy.mode, Mode::Enforce);
        assert_eq!(policy.max_age(), Duration::from_hours(7 * 24));
        let allowed = |host: &str| policy.allows(&Domain::parse(host).unwrap());
        assert!(allowed("mail.example.com") && allowed("a.example.net"));
        assert!(!allowed("example.net") && !allowed("evil.org"));
        let lines: Vec<String> = policy.lines().collect();
        assert_eq!(lines.join("\n") + "\n", GOOD);
    }

    #[test]
    fn what_may_be_written_otherwise() {
        let expected = parse(GOOD).unwrap();
        for text in [
            GOOD.replace('\n', "\r\n"),
            GOOD.trim_end().to_owned(),
            GOOD.replace('\n', " \t\n"),
            GOOD.replace(": ", ":"),
            GOOD.replace(": ", ": \t "),
            GOOD.replace('\n', "\n\n"),
            format!("{GOOD}x-y.z_1: ünïcode and more: of it\n"),
            format!("{GOOD}mode: none\nversion: STSv2\nmax_age: x\n"),
            "max_age: 604800\nmx: mail.example.com\nmode: enforce\nmx: *.example.net\nversion: STSv1"
                .to_owned(),
        ] {
            assert_eq!(parse(&text).as_ref(), Ok(&expected), "{text:?}");
        }
    }

    #[test]
    fn what_is_malformed_is_no_policy() {
        for (from, to, fault) in [
            ("version: STSv1\n", "", PolicyFault::Missing("version")),
            ("STSv1", "STSv2", PolicyFault::Version(1)),
            ("STSv1", "stsv1", PolicyFault::Version(1)),
            ("version", "Version", PolicyFault::Missing("version")),
            ("mode: enforce\n", "", PolicyFault::Missing("mode")),
            ("enforce", "Enforce", PolicyFault::Mode(2)),
            ("enforce", "report", PolicyFault::Mode(2)),
            (
                "mx: mail.example.com\nmx: *.example.net\n",
                "",
                PolicyFault::Missing("mx"),
            ),
            (
                "mail.example.com",
                "mail.example.com, b.example.com",
                PolicyFault::Mx(3),
            ),
            ("mail.example.com", "bücher.example", PolicyFault::Mx(3)),
            ("*.example.net", "*.*.example.net", PolicyFault::Mx(4)),
            ("max_age: 604800\n", "", PolicyFault::Missing("max_age")),
            ("604800", "99999999999", PolicyFault::MaxAge(5)),
            ("604800", "-1", PolicyFault::MaxAge(5)),
            ("604800", "+1", PolicyFault::MaxAge(5)),
            ("604800", "1 day", PolicyFault::MaxAge(5)),
            ("mode: ", "mode ", PolicyFault::Field(2)),
            ("mode: ", "mode : ", PolicyFault::Field(2)),
            ("mode: ", " mode: ", PolicyFault::Field(2)),
            ("enforce", "enforce\u{1}", PolicyFault::Field(2)),
            ("enforce\n", "enforce\r", PolicyFault::Field(2)),
            ("max_age: 604800\n", "max_age: 1\nfoo:\n", PolicyFault::Field(6)),
            ("max_age: 604800\n", "max_age: 1\n<html>\n", PolicyFault::Field(6)),
        ] {
            let text = GOOD.replace(from, to);
            assert_eq!(parse(&text), Err(fault), "{text:?}");
        }
        assert_eq!(
            Policy::parse(b"version: STSv1\nx: \xff"),
            Err(PolicyFault::NotText)
        );
    }

    #[test]
    fn a_policy_that_says_none_needs_no_hosts() {
        let policy = parse("version: STSv1\nmode: none\nmax_age: 0").unwrap();
        assert_eq!((policy.mode, policy.max_age()), (Mode::None, Duration::ZERO));
    }

    #[test]
    fn a_year_is_the_most() {
        for (written, seconds) in [
            ("31557600", 31_557_600),
            ("40000000", 31_557_600),
            ("9999999999", 31_557_600),
        ] {
            let text = GOOD.replace("604800", written);
            let policy = parse(&text).unwrap();
            assert_eq!(policy.max_age(), Duration::from_secs(seconds));
            // A report shows what was published.
            let last = policy.lines().last().unwrap();
            assert_eq!(last, format!("max_age: {written}"));
        }
    }
}
