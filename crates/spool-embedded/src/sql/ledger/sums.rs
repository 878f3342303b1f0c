//! What was counted under each key on some days.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use mail::LedgerKey;
use rusqlite::Connection;
use spool::Tally;

use super::packed::{Entries, Entry};
use super::{SECONDS_A_DAY, time};
use crate::error::Result;
use crate::sql::schema;

const ROWS: &str = "SELECT day, key, count, octets, last FROM ledger_day WHERE day BETWEEN ?1 AND ?2";
const PACKED: &str = "SELECT day, count, sum, entries FROM ledger_packed WHERE day BETWEEN ?1 AND ?2";
/// The first version that packs days.
const WITH_PACKED: i32 = 10;

/// What was counted under one key.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sum {
    pub(super) count: i64,
    pub(super) octets: i64,
    /// Seconds since 1970.
    pub(super) last: i64,
}

impl Sum {
    fn add(&mut self, day: i64, entry: Entry) {
        let start = day.saturating_mul(SECONDS_A_DAY);
        self.count = self.count.saturating_add(entry.count);
        self.octets = self.octets.saturating_add(entry.octets);
        self.last = self.last.max(start.saturating_add(entry.last));
    }

    /// `None` if it is not as it was written.
    pub(super) fn tally(self, key: LedgerKey) -> Option<Tally> {
        Some(Tally {
            key,
            count: u64::try_from(self.count).ok()?,
            octets: u64::try_from(self.octets).ok()?,
            last: time(0, self.last)?,
        })
    }
}

/// Sums by the numbers of their keys, in pieces: those of old keys may be far from those of new ones.
#[derive(Debug, Default)]
pub(super) struct Sums {
    pieces: Vec<Box<[Sum; PIECE]>>,
    /// Where the piece of this number is.
    places: HashMap<i64, usize>,
    /// The number and place of the piece that was used last: keys come in order.
    last: Option<(i64, usize)>,
    /// Packed entries that could not be read.
    pub(super) unreadable: u64,
}

const PIECE: usize = 512;

impl Sums {
    /// Of these days.
    pub(super) fn read(view: &Connection, days: RangeInclusive<i64>) -> Result<Self> {
        let mut sums = Self::default();
        let days = [*days.start(), *days.end()];
        let mut statement = view.prepare_cached(ROWS)?;
        let mut rows = statement.query(days)?;
        while let Some(row) = rows.next()? {
            let entry = Entry {
                key: row.get(1)?,
                count: row.get(2)?,
                octets: row.get(3)?,
                last: row.get(4)?,
            };
            sums.add(row.get(0)?, entry);
        }
        if schema::version(view)? < WITH_PACKED {
            return Ok(sums);
        }
        let mut statement = view.prepare_cached(PACKED)?;
        let mut rows = statement.query(days)?;
        while let Some(row) = rows.next()? {
            let (day, count, sum): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let entries = row.get_ref(3)?.as_blob().unwrap_or_default();
            if i64::from(crc32fast::hash(entries)) != sum {
                let count = u64::try_from(count).unwrap_or(1);
                sums.unreadable = sums.unreadable.saturating_add(count);
                continue;
            }
            for entry in Entries::of(entries) {
                match entry {
                    Ok(entry) => sums.add(day, entry),
                    Err(_) => sums.unreadable = sums.unreadable.saturating_add(1),
                }
            }
        }
        Ok(sums)
    }

    /// What was counted under this key, if anything.
    pub(super) fn get(&mut self, key: i64) -> Option<Sum> {
        let (number, within) = split(key);
        if self.last.is_none_or(|(last, _)| last != number) {
            self.last = Some((number, *self.places.get(&number)?));
        }
        let sum = self.pieces.get(self.last?.1)?.get(within)?;
        (sum.count != 0).then_some(*sum)
    }

    fn add(&mut self, day: i64, entry: Entry) {
        let (number, within) = split(entry.key);
        let place = match self.last {
            Some((last, place)) if last == number => place,
            Some(_) | None => *self.places.entry(number).or_insert_with(|| {
                self.pieces.push(Box::new([Sum::default(); PIECE]));
                self.pieces.len().saturating_sub(1)
            }),
        };
        self.last = Some((number, place));
        let piece = self.pieces.get_mut(place);
        if let Some(sum) = piece.and_then(|piece| piece.get_mut(within)) {
            sum.add(day, entry);
        }
    }
}

/// The number of a key's piece, and its place within.
fn split(key: i64) -> (i64, usize) {
    let size = i64::try_from(PIECE).unwrap_or(i64::MAX);
    let within = usize::try_from(key.rem_euclid(size)).unwrap_or(0);
    (key.div_euclid(size), within)
}
