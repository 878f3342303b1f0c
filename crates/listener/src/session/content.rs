//! DATA and BDAT: receives content and gives one verdict on it.

use bytes::{Buf, BytesMut};
use mail::{QueueId, ReversePath};
use smtp::{Chunk, Refusal, Transaction};
use spool::SpoolError;

use super::additions::Additions;
use super::arrival::{Arrival, Rejection};
use super::received::Received;
use super::refusals::Subject;
use super::stamp::Stamp;
use super::step::{End, Step};
use super::{Reading, Session, Swallowed, replies};
use crate::config::MissingFields;

impl<P> Session<P> {
    pub(super) fn data(&mut self) -> Result<Step<P>, Refusal> {
        self.may_not_be_within_chunks()?;
        let transaction = self.state.take_for_data()?;
        self.reading = Reading::Data;
        Ok(Step::Open(transaction))
    }

    /// The chunk follows at once, and is read whether it is accepted or not (RFC 3030 §2): nothing in it is a command.
    /// A client that may not relay has no message to send; beyond the size of one its session ends instead.
    pub(super) fn bdat(&mut self, chunk: Chunk) -> Step<P> {
        let left = chunk.octets;
        if !self.client.may_relay(&self.config) {
            self.unwanted = self.unwanted.saturating_add(left);
            if self.unwanted > self.config.limits.message_size {
                self.refusals.add(Subject::default(), replies::TOO_LARGE);
                return self.answer(replies::TOO_LARGE, Step::Close(End::Said));
            }
        }
        self.reading = Reading::Chunk(chunk);
        if self.arrival.is_some() {
            return Step::Go;
        }
        match self.state.take_for_data() {
            Ok(transaction) => Step::Open(transaction),
            Err(refusal) => {
                self.reading = Reading::Swallow(left, Swallowed::Refused(refusal));
                Step::Go
            }
        }
    }

    /// Gets the place for a message's content, or the reason why there is none. If there is one, the client may send.
    pub(crate) fn open(
        &mut self,
        transaction: Transaction,
        place: Result<P, SpoolError>,
        stamp: Stamp,
    ) -> Step<P> {
        let place = match (place, &self.reading) {
            (Ok(place), _) => place,
            (Err(error), Reading::Chunk(chunk)) => {
                self.origin = None;
                self.reading =
                    Reading::Swallow(chunk.octets, Swallowed::NoRoom(replies::spool_error(&error)));
                return Step::Go;
            }
            (Err(error), _) => {
                self.reading = Reading::Commands;
                return self.refuse_for_spool(&error);
            }
        };
        let trace = self.state.introduced().map(|hello| {
            let received = Received {
                hello,
                client: &self.client,
                hostname: &self.config.hostname,
                id: stamp.id,
                smtputf8: transaction.mail.smtputf8,
                recipients: &transaction.recipients,
                at: stamp.at,
                from: self.config.client_in_received,
            };
            received.to_field()
        });
        let (limits, is_chunk) = (&self.config.limits, matches!(self.reading, Reading::Chunk(_)));
        let mut arrival = if is_chunk {
            Arrival::in_chunks(transaction, stamp, place, limits)
        } else {
            Arrival::new(transaction, stamp, place, limits)
        };
        arrival.trace(&trace.unwrap_or_default());
        match self.config.missing_fields {
            MissingFields::Leave => {}
            MissingFields::Add => arrival.add_missing(Additions::new(stamp, &self.config.hostname)),
        }
        self.arrival = Some(Box::new(arrival));
        if is_chunk {
            Step::Go
        } else {
            self.answer(replies::GO_ON, Step::Flush)
        }
    }

    /// Content after DATA.
    pub(super) fn content(&mut self, input: &mut BytesMut) -> Step<P> {
        let Some(arrival) = &mut self.arrival else {
            self.reading = Reading::Commands;
            return Step::Go;
        };
        arrival.push(input);
        if arrival.unstored().is_some() {
            Step::Store
        } else if arrival.has_ended() {
            self.finish()
        } else {
            Step::ReadContent
        }
    }

    /// Content of a chunk, with what is left of it.
    pub(super) fn chunk(&mut self, mut chunk: Chunk, input: &mut BytesMut) -> Step<P> {
        let Some(arrival) = &mut self.arrival else {
            self.reading = Reading::Commands;
            return Step::Go;
        };
        let taken = usize::try_from(chunk.octets)
            .unwrap_or(usize::MAX)
            .min(input.len());
        arrival.push_chunk(&input.split_to(taken));
        chunk.octets = chunk.octets.saturating_sub(taken as u64);
        self.reading = Reading::Chunk(chunk);
        if chunk.octets == 0 && chunk.last {
            arrival.end_chunks();
        }
        if arrival.unstored().is_some() {
            Step::Store
        } else if chunk.octets > 0 {
            Step::ReadContent
        } else if chunk.last || arrival.has_failed() {
            self.finish()
        } else {
            self.reading = Reading::Commands;
            self.answer(replies::CHUNK_OK, Step::Go)
        }
    }

    /// Reads the rest of a chunk that is discarded, then replies to it.
    pub(super) fn swallow(&mut self, left: u64, why: Swallowed, input: &mut BytesMut) -> Step<P> {
        let taken = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
        input.advance(taken);
        let left = left.saturating_sub(taken as u64);
        if left > 0 {
            self.reading = Reading::Swallow(left, why);
            return Step::ReadContent;
        }
        self.reading = Reading::Commands;
        match why {
            Swallowed::NoRoom(reply) => self.answer(reply, Step::Pause(super::REFUSAL_PAUSE)),
            Swallowed::Refused(Refusal::NoMail) if self.mail_refused => {
                self.answer(&Refusal::NoMail.to_string(), Step::Go)
            }
            Swallowed::Refused(refusal) => {
                let open = self.state.transaction();
                let from = open.map(|open| open.mail.reverse_path.clone());
                self.refuse(Subject::message(from), &refusal.to_string());
                Step::Flush
            }
        }
    }

    /// The content is complete, or the rest no longer matters.
    fn finish(&mut self) -> Step<P> {
        self.reading = Reading::Commands;
        let Some(arrival) = self.arrival.take() else {
            return Step::Go;
        };
        let from = arrival.transaction().mail.reverse_path.clone();
        match arrival.finish() {
            Ok(finished) => Step::Commit(Box::new(finished)),
            Err(rejection) => self.reject(from, &rejection),
        }
    }

    fn reject(&mut self, from: ReversePath, rejection: &Rejection) -> Step<P> {
        let reply = match rejection {
            Rejection::Fault(fault) => replies::content_fault(*fault),
            Rejection::Looping => replies::LOOPING,
            Rejection::Spool(error) => return self.refuse_for_spool(error),
        };
        self.origin = None;
        self.refuse(Subject::message(Some(from)), reply);
        Step::Flush
    }

    /// A message is durable.
    pub(crate) fn accepted(&mut self, id: QueueId) -> Step<P> {
        self.errors = 0;
        self.origin = None;
        self.answer(&replies::queued(id), Step::Flush)
    }
}
