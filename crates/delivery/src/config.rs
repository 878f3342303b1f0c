//! What the administrator says about deliveries (`[delivery]` and `[tls]` of `danerelay.toml`).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use dns::host::AddressFamily;
use mail::{Domain, Mailbox, Stage};

/// The settings of the delivery side. Defaults stand in the configuration, not here.
#[derive(Debug, Clone)]
pub struct DeliveryConfig {
    /// The name given in EHLO.
    pub hostname: String,
    /// The port of MX hosts.
    pub port: u16,
    /// Local addresses to connect from, rotated within the family of the receiver; empty: the system chooses.
    pub source_addresses: Vec<IpAddr>,
    /// Connections open at once, in all.
    pub connections: usize,
    /// Deliveries under way at once to one next hop.
    pub connections_per_destination: usize,
    /// Connections open at once to one receiving address.
    pub connections_per_host: usize,
    /// Names by which MX records may mean this relay (D11).
    pub own_names: Vec<Domain>,
    /// Addresses by which MX records may mean this relay (D11).
    pub own_addresses: Vec<IpAddr>,
    /// Where this relay listens; an MX host at such an address *and* port is this relay (D11).
    pub listen: Vec<SocketAddr>,
    /// Which addresses are used.
    pub address_family: AddressFamily,
    /// When a deferred recipient is tried again.
    pub retry: RetrySchedule,
    /// The age at which a sender is told that a message waits; `None`: nobody is told.
    pub delay_warning: Option<Duration>,
    /// How long each stage of a session may take.
    pub timeouts: Timeouts,
    /// Who is shown in `From` of reports to senders; none: postmaster at `hostname`. It may change at any time.
    pub postmaster: Arc<ArcSwapOption<Mailbox>>,
}

/// How much may be under way at once. It can change while deliveries run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// Connections, in all.
    pub connections: usize,
    /// Deliveries to one next hop.
    pub per_destination: usize,
    /// Connections to one receiving address.
    pub per_host: usize,
}

impl DeliveryConfig {
    /// How much may be under way at once.
    pub fn windows(&self) -> Windows {
        Windows {
            connections: self.connections,
            per_destination: self.connections_per_destination,
            per_host: self.connections_per_host,
        }
    }
}

/// The retry schedule: the first delays one by one, the last of them for ever, until `max_age`.
#[derive(Debug, Clone)]
pub struct RetrySchedule {
    /// The delays; never empty.
    pub delays: Vec<Duration>,
    /// The age at which a message is given up. See [`RetrySchedule::least_attempts`] for what must have happened too.
    pub max_age: Duration,
    /// The age at which a message with the null reverse-path is given up.
    pub bounce_max_age: Duration,
}

/// How long each stage of a session may take: the whole stage, not one read (RFC 5321 §4.5.3.2).
#[derive(Debug, Clone)]
pub struct Timeouts {
    /// TCP connection.
    pub connect: Duration,
    /// The greeting.
    pub banner: Duration,
    /// EHLO or HELO to its reply.
    pub ehlo: Duration,
    /// STARTTLS to the end of the handshake.
    pub starttls: Duration,
    /// MAIL to its reply.
    pub mail: Duration,
    /// RCPT to its reply.
    pub rcpt: Duration,
    /// DATA to its reply.
    pub data: Duration,
    /// Each block of the content.
    pub body: Duration,
    /// The final dot to its reply.
    pub final_dot: Duration,
    /// RSET to its reply.
    pub rset: Duration,
    /// QUIT to its reply.
    pub quit: Duration,
}

impl Timeouts {
    /// The time of a stage.
    pub fn of(&self, stage: Stage) -> Duration {
        match stage {
            Stage::Connect => self.connect,
            Stage::Banner => self.banner,
            Stage::Ehlo => self.ehlo,
            Stage::Starttls => self.starttls,
            Stage::Mail => self.mail,
            Stage::Rcpt => self.rcpt,
            Stage::Data => self.data,
            Stage::Body => self.body,
            Stage::FinalDot => self.final_dot,
            Stage::Rset => self.rset,
            Stage::Quit => self.quit,
        }
    }
}
