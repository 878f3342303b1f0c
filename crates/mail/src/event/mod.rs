//! Log events: one event, one line, in which no foreign text can forge a field or a line.
//!
//! Each event is a type: its fields are the keys of the line, its level and name belong to it ([`Record`]). [`Event`] is the
//! enum of all of them. A tour, by who writes them:
//!
//! * [`client`]: what clients did and what was refused; [`delivery`]: what became of recipients; [`trace`]: how, step by step.
//! * [`spool`]: trouble with the queue as its users see it; [`store`]: what a store itself reports.
//! * [`incident`]: what holds mail up. [`resolver`]: whether DNS can be trusted; [`settings`]: configuration and policy as they are read.
//! * [`service`]: start, recovery and end; [`admin`]: what administrators did; [`fault`]: faults of this program.
//! * [`mta_sts`]: policies of others that could not be had. [`tlsrpt`]: reports to others.
//! * [`log`]: the log about itself, and what libraries report.
//!
//! [`Event::to_text`] writes `key=value, key=value`, [`Event::to_json`] one JSON object, and [`crate::render`] either within
//! a length limit. An event that others can cause as often as they like names its [`Source`].

pub mod admin;
pub mod client;
pub mod delivery;
pub mod fault;
pub mod incident;
pub mod log;
pub mod mta_sts;
pub mod resolver;
pub mod service;
pub mod settings;
pub mod spool;
pub mod store;
pub mod tlsrpt;
pub mod trace;

pub use crate::record::{Level, Put, Record, Value};
use crate::render::{Form, whole};
use crate::source::Source;

use self::client::{Accepted, ConnectionRefused, ListenerTrouble, NotBegun, Rejected};
use self::delivery::{ClockWentBack, Delivery, DestinationHeldUp, LoginState, ReportMade, Undeliverable};
use self::fault::Fault;
use self::incident::{Incident, NotTold};
use self::log::{Library, LogTrouble, Throttled};
use self::mta_sts::MtaSts;
use self::service::{Listen, NotStarted, Recovery, Started, Stopped, Stopping};
use self::settings::{
    ClientsLoaded, ExceptionEnds, ListNews, PolicyLoaded, Rechecked, Refused, WaitsForRestart, Warning,
};
use self::tlsrpt::{NotCollected, TlsReport, TlsReports};
use self::trace::TraceStep;

/// Where events go. Implementations neither block nor fail: a log that cannot be written is their problem.
pub trait EventLog: Send + Sync {
    /// Writes one event, unless its [`Source`] has caused too many.
    fn write(&self, event: &Event);
}

/// No log.
impl EventLog for () {
    fn write(&self, _: &Event) {}
}

/// One event of the log.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// `delivery`: one attempt for one recipient.
    Delivery(Box<Delivery>),
    /// `trace`: a step of a delivery.
    Trace(TraceStep),
    /// `undeliverable`: a report that could not be delivered to anybody.
    Undeliverable(Undeliverable),
    /// `dsn`: a report was made.
    ReportMade(ReportMade),
    /// `clock`: the clock went back.
    ClockWentBack(ClockWentBack),
    /// `destination`: a destination fails or limits its mail.
    DestinationHeldUp(DestinationHeldUp),
    /// `login`: whether logins at a route's server work.
    Login(LoginState),
    /// `incident`: what holds mail up, or is wrong on our own side.
    Incident(Box<Incident>),
    /// `incident`: people cannot be told of one.
    NotTold(NotTold),
    /// `accepted`: a message is in the spool.
    Accepted(Box<Accepted>),
    /// `rejected`: what was refused in a session.
    Rejected(Box<Rejected>),
    /// `rejected`: a connection that did not become a session.
    NotBegun(NotBegun),
    /// `connections`: a connection limit was reached.
    ConnectionRefused(ConnectionRefused),
    /// `accept`, `session`: the listener cannot work.
    Listener(ListenerTrouble),
    /// `spool`: trouble with the queue.
    Spool(spool::Spool),
    /// `spool`: what a store reports.
    Store(store::Store),
    /// `fault`: a fault of this program.
    Fault(Fault),
    /// `resolver`: whether DNS can be trusted.
    Resolver(resolver::Resolver),
    /// `mta-sts`: a policy could not be had or kept.
    MtaSts(MtaSts),
    /// `tlsrpt`: a report to others was sent, or was not.
    TlsReport(TlsReport),
    /// `tlsrpt`: whether reports to others can be sent.
    TlsReports(TlsReports),
    /// `tlsrpt`: results did not reach the collector of the site.
    NotCollected(NotCollected),
    /// `config`, `policy`, `limits`: a warning.
    Warning(Warning),
    /// `config`, `policy`, `resolver`: what was read is invalid and not used.
    Refused(Refused),
    /// `config`: changes that take effect at the next start.
    WaitsForRestart(WaitsForRestart),
    /// `policy`: the policy in force.
    PolicyLoaded(PolicyLoaded),
    /// `policy`: a list with a URL.
    List(ListNews),
    /// `exception`: a dated exception ends.
    ExceptionEnds(ExceptionEnds),
    /// `danefail`: a destination with an exception works again.
    Rechecked(Rechecked),
    /// `clients`: certificate, key and users were read again.
    ClientsLoaded(ClientsLoaded),
    /// `admin`: what administrators did.
    Admin(admin::Admin),
    /// `started`: the daemon is serving.
    Started(Box<Started>),
    /// `recovery`: what the previous process left.
    Recovery(Recovery),
    /// `listen`: an address that is not listened on.
    Listen(Listen),
    /// `not-started`: the daemon ends before serving.
    NotStarted(NotStarted),
    /// `stopping`: no new work is started.
    Stopping(Stopping),
    /// `stopped`: the daemon ends.
    Stopped(Stopped),
    /// `log`: the log about itself.
    Log(LogTrouble),
    /// `throttled`: events that were suppressed.
    Throttled(Throttled),
    /// `library`: what a library reports.
    Library(Library),
}

impl Event {
    /// The event itself.
    fn record(&self) -> &dyn Record {
        match self {
            Self::Delivery(event) => &**event,
            Self::Trace(event) => event,
            Self::Undeliverable(event) => event,
            Self::ReportMade(event) => event,
            Self::ClockWentBack(event) => event,
            Self::DestinationHeldUp(event) => event,
            Self::Login(event) => event,
            Self::Incident(event) => &**event,
            Self::NotTold(event) => event,
            Self::Accepted(event) => &**event,
            Self::Rejected(event) => &**event,
            Self::NotBegun(event) => event,
            Self::ConnectionRefused(event) => event,
            Self::Listener(event) => event,
            Self::Spool(event) => event,
            Self::Store(event) => event,
            Self::Fault(event) => event,
            Self::Resolver(event) => event,
            Self::MtaSts(event) => event,
            Self::TlsReport(event) => event,
            Self::TlsReports(event) => event,
            Self::NotCollected(event) => event,
            Self::Warning(event) => event,
            Self::Refused(event) => event,
            Self::WaitsForRestart(event) => event,
            Self::PolicyLoaded(event) => event,
            Self::List(event) => event,
            Self::ExceptionEnds(event) => event,
            Self::Rechecked(event) => event,
            Self::ClientsLoaded(event) => event,
            Self::Admin(event) => event,
            Self::Started(event) => &**event,
            Self::Recovery(event) => event,
            Self::Listen(event) => event,
            Self::NotStarted(event) => event,
            Self::Stopping(event) => event,
            Self::Stopped(event) => event,
            Self::Log(event) => event,
            Self::Throttled(event) => event,
            Self::Library(event) => event,
        }
    }

    /// `key=value, key=value`; all but deliveries end in `event=NAME`.
    pub fn to_text(&self) -> String {
        whole(self, Form::Text)
    }

    /// One JSON object; `timestamp` is RFC 3339 in UTC.
    pub fn to_json(&self, timestamp: &str) -> String {
        whole(self, Form::Json(&timestamp))
    }
}

impl Record for Event {
    fn level(&self) -> Level {
        self.record().level()
    }

    fn name(&self) -> &'static str {
        self.record().name()
    }

    fn source(&self) -> Option<Source> {
        self.record().source()
    }

    fn is_lost_first(&self) -> bool {
        self.record().is_lost_first()
    }

    fn fields(&self, put: &mut Put<'_>) {
        self.record().fields(put);
    }
}
