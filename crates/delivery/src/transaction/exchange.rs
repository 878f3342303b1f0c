//! One transaction: MAIL, RCPT, DATA and the content, and what it made of each recipient.

use std::borrow::Cow;
use std::time::Duration;

use bytes::BytesMut;
use mail::cause::{BeyondAscii, Cause, ConnectionFault, SmtpFault};
use mail::{MailParameters, RecipientParameters, Stage};
use smtp::data::DotStuffer;
use smtp::{Command, Extension, Reply};
use spool::{Damage, Lease, LeasedRecipient, SpoolError};

use super::original;
use crate::connections::ClearedSession;
use crate::failure::SessionFailure;

/// Recipients in one transaction; more are split (RFC 5321 §4.5.3.1.8). It also bounds a group of pipelined
/// commands, so that neither side waits for the other to read (RFC 2920 §3.1).
pub(crate) const RECIPIENTS: usize = 100;

/// What a transaction made of one recipient.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// The server took responsibility, with this reply to the final dot.
    Accepted(Reply),
    /// It did not.
    Failed(SessionFailure),
    /// It was sent the whole content, and this came instead of a reply that says what became of it: it may have taken
    /// the message.
    Open(SessionFailure),
    /// Nobody can be sent the content: what is stored of it is damaged.
    Damaged(Damage),
}

impl Verdict {
    /// What is wrong with the content, if that is why it failed.
    pub(crate) fn damage(&self) -> Option<Damage> {
        match self {
            Self::Damaged(damage) => Some(*damage),
            Self::Accepted(_) | Self::Failed(_) | Self::Open(_) => None,
        }
    }
}

/// A recipient and what a transaction made of it.
#[derive(Debug)]
pub struct Judged<'a> {
    /// The recipient.
    pub recipient: &'a LeasedRecipient,
    /// What became of it.
    pub verdict: Verdict,
}

/// What a transaction made of its recipients.
#[derive(Debug)]
pub struct Ended<'a> {
    /// Each recipient once, in no order.
    pub judged: Vec<Judged<'a>>,
    /// Whether the session is good for another transaction.
    pub usable: bool,
}

/// Sends a message to some recipients of its lease, at most 100. Only a session that has met its requirement can be given
/// one: see [`crate::connections::session`].
pub async fn send<'a>(
    session: &mut ClearedSession,
    lease: &Lease,
    recipients: &[&'a LeasedRecipient],
) -> Ended<'a> {
    let (mut unfit, mut fit) = (Vec::new(), Vec::new());
    for recipient in recipients {
        match self::unfit(session, lease, recipient) {
            Some(failure) => unfit.push(Judged::failed(recipient, failure)),
            None => fit.push(*recipient),
        }
    }
    let mut ended = if fit.is_empty() {
        Ended {
            judged: Vec::new(),
            usable: true,
        }
    } else {
        exchange(session, lease, fit).await
    };
    ended.judged.append(&mut unfit);
    ended
}

/// The transaction with those for whom the server is fit.
async fn exchange<'a>(
    session: &mut ClearedSession,
    lease: &Lease,
    recipients: Vec<&'a LeasedRecipient>,
) -> Ended<'a> {
    let smtputf8 = lease.parameters.smtputf8 || recipients.iter().any(|one| needs_smtputf8(session, one));
    let addressed = recipients.into_iter().map(|one| Addressed::new(one, smtputf8));
    let mut addressed: Vec<Addressed<'a>> = addressed.collect();
    if session.is_unfinished()
        && let Err(failure) = reset(session).await
    {
        return Ended::without_content(addressed, &failure, false);
    }
    session.begin();
    let mail = Command::MailFrom {
        reverse_path: &lease.reverse_path,
        size: lease.size,
        parameters: &MailParameters {
            smtputf8,
            ..lease.parameters.clone()
        },
    };
    let envelope = if session.offers(Extension::Pipelining) {
        pipelined(session, &mail, &mut addressed).await
    } else {
        one_by_one(session, &mail, &mut addressed).await
    };
    match envelope {
        Ok(Envelope::Answered { data }) => content(session, lease, addressed, data).await,
        Ok(Envelope::SenderRefused { reply, usable }) => {
            let failure = SessionFailure::refused(Stage::Mail, &reply);
            Ended::without_content(addressed, &failure, usable)
        }
        Err(failure) => Ended::without_content(addressed, &failure, false),
    }
}

/// A recipient in a transaction: what goes with it, and the reply to its RCPT once there is one.
struct Addressed<'a> {
    recipient: &'a LeasedRecipient,
    parameters: Cow<'a, RecipientParameters>,
    reply: Option<Reply>,
}

impl<'a> Addressed<'a> {
    fn new(recipient: &'a LeasedRecipient, smtputf8: bool) -> Self {
        Self {
            recipient,
            parameters: original::parameters(&recipient.parameters, smtputf8),
            reply: None,
        }
    }

    fn command(&self) -> Command<'_> {
        Command::RcptTo(&self.recipient.address, &self.parameters)
    }

    fn is_accepted(&self) -> bool {
        self.reply.as_ref().is_some_and(|reply| reply.code.class() == 2)
    }
}

/// Ends what is left of the transaction before (RFC 5321 §4.1.1.5): a second MAIL within it would be refused.
async fn reset(session: &mut ClearedSession) -> Result<(), SessionFailure> {
    let reply = session.command(&Command::Rset, Stage::Rset).await?;
    if reply.code.class() == 2 {
        Ok(())
    } else {
        Err(SessionFailure::refused(Stage::Rset, &reply))
    }
}

/// What the server has said cannot be sent at all, or not to this recipient.
fn unfit(session: &ClearedSession, lease: &Lease, recipient: &LeasedRecipient) -> Option<SessionFailure> {
    let offers = |extension| session.offers(extension);
    let fault = |fault| Some(SessionFailure::from(Cause::Smtp(fault)));
    match session.size_limit() {
        Some(limit) if lease.size > limit => return fault(SmtpFault::TooLarge(limit)),
        Some(_) | None => {}
    }
    if !offers(Extension::SmtpUtf8) {
        if !lease.reverse_path.as_str().is_ascii() || needs_smtputf8(session, recipient) {
            return fault(SmtpFault::NoSmtpUtf8(BeyondAscii::Address));
        }
        if lease.parameters.smtputf8 {
            return fault(SmtpFault::NoSmtpUtf8(BeyondAscii::Header));
        }
    }
    let eight_bit = lease.parameters.body == mail::BodyType::EightBitMime;
    if eight_bit && !offers(Extension::EightBitMime) {
        return fault(SmtpFault::No8BitMime);
    }
    None
}

/// Whether a recipient can be named in a transaction with SMTPUTF8 only. An ORCPT goes to servers with DSN only.
fn needs_smtputf8(session: &ClearedSession, recipient: &LeasedRecipient) -> bool {
    !recipient.address.is_ascii()
        || session.offers(Extension::Dsn) && original::needs_smtputf8(&recipient.parameters)
}

/// What the envelope came to.
enum Envelope {
    /// MAIL was refused; `usable` says whether the session is good for another transaction.
    SenderRefused { reply: Reply, usable: bool },
    /// MAIL was accepted; each recipient has its reply, and this is that to DATA.
    Answered { data: Option<Reply> },
}

/// 421 ends the session at any point (RFC 5321 §3.8): it stands for all replies that do not come any more.
fn cut_short(recipients: &mut [Addressed<'_>], last: Reply) -> Envelope {
    for addressed in recipients.iter_mut().filter(|one| one.reply.is_none()) {
        addressed.reply = Some(last.clone());
    }
    Envelope::Answered { data: Some(last) }
}

async fn pipelined(
    session: &mut ClearedSession,
    mail: &Command<'_>,
    recipients: &mut [Addressed<'_>],
) -> Result<Envelope, SessionFailure> {
    session.queue(mail);
    for addressed in recipients.iter() {
        session.queue(&addressed.command());
    }
    session.queue(&Command::Data);
    session.flush(Stage::Mail).await?;
    let mail = session.reply(Stage::Mail).await?;
    if mail.code.class() != 2 {
        let over = mail.code.get() == 421;
        // The refusal stands, whatever becomes of the replies behind it.
        let usable = !over && after_refusal(session, recipients.len()).await.is_ok();
        return Ok(Envelope::SenderRefused { reply: mail, usable });
    }
    for addressed in recipients.iter_mut() {
        let reply = session.reply(Stage::Rcpt).await?;
        if reply.code.get() == 421 {
            return Ok(cut_short(recipients, reply));
        }
        addressed.reply = Some(reply);
    }
    let data = Some(session.reply(Stage::Data).await?);
    Ok(Envelope::Answered { data })
}

/// Reads what is left of a group whose MAIL was refused. A server that yet says 354 waits for content: it gets none
/// but the end (RFC 2920 §3.1).
async fn after_refusal(session: &mut ClearedSession, recipients: usize) -> Result<(), SessionFailure> {
    for _ in 0..recipients {
        session.reply(Stage::Rcpt).await?;
    }
    let data = session.reply(Stage::Data).await?;
    if data.code.get() == 354 {
        session.write(b".\r\n", Stage::Body).await?;
        session.reply(Stage::FinalDot).await?;
    }
    Ok(())
}

async fn one_by_one(
    session: &mut ClearedSession,
    mail: &Command<'_>,
    recipients: &mut [Addressed<'_>],
) -> Result<Envelope, SessionFailure> {
    let reply = session.command(mail, Stage::Mail).await?;
    if reply.code.class() != 2 {
        let usable = reply.code.get() != 421;
        return Ok(Envelope::SenderRefused { reply, usable });
    }
    for addressed in recipients.iter_mut() {
        let command = addressed.command();
        let reply = session.command(&command, Stage::Rcpt).await?;
        if reply.code.get() == 421 {
            return Ok(cut_short(recipients, reply));
        }
        addressed.reply = Some(reply);
    }
    if !recipients.iter().any(Addressed::is_accepted) {
        return Ok(Envelope::Answered { data: None });
    }
    let data = session.command(&Command::Data, Stage::Data).await?;
    Ok(Envelope::Answered { data: Some(data) })
}

async fn content<'a>(
    session: &mut ClearedSession,
    lease: &Lease,
    recipients: Vec<Addressed<'a>>,
    data: Option<Reply>,
) -> Ended<'a> {
    let accepted = recipients.iter().any(Addressed::is_accepted);
    let outcome = match data {
        Some(data) if data.code.get() != 354 => Verdict::Failed(SessionFailure::refused(Stage::Data, &data)),
        Some(_) if accepted => body(session, lease).await,
        Some(_) => empty_body(session).await,
        None => return Ended::answered(recipients, None, true),
    };
    let usable = match &outcome {
        Verdict::Accepted(_) => {
            session.finish();
            true
        }
        Verdict::Failed(failure) => is_in_step(failure),
        Verdict::Open(_) | Verdict::Damaged(_) => false,
    };
    Ended::answered(recipients, Some(&outcome), usable)
}

/// Whether server and client still agree on what comes next: after a clear refusal of DATA or of the whole content,
/// and not where the content was broken off.
fn is_in_step(failure: &SessionFailure) -> bool {
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

/// 354 with no recipient accepted: the end of the content and nothing before it (RFC 2920 §3.1). The verdict is about
/// nobody; any reply means that the session can go on.
async fn empty_body(session: &mut ClearedSession) -> Verdict {
    let written = session.write(b".\r\n", Stage::Body).await;
    let replied = match written {
        Ok(()) => session.reply(Stage::FinalDot).await,
        Err(failure) => Err(failure),
    };
    replied.map_or_else(Verdict::Failed, Verdict::Accepted)
}

async fn body(session: &mut ClearedSession, lease: &Lease) -> Verdict {
    // Each block that makes progress has its time, and the whole a floor of 1 KB/s.
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

/// Why the content did not go out whole.
enum Stopped {
    Session(SessionFailure),
    Damaged(Damage),
}

impl From<SessionFailure> for Stopped {
    fn from(failure: SessionFailure) -> Self {
        Self::Session(failure)
    }
}

/// Sends the content and the final dot. If it cannot be read to its end, or is not what was once written, the dot is never
/// sent and the connection given up, by which the server cancels the transaction (RFC 5321 §3.8).
async fn stream_content(session: &mut ClearedSession, lease: &Lease) -> Result<(), Stopped> {
    let unreadable = |error: SpoolError| match error {
        SpoolError::Damaged(damage) => Stopped::Damaged(damage),
        error => SessionFailure::content(error).into(),
    };
    let unfit = |_| SessionFailure::content("a lone CR or LF");
    let mut reader = lease.content.reader().await.map_err(unreadable)?;
    let mut stuffer = DotStuffer::new();
    let mut block = BytesMut::new();
    // One block is held back, so that the end of the content leaves together with the last of it.
    while let Some(chunk) = reader.next().await.map_err(unreadable)? {
        if !block.is_empty() {
            session.write(&block, Stage::Body).await?;
            block.clear();
        }
        stuffer.push(&chunk, &mut block).map_err(unfit)?;
    }
    stuffer.finish(&mut block).map_err(unfit)?;
    // Once the final dot is out, a crash leaves it open whether the message has arrived.
    lease.in_doubt();
    session.write(&block, Stage::Body).await?;
    Ok(())
}

/// A server that stops reading has often said why.
async fn early_reply(session: &mut ClearedSession, failure: SessionFailure) -> SessionFailure {
    if !matches!(failure.cause, Cause::Connection(ConnectionFault::Closed(_))) {
        return failure;
    }
    match session.reply_within(Stage::Body, Duration::from_secs(1)).await {
        Ok(reply) if !reply.is_positive() => SessionFailure::refused(Stage::Body, &reply),
        Ok(_) | Err(_) => failure,
    }
}

impl<'a> Judged<'a> {
    fn failed(recipient: &'a LeasedRecipient, failure: SessionFailure) -> Self {
        Self {
            recipient,
            verdict: Verdict::Failed(failure),
        }
    }
}

impl<'a> Ended<'a> {
    /// The content was never asked for. Who was refused before that stays refused.
    fn without_content(recipients: Vec<Addressed<'a>>, failure: &SessionFailure, usable: bool) -> Self {
        let judged = recipients.into_iter().map(|addressed| match addressed.reply {
            Some(reply) if reply.code.class() != 2 => {
                Judged::failed(addressed.recipient, SessionFailure::refused(Stage::Rcpt, &reply))
            }
            Some(_) | None => Judged::failed(addressed.recipient, failure.clone()),
        });
        Self {
            judged: judged.collect(),
            usable,
        }
    }

    /// Joins the reply that each recipient got with what became of the content.
    fn answered(recipients: Vec<Addressed<'a>>, content: Option<&Verdict>, usable: bool) -> Self {
        let judged = recipients.into_iter().map(|addressed| {
            let Addressed { recipient, reply, .. } = addressed;
            let verdict = match (content, reply) {
                (Some(content), Some(reply)) if reply.code.class() == 2 => content.clone(),
                (Some(_) | None, Some(reply)) => {
                    Verdict::Failed(SessionFailure::refused(Stage::Rcpt, &reply))
                }
                // Never so: who has no reply has a failure. If it were, nobody would know what became of the recipient.
                (Some(_) | None, None) => Verdict::Failed(Cause::closed(Stage::Rcpt).into()),
            };
            Judged { recipient, verdict }
        });
        Self {
            judged: judged.collect(),
            usable,
        }
    }
}
