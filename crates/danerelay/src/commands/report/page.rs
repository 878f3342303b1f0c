//! What DANE did for our mail, on one page.

use jiff::Timestamp;
use mail::words::day;
use report::incidents::Incident;
use report::summary::{DaneFailures, Month, Period, Protection, Stopped, Without, sum};

use crate::pages::chart::{self, Bar, Chart, Scale};
use crate::pages::document::{Document, Part, Section, Tile};
use crate::pages::html::Column;
use crate::pages::words::{counted, grouped, percent};

#[cfg(test)]
mod tests;

/// The most incidents on the page.
const INCIDENTS: usize = 15;

/// What the page is made of.
pub(super) struct Page<'a> {
    /// The relay's name.
    pub(super) relay: &'a str,
    pub(super) made: Timestamp,
    pub(super) protection: &'a Protection,
    /// All that are known, open or over.
    pub(super) incidents: &'a [Incident],
    /// What is missing from the figures.
    pub(super) remarks: &'a [String],
}

impl Page<'_> {
    /// The whole page.
    pub(super) fn document(&self) -> Document {
        let Period { from, to } = self.protection.period;
        let mut sections = vec![self.verified(), self.stopped()];
        sections.extend(self.domains());
        sections.extend(self.passed());
        sections.extend(self.incidents());
        sections.push(self.how_it_is_counted());
        Document {
            title: "What DANE did for our mail".to_owned(),
            subtitle: format!(
                "{}, {from} to {to}; made by danerelay {} on {}",
                self.relay,
                env!("CARGO_PKG_VERSION"),
                day(self.made)
            ),
            tiles: self.tiles(),
            sections,
        }
    }

    /// From the first one with any mail on.
    fn months(&self) -> &[Month] {
        let months = &self.protection.months;
        let is_used =
            |month: &Month| month.outcomes.traffic.deliveries() > 0 || month.outcomes.traffic.deferred > 0;
        let first = months.iter().position(is_used).unwrap_or(months.len());
        months.get(first..).unwrap_or_default()
    }

    fn tiles(&self) -> Vec<Tile> {
        let (total, domains) = (&self.protection.total, &self.protection.domains);
        let tile = |name, count, detail| Tile {
            name,
            value: grouped(count),
            detail,
        };
        vec![
            tile(
                "Deliveries verified by DANE",
                total.traffic.by_dane(),
                format!(
                    "{} of {}, to {} of {}",
                    percent(total.traffic.share(total.traffic.by_dane())),
                    deliveries(total.traffic.deliveries()),
                    grouped(domains.verified),
                    counted(domains.all, "domain", "domains")
                ),
            ),
            tile(
                "Attempts that DANE stopped",
                sum(&total.dane.stopped),
                format!(
                    "to {}: mistakes, attacks, or our own policy",
                    counted(domains.stopped, "domain", "domains")
                ),
            ),
            tile(
                "Returned because of DANE",
                sum(&total.dane.returned),
                "recipients whose mail went back to its sender".to_owned(),
            ),
            tile(
                "Let through although DANE failed",
                sum(&total.dane.passed),
                "deliveries under soft-fail".to_owned(),
            ),
        ]
    }

    fn verified(&self) -> Section {
        let total = &self.protection.total.traffic;
        let mut section = Section::new("What was verified");
        if total.deliveries() == 0 {
            section.say("There were no deliveries.");
            return section;
        }
        section.say(format_args!(
            "{} of {} went to a server that proved by DANE to be the right one: nobody on the way could read the mail, \
             change it, or take it by posing as the receiver.",
            grouped(total.dane),
            deliveries(total.deliveries()),
        ));
        if total.dane_host_only > 0 {
            section.say(format_args!(
                "{} more went to a server that proved itself by DANE, but was named by MX records that are not signed: whether it \
                 is the right one is not proved.",
                grouped(total.dane_host_only)
            ));
        }
        let months = self.months();
        section.parts.push(Part::Chart(Chart {
            label: "How the deliveries of each month were secured; the table below has the figures"
                .to_owned(),
            noun: ("delivery", "deliveries"),
            scale: Scale::Shares,
            bars: months
                .iter()
                .map(|month| Bar::of(&month.name, &month.outcomes.traffic))
                .collect(),
        }));
        section.table(
            &[
                Column::Short("Month"),
                Column::Numbers("Deliveries"),
                Column::Numbers("Verified by DANE"),
                Column::Numbers("Share"),
                Column::Numbers("Clear text"),
            ],
            months.iter().map(secured).collect(),
        );
        section
    }

    fn stopped(&self) -> Section {
        let dane = &self.protection.total.dane;
        let mut section = Section::new("What was stopped");
        let (attempts, returned) = (sum(&dane.stopped), sum(&dane.returned));
        if dane.is_empty() {
            section.say("Nothing: DANE failed nowhere.");
            return section;
        }
        if attempts > 0 || returned > 0 {
            section.say(format_args!(
                "{} ended because DANE failed, and nothing was sent. Mail that waits is tried again, so that one message can \
                 have many such attempts. Whether a receiver had made a mistake or somebody was in between cannot be told from \
                 these figures: a wrong certificate looks the same. {} went back to {}.",
                counted(attempts, "attempt", "attempts"),
                match returned {
                    0 => "No mail".to_owned(),
                    returned => format!("The mail for {}", counted(returned, "recipient", "recipients")),
                },
                if returned == 1 { "its sender" } else { "senders" },
            ));
        }
        section.say("What a relay without DANE would have done:");
        section.table(
            &[
                Column::Numbers("Stopped"),
                Column::Numbers("Returned"),
                Column::Numbers("Let through"),
                Column::Words("What it would have done"),
            ],
            by_outcome(dane),
        );
        let months = self.months();
        if attempts > 0 && months.len() > 1 {
            section.parts.push(Part::Chart(Chart {
                label:
                    "Attempts that DANE stopped in each month, by what a relay without DANE would have done"
                        .to_owned(),
                noun: ("attempt", "attempts"),
                scale: Scale::Counts,
                bars: months.iter().map(stopped_bar).collect(),
            }));
        }
        section.table(
            &failed(Column::Short("Month")),
            months.iter().filter_map(by_month).collect(),
        );
        section.table(&failed(Column::Words("Cause")), by_cause(dane));
        section
    }

    fn domains(&self) -> Option<Section> {
        let domains = &self.protection.domains;
        if domains.stopped == 0 {
            return None;
        }
        let mut section = Section::new("Where it was stopped");
        let domains_stopped = counted(domains.stopped, "domain", "domains");
        let since = "a verified delivery since then, by the same host or another one";
        section.say(match domains.healed {
            0 => format!(
                "DANE stopped mail to {domains_stopped}. None of them has had a verified delivery since then."
            ),
            1 => format!("DANE stopped mail to {domains_stopped}. 1 of them has had {since}."),
            healed => format!(
                "DANE stopped mail to {domains_stopped}. {} of them have had {since}.",
                grouped(healed)
            ),
        });
        section.table(
            &[
                Column::Words("Domain"),
                Column::Numbers("Attempts"),
                Column::Numbers("Returned"),
                Column::Short("Last"),
                Column::Short("Healed"),
                Column::Words("Causes (hosts)"),
            ],
            domains.worst.iter().map(stopped_domain).collect(),
        );
        let more = domains.stopped.saturating_sub(domains.worst.len() as u64);
        if more > 0 {
            section.say(format_args!("And {} more.", grouped(more)));
        }
        Some(section)
    }

    fn passed(&self) -> Option<Section> {
        let passed = sum(&self.protection.total.dane.passed);
        (passed > 0).then(|| {
            let mut section = Section::new("What was let through");
            section.say(format_args!(
                "{} although DANE had failed, because the policy there is soft-fail. Enforcing DANE would have held such mail up; \
                 danerelay report --soft-fail says where, and what has healed.",
                match passed {
                    1 => "1 delivery was made".to_owned(),
                    more => format!("{} deliveries were made", grouped(more)),
                }
            ));
            section
        })
    }

    fn incidents(&self) -> Option<Section> {
        let Period { from, to } = self.protection.period;
        let is_meant = |incident: &&Incident| {
            let began = utc(incident.first_seen);
            let ended = incident.ended.map_or(to, utc);
            !incident.is_ours() && began <= to && ended >= from
        };
        let mut meant: Vec<&Incident> = self.incidents.iter().filter(is_meant).collect();
        if meant.is_empty() {
            return None;
        }
        meant.sort_by_key(|incident| std::cmp::Reverse((incident.domains, incident.first_seen)));
        let mut section = Section::new("Incidents");
        section.say(
            "Security failures that held mail up, or would have without soft-fail, and what they most likely were. Those that are \
             over are kept for 90 days; danerelay incidents show ID has the evidence.",
        );
        let rows = meant.iter().take(INCIDENTS).map(|incident| {
            vec![
                incident.id.clone(),
                day(incident.first_seen),
                incident.ended.map_or("open".to_owned(), day),
                grouped(incident.domains),
                format!("{} ({})", incident.summary, incident.finding.likely.words()),
            ]
        });
        section.table(
            &[
                Column::Short("Id"),
                Column::Short("Since"),
                Column::Short("Until"),
                Column::Numbers("Domains"),
                Column::Words("What failed (most likely)"),
            ],
            rows.collect(),
        );
        let more = meant.len().saturating_sub(INCIDENTS);
        if more > 0 {
            section.say(format_args!("And {more} more."));
        }
        Some(section)
    }

    fn how_it_is_counted(&self) -> Section {
        let mut section = Section::new("How it is counted");
        section.say(
            "Each recipient of a message is one delivery, counted on the day (UTC) of its end. What cannot be delivered by \
             anybody (no such domain, no connection, a look-up of MX records or addresses without an answer) is not counted as stopped by DANE.",
        );
        if self.protection.unreadable > 0 {
            section.say("Some entries of the ledger cannot be read, and are missing.");
        }
        for remark in self.remarks {
            section.say(format_args!("Note: {remark}."));
        }
        section
    }
}

fn deliveries(count: u64) -> String {
    counted(count, "delivery", "deliveries")
}

fn utc(time: Timestamp) -> jiff::civil::Date {
    time.to_zoned(jiff::tz::TimeZone::UTC).date()
}

fn secured(month: &Month) -> Vec<String> {
    let traffic = &month.outcomes.traffic;
    let share = match traffic.deliveries() {
        0 => "–".to_owned(),
        _ => percent(traffic.share(traffic.by_dane())),
    };
    vec![
        month.name.clone(),
        grouped(traffic.deliveries()),
        grouped(traffic.by_dane()),
        share,
        grouped(traffic.clear),
    ]
}

/// The columns of each table of failures.
fn failed(what: Column) -> [Column; 4] {
    [
        what,
        Column::Numbers("Stopped"),
        Column::Numbers("Returned"),
        Column::Numbers("Let through"),
    ]
}

/// A row, unless there is nothing to count.
fn failures(name: String, counts: [u64; 3]) -> Option<Vec<String>> {
    let mut row = vec![name];
    row.extend(counts.map(grouped));
    (counts != [0; 3]).then_some(row)
}

/// What was stopped, returned and let through.
fn lists(dane: &DaneFailures) -> [&[report::summary::CauseCount]; 3] {
    [&dane.stopped, &dane.returned, &dane.passed]
}

fn by_month(month: &Month) -> Option<Vec<String>> {
    failures(month.name.clone(), lists(&month.outcomes.dane).map(sum))
}

fn by_outcome(dane: &DaneFailures) -> Vec<Vec<String>> {
    let rows = Without::ALL.into_iter().filter_map(|without| {
        let counts = lists(dane).map(|list| {
            let of_these = list.iter().filter(|one| Without::of(one.cause) == Some(without));
            of_these.map(|one| one.deliveries).fold(0, u64::saturating_add)
        });
        let mut row = failures(without.words().to_owned(), counts)?;
        row.rotate_left(1);
        Some(row)
    });
    rows.collect()
}

fn by_cause(dane: &DaneFailures) -> Vec<Vec<String>> {
    let mut causes: Vec<_> = lists(dane).into_iter().flatten().map(|one| one.cause).collect();
    causes.sort_unstable();
    causes.dedup();
    let mut rows: Vec<_> = causes
        .into_iter()
        .map(|cause| {
            let count = |list: &[report::summary::CauseCount]| {
                let found = list.iter().find(|one| one.cause == cause);
                found.map_or(0, |one| one.deliveries)
            };
            (cause, lists(dane).map(count))
        })
        .collect();
    rows.sort_by_key(|(cause, counts)| (std::cmp::Reverse(*counts), *cause));
    rows.into_iter()
        .filter_map(|(cause, counts)| failures(cause.to_string(), counts))
        .collect()
}

fn stopped_bar(month: &Month) -> Bar {
    let parts = Without::ALL.map(|without| chart::Part {
        class: class(without),
        words: without.words(),
        count: month
            .outcomes
            .dane
            .stopped
            .iter()
            .filter(|one| Without::of(one.cause) == Some(without))
            .map(|one| one.deliveries)
            .fold(0, u64::saturating_add),
    });
    Bar {
        name: month.name.clone(),
        parts: parts.into(),
    }
}

/// The colour of what a relay without DANE would have done.
fn class(without: Without) -> &'static str {
    match without {
        Without::Clear => "failed",
        Without::ClearOrNot => "clear",
        Without::Unproven => "mta-sts",
        Without::Tlsa => "verified",
        Without::Forgeable => "host-only",
        Without::Strict => "encrypted",
    }
}

fn stopped_domain(stopped: &Stopped) -> Vec<String> {
    let failures = [&stopped.failures.stopped, &stopped.failures.returned];
    let mut causes: Vec<_> = failures.into_iter().flatten().map(|one| one.cause).collect();
    causes.sort_unstable();
    causes.dedup();
    let causes: Vec<String> = causes.iter().map(ToString::to_string).collect();
    let hosts = if stopped.hosts.is_empty() {
        String::new()
    } else {
        format!(" ({})", stopped.hosts.join(", "))
    };
    vec![
        stopped.domain.clone(),
        grouped(sum(&stopped.failures.stopped)),
        grouped(sum(&stopped.failures.returned)),
        day(stopped.last),
        if stopped.healed { "yes" } else { "no" }.to_owned(),
        format!("{}{hosts}", causes.join("; ")),
    ]
}
