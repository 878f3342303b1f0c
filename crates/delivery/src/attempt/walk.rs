//! Goes through the hosts in order, and the addresses of each, and with `soft-fail` once more through the hosts that
//! DANE ruled out.
//!
//! The results of the look-ups are valid as long as their answers (RFC 6698 §8.2). If an attempt had to wait longer
//! than that before it could connect to a host, the look-ups are repeated, and the new results decide. Hosts that
//! appear only then are left to the next attempt.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use mail::cause::{Cause, OurFault, TlsFault};
use policy::decision::{Action, Decision};
use policy::failure::Failure;
use smtp::Extension;
use spool::{Content, Damage, Lease, LeasedRecipient, RecipientIndex};
use tokio::time::{Instant, timeout_at};

use super::damage::{end_all, without_content};
use super::pending::{self, Pending, fail_all, fail_all_quietly};
use super::record::HostRecord;
use super::result::Attempted;
use super::target::{DaneFailure, Next, Phase, Shown, Target};
use crate::clock::Clock;
use crate::connections::{ClearedSession, Connections, InClear, Peer, Places, Witness, log_in};
use crate::failure::SessionFailure;
use crate::route::{Candidate, LookUps, Route, RouteHost, too_late};
use crate::transaction::{self, Left};

/// The maximum number of connections of one attempt, however many hosts and addresses a destination has.
const CONNECTIONS: usize = 24;

/// Somebody between this relay and the host interferes with the traffic: no other address of the host is tried.
const TAMPERED: Cause = Cause::Tls(TlsFault::DataBeforeHandshake);

/// What all attempts share.
pub(crate) struct Deliverer {
    pub(crate) connections: Connections,
    /// A message younger than this waits for TLS to work again before it is sent in plain text.
    pub(crate) first_delay: Duration,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Deliverer {
    /// Makes the look-ups and tries the hosts in order; then those of the fallback, if there is one, for the recipients
    /// for whom all of them were out of reach.
    pub(crate) async fn attempt<'a>(&self, lease: &'a Lease, look_ups: &LookUps<'_>) -> Attempted<'a> {
        match lease.content {
            Content::Damaged(damage) => {
                let (mode, port) = look_ups.not_made();
                return without_content(lease, damage, HostRecord::without_route(mode, port));
            }
            Content::Inline(_) | Content::File(_) => {}
        }
        let mut usual = self
            .follow(lease, look_ups, pending::all(lease), Vec::new())
            .await;
        let fallback = look_ups.of_fallback().filter(|_| !usual.out_of_reach.is_empty());
        let Some(fallback) = fallback else {
            return usual.end();
        };
        let pending = std::mem::take(&mut usual.out_of_reach);
        let sessions = std::mem::take(&mut usual.attempted.sessions);
        let mut attempted = self.follow(lease, &fallback, pending, sessions).await.end();
        attempted.results.extend(usual.end().results);
        attempted.results.sort_by_key(|result| result.recipient.index);
        attempted
    }

    /// The same for one way, with those recipients, and after these connections.
    async fn follow<'a>(
        &self,
        lease: &'a Lease,
        look_ups: &LookUps<'_>,
        pending: BTreeMap<RecipientIndex, Pending<'a>>,
        sessions: Vec<Arc<HostRecord>>,
    ) -> Followed<'a> {
        let route = Arc::new(look_ups.make().await);
        let mut attempt = Attempt {
            deliverer: self,
            lease,
            look_ups,
            last_begin: route.last_begin(),
            newest: Arc::clone(&route),
            pending,
            sessions,
            left: None,
            without_chunking: false,
            damage: None,
        };
        match &route.decision {
            Decision::PassOver(failure, _) | Decision::Stop(failure, _) => {
                attempt.fail_all(&Arc::new(failure.clone()), HostRecord::none(&route));
            }
            Decision::Try(candidates) => attempt.hosts(&route, candidates).await,
        }
        let (sessions, damage) = (attempt.sessions, attempt.damage);
        let pending = attempt.pending.into_iter();
        let (out_of_reach, rest): (BTreeMap<_, _>, BTreeMap<_, _>) =
            pending.partition(|(_, recipient)| recipient.may_fall_back());
        let rest = rest.into_values();
        let attempted = Attempted {
            results: rest.map(|recipient| recipient.finish(&route)).collect(),
            sessions,
            damage,
        };
        Followed {
            attempted,
            out_of_reach,
            route,
        }
    }
}

/// The end of one way.
struct Followed<'a> {
    /// Everything but the results for the recipients that are `out_of_reach`.
    attempted: Attempted<'a>,
    /// The recipients for whom a fallback may be asked.
    out_of_reach: BTreeMap<RecipientIndex, Pending<'a>>,
    route: Arc<Route>,
}

impl<'a> Followed<'a> {
    /// The result if no further way is tried.
    fn end(mut self) -> Attempted<'a> {
        let out_of_reach = self.out_of_reach.into_values();
        let results = out_of_reach.map(|recipient| recipient.finish(&self.route));
        self.attempted.results.extend(results);
        self.attempted
    }
}

/// One attempt in progress; `'a` is for the lease, `'d` for everything else.
struct Attempt<'a, 'd> {
    deliverer: &'d Deliverer,
    lease: &'a Lease,
    look_ups: &'d LookUps<'d>,
    /// When it may start its last connection.
    last_begin: Instant,
    /// The route in force: the first one found, until the look-ups are repeated.
    newest: Arc<Route>,
    pending: BTreeMap<RecipientIndex, Pending<'a>>,
    /// Every connection that it has tried to make, and the result.
    sessions: Vec<Arc<HostRecord>>,
    /// Whom the last session at the same address could not serve, though nothing is known against them.
    left: Option<BTreeSet<RecipientIndex>>,
    /// A server that offers CHUNKING did not know BDAT.
    without_chunking: bool,
    /// The content was found to be damaged while it was being sent.
    damage: Option<Damage>,
}

impl<'a> Attempt<'a, '_> {
    /// Both rounds over the hosts.
    async fn hosts(&mut self, route: &Route, candidates: &[Candidate]) {
        let mut passed_over = Vec::new();
        for Candidate { host, decision } in candidates {
            let failed = match &decision.action {
                Action::Connect { .. } => self.host(host, &Phase::AsDecided).await,
                Action::PassOver(failure) => self.pass_over(failure, HostRecord::passed_over(route, host)),
            };
            if let (Some(_), Some(failed)) = (decision.soft_fail, failed) {
                passed_over.push((host, failed));
            }
        }
        for (host, failed) in passed_over {
            self.host(host, &Phase::WithoutDane(failed)).await;
        }
    }

    /// Tries the addresses of a host until one of them has replied about every recipient. Returns the failure if DANE
    /// ruled out the host.
    async fn host(&mut self, host: &RouteHost, phase: &Phase) -> Option<DaneFailure> {
        let mut failed = None;
        for address in &host.addresses {
            loop {
                if self.is_done() {
                    return failed;
                }
                let limit = if self.sessions.len() == CONNECTIONS {
                    Err(Cause::Ours(OurFault::NotAsked).into())
                } else {
                    self.places(host, *address).await.ok_or_else(too_late)
                };
                let places = match limit {
                    Ok(places) => places,
                    Err(failure) => {
                        let record = Arc::new(HostRecord::passed_over(&self.newest, host));
                        fail_all_quietly(self.named(), &Arc::new(failure), &record);
                        self.left = None;
                        return failed;
                    }
                };
                match self.address(host, *address, phase, places).await {
                    // The server has replied about this message; another address of it would say the same.
                    Next::Host(dane) => return dane,
                    Next::Address(dane) => {
                        failed = dane.or(failed);
                        break;
                    }
                    Next::SameAddress(left) => self.left = Some(left),
                }
            }
            self.left = None;
        }
        failed
    }

    /// The recipients that the next session is for: all that are not done, unless the one before it at the same address has
    /// left some.
    fn named(&mut self) -> impl Iterator<Item = &mut Pending<'a>> {
        let left = self.left.as_ref();
        let open = pending::open(&mut self.pending);
        open.filter(move |one| left.is_none_or(|left| left.contains(&one.recipient.index)))
    }

    fn is_done(&self) -> bool {
        self.pending.values().all(|recipient| recipient.done.is_some())
    }

    fn is_late(&self) -> bool {
        Instant::now() > self.last_begin
    }

    fn fail_all(&mut self, failure: &Arc<Failure>, record: HostRecord) {
        fail_all(pending::open(&mut self.pending), failure, &Arc::new(record));
    }

    fn pass_over(&mut self, failure: &Failure, record: HostRecord) -> Option<DaneFailure> {
        self.fail_all(&Arc::new(failure.clone()), record);
        DaneFailure::new(failure, None)
    }

    /// Waits for the connection's places, and repeats look-ups that became too old meanwhile. `None` if it is too late
    /// then.
    async fn places(&mut self, host: &RouteHost, address: IpAddr) -> Option<Places> {
        let connections = &self.deliverer.connections;
        // The place at the host is kept until the end: after another wait for it the answers would be too old again.
        let host_place = timeout_at(self.last_begin, connections.place_at(address))
            .await
            .ok()?;
        loop {
            // Only now: an attempt that waits for one host, or for look-ups, must not take a place from those that
            // connect to others.
            let place = timeout_at(self.last_begin, connections.place()).await.ok()?;
            let standing = self.newest.standing(host, address);
            let is_old = standing.is_ok_and(|standing| self.newest.is_old(&standing.host));
            if self.is_late() {
                return None;
            }
            if !is_old {
                return Some(Places {
                    host: host_place,
                    connection: place,
                });
            }
            drop(place);
            self.newest = Arc::new(self.look_ups.make().await);
        }
    }

    async fn address(&mut self, host: &RouteHost, address: IpAddr, phase: &Phase, places: Places) -> Next {
        let route = Arc::clone(&self.newest);
        let Candidate { host, decision } = match route.standing(host, address) {
            Ok(standing) => standing,
            Err(failure) => {
                let record = HostRecord::passed_over(&route, host);
                return Next::Address(self.pass_over(&failure, record));
            }
        };
        let terms = match phase.terms(decision) {
            Ok(terms) => terms,
            Err(failure) => {
                let record = HostRecord::passed_over(&route, host);
                return Next::Host(self.pass_over(&failure, record));
            }
        };
        let login = match route.login(terms.requirement) {
            Ok(login) => login,
            Err(cause) => {
                let record = HostRecord::passed_over(&route, host);
                return Next::Host(self.pass_over(&cause.into(), record));
            }
        };
        let target = Target {
            route: &route,
            host,
            address,
            terms,
            login,
        };
        self.connect(&target, places).await
    }

    /// One connection and its result.
    async fn connect(&mut self, target: &Target<'_>, places: Places) -> Next {
        let (began, witness) = (Instant::now(), Witness::default());
        let opened = self.open(target, places, &witness).await;
        let shown = Shown::new(began, witness);
        let connection = match &opened {
            Ok(session) => target.connection(session, shown),
            Err(failure) => target.failed_connection(failure, shown),
        };
        let record = Arc::new(HostRecord::connected(target.route, target.host, connection));
        self.sessions.push(Arc::clone(&record));
        match opened {
            Ok(session) => self.log_in_and_send(session, target, record).await,
            Err(failure) => {
                let (valid, tampered) = (failure.valid, failure.cause == TAMPERED);
                let failure = Arc::new(failure.into_failure(target.uncleared()));
                fail_all(self.named(), &failure, &record);
                let dane = DaneFailure::new(&failure, valid);
                if tampered {
                    Next::Host(dane)
                } else {
                    Next::Address(dane)
                }
            }
        }
    }

    async fn open(
        &self,
        target: &Target<'_>,
        places: Places,
        witness: &Witness,
    ) -> Result<ClearedSession, SessionFailure> {
        let peer = Peer {
            host: target.host.name.as_ref(),
            socket: SocketAddr::new(target.address, target.route.port),
            tls: target.route.tls,
            dane: target.host.dane.as_ref(),
            witness: Some(witness),
        };
        let in_clear = InClear {
            accepted: self.lease.created,
            clock: &*self.deliverer.clock,
            first_delay: self.deliverer.first_delay,
            last_begin: self.last_begin,
        };
        let connections = &self.deliverer.connections;
        connections
            .open(&peer, target.terms.requirement, places, Some(&in_clear))
            .await
    }

    async fn log_in_and_send(
        &mut self,
        mut session: ClearedSession,
        target: &Target<'_>,
        record: Arc<HostRecord>,
    ) -> Next {
        if let Some(login) = target.login
            && let Err(failure) = log_in(&mut session, login).await
        {
            let failure = Arc::new(failure.into_failure(target.cleared()));
            fail_all(pending::open(&mut self.pending), &failure, &record);
            tokio::spawn(session.quit());
            return Next::Address(None);
        }
        self.send(session, target, record).await
    }

    async fn send(
        &mut self,
        mut session: ClearedSession,
        target: &Target<'_>,
        record: Arc<HostRecord>,
    ) -> Next {
        if self.without_chunking {
            session.forgo(Extension::Chunking);
        }
        let recipients: Vec<&LeasedRecipient> = self.named().map(|one| one.recipient).collect();
        let ended = transaction::send(&mut session, self.lease, &recipients).await;
        let damage = ended.judged.iter().find_map(|one| one.verdict.damage());
        for judged in ended.judged {
            if let Some(pending) = self.pending.get_mut(&judged.recipient.index) {
                pending.take(judged, target, &record);
            }
        }
        if let Some(damage) = damage {
            // No other server would get more of it.
            self.damage = Some(damage);
            end_all(
                pending::open(&mut self.pending),
                damage,
                HostRecord::none(target.route),
            );
            return Next::Host(None);
        }
        if ended.usable {
            // The replies are to be recorded before anything else (RFC 5321 §4.2.5): nothing waits for QUIT.
            tokio::spawn(session.quit());
        }
        match ended.left {
            Left::Nobody if ended.usable => Next::Host(None),
            // No command can be sent any more: a QUIT in the middle of the content would be content.
            Left::Nobody => Next::Address(None),
            Left::Beyond(left) => Next::SameAddress(left.into_iter().map(|one| one.index).collect()),
            Left::WithoutChunking(left) => {
                self.without_chunking = true;
                Next::SameAddress(left.into_iter().map(|one| one.index).collect())
            }
        }
    }
}
