//! The content: sent block by block, after 354 or in a chunk, and the reply to its end.

use std::time::Duration;

use bytes::BytesMut;
use mail::Stage;
use mail::cause::{Cause, SmtpFault};
use smtp::{Command, DotStuffer, Extensions, LineCheck};
use spool::Lease;
use tokio::time::{Instant, timeout_at};

use super::letter::{Letter, Stopped};
use super::limits::at_slowest;
use super::verdict::Verdict;
use crate::connections::ClearedSession;
use crate::failure::SessionFailure;

/// How long a server is listened to that has spoken out of turn, or stopped reading.
pub(super) const LAST_WORDS: Duration = Duration::from_secs(1);

/// Whether server and client still agree on what comes next: they do after a clear refusal of DATA or of the whole
/// content, but not if the content was cut short.
pub(super) fn is_in_step(failure: &SessionFailure) -> bool {
    match failure.cause {
        Cause::Smtp(SmtpFault::Refused {
            stage: Stage::Data | Stage::FinalDot,
            code,
            ..
        }) => matches!(code.class(), 4 | 5) && code.get() != 421,
        Cause::Smtp(_)
        | Cause::Ours(_)
        | Cause::Dns(..)
        | Cause::Destination(_)
        | Cause::Policy(_)
        | Cause::Connection(_)
        | Cause::Tls(_)
        | Cause::Login(_) => false,
    }
}

/// What is sent, and until when.
pub(super) struct Transfer<'l> {
    pub(super) lease: &'l Lease,
    pub(super) letter: &'l Letter,
    pub(super) deadline: Instant,
}

/// How the content is framed.
enum Frame {
    /// After 354: dots doubled, and a final dot (RFC 5321 §4.5.2).
    Dots(DotStuffer),
    /// After BDAT: so many octets, as they are (RFC 3030 §2).
    Octets { check: LineCheck, missing: u64 },
}

/// Sends the content after a 354, and reads the reply to its end.
pub(super) async fn by_data(session: &mut ClearedSession, transfer: &Transfer<'_>) -> Verdict {
    let frame = Frame::Dots(DotStuffer::new());
    transfer.send(session, frame, BytesMut::new()).await
}

/// Sends the content as one chunk, which is the last, and reads the reply to it.
pub(super) async fn by_chunk(session: &mut ClearedSession, transfer: &Transfer<'_>) -> Verdict {
    let octets = transfer.letter.size(transfer.lease);
    let frame = Frame::Octets {
        check: LineCheck::new(),
        missing: octets,
    };
    let mut block = BytesMut::new();
    Command::Bdat { octets, last: true }.write_to(&Extensions::none(), &mut block);
    transfer.send(session, frame, block).await
}

impl Transfer<'_> {
    async fn send(&self, session: &mut ClearedSession, frame: Frame, block: BytesMut) -> Verdict {
        // Each block that makes progress has its own time limit, and the whole must keep up at least 1 KB/s.
        let floor = session
            .timeouts()
            .body
            .saturating_add(at_slowest(self.letter.size(self.lease)));
        let deadline = self.deadline.min(Instant::now() + floor);
        match timeout_at(deadline, self.stream(session, frame, block)).await {
            Ok(Ok(())) => {}
            Ok(Err(Stopped::Failed(failure))) => {
                return Verdict::Failed(early_reply(session, failure).await);
            }
            Ok(Err(Stopped::Damaged(damage))) => return Verdict::Damaged(damage),
            Err(_) => return Verdict::Failed(Cause::timed_out(Stage::Body).into()),
        }
        match session.reply(Stage::FinalDot).await {
            Ok(reply) => match reply.code.class() {
                2 => Verdict::Accepted(reply),
                // A server that waits for more has understood something else.
                3 => Verdict::Open(SessionFailure::refused(Stage::FinalDot, &reply)),
                _ => Verdict::Failed(SessionFailure::refused(Stage::FinalDot, &reply)),
            },
            Err(failure) => Verdict::Open(failure),
        }
    }

    /// Sends the content to its end. If it cannot be read to its end, or differs from what was written, the last octets are
    /// never sent and the connection is closed, which makes the server cancel the transaction (RFC 5321 §3.8).
    async fn stream(
        &self,
        session: &mut ClearedSession,
        mut frame: Frame,
        mut block: BytesMut,
    ) -> Result<(), Stopped> {
        let mut reader = self.letter.reader(self.lease).await?;
        // One block is held back, so that the end of the content is sent together with the last block.
        let mut has_content = false;
        while let Some(chunk) = reader.next().await? {
            if has_content {
                session.write(&block, Stage::Body).await?;
                block.clear();
            }
            frame.push(&chunk, &mut block)?;
            has_content = true;
        }
        frame.finish(&mut block)?;
        if !session.is_silent().await {
            return Err(unasked(session).await.into());
        }
        // Once the last octets have been sent, a crash leaves it uncertain whether the message has arrived.
        self.lease.in_doubt();
        session.write(&block, Stage::Body).await?;
        Ok(())
    }
}

impl Frame {
    fn push(&mut self, content: &[u8], block: &mut BytesMut) -> Result<(), SessionFailure> {
        match self {
            Self::Dots(stuffer) => stuffer.push(content, block).map_err(SessionFailure::content),
            Self::Octets { check, missing } => {
                check.push(content).map_err(SessionFailure::content)?;
                *missing = missing.checked_sub(content.len() as u64).ok_or_else(other_size)?;
                block.extend_from_slice(content);
                Ok(())
            }
        }
    }

    fn finish(self, block: &mut BytesMut) -> Result<(), SessionFailure> {
        match self {
            Self::Dots(stuffer) => stuffer.finish(block).map_err(SessionFailure::content),
            Self::Octets { check, missing: 0 } => check.finish().map_err(SessionFailure::content),
            Self::Octets { .. } => Err(other_size()),
        }
    }
}

fn other_size() -> SessionFailure {
    SessionFailure::content("its size is not the one recorded")
}

/// The server has replied before the final dot was sent, and nothing counts as the reply to a dot that was not sent. A
/// refusal counts if the server closes right after it.
async fn unasked(session: &mut ClearedSession) -> SessionFailure {
    let replied = session.reply_within(Stage::Body, LAST_WORDS).await;
    let reply = match replied {
        Ok(reply) => reply,
        Err(failure) => return failure,
    };
    let end = session.reply_within(Stage::Body, LAST_WORDS).await;
    let has_closed = end.is_err_and(|end| end.is_closed());
    if has_closed && !reply.is_positive() {
        SessionFailure::refused(Stage::Body, &reply)
    } else {
        Cause::protocol(Stage::Body, "a reply before the end of the content".to_owned()).into()
    }
}

/// A server that stops reading has often said why.
async fn early_reply(session: &mut ClearedSession, failure: SessionFailure) -> SessionFailure {
    if !failure.is_closed() {
        return failure;
    }
    match session.reply_within(Stage::Body, LAST_WORDS).await {
        Ok(reply) if !reply.is_positive() => SessionFailure::refused(Stage::Body, &reply),
        Ok(_) | Err(_) => failure,
    }
}
