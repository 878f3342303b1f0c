//! One attempt: a leased message, a route, and what every recipient got out of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mail::{DaneVerdict, EnhancedStatus};
use policy::cause::{Failure, Finality};
use policy::conclude::conclude;
use policy::decision::{Action, Decision, Requirement};
use smtp::Extension;
use spool::{Lease, LeasedRecipient};
use tokio::sync::Semaphore;

use crate::clock::{Clock, since};
use crate::failure::SessionFailure;
use crate::host_limits::{HostLimits, Slot};
use crate::marks::HandshakeMarks;
use crate::record::HostRecord;
use crate::round::{DaneFailure, Next, Round, Terms};
use crate::route::{Route, RouteHost};
use crate::session::{Caller, Handshake, Opened};
use crate::source::SourceAddresses;
use crate::stage::Stage;
use crate::tls::Peer;
use crate::transaction::{self, Outgoing, RECIPIENTS, Verdict};

/// Connections that one attempt makes at most, however many hosts and addresses a destination names.
const CONNECTIONS: usize = 24;

/// What one attempt made of one recipient.
#[derive(Debug, Clone)]
pub(crate) struct RecipientResult {
    pub(crate) ending: Ending,
    pub(crate) record: Arc<HostRecord>,
}

/// How it ended.
#[derive(Debug, Clone)]
pub(crate) enum Ending {
    /// The next hop took responsibility.
    Sent {
        reply: smtp::Reply,
        success_report: SuccessReport,
    },
    /// It did not; what that means is said in the failure.
    Failed(Failure),
}

/// Whose it is to report success to a sender who asked for that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SuccessReport {
    /// The next hop offered DSN and was told who wants to hear what (RFC 3461 §5.2.1).
    TheirAffair,
    /// It did not (RFC 3461 §5.2.2).
    Ours,
}

impl AsRef<Failure> for RecipientFailure {
    fn as_ref(&self) -> &Failure {
        &self.failure
    }
}

/// A failure with the host at which it happened.
#[derive(Debug, Clone)]
struct RecipientFailure {
    failure: Failure,
    record: Arc<HostRecord>,
}

/// What all attempts share.
pub(crate) struct Deliverer {
    pub(crate) caller: Caller,
    pub(crate) sources: SourceAddresses,
    pub(crate) hosts: HostLimits,
    pub(crate) marks: HandshakeMarks,
    /// Below this age a message waits for TLS to work again before it goes in clear.
    pub(crate) first_delay: Duration,
    pub(crate) clock: Arc<dyn Clock>,
    /// Connections that may be open at once, in all.
    pub(crate) connections: Semaphore,
}

/// A recipient on its way through the hosts.
struct Pending<'a> {
    recipient: &'a LeasedRecipient,
    failures: Vec<RecipientFailure>,
    done: Option<RecipientResult>,
}

impl Deliverer {
    /// Tries the hosts of the route in order; the result has one entry a recipient of the lease, in its order.
    pub(crate) async fn attempt(&self, lease: &Lease, route: &Route) -> Vec<RecipientResult> {
        let mut pending: Vec<Pending<'_>> = lease
            .recipients
            .iter()
            .map(|recipient| Pending {
                recipient,
                failures: Vec::new(),
                done: None,
            })
            .collect();
        match &route.decision {
            Decision::Stop(failure) => fail_all(&mut pending, failure, &Arc::new(HostRecord::none(route))),
            Decision::Try(decisions) => {
                let mut attempt = Attempt {
                    deliverer: self,
                    lease,
                    route,
                    pending: &mut pending,
                    connections: 0,
                };
                let mut passed_over = Vec::new();
                for (host, decision) in route.hosts.iter().zip(decisions) {
                    let failed = attempt.first_round(host, &decision.action).await;
                    if let (Some(requirement), Some(failed)) = (decision.soft_fail, failed) {
                        passed_over.push((host, requirement, failed));
                    }
                }
                for (host, requirement, failed) in passed_over {
                    let verdict = DaneVerdict::Softfail(failed.cause);
                    attempt
                        .host(
                            host,
                            Terms {
                                requirement,
                                verdict: &verdict,
                                failed_check: failed.valid,
                            },
                        )
                        .await;
                }
            }
        }
        pending
            .into_iter()
            .map(|recipient| recipient.finish(route))
            .collect()
    }
}

impl Pending<'_> {
    fn finish(self, route: &Route) -> RecipientResult {
        if let Some(done) = self.done {
            return done;
        }
        match conclude(self.failures) {
            Some(RecipientFailure { failure, record }) => RecipientResult {
                ending: Ending::Failed(failure),
                record,
            },
            // Never so far; and if it were, no reason to give the message up.
            None => RecipientResult {
                ending: Ending::Failed(Failure {
                    finality: Finality::Transient,
                    enhanced: EnhancedStatus::new(4, 4, 1),
                    verdict: DaneVerdict::NotReached,
                    reply_code: None,
                    reason: "no host was tried".to_owned(),
                }),
                record: Arc::new(HostRecord::none(route)),
            },
        }
    }
}

fn fail_all(pending: &mut [Pending<'_>], failure: &Failure, record: &Arc<HostRecord>) {
    for recipient in pending.iter_mut().filter(|recipient| recipient.done.is_none()) {
        recipient.failures.push(RecipientFailure {
            failure: failure.clone(),
            record: Arc::clone(record),
        });
    }
}

/// One attempt on its way.
struct Attempt<'a, 'b> {
    deliverer: &'a Deliverer,
    lease: &'a Lease,
    route: &'a Route,
    pending: &'b mut Vec<Pending<'a>>,
    /// How many connections it has tried to make.
    connections: usize,
}

impl<'a> Attempt<'a, '_> {
    /// The first round at one host. Says so if it was passed over for a cause that is DANE's.
    async fn first_round(&mut self, host: &'a RouteHost, action: &Action) -> Option<DaneFailure> {
        match action {
            Action::Connect { requirement, verdict } => {
                self.host(
                    host,
                    Terms {
                        requirement: *requirement,
                        verdict,
                        failed_check: None,
                    },
                )
                .await
            }
            Action::PassOver(failure) => {
                let record = Arc::new(HostRecord::passed_over(self.route, host));
                fail_all(self.pending, failure, &record);
                DaneFailure::new(&failure.verdict, None)
            }
        }
    }

    /// Tries the addresses of a host until one of them has had its say about every recipient.
    async fn host(&mut self, host: &RouteHost, terms: Terms<'_>) -> Option<DaneFailure> {
        let mut failed = None;
        for address in &host.addresses {
            if self.is_done() || self.connections == CONNECTIONS {
                break;
            }
            self.connections += 1;
            match self
                .address(&Round {
                    host,
                    address: *address,
                    terms,
                })
                .await
            {
                // The server has spoken about this message; another address of it would say the same.
                Next::Host(dane) => return dane,
                Next::Address(dane) => failed = dane.or(failed),
            }
        }
        failed
    }

    fn is_done(&self) -> bool {
        self.pending.iter().all(|recipient| recipient.done.is_some())
    }

    async fn address(&mut self, round: &Round<'_>) -> Next {
        let place = self.deliverer.hosts.enter(round.address).await;
        // Only now: whoever waits for one host keeps no place from those who go to others.
        let _connection = self.deliverer.connections.acquire().await;
        let began = Instant::now();
        match self.open(round).await {
            Ok(opened) => {
                let record =
                    HostRecord::connected(self.route, round.host, round.connection(&opened.session, began));
                self.send(opened, round, Arc::new(record), place).await
            }
            Err(failure) => {
                let connection = round.failed_connection(&failure, began);
                let record = Arc::new(HostRecord::connected(self.route, round.host, connection));
                let (valid, tampered) = (
                    failure.verify_code(),
                    failure == SessionFailure::ResponseInjection,
                );
                let failure = failure.into_failure(round.standing(false));
                fail_all(self.pending, &failure, &record);
                let dane = DaneFailure::new(&failure.verdict, valid);
                if tampered {
                    Next::Host(dane)
                } else {
                    Next::Address(dane)
                }
            }
        }
    }

    /// Opens a session; in clear after a broken handshake where that is allowed.
    async fn open(&self, round: &Round<'_>) -> Result<Opened, SessionFailure> {
        let peer = Peer {
            host: round.host.name.as_ref(),
            address: round.address,
            dane: round.host.dane.as_ref(),
        };
        let socket = SocketAddr::new(round.address, self.route.port);
        let source = self.deliverer.sources.next(round.address);
        let caller = &self.deliverer.caller;
        let opened = caller
            .open(
                socket,
                source,
                &peer,
                round.terms.requirement,
                Handshake::IfOffered,
            )
            .await;
        let failure = match opened {
            Err(failure)
                if failure.broke_handshake() && round.terms.requirement == Requirement::Opportunistic =>
            {
                failure
            }
            opened => return opened,
        };
        let way = failure.to_string();
        let seen_before = self.deliverer.marks.mark(round.address, &way);
        if !seen_before && self.age() < self.deliverer.first_delay {
            return Err(failure);
        }
        let mut opened = caller
            .open(socket, source, &peer, round.terms.requirement, Handshake::Avoid)
            .await?;
        opened.session.tls.fail = failure.tlsfail();
        Ok(opened)
    }

    fn age(&self) -> Duration {
        since(self.lease.created, self.deliverer.clock.now())
    }

    async fn send(
        &mut self,
        opened: Opened,
        round: &Round<'_>,
        record: Arc<HostRecord>,
        place: Slot,
    ) -> Next {
        let Opened { mut session, cleared } = opened;
        let timeouts = &self.deliverer.caller.timeouts;
        let taken = Taken {
            success_report: if session.extensions.offers(Extension::Dsn) {
                SuccessReport::TheirAffair
            } else {
                SuccessReport::Ours
            },
            record: &record,
        };
        let open: Vec<usize> = (0..self.pending.len())
            .filter(|at| self.pending.get(*at).is_some_and(|one| one.done.is_none()))
            .collect();
        let mut groups = open.chunks(RECIPIENTS);
        while let Some(group) = groups.next() {
            let recipients: Vec<&LeasedRecipient> = group
                .iter()
                .filter_map(|at| self.pending.get(*at))
                .map(|one| one.recipient)
                .collect();
            let outgoing = Outgoing {
                lease: self.lease,
                recipients: &recipients,
            };
            let ended = transaction::send(&mut session, &cleared, &outgoing, timeouts).await;
            for (at, verdict) in group.iter().zip(ended.verdicts) {
                let Some(recipient) = self.pending.get_mut(*at) else {
                    continue;
                };
                recipient.take(verdict, ended.duplicate_risk, round, &taken);
            }
            if !ended.usable {
                // Whoever was still to come has lost this address as well. Nothing more can be said here: a QUIT in
                // the middle of the content would be content.
                let failure = SessionFailure::Closed(Stage::Mail).into_failure(round.standing(true));
                for at in groups.flatten() {
                    let (failure, record) = (failure.clone(), Arc::clone(&record));
                    if let Some(recipient) = self.pending.get_mut(*at) {
                        recipient.failures.push(RecipientFailure { failure, record });
                    }
                }
                return Next::Address(None);
            }
        }
        // What was said is to be recorded before anything else (RFC 5321 §4.2.5): nobody waits for the farewell.
        let limit = timeouts.quit;
        tokio::spawn(async move {
            session.wire.quit(limit).await;
            drop(place);
        });
        Next::Host(None)
    }
}

impl Pending<'_> {
    fn take(&mut self, verdict: Verdict, duplicate_risk: bool, round: &Round<'_>, taken: &Taken<'_>) {
        let record = Arc::clone(taken.record);
        match verdict {
            Verdict::Accepted(reply) => {
                let success_report = taken.success_report;
                self.done = Some(RecipientResult {
                    ending: Ending::Sent {
                        reply,
                        success_report,
                    },
                    record,
                });
            }
            Verdict::Failed(failure) => {
                let mut failure = failure.into_failure(round.standing(true));
                if duplicate_risk {
                    failure
                        .reason
                        .push_str("; the server may have taken the message, which may arrive twice");
                }
                // A permanent answer is final, and after a lost final dot no further host may be tried now.
                if failure.is_permanent() && failure.reply_code.is_some() || duplicate_risk {
                    self.done = Some(RecipientResult {
                        ending: Ending::Failed(failure),
                        record,
                    });
                } else {
                    self.failures.push(RecipientFailure { failure, record });
                }
            }
        }
    }
}

/// What holds for all recipients over one session.
struct Taken<'a> {
    success_report: SuccessReport,
    record: &'a Arc<HostRecord>,
}
