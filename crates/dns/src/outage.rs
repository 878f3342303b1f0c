//! What can come between a question and an answer.

use std::fmt;
use std::time::Duration;

use crate::context::{Context, shortened};
use crate::fault::Fault;

/// Why there is nothing to validate.
#[derive(Debug, Clone)]
#[allow(dead_code, reason = "data that cannot be read is named next")]
pub(crate) enum Outage {
    /// Nothing came within this time.
    NoReply(Duration),
    /// The server cannot be reached; the words are those of the system or the TLS library.
    NoConnection(String),
    /// A response code that is not an answer, by its name.
    Refused(String),
    /// The response cannot be read, or is about something else.
    Unreadable,
    /// The response refers to other servers.
    Referral,
    /// More records than this limit, and none may be left out.
    TooManyRecords(usize),
    /// Records of more octets than this limit, and none may be left out.
    TooManyOctets(usize),
    /// Several aliases at one name.
    SeveralAliases,
    /// Data that does not have the format of its type.
    UnreadableData,
    /// More aliases in a row than we follow.
    Aliases(usize),
    /// The look-up would cost more questions or signature checks than allowed.
    TooMuchWork,
    /// The look-up as a whole did not finish in this time.
    Overdue(Duration),
    /// So many look-ups were in progress that this one could not start in this time.
    NoTurn(Duration),
    /// What the test of our own resolver found.
    SelfTest(Box<Fault>),
    /// The resolver that is to be believed has not been tested yet.
    NotYetTested,
}

impl Outage {
    pub(crate) fn write(&self, found: &Context, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (asked, server) = (found.asked(), found.server());
        match self {
            Self::NoReply(after) => write!(f, "no answer from {server} about {asked} in {}", seconds(*after)),
            Self::NoConnection(error) => {
                write!(
                    f,
                    "no connection to {server} to ask for {asked}: {}",
                    shortened(error)
                )
            }
            Self::Refused(code) => write!(f, "{server} answers {code} for {asked}"),
            Self::Unreadable => write!(
                f,
                "what {server} answers for {asked} cannot be read or is no answer to that"
            ),
            Self::Referral => write!(
                f,
                "{server} refers to other servers for {asked} and does not ask them"
            ),
            Self::TooManyRecords(most) => write!(f, "{asked} has more than {most} records"),
            Self::TooManyOctets(most) => write!(f, "the records of {asked} have more than {most} octets"),
            Self::SeveralAliases => write!(f, "{server} gives several aliases for {asked}"),
            Self::UnreadableData => write!(f, "{asked} has record data that is not valid for its type"),
            Self::Aliases(most) => write!(f, "more than {most} aliases in a row lead to {asked}"),
            Self::TooMuchWork => write!(
                f,
                "{asked} takes more questions or signature checks than one look-up may"
            ),
            Self::Overdue(after) => {
                write!(f, "the look-up of {asked} did not end within {}", seconds(*after))
            }
            Self::NoTurn(after) => {
                write!(
                    f,
                    "{asked} had no turn among many look-ups for {}",
                    seconds(*after)
                )
            }
            Self::SelfTest(fault) => write!(f, "{fault}"),
            Self::NotYetTested => f.write_str("the resolver has not shown yet that it validates"),
        }
    }
}

/// In seconds, with a decimal where needed.
fn seconds(time: Duration) -> String {
    let tenths = (time.as_millis() + 50) / 100;
    match tenths % 10 {
        0 => format!("{} s", tenths / 10),
        rest => format!("{}.{rest} s", tenths / 10),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use hickory_proto::rr::{Name, RecordType};
    use mail::LookupFailure;

    use super::*;
    use crate::NoAnswer;

    #[test]
    fn every_outage_has_plain_words_of_bounded_length() {
        let outages = [
            Outage::NoReply(Duration::from_secs(5)),
            Outage::NoConnection("\x1b[2J\u{9b}".repeat(200)),
            Outage::Refused("REFUSED".to_owned()),
            Outage::Unreadable,
            Outage::Referral,
            Outage::TooManyRecords(100),
            Outage::TooManyOctets(16_384),
            Outage::SeveralAliases,
            Outage::UnreadableData,
            Outage::Aliases(12),
            Outage::TooMuchWork,
            Outage::Overdue(Duration::from_millis(1650)),
            Outage::NoTurn(Duration::from_secs(30)),
            Outage::SelfTest(Box::new(Fault::NotValidating)),
            Outage::NotYetTested,
        ];
        let label = [b'\xff'; 60];
        let hostile = Name::from_labels([&label[..], &label, &label, &label]).unwrap();
        for outage in outages {
            let words = NoAnswer::new(LookupFailure::Timeout, outage)
                .about(&hostile, RecordType::TLSA)
                .at_server(&"\u{202e}x".repeat(300).into())
                .ours()
                .to_string();
            assert!(words.len() < 400, "{} octets: {words}", words.len());
            assert!(words.bytes().all(|octet| matches!(octet, b' '..=b'~')), "{words}");
        }
    }

    #[test]
    fn silence_names_the_server_the_question_and_the_time() {
        let name = Name::from_ascii("_25._tcp.mx.example.nl.").unwrap();
        let words = |after| {
            NoAnswer::new(LookupFailure::Timeout, Outage::NoReply(after))
                .about(&name, RecordType::TLSA)
                .at_server(&"192.0.2.1:53".into())
                .to_string()
        };
        assert_eq!(
            words(Duration::from_secs(5)),
            "timeout: no answer from 192.0.2.1:53 about _25._tcp.mx.example.nl TLSA in 5 s"
        );
        assert!(words(Duration::from_millis(1667)).ends_with(" in 1.7 s"));
    }
}
