//! Reply codes (RFC 5321 §4.2) and enhanced status codes (RFC 3463).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A three-digit SMTP reply code whose first digit is 2 to 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct ReplyCode(u16);

/// A number outside 200 to 599.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a reply code is a number from 200 to 599")]
pub struct ReplyCodeError;

impl TryFrom<u16> for ReplyCode {
    type Error = ReplyCodeError;

    fn try_from(code: u16) -> Result<Self, ReplyCodeError> {
        Self::new(code).ok_or(ReplyCodeError)
    }
}

impl From<ReplyCode> for u16 {
    fn from(code: ReplyCode) -> Self {
        code.get()
    }
}

impl ReplyCode {
    /// `None` outside 200 to 599 (RFC 5321 §4.2: such a reply has no meaning).
    pub fn new(code: u16) -> Option<Self> {
        (200..600).contains(&code).then_some(Self(code))
    }

    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }

    /// The first digit, 2 to 5.
    pub fn class(self) -> u8 {
        match self.0 / 100 {
            2 => 2,
            3 => 3,
            4 => 4,
            _ => 5,
        }
    }

    /// 2yz or 3yz.
    pub fn is_positive(self) -> bool {
        self.class() < 4
    }

    /// 5yz.
    pub fn is_permanent(self) -> bool {
        self.class() == 5
    }
}

impl fmt::Display for ReplyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An enhanced status code, `class.subject.detail`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EnhancedStatus {
    class: u8,
    subject: u16,
    detail: u16,
}

impl EnhancedStatus {
    /// What RFC 8689 §4.2.1 says where no server is authenticated; the class is that of the failure.
    pub const NO_SECURE_PATH: Self = Self::new(4, 7, 10);
    /// Too many recipients in one transaction (RFC 3463 §3.6); the others are not refused by it.
    pub const TOO_MANY_RECIPIENTS: Self = Self::new(4, 5, 3);

    /// A code that we assign; `class` is 2, 4 or 5, the others at most 999.
    pub const fn new(class: u8, subject: u16, detail: u16) -> Self {
        Self {
            class,
            subject,
            detail,
        }
    }

    /// Whether it says that a transaction has too many recipients (X.5.3).
    pub fn is_too_many_recipients(self) -> bool {
        (self.subject, self.detail) == (5, 3)
    }

    /// 2, 4 or 5.
    pub fn class(self) -> u8 {
        self.class
    }

    /// The same subject and detail in another class.
    #[must_use]
    pub fn with_class(self, class: u8) -> Self {
        Self { class, ..self }
    }
}

impl TryFrom<String> for EnhancedStatus {
    type Error = EnhancedStatusError;

    fn try_from(text: String) -> Result<Self, EnhancedStatusError> {
        text.parse()
    }
}

impl From<EnhancedStatus> for String {
    fn from(status: EnhancedStatus) -> Self {
        status.to_string()
    }
}

impl fmt::Display for EnhancedStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

/// The text does not have the form `class.subject.detail` of RFC 3463 §2.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an enhanced status code is 2|4|5 . 0-999 . 0-999 without leading zeros")]
pub struct EnhancedStatusError;

impl FromStr for EnhancedStatus {
    type Err = EnhancedStatusError;

    fn from_str(text: &str) -> Result<Self, EnhancedStatusError> {
        let mut parts = text.split('.');
        let mut next = || parts.next().and_then(number).ok_or(EnhancedStatusError);
        let (class, subject, detail) = (next()?, next()?, next()?);
        let class = match class {
            2 => 2,
            4 => 4,
            5 => 5,
            _ => return Err(EnhancedStatusError),
        };
        if parts.next().is_some() {
            return Err(EnhancedStatusError);
        }
        Ok(Self {
            class,
            subject,
            detail,
        })
    }
}

fn number(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.len() <= 3 && text.bytes().all(|b| b.is_ascii_digit());
    let canonical = text.len() == 1 || !text.starts_with('0');
    (digits && canonical).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn enhanced_codes() {
        assert_eq!(
            "5.7.999".parse::<EnhancedStatus>().unwrap().to_string(),
            "5.7.999"
        );
        for text in [
            "", "5", "5.7", "3.1.1", "5.07.1", "5.7.1000", "5.7.1.1", "5..1", "+5.1.1",
        ] {
            assert!(text.parse::<EnhancedStatus>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn reply_codes() {
        assert!(ReplyCode::new(150).is_none());
        assert!(ReplyCode::new(650).is_none());
        assert!(ReplyCode::new(559).unwrap().is_permanent());
    }
}
