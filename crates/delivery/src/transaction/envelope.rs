//! The envelope: MAIL, RCPT and DATA, and their replies.

use std::borrow::Cow;
use std::time::Duration;

use mail::{RecipientParameters, Stage};
use smtp::{Command, Reply};
use spool::LeasedRecipient;

use super::content::LAST_WORDS;
use super::original;
use crate::connections::ClearedSession;
use crate::failure::SessionFailure;

/// The most octets of commands that are sent before their replies are read. They fit into the buffers of this side alone, so
/// that a server which reads nothing until its replies are read cannot bring both to a halt (RFC 2920 §3.1).
const GROUP: usize = 8 * 1024;

/// A recipient in a transaction: its parameters, and the reply to its RCPT once there is one.
pub(super) struct Addressed<'a> {
    pub(super) recipient: &'a LeasedRecipient,
    parameters: Cow<'a, RecipientParameters>,
    /// Whether it has parameters.
    pub(super) asks: bool,
    pub(super) reply: Option<Reply>,
}

impl<'a> Addressed<'a> {
    pub(super) fn new(recipient: &'a LeasedRecipient, smtputf8: bool) -> Self {
        Self {
            recipient,
            parameters: original::parameters(&recipient.parameters, smtputf8),
            asks: recipient.parameters != RecipientParameters::default(),
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
    /// MAIL was accepted; each recipient has its reply.
    Answered(Ready),
}

/// What the server is ready for after the envelope.
pub(super) enum Ready {
    /// No recipient was accepted, and DATA was not sent.
    Nothing,
    /// What this reply to DATA says.
    Data(Reply),
}

/// Whether server and client agree on what comes next after this reply. After 3yz the server waits for
/// something else; with 421 it leaves.
pub(super) fn keeps_step(reply: &Reply) -> bool {
    matches!(reply.code.class(), 2 | 4 | 5) && reply.code.get() != 421
}

/// 421 ends the session at any point (RFC 5321 §3.8): it stands for all replies that are still missing.
fn cut_short(recipients: &mut [Addressed<'_>], last: Reply) -> Envelope {
    for addressed in recipients.iter_mut().filter(|one| one.reply.is_none()) {
        addressed.reply = Some(last.clone());
    }
    Envelope::Answered(Ready::Data(last))
}

/// MAIL, RCPT and DATA in few groups of commands (RFC 2920): DATA ends the last one.
pub(super) async fn pipelined(
    session: &mut ClearedSession,
    mail: &Command<'_>,
    recipients: &mut [Addressed<'_>],
) -> Result<Envelope, SessionFailure> {
    session.queue(mail);
    let mut begun = 0;
    loop {
        let is_first = begun == 0;
        let mut end = begun;
        for addressed in recipients.iter().skip(begun) {
            session.queue(&addressed.command());
            end += 1;
            if session.queued() >= GROUP {
                break;
            }
        }
        let is_last = end == recipients.len();
        if is_last {
            session.queue(&Command::Data);
        }
        let group = Group::send(session).await?;
        if is_first {
            let mail = group.reply(session, Stage::Mail).await?;
            if mail.code.class() != 2 {
                // The refusal stands, whatever happens to the replies after it.
                let usable = keeps_step(&mail) && is_usable_after(session, end, is_last).await;
                return Ok(Envelope::SenderRefused { reply: mail, usable });
            }
        }
        for addressed in recipients.iter_mut().take(end).skip(begun) {
            let reply = group.reply(session, Stage::Rcpt).await?;
            if reply.code.get() == 421 {
                return Ok(cut_short(recipients, reply));
            }
            addressed.reply = Some(reply);
        }
        if is_last {
            let data = group.reply(session, Stage::Data).await?;
            return Ok(Envelope::Answered(Ready::Data(data)));
        }
        begun = end;
    }
}

/// A group of commands that was sent. If the server closed before it could be, it may have said why.
struct Group {
    time_limit: Option<Duration>,
}

impl Group {
    async fn send(session: &mut ClearedSession) -> Result<Self, SessionFailure> {
        match session.flush(Stage::Mail).await {
            Ok(()) => Ok(Self { time_limit: None }),
            Err(failure) if failure.is_closed() => Ok(Self {
                time_limit: Some(LAST_WORDS),
            }),
            Err(failure) => Err(failure),
        }
    }

    async fn reply(&self, session: &mut ClearedSession, stage: Stage) -> Result<Reply, SessionFailure> {
        match self.time_limit {
            None => session.reply(stage).await,
            Some(limit) => session.reply_within(stage, limit).await,
        }
    }
}

/// Reads the remaining replies of a group whose MAIL was refused; whether the session can be used then. A server that says
/// 354 anyway waits for content: it gets only the end of the content (RFC 2920 §3.1).
async fn is_usable_after(session: &mut ClearedSession, recipients: usize, with_data: bool) -> bool {
    for _ in 0..recipients {
        if !session
            .reply(Stage::Rcpt)
            .await
            .is_ok_and(|reply| keeps_step(&reply))
        {
            return false;
        }
    }
    if !with_data {
        return true;
    }
    match session.reply(Stage::Data).await {
        Ok(data) if data.code.class() == 3 => empty_content(session).await.is_ok(),
        Ok(data) => keeps_step(&data),
        Err(_) => false,
    }
}

/// Sends only the end of the content. No recipient was accepted, so any reply will do with which the session can go on.
pub(super) async fn empty_content(session: &mut ClearedSession) -> Result<(), SessionFailure> {
    session.write(b".\r\n", Stage::Body).await?;
    let reply = session.reply(Stage::FinalDot).await?;
    if keeps_step(&reply) {
        Ok(())
    } else {
        Err(SessionFailure::refused(Stage::FinalDot, &reply))
    }
}

/// Sends each command after the reply to the previous one.
pub(super) async fn one_by_one(
    session: &mut ClearedSession,
    mail: &Command<'_>,
    recipients: &mut [Addressed<'_>],
) -> Result<Envelope, SessionFailure> {
    let reply = ask(session, mail, Stage::Mail).await?;
    if reply.code.class() != 2 {
        let usable = keeps_step(&reply);
        return Ok(Envelope::SenderRefused { reply, usable });
    }
    for addressed in recipients.iter_mut() {
        let reply = ask(session, &addressed.command(), Stage::Rcpt).await?;
        if reply.code.get() == 421 {
            return Ok(cut_short(recipients, reply));
        }
        addressed.reply = Some(reply);
    }
    if !recipients.iter().any(Addressed::is_accepted) {
        return Ok(Envelope::Answered(Ready::Nothing));
    }
    let data = ask(session, &Command::Data, Stage::Data).await?;
    Ok(Envelope::Answered(Ready::Data(data)))
}

/// Sends a command and reads its reply. A refusal that a server sent before it closed counts, even if the command could not
/// be sent any more.
async fn ask(
    session: &mut ClearedSession,
    command: &Command<'_>,
    stage: Stage,
) -> Result<Reply, SessionFailure> {
    let failure = match session.command(command, stage).await {
        Ok(reply) => return Ok(reply),
        Err(failure) => failure,
    };
    if !failure.is_closed() {
        return Err(failure);
    }
    match session.reply_within(stage, LAST_WORDS).await {
        Ok(reply) if !reply.is_positive() => Ok(reply),
        Ok(_) | Err(_) => Err(failure),
    }
}
