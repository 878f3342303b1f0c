//! Messages that can be recognised.

use rand::RngExt;
use rand::rngs::StdRng;
use std::fmt::Write;
use std::sync::LazyLock;

/// The two domains, each with a server of its own.
pub const DOMAINS: [&str; 2] = ["one.test", "two.test"];

/// Octets in a line of filling, CRLF included.
const LINE: usize = 78;
/// Lines of filling from which each message takes a part.
const LINES: usize = 6000;
/// Where a message begins to take its part.
const PHASES: u64 = 2999;
/// Lines in the smallest of the large messages, which is above 128 KiB.
const LARGE: usize = 1700;

/// One in so many messages is rejected by every sink.
const UNWANTED: u64 = 17;

/// Where reports about messages go.
pub const SENDER: &str = "load@one.test";

/// Lines that all differ, so that no part of a message can stand for another.
static FILLING: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let lines = (0..LINES).map(|number| format!("{number:09} {number:x>9} {:z^56}\r\n", number * 7919));
    lines.collect::<String>().into_bytes()
});

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Unique in a trial.
    pub number: u64,
    /// Lines of filling.
    pub lines: usize,
    /// Its recipients.
    pub recipients: Vec<Recipient>,
}

/// A recipient: a local part and a domain by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Recipient {
    /// The place of its domain in [`DOMAINS`].
    pub domain: usize,
    /// The local part is `r` and this.
    pub user: usize,
}

impl Recipient {
    /// The address.
    pub fn address(self) -> String {
        format!("r{}@{}", self.user, DOMAINS[self.domain])
    }

    /// The recipient with this address.
    pub fn parse(address: &str) -> Option<Self> {
        let (user, domain) = address.strip_prefix('r')?.split_once('@')?;
        Some(Self {
            domain: DOMAINS.iter().position(|name| *name == domain)?,
            user: user.parse().ok()?,
        })
    }
}

impl Letter {
    /// A message of any kind: one in twelve is large, one in three goes to both domains.
    pub fn any(number: u64, chance: &mut StdRng) -> Self {
        let lines = if chance.random_ratio(1, 12) {
            chance.random_range(LARGE..2 * LARGE - 400)
        } else {
            chance.random_range(1..120)
        };
        let recipient = |domain, user| Recipient { domain, user };
        let recipients = match chance.random_range(0..6) {
            0..2 => vec![recipient(0, 1)],
            2..4 => vec![recipient(1, 1)],
            4 => vec![recipient(0, 1), recipient(1, 1)],
            _ => vec![recipient(1, 1), recipient(0, 1), recipient(1, 2)],
        };
        Self {
            number,
            lines,
            recipients,
        }
    }

    /// Header and body, with the final dot.
    pub fn to_data(&self) -> Vec<u8> {
        let mut header = String::new();
        write!(
            header,
            "From: <{SENDER}>\r\nMessage-ID: <{}.{}@load.test>\r\nSubject: load\r\n\r\n",
            self.number, self.lines
        )
        .expect("a string takes everything");
        let mut data = header.into_bytes();
        data.extend_from_slice(&body(self.number, self.lines));
        data.extend_from_slice(b".\r\n");
        data
    }

    /// Whether the sinks reject this message for good, so that its sender must be told.
    pub fn is_unwanted(number: u64) -> bool {
        number.is_multiple_of(UNWANTED)
    }

    /// The number of a received message, given without its final dot; `None` if it is not whole.
    pub fn recognise(content: &[u8]) -> Option<u64> {
        let (header, _) = std::str::from_utf8(content).ok()?.split_once("\r\n\r\n")?;
        let (number, lines) = identify(header)?;
        (content[header.len() + 4..] == body(number, lines)).then_some(number)
    }

    /// What a delivery status notification (RFC 3464) reports: the number of the message, and the recipients that
    /// never got it.
    pub fn recognise_report(content: &[u8]) -> Option<(u64, Vec<Recipient>)> {
        let text = std::str::from_utf8(content).ok()?;
        let failed = text
            .lines()
            .filter_map(|line| Recipient::parse(line.strip_prefix("Final-Recipient: rfc822;")?.trim()));
        Some((identify(text)?.0, failed.collect()))
    }
}

/// The number and the lines of the message whose header is in this text.
fn identify(text: &str) -> Option<(u64, usize)> {
    let (before, _) = text.split_once("@load.test>")?;
    let (_, id) = before.rsplit_once('<')?;
    let (number, lines) = id.split_once('.')?;
    Some((number.parse().ok()?, lines.parse().ok()?))
}

fn body(number: u64, lines: usize) -> Vec<u8> {
    let phase = usize::try_from(number % PHASES).expect("a small number") * LINE;
    let frame = format!("{number}\r\n");
    [
        frame.as_bytes(),
        &FILLING[phase..phase + lines * LINE],
        frame.as_bytes(),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(lines: usize) -> Vec<u8> {
        let letter = Letter {
            number: 12_345_678,
            lines,
            recipients: Vec::new(),
        };
        let data = letter.to_data();
        data[..data.len() - 3].to_vec()
    }

    #[test]
    fn a_whole_message_is_recognised() {
        let with_trace = [b"Received: from x by y\r\n", &received(3)[..]].concat();
        assert_eq!(Letter::recognise(&with_trace), Some(12_345_678));
        assert_eq!(FILLING.len(), LINES * LINE);
        assert!(received(LARGE).len() > 128 * 1024);
    }

    #[test]
    fn a_message_with_a_torn_sector_is_not() {
        let mut torn = received(100);
        torn[4096..4608].fill(0);
        assert_eq!(Letter::recognise(&torn), None);
        let whole = received(100);
        assert_eq!(Letter::recognise(&whole[..whole.len() - 10]), None);
        assert_eq!(Letter::recognise(b"no message"), None);
    }

    #[test]
    fn a_report_names_the_message_and_its_recipients() {
        let report = "Message-ID: <01X@relay.test>\r\n\r\nFinal-Recipient: rfc822; r1@one.test\r\n\r\n\
                      Final-Recipient: rfc822;r2@two.test\r\n\r\nMessage-ID: <7.30@load.test>\r\n\r\n";
        let recipients = [(0, 1), (1, 2)].map(|(domain, user)| Recipient { domain, user });
        let found = Letter::recognise_report(report.as_bytes());
        assert_eq!(found, Some((7, recipients.to_vec())));
    }

    #[test]
    fn recipients_are_read_back() {
        let recipient = Recipient { domain: 1, user: 2 };
        assert_eq!(Recipient::parse(&recipient.address()), Some(recipient));
        assert_eq!(Recipient::parse("x@one.test"), None);
    }
}
