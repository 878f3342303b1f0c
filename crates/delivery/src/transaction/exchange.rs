//! One transaction: its envelope, its content, and the result for each of its recipients.

use mail::cause::Cause;
use mail::{MailParameters, Stage};
use smtp::{Command, Extension, Reply};
use spool::{Lease, LeasedRecipient};
use tokio::time::{Instant, timeout_at};

use super::content::{Transfer, is_in_step};
use super::envelope::{Addressed, Envelope, Ready, empty_content, keeps_step, one_by_one, pipelined};
use super::letter::Letter;
use super::limits::time_limit;
use super::original::needs_smtputf8;
use super::verdict::{Judged, SuccessReport, Verdict};
use crate::connections::ClearedSession;
use crate::failure::SessionFailure;

/// A recipient that is still to be sent to, and the refusal that counts if the session is lost before: too many in the
/// transaction before this one. That a parameter was refused says nothing about the recipient.
pub(super) struct Waiting<'a> {
    pub(super) recipient: &'a LeasedRecipient,
    pub(super) refusal: Option<SessionFailure>,
}

/// What is sent.
pub(super) struct Message<'l> {
    pub(super) lease: &'l Lease,
    pub(super) letter: &'l Letter,
    /// When the content of the last transaction must have been sent.
    pub(super) last: Instant,
}

/// The results of one transaction.
pub(super) struct Turn<'a> {
    pub(super) judged: Vec<Judged<'a>>,
    /// Recipients that are to be named again at once, in the next transaction of the session.
    pub(super) again: Vec<Waiting<'a>>,
    /// As in [`super::Ended`].
    pub(super) usable: bool,
}

/// The transaction with those recipients that the server can serve.
pub(super) async fn exchange<'a>(
    session: &mut ClearedSession,
    message: &Message<'_>,
    recipients: Vec<&'a LeasedRecipient>,
) -> Turn<'a> {
    let Message { lease, letter, last } = *message;
    let size = letter.size(lease);
    let smtputf8 = lease.parameters.smtputf8 || recipients.iter().any(|one| needs_smtputf8(session, one));
    let recipients: Vec<Addressed<'a>> = recipients
        .into_iter()
        .map(|one| Addressed::new(one, smtputf8))
        .collect();
    let mut transaction = Transaction {
        lease,
        letter,
        success_report: if session.offers(Extension::Dsn) {
            SuccessReport::TheirAffair
        } else {
            SuccessReport::Ours
        },
        deadline: last.min(Instant::now() + time_limit(recipients.len(), size)),
        recipients,
    };
    match transaction.envelope(session, smtputf8).await {
        Ok(Envelope::Answered(ready)) => transaction.content(session, ready).await,
        Ok(Envelope::SenderRefused { reply, usable }) => transaction.sender_refused(session, &reply, usable),
        Err(failure) => transaction.without_content(&failure, false),
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

struct Transaction<'a, 'l> {
    lease: &'l Lease,
    letter: &'l Letter,
    success_report: SuccessReport,
    /// When the last octet of the content must have been sent.
    deadline: Instant,
    recipients: Vec<Addressed<'a>>,
}

impl<'a> Transaction<'a, '_> {
    async fn envelope(
        &mut self,
        session: &mut ClearedSession,
        smtputf8: bool,
    ) -> Result<Envelope, SessionFailure> {
        if session.is_unfinished() {
            reset(session).await?;
        }
        session.begin();
        let mail = Command::MailFrom {
            reverse_path: &self.lease.reverse_path,
            size: self.letter.size(self.lease),
            parameters: &MailParameters {
                body: self.letter.body(self.lease),
                smtputf8,
                ..self.lease.parameters.clone()
            },
        };
        let recipients = &mut self.recipients;
        let envelope = async {
            if session.offers(Extension::Pipelining) {
                pipelined(session, &mail, recipients).await
            } else {
                one_by_one(session, &mail, recipients).await
            }
        };
        // The replies that were read until then are kept with the recipients.
        let in_time = timeout_at(self.deadline, envelope).await;
        in_time.unwrap_or_else(|_| {
            let is_data = self.recipients.iter().all(|one| one.reply.is_some());
            let stage = if is_data { Stage::Data } else { Stage::Rcpt };
            Err(Cause::timed_out(stage).into())
        })
    }

    async fn content(self, session: &mut ClearedSession, ready: Ready) -> Turn<'a> {
        let accepted = self.accepted() > 0;
        let transfer = Transfer {
            lease: self.lease,
            letter: self.letter,
            deadline: self.deadline,
        };
        let outcome = match ready {
            Ready::Nothing => return self.answered(session, None, true),
            Ready::Data(reply) if reply.code.class() != 3 => {
                Verdict::Failed(SessionFailure::refused(Stage::Data, &reply))
            }
            Ready::Data(_) if accepted => transfer.send(session).await,
            Ready::Data(_) => {
                let usable = empty_content(session).await.is_ok();
                if usable {
                    session.finish();
                }
                return self.answered(session, None, usable);
            }
        };
        let usable = match &outcome {
            Verdict::Accepted(_) => {
                session.finish();
                true
            }
            Verdict::Failed(failure) => is_in_step(failure),
            Verdict::Open(_) | Verdict::Damaged(_) => false,
        };
        self.answered(session, Some(&outcome), usable)
    }

    fn accepted(&self) -> usize {
        self.recipients.iter().filter(|one| one.is_accepted()).count()
    }

    /// MAIL was refused. If only a parameter was, that the message can do without, it is sent again without it (RFC 5321
    /// §4.1.1.11): SIZE, and all of DSN, as to a server that does not offer them.
    fn sender_refused(self, session: &mut ClearedSession, reply: &Reply, usable: bool) -> Turn<'a> {
        let failure = SessionFailure::refused(Stage::Mail, reply);
        let optional = [Extension::Size, Extension::Dsn].map(|extension| session.offers(extension));
        if !usable || !is_about_parameters(reply) || optional == [false, false] {
            return self.without_content(&failure, usable);
        }
        session.forgo(Extension::Size);
        session.forgo(Extension::Dsn);
        let again = self.recipients.into_iter().map(|one| Waiting {
            recipient: one.recipient,
            refusal: None,
        });
        Turn {
            judged: Vec::new(),
            again: again.collect(),
            usable,
        }
    }

    /// No content was asked for. Recipients refused before that stay refused.
    fn without_content(self, failure: &SessionFailure, usable: bool) -> Turn<'a> {
        let judged = self
            .recipients
            .into_iter()
            .map(|addressed| match addressed.reply {
                Some(reply) if reply.code.class() != 2 => {
                    Judged::failed(addressed.recipient, SessionFailure::refused(Stage::Rcpt, &reply))
                }
                Some(_) | None => Judged::failed(addressed.recipient, failure.clone()),
            });
        Turn {
            judged: judged.collect(),
            again: Vec::new(),
            usable,
        }
    }

    /// Combines the reply that each recipient got with the result of the content.
    fn answered(self, session: &mut ClearedSession, content: Option<&Verdict>, usable: bool) -> Turn<'a> {
        let accepted = self.accepted();
        let (mut judged, mut again, mut too_many) = (Vec::new(), Vec::new(), TooMany::default());
        // The parameters of one recipient that the server refuses are not sent for the others either.
        let mut without_dsn = false;
        let usable = usable
            && self
                .recipients
                .iter()
                .filter_map(|one| one.reply.as_ref())
                .all(keeps_step);
        for Addressed {
            recipient,
            reply,
            asks,
            ..
        } in self.recipients
        {
            let Some(reply) = reply else {
                // This cannot happen: a recipient without a reply has a failure. If it did, the outcome would be unknown.
                judged.push(Judged::failed(recipient, Cause::closed(Stage::Rcpt).into()));
                continue;
            };
            if reply.code.class() == 2 {
                too_many.accepted();
                let verdict = content.cloned();
                let verdict = verdict.unwrap_or_else(|| Verdict::Failed(Cause::closed(Stage::Data).into()));
                judged.push(Judged {
                    recipient,
                    verdict,
                    success_report: self.success_report,
                });
                continue;
            }
            let failure = SessionFailure::refused(Stage::Rcpt, &reply);
            let parameters = asks && session.offers(Extension::Dsn) && is_about_parameters(&reply);
            let surplus = accepted > 0 && says_too_many(&reply);
            without_dsn |= parameters;
            if surplus {
                too_many.refused();
            }
            if parameters || surplus {
                again.push(Waiting {
                    recipient,
                    // Said without an enhanced code, 552 means that only beside others.
                    refusal: surplus.then(|| SessionFailure::too_many_recipients(&reply)),
                });
            } else {
                judged.push(Judged::failed(recipient, failure));
            }
        }
        if without_dsn {
            session.forgo(Extension::Dsn);
        }
        if let Some(limit) = too_many.limit() {
            session.learn_recipients_limit(limit);
        }
        Turn {
            judged,
            again,
            usable,
        }
    }
}

/// Whether a reply refuses parameters (RFC 5321 §4.1.1.11).
fn is_about_parameters(reply: &Reply) -> bool {
    matches!(reply.code.get(), 455 | 555)
}

/// Whether a reply to RCPT says that there are too many recipients: 452, or 552 in its old form (RFC 5321 §4.5.3.1.10), if
/// the enhanced code does not say otherwise; 451 if the enhanced code says it, as `OpenSMTPD` does.
fn says_too_many(reply: &Reply) -> bool {
    let said = reply.enhanced().map(mail::EnhancedStatus::is_too_many_recipients);
    match reply.code.get() {
        452 | 552 => said.unwrap_or(true),
        451 => said.unwrap_or(false),
        _ => false,
    }
}

/// How many recipients a server takes in one transaction: those before the first that was too many, if it took none after
/// it.
#[derive(Default)]
struct TooMany {
    before: usize,
    after: usize,
    is_reached: bool,
}

impl TooMany {
    fn accepted(&mut self) {
        if self.is_reached {
            self.after += 1;
        } else {
            self.before += 1;
        }
    }

    fn refused(&mut self) {
        self.is_reached = true;
    }

    fn limit(&self) -> Option<usize> {
        (self.is_reached && self.after == 0 && self.before > 0).then_some(self.before)
    }
}
