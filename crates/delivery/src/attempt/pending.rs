//! The recipients of an attempt as it goes through the hosts, and what is kept of each failure until the end.

use std::collections::BTreeMap;
use std::sync::Arc;

use mail::Stage;
use mail::cause::{Cause, OurFault, SmtpFault};
use policy::conclude::conclude;
use policy::failure::Failure;
use spool::{Lease, LeasedRecipient, RecipientIndex};

use super::record::HostRecord;
use super::result::{Ending, RecipientResult};
use super::target::Target;
use crate::failure::SessionFailure;
use crate::route::Route;
use crate::transaction::{Judged, Verdict};

/// A recipient during the attempt.
pub(super) struct Pending<'a> {
    pub(super) recipient: &'a LeasedRecipient,
    /// The failure to report, as of now. A server's reply may be long and there may be many hosts, so only this one is
    /// kept.
    failure: Option<RecipientFailure>,
    reach: Reach,
    pub(super) done: Option<RecipientResult<'a>>,
}

/// Whether a fallback may be asked for a recipient (D10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// No host was asked: nothing is known about them.
    Untried,
    /// Every host that was asked was out of reach, or could not take the message now.
    Outage,
    /// Some host failed in another way.
    Barred,
}

impl Reach {
    fn and(self, failure: &Failure) -> Self {
        match self {
            Self::Untried | Self::Outage if failure.is_outage() => Self::Outage,
            Self::Untried | Self::Outage | Self::Barred => Self::Barred,
        }
    }
}

/// A failure and the host at which it happened.
#[derive(Debug, Clone)]
pub(super) struct RecipientFailure {
    pub(super) failure: Arc<Failure>,
    pub(super) record: Arc<HostRecord>,
}

impl AsRef<Failure> for RecipientFailure {
    fn as_ref(&self) -> &Failure {
        &self.failure
    }
}

/// All recipients of a lease, by their index in the envelope.
pub(super) fn all(lease: &Lease) -> BTreeMap<RecipientIndex, Pending<'_>> {
    let recipients = lease.recipients.iter();
    recipients.map(|one| (one.index, Pending::new(one))).collect()
}

/// The recipients that are not done.
pub(super) fn open<'p, 'a>(
    pending: &'p mut BTreeMap<RecipientIndex, Pending<'a>>,
) -> impl Iterator<Item = &'p mut Pending<'a>> {
    pending.values_mut().filter(|recipient| recipient.done.is_none())
}

/// All recipients that are not done have failed at this host.
pub(super) fn fail_all<'p, 'a: 'p>(
    open: impl Iterator<Item = &'p mut Pending<'a>>,
    failure: &Arc<Failure>,
    record: &Arc<HostRecord>,
) {
    for recipient in open {
        recipient.failed(RecipientFailure {
            failure: Arc::clone(failure),
            record: Arc::clone(record),
        });
    }
}

/// The same, for a host that was not asked because the attempt had to end. That is reported only if there is no other cause
/// that is not permanent: of causes with equal weight the last is reported, and this one is placed before all others. It
/// says nothing about the host, so it neither leads to a fallback nor keeps mail from one.
pub(super) fn not_asked<'p, 'a: 'p>(
    open: impl Iterator<Item = &'p mut Pending<'a>>,
    failure: &Arc<Failure>,
    record: &Arc<HostRecord>,
) {
    for recipient in open {
        let (failure, record) = (Arc::clone(failure), Arc::clone(record));
        let before = RecipientFailure { failure, record };
        recipient.failure = conclude(std::iter::once(before).chain(recipient.failure.take()));
    }
}

impl<'a> Pending<'a> {
    fn new(recipient: &'a LeasedRecipient) -> Self {
        Self {
            recipient,
            failure: None,
            reach: Reach::Untried,
            done: None,
        }
    }

    /// The recipient failed at this host, and is tried at another.
    pub(super) fn failed(&mut self, failure: RecipientFailure) {
        self.reach = self.reach.and(&failure.failure);
        self.failure = conclude(self.failure.take().into_iter().chain([failure]));
    }

    /// Whether a fallback may be asked: every host was out of reach, or could not take the message now, as far as the attempt
    /// could get.
    pub(super) fn may_fall_back(&self) -> bool {
        self.done.is_none() && self.reach == Reach::Outage
    }

    /// The result for the recipient.
    pub(super) fn finish(self, route: &Route) -> RecipientResult<'a> {
        if let Some(done) = self.done {
            return done;
        }
        match self.failure {
            Some(RecipientFailure { failure, record }) => RecipientResult {
                recipient: self.recipient,
                ending: Ending::Failed(failure),
                record,
            },
            // This cannot happen; if it did, it would be no reason to give the message up.
            None => RecipientResult {
                recipient: self.recipient,
                ending: Ending::Failed(Arc::new(Cause::Ours(OurFault::NothingTried).into())),
                record: Arc::new(HostRecord::none(route)),
            },
        }
    }

    /// Records what a server said.
    pub(super) fn take(&mut self, judged: Judged<'_>, target: &Target<'_>, record: &Arc<HostRecord>) {
        let ending = match judged.verdict {
            Verdict::Accepted(reply) => Ending::Sent {
                reply,
                success_report: judged.success_report,
            },
            Verdict::Failed(failure) => {
                let failure = match broken_tls(&failure, target, record) {
                    Some(cause) => failure.because_of(cause).into_failure(target.uncleared()),
                    None => failure.into_failure(target.cleared()),
                };
                let failure = Arc::new(failure);
                if !failure.is_permanent() || failure.cause.reply_code().is_none() {
                    let record = Arc::clone(record);
                    self.failed(RecipientFailure { failure, record });
                    return;
                }
                Ending::Failed(failure)
            }
            // No other host may be tried now.
            Verdict::Open(mut failure) => {
                failure.reason = format!(
                    "{}; the server may have taken the message all the same",
                    failure.reason
                )
                .into();
                Ending::Failed(Arc::new(failure.into_failure(target.cleared())))
            }
            // This ends the attempt for all recipients, not just for this server.
            Verdict::Damaged(_) => return,
        };
        self.done = Some(RecipientResult {
            recipient: self.recipient,
            ending,
            record: Arc::clone(record),
        });
    }
}

/// Why there is no TLS, if the server takes no mail without it (530, RFC 3207 §4). That is no refusal of the message: whoever
/// breaks the handshake must not return mail. A message that waives TLS is returned (RFC 8689 §4.2.2).
fn broken_tls(failure: &SessionFailure, target: &Target<'_>, record: &HostRecord) -> Option<Cause> {
    let Cause::Smtp(SmtpFault::Refused { stage, code, .. }) = &failure.cause else {
        return None;
    };
    let insists = code.get() == 530 && matches!(stage, Stage::Mail | Stage::Rcpt | Stage::Data);
    if !insists || target.route.message.is_waived() {
        return None;
    }
    record.connection.as_ref()?.tls.missing().cloned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::route::too_late;
    use jiff::Timestamp;
    use mail::cause::NoWay;
    use mail::{Mailbox, RecipientParameters, Stage};
    use policy::settings::DaneMode;

    fn after(asked: &[Cause], not_asked_then: bool) -> bool {
        let recipient = LeasedRecipient {
            index: RecipientIndex(0),
            address: Mailbox::parse("a@b.test").unwrap(),
            parameters: RecipientParameters::default(),
            attempts: 0,
            due: Timestamp::UNIX_EPOCH,
            delay_noticed: false,
        };
        let mut pending = Pending::new(&recipient);
        let record = Arc::new(HostRecord::without_route(DaneMode::Opportunistic, 25));
        for cause in asked {
            let failure = Arc::new(cause.clone().into());
            fail_all(std::iter::once(&mut pending), &failure, &record);
        }
        if not_asked_then {
            not_asked(std::iter::once(&mut pending), &Arc::new(too_late()), &record);
        }
        pending.may_fall_back()
    }

    #[test]
    fn hosts_that_were_not_asked_neither_lead_to_a_fallback_nor_keep_mail_from_one() {
        let timeout = Cause::timed_out(Stage::Connect);
        let gone = Cause::Destination(NoWay::HostGone);
        let one = std::slice::from_ref(&timeout);
        assert!(after(one, false) && after(one, true));
        assert!(!after(&[], false) && !after(&[], true));
        for others in [[timeout.clone(), gone.clone()], [gone, timeout]] {
            assert!(!after(&others, false) && !after(&others, true));
        }
    }
}
