//! One report: about one domain and one day (RFC 8460 §4). `fit` writes it down, in the form that `json` has.

mod fit;
mod json;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use mail::{Domain, QueueId, TlsTally};

use crate::reporter::Reporter;

/// A day in seconds: UTC has no others here.
const DAY: i64 = 86_400;

/// A report, as plain data.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    /// Who reports.
    pub reporter: &'a Reporter,
    /// The domain at which it is wanted.
    pub domain: &'a Domain,
    /// The day in UTC.
    pub day: Date,
    /// By which it is known; a report that is sent again keeps it, so that its receiver sees that it has it already.
    pub id: QueueId,
    /// What was counted. Each policy occurs once.
    pub tallies: &'a [TlsTally],
}

/// A report, written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// I-JSON (RFC 7493), of bounded size.
    pub json: Vec<u8>,
    /// How many entries about policies and failures were left out to keep it within its bounds: the rarest. Totals are
    /// whole all the same.
    pub left_out: usize,
}

/// A report, packed for its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// The recommended name (RFC 8460 §5.1).
    pub file_name: String,
    /// gzip.
    pub octets: Vec<u8>,
}

impl Packed {
    /// What it is.
    pub const MEDIA_TYPE: &'static str = "application/tlsrpt+gzip";
}

impl Report<'_> {
    /// Its `report-id`, which is also in the subject of its mail, and is a message-id.
    pub fn report_id(&self) -> String {
        format!("{}@{}", self.id, self.reporter.submitter())
    }

    /// Sessions that met their policy, and sessions that did not.
    pub fn sessions(&self) -> (u64, u64) {
        self.tallies.iter().fold((0, 0), |(met, failed), tally| {
            (
                met.saturating_add(tally.successes),
                failed.saturating_add(tally.failures),
            )
        })
    }

    /// The beginning of the first second, and the beginning of the last.
    pub fn range(&self) -> (Timestamp, Timestamp) {
        // Only days at the ends of time have no such second.
        let start = self.day.to_zoned(TimeZone::UTC);
        let start = start.map_or(Timestamp::UNIX_EPOCH, |start| start.timestamp());
        let end = start.as_second().saturating_add(DAY - 1);
        (start, Timestamp::from_second(end).unwrap_or(Timestamp::MAX))
    }

    /// The recommended name (RFC 8460 §5.1).
    fn file_name(&self) -> String {
        let (start, end) = self.range();
        format!(
            "{}!{}!{}!{}!{}.json.gz",
            self.reporter.submitter(),
            self.domain,
            start.as_second(),
            end.as_second(),
            self.id
        )
    }
}

#[cfg(test)]
mod tests;
