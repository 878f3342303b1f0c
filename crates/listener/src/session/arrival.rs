//! A message whose content is being received: decoded, checked, and made ready for the spool.

use bytes::{Buf, BytesMut};
use jiff::Timestamp;
use mail::{BodyType, QueueId};
use smtp::{ContentFault, DataDecoder, Transaction};
use spool::{NewMessage, SpoolError};

use super::additions::Additions;
use super::envelope::envelope;
use super::header::{Beginning, HeaderScanner};
use super::stamp::Stamp;
use super::step::Finished;
use crate::config::Limits;

/// Why a message is refused.
#[derive(Debug)]
pub(super) enum Rejection {
    Fault(ContentFault),
    Looping,
    Spool(SpoolError),
}

/// A message, from the reply to DATA until the end of data.
#[derive(Debug)]
pub(super) struct Arrival<P> {
    id: QueueId,
    created: Timestamp,
    transaction: Transaction,
    decoder: DataDecoder,
    header: HeaderScanner,
    /// What the content begins with, once that is known.
    beginning: Option<Beginning>,
    /// What its header gets if it lacks it, until the header has been seen; the message-id is kept for the log.
    additions: Option<Box<Additions>>,
    /// Decoded content that has not been checked yet.
    decoded: BytesMut,
    /// Content to be stored next.
    ready: BytesMut,
    /// The end of data has been received.
    ended: bool,
    /// Where the message is stored, or why it will be refused.
    place: Result<P, Rejection>,
}

/// The field that the line of a mailbox file is turned into, named as in Postfix.
const MAILBOX_LINE: &[u8] = b"X-Mailbox-Line: ";

impl<P> Arrival<P> {
    /// A message without content so far, whose place is empty.
    pub(super) fn new(transaction: Transaction, stamp: Stamp, place: P, limits: &Limits) -> Self {
        Self {
            id: stamp.id,
            created: stamp.at,
            transaction,
            decoder: DataDecoder::new(limits.message_size, limits.long_lines).with_lone_lf(limits.lone_lf),
            header: HeaderScanner::default(),
            beginning: None,
            additions: None,
            decoded: BytesMut::new(),
            ready: BytesMut::new(),
            ended: false,
            place: Ok(place),
        }
    }

    /// The same for a message that arrives in chunks.
    pub(super) fn in_chunks(transaction: Transaction, stamp: Stamp, place: P, limits: &Limits) -> Self {
        Self {
            decoder: DataDecoder::for_chunks(limits.message_size, limits.long_lines)
                .with_lone_lf(limits.lone_lf),
            ..Self::new(transaction, stamp, place, limits)
        }
    }

    /// Puts our own field in front of the content.
    pub(super) fn trace(&mut self, field: &str) {
        self.ready.extend_from_slice(field.as_bytes());
    }

    /// Has these fields added to a header that lacks them.
    pub(super) fn add_missing(&mut self, additions: Additions) {
        self.additions = Some(Box::new(additions));
    }

    /// Takes in the input up to the end of data, even if the message will be refused: what follows is the next command.
    pub(super) fn push(&mut self, input: &mut BytesMut) {
        if self.ended || input.is_empty() {
            return;
        }
        let consumed = self.decoder.push(input, &mut self.decoded);
        self.ended = consumed.is_some();
        input.advance(consumed.unwrap_or(input.len()));
        self.judge();
    }

    /// Takes in a part of a chunk.
    pub(super) fn push_chunk(&mut self, octets: &[u8]) {
        if !octets.is_empty() {
            self.decoder.push(octets, &mut self.decoded);
            self.judge();
        }
    }

    /// The last chunk is complete.
    pub(super) fn end_chunks(&mut self) {
        if !self.ended {
            self.ended = true;
            self.decoder.end(&mut self.decoded);
            self.judge();
        }
    }

    /// Whether it will be refused whatever follows.
    pub(super) fn has_failed(&self) -> bool {
        self.place.is_err()
    }

    /// Whether the end of data has been received.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// What is to be stored now, and where; the caller removes it from the buffer.
    pub(super) fn unstored(&mut self) -> Option<(&mut P, &mut BytesMut)> {
        match &mut self.place {
            Ok(place) if !self.ready.is_empty() => Some((place, &mut self.ready)),
            Ok(_) | Err(_) => None,
        }
    }

    /// The message could not be stored.
    pub(super) fn fail(&mut self, error: SpoolError) {
        self.place = Err(Rejection::Spool(error));
        self.ready.clear();
    }

    /// The verdict, once the end of data has been received.
    pub(super) fn finish(self) -> Result<Finished<P>, Rejection> {
        let place = self.place?;
        if let Some(fault) = self.decoder.fault() {
            return Err(Rejection::Fault(fault));
        }
        // The content decides, not what the client declared: many clients declare 8BITMIME for plain ASCII, which every
        // server accepts (RFC 6152 §3).
        let body = if self.decoder.is_eight_bit() {
            BodyType::EightBitMime
        } else {
            BodyType::SevenBit
        };
        Ok(Finished {
            place,
            message: NewMessage {
                id: self.id,
                envelope: envelope(self.transaction, body, &self.header),
                created: self.created,
            },
            message_id: message_id(&self.header, self.additions),
        })
    }

    /// The transaction of the message.
    pub(super) fn transaction(&self) -> &Transaction {
        &self.transaction
    }

    /// Checks decoded content and makes it ready to be stored, as long as the message can still be accepted.
    fn judge(&mut self) {
        if self.decoder.fault().is_none() && !self.is_separated() && !self.ended {
            return;
        }
        let unfinished = self.hold_unfinished_line();
        let end = self.header.scan(&self.decoded);
        if end.is_some() || (self.ended && self.header.is_open()) {
            self.complete_header(end.unwrap_or(self.decoded.len()));
        }
        let rejection = match self.decoder.fault() {
            Some(fault) => Some(Rejection::Fault(fault)),
            None => self.header.is_looping().then_some(Rejection::Looping),
        };
        match rejection {
            Some(rejection) if self.place.is_ok() => self.place = Err(rejection),
            Some(_) => {}
            None if self.place.is_err() => {}
            None if self.ready.is_empty() => std::mem::swap(&mut self.ready, &mut self.decoded),
            None => self.ready.extend_from_slice(&self.decoded),
        }
        self.decoded.clear();
        self.decoded.extend_from_slice(&unfinished);
    }

    /// The last line so far, if it is incomplete and fields may have to be put in front of it. Lines are not long.
    fn hold_unfinished_line(&mut self) -> BytesMut {
        if self.additions.is_none() || self.ended || !self.header.is_open() {
            return BytesMut::new();
        }
        let whole = memchr::memrchr(b'\n', &self.decoded).map_or(0, |end| end + 1);
        self.decoded.split_off(whole)
    }

    /// Adds what the header lacks; it ends here.
    fn complete_header(&mut self, end: usize) {
        let fields = self
            .additions
            .as_ref()
            .map_or_else(String::new, |additions| additions.fields(&self.header));
        if !fields.is_empty() {
            let body = self.decoded.split_off(end);
            self.decoded.extend_from_slice(fields.as_bytes());
            self.decoded.unsplit(body);
        }
    }

    /// Puts the blank line in front of content that consists of a body only (RFC 5322 §2.1): without it a folded first
    /// line would continue our Received field, and any other first line would be a broken field after it. `false` while
    /// more of that line is needed. No signature is lost: a signature is a header field (RFC 6376 §3.5), and this
    /// content has none. The line of a mailbox file is turned into a field, so that the header after it remains a
    /// header.
    fn is_separated(&mut self) -> bool {
        if self.beginning.is_none() {
            self.beginning = Beginning::of(&self.decoded);
            let before = match self.beginning {
                None | Some(Beginning::Header) => return self.beginning.is_some(),
                Some(Beginning::MailboxLine) => MAILBOX_LINE,
                Some(Beginning::Body) => b"\r\n",
            };
            let separated = [before, &*self.decoded].concat();
            self.decoded = BytesMut::from(&*separated);
        }
        true
    }
}

/// The message's own id, or the one that was added.
fn message_id(header: &HeaderScanner, additions: Option<Box<Additions>>) -> Option<String> {
    if header.has_message_id() {
        header.message_id()
    } else {
        additions.map(|additions| additions.into_message_id())
    }
}
