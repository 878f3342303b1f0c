//! One message to all its recipients over one session.

use std::collections::VecDeque;

use mail::cause::{BeyondAscii, Cause, Missing, SmtpFault};
use mail::{ReversePath, Stage, TlsTag};
use smtp::Extension;
use spool::{Lease, LeasedRecipient};
use tokio::time::Instant;

use super::exchange::{Message, Turn, Waiting, exchange};
use super::letter::{Letter, Stopped};
use super::limits::{LONGEST, RECIPIENTS, Twins};
use super::original::needs_smtputf8;
use super::verdict::{Ended, Judged, SuccessReport, Verdict};
use crate::connections::ClearedSession;
use crate::failure::SessionFailure;

/// Sends a message to recipients of its lease, in as few transactions as the server's limits allow. Only a session that has
/// met its requirement can be passed to it: see [`crate::connections::session`].
///
/// Each recipient is judged by the replies that it got; recipients that the server puts off because they are too many for
/// one transaction (RFC 5321 §4.5.3.1.10) are named again in the next one, as long as each transaction serves some.
pub async fn send<'a>(
    session: &mut ClearedSession,
    lease: &Lease,
    recipients: &[&'a LeasedRecipient],
) -> Ended<'a> {
    session.begin_message();
    let (distinct, twins) = Twins::split_off(recipients, session.offers(Extension::Dsn));
    let mut sending = Sending::default();
    let mut fit = VecDeque::new();
    for recipient in distinct {
        match unfit(session, lease, recipient) {
            Some(failure) => sending.judged.push(Judged::failed(recipient, failure)),
            None => fit.push_back(Waiting {
                recipient,
                refusal: None,
            }),
        }
    }
    sending.waiting = fit;
    let (mut left, usable) = if sending.waiting.is_empty() {
        (Vec::new(), true)
    } else {
        sending.letter(session, lease).await
    };
    let mut judged = sending.judged;
    twins.share(&mut judged, &mut left);
    Ended { judged, left, usable }
}

#[derive(Default)]
struct Sending<'a> {
    waiting: VecDeque<Waiting<'a>>,
    judged: Vec<Judged<'a>>,
}

impl<'a> Sending<'a> {
    /// Finds the form of the content that this server takes, and sends it.
    async fn letter(
        &mut self,
        session: &mut ClearedSession,
        lease: &Lease,
    ) -> (Vec<&'a LeasedRecipient>, bool) {
        let verdict = match Letter::for_server(session, lease).await {
            Ok(letter) => {
                let size = letter.size(lease);
                match session.size_limit() {
                    Some(limit) if size > limit => too_large(limit),
                    Some(_) | None => {
                        let message = Message {
                            lease,
                            letter: &letter,
                            last: Instant::now() + LONGEST,
                        };
                        return self.transactions(session, &message).await;
                    }
                }
            }
            Err(Stopped::Damaged(damage)) => Verdict::Damaged(damage),
            Err(Stopped::Failed(failure)) => Verdict::Failed(failure),
        };
        let judged = self.waiting.drain(..).map(|waiting| Judged {
            recipient: waiting.recipient,
            verdict: verdict.clone(),
            success_report: SuccessReport::Ours,
        });
        self.judged.extend(judged);
        (Vec::new(), true)
    }

    /// Transactions until nobody waits any more, or the session can serve no more; and whether it is usable then.
    async fn transactions(
        &mut self,
        session: &mut ClearedSession,
        message: &Message<'_>,
    ) -> (Vec<&'a LeasedRecipient>, bool) {
        while !self.waiting.is_empty() {
            if Instant::now() >= message.last {
                return (self.rest(), true);
            }
            let group = self.next_group(session);
            if group.is_empty() {
                return (self.rest(), true);
            }
            let Turn {
                judged,
                again,
                usable,
            } = exchange(session, message, group).await;
            self.judged.extend(judged);
            for one in again.into_iter().rev() {
                self.waiting.push_front(one);
            }
            if !usable {
                self.fail_rest();
                return (Vec::new(), false);
            }
        }
        (Vec::new(), true)
    }

    /// Takes as many of the waiting recipients as one transaction of this session may have.
    fn next_group(&mut self, session: &mut ClearedSession) -> Vec<&'a LeasedRecipient> {
        let most = session
            .recipients_limit()
            .unwrap_or(RECIPIENTS)
            .clamp(1, RECIPIENTS);
        let mut group = Vec::new();
        let mut others = VecDeque::new();
        while let Some(waiting) = self.waiting.pop_front() {
            let domain = waiting.recipient.address.domain();
            if group.len() < most && session.has_room_for(domain) {
                session.count_domain(domain);
                group.push(waiting.recipient);
            } else {
                others.push_back(waiting);
            }
        }
        self.waiting = others;
        group
    }

    fn rest(&mut self) -> Vec<&'a LeasedRecipient> {
        self.waiting.drain(..).map(|waiting| waiting.recipient).collect()
    }

    /// Those who still wait have lost this session. What the server said about them counts, if it said something; if the
    /// content turned out to be damaged, it is so for everybody.
    fn fail_rest(&mut self) {
        let is_damaged = |one: &&Judged<'_>| one.verdict.damage().is_some();
        let damaged = self.judged.iter().find(is_damaged).cloned();
        let failed = self.waiting.drain(..).map(|Waiting { recipient, refusal }| {
            if let Some(damaged) = &damaged {
                Judged {
                    recipient,
                    ..damaged.clone()
                }
            } else {
                let failure = refusal.unwrap_or_else(|| Cause::closed(Stage::Mail).into());
                Judged::failed(recipient, failure)
            }
        });
        self.judged.extend(failed);
    }
}

/// The content is larger than the server takes.
fn too_large(limit: u64) -> Verdict {
    Verdict::Failed(Cause::Smtp(SmtpFault::Lacks(Missing::Size(limit))).into())
}

/// Why the message cannot be sent at all, or not to this recipient, because the server does not offer REQUIRETLS or SMTPUTF8.
fn unfit(session: &ClearedSession, lease: &Lease, recipient: &LeasedRecipient) -> Option<SessionFailure> {
    // A report may go without the keyword (RFC 8689 §5).
    let is_required = lease.parameters.tls == TlsTag::Required && lease.reverse_path != ReversePath::Null;
    if is_required && !session.offers(Extension::RequireTls) {
        return Some(Cause::Smtp(SmtpFault::Lacks(Missing::RequireTls)).into());
    }
    if session.offers(Extension::SmtpUtf8) {
        return None;
    }
    let part = if !lease.reverse_path.as_str().is_ascii() || needs_smtputf8(session, recipient) {
        BeyondAscii::Address
    } else if lease.parameters.smtputf8 {
        BeyondAscii::Header
    } else {
        return None;
    };
    Some(Cause::Smtp(SmtpFault::Lacks(Missing::SmtpUtf8(part))).into())
}
