//! The envelope: MAIL, RCPT and DATA, and their replies.

use std::borrow::Cow;

use mail::{RecipientParameters, Stage};
use smtp::{Command, Reply};
use spool::LeasedRecipient;

use super::original;
use crate::connections::ClearedSession;
use crate::failure::SessionFailure;

/// A recipient in a transaction: its parameters, and the reply to its RCPT once there is one.
pub(super) struct Addressed<'a> {
    pub(super) recipient: &'a LeasedRecipient,
    parameters: Cow<'a, RecipientParameters>,
    pub(super) reply: Option<Reply>,
}

impl<'a> Addressed<'a> {
    pub(super) fn new(recipient: &'a LeasedRecipient, smtputf8: bool) -> Self {
        Self {
            recipient,
            parameters: original::parameters(&recipient.parameters, smtputf8),
            reply: None,
        }
    }

    fn command(&self) -> Command<'_> {
        Command::RcptTo(&self.recipient.address, &self.parameters)
    }

    /// Whether the server accepts the message for this recipient.
    pub(super) fn is_accepted(&self) -> bool {
        self.reply.as_ref().is_some_and(|reply| reply.code.class() == 2)
    }
}

/// The result of the envelope.
pub(super) enum Envelope {
    /// MAIL was refused; `usable` says whether the session can be used for another transaction.
    SenderRefused { reply: Reply, usable: bool },
    /// MAIL was accepted; each recipient has its reply, and `data` is the reply to DATA.
    Answered { data: Option<Reply> },
}

/// 421 ends the session at any point (RFC 5321 §3.8): it stands for all replies that are still missing.
fn cut_short(recipients: &mut [Addressed<'_>], last: Reply) -> Envelope {
    for addressed in recipients.iter_mut().filter(|one| one.reply.is_none()) {
        addressed.reply = Some(last.clone());
    }
    Envelope::Answered { data: Some(last) }
}

/// MAIL, RCPT and DATA in one go (RFC 2920).
pub(super) async fn pipelined(
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
        // The refusal stands, whatever happens to the replies after it.
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

/// Reads the remaining replies of a group whose MAIL was refused. A server that says 354 anyway waits for content: it
/// gets only the end of the content (RFC 2920 §3.1).
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

/// Sends each command after the reply to the previous one.
pub(super) async fn one_by_one(
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
