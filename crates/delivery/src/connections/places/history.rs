//! Random histories: many messages with their own decisions, servers that change their certificates, records that
//! change, sessions that are kept. No message is ever sent over a session that its own decision would not have accepted:
//! every reuse is checked against the server's real certificate chain by the verifier of crate `dane`, not by the key.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use dane::{Match, ReferenceIdentifiers, TlsaRecord, TlsaSet, verify_chain};
use mail::Domain;
use policy::decision::Requirement;
use policy::settings::RouteTls;
use rustls::pki_types::UnixTime;
use testworld::mail::{Ca, Identity};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::super::key::ReuseKey;
use super::super::tls::{DanePeer, Peer};
use super::host::Grant;
use super::path::Path;
use super::state::State;
use super::wish::{Destination, Part, Seat, Wish};
use crate::config::Windows;
use crate::trace::Trace;

/// The steps of a history; more by this environment variable.
const STEPS: usize = 100_000;
const MORE: &str = "DANERELAY_HISTORY_STEPS";

const NEXT_HOPS: [&str; 3] = ["a.test", "b.test", "c.test"];
const HOSTS: [&str; 2] = ["mx.a.test", "mx.b.test"];
/// The names in the certificates of servers.
const CERTIFICATES: [&[&str]; 5] = [
    &["mx.a.test"],
    &["a.test"],
    &["mx.a.test", "b.test"],
    &["mx.b.test", "c.test"],
    &["elsewhere.test"],
];
const REQUIREMENTS: [Requirement; 6] = [
    Requirement::Clear,
    Requirement::Opportunistic,
    Requirement::Encrypted,
    Requirement::Pkix,
    Requirement::Dane,
    Requirement::DaneAndPkix,
];

/// What a server achieves with whoever connects to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tls {
    Clear,
    /// With the certificate of this number.
    Up(usize),
}

/// A session as it really is.
#[derive(Debug, Clone)]
struct Session {
    socket: SocketAddr,
    source: Option<IpAddr>,
    server_name: Option<Domain>,
    requirement: Requirement,
    tls: Tls,
    next_hop: usize,
    key: ReuseKey,
}

/// A message and its decision.
#[derive(Debug, Clone)]
struct Message {
    next_hop: usize,
    host: Domain,
    socket: SocketAddr,
    source: Option<IpAddr>,
    requirement: Requirement,
    records: Option<usize>,
    secure_mx: bool,
}

/// Xorshift: the same history each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound).unwrap()).unwrap()
    }
}

struct History {
    dice: Dice,
    identities: Vec<Identity>,
    sets: Vec<Arc<TlsaSet>>,
    /// By address and port.
    servers: HashMap<SocketAddr, Tls>,
    state: State<Session>,
    in_use: Vec<Session>,
    waiting: Vec<(Message, oneshot::Receiver<Grant<Session>>)>,
    verdicts: HashMap<(usize, usize, usize, bool), Option<Match>>,
    reused: [usize; REQUIREMENTS.len()],
    reused_across: [usize; REQUIREMENTS.len()],
}

impl History {
    fn new() -> Self {
        let ca = Ca::new("History CA").unwrap();
        let identities: Vec<Identity> = CERTIFICATES
            .iter()
            .map(|names| ca.issue(names).unwrap())
            .collect();
        let record = |text: String| -> TlsaRecord { text.parse().unwrap() };
        let own = identities.iter().map(|one| vec![record(one.tlsa_3_1_1())]);
        let anchor = || record(identities[0].tlsa_2_0_1());
        let mixed = vec![record(identities[4].tlsa_3_1_1()), anchor()];
        let sets = own.chain([vec![anchor()], mixed]);
        let limits = Windows {
            connections: 12,
            per_destination: 6,
            per_host: 5,
        };
        Self {
            dice: Dice(0x2545_f491_4f6c_dd1d),
            sets: sets.map(|records| Arc::new(TlsaSet::new(records))).collect(),
            identities,
            servers: HashMap::new(),
            state: State::new(limits),
            in_use: Vec::new(),
            waiting: Vec::new(),
            verdicts: HashMap::new(),
            reused: [0; REQUIREMENTS.len()],
            reused_across: [0; REQUIREMENTS.len()],
        }
    }

    fn step(&mut self) {
        match self.dice.below(12) {
            0 => {
                let tls = self.random_tls();
                let socket = self.random_socket();
                self.servers.insert(socket, tls);
            }
            1..7 => self.begin(),
            _ => self.finish(),
        }
        self.look_at_grants();
    }

    fn random_tls(&mut self) -> Tls {
        match self.dice.below(CERTIFICATES.len() + 1) {
            0 => Tls::Clear,
            number => Tls::Up(number - 1),
        }
    }

    fn random_socket(&mut self) -> SocketAddr {
        let last = u8::try_from(1 + self.dice.below(2)).unwrap();
        let port = if self.dice.below(4) == 0 { 26 } else { 25 };
        SocketAddr::from(([192, 0, 2, last], port))
    }

    fn random_message(&mut self) -> Message {
        let socket = self.random_socket();
        // As a rule the records are those of the server, or of its authority.
        let records = match (self.servers.get(&socket), self.dice.below(4)) {
            (Some(Tls::Up(number)), 0 | 1) => *number,
            (Some(Tls::Up(_)), 2) => CERTIFICATES.len(),
            (Some(Tls::Up(_) | Tls::Clear) | None, _) => self.dice.below(self.sets.len() + 2),
        };
        Message {
            next_hop: self.dice.below(NEXT_HOPS.len()),
            host: HOSTS[usize::from(self.dice.below(4) == 0)].parse().unwrap(),
            socket,
            source: (self.dice.below(8) == 0).then(|| IpAddr::from([192, 0, 2, 99])),
            requirement: REQUIREMENTS[self.dice.below(REQUIREMENTS.len())],
            records: (records < self.sets.len()).then_some(records),
            secure_mx: self.dice.below(4) > 0,
        }
    }

    fn references(message: &Message) -> ReferenceIdentifiers {
        let base = ReferenceIdentifiers::new(message.host.as_str()).unwrap();
        if message.secure_mx {
            base.and(NEXT_HOPS[message.next_hop]).unwrap()
        } else {
            base
        }
    }

    fn dane(&self, message: &Message) -> Option<DanePeer> {
        message.records.map(|number| DanePeer {
            base: message.host.clone(),
            set: Arc::new((*self.sets[number]).clone()),
            references: Self::references(message),
        })
    }

    fn key(&self, message: &Message) -> Option<ReuseKey> {
        let dane = self.dane(message);
        let peer = Peer {
            host: Some(&message.host),
            socket: message.socket,
            tls: RouteTls::Starttls,
            dane: dane.as_ref(),
            witness: None,
            trace: Trace::off(),
        };
        ReuseKey::new(&peer, message.source, message.requirement, None)
    }

    fn wish(&self, message: &Message) -> Wish {
        Wish {
            path: Path {
                socket: message.socket,
                source: message.source,
            },
            host: None,
            host_limit: None,
            has_others: false,
            comes_again: false,
            key: self.key(message),
            destination: Some(Destination {
                next_hop: Arc::new(NEXT_HOPS[message.next_hop].parse().unwrap()),
                limit: 6,
            }),
        }
    }

    fn begin(&mut self) {
        let message = self.random_message();
        let wish = self.wish(&message);
        if let Some(session) = self.state.take(&wish) {
            self.use_again(session, &message);
            return;
        }
        let (grant, granted) = oneshot::channel();
        let (_, closed) = self.state.wait(wish, grant);
        self.closed(closed);
        self.waiting.push((message, granted));
    }

    fn look_at_grants(&mut self) {
        for (message, mut granted) in std::mem::take(&mut self.waiting) {
            match granted.try_recv() {
                Ok(Grant::Kept(session)) => self.use_again(session, &message),
                Ok(Grant::Place(seat)) => self.open(&message, seat),
                Ok(Grant::Dead(_) | Grant::NotHere(_)) => unreachable!(),
                Err(_) => self.waiting.push((message, granted)),
            }
        }
    }

    /// Connects: the session, if the requirement is met.
    fn open(&mut self, message: &Message, mut seat: Seat) {
        let tls = match (message.requirement, self.servers.get(&message.socket)) {
            (Requirement::Clear, _) | (_, None) => Tls::Clear,
            (_, Some(tls)) => *tls,
        };
        let (met, matched) = self.judge(tls, message);
        let Some(key) = self.key(message).filter(|_| met) else {
            let closed = self.state.leave(&seat, Part::All);
            self.closed(closed);
            return;
        };
        let closed = self.state.greeted(&seat, Instant::now());
        seat.setup = None;
        self.closed(closed);
        self.in_use.push(Session {
            socket: message.socket,
            source: message.source,
            server_name: Some(message.host.clone()),
            requirement: message.requirement,
            tls,
            next_hop: message.next_hop,
            key: key.proven(matched.as_ref()),
        });
    }

    /// Whether a server that is this one meets the requirement of the message, by the certificate that it presented.
    fn judge(&mut self, tls: Tls, message: &Message) -> (bool, Option<Match>) {
        let Tls::Up(number) = tls else {
            return (message.requirement.allows_plain_text(), None);
        };
        let is_named = CERTIFICATES[number].contains(&message.host.as_str());
        match message.requirement {
            Requirement::Clear | Requirement::Opportunistic | Requirement::Encrypted => (true, None),
            Requirement::Pkix => (is_named, None),
            Requirement::Dane | Requirement::DaneAndPkix => {
                let matched = self.verify(number, message);
                let named = is_named || message.requirement == Requirement::Dane;
                (named && matched.is_some(), matched)
            }
        }
    }

    fn verify(&mut self, certificate: usize, message: &Message) -> Option<Match> {
        let records = message.records?;
        let host = usize::from(message.host.as_str() == HOSTS[1]);
        let case = (
            certificate,
            records,
            message.next_hop * 2 + host,
            message.secure_mx,
        );
        let verdict = || {
            let chain = self.identities[certificate].chain();
            verify_chain(
                &self.sets[records],
                chain,
                &Self::references(message),
                UnixTime::now(),
            )
            .ok()
        };
        if let Some(known) = self.verdicts.get(&case) {
            return known.clone();
        }
        let verdict = verdict();
        self.verdicts.insert(case, verdict.clone());
        verdict
    }

    /// The message is sent over this session.
    fn use_again(&mut self, mut session: Session, message: &Message) {
        let (met, _) = self.judge(session.tls, message);
        assert!(met, "{message:?} over {session:?}");
        assert_eq!(session.requirement, message.requirement);
        assert_eq!((session.socket, session.source), (message.socket, message.source));
        assert_eq!(session.server_name.as_ref(), Some(&message.host));
        let kind = REQUIREMENTS
            .iter()
            .position(|one| *one == message.requirement)
            .unwrap();
        self.reused[kind] += 1;
        self.reused_across[kind] += usize::from(session.next_hop != message.next_hop);
        session.next_hop = message.next_hop;
        self.in_use.push(session);
    }

    /// Some transaction ends.
    fn finish(&mut self) {
        if self.in_use.is_empty() {
            return;
        }
        let number = self.dice.below(self.in_use.len());
        let session = self.in_use.swap_remove(number);
        let wish = Wish {
            path: Path {
                socket: session.socket,
                source: session.source,
            },
            host: None,
            host_limit: None,
            has_others: false,
            comes_again: false,
            key: None,
            destination: Some(Destination {
                next_hop: Arc::new(NEXT_HOPS[session.next_hop].parse().unwrap()),
                limit: 6,
            }),
        };
        let key = session.key.clone();
        let closed = self.state.put(session, key, wish.seat(), Instant::now());
        self.closed(closed);
    }

    fn closed(&mut self, mut sessions: Vec<Session>) {
        while let Some(session) = sessions.pop() {
            let wish = Wish {
                path: Path {
                    socket: session.socket,
                    source: session.source,
                },
                host: None,
                host_limit: None,
                has_others: false,
                comes_again: false,
                key: None,
                destination: None,
            };
            let seat = wish.seat();
            sessions.extend(self.state.leave(&seat, Part::Closed));
        }
    }
}

#[test]
fn no_message_uses_a_session_that_its_own_decision_would_refuse() {
    let steps = std::env::var(MORE).ok().and_then(|steps| steps.parse().ok());
    let mut history = History::new();
    for _ in 0..steps.unwrap_or(STEPS) {
        history.step();
    }
    // The history was about something.
    assert!(
        history.reused.iter().all(|count| *count > 100),
        "{:?}",
        history.reused
    );
    assert!(
        history.reused_across.iter().all(|count| *count > 20),
        "{:?}",
        history.reused_across
    );
}
