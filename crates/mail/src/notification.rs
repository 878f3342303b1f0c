//! What a client requests about reports on its message (RFC 3461 §4): NOTIFY, ORCPT, RET and ENVID.
//!
//! What is passed on to the next hop must be what was received (RFC 3461 §5.2.1), so each value keeps the received text
//! beside its meaning.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use thiserror::Error;

/// The most characters of an ENVID on the wire (RFC 3461 §4.4).
const ENVELOPE_ID_LENGTH: usize = 100;
/// The most characters of an ORCPT on the wire (RFC 3461 §4.2).
const ORIGINAL_RECIPIENT_LENGTH: usize = 500;

/// The value of a parameter is not what RFC 3461 §4 or RFC 6533 §3 allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the value is not what RFC 3461 section 4 allows")]
pub struct NotificationError;

/// How much of the message a report of failure is to return (`RET`, RFC 3461 §4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ret {
    /// The whole message.
    Full,
    /// Its header.
    Headers,
}

impl FromStr for Ret {
    type Err = NotificationError;

    fn from_str(text: &str) -> Result<Self, NotificationError> {
        match () {
            () if text.eq_ignore_ascii_case("FULL") => Ok(Self::Full),
            () if text.eq_ignore_ascii_case("HDRS") => Ok(Self::Headers),
            () => Err(NotificationError),
        }
    }
}

impl fmt::Display for Ret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "FULL",
            Self::Headers => "HDRS",
        })
    }
}

/// The sender's own name for the transaction (`ENVID`, RFC 3461 §4.4): at most 100 characters of xtext.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EnvelopeId(Box<str>);

impl EnvelopeId {
    /// As it was received, in xtext.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The decoded value: printable ASCII.
    pub fn decoded(&self) -> String {
        decode_xtext(&self.0).unwrap_or_default()
    }
}

impl FromStr for EnvelopeId {
    type Err = NotificationError;

    fn from_str(text: &str) -> Result<Self, NotificationError> {
        let fits = (1..=ENVELOPE_ID_LENGTH).contains(&text.len());
        let decoded = decode_xtext(text).filter(|decoded| is_printable(decoded));
        match decoded {
            Some(_) if fits => Ok(Self(text.into())),
            Some(_) | None => Err(NotificationError),
        }
    }
}

/// What the sender wants to be told about (`NOTIFY`, RFC 3461 §4.1). Without the parameter that is failure, and delay if the
/// server chooses to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Notify {
    text: Box<str>,
    events: u8,
}

/// The events that a sender may want to hear of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NotifyEvent {
    /// Delivered, or relayed to a server that will not report.
    Success,
    /// Given up.
    Failure,
    /// Late.
    Delay,
}

impl NotifyEvent {
    fn bit(self) -> u8 {
        match self {
            Self::Success => 1,
            Self::Failure => 2,
            Self::Delay => 4,
        }
    }

    fn of(word: &str) -> Option<Self> {
        match () {
            () if word.eq_ignore_ascii_case("SUCCESS") => Some(Self::Success),
            () if word.eq_ignore_ascii_case("FAILURE") => Some(Self::Failure),
            () if word.eq_ignore_ascii_case("DELAY") => Some(Self::Delay),
            () => None,
        }
    }
}

impl Notify {
    /// As it was received.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the sender asked for it; never with `NEVER`.
    pub fn asks_for(&self, event: NotifyEvent) -> bool {
        self.events & event.bit() != 0
    }
}

impl FromStr for Notify {
    type Err = NotificationError;

    fn from_str(text: &str) -> Result<Self, NotificationError> {
        let mut events = 0;
        if !text.eq_ignore_ascii_case("NEVER") {
            for word in text.split(',') {
                let bit = NotifyEvent::of(word).ok_or(NotificationError)?.bit();
                if events & bit != 0 {
                    return Err(NotificationError);
                }
                events |= bit;
            }
        }
        Ok(Self {
            text: text.into(),
            events,
        })
    }
}

/// The address to which the sender first sent the message (`ORCPT`, RFC 3461 §4.2; with RFC 6533 §3 the type `utf-8`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OriginalRecipient {
    text: Box<str>,
    decoded: Box<str>,
}

impl OriginalRecipient {
    /// As it was received.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The type and the address as a report shows them, `rfc822;Carol@example.org`. Only the type `utf-8` may have
    /// characters beyond ASCII.
    pub fn decoded(&self) -> &str {
        &self.decoded
    }
}

impl FromStr for OriginalRecipient {
    type Err = NotificationError;

    fn from_str(text: &str) -> Result<Self, NotificationError> {
        let (kind, address) = text.split_once(';').ok_or(NotificationError)?;
        let is_atom = !kind.is_empty() && kind.bytes().all(is_atom_octet);
        if !is_atom || address.is_empty() || text.len() > ORIGINAL_RECIPIENT_LENGTH {
            return Err(NotificationError);
        }
        let decoded = if kind.eq_ignore_ascii_case("utf-8") {
            decode_utf8_address(address)
        } else {
            decode_xtext(address).filter(|decoded| is_printable(decoded))
        };
        let decoded = decoded.ok_or(NotificationError)?;
        Ok(Self {
            text: text.into(),
            decoded: format!("{kind};{decoded}").into(),
        })
    }
}

/// Decodes xtext (RFC 3461 §4): octets 33 to 126 except `+` and `=`, and `+` with two upper-case hexadecimal digits for any
/// octet. `None` if it is not xtext, or if it encodes octets beyond ASCII.
pub fn decode_xtext(text: &str) -> Option<String> {
    let mut decoded = String::with_capacity(text.len());
    let mut octets = text.bytes();
    while let Some(octet) = octets.next() {
        let octet = match octet {
            b'+' => hexadecimal(octets.next()?)? * 16 + hexadecimal(octets.next()?)?,
            b'=' => return None,
            b'!'..=b'~' => octet,
            _ => return None,
        };
        decoded.push(char::from(octet).is_ascii().then_some(char::from(octet))?);
    }
    Some(decoded)
}

/// Decodes `utf-8-addr-xtext` or `utf-8-addr-unitext` (RFC 6533 §3): as xtext, with `\x{HEX}` for characters, and characters
/// beyond ASCII as they are.
fn decode_utf8_address(text: &str) -> Option<String> {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        if let Some(embedded) = rest.strip_prefix("\\x{") {
            let (digits, behind) = embedded.split_once('}')?;
            decoded.push(embedded_character(digits)?);
            rest = behind;
            continue;
        }
        match character {
            '+' | '=' | '\\' => return None,
            '!'..='~' => decoded.push(character),
            _ if character.is_ascii() || character.is_control() => return None,
            _ => decoded.push(character),
        }
        rest = rest.get(character.len_utf8()..)?;
    }
    Some(decoded)
}

/// RFC 6533 §3, `EmbeddedUnicodeChar`: upper-case digits without leading zeros beyond two, no control character.
fn embedded_character(digits: &str) -> Option<char> {
    let upper = digits.bytes().all(|digit| hexadecimal(digit).is_some());
    let shortest = digits.len() == 2 || !digits.starts_with('0');
    if !upper || !shortest || !(2..=6).contains(&digits.len()) {
        return None;
    }
    char::from_u32(u32::from_str_radix(digits, 16).ok()?).filter(|character| !character.is_control())
}

fn hexadecimal(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// RFC 5321 §4.1.2, atext.
fn is_atom_octet(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&octet)
}

fn is_printable(text: &str) -> bool {
    text.bytes().all(|octet| (b' '..=b'~').contains(&octet))
}

/// Encodes text as xtext (RFC 3461 §4); `None` if it has characters beyond ASCII.
pub fn encode_xtext(text: &str) -> Option<String> {
    let mut encoded = String::with_capacity(text.len());
    for octet in text.bytes() {
        match octet {
            b'!'..=b'~' if octet != b'+' && octet != b'=' => encoded.push(char::from(octet)),
            _ if octet.is_ascii() => write!(encoded, "+{octet:02X}").ok()?,
            _ => return None,
        }
    }
    Some(encoded)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn envelope_ids_are_xtext_of_printable_ascii() {
        let id: EnvelopeId = "QQ+2B1".parse().unwrap();
        assert_eq!((id.as_str(), id.decoded().as_str()), ("QQ+2B1", "QQ+1"));
        let longest = "x".repeat(100);
        assert!(longest.parse::<EnvelopeId>().is_ok());
        for wrong in [
            "",
            "a+zz",
            "a+2b",
            "+0D",
            "a=b",
            "a b",
            "é",
            "+",
            "+2",
            "+80",
            &format!("{longest}x"),
        ] {
            assert!(wrong.parse::<EnvelopeId>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn notify_is_never_or_a_set() {
        let notify: Notify = "success,DELAY".parse().unwrap();
        assert_eq!(notify.as_str(), "success,DELAY");
        assert!(notify.asks_for(NotifyEvent::Success));
        assert!(notify.asks_for(NotifyEvent::Delay));
        assert!(!notify.asks_for(NotifyEvent::Failure));
        let never: Notify = "Never".parse().unwrap();
        assert!(!never.asks_for(NotifyEvent::Failure));
        for wrong in [
            "",
            "NEVER,SUCCESS",
            "SUCCESS,SUCCESS",
            "SUCCESS,",
            "RELAY",
            " SUCCESS",
        ] {
            assert!(wrong.parse::<Notify>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn original_recipients_have_a_type_and_an_address() {
        let original: OriginalRecipient = "rfc822;Bob+2Bx@example.org".parse().unwrap();
        assert_eq!(original.decoded(), "rfc822;Bob+x@example.org");
        assert_eq!(original.as_str(), "rfc822;Bob+2Bx@example.org");
        for (text, decoded) in [
            (r"utf-8;d\x{E9}j\x{E0}@b.example", "utf-8;déjà@b.example"),
            ("UTF-8;déjà@b.example", "UTF-8;déjà@b.example"),
            (r"utf-8;a\x{2B}b@c.example", "utf-8;a+b@c.example"),
        ] {
            assert_eq!(text.parse::<OriginalRecipient>().unwrap().decoded(), decoded);
        }
        for wrong in [
            "rfc822;",
            ";a@b",
            "a@b",
            "rfc822;a+0Ab@c",
            "rfc822;a b",
            "rfc822;é@b",
            "r fc;a",
            r"utf-8;\x{a}",
            r"utf-8;\x{0041}",
            r"utf-8;\x{110000}",
            r"utf-8;\x{D800}",
            r"utf-8;\x{41",
            r"utf-8;\y",
            r"utf-8;\x{0A}",
        ] {
            assert!(wrong.parse::<OriginalRecipient>().is_err(), "{wrong:?}");
        }
        let longest = format!("rfc822;{}", "x".repeat(493));
        assert!(longest.parse::<OriginalRecipient>().is_ok());
        assert!(format!("{longest}x").parse::<OriginalRecipient>().is_err());
    }

    #[test]
    fn xtext_survives_a_round_trip() {
        let text = "a+b=c d@e.example";
        let encoded = encode_xtext(text).unwrap();
        assert_eq!(encoded, "a+2Bb+3Dc+20d@e.example");
        assert_eq!(decode_xtext(&encoded).unwrap(), text);
        assert_eq!(encode_xtext("é"), None);
    }

    #[test]
    fn ret_in_any_case() {
        assert_eq!("hdrs".parse(), Ok(Ret::Headers));
        assert_eq!("FULL".parse(), Ok(Ret::Full));
        assert!("BODY".parse::<Ret>().is_err());
    }
}
