//! What is counted of events.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use delivery::Handshakes;
use jiff::Timestamp;
use jiff::civil::Date;
use mail::event::delivery::{Delivery, ReportKind};
use mail::event::resolver::{Finding, Resolver};
use mail::{DaneResult, DeliverySecurity, Event, Histogram, Status};

use super::counts::{Counts, Label};
use super::lately::{Lately, Samples};
use super::told::{TlsReportEnds, TlsReports};

/// From a neighbour to the end of the usual `max_age`.
const DELAYS: &[Duration] = &[
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_mins(2),
    Duration::from_mins(10),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(8),
    Duration::from_hours(24),
    Duration::from_hours(120),
];

/// Everything that is counted, from the start of the process on.
pub(crate) struct Metrics {
    /// When it started.
    pub(super) started: Timestamp,
    /// Messages that clients were told are taken.
    pub(super) accepted: AtomicU64,
    /// Their content in octets.
    pub(super) accepted_octets: AtomicU64,
    /// Attempts, one for each recipient, by what secured them.
    pub(super) deliveries: Box<[(Status, Counts<DeliverySecurity>)]>,
    /// The same by what DANE found.
    pub(super) dane: Counts<DaneResult>,
    /// From acceptance to delivery.
    pub(super) delays: Histogram,
    /// Reports to senders.
    pub(super) reports: Counts<ReportKind>,
    /// TLS reports to others.
    pub(super) tls_reports: TlsReports,
    /// Faults of this program.
    pub(super) faults: AtomicU64,
    /// What the resolver's last test found.
    pub(super) resolver: ArcSwapOption<ResolverStanding>,
    /// Handshakes with receiving servers.
    pub(super) handshakes: Arc<Handshakes>,
    /// How long deliveries took lately.
    pub(super) lately: Lately,
    samples: Samples,
}

/// What the resolver's self-test found, and since when it finds that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ResolverStanding {
    pub(super) since: Timestamp,
    pub(super) mode: &'static str,
    pub(super) servers: String,
    pub(super) finding: Finding,
}

impl Default for Metrics {
    fn default() -> Self {
        let (samples, lately) = super::lately::pair();
        Self {
            started: Timestamp::now(),
            accepted: AtomicU64::new(0),
            accepted_octets: AtomicU64::new(0),
            deliveries: Status::ALL
                .iter()
                .map(|status| (*status, Counts::default()))
                .collect(),
            dane: Counts::default(),
            delays: Histogram::new(DELAYS),
            reports: Counts::default(),
            tls_reports: TlsReports::default(),
            faults: AtomicU64::new(0),
            resolver: ArcSwapOption::empty(),
            handshakes: Arc::default(),
            lately,
            samples,
        }
    }
}

impl Metrics {
    /// Where handshakes are counted.
    pub(crate) fn handshakes(&self) -> Arc<Handshakes> {
        Arc::clone(&self.handshakes)
    }

    /// When the process started.
    pub(crate) fn started(&self) -> Timestamp {
        self.started
    }

    /// What became of the TLS reports of this day, since the start.
    pub(crate) fn tls_reports_on(&self, day: Date) -> TlsReportEnds {
        self.tls_reports.on(day)
    }

    /// Counts what an event tells.
    pub(super) fn note(&self, event: &Event) {
        match event {
            Event::Delivery(delivery) => self.note_delivery(delivery),
            Event::Accepted(accepted) => {
                self.accepted.fetch_add(1, Ordering::Relaxed);
                self.accepted_octets.fetch_add(accepted.size, Ordering::Relaxed);
            }
            Event::ReportMade(report) => self.reports.count(report.kind),
            Event::TlsReport(report) => self.tls_reports.note(report),
            Event::Fault(_) => {
                self.faults.fetch_add(1, Ordering::Relaxed);
            }
            Event::Resolver(Resolver::Tested {
                dns,
                finding,
                servers,
            }) => self.note_test(dns, finding, servers),
            // The rest is seen in the census, or is for the log alone.
            _ => {}
        }
    }

    fn note_test(&self, mode: &'static str, finding: &Finding, servers: &str) {
        let before = self.resolver.load();
        let is_the_same = |before: &&Arc<ResolverStanding>| {
            std::mem::discriminant(&before.finding) == std::mem::discriminant(finding)
        };
        // What lasts is told again and again.
        let since = before.as_ref().filter(is_the_same).map(|before| before.since);
        self.resolver.store(Some(Arc::new(ResolverStanding {
            since: since.unwrap_or_else(Timestamp::now),
            mode,
            servers: servers.to_owned(),
            finding: finding.clone(),
        })));
    }

    fn note_delivery(&self, delivery: &Delivery) {
        let status = delivery.outcome.status;
        let row = self.deliveries.iter().find(|(known, _)| *known == status);
        if let Some((_, counts)) = row {
            counts.count(delivery.security);
        }
        self.dane.count(DaneResult::from(&delivery.dane));
        if status == Status::Sent {
            self.delays.observe(delivery.delay);
            self.samples.add(delivery.to.domain(), delivery.delay);
        }
    }
}
