//! What the listener reads in the header as the content passes through: whether there is one, where it ends, trace fields,
//! date and message-id, whether it is ASCII, and what it says about TLS.

/// The maximum number of Received fields (RFC 5321 §6.3: at least 100 for a mere count).
pub(super) const RECEIVED_LIMIT: u32 = 100;

/// At most this many octets of a field are examined.
const FIELD_LENGTH: usize = 2000;

/// The maximum length of a left-over line of a mailbox file, in octets: far longer than any real one, and far shorter
/// than a line may be.
const MAILBOX_LINE_LENGTH: usize = 500;

/// What content begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beginning {
    /// A header field, or the blank line after a header without fields.
    Header,
    /// The line in front of each message in a mailbox file (RFC 4155), left over; the header may follow.
    MailboxLine,
    /// A line that is not part of a header: there is only a body.
    Body,
}

impl Beginning {
    /// Determines it from the content received so far; `None` while more of the first line is needed.
    pub(super) fn of(content: &[u8]) -> Option<Self> {
        // A folded line belongs to the field before it (RFC 5322 §2.2.3), and there is none.
        if matches!(content.first()?, b' ' | b'\t') {
            return Some(Self::Body);
        }
        let end = memchr::memchr(b'\n', content);
        let line = content.get(..end.unwrap_or(content.len()))?.trim_ascii_end();
        if field(line).is_some() {
            return Some(Self::Header);
        }
        end.map(|_| {
            if line.is_empty() {
                Self::Header
            } else if is_mailbox_line(line) {
                Self::MailboxLine
            } else {
                Self::Body
            }
        })
    }
}

/// Whether it can be turned into a field: it is ASCII and not too long for a line.
fn is_mailbox_line(line: &[u8]) -> bool {
    (line.starts_with(b"From ") || line.starts_with(b">From "))
        && line.is_ascii()
        && line.len() <= MAILBOX_LINE_LENGTH
}

/// Scans the header of one message. Content may arrive in pieces of any size.
#[derive(Debug, Default)]
pub(super) struct HeaderScanner {
    received: u32,
    /// The start of a line whose end has not arrived yet.
    line: Vec<u8>,
    /// The body of the first Message-ID field, as far as it has arrived.
    message_id: Option<Vec<u8>>,
    /// There was a Date field.
    date: bool,
    /// What the lines of the header consist of, so far.
    octets: Octets,
    /// What the current line consists of, so far.
    line_octets: Octets,
    /// The body of the TLS-Required field, as far as it has arrived.
    tls_required: TlsRequired,
    place: Place,
}

/// What text consists of.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Octets {
    #[default]
    Ascii,
    /// There are octets above 127.
    EightBit,
}

impl Octets {
    fn of(text: &[u8]) -> Self {
        if text.is_ascii() {
            Self::Ascii
        } else {
            Self::EightBit
        }
    }
}

/// What the fields TLS-Required say (RFC 8689 §3).
#[derive(Debug, Default)]
enum TlsRequired {
    #[default]
    Absent,
    /// There is one, with this body, cut off.
    Said(Vec<u8>),
    /// There are several: they say nothing.
    Several,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    #[default]
    OtherField,
    MessageId,
    TlsRequired,
    Body,
}

impl HeaderScanner {
    /// Scans the next piece of content; costs nothing once the header is complete. Where the line begins in this piece
    /// that ends the header, if it does.
    pub(super) fn scan(&mut self, piece: &[u8]) -> Option<usize> {
        let mut content = piece;
        while self.place != Place::Body {
            let start = piece.len() - content.len();
            let Some(end) = memchr::memchr(b'\n', content) else {
                self.line_octets = self.line_octets.max(Octets::of(content));
                self.gather(content);
                return None;
            };
            let (line, rest) = content.split_at_checked(end + 1).unwrap_or((content, b""));
            content = rest;
            self.line_octets = self.line_octets.max(Octets::of(line));
            if self.line.is_empty() {
                self.line(line);
            } else {
                self.gather(line);
                let line = std::mem::take(&mut self.line);
                self.line(&line);
            }
            let octets = std::mem::take(&mut self.line_octets);
            if self.place == Place::Body {
                return Some(start);
            }
            self.octets = self.octets.max(octets);
        }
        None
    }

    fn gather(&mut self, piece: &[u8]) {
        let room = FIELD_LENGTH.saturating_sub(self.line.len());
        self.line.extend_from_slice(piece.get(..room).unwrap_or(piece));
    }

    fn line(&mut self, line: &[u8]) {
        let line = line.trim_ascii_end();
        let Some(first) = line.first() else {
            self.place = Place::Body;
            return;
        };
        if matches!(first, b' ' | b'\t') {
            match self.place {
                Place::MessageId => self.add_to_message_id(line),
                Place::TlsRequired => self.add_to_tls_required(line),
                Place::OtherField | Place::Body => {}
            }
            return;
        }
        let Some((name, body)) = field(line) else {
            self.place = Place::Body;
            return;
        };
        self.place = Place::OtherField;
        if name.eq_ignore_ascii_case(b"Date") {
            self.date = true;
        } else if name.eq_ignore_ascii_case(b"Received") {
            self.received = self.received.saturating_add(1);
        } else if name.eq_ignore_ascii_case(b"Message-ID") && self.message_id.is_none() {
            self.place = Place::MessageId;
            self.message_id = Some(Vec::new());
            self.add_to_message_id(body);
        } else if name.eq_ignore_ascii_case(b"TLS-Required") {
            self.place = Place::TlsRequired;
            self.tls_required = match self.tls_required {
                TlsRequired::Absent => TlsRequired::Said(Vec::new()),
                TlsRequired::Said(_) | TlsRequired::Several => TlsRequired::Several,
            };
            self.add_to_tls_required(body);
        }
    }

    fn add_to_tls_required(&mut self, piece: &[u8]) {
        if let TlsRequired::Said(said) = &mut self.tls_required {
            let room = FIELD_LENGTH.saturating_sub(said.len());
            said.extend_from_slice(piece.get(..room).unwrap_or(piece));
        }
    }

    fn add_to_message_id(&mut self, piece: &[u8]) {
        if let Some(id) = &mut self.message_id {
            let room = FIELD_LENGTH.saturating_sub(id.len());
            id.extend_from_slice(piece.get(..room).unwrap_or(piece));
        }
    }

    /// Whether more of the header may follow.
    pub(super) fn is_open(&self) -> bool {
        self.place != Place::Body
    }

    pub(super) fn has_date(&self) -> bool {
        self.date
    }

    pub(super) fn has_message_id(&self) -> bool {
        self.message_id.is_some()
    }

    /// Whether what receivers publish about TLS shall not count: there is one field TLS-Required, which says No. Anything
    /// else, and two of them, mean nothing.
    pub(super) fn waives_tls(&self) -> bool {
        match &self.tls_required {
            TlsRequired::Said(said) => said.trim_ascii().eq_ignore_ascii_case(b"No"),
            TlsRequired::Absent | TlsRequired::Several => false,
        }
    }

    /// Whether the message has too many Received fields, so that it must be in a loop.
    pub(super) fn is_looping(&self) -> bool {
        self.received >= RECEIVED_LIMIT
    }

    /// Whether the header needs no SMTPUTF8 (RFC 6532 §3).
    pub(super) fn is_ascii(&self) -> bool {
        self.octets.max(self.line_octets) == Octets::Ascii
    }

    /// The message-id without its brackets, for the log.
    pub(super) fn message_id(&self) -> Option<String> {
        let text = String::from_utf8_lossy(self.message_id.as_ref()?);
        let text = text.trim();
        let inner = text
            .strip_prefix('<')
            .and_then(|rest| rest.split('>').next())
            .unwrap_or(text);
        (!inner.is_empty()).then(|| inner.chars().take(250).collect())
    }
}

/// Name and body of the field that begins with this line. A line that does not begin a field ends the header, whether
/// blank or not (RFC 5322 §2.2, §4.5.8).
fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (name, body) = line.split_at_checked(memchr::memchr(b':', line)?)?;
    let name = name.trim_ascii_end();
    let is_name = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    is_name.then(|| (name, body.get(1..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]
    use super::*;

    fn scan(content: &[u8], chunk: usize) -> HeaderScanner {
        let mut scanner = HeaderScanner::default();
        for piece in content.chunks(chunk) {
            scanner.scan(piece);
        }
        scanner
    }

    #[test]
    fn content_begins_with_a_header_or_without_one() {
        use Beginning::{Body, Header, MailboxLine};
        for (content, needed, beginning) in [
            ("Subject: x\r\n", "Subject:", Header),
            ("Subject : x\r\n", "Subject :", Header),
            ("\r\nbody\r\n", "\r\n", Header),
            (" folded: x\r\n", " ", Body),
            ("\tfolded\r\n", "\t", Body),
            (" \r\nSubject: x\r\n", " ", Body),
            ("no field\r\nSubject: x\r\n", "no field\r\n", Body),
            (": no field\r\n", ": no field\r\n", Body),
            ("no field: x\r\n", "no field: x\r\n", Body),
            ("S\u{e9}: no field\r\n", "S\u{e9}: no field\r\n", Body),
            (
                "From a@b Thu Jan  1 00:00:00 2026\r\nSubject: x\r\n",
                "From a@b Thu Jan  1 00:00:00 2026\r\n",
                MailboxLine,
            ),
            (">From a@b\r\nSubject: x\r\n", ">From a@b\r\n", MailboxLine),
            ("From : a@b\r\n", "From :", Header),
            ("From caf\u{e9}\r\n", "From caf\u{e9}\r\n", Body),
            ("Fromage\r\n", "Fromage\r\n", Body),
        ] {
            for length in 0..=content.len() {
                let known = (length >= needed.len()).then_some(beginning);
                assert_eq!(
                    Beginning::of(&content.as_bytes()[..length]),
                    known,
                    "{content:?} to {length}"
                );
            }
        }
    }

    #[test]
    fn fields_are_found_in_every_chunking() {
        let content =
            b"RECEIVED: by a;\r\n x\r\nSubject: Received: no\r\nX-Received: no\r\nreceived : by b\r\n\
            Message-id:\r\n\t<a.b@c>\r\n (more)\r\nMessage-ID: <second@x>\r\n\r\nReceived: in the body\r\n";
        for chunk in 1..content.len() {
            let scanner = scan(content, chunk);
            assert_eq!(scanner.received, 2, "by {chunk}");
            assert_eq!(scanner.message_id().as_deref(), Some("a.b@c"), "by {chunk}");
        }
    }

    #[test]
    fn octets_beyond_ascii_count_in_the_header_only() {
        let long = format!("X: {}\u{e9}\r\n\r\n", "x".repeat(3 * FIELD_LENGTH));
        for (content, ascii) in [
            ("Subject: plain\r\n\r\ncaf\u{e9}\r\n", true),
            ("Subject: caf\u{e9}\r\n\r\nplain\r\n", false),
            ("Subject: x\r\n \u{e9}\r\n\r\n", false),
            ("Subject: x\r\nno field\r\n\u{e9}\r\n", true),
            ("Subject: x\r\nno field \u{e9}\r\n", true),
            ("Subject: x\r\n : \u{e9}\r\nX : \u{e9}\r\n", false),
            ("S\u{e9}: no field\r\n\r\n", true),
            (": no field\r\nX: \u{e9}\r\n", true),
            ("Subject: x\u{e9}", false),
            ("\r\n\u{e9}\r\n", true),
            ("", true),
            (&long, false),
        ] {
            for chunk in 1..9 {
                assert_eq!(
                    scan(content.as_bytes(), chunk).is_ascii(),
                    ascii,
                    "{content:.40} by {chunk}"
                );
            }
        }
    }

    #[test]
    fn message_ids() {
        for (field, id) in [
            ("Message-ID: <a@b>", Some("a@b")),
            ("Message-ID: bare@id", Some("bare@id")),
            ("Message-ID: <open@id", Some("open@id")),
            ("Message-ID:", None),
            ("Message-ID: <>", None),
            ("X: y", None),
        ] {
            assert_eq!(
                scan(format!("{field}\r\n\r\n").as_bytes(), 99)
                    .message_id()
                    .as_deref(),
                id,
                "{field}"
            );
        }
    }

    #[test]
    fn one_field_that_says_no_waives_tls() {
        for (content, waived) in [
            ("TLS-Required: No\r\n\r\n", true),
            ("Subject: x\r\ntls-required :NO \r\n\r\n", true),
            ("TLS-Required:\r\n No\r\n\r\n", true),
            ("TLS-Required: Yes\r\n\r\n", false),
            ("TLS-Required: No, really\r\n\r\n", false),
            ("TLS-Required: No\r\n more\r\n\r\n", false),
            ("TLS-Required: No\r\nTLS-Required: No\r\n\r\n", false),
            ("TLS-Required: Yes\r\nTLS-Required: No\r\n\r\n", false),
            ("X-TLS-Required: No\r\n\r\n", false),
            ("Subject: TLS-Required: No\r\n\r\n", false),
            ("Subject: x\r\n\r\nTLS-Required: No\r\n", false),
        ] {
            for chunk in 1..9 {
                assert_eq!(
                    scan(content.as_bytes(), chunk).waives_tls(),
                    waived,
                    "{content:?} by {chunk}"
                );
            }
        }
    }

    #[test]
    fn a_hundred_received_fields_are_a_loop() {
        assert!(!scan(&b"Received: x\r\n".repeat(99), 1000).is_looping());
        assert!(scan(&b"Received: x\r\n".repeat(100), 1000).is_looping());
    }

    #[test]
    fn long_fields_are_not_kept_whole() {
        let mut content = b"Message-ID: <".to_vec();
        content.resize(100_000, b'x');
        content.extend_from_slice(b"\r\nReceived: x\r\n");
        let scanner = scan(&content, 64);
        assert!(
            scanner
                .message_id
                .as_ref()
                .is_some_and(|id| id.len() <= FIELD_LENGTH)
        );
        assert_eq!(scanner.received, 1);
    }
}
