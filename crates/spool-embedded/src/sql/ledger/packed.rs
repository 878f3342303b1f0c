//! Days that are over: their rows packed together, many in one value.
//!
//! A month of a large site has millions of rows. One that `SQLite` steps over costs a report ten times as much as one that is
//! unpacked here, and takes twice the space. What is still counted for such a day becomes an ordinary row, and is packed in
//! its turn: the figures of a day are the sum of both.
//!
//! A value is a sequence of entries in the order of keys. An entry is four numbers, in seven bits an octet, the lowest first
//! (LEB128): the key less that of the entry before, the count, the octets, and the second of the day.

use rusqlite::{Connection, params};

const ROWS: &str = "SELECT key, count, octets, last FROM ledger_day WHERE day = ?1 ORDER BY key LIMIT ?2";
const ADD: &str = "INSERT INTO ledger_packed (day, count, sum, entries) VALUES (?1, ?2, ?3, ?4)";
const REMOVE: &str = "DELETE FROM ledger_day WHERE day = ?1 AND key <= ?2";

/// What was counted under one key on one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: i64,
    pub(super) count: i64,
    pub(super) octets: i64,
    /// The second of the day.
    pub(super) last: i64,
}

/// Packs so many rows of this day, inside the writer's transaction; returns how many there were.
pub(super) fn pack(connection: &Connection, day: i64, limit: i64) -> rusqlite::Result<usize> {
    let mut packing = Packing::default();
    let mut statement = connection.prepare_cached(ROWS)?;
    let mut rows = statement.query([day, limit])?;
    while let Some(row) = rows.next()? {
        packing.add(Entry {
            key: row.get(0)?,
            count: row.get(1)?,
            octets: row.get(2)?,
            last: row.get(3)?,
        });
    }
    drop(rows);
    let sum = crc32fast::hash(&packing.octets);
    connection
        .prepare_cached(ADD)?
        .execute(params![day, packing.count, sum, packing.octets])?;
    connection.prepare_cached(REMOVE)?.execute([day, packing.key])
}

/// Entries while they are packed.
#[derive(Debug, Default)]
struct Packing {
    octets: Vec<u8>,
    count: i64,
    /// That of the last entry.
    key: i64,
}

impl Packing {
    fn add(&mut self, entry: Entry) {
        let step = entry.key.wrapping_sub(self.key);
        for number in [step, entry.count, entry.octets, entry.last] {
            self.number(number.cast_unsigned());
        }
        self.key = entry.key;
        self.count = self.count.saturating_add(1);
    }

    fn number(&mut self, mut left: u64) {
        while left >= 0x80 {
            self.octets.push(left.to_le_bytes()[0] | 0x80);
            left >>= 7;
        }
        self.octets.push(left.to_le_bytes()[0]);
    }
}

/// The entries of a value.
#[derive(Debug)]
pub(super) struct Entries<'a> {
    octets: &'a [u8],
    key: i64,
}

/// A value ends within an entry, or a number is too large.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl<'a> Entries<'a> {
    pub(super) fn of(octets: &'a [u8]) -> Self {
        Self { octets, key: 0 }
    }

    fn number(&mut self) -> Result<i64, Malformed> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let (octet, rest) = self.octets.split_first().ok_or(Malformed)?;
            self.octets = rest;
            number |= u64::from(octet & 0x7f) << shift;
            if octet & 0x80 == 0 {
                return Ok(number.cast_signed());
            }
        }
        Err(Malformed)
    }

    fn entry(&mut self) -> Result<Entry, Malformed> {
        self.key = self.key.wrapping_add(self.number()?);
        Ok(Entry {
            key: self.key,
            count: self.number()?,
            octets: self.number()?,
            last: self.number()?,
        })
    }
}

/// Ends after the first entry that is malformed: where the next one begins is not known.
impl Iterator for Entries<'_> {
    type Item = Result<Entry, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.octets.is_empty() {
            return None;
        }
        let entry = self.entry();
        if entry.is_err() {
            self.octets = &[];
        }
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn entry(key: i64, count: i64, octets: i64, last: i64) -> Entry {
        Entry {
            key,
            count,
            octets,
            last,
        }
    }

    fn packed(entries: &[Entry]) -> Vec<u8> {
        let mut packing = Packing::default();
        for entry in entries {
            packing.add(*entry);
        }
        packing.octets
    }

    #[test]
    fn entries_are_unpacked_as_they_were() {
        let entries = [
            entry(1, 1, 0, 0),
            entry(2, 127, 128, 86_399),
            entry(300, 16_384, i64::MAX, 1),
            // Not written by us, but perhaps read.
            entry(-7, -1, i64::MIN, -2),
            entry(i64::MAX, i64::MAX, 5, 5),
        ];
        let packed = packed(&entries);
        let unpacked: Result<Vec<Entry>, Malformed> = Entries::of(&packed).collect();
        assert_eq!(unpacked.unwrap(), entries);
        assert!(Entries::of(&[]).next().is_none());
    }

    #[test]
    fn what_is_usual_is_small() {
        assert_eq!(packed(&[entry(100, 9, 270_000, 43_200)]).len(), 1 + 1 + 3 + 3);
    }

    #[test]
    fn whatever_is_cut_off_or_too_long_is_noticed_once() {
        let whole = [entry(5, 300, 70_000, 80_000), entry(9, 1, 1, 1)];
        let packed = packed(&whole);
        for length in 1..packed.len() {
            let found: Vec<_> = Entries::of(&packed[..length]).collect();
            let is_whole = length == packed.len() - 4;
            assert_eq!(found.last().unwrap().is_ok(), is_whole, "{length}");
            assert_eq!(
                found.iter().filter(|entry| entry.is_err()).count(),
                usize::from(!is_whole)
            );
        }
        let endless: Vec<_> = Entries::of(&[0xff; 40]).collect();
        assert_eq!(endless, [Err(Malformed)]);
    }
}
