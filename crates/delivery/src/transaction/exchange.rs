//! The transaction as a whole: who can be named in it, its envelope, its content, and the result for each recipient.

use mail::cause::{BeyondAscii, Cause, SmtpFault};
use mail::{MailParameters, Stage};
use smtp::{Command, Extension, Reply};
use spool::{Lease, LeasedRecipient};

use super::content::{body, empty_body, is_in_step};
use super::envelope::{Addressed, Envelope, one_by_one, pipelined};
use super::original;
use super::verdict::{Ended, Judged, Verdict};
use crate::connections::ClearedSession;
use crate::failure::SessionFailure;

/// The maximum number of recipients in one transaction; more are split (RFC 5321 §4.5.3.1.8). It also bounds a group of
/// pipelined commands, so that neither side waits for the other to read (RFC 2920 §3.1).
pub(crate) const RECIPIENTS: usize = 100;

/// Sends a message to some recipients of its lease, at most 100. Only a session that has met its requirement can be
/// passed to it: see [`crate::connections::session`].
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

/// The transaction with those recipients that the server can serve.
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

/// Ends an unfinished previous transaction (RFC 5321 §4.1.1.5): a second MAIL within it would be refused.
async fn reset(session: &mut ClearedSession) -> Result<(), SessionFailure> {
    let reply = session.command(&Command::Rset, Stage::Rset).await?;
    if reply.code.class() == 2 {
        Ok(())
    } else {
        Err(SessionFailure::refused(Stage::Rset, &reply))
    }
}

/// Why the message cannot be sent at all, or not to this recipient, given what the server has announced.
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

/// Whether a recipient needs a transaction with SMTPUTF8. ORCPT is sent only to servers with DSN.
fn needs_smtputf8(session: &ClearedSession, recipient: &LeasedRecipient) -> bool {
    !recipient.address.is_ascii()
        || session.offers(Extension::Dsn) && original::needs_smtputf8(&recipient.parameters)
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

impl<'a> Ended<'a> {
    /// DATA was never accepted. Recipients refused before that stay refused.
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

    /// Combines the reply that each recipient got with the result of the content.
    fn answered(recipients: Vec<Addressed<'a>>, content: Option<&Verdict>, usable: bool) -> Self {
        let judged = recipients.into_iter().map(|addressed| {
            let Addressed { recipient, reply, .. } = addressed;
            let verdict = match (content, reply) {
                (Some(content), Some(reply)) if reply.code.class() == 2 => content.clone(),
                (Some(_) | None, Some(reply)) => {
                    Verdict::Failed(SessionFailure::refused(Stage::Rcpt, &reply))
                }
                // This cannot happen: a recipient without a reply has a failure. If it did, the outcome would be
                // unknown.
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
