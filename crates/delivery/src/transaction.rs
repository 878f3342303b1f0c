//! One transaction: MAIL, RCPT, DATA and the content, and what it made of each recipient.

use std::borrow::Cow;
use std::time::Duration;

use bytes::BytesMut;
use mail::{MailParameters, RecipientParameters};
use smtp::data::DotStuffer;
use smtp::{Command, Extension, Reply};
use spool::{Damage, Lease, LeasedRecipient, SpoolError};

use crate::clearance::Cleared;
use crate::config::Timeouts;
use crate::failure::{BeyondAscii, SessionFailure};
use crate::original;
use crate::session::Session;
use crate::stage::Stage;

/// Recipients in one transaction; more are split (RFC 5321 §4.5.3.1.8). It also bounds a group of pipelined
/// commands, so that neither side waits for the other to read (RFC 2920 §3.1).
pub(crate) const RECIPIENTS: usize = 100;

/// What a transaction made of one recipient.
#[derive(Debug, Clone)]
pub(crate) enum Verdict {
    /// The server took responsibility, with this reply to the final dot.
    Accepted(Reply),
    /// It did not.
    Failed(SessionFailure),
    /// It was sent the whole content, and this came instead of a reply that says what became of it: it may have taken
    /// the message.
    Open(SessionFailure),
}

impl Verdict {
    /// What is wrong with the content, if that is why it failed.
    pub(crate) fn damage(&self) -> Option<Damage> {
        match self {
            Self::Failed(SessionFailure::Damaged(damage)) => Some(*damage),
            Self::Accepted(_) | Self::Failed(_) | Self::Open(_) => None,
        }
    }
}

/// A recipient and what a transaction made of it.
#[derive(Debug)]
pub(crate) struct Judged<'a> {
    pub(crate) recipient: &'a LeasedRecipient,
    pub(crate) verdict: Verdict,
}

/// What a transaction made of its recipients, and whether the session is good for another.
pub(crate) struct Ended<'a> {
    pub(crate) judged: Vec<Judged<'a>>,
    pub(crate) usable: bool,
}

/// Sends a message to some recipients of its lease, [`RECIPIENTS`] at most. `_cleared` says that the session meets its
/// requirement; without one nothing is ever sent.
pub(crate) async fn send<'a>(
    session: &mut Session,
    _cleared: &Cleared,
    lease: &Lease,
    recipients: &[&'a LeasedRecipient],
    timeouts: &Timeouts,
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
        exchange(session, lease, fit, timeouts).await
    };
    ended.judged.append(&mut unfit);
    ended
}

/// The transaction with those for whom the server is fit.
async fn exchange<'a>(
    session: &mut Session,
    lease: &Lease,
    recipients: Vec<&'a LeasedRecipient>,
    timeouts: &Timeouts,
) -> Ended<'a> {
    let smtputf8 = lease.parameters.smtputf8 || recipients.iter().any(|one| needs_smtputf8(session, one));
    let addressed = recipients.into_iter().map(|one| Addressed::new(one, smtputf8));
    let mut addressed: Vec<Addressed<'a>> = addressed.collect();
    if session.unfinished
        && let Err(failure) = reset(session, timeouts).await
    {
        return Ended::all(addressed, &failure, false);
    }
    session.unfinished = true;
    let mail = Command::MailFrom {
        reverse_path: &lease.reverse_path,
        size: lease.size,
        parameters: &MailParameters {
            smtputf8,
            ..lease.parameters.clone()
        },
    };
    let envelope = if session.extensions.offers(Extension::Pipelining) {
        pipelined(session, &mail, &mut addressed, timeouts).await
    } else {
        one_by_one(session, &mail, &mut addressed, timeouts).await
    };
    match envelope {
        Ok(Envelope::Answered { data }) => content(session, lease, addressed, data, timeouts).await,
        Ok(Envelope::SenderRefused { reply, usable }) => {
            let failure = SessionFailure::Refused(Stage::Mail, reply);
            Ended::all(addressed, &failure, usable)
        }
        Err(failure) => Ended::all(addressed, &failure, false),
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
async fn reset(session: &mut Session, timeouts: &Timeouts) -> Result<(), SessionFailure> {
    let Session { wire, extensions, .. } = session;
    let reply = wire
        .command(&Command::Rset, extensions, Stage::Rset, timeouts.rset)
        .await?;
    if reply.code.class() == 2 {
        Ok(())
    } else {
        Err(SessionFailure::Refused(Stage::Rset, reply))
    }
}

/// What the server has said cannot be sent at all, or not to this recipient.
fn unfit(session: &Session, lease: &Lease, recipient: &LeasedRecipient) -> Option<SessionFailure> {
    let offers = |extension| session.extensions.offers(extension);
    match session.extensions.size_limit() {
        Some(limit) if lease.size > limit => return Some(SessionFailure::TooLarge(limit)),
        Some(_) | None => {}
    }
    if !offers(Extension::SmtpUtf8) {
        if !lease.reverse_path.as_str().is_ascii() || needs_smtputf8(session, recipient) {
            return Some(SessionFailure::NoSmtpUtf8(BeyondAscii::Address));
        }
        if lease.parameters.smtputf8 {
            return Some(SessionFailure::NoSmtpUtf8(BeyondAscii::Header));
        }
    }
    let eight_bit = lease.parameters.body == mail::BodyType::EightBitMime;
    (eight_bit && !offers(Extension::EightBitMime)).then_some(SessionFailure::No8BitMime)
}

/// Whether a recipient can be named in a transaction with SMTPUTF8 only. An ORCPT goes to servers with DSN only.
fn needs_smtputf8(session: &Session, recipient: &LeasedRecipient) -> bool {
    !recipient.address.is_ascii()
        || session.extensions.offers(Extension::Dsn) && original::needs_smtputf8(&recipient.parameters)
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
    session: &mut Session,
    mail: &Command<'_>,
    recipients: &mut [Addressed<'_>],
    timeouts: &Timeouts,
) -> Result<Envelope, SessionFailure> {
    let Session { wire, extensions, .. } = session;
    wire.queue(mail, extensions);
    for addressed in recipients.iter() {
        wire.queue(&addressed.command(), extensions);
    }
    wire.queue(&Command::Data, extensions);
    wire.flush(Stage::Mail, timeouts.mail).await?;
    let mail = wire.reply(Stage::Mail, timeouts.mail).await?;
    if mail.code.class() != 2 {
        let over = mail.code.get() == 421;
        // The refusal stands, whatever becomes of the replies behind it.
        let usable = !over && after_refusal(session, recipients.len(), timeouts).await.is_ok();
        return Ok(Envelope::SenderRefused { reply: mail, usable });
    }
    for addressed in recipients.iter_mut() {
        let reply = wire.reply(Stage::Rcpt, timeouts.rcpt).await?;
        if reply.code.get() == 421 {
            return Ok(cut_short(recipients, reply));
        }
        addressed.reply = Some(reply);
    }
    let data = Some(wire.reply(Stage::Data, timeouts.data).await?);
    Ok(Envelope::Answered { data })
}

/// Reads what is left of a group whose MAIL was refused. A server that yet says 354 waits for content: it gets none
/// but the end (RFC 2920 §3.1).
async fn after_refusal(
    session: &mut Session,
    recipients: usize,
    timeouts: &Timeouts,
) -> Result<(), SessionFailure> {
    let wire = &mut session.wire;
    for _ in 0..recipients {
        wire.reply(Stage::Rcpt, timeouts.rcpt).await?;
    }
    let data = wire.reply(Stage::Data, timeouts.data).await?;
    if data.code.get() == 354 {
        wire.write(b".\r\n", Stage::Body, timeouts.body).await?;
        wire.reply(Stage::FinalDot, timeouts.final_dot).await?;
    }
    Ok(())
}

async fn one_by_one(
    session: &mut Session,
    mail: &Command<'_>,
    recipients: &mut [Addressed<'_>],
    timeouts: &Timeouts,
) -> Result<Envelope, SessionFailure> {
    let Session { wire, extensions, .. } = session;
    let reply = wire.command(mail, extensions, Stage::Mail, timeouts.mail).await?;
    if reply.code.class() != 2 {
        let usable = reply.code.get() != 421;
        return Ok(Envelope::SenderRefused { reply, usable });
    }
    for addressed in recipients.iter_mut() {
        let command = addressed.command();
        let reply = wire
            .command(&command, extensions, Stage::Rcpt, timeouts.rcpt)
            .await?;
        if reply.code.get() == 421 {
            return Ok(cut_short(recipients, reply));
        }
        addressed.reply = Some(reply);
    }
    if !recipients.iter().any(Addressed::is_accepted) {
        return Ok(Envelope::Answered { data: None });
    }
    let data = wire
        .command(&Command::Data, extensions, Stage::Data, timeouts.data)
        .await?;
    Ok(Envelope::Answered { data: Some(data) })
}

async fn content<'a>(
    session: &mut Session,
    lease: &Lease,
    recipients: Vec<Addressed<'a>>,
    data: Option<Reply>,
    timeouts: &Timeouts,
) -> Ended<'a> {
    let accepted = recipients.iter().any(Addressed::is_accepted);
    let outcome = match data {
        Some(data) if data.code.get() != 354 => Verdict::Failed(SessionFailure::Refused(Stage::Data, data)),
        Some(_) if accepted => body(session, lease, timeouts).await,
        Some(_) => empty_body(session, timeouts).await,
        None => return Ended::answered(recipients, None, true),
    };
    let usable = match &outcome {
        Verdict::Accepted(_) => {
            session.unfinished = false;
            true
        }
        Verdict::Failed(failure) => is_in_step(failure),
        Verdict::Open(_) => false,
    };
    Ended::answered(recipients, Some(&outcome), usable)
}

/// Whether server and client still agree on what comes next: after a clear refusal of DATA or of the whole content,
/// and not where the content was broken off.
fn is_in_step(failure: &SessionFailure) -> bool {
    matches!(failure, SessionFailure::Refused(Stage::Data | Stage::FinalDot, reply)
        if matches!(reply.code.class(), 4 | 5) && reply.code.get() != 421)
}

/// 354 with no recipient accepted: the end of the content and nothing before it (RFC 2920 §3.1). The verdict is about
/// nobody; any reply means that the session can go on.
async fn empty_body(session: &mut Session, timeouts: &Timeouts) -> Verdict {
    let wire = &mut session.wire;
    let written = wire.write(b".\r\n", Stage::Body, timeouts.body).await;
    let replied = match written {
        Ok(()) => wire.reply(Stage::FinalDot, timeouts.final_dot).await,
        Err(failure) => Err(failure),
    };
    replied.map_or_else(Verdict::Failed, Verdict::Accepted)
}

async fn body(session: &mut Session, lease: &Lease, timeouts: &Timeouts) -> Verdict {
    // Each block that makes progress has its time, and the whole a floor of 1 KB/s.
    let floor = timeouts
        .body
        .saturating_add(Duration::from_secs(lease.size / 1024));
    match tokio::time::timeout(floor, stream_content(session, lease, timeouts)).await {
        Ok(Ok(())) => {}
        Ok(Err(failure)) => return Verdict::Failed(early_reply(session, failure).await),
        Err(_) => return Verdict::Failed(SessionFailure::TimedOut(Stage::Body)),
    }
    match session.wire.reply(Stage::FinalDot, timeouts.final_dot).await {
        Ok(reply) if reply.code.class() == 2 => Verdict::Accepted(reply),
        Ok(reply) => Verdict::Failed(SessionFailure::Refused(Stage::FinalDot, reply)),
        Err(failure) => Verdict::Open(failure),
    }
}

/// Sends the content and the final dot. If it cannot be read to its end, or is not what was once written, the dot is never
/// sent and the connection given up, by which the server cancels the transaction (RFC 5321 §3.8).
async fn stream_content(
    session: &mut Session,
    lease: &Lease,
    timeouts: &Timeouts,
) -> Result<(), SessionFailure> {
    let unreadable = |error: SpoolError| match error {
        SpoolError::Damaged(damage) => SessionFailure::Damaged(damage),
        error => SessionFailure::Content(error.to_string()),
    };
    let unfit = |_| SessionFailure::Content("a lone CR or LF".to_owned());
    let mut reader = lease.content.reader().await.map_err(unreadable)?;
    let mut stuffer = DotStuffer::new();
    let mut block = BytesMut::new();
    // One block is held back, so that the end of the content leaves together with the last of it.
    while let Some(chunk) = reader.next().await.map_err(unreadable)? {
        if !block.is_empty() {
            session.wire.write(&block, Stage::Body, timeouts.body).await?;
            block.clear();
        }
        stuffer.push(&chunk, &mut block).map_err(unfit)?;
    }
    stuffer.finish(&mut block).map_err(unfit)?;
    // Once the final dot is out, a crash leaves it open whether the message has arrived.
    lease.in_doubt();
    session.wire.write(&block, Stage::Body, timeouts.body).await
}

/// A server that stops reading has often said why.
async fn early_reply(session: &mut Session, failure: SessionFailure) -> SessionFailure {
    if !matches!(failure, SessionFailure::Closed(_)) {
        return failure;
    }
    match session.wire.reply(Stage::Body, Duration::from_secs(1)).await {
        Ok(reply) if !reply.is_positive() => SessionFailure::Refused(Stage::Body, reply),
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
    fn all(recipients: Vec<Addressed<'a>>, failure: &SessionFailure, usable: bool) -> Self {
        let judged = recipients
            .into_iter()
            .map(|addressed| Judged::failed(addressed.recipient, failure.clone()))
            .collect();
        Self { judged, usable }
    }

    /// Joins the reply that each recipient got with what became of the content.
    fn answered(recipients: Vec<Addressed<'a>>, content: Option<&Verdict>, usable: bool) -> Self {
        let judged = recipients.into_iter().map(|addressed| {
            let Addressed { recipient, reply, .. } = addressed;
            let verdict = match (content, reply) {
                (Some(content), Some(reply)) if reply.code.class() == 2 => content.clone(),
                (Some(_) | None, Some(reply)) => Verdict::Failed(SessionFailure::Refused(Stage::Rcpt, reply)),
                // Never so: who has no reply has a failure. If it were, nobody would know what became of the recipient.
                (Some(_) | None, None) => Verdict::Failed(SessionFailure::Closed(Stage::Rcpt)),
            };
            Judged { recipient, verdict }
        });
        Self {
            judged: judged.collect(),
            usable,
        }
    }
}
