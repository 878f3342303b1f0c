//! The content: sent block by block after 354, to the final dot and its reply.

use std::time::Duration;

use bytes::BytesMut;
use mail::Stage;
use mail::cause::{Cause, SmtpFault};
use smtp::DotStuffer;
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

impl Transfer<'_> {
    /// Sends the content after a 354, and reads the reply to its end.
    pub(super) async fn send(&self, session: &mut ClearedSession) -> Verdict {
        // Each block that makes progress has its own time limit, and the whole must keep up at least 1 KB/s.
        let floor = session
            .timeouts()
            .body
            .saturating_add(at_slowest(self.letter.size(self.lease)));
        let deadline = self.deadline.min(Instant::now() + floor);
        match timeout_at(deadline, self.stream(session)).await {
            Ok(Ok(())) => {}
            Ok(Err(Stopped::Failed(failure))) => {
                return Verdict::Failed(early_reply(session, failure).await);
            }
            Ok(Err(Stopped::Damaged(damage))) => return Verdict::Damaged(damage),
            Err(_) => {
                let failure = Cause::timed_out(Stage::Body).into();
                return Verdict::Failed(early_reply(session, failure).await);
            }
        }
        match session.reply(Stage::FinalDot).await {
            Ok(reply) => match reply.code.class() {
                2 => Verdict::Accepted(reply.into()),
                // A server that waits for more has understood something else.
                3 => Verdict::Open(SessionFailure::refused(Stage::FinalDot, &reply)),
                _ => Verdict::Failed(SessionFailure::refused(Stage::FinalDot, &reply)),
            },
            Err(failure) => Verdict::Open(failure),
        }
    }

    /// Sends the content and the final dot. If it cannot be read to its end, or differs from what was written, the dot is
    /// never sent and the connection is closed, which makes the server cancel the transaction (RFC 5321 §3.8).
    async fn stream(&self, session: &mut ClearedSession) -> Result<(), Stopped> {
        let mut reader = self.letter.reader(self.lease).await?;
        let mut stuffer = DotStuffer::new();
        let mut block = BytesMut::new();
        // One block is held back, so that the end of the content is sent together with the last block.
        while let Some(chunk) = reader.next().await? {
            if !block.is_empty() {
                session.write(&block, Stage::Body).await?;
                block.clear();
            }
            stuffer
                .push(&chunk, &mut block)
                .map_err(SessionFailure::content)?;
        }
        stuffer.finish(&mut block).map_err(SessionFailure::content)?;
        if !session.is_silent().await {
            return Err(unasked(session).await.into());
        }
        // Once the final dot has been sent, a crash leaves it uncertain whether the message has arrived.
        self.lease.in_doubt();
        session.write(&block, Stage::Body).await?;
        Ok(())
    }
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
        let cause = Cause::protocol(Stage::Body, "a reply before the end of the content".to_owned());
        SessionFailure::from(cause).after(&reply)
    }
}

/// A server that stops reading has often said why. A refusal counts if the server has closed; one that keeps the connection
/// is only quoted.
async fn early_reply(session: &mut ClearedSession, failure: SessionFailure) -> SessionFailure {
    match session.reply_within(Stage::Body, LAST_WORDS).await {
        Ok(reply) if failure.is_closed() && !reply.is_positive() => {
            SessionFailure::refused(Stage::Body, &reply)
        }
        Ok(reply) => failure.after(&reply),
        Err(_) => failure,
    }
}
