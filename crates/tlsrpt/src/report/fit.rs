//! A report is of bounded size, whatever was counted.

use std::collections::HashSet;

use mail::{TlsDetail, TlsTally};

use super::json::Json;
use super::{Packed, Report, Written};
use crate::gzip;

/// The most policies of a report.
const POLICIES: usize = 100;
/// The most entries about failures, those of all policies together.
const DETAILS: usize = 1000;
/// The most octets before compression. Receivers are seen to refuse more than ten megabytes (RFC 8460 §5.2).
const OCTETS: usize = 1 << 20;

/// What of a report is written.
#[derive(Clone, Copy)]
struct Bounds {
    policies: usize,
    details: usize,
}

impl Report<'_> {
    /// Writes it down.
    pub fn write(&self) -> Written {
        write(self)
    }

    /// The same, compressed.
    pub fn pack(&self) -> Packed {
        Packed {
            file_name: self.file_name(),
            octets: gzip::compress(&self.write().json),
        }
    }
}

/// Writes as much of it as is allowed: first policies that failed often, and failures that occurred often.
fn write(report: &Report<'_>) -> Written {
    let mut bounds = Bounds {
        policies: POLICIES,
        details: DETAILS,
    };
    loop {
        let (kept, left_out) = keep(report.tallies, bounds);
        // It has strings and numbers only, which can always be written.
        let json = serde_json::to_vec(&Json::new(report, kept)).unwrap_or_default();
        // One policy with one failure fits: their strings are bounded where they are counted.
        if json.len() <= OCTETS || (bounds.policies == 1 && bounds.details == 1) {
            return Written { json, left_out };
        }
        bounds = Bounds {
            policies: (bounds.policies / 2).max(1),
            details: (bounds.details / 2).max(1),
        };
    }
}

type KeptTallies<'a> = Vec<(&'a TlsTally, Vec<&'a TlsDetail>)>;

/// These of the tallies and of their details, in their own order, and how many are not among them.
fn keep(tallies: &[TlsTally], bounds: Bounds) -> (KeptTallies<'_>, usize) {
    let mut order: Vec<(usize, &TlsTally)> = tallies.iter().enumerate().collect();
    order.sort_by_key(|(place, tally)| {
        let sessions = tally.successes.saturating_add(tally.failures);
        (std::cmp::Reverse((tally.failures, sessions)), *place)
    });
    order.truncate(bounds.policies);
    order.sort_by_key(|(place, _)| *place);
    let mut details: Vec<(u64, usize, usize)> = order
        .iter()
        .flat_map(|(tally_place, tally)| {
            let details = tally.details.iter().enumerate();
            details.map(|(place, detail)| (detail.count, *tally_place, place))
        })
        .collect();
    details.sort_by_key(|(count, tally, place)| (std::cmp::Reverse(*count), *tally, *place));
    details.truncate(bounds.details);
    let wanted: HashSet<(usize, usize)> = details.iter().map(|(_, tally, place)| (*tally, *place)).collect();
    let kept: KeptTallies<'_> = order
        .into_iter()
        .map(|(tally_place, tally)| {
            let details = tally.details.iter().enumerate();
            let details = details.filter(|(place, _)| wanted.contains(&(tally_place, *place)));
            (tally, details.map(|(_, detail)| detail).collect())
        })
        .collect();
    let all: usize = tallies.iter().map(|tally| 1 + tally.details.len()).sum();
    let written: usize = kept.iter().map(|(_, details)| 1 + details.len()).sum();
    (kept, all.saturating_sub(written))
}
