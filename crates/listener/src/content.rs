//! What follows DATA: into the spool, then the one verdict.

use bytes::BytesMut;
use jiff::Timestamp;
use mail::{BodyType, QueueId, ReversePath};
use smtp::{ContentFault, DataDecoder, Transaction};
use spool::{Accepted, Incoming, NewMessage, Spool, SpoolError};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::envelope::envelope;
use crate::header::{Beginning, HeaderScanner};
use crate::received::Received;
use crate::refusals::Subject;
use crate::session::{End, Session};
use crate::{log, replies};

/// How much content is read at once.
const CONTENT_READ: usize = 64 * 1024;

/// Why a message is not accepted.
enum Rejection {
    Fault(ContentFault),
    Looping,
    Spool(SpoolError),
}

impl From<SpoolError> for Rejection {
    fn from(error: SpoolError) -> Self {
        Self::Spool(error)
    }
}

/// A message while its content comes in.
struct Arrival {
    id: QueueId,
    created: Timestamp,
    transaction: Transaction,
    decoder: DataDecoder,
    header: HeaderScanner,
    /// What the content begins with, once that is known.
    beginning: Option<Beginning>,
    /// Decoded content that is not in the spool yet.
    decoded: BytesMut,
    /// What is in the spool so far, or why it is nothing any more.
    stored: Result<Incoming, Rejection>,
}

impl<S, T> Session<S, T>
where
    S: Spool,
    T: AsyncRead + AsyncWrite + Unpin + Send,
{
    /// Answers DATA, and the content if it may come.
    pub(crate) async fn take_content(&mut self, transaction: Transaction) -> Result<(), End> {
        let from = transaction.mail.reverse_path.clone();
        let recipients = transaction.recipients.len();
        let settled = match self.begin(transaction).await {
            Ok(arrival) => {
                self.reply(replies::GO_ON);
                self.flush().await?;
                let arrival = self.receive(arrival).await?;
                self.settle(arrival).await
            }
            Err(rejection) => Err(rejection),
        };
        match settled {
            Ok((accepted, message_id)) => {
                self.errors = 0;
                let id = accepted.id;
                let event = log::accepted(&accepted, self.client, &from, recipients, message_id);
                self.shared.log.write(&event);
                self.shared.report_room();
                (self.shared.on_accepted)(accepted);
                self.reply(&format!("250 2.0.0 Ok: queued as {id}"));
            }
            Err(rejection) => self.reject(&from, &rejection).await,
        }
        self.flush().await
    }

    async fn reject(&mut self, from: &ReversePath, rejection: &Rejection) {
        let reply = match rejection {
            Rejection::Fault(fault) => replies::content_fault(*fault),
            Rejection::Looping => replies::LOOPING,
            Rejection::Spool(error) => {
                self.refuse_for_spool(error);
                return self.pause().await;
            }
        };
        self.refuse(Subject::message(Some(from.clone())), reply);
    }

    /// Opens a place in the spool and writes our Received field to it.
    async fn begin(&mut self, transaction: Transaction) -> Result<Arrival, Rejection> {
        let mut incoming = self.open(&transaction.mail)?;
        let id = QueueId::generate();
        let created = Timestamp::now();
        if let Some(hello) = self.state.introduced() {
            let received = Received {
                hello,
                client: self.client,
                hostname: &self.config.hostname,
                id,
                smtputf8: transaction.mail.smtputf8,
                recipients: &transaction.recipients,
                at: created,
            };
            incoming.append(received.to_field().as_bytes()).await?;
        }
        Ok(Arrival {
            id,
            created,
            transaction,
            decoder: DataDecoder::new(self.config.limits.message_size),
            header: HeaderScanner::default(),
            beginning: None,
            decoded: BytesMut::new(),
            stored: Ok(incoming),
        })
    }

    /// Reads to the end of data, whatever the content is worth: what follows is the next command.
    ///
    /// Each block of [`CONTENT_READ`] octets must come within the timeout, however small its pieces are.
    async fn receive(&mut self, mut arrival: Arrival) -> Result<Arrival, End> {
        let mut deadline = self.deadline();
        let mut since = 0_usize;
        loop {
            let consumed = arrival.decoder.push(&self.input, &mut arrival.decoded);
            arrival.store().await;
            if let Some(consumed) = consumed {
                // A fresh buffer for what follows gives back the room that content needed.
                self.input = BytesMut::from(self.input.get(consumed..).unwrap_or_default());
                return Ok(arrival);
            }
            since = since.saturating_add(self.input.len());
            if since >= CONTENT_READ {
                since = 0;
                deadline = self.deadline();
            }
            self.input.clear();
            self.read_content(CONTENT_READ, deadline).await?;
        }
    }

    /// Makes the message durable.
    async fn settle(&self, arrival: Arrival) -> Result<(Accepted, Option<String>), Rejection> {
        let incoming = arrival.stored?;
        if let Some(fault) = arrival.decoder.fault() {
            return Err(Rejection::Fault(fault));
        }
        // What is in the content counts, not what was said of it: many clients declare 8BITMIME of plain ASCII, which
        // every server takes (RFC 6152 §3).
        let body = if arrival.decoder.is_eight_bit() {
            BodyType::EightBitMime
        } else {
            BodyType::SevenBit
        };
        let message = NewMessage {
            id: arrival.id,
            envelope: envelope(arrival.transaction, body, arrival.header.is_ascii()),
            created: arrival.created,
        };
        let accepted = self.shared.spool.commit(incoming, message).await?;
        Ok((accepted, arrival.header.message_id()))
    }
}

/// The field that a line of a mailbox file becomes, as Postfix names it.
const MAILBOX_LINE: &[u8] = b"X-Mailbox-Line: ";

impl Arrival {
    /// Moves decoded content into the spool, as long as the message can still be accepted.
    async fn store(&mut self) {
        if self.decoder.fault().is_none() && !self.is_separated() {
            return;
        }
        self.header.scan(&self.decoded);
        let failure = match &mut self.stored {
            Err(_) => None,
            Ok(incoming) => {
                if let Some(fault) = self.decoder.fault() {
                    Some(Rejection::Fault(fault))
                } else if self.header.is_looping() {
                    Some(Rejection::Looping)
                } else {
                    incoming.append(&self.decoded).await.err().map(Rejection::Spool)
                }
            }
        };
        if let Some(rejection) = failure {
            self.stored = Err(rejection);
        }
        self.decoded.clear();
    }

    /// Puts the blank line in front of content that is a body only (RFC 5322 §2.1): without it a folded first line would be
    /// more of our Received field, and any other a broken field behind it. `false` while more of that line must come. No
    /// signature is lost by it: one is a field of a header (RFC 6376 §3.5), and this content has none. The line of a mailbox
    /// file becomes a field, so that the header behind it stays one.
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
