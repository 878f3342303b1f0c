//! Goes through the hosts in order, and the addresses of each, and with `soft-fail` once more through the hosts that
//! DANE ruled out.
//!
//! The results of the look-ups are valid as long as their answers (RFC 6698 §8.2). If an attempt had to wait longer
//! than that before it could connect to a host, the look-ups are repeated, and the new results decide. Hosts that
//! appear only then are left to the next attempt.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use mail::cause::{Cause, OurFault};
use mail::{Domain, NextHop};
use policy::Policy;
use policy::decision::{Action, Decision};
use policy::failure::Failure;
use spool::{Damage, Lease, RecipientIndex};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::addresses::{Addresses, Runner};
use super::logins::Logins;
use super::pending::{self, Pending, fail_all, not_asked};
use super::record::HostRecord;
use super::result::{Attempted, Later, Trail};
use super::target::{DaneFailure, Next, Phase, Target, Visit};
use crate::clock::Clock;
use crate::connections::{Connections, Destination, NotHere, Place, Ready, Terms, Want};
use crate::remembered::Remembered;
use crate::route::{Candidate, LookUps, Route, RouteHost, too_late};
use crate::trace::Step;

/// The maximum number of connections in one round over the hosts, however many hosts and addresses a destination has.
const CONNECTIONS: usize = 24;

/// The second round may begin connections for so long at least, however long the first one took.
const SECOND_ROUND: Duration = Duration::from_mins(3);

/// A trace tells of a longer wait for a connection.
const NOTABLE: Duration = Duration::from_millis(500);

const MINUTE: Duration = Duration::from_mins(1);

/// What all attempts share.
pub(crate) struct Deliverer {
    pub(crate) connections: Connections,
    /// A message younger than this waits for TLS to work again before it is sent in plain text.
    pub(crate) first_delay: Duration,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) logins: Logins,
    /// Whether sessions are counted for TLS reports.
    pub(crate) counts_tls: bool,
    pub(crate) remembered: Remembered,
}

impl Deliverer {
    /// Makes the look-ups of one way and tries its hosts in order, for these recipients; `trail` is that of the way before.
    pub(super) async fn follow<'a>(
        &self,
        lease: &'a Lease,
        look_ups: &LookUps<'_>,
        pending: BTreeMap<RecipientIndex, Pending<'a>>,
        trail: Trail,
    ) -> Followed<'a> {
        let (route, policy) = look_ups.make().await;
        let route = Arc::new(route);
        let mut attempt = Attempt {
            deliverer: self,
            lease,
            next_hop: Arc::new(lease.next_hop.clone()),
            look_ups,
            last_begin: route.last_begin(),
            newest: Arc::clone(&route),
            policy,
            pending,
            before: trail.sessions.len(),
            trail,
            left: None,
            damage: None,
            has_turn: false,
            later: None,
        };
        attempt.count_found(&route);
        match &route.decision {
            Decision::PassOver(failure, _) | Decision::Stop(failure, _) => {
                let record = attempt.see_failure(&route, failure, HostRecord::none(&route), &[]);
                attempt.fail_all(&Arc::new(failure.clone()), record);
            }
            // Boxed: all that a connection needs would make every task large.
            Decision::Try(candidates) => Box::pin(attempt.hosts(&route, candidates)).await,
        }
        // What was done must be settled, whatever had to wait.
        let later = attempt.later.filter(|_| !attempt.has_done_something());
        let (trail, damage) = (attempt.trail, attempt.damage);
        let pending = attempt.pending.into_iter();
        let (out_of_reach, rest): (BTreeMap<_, _>, BTreeMap<_, _>) =
            pending.partition(|(_, recipient)| recipient.may_fall_back());
        let rest = rest.into_values();
        let attempted = Attempted {
            results: rest.map(|recipient| recipient.finish(&route)).collect(),
            trail,
            damage,
            later,
        };
        Followed {
            attempted,
            out_of_reach,
            route,
        }
    }
}

/// The end of one way.
pub(super) struct Followed<'a> {
    /// Everything but the results for the recipients that are `out_of_reach`.
    pub(super) attempted: Attempted<'a>,
    /// The recipients for whom a fallback may be asked.
    pub(super) out_of_reach: BTreeMap<RecipientIndex, Pending<'a>>,
    pub(super) route: Arc<Route>,
}

/// One attempt in progress; `'a` is for the lease, `'d` for everything else.
pub(super) struct Attempt<'a, 'd> {
    pub(super) deliverer: &'d Deliverer,
    pub(super) lease: &'a Lease,
    next_hop: Arc<NextHop>,
    look_ups: &'d LookUps<'d>,
    /// When it may start its last connection.
    pub(super) last_begin: Instant,
    /// The route in force: the first one found, until the look-ups are repeated.
    newest: Arc<Route>,
    /// The policy under which it was found.
    policy: Arc<Policy>,
    pub(super) pending: BTreeMap<RecipientIndex, Pending<'a>>,
    /// What was done at servers, here and on the way before.
    pub(super) trail: Trail,
    /// How many connections belong to the way, or the round, before.
    before: usize,
    /// Whom the last session at the same address could not serve, though nothing is known against them.
    left: Option<BTreeSet<RecipientIndex>>,
    /// The content was found to be damaged while it was being sent.
    pub(super) damage: Option<Damage>,
    /// Whether the host that is tried may be sent a message now.
    has_turn: bool,
    /// The attempt has ended because it would have to wait, and has done nothing.
    later: Option<Later>,
}

impl<'a> Attempt<'a, '_> {
    /// Both rounds over the hosts.
    async fn hosts(&mut self, route: &Route, candidates: &[Candidate]) {
        let mut passed_over = Vec::new();
        for Candidate { host, decision } in candidates {
            let failed = match &decision.action {
                Action::Connect { .. } => self.host(host, &Phase::AsDecided).await,
                // Nobody needed it: whatever is wrong there held up nothing.
                Action::PassOver(_) if self.is_done() || self.later.is_some() => None,
                Action::PassOver(failure) => {
                    self.count_passed_over(route, Some(host), &failure.cause);
                    self.pass_over(route, failure, HostRecord::passed_over(route, host))
                }
            };
            if let (Some(_), Some(failed)) = (decision.soft_fail, failed) {
                passed_over.push((host, failed));
            }
        }
        // Whatever the first round has used up: at the next attempt it would use it up again.
        self.before = self.trail.sessions.len();
        self.last_begin = self.last_begin.max(Instant::now() + SECOND_ROUND);
        for (host, failed) in passed_over {
            let trace = &self.look_ups.trace;
            trace.tell(|| Step::SecondRound(host.name.as_ref().map_or("-", Domain::as_str)));
            self.host(host, &Phase::WithoutDane(failed)).await;
        }
    }

    /// Tries the addresses of a host until one of them has replied about every recipient. Returns the failure if DANE
    /// ruled out the host.
    async fn host(&mut self, host: &RouteHost, phase: &Phase) -> Option<DaneFailure> {
        if self.later.is_some() {
            return None;
        }
        let (connections, route) = (&self.deliverer.connections, &self.newest);
        let all = connections.in_order(&host.addresses, &route.next_hop, route.port);
        let mut addresses = Addresses::new(all)?;
        let mut failed = None;
        self.has_turn = false;
        loop {
            if self.is_done() {
                return failed;
            }
            let next = if self.trail.sessions.len() - self.before >= CONNECTIONS {
                Next::Nowhere(Cause::Ours(OurFault::NotAsked).into())
            } else {
                self.address(host, &mut addresses, phase).await
            };
            match next {
                // The server has replied about this message; another address of it would say the same.
                Next::Host(dane) => {
                    self.left = None;
                    return dane;
                }
                Next::Address(dane) => {
                    self.left = None;
                    failed = dane.or(failed);
                    if !addresses.advance() {
                        return failed;
                    }
                }
                Next::SameAddress(left) => self.left = Some(left),
                Next::Later(later) => {
                    self.later = Some(later);
                    return failed;
                }
                Next::Nowhere(failure) => {
                    self.look_ups.trace.tell(|| Step::NotTried(&failure));
                    let record = Arc::new(HostRecord::left_out(&self.newest, host));
                    not_asked(self.named(), &Arc::new(failure), &record);
                    self.left = None;
                    return failed;
                }
            }
        }
    }

    /// The recipients that the next session is for: all that are not done, unless the one before it at the same address has
    /// left some.
    pub(super) fn named(&mut self) -> impl Iterator<Item = &mut Pending<'a>> {
        let left = self.left.as_ref();
        let open = pending::open(&mut self.pending);
        open.filter(move |one| left.is_none_or(|left| left.contains(&one.recipient.index)))
    }

    /// Whether an exception declares this name to be unsigned (RFC 7646).
    pub(super) fn is_declared_unsigned(&self, name: &Domain) -> bool {
        let mut anchors = self.policy.negative_trust_anchors(self.look_ups.today);
        anchors.any(|anchor| name.is_within(&anchor.name))
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

    fn pass_over(&mut self, route: &Route, failure: &Failure, record: HostRecord) -> Option<DaneFailure> {
        let record = self.see_failure(route, failure, record, &[]);
        self.fail_all(&Arc::new(failure.clone()), record);
        DaneFailure::new(failure, None)
    }

    /// One address: with a session that is kept there, or with a new connection.
    async fn address(&mut self, host: &RouteHost, addresses: &mut Addresses, phase: &Phase) -> Next {
        // What one session could not serve is not for another that is kept, either.
        let (mut place, mut only_new) = (None, self.left.is_some() || self.look_ups.trace.is_watched());
        loop {
            let route = Arc::clone(&self.newest);
            let target = match self.target(&route, host, addresses.now, phase) {
                Ok(target) => target,
                Err(passed_over) => return self.ruled_out(&route, host, passed_over),
            };
            let want = self.want_here(&target, only_new, addresses);
            let ready = match self.ready(&want, place.take(), &target).await {
                Some(Ok(ready)) => ready,
                Some(Err(NotHere::Crowded)) => return self.no_more(),
                Some(Err(NotHere::Elsewhere)) => {
                    target
                        .trace
                        .tell(|| Step::Waits("for another address: all connections to this one are in use"));
                    self.left = None;
                    addresses.put_off();
                    continue;
                }
                None => return Next::Nowhere(too_late()),
            };
            // What waited too long, or for so long that there is another policy, is looked up again, and the new results decide.
            if self.is_outdated(&target) {
                place = self.deliverer.connections.step_back(ready);
                let (route, policy) = self.look_ups.make().await;
                (self.newest, self.policy) = (Arc::new(route), policy);
                continue;
            }
            if let Err(at) = self.turn(&target, &ready) {
                drop(self.deliverer.connections.step_back(ready));
                if !self.has_done_something() {
                    return Next::Later(Later::Paced(at));
                }
                if at > self.last_begin {
                    return Next::Nowhere(too_late());
                }
                target
                    .trace
                    .tell(|| Step::Paced(at.saturating_duration_since(Instant::now())));
                tokio::select! {
                    () = sleep_until(at) => continue,
                    () = self.deliverer.connections.stopped() => return self.no_more(),
                }
            }
            let next = match ready {
                Ready::Dead(failure) => {
                    let failure = failure.into_failure(target.uncleared());
                    target.trace.tell(|| Step::NotTried(&failure));
                    let record = HostRecord::passed_over(&route, target.host);
                    fail_all(self.named(), &Arc::new(failure), &Arc::new(record));
                    return Next::Address(None);
                }
                Ready::Place(place) => {
                    let (first, rival) = (
                        Runner { target, want },
                        self.rival(&route, host, addresses, phase),
                    );
                    self.connect_first_of(&first, place, rival.as_ref(), addresses)
                        .await
                }
                Ready::Kept(session) => self.send_over_kept(*session, &target).await,
            };
            match next {
                Visit::Done(next) => return next,
                Visit::Stale => only_new = true,
                // The next place that is free, or the next session.
                Visit::Full => {}
            }
        }
    }

    /// Too many wait, or the relay stops: what was done is settled, and everything else is done later.
    fn no_more(&self) -> Next {
        if self.has_done_something() {
            Next::Nowhere(Cause::Ours(OurFault::NotAsked).into())
        } else {
            Next::Later(Later::Crowded)
        }
    }

    /// An address at which nothing is tried.
    fn ruled_out(&mut self, route: &Route, host: &RouteHost, passed_over: PassedOver) -> Next {
        let PassedOver { failure, next } = passed_over;
        self.look_ups.trace.tell(|| Step::NotTried(&failure));
        if let Some(login) = &route.login {
            self.deliverer.logins.failed(login, &failure);
        }
        next(self.pass_over(route, &failure, HostRecord::left_out(route, host)))
    }

    /// What is wanted at the address that is tried now.
    fn want_here(&self, target: &Target<'_>, only_new: bool, addresses: &Addresses) -> Want {
        let mut want = self.want(target);
        if only_new {
            want = want.only_new();
        }
        if addresses.has_others() {
            want = want.or_another();
        }
        if !self.has_done_something() {
            want = want.or_later();
        }
        want
    }

    /// Whether the host may be sent a message now; or when it may.
    fn turn(&mut self, target: &Target<'_>, ready: &Ready) -> Result<(), Instant> {
        let limits = &target.host.facts.policy.limits;
        let (Some(host), Some(per_minute), false) =
            (&target.host.name, limits.messages_per_minute, self.has_turn)
        else {
            return Ok(());
        };
        match ready {
            Ready::Dead(_) => return Ok(()),
            Ready::Place(_) | Ready::Kept(_) => {}
        }
        let interval = MINUTE / per_minute.get();
        let connections = &self.deliverer.connections;
        connections.take_turn(host, interval, &self.next_hop)?;
        self.has_turn = true;
        Ok(())
    }

    /// Whether a server has been connected to, or was asked in a session that was kept, so that the attempt counts.
    fn has_done_something(&self) -> bool {
        let trail = &self.trail;
        trail.has_asked || !trail.sessions.is_empty() || self.pending.values().any(|one| one.done.is_some())
    }

    /// Whether what is known about the host is too old, or there is another policy by now.
    pub(super) fn is_outdated(&self, target: &Target<'_>) -> bool {
        target.route.is_old(target.host) || !self.look_ups.is_in_force(&self.policy)
    }

    /// The address that is tried as well if the one that is tried now takes long.
    fn rival<'r>(
        &self,
        route: &'r Route,
        host: &RouteHost,
        addresses: &Addresses,
        phase: &Phase,
    ) -> Option<Runner<'r>> {
        // What one session has left goes on at the same address.
        let address = addresses.rival().filter(|_| self.left.is_none())?;
        let target = self.target(route, host, address, phase).ok()?;
        let want = self.want(&target).only_new();
        Some(Runner { target, want })
    }

    fn want(&self, target: &Target<'_>) -> Want {
        let destination = Destination {
            next_hop: Arc::clone(&self.next_hop),
            limit: self.look_ups.config.connections_per_destination,
        };
        let terms = Terms {
            requirement: target.terms.requirement,
            login: target.login,
            host_limit: target
                .host
                .facts
                .policy
                .limits
                .connections
                .map(|limit| limit.get() as usize),
            next_hop: &target.route.next_hop,
        };
        let connections = &self.deliverer.connections;
        connections.want(&target.peer(None), &terms, Some(destination))
    }

    /// Waits for a session or a place for one, unless the relay stops. `None` if it is too late then. The trace tells a long
    /// wait when it has become one, and when it ends.
    async fn ready(
        &self,
        want: &Want,
        place: Option<Place>,
        target: &Target<'_>,
    ) -> Option<Result<Ready, NotHere>> {
        let began = Instant::now();
        let mut waiting = pin!(self.wait(want, place));
        if let Ok(ready) = timeout(NOTABLE, &mut waiting).await {
            return ready;
        }
        target
            .trace
            .tell(|| Step::Waits("for a connection: all are in use"));
        let ready = waiting.await;
        target.trace.tell(|| Step::Waited(began.elapsed()));
        ready
    }

    async fn wait(&self, want: &Want, place: Option<Place>) -> Option<Result<Ready, NotHere>> {
        let connections = &self.deliverer.connections;
        let waiting = async {
            match place {
                Some(place) => Ok(connections.ready_again(place, want).await),
                None => connections.ready(want).await,
            }
        };
        let ready = tokio::select! {
            biased;
            () = connections.stopped() => return Some(Err(NotHere::Crowded)),
            ready = timeout_at(self.last_begin, waiting) => ready.ok()?,
        };
        (!self.is_late()).then_some(ready)
    }

    /// What is required of a host at this address now.
    fn target<'r>(
        &self,
        route: &'r Route,
        host: &RouteHost,
        address: IpAddr,
        phase: &Phase,
    ) -> Result<Target<'r>, PassedOver> {
        let at_address = |failure| PassedOver {
            failure,
            next: Next::Address,
        };
        let at_host = |failure| PassedOver {
            failure,
            next: Next::Host,
        };
        let Candidate { host, decision } = route.standing(host, address).map_err(at_address)?;
        let terms = phase.terms(decision).map_err(at_host)?;
        let login = route.login(terms.requirement);
        let login = login.map_err(|cause| at_host(cause.into()))?;
        Ok(Target {
            route,
            host,
            address,
            terms,
            login,
            trace: self.look_ups.trace.at(|| host.relay(address)),
        })
    }
}

/// Why an address is skipped, and where to continue.
struct PassedOver {
    failure: Failure,
    next: fn(Option<DaneFailure>) -> Next,
}
