//! The TLS reports (RFC 8460) that went out lately.

use std::collections::VecDeque;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use mail::event::tlsrpt::{ReportEnd, TlsReport};
use parking_lot::Mutex;

use super::counts::{Counts, Label};

/// How many are kept, the last ones.
const KEPT: usize = 20;

/// What became of TLS reports since the start. There are some thousand a day at most: the lock is not on the way of mail.
#[derive(Default)]
pub(super) struct TlsReports {
    pub(super) ends: Counts<TlsReportEnd>,
    last: Mutex<VecDeque<Told>>,
    /// The last two days (UTC), the newest first.
    days: Mutex<VecDeque<(Date, Counts<TlsReportEnd>)>>,
}

/// What became of the TLS reports of one day, by a word for each end.
pub(crate) type TlsReportEnds = Vec<(&'static str, u64)>;

/// One report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) at: Timestamp,
    /// For which domain.
    pub(super) domain: String,
    /// About which day.
    pub(super) day: String,
    /// Sessions in it that met their policy, and those that did not.
    pub(super) met: u64,
    pub(super) failed: u64,
    pub(super) end: TlsReportEnd,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TlsReportEnd {
    /// It is in the queue.
    Queued,
    /// A web server took it.
    Posted,
    /// It is tried again.
    Failed,
    /// It is not sent.
    Dropped,
}

impl Label for TlsReportEnd {
    const ALL: &'static [Self] = &[Self::Queued, Self::Posted, Self::Failed, Self::Dropped];

    fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Posted => "posted",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
        }
    }
}

impl From<&ReportEnd> for TlsReportEnd {
    fn from(end: &ReportEnd) -> Self {
        match end {
            ReportEnd::Queued(..) => Self::Queued,
            ReportEnd::Posted(_) => Self::Posted,
            ReportEnd::Failed(_) => Self::Failed,
            ReportEnd::Dropped(_) => Self::Dropped,
        }
    }
}

impl TlsReports {
    /// Counts one, and remembers it.
    pub(super) fn note(&self, report: &TlsReport) {
        let end = TlsReportEnd::from(&report.end);
        self.ends.count(end);
        self.count_on(Timestamp::now().to_zoned(TimeZone::UTC).date(), end);
        let mut last = self.last.lock();
        if last.len() >= KEPT {
            last.pop_back();
        }
        last.push_front(Told {
            at: Timestamp::now(),
            domain: report.domain.to_string(),
            day: report.day.clone(),
            met: report.met,
            failed: report.failed,
            end,
        });
    }

    fn count_on(&self, day: Date, end: TlsReportEnd) {
        let mut days = self.days.lock();
        if days.front().is_none_or(|(known, _)| *known != day) {
            days.push_front((day, Counts::default()));
            days.truncate(2);
        }
        if let Some((_, ends)) = days.front() {
            ends.count(end);
        }
    }

    /// What became of those of this day, if it is one of the last two with any.
    pub(super) fn on(&self, day: Date) -> TlsReportEnds {
        let days = self.days.lock();
        let found = days.iter().find(|(known, _)| *known == day);
        found.map(|(_, ends)| ends.all().collect()).unwrap_or_default()
    }

    /// The last ones, the newest first.
    pub(super) fn last(&self) -> Vec<Told> {
        self.last.lock().iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn all_are_counted_and_the_last_are_kept() {
        let reports = TlsReports::default();
        for number in 0..=KEPT {
            reports.note(&TlsReport {
                domain: format!("d{number}.example").parse().unwrap(),
                day: "2026-11-29".to_owned(),
                met: 3,
                failed: 0,
                end: ReportEnd::Posted("https://d.example/".to_owned()),
            });
        }
        let last = reports.last();
        assert_eq!(last.len(), KEPT);
        assert_eq!(last.first().unwrap().domain, format!("d{KEPT}.example"));
        let counted: Vec<_> = reports.ends.all().collect();
        assert_eq!(counted.get(1), Some(&("posted", KEPT as u64 + 1)));
    }

    #[test]
    fn the_reports_of_a_day_are_counted_apart() {
        let reports = TlsReports::default();
        let day = |day| jiff::civil::date(2026, 11, day);
        for number in [27, 28, 28, 29] {
            reports.count_on(day(number), TlsReportEnd::Posted);
        }
        assert!(reports.on(day(27)).is_empty());
        assert_eq!(reports.on(day(28)).get(1), Some(&("posted", 2)));
        assert_eq!(reports.on(day(29)).get(1), Some(&("posted", 1)));
    }
}
