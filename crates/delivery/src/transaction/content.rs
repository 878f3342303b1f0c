//! The content: sent block by block, to the final dot and its reply.

use std::time::Duration;

use bytes::BytesMut;
use mail::Stage;
use mail::cause::{Cause, ConnectionFault, SmtpFault};
use smtp::data::DotStuffer;
use spool::{Damage, Lease, SpoolError};

use super::verdict::Verdict;
use crate::connections::ClearedSession;
use crate::failure::SessionFailure;

/// How long a server is listened to that has spoken out of turn, or stopped reading.
const LAST_WORDS: Duration = Duration::from_secs(1);

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
        | Cause::Tls(_) => false,
    }
}

/// 354 with no recipient accepted: send only the end of the content (RFC 2920 §3.1). The verdict concerns no recipient;
/// any reply means that the session can continue.
pub(super) async fn empty_body(session: &mut ClearedSession) -> Verdict {
    let written = session.write(b".\r\n", Stage::Body).await;
    let replied = match written {
        Ok(()) => session.reply(Stage::FinalDot).await,
        Err(failure) => Err(failure),
    };
    replied.map_or_else(Verdict::Failed, Verdict::Accepted)
}

/// Sends the content, and reads the reply to its end.
pub(super) async fn body(session: &mut ClearedSession, lease: &Lease) -> Verdict {
    // Each block that makes progress has its own time limit, and the whole must keep up at least 1 KB/s.
    let floor = session
        .timeouts()
        .body
        .saturating_add(Duration::from_secs(lease.size / 1024));
    match tokio::time::timeout(floor, stream_content(session, lease)).await {
        Ok(Ok(())) => {}
        Ok(Err(Stopped::Session(failure))) => return Verdict::Failed(early_reply(session, failure).await),
        Ok(Err(Stopped::Damaged(damage))) => return Verdict::Damaged(damage),
        Err(_) => return Verdict::Failed(Cause::timed_out(Stage::Body).into()),
    }
    match session.reply(Stage::FinalDot).await {
        Ok(reply) if reply.code.class() == 2 => Verdict::Accepted(reply),
        Ok(reply) => Verdict::Failed(SessionFailure::refused(Stage::FinalDot, &reply)),
        Err(failure) => Verdict::Open(failure),
    }
}

/// Why the content was not sent completely.
enum Stopped {
    Session(SessionFailure),
    Damaged(Damage),
}

impl From<SessionFailure> for Stopped {
    fn from(failure: SessionFailure) -> Self {
        Self::Session(failure)
    }
}

/// Sends the content and the final dot. If it cannot be read to its end, or differs from what was written, the dot is
/// never sent and the connection is closed, which makes the server cancel the transaction (RFC 5321 §3.8).
async fn stream_content(session: &mut ClearedSession, lease: &Lease) -> Result<(), Stopped> {
    let unreadable = |error: SpoolError| match error {
        SpoolError::Damaged(damage) => Stopped::Damaged(damage),
        error => SessionFailure::content(error).into(),
    };
    let unfit = |_| SessionFailure::content("a lone CR or LF");
    let mut reader = lease.content.reader().await.map_err(unreadable)?;
    let mut stuffer = DotStuffer::new();
    let mut block = BytesMut::new();
    // One block is held back, so that the end of the content is sent together with the last block.
    while let Some(chunk) = reader.next().await.map_err(unreadable)? {
        if !block.is_empty() {
            session.write(&block, Stage::Body).await?;
            block.clear();
        }
        stuffer.push(&chunk, &mut block).map_err(unfit)?;
    }
    stuffer.finish(&mut block).map_err(unfit)?;
    if !session.is_silent().await {
        return Err(unasked(session).await.into());
    }
    // Once the final dot has been sent, a crash leaves it uncertain whether the message has arrived.
    lease.in_doubt();
    session.write(&block, Stage::Body).await?;
    Ok(())
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
    let has_closed = end.is_err_and(|end| matches!(end.cause, Cause::Connection(ConnectionFault::Closed(_))));
    if has_closed && !reply.is_positive() {
        SessionFailure::refused(Stage::Body, &reply)
    } else {
        Cause::protocol(Stage::Body, "a reply before the end of the content".to_owned()).into()
    }
}

/// A server that stops reading has often said why.
async fn early_reply(session: &mut ClearedSession, failure: SessionFailure) -> SessionFailure {
    if !matches!(failure.cause, Cause::Connection(ConnectionFault::Closed(_))) {
        return failure;
    }
    match session.reply_within(Stage::Body, LAST_WORDS).await {
        Ok(reply) if !reply.is_positive() => SessionFailure::refused(Stage::Body, &reply),
        Ok(_) | Err(_) => failure,
    }
}
