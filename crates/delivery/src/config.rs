//! The administrator's settings for deliveries (`[delivery]` and `[tls]` of `danerelay.toml`).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use dns::host::AddressFamily;
use ipnet::IpNet;
use mail::{Domain, Mailbox, Stage};

/// The settings for deliveries. Their defaults are in the configuration, not here.
#[derive(Debug, Clone)]
pub struct DeliveryConfig {
    /// The name given in EHLO.
    pub hostname: String,
    /// The port of MX hosts.
    pub port: u16,
    /// Local addresses to connect from; a destination always sees the same one of a family. If empty, the system chooses.
    pub source_addresses: Vec<IpAddr>,
    /// The maximum number of open connections in total.
    pub connections: usize,
    /// The maximum number of simultaneous deliveries to one next hop.
    pub connections_per_destination: usize,
    /// The maximum number of open connections to one receiving address.
    pub connections_per_host: usize,
    /// How long a connection is used.
    pub reuse: Reuse,
    /// Names that mean this relay in MX records (D11).
    pub own_names: Vec<Domain>,
    /// Addresses that mean this relay in MX records (D11).
    pub own_addresses: Vec<IpAddr>,
    /// Networks with addresses at which no stranger receives mail (D8a).
    pub ignore_addresses: Vec<IpNet>,
    /// Where this relay listens; an MX host with such an address *and* port is this relay (D11).
    pub listen: Vec<SocketAddr>,
    /// Which addresses are used.
    pub address_family: AddressFamily,
    /// When a deferred recipient is tried again.
    pub retry: RetrySchedule,
    /// The age at which a sender is told that a message is delayed; `None`: the sender is not told.
    pub delay_warning: Option<Duration>,
    /// How long each stage of a session may take.
    pub timeouts: Timeouts,
    /// Whether sessions are counted for TLS reports (RFC 8460).
    pub counts_tls: bool,
    /// The `From` address of reports to senders; if none, postmaster at `hostname`. It may change at any time.
    pub postmaster: Arc<ArcSwapOption<Mailbox>>,
}

/// How long a connection is used.
#[derive(Debug, Clone, Copy)]
pub struct Reuse {
    /// The maximum number of messages over it.
    pub messages: u32,
    /// After this it takes no further message.
    pub time: Duration,
    /// How long it waits for its next message.
    pub idle: Duration,
}

/// How many connections and deliveries may run at once. The limits can change while deliveries run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// Connections in total.
    pub connections: usize,
    /// Deliveries to one next hop.
    pub per_destination: usize,
    /// Connections to one receiving address.
    pub per_host: usize,
}

impl DeliveryConfig {
    /// The limits on simultaneous connections and deliveries.
    pub fn windows(&self) -> Windows {
        Windows {
            connections: self.connections,
            per_destination: self.connections_per_destination,
            per_host: self.connections_per_host,
        }
    }
}

/// The retry schedule: the delays in order, the last one repeated until `max_age`.
#[derive(Debug, Clone)]
pub struct RetrySchedule {
    /// The delays; never empty.
    pub delays: Vec<Duration>,
    /// The age at which a message is given up. [`RetrySchedule::least_attempts`] says how many attempts must have been
    /// made as well.
    pub max_age: Duration,
    /// The age at which a message with the null reverse-path is given up.
    pub bounce_max_age: Duration,
}

/// The time limit of each stage of a session: for the whole stage, not for one read (RFC 5321 §4.5.3.2).
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
    /// The same for somebody who waits: no stage before a message, nor QUIT, takes longer than this.
    #[must_use]
    pub fn at_most(self, limit: Duration) -> Self {
        Self {
            connect: self.connect.min(limit),
            banner: self.banner.min(limit),
            ehlo: self.ehlo.min(limit),
            starttls: self.starttls.min(limit),
            quit: self.quit.min(limit),
            ..self
        }
    }

    /// The time limit of a stage.
    pub fn of(&self, stage: Stage) -> Duration {
        match stage {
            Stage::Connect => self.connect,
            Stage::Banner => self.banner,
            Stage::Ehlo => self.ehlo,
            Stage::Starttls => self.starttls,
            // As long as for the command after it.
            Stage::Auth | Stage::Mail => self.mail,
            Stage::Rcpt => self.rcpt,
            Stage::Data => self.data,
            Stage::Body => self.body,
            Stage::FinalDot => self.final_dot,
            Stage::Rset => self.rset,
            Stage::Quit => self.quit,
        }
    }
}
