//! The daily mail: what came of yesterday's mail, and how things stand, as those know it who have used pflogsumm.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use mail::count;
use mail::printable::PrintableLines;
use mail::words::{day, moment, span};
use report::incidents::Incident;
use report::summary::{CauseCount, Daily, DomainTraffic, Outcomes, Traffic, sum};
use spool::{Ages, Summary};

use crate::monitor::TlsReportEnds;
use crate::own_mail::Letter;
use crate::pages::document::{Document, Section};
use crate::pages::html::Column;
use crate::pages::plain;
use crate::pages::words::{ago, counted, grouped, octets, percent, without_addresses};
use crate::wiring::standing::PolicyTrouble;

#[cfg(test)]
mod tests;

/// Rows of each table.
const ROWS: usize = 10;
/// The most open incidents that are listed.
const INCIDENTS: usize = 20;
/// Which command shows all domains.
const ALL_DOMAINS: &str = "danerelay report --by domain --json";

/// What it is made of.
pub(crate) struct Facts {
    /// Our name.
    pub(crate) relay: String,
    /// The day that it is about.
    pub(crate) day: Date,
    pub(crate) now: Timestamp,
    /// When the relay was started.
    pub(crate) started: Timestamp,
    /// The ledger's figures of the day, and of the one before.
    pub(crate) figures: Daily,
    pub(crate) queue: Summary,
    /// The open ones.
    pub(crate) incidents: Vec<Incident>,
    pub(crate) policy: PolicyTrouble,
    /// Since the start.
    pub(crate) tls_reports: TlsReportEnds,
}

impl Facts {
    /// The mail.
    pub(crate) fn letter(&self) -> Letter {
        let traffic = &self.figures.outcomes.traffic;
        let open = self.incidents.len();
        let incidents = match open {
            0 => String::new(),
            open => format!(", {}", count(open, "open incident")),
        };
        Letter {
            subject: format!(
                "[{}] mail of {}: {} delivered, {} returned{incidents}",
                self.relay,
                self.day,
                delivered(traffic),
                traffic.failed
            ),
            text: PrintableLines(&plain::text(&self.document())).to_string(),
        }
    }

    fn document(&self) -> Document {
        let outcomes = &self.figures.outcomes;
        let mut sections = vec![self.incidents(), self.deliveries(), self.secured()];
        sections.extend(causes("DANE failed", "Attempts", &outcomes.dane.stopped));
        sections.extend(self.domains());
        sections.extend(causes("Why mail had to wait", "Attempts", &outcomes.deferred));
        sections.extend(causes("Why mail was returned", "Recipients", &outcomes.returned));
        sections.push(self.queue());
        sections.extend(self.policy());
        sections.extend(self.tls_reports());
        Document {
            title: format!("Mail of {}", self.day),
            subtitle: format!(
                "{}, a day in UTC and the one before it; written on {} by danerelay {}.",
                self.relay,
                moment(self.now),
                env!("CARGO_PKG_VERSION")
            ),
            tiles: Vec::new(),
            sections,
        }
    }

    fn incidents(&self) -> Section {
        let mut section = Section::new("Open incidents");
        if self.incidents.is_empty() {
            section.say("None: no security failure holds mail up.");
            return section;
        }
        let mut open: Vec<&Incident> = self.incidents.iter().collect();
        open.sort_by_key(|incident| {
            let end = incident.first_return;
            (end.is_none(), end, incident.first_seen)
        });
        let rows = open.iter().take(INCIDENTS).map(|incident| {
            vec![
                incident.id.clone(),
                day(incident.first_seen),
                grouped(incident.messages),
                incident.first_return.map_or("–".to_owned(), moment),
                incident.summary.clone(),
            ]
        });
        let columns = [
            Column::Short("Id"),
            Column::Short("Since"),
            Column::Numbers("Messages"),
            Column::Short("First return"),
            Column::Words("What"),
        ];
        section.first_rows(&columns, rows.collect(), open.len() as u64, "danerelay incidents");
        section
    }

    fn deliveries(&self) -> Section {
        let (now, before) = (&self.figures.outcomes, &self.figures.before);
        let mut section = Section::new("Deliveries");
        let row = |name: &str, count: fn(&Outcomes) -> u64| {
            vec![
                name.to_owned(),
                grouped(count(now)),
                grouped(count(before)),
                growth(count(now), count(before)),
            ]
        };
        let mut rows = vec![
            row("Delivered", |of| delivered(&of.traffic)),
            row("Returned: refused for good", |of| of.bounced),
            row("Returned: expired", |of| of.expired),
            row("Attempts after which mail waits", |of| of.traffic.deferred),
        ];
        rows.push(vec![
            "Content, counted for each recipient".to_owned(),
            octets(now.traffic.octets),
            octets(before.traffic.octets),
            growth(now.traffic.octets, before.traffic.octets),
        ]);
        section.table(&compared("", "Recipients"), rows);
        if self.figures.unreadable > 0 {
            section.say(format_args!(
                "Part of the ledger cannot be read, and is missing here: {}.",
                counted(self.figures.unreadable, "entry", "entries")
            ));
        }
        if let Some(domains) = now.traffic.domains.filter(|domains| *domains > 0) {
            section.say(format_args!(
                "The recipients were at {}.",
                counted(domains, "domain", "domains")
            ));
        }
        section
    }

    fn secured(&self) -> Section {
        let (now, before) = (&self.figures.outcomes.traffic, &self.figures.before.traffic);
        let mut section = Section::new("How they were secured");
        let ends = now.ends().into_iter().zip(before.ends());
        let rows = ends.map(|((end, count), (_, earlier))| {
            vec![
                end.words().to_owned(),
                grouped(count),
                share(now, count),
                share(before, earlier),
                match (now.deliveries(), before.deliveries()) {
                    (0, _) | (_, 0) => "–".to_owned(),
                    _ => points(now.share(count) - before.share(earlier)),
                },
            ]
        });
        section.table(
            &[
                Column::Words(""),
                Column::Numbers("Recipients"),
                Column::Numbers("Share"),
                Column::Numbers("Day before"),
                Column::Numbers("Change"),
            ],
            rows.collect(),
        );
        let passed = sum(&self.figures.outcomes.dane.passed);
        if passed > 0 {
            section.say(format_args!(
                "{} although DANE failed (soft-fail).",
                match passed {
                    1 => "1 of these was delivered".to_owned(),
                    more => format!("{} of these were delivered", grouped(more)),
                }
            ));
        }
        section
    }

    fn domains(&self) -> [Section; 2] {
        let mut busiest = Section::new("Where most went");
        busiest.first_rows(
            &[
                Column::Words("Domain"),
                Column::Numbers("Recipients"),
                Column::Numbers("By DANE"),
                Column::Numbers("Returned"),
                Column::Numbers("Content"),
            ],
            self.figures.busiest.iter().map(busy).collect(),
            self.figures.outcomes.traffic.domains.unwrap_or_default(),
            ALL_DOMAINS,
        );
        if self.figures.busiest.is_empty() {
            busiest.say("Nowhere.");
        }
        let mut waiting = Section::new("Where most had to wait");
        waiting.first_rows(
            &[
                Column::Words("Domain"),
                Column::Numbers("Attempts that failed"),
                Column::Numbers("Delivered"),
            ],
            self.figures.waiting.iter().map(waited).collect(),
            self.figures.waiting_domains,
            ALL_DOMAINS,
        );
        if self.figures.waiting.is_empty() {
            waiting.say("Nowhere.");
        }
        [busiest, waiting]
    }

    fn queue(&self) -> Section {
        let (queue, now) = (&self.queue, self.now);
        let mut section = Section::new("The queue now");
        let Some(oldest) = queue.oldest else {
            section.say("It is empty.");
            return section;
        };
        section.say(format_args!(
            "{} of {}; the oldest for {}.",
            counted(queue.messages, "message", "messages"),
            octets(queue.bytes),
            ago(oldest, now)
        ));
        let ages = columns(&queue.ages).into_iter().filter(|(_, count)| *count > 0);
        section.table(
            &[Column::Words("Waiting for"), Column::Numbers("Recipients")],
            ages.map(|(name, count)| vec![name, grouped(count)]).collect(),
        );
        let mut slowest: Vec<_> = queue.destinations.iter().collect();
        slowest.sort_by_key(|destination| destination.oldest);
        let rows = slowest.into_iter().take(ROWS).map(|destination| {
            vec![
                destination.next_hop.clone(),
                grouped(destination.messages),
                ago(destination.oldest, now),
            ]
        });
        section.first_rows(
            &[
                Column::Words("Of those with most"),
                Column::Numbers("Messages"),
                Column::Numbers("Oldest"),
            ],
            rows.collect(),
            queue.next_hops,
            "danerelay queue summary",
        );
        section
    }

    /// Nothing, if all is well.
    fn policy(&self) -> Option<Section> {
        let (policy, now) = (&self.policy, self.now);
        let mut section = Section::new("Policy");
        if let Some(refused) = &policy.refused {
            section.say(format_args!(
                "The policy on disk has been invalid for {}, and an older one is in force: {}",
                ago(refused.since, now),
                without_addresses(&refused.faults.join("; "))
            ));
        }
        let lists = policy.lists.iter().take(ROWS).map(|(url, trouble)| {
            vec![
                ago(trouble.since, now),
                format!("{url}: {}", without_addresses(&trouble.reason)),
            ]
        });
        section.first_rows(
            &[Column::Short("For"), Column::Words("List that is not up to date")],
            lists.collect(),
            policy.lists.len() as u64,
            "danerelay config check",
        );
        let mut ending: Vec<_> = policy.ending.iter().collect();
        ending.sort_by_key(|ending| ending.until);
        let ending = ending.into_iter().take(ROWS).map(|ending| {
            vec![
                ending.until.to_string(),
                format!("{} ({}:{})", ending.exception, ending.file, ending.line),
            ]
        });
        section.first_rows(
            &[
                Column::Short("Last day"),
                Column::Words("Exception that ends soon"),
            ],
            ending.collect(),
            policy.ending.len() as u64,
            "danerelay danefail list",
        );
        let healed = policy.tests.healed.iter().take(ROWS).map(|healed| {
            vec![
                day(healed.since),
                format!("{} {} ({})", healed.kind, healed.name, healed.place),
            ]
        });
        section.first_rows(
            &[Column::Short("Since"), Column::Words("Excepted, and well again")],
            healed.collect(),
            policy.tests.healed.len() as u64,
            "danerelay danefail recheck",
        );
        (!section.parts.is_empty()).then_some(section)
    }

    /// Nothing, if there were none.
    fn tls_reports(&self) -> Option<Section> {
        let ends: Vec<String> = self
            .tls_reports
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(end, count)| format!("{} {end}", grouped(*count)))
            .collect();
        let started = self.started.to_zoned(TimeZone::UTC).date();
        if ends.is_empty() && started < self.day {
            return None;
        }
        let mut section = Section::new("TLS reports to others");
        let sent = if ends.is_empty() {
            "None is known".to_owned()
        } else {
            ends.join(", ")
        };
        if started < self.day {
            section.say(format_args!("{sent}."));
        } else {
            let moment = moment(self.started);
            section.say(format_args!(
                "{sent}. They are counted since the start of the relay at {moment}."
            ));
        }
        Some(section)
    }
}

fn delivered(traffic: &Traffic) -> u64 {
    traffic.deliveries().saturating_sub(traffic.failed)
}

fn compared(what: &'static str, count: &'static str) -> [Column; 4] {
    [
        Column::Words(what),
        Column::Numbers(count),
        Column::Numbers("Day before"),
        Column::Numbers("Change"),
    ]
}

fn share(traffic: &Traffic, count: u64) -> String {
    match traffic.deliveries() {
        0 => "–".to_owned(),
        _ => percent(traffic.share(count)),
    }
}

/// A change of a share, in points of a percent. What is next to nothing has no sign.
fn points(change: f64) -> String {
    let tenths = (change * 1000.0).round();
    if tenths == 0.0 {
        "0.0".to_owned()
    } else {
        format!("{:+.1}", tenths / 10.0)
    }
}

/// By how much a count has grown.
fn growth(count: u64, before: u64) -> String {
    match (count, before) {
        (_, 0) => "–".to_owned(),
        (count, before) => {
            #[expect(clippy::cast_precision_loss, reason = "a growth needs no more digits")]
            let growth = count as f64 / before as f64 - 1.0;
            format!("{:+.1}\u{202f}%", growth * 100.0)
        }
    }
}

/// A table of the causes, if there are any.
fn causes(heading: &'static str, what: &'static str, causes: &[CauseCount]) -> Option<Section> {
    let rows: Vec<Vec<String>> = causes
        .iter()
        .take(ROWS)
        .map(|one| vec![one.cause.to_string(), grouped(one.deliveries)])
        .collect();
    let mut section = Section::new(heading);
    section.first_rows(
        &[Column::Words("Cause"), Column::Numbers(what)],
        rows,
        causes.len() as u64,
        "danerelay report --by outcome",
    );
    (!section.parts.is_empty()).then_some(section)
}

fn busy(row: &DomainTraffic) -> Vec<String> {
    let traffic = &row.traffic;
    vec![
        row.domain.clone(),
        grouped(traffic.deliveries()),
        share(traffic, traffic.by_dane()),
        grouped(traffic.failed),
        octets(traffic.octets),
    ]
}

fn waited(row: &DomainTraffic) -> Vec<String> {
    vec![
        row.domain.clone(),
        grouped(row.traffic.deferred),
        grouped(delivered(&row.traffic)),
    ]
}

/// The recipients of each age.
fn columns(ages: &Ages) -> Vec<(String, u64)> {
    let words = |minutes: i64| span(SignedDuration::from_mins(minutes).as_secs());
    let last = Ages::MINUTES.last().copied().unwrap_or_default();
    let ends = Ages::MINUTES
        .iter()
        .map(|end| format!("less than {}", words(*end)));
    let names = ends.chain([format!("{} or more", words(last))]);
    names.zip(ages.columns().iter().copied()).collect()
}
