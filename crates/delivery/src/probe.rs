//! Probes the hosts of a route: sessions are opened as for a delivery, and closed before anything is sent.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use dane::VerifyCode;
use futures_util::future::join_all;
use mail::event::trace::{TraceStep, Traced};
use mail::{AddressError, Cause, DaneVerdict, Domain, DomainPart, NextHop};
use policy::decision::{Action, Decision, Requirement};
use policy::facts::MessageTls;
use policy::failure::{Failure, Standing};
use policy::settings::RouteTls;
use rustls::pki_types::CertificateDer;
use tokio::net::TcpStream;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::config::DeliveryConfig;
use crate::connections::{
    ClearedSession, Connections, NotOpened, Peer, Terms, TlsClient, TlsOutcome, Want, Witness, login_offered,
};
use crate::failure::SessionFailure;
use crate::route::{Candidate, Route, RouteHost};
use crate::trace::{Allowance, Step, Trace};

/// How many octets of dialogues are kept, of all hosts together.
const TRACED: usize = 1 << 20;

/// The result for one host.
#[derive(Debug, Clone)]
pub struct HostProbe<'a> {
    /// The host, and the decision about it.
    pub candidate: &'a Candidate,
    /// Why it was not connected to in the first round.
    pub passed_over: Option<Failure>,
    /// Its addresses in order, and again for the second round of soft-fail if the first one failed DANE.
    pub tries: Vec<Probe>,
}

/// The result for one address.
#[derive(Debug, Clone)]
pub struct Probe {
    /// The address.
    pub address: IpAddr,
    /// What the connection had to achieve.
    pub requirement: Requirement,
    /// What the log would say after a delivery.
    pub verdict: DaneVerdict,
    /// Version and cipher suite, if TLS was established.
    pub session: Option<String>,
    /// The group of the key exchange, by its name in TLS.
    pub group: Option<&'static str>,
    /// Why TLS was not established, as shown in the log (`tlsfail=`).
    pub unprotected: Option<String>,
    /// The verdict of the certificate check, if there was one.
    pub valid: Option<VerifyCode>,
    /// The TLSA record that matched.
    pub matched: Option<String>,
    /// The server's certificates, leaf first, whatever the check found; none if no handshake got that far.
    pub chain: Vec<CertificateDer<'static>>,
    /// Why the requirement was not met.
    pub failure: Option<Failure>,
    /// Whether a message deferred by this failure is sent in plain text once it is older than the first step of
    /// `retry`.
    pub later_in_clear: bool,
    /// The dialogue with the server, if it was asked for.
    pub trace: Vec<TraceStep>,
}

impl HostProbe<'_> {
    /// All failures, in the order in which they happened.
    pub fn failures(&self) -> impl Iterator<Item = &Failure> {
        let tries = self.tries.iter().filter_map(|one| one.failure.as_ref());
        self.passed_over.iter().chain(tries)
    }
}

/// What a server shows to somebody who requires TLS and believes nothing that it says.
#[derive(Debug, Clone)]
pub struct Look {
    /// Version and cipher suite, if TLS was established.
    pub session: Option<String>,
    /// Its certificates, leaf first; none if no handshake got that far.
    pub chain: Vec<CertificateDer<'static>>,
    /// Why TLS was not established.
    pub failure: Option<Failure>,
}

/// Opens sessions as a delivery does.
pub struct Prober {
    connections: Connections,
    /// How much of the dialogues with servers is kept, if that is wanted.
    tracing: Option<Arc<Allowance>>,
}

impl Prober {
    /// Fails if `config.hostname` cannot be used in EHLO.
    pub fn new(config: &DeliveryConfig, tls: &TlsClient) -> Result<Self, AddressError> {
        Ok(Self {
            connections: Connections::new(config, DomainPart::parse(&config.hostname)?, tls.clone()),
            tracing: None,
        })
    }

    /// The same, which keeps the dialogues with servers.
    #[must_use]
    pub fn tracing(self) -> Self {
        Self {
            tracing: Some(Arc::new(Allowance::once(TRACED))),
            ..self
        }
    }

    /// Tries every address of every host that the route would connect to, all hosts in parallel; the result has one
    /// entry per host, and none if the route leads nowhere.
    pub async fn probe<'a>(&self, route: &'a Route) -> Vec<HostProbe<'a>> {
        match &route.decision {
            Decision::PassOver(..) | Decision::Stop(..) => Vec::new(),
            Decision::Try(candidates) => join_all(candidates.iter().map(|one| self.host(one, route))).await,
        }
    }

    /// Tries one address of a host; `None` if the route does not connect to the host. There is no second round.
    pub async fn probe_address(
        &self,
        route: &Route,
        candidate: &Candidate,
        address: IpAddr,
    ) -> Option<Probe> {
        match &candidate.decision.action {
            Action::PassOver(_) => None,
            Action::Connect { requirement, verdict } => Some(
                self.address(&candidate.host, (address, route), *requirement, verdict)
                    .await,
            ),
        }
    }

    /// Opens a session over TLS with one server of a host, whoever it is, and closes it again.
    pub async fn look(&self, host: &Domain, socket: SocketAddr, tls: RouteTls) -> Look {
        let witness = Witness::default();
        let peer = Peer {
            host: Some(host),
            socket,
            tls,
            dane: None,
            witness: Some(&witness),
            trace: Trace::off(),
        };
        let next_hop = NextHop::Host {
            host: host.clone(),
            port: Some(socket.port()),
        };
        let terms = Terms {
            requirement: Requirement::Encrypted,
            login: None,
            host_limit: None,
            next_hop: &next_hop,
        };
        let want = self.connections.want(&peer, &terms, None);
        let (session, failure) = match self.open(&peer, &want).await {
            Ok(session) => {
                let version = session.tls().session().map(ToString::to_string);
                session.quit().await;
                (version, None)
            }
            Err(failure) => (None, Some(failure.into_failure(Standing::Apart))),
        };
        Look {
            session,
            chain: witness.into_seen().chain,
            failure,
        }
    }

    /// A connection over which nothing has been said yet, from the source address that deliveries on this route have.
    pub async fn dial(&self, route: &Route, socket: SocketAddr) -> Result<TcpStream, Failure> {
        let peer = Peer {
            host: None,
            socket,
            tls: route.tls,
            dane: None,
            witness: None,
            trace: Trace::off(),
        };
        let dialled = self.connections.dial_only(&route.next_hop, &peer).await;
        dialled.map_err(|failure| failure.into_failure(Standing::Apart))
    }

    async fn host<'a>(&self, candidate: &'a Candidate, route: &Route) -> HostProbe<'a> {
        let Candidate { host, decision } = candidate;
        let mut probe = match route.first_round(decision) {
            Err(failure) => HostProbe {
                candidate,
                passed_over: Some(failure),
                tries: Vec::new(),
            },
            Ok((requirement, verdict)) => HostProbe {
                candidate,
                passed_over: None,
                tries: self.addresses(host, route, requirement, verdict).await,
            },
        };
        let refused = probe.failures().find_map(Failure::dane_failed);
        if let (Some(requirement), Some(cause)) = (route.second_round(decision), refused) {
            let verdict = DaneVerdict::Softfail(cause);
            let second = self.addresses(host, route, requirement, &verdict).await;
            probe.tries.extend(second);
        }
        probe
    }

    async fn addresses(
        &self,
        host: &RouteHost,
        route: &Route,
        requirement: Requirement,
        verdict: &DaneVerdict,
    ) -> Vec<Probe> {
        let mut tries = Vec::new();
        for address in &host.addresses {
            tries.push(self.address(host, (*address, route), requirement, verdict).await);
        }
        tries
    }

    async fn address(
        &self,
        host: &RouteHost,
        (address, route): (IpAddr, &Route),
        requirement: Requirement,
        verdict: &DaneVerdict,
    ) -> Probe {
        let witness = Witness::default();
        let (trace, steps) = self.trace(route);
        let peer = Peer {
            host: host.name.as_ref(),
            socket: SocketAddr::new(address, route.port),
            tls: route.tls,
            dane: host.dane.as_ref(),
            witness: Some(&witness),
            trace: trace.at(|| host.relay(address)),
        };
        let terms = Terms {
            requirement,
            login: None,
            host_limit: None,
            next_hop: &route.next_hop,
        };
        let want = self.connections.want(&peer, &terms, None);
        let mut probe = Probe {
            address,
            requirement,
            verdict: verdict.clone(),
            session: None,
            group: None,
            unprotected: None,
            valid: None,
            matched: None,
            chain: Vec::new(),
            failure: None,
            later_in_clear: false,
            trace: Vec::new(),
        };
        match self.open(&peer, &want).await {
            Ok(session) => {
                trace.tell(|| Step::Verified { requirement, verdict });
                match session.tls() {
                    TlsOutcome::NotTried => {}
                    TlsOutcome::Missing(cause) => probe.unprotected = cause.tlsfail(),
                    TlsOutcome::Session(facts) => {
                        probe.session = Some(facts.to_string());
                        (probe.group, probe.valid) = (facts.group, facts.valid);
                        probe.matched = facts.matched.as_deref().map(str::to_owned);
                    }
                }
                if let Err(cause) = can_log_in(&session, route, requirement) {
                    let failure = Failure {
                        standing: Standing::Cleared(verdict.clone()),
                        ..cause.into()
                    };
                    trace.tell(|| Step::Failed(&failure));
                    probe.failure = Some(failure);
                }
                session.quit().await;
            }
            Err(failure) => {
                probe.valid = failure.valid;
                probe.unprotected = failure.cause.tlsfail();
                probe.later_in_clear =
                    requirement == Requirement::Opportunistic && failure.cause.broke_handshake();
                let failure = failure.into_failure(Standing::Uncleared {
                    requirement,
                    planned: verdict.clone(),
                    message: MessageTls::Usual,
                });
                trace.tell(|| Step::Failed(&failure));
                probe.failure = Some(failure);
            }
        }
        drop((peer, trace));
        probe.chain = witness.into_seen().chain;
        probe.trace = steps.map_or_else(Vec::new, told);
        probe
    }

    /// The trace of one connection, and what it tells.
    fn trace(&self, route: &Route) -> (Trace, Option<UnboundedReceiver<Traced>>) {
        let Some(allowance) = &self.tracing else {
            return (Trace::off(), None);
        };
        let (trace, steps) = Trace::examining(&route.next_hop.to_string(), allowance);
        (trace, Some(steps))
    }

    async fn open(&self, peer: &Peer<'_>, want: &Want) -> Result<ClearedSession, SessionFailure> {
        let place = self.connections.place(want).await?;
        let opened = self.connections.open(peer, want, place.into(), None).await;
        opened.map_err(|not_opened| match not_opened {
            NotOpened::Failed(failure) | NotOpened::Full(failure) => failure,
        })
    }
}

/// Whether the server offers the login that the route needs. Nothing is sent to find out more.
fn can_log_in(session: &ClearedSession, route: &Route, requirement: Requirement) -> Result<(), Cause> {
    match route.login(requirement)? {
        Some(_) => login_offered(session).map(|_| ()),
        None => Ok(()),
    }
}

/// All that was told: nothing more can be, when nobody is left who could.
fn told(mut steps: UnboundedReceiver<Traced>) -> Vec<TraceStep> {
    let mut told = Vec::new();
    while let Ok(one) = steps.try_recv() {
        match one {
            Traced::Step(step) => told.push(step),
            Traced::Ended { .. } => {}
        }
    }
    told
}
