//! What a server offers in its reply to EHLO (RFC 5321 §4.1.1.1).

use std::num::NonZeroU32;

use crate::Reply;
use crate::request::Mechanism;

/// An extension that we know and may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Extension {
    /// RFC 3207.
    StartTls,
    /// RFC 2920.
    Pipelining,
    /// RFC 1870; its limit is [`Extensions::size_limit`].
    Size,
    /// RFC 6152.
    EightBitMime,
    /// RFC 2034.
    EnhancedStatusCodes,
    /// RFC 6531.
    SmtpUtf8,
    /// RFC 3461.
    Dsn,
    /// RFC 8689.
    RequireTls,
    /// RFC 9422; what it limits is in [`Extensions::limits`].
    Limits,
    /// RFC 4954, with the mechanism PLAIN.
    AuthPlain,
    /// RFC 4954, with the mechanism LOGIN.
    AuthLogin,
}

/// What a server limits (RFC 9422 §3); `None` where it states no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// `MAILMAX`: transactions in one session.
    pub transactions: Option<NonZeroU32>,
    /// `RCPTMAX`: recipients in one transaction.
    pub recipients: Option<NonZeroU32>,
    /// `RCPTDOMAINMAX`: domains of recipients in one session.
    pub domains: Option<NonZeroU32>,
}

const KEYWORDS: [(&str, Extension); 9] = [
    ("STARTTLS", Extension::StartTls),
    ("PIPELINING", Extension::Pipelining),
    ("SIZE", Extension::Size),
    ("8BITMIME", Extension::EightBitMime),
    ("ENHANCEDSTATUSCODES", Extension::EnhancedStatusCodes),
    ("SMTPUTF8", Extension::SmtpUtf8),
    ("DSN", Extension::Dsn),
    ("REQUIRETLS", Extension::RequireTls),
    ("LIMITS", Extension::Limits),
];

/// The extensions offered in the latest EHLO reply. After STARTTLS the previous set is void (RFC 3207 §4.2): parse the new
/// reply into a new value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extensions {
    offered: u16,
    /// Those of which no use is made for now.
    forgone: u16,
    logged_in: bool,
    size_limit: Option<u64>,
    limits: Limits,
}

impl Extensions {
    /// No extension at all: what HELO gives.
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads the keyword lines of a positive reply to EHLO: every line but the first. Keywords are case-insensitive, unknown
    /// ones are ignored.
    pub fn from_ehlo(reply: &Reply) -> Self {
        let mut extensions = Self::none();
        for line in reply.lines.iter().skip(1) {
            let mut words = line.split_ascii_whitespace();
            // Some old servers write the parameter of SIZE after an equals sign.
            let keyword = words.next().unwrap_or_default();
            let (keyword, joined) = match keyword.split_once('=') {
                Some((keyword, value)) => (keyword, Some(value)),
                None => (keyword, None),
            };
            if keyword.eq_ignore_ascii_case("AUTH") {
                extensions.offer_mechanisms(joined.into_iter().chain(words));
                continue;
            }
            let known = KEYWORDS
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(keyword));
            let Some((_, extension)) = known else { continue };
            extensions.offered |= bit(*extension);
            match extension {
                Extension::Size => {
                    extensions.size_limit = joined.or_else(|| words.next()).and_then(size_limit);
                }
                Extension::Limits => extensions.limits = limits(words),
                Extension::StartTls
                | Extension::Pipelining
                | Extension::EightBitMime
                | Extension::EnhancedStatusCodes
                | Extension::SmtpUtf8
                | Extension::Dsn
                | Extension::RequireTls
                | Extension::AuthPlain
                | Extension::AuthLogin => {}
            }
        }
        extensions
    }

    fn offer_mechanisms<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        for name in names {
            for (mechanism, extension) in [
                (Mechanism::Plain, Extension::AuthPlain),
                (Mechanism::Login, Extension::AuthLogin),
            ] {
                if name.eq_ignore_ascii_case(mechanism.as_str()) {
                    self.offered |= bit(extension);
                }
            }
        }
    }

    /// The same after a login: mail is now sent by an authenticated client.
    #[must_use]
    pub fn logged_in(self) -> Self {
        Self {
            logged_in: true,
            ..self
        }
    }

    /// Whether there was a login.
    pub fn is_logged_in(&self) -> bool {
        self.logged_in
    }

    /// Whether it was offered and is made use of.
    pub fn offers(&self, extension: Extension) -> bool {
        self.offered & !self.forgone & bit(extension) != 0
    }

    /// The largest message in octets that the server accepts, if it says so (RFC 1870 §4; 0 means no limit).
    pub fn size_limit(&self) -> Option<u64> {
        self.size_limit
    }

    /// What the server limits, as far as it says so.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Makes no use of an extension for now: its parameters and commands are no longer sent.
    pub fn forgo(&mut self, extension: Extension) {
        self.forgone |= bit(extension);
    }

    /// Makes use of all that was offered again.
    pub fn forgo_nothing(&mut self) {
        self.forgone = 0;
    }
}

fn bit(extension: Extension) -> u16 {
    1 << extension as u16
}

/// At most twenty digits (RFC 1870 §4); anything else is ignored.
fn size_limit(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits
        .then(|| text.parse().ok())
        .flatten()
        .filter(|limit| *limit != 0)
}

/// Limits in any order; unknown names and values that are no number of one to six digits are ignored (RFC 9422 §2, §3).
fn limits<'a>(words: impl Iterator<Item = &'a str>) -> Limits {
    let mut limits = Limits::default();
    for (name, value) in words.filter_map(|word| word.split_once('=')) {
        let is_number = (1..=6).contains(&value.len()) && value.bytes().all(|octet| octet.is_ascii_digit());
        let value = is_number.then(|| value.parse().ok()).flatten();
        if name.eq_ignore_ascii_case("MAILMAX") {
            limits.transactions = value;
        } else if name.eq_ignore_ascii_case("RCPTMAX") {
            limits.recipients = value;
        } else if name.eq_ignore_ascii_case("RCPTDOMAINMAX") {
            limits.domains = value;
        }
    }
    limits
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ReplyParser;
    use bytes::BytesMut;

    fn ehlo(lines: &str) -> Extensions {
        let mut input = BytesMut::from(lines);
        Extensions::from_ehlo(&ReplyParser::new().parse(&mut input).unwrap().unwrap())
    }

    #[test]
    fn keywords_match_without_case_and_unknown_ones_are_ignored() {
        let extensions =
            ehlo("250-mx.example\r\n250-starttls\r\n250-X-FOO bar\r\n250-PipeLining \r\n250 DSN\r\n");
        assert!(extensions.offers(Extension::StartTls));
        assert!(extensions.offers(Extension::Pipelining));
        assert!(extensions.offers(Extension::Dsn));
        assert!(!extensions.offers(Extension::EightBitMime));
        assert!(!extensions.offers(Extension::Size));
    }

    #[test]
    fn the_greeting_line_offers_nothing() {
        assert_eq!(ehlo("250 STARTTLS\r\n"), Extensions::none());
    }

    #[test]
    fn mechanisms() {
        for (line, plain, login) in [
            ("AUTH PLAIN LOGIN", true, true),
            ("auth cram-md5 login", false, true),
            ("AUTH=PLAIN GSSAPI", true, false),
            ("AUTH", false, false),
            ("AUTHPLAIN", false, false),
        ] {
            let extensions = ehlo(&format!("250-mx\r\n250 {line}\r\n"));
            let offers = |extension| extensions.offers(extension);
            assert_eq!(
                (offers(Extension::AuthPlain), offers(Extension::AuthLogin)),
                (plain, login),
                "{line}"
            );
        }
    }

    #[test]
    fn size_limits() {
        for (line, limit) in [
            ("SIZE 1000", Some(1000)),
            ("size=1000", Some(1000)),
            ("SIZE", None),
            ("SIZE 0", None),
            ("SIZE -1", None),
            ("SIZE 99999999999999999999", None),
        ] {
            let extensions = ehlo(&format!("250-mx\r\n250 {line}\r\n"));
            assert!(extensions.offers(Extension::Size), "{line}");
            assert_eq!(extensions.size_limit(), limit, "{line}");
        }
    }

    #[test]
    fn limits_are_read_and_what_is_unknown_is_not() {
        let number = NonZeroU32::new;
        let read = |line: &str| ehlo(&format!("250-mx\r\n250 {line}\r\n")).limits();
        let all = Limits {
            transactions: number(5),
            recipients: number(20),
            domains: number(1),
        };
        assert_eq!(read("LIMITS MAILMAX=5 RCPTMAX=20 RCPTDOMAINMAX=1"), all);
        assert_eq!(
            read("limits RcptDomainMax=1 X=7 MAILMAX=5 RCPTMAX RCPTMAX=20"),
            all
        );
        for line in [
            "LIMITS",
            "LIMITS MAILMAX=0 RCPTMAX=-1 RCPTDOMAINMAX=1234567",
            "SIZE RCPTMAX=3",
        ] {
            assert_eq!(read(line), Limits::default(), "{line}");
        }
    }

    #[test]
    fn what_is_forgone_is_not_offered_any_more() {
        let mut extensions = ehlo("250-mx\r\n250-SIZE 9\r\n250 DSN\r\n");
        extensions.forgo(Extension::Dsn);
        assert!(extensions.offers(Extension::Size) && !extensions.offers(Extension::Dsn));
    }

    #[test]
    fn every_keyword_has_its_own_bit() {
        for (keyword, extension) in KEYWORDS {
            let extensions = ehlo(&format!("250-mx\r\n250 {keyword}\r\n"));
            for (_, other) in KEYWORDS {
                assert_eq!(extensions.offers(other), other == extension);
            }
        }
    }
}
