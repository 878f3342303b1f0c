//! A private signed DNS tree behind one loopback name server.
//!
//! [`World::start`] gives a signed root and a server that answers for everything below it over UDP and TCP, as an upstream
//! resolver would. [`World::domain`] adds zones, records can be set, replaced and removed at any time (signatures and
//! denials are made for each answer, so nothing is ever stale), and [`World::break_dns`] makes chosen questions fail. Every
//! question is logged, so that a test can assert that one was never asked.

mod answer;
mod denial;
mod domain;
mod fault;
mod rdata;
mod reply;
mod server;
mod shared;
mod tree;
mod zone;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use hickory_proto::rr::{Name, RecordType};
use tokio::net::TcpListener;
use tokio::sync::Notify;

pub use domain::Domain;
pub use fault::{DnsFault, Questions};
pub use shared::{Query, Role, Transport};
pub use zone::{Algorithm, Bogus, Denial, Keys, Span, Status, Validity};

use crate::mail::Identity;
use crate::{TaskGuard, WorldError};
use fault::Scope;
use rdata::{parse_name, parse_rdata};
use shared::Shared;
use zone::{Signing, Zone};

/// TTL of all records unless [`World::set_ttl`] sets another, in seconds: what a test changes is soon seen.
pub const DEFAULT_TTL: u32 = 2;

/// A running server over TLS.
pub struct TlsServer {
    address: SocketAddr,
    hang_up: Arc<Notify>,
    _task: TaskGuard,
}

impl TlsServer {
    /// Closes all connections, as a server does with idle ones.
    pub fn hang_up(&self) {
        self.hang_up.notify_one();
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// The running tree. Clones share it; its tasks end when the last one is dropped.
#[derive(Clone)]
pub struct World {
    shared: Arc<Shared>,
    address: SocketAddr,
    _tasks: Arc<[TaskGuard; 2]>,
}

impl World {
    /// A signed root zone served on 127.0.0.1 and a free port.
    pub async fn start() -> Result<Self, WorldError> {
        Self::start_on(IpAddr::V4(Ipv4Addr::LOCALHOST)).await
    }

    /// The same on another loopback address.
    pub async fn start_on(ip: IpAddr) -> Result<Self, WorldError> {
        let root = Zone::new(Name::root(), Signing::default())?;
        let shared = Arc::new(Shared::new(root, DEFAULT_TTL));
        Self::serve(shared, ip).await
    }

    /// Another server for the same tree, with the same faults and the same log, on another port of the same address: for
    /// clients that have several upstreams. It ends with the returned handle.
    pub async fn another_server(&self) -> Result<Self, WorldError> {
        Self::serve(Arc::clone(&self.shared), self.address.ip()).await
    }

    /// A server for the same tree over TLS (RFC 7858), on a free port of the same address. It behaves like the clear-text
    /// servers. It ends with the returned handle.
    pub async fn server_over_tls(&self, identity: &Identity) -> Result<TlsServer, WorldError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(identity.chain().to_vec(), identity.private_key())?;
        let listener = TcpListener::bind((self.address.ip(), 0)).await?;
        let address = listener.local_addr()?;
        let hang_up = Arc::new(Notify::new());
        let serve = server::serve_tls(
            Arc::clone(&self.shared),
            listener,
            Arc::new(config).into(),
            Arc::clone(&hang_up),
        );
        Ok(TlsServer {
            address,
            hang_up,
            _task: TaskGuard::spawn(serve),
        })
    }

    /// How many TLS handshakes were completed.
    pub fn handshakes(&self) -> usize {
        self.shared.handshakes()
    }

    async fn serve(shared: Arc<Shared>, ip: IpAddr) -> Result<Self, WorldError> {
        crate::must_be_loopback(ip)?;
        let (udp, tcp, address) = server::bind(ip).await?;
        let tasks = [
            TaskGuard::spawn(server::serve_udp(Arc::clone(&shared), udp)),
            TaskGuard::spawn(server::serve_tcp(Arc::clone(&shared), tcp)),
        ];
        Ok(Self {
            shared,
            address,
            _tasks: Arc::new(tasks),
        })
    }

    /// Where the server listens, UDP and TCP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The trust anchor for this world's root as a zone-file line with a DS record.
    pub fn trust_anchor_ds(&self) -> Result<String, WorldError> {
        let state = self.shared.state();
        Ok(format!(". 3600 IN DS {}\n", state.root()?.own_ds()?))
    }

    /// The same as a DNSKEY record.
    pub fn trust_anchor_dnskey(&self) -> Result<String, WorldError> {
        let state = self.shared.state();
        Ok(format!(". 3600 IN DNSKEY {}\n", state.root()?.dnskey()))
    }

    /// Starts the description of a zone; [`Domain::add`] puts it into the tree.
    pub fn domain(&self, name: &str) -> Domain<'_> {
        Domain::new(&self.shared, name)
    }

    /// Replaces the record set at a name. Data in presentation form with absolute names, or `\# length hex` for raw octets.
    pub fn set(&self, name: &str, record_type: RecordType, rdata: &[&str]) -> Result<(), WorldError> {
        let name = parse_name(name)?;
        let rrset = rdata
            .iter()
            .map(|text| parse_rdata(record_type, text))
            .collect::<Result<_, _>>()?;
        self.shared.state().tree.set(&name, record_type, rrset);
        Ok(())
    }

    /// Adds one record.
    pub fn add(&self, name: &str, record_type: RecordType, rdata: &str) -> Result<(), WorldError> {
        let (name, rdata) = (parse_name(name)?, parse_rdata(record_type, rdata)?);
        self.shared.state().tree.add(&name, record_type, rdata);
        Ok(())
    }

    /// Removes a record set.
    pub fn remove(&self, name: &str, record_type: RecordType) -> Result<(), WorldError> {
        self.set(name, record_type, &[])
    }

    /// Changes the DNSSEC state of a zone.
    pub fn set_status(&self, zone: &str, status: Status) -> Result<(), WorldError> {
        let apex = parse_name(zone)?;
        let mut state = self.shared.state();
        let found = state
            .tree
            .zone_mut(&apex)
            .ok_or_else(|| WorldError::NoZone(zone.to_owned()))?;
        found.status = status;
        Ok(())
    }

    /// Sets the TTL of all records, in seconds.
    pub fn set_ttl(&self, seconds: u32) {
        self.shared.state().tree.ttl = seconds;
    }

    /// Chooses what the server pretends to be.
    pub fn set_role(&self, role: Role) {
        self.shared.state().role = role;
    }

    /// Makes questions fail. If several faults apply to a question, the latest counts.
    pub fn break_dns(&self, questions: &Questions, fault: DnsFault) -> Result<(), WorldError> {
        let scope = Scope::parse(questions)?;
        let mut state = self.shared.state();
        state.faults.retain(|(known, _)| *known != scope);
        state.faults.push((scope, fault));
        Ok(())
    }

    /// Undoes what [`World::break_dns`] did for the same questions.
    pub fn mend_dns(&self, questions: &Questions) -> Result<(), WorldError> {
        let scope = Scope::parse(questions)?;
        self.shared.state().faults.retain(|(known, _)| *known != scope);
        Ok(())
    }

    /// Every question so far.
    pub fn queries(&self) -> Vec<Query> {
        self.shared.log_of_queries().clone()
    }

    /// How often this was asked. A name that cannot be parsed was never asked about.
    pub fn asked(&self, name: &str, record_type: RecordType) -> usize {
        let Ok(name) = parse_name(name) else { return 0 };
        let log = self.shared.log_of_queries();
        log.iter()
            .filter(|query| query.name == name && query.record_type == record_type)
            .count()
    }

    /// Forgets the questions so far.
    pub fn clear_queries(&self) {
        self.shared.log_of_queries().clear();
    }
}
