//! What all servers of one world share: the zones, the faults, and the questions so far.

use std::sync::atomic::{AtomicUsize, Ordering};

use hickory_proto::rr::{Name, RecordType};
use parking_lot::{Mutex, MutexGuard};

use super::fault::{DnsFault, Scope};
use super::tree::Tree;
use super::zone::Zone;
use crate::WorldError;

/// How a question came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// In a datagram.
    Udp,
    /// Over a connection.
    Tcp,
    /// Over a connection with TLS.
    Tls,
}

/// One question that reached the server, in order of arrival.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The name asked about, in lower case.
    pub name: Name,
    /// The type asked for.
    pub record_type: RecordType,
    /// How it came.
    pub transport: Transport,
}

/// What the server pretends to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// Returns data and signatures; validation is up to the client.
    #[default]
    Forwarder,
    /// A validating resolver: sets AD on secure answers, SERVFAIL with an extended error on bogus ones unless CD is set.
    Validator,
}

/// What the servers of one world share: the tree, and what they have seen.
pub(super) struct Shared {
    state: Mutex<State>,
    queries: Mutex<Vec<Query>>,
    handshakes: AtomicUsize,
}

pub(super) struct State {
    pub(super) tree: Tree,
    pub(super) faults: Vec<(Scope, DnsFault)>,
    pub(super) role: Role,
}

impl State {
    pub(super) fn root(&self) -> Result<&Zone, WorldError> {
        let root = self.tree.zone(&Name::root());
        root.ok_or_else(|| WorldError::NoZone(".".to_owned()))
    }
}

impl Shared {
    pub(super) fn new(root: Zone, ttl: u32) -> Self {
        let state = State {
            tree: Tree::new(root, ttl),
            faults: Vec::new(),
            role: Role::default(),
        };
        Self {
            state: Mutex::new(state),
            queries: Mutex::default(),
            handshakes: AtomicUsize::new(0),
        }
    }

    pub(super) fn handshakes(&self) -> usize {
        self.handshakes.load(Ordering::Relaxed)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    pub(super) fn log_of_queries(&self) -> MutexGuard<'_, Vec<Query>> {
        self.queries.lock()
    }

    pub(super) fn count_handshake(&self) {
        self.handshakes.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn log(&self, query: Query) {
        self.log_of_queries().push(query);
    }

    pub(super) fn fault_at(&self, name: &Name, record_type: RecordType) -> Option<DnsFault> {
        let state = self.state();
        state
            .faults
            .iter()
            .rev()
            .find(|(scope, _)| scope.meets(name, record_type))
            .map(|(_, fault)| fault.clone())
    }
}
