//! One message: who it goes to, its content, and how it is recognised on arrival.

use std::io::Write;
use std::sync::Arc;

use memchr::memmem;

/// Of the whole content as it is sent, in octets.
const LENGTH: usize = 10 * 1024;
/// Of its header, which is filled up to this.
const HEADER: usize = 320;
/// Stands before the message's number in the header.
const NUMBER: &[u8] = b"X-Bench-Number: ";
/// Where header and body meet.
const BLANK_LINE: &[u8] = b"\r\n\r\n";

/// The name of a destination's zone.
pub(crate) fn zone(destination: usize) -> String {
    format!("d{destination}.test")
}

/// Writes messages. Clones share the body, which is the same in all of them.
#[derive(Clone)]
pub(crate) struct Writer {
    destinations: usize,
    body: Arc<[u8]>,
}

impl Writer {
    /// Of messages that go to so many destinations in turn.
    pub(crate) fn new(destinations: usize) -> Self {
        Self {
            destinations,
            body: body().into(),
        }
    }

    /// The commands up to DATA, of the message with this number.
    pub(crate) fn envelope(&self, number: usize) -> String {
        let zone = zone(number % self.destinations);
        format!("MAIL FROM:<sender@client.test>\r\nRCPT TO:<m{number}@{zone}>\r\nDATA\r\n")
    }

    /// Its content with the final dot.
    pub(crate) fn content(&self, number: usize) -> Vec<u8> {
        let mut content = Vec::with_capacity(LENGTH + 16);
        let zone = zone(number % self.destinations);
        write!(
            content,
            "From: <sender@client.test>\r\nTo: <m{number}@{zone}>\r\nSubject: message {number}\r\n\
             Date: Sun, 29 Nov 2026 12:00:00 +0000\r\nMessage-ID: <{number}@client.test>\r\n"
        )
        .expect("a vector takes everything");
        content.extend_from_slice(NUMBER);
        write!(content, "{number}\r\nX-Filler: ").expect("a vector takes everything");
        content.resize(HEADER - BLANK_LINE.len(), b'x');
        content.extend_from_slice(BLANK_LINE);
        content.extend_from_slice(&self.body);
        content.extend_from_slice(b".\r\n");
        content
    }
}

/// Lines of text without a dot at the beginning.
fn body() -> Vec<u8> {
    let line = b"The quick brown fox jumps over the lazy dog, and over the next one as well.\r\n";
    let mut body: Vec<u8> = line.iter().copied().cycle().take(LENGTH - HEADER - 2).collect();
    body.extend_from_slice(b"\r\n");
    body
}

/// The number in a RCPT command.
pub(crate) fn number_of_recipient(command: &[u8]) -> Option<usize> {
    let start = memmem::find(command, b"<m")? + 2;
    leading_number(&command[start..])
}

/// The number of a content as it arrives, without the final dot and the line end before it; none if it is not whole. Relays
/// may have added to the header.
pub(crate) fn number_of_content(content: &[u8]) -> Option<usize> {
    let blank = memmem::find(content, BLANK_LINE)?;
    let (header, body) = content.split_at(blank + BLANK_LINE.len());
    let start = memmem::find(header, NUMBER)? + NUMBER.len();
    let is_whole = body.len() == LENGTH - HEADER - 2;
    is_whole.then(|| leading_number(&header[start..])).flatten()
}

fn leading_number(octets: &[u8]) -> Option<usize> {
    let end = octets.iter().position(|octet| !octet.is_ascii_digit())?;
    str::from_utf8(&octets[..end]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_recognised() {
        let writer = Writer::new(200);
        let sent = writer.content(1234);
        assert_eq!(sent.len(), LENGTH + 3);
        let arrived = sent.strip_suffix(b"\r\n.\r\n").unwrap();
        assert_eq!(number_of_content(arrived), Some(1234));
        let with_more = [b"Received: by us\r\n", arrived].concat();
        assert_eq!(number_of_content(&with_more), Some(1234));
        assert_eq!(
            number_of_recipient(b"RCPT TO:<m1234@d34.test> NOTIFY=NEVER\r\n"),
            Some(1234)
        );
    }

    #[test]
    fn what_is_not_whole_is_not_counted() {
        let sent = Writer::new(1).content(7);
        assert_eq!(number_of_content(&sent[..sent.len() - 6]), None);
    }
}
