//! Since when each record has been seen: a sender may still use an older answer for as long as its TTL says.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write as _};
use std::path::Path;

use dane::{TlsaRecord, TlsaSet};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::commands::tlsa::InputError;
use crate::failure::Failure;

/// The most that is read of the file, in octets.
const LONGEST: u64 = 1024 * 1024;

/// What has been seen of each RRset, by owner name.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Memory {
    owners: BTreeMap<String, Owner>,
}

/// What has been seen of one RRset.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Owner {
    /// When it was looked at for the first time: what was there then may have been there for long, or not.
    first: Timestamp,
    /// In seconds; 0 if there was nothing yet.
    ttl: u32,
    /// A longer TTL of before, whose answers may still be used.
    #[serde(default)]
    longer: Option<Longer>,
    records: Vec<Seen>,
}

/// A TTL that was lowered.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Longer {
    /// In seconds.
    ttl: u32,
    until: Timestamp,
}

/// One record.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Seen {
    /// In zone-file form.
    record: String,
    /// When it was seen for the first time.
    since: Timestamp,
    /// When it was gone.
    until: Option<Timestamp>,
}

/// What is known about the records that are there now.
pub(super) struct Known {
    first: Timestamp,
    ttl: u32,
    /// Each with the time since when it has been seen.
    present: Vec<(TlsaRecord, Timestamp)>,
    /// Those that senders may still know.
    gone: Vec<TlsaRecord>,
}

/// Whether the senders know the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ripeness {
    /// Whatever answer a sender has, the chain satisfies it.
    Ripe,
    /// Not all of them before this time.
    Unripe(Timestamp),
    /// The records were there with the first look, which was less than the TTL ago.
    Unknown,
}

impl Memory {
    /// What the file says; nothing if it does not exist yet.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let unread = |cause| Failure::Unread {
            path: path.to_owned(),
            cause,
        };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(unread(error)),
        };
        let mut text = String::new();
        file.take(LONGEST).read_to_string(&mut text).map_err(unread)?;
        let read = serde_json::from_str(&text).map_err(|cause| InputError::Memory {
            path: path.to_owned(),
            cause,
        });
        Ok(read?)
    }

    /// Replaces the file at once, so that it is whole at any time.
    pub(super) fn write(&self, path: &Path) -> Result<(), Failure> {
        let unwritten = |cause| Failure::File {
            path: path.to_owned(),
            cause,
        };
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let mut file =
            tempfile::NamedTempFile::new_in(directory.unwrap_or(Path::new("."))).map_err(unwritten)?;
        let text = serde_json::to_string_pretty(self).map_err(|error| unwritten(error.into()))?;
        file.write_all(text.as_bytes()).map_err(unwritten)?;
        file.as_file().sync_all().map_err(unwritten)?;
        file.persist(path).map_err(|error| unwritten(error.error))?;
        Ok(())
    }

    /// There are no records that count.
    pub(super) fn note_absence(&mut self, owner: &str, now: Timestamp) {
        let known = self.of(owner, now);
        let longest = known.longest(known.ttl, now);
        known.update(&[], longest, now);
    }

    /// These records are there.
    pub(super) fn note(&mut self, owner: &str, set: &TlsaSet, ttl: u32, now: Timestamp) -> Known {
        let records: Vec<&TlsaRecord> = set.usable().iter().chain(set.outranked()).collect();
        let known = self.of(owner, now);
        let longest = known.longest(ttl, now);
        known.update(&records, longest, now);
        known.known(longest)
    }

    fn of(&mut self, owner: &str, now: Timestamp) -> &mut Owner {
        self.owners.entry(owner.to_owned()).or_insert(Owner {
            first: now,
            ttl: 0,
            longer: None,
            records: Vec::new(),
        })
    }
}

impl Owner {
    /// The longest TTL with which somebody may still have an answer, if it is this one now.
    fn longest(&mut self, ttl: u32, now: Timestamp) -> u32 {
        let earlier = self.longer.filter(|longer| longer.until > now);
        self.longer = if self.ttl > ttl {
            let until = after(now, self.ttl);
            Some(Longer {
                ttl: earlier.map_or(self.ttl, |earlier| earlier.ttl.max(self.ttl)),
                until: earlier.map_or(until, |earlier| earlier.until.max(until)),
            })
        } else {
            earlier
        };
        self.ttl = ttl;
        self.longer.map_or(ttl, |longer| longer.ttl.max(ttl))
    }

    fn update(&mut self, present: &[&TlsaRecord], ttl: u32, now: Timestamp) {
        self.records
            .retain(|seen| seen.until.is_none_or(|until| is_within(until, ttl, now)));
        for seen in &mut self.records {
            let is_here = present.iter().any(|record| record.to_string() == seen.record);
            match (is_here, seen.until) {
                (true, Some(_)) => (seen.since, seen.until) = (now, None),
                (false, None) => seen.until = Some(now),
                (true, None) | (false, Some(_)) => {}
            }
        }
        for record in present.iter().map(ToString::to_string) {
            if !self.records.iter().any(|seen| seen.record == record) {
                self.records.push(Seen {
                    record,
                    since: now,
                    until: None,
                });
            }
        }
    }

    fn known(&self, ttl: u32) -> Known {
        let parsed = |seen: &Seen| seen.record.parse::<TlsaRecord>().ok();
        let (here, gone): (Vec<&Seen>, Vec<&Seen>) =
            self.records.iter().partition(|seen| seen.until.is_none());
        Known {
            first: self.first,
            ttl,
            present: here
                .into_iter()
                .filter_map(|seen| Some((parsed(seen)?, seen.since)))
                .collect(),
            gone: gone.into_iter().filter_map(parsed).collect(),
        }
    }
}

impl Known {
    /// Whether a chain of which `is_fit` says which records it satisfies can be deployed now.
    pub(super) fn ripeness(&self, now: Timestamp, is_fit: impl Fn(&TlsaSet) -> bool) -> Ripeness {
        let set = |counts: &dyn Fn(Timestamp) -> bool| {
            let present = self.present.iter().filter(|(_, since)| counts(*since));
            present.map(|(record, _)| record.clone()).collect::<Vec<_>>()
        };
        let is_old = |since| !is_within(since, self.ttl, now);
        if is_fit(&TlsaSet::new(set(&is_old))) {
            return Ripeness::Ripe;
        }
        let may_be_old = |since| is_old(since) || since == self.first;
        if is_fit(&TlsaSet::new(set(&may_be_old))) {
            return Ripeness::Unknown;
        }
        let young = self.present.iter().filter(|(_, since)| !may_be_old(*since));
        let fit = young.filter(|(record, _)| is_fit(&TlsaSet::new(vec![record.clone()])));
        let first = fit.map(|(_, since)| *since).min().unwrap_or(now);
        // Senders that know of no usable record verify nobody.
        let before = [set(&|since| since < first), self.gone.clone()].concat();
        if !TlsaSet::new(before).is_usable() {
            return Ripeness::Ripe;
        }
        Ripeness::Unripe(after(first, self.ttl))
    }
}

/// Whether less than so many seconds have passed.
fn is_within(since: Timestamp, seconds: u32, now: Timestamp) -> bool {
    after(since, seconds) > now
}

fn after(time: Timestamp, seconds: u32) -> Timestamp {
    time.saturating_add(SignedDuration::from_secs(seconds.into()))
        .unwrap_or(time)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const HOUR: u32 = 3600;
    const OWNER: &str = "_25._tcp.mx.test.";

    fn record(octet: &str) -> TlsaRecord {
        format!("3 1 1 {}", octet.repeat(32)).parse().unwrap()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn set(octets: &[&str]) -> TlsaSet {
        TlsaSet::new(octets.iter().map(|octet| record(octet)).collect())
    }

    /// With these records at this time: can the key with this digest be deployed?
    fn look(memory: &mut Memory, octets: &[&str], seconds: i64, key: &str) -> Ripeness {
        let known = memory.note(OWNER, &set(octets), HOUR, at(seconds));
        known.ripeness(at(seconds), |set| set.usable().contains(&record(key)))
    }

    #[test]
    fn a_record_is_ripe_when_it_has_been_seen_for_its_ttl() {
        let mut memory = Memory::default();
        assert_eq!(look(&mut memory, &["aa"], 0, "aa"), Ripeness::Unknown);
        assert_eq!(look(&mut memory, &["aa"], 1, "aa"), Ripeness::Unknown);
        assert_eq!(
            look(&mut memory, &["aa", "bb"], 100, "bb"),
            Ripeness::Unripe(at(3700))
        );
        assert_eq!(look(&mut memory, &["aa", "bb"], 100, "aa"), Ripeness::Unknown);
        assert_eq!(look(&mut memory, &["aa", "bb"], 3600, "aa"), Ripeness::Ripe);
        assert_eq!(
            look(&mut memory, &["bb"], 3699, "bb"),
            Ripeness::Unripe(at(3700)),
            "the old one alone may still be known"
        );
        assert_eq!(look(&mut memory, &["bb"], 3700, "bb"), Ripeness::Ripe);
    }

    #[test]
    fn the_first_records_of_all_need_no_time() {
        let mut memory = Memory::default();
        memory.note_absence(OWNER, at(0));
        assert_eq!(look(&mut memory, &["aa"], 10, "aa"), Ripeness::Ripe);
        // A record that comes back is a new one.
        assert_eq!(look(&mut memory, &["bb"], 5000, "aa"), Ripeness::Unripe(at(8600)));
        assert_eq!(
            look(&mut memory, &["aa", "bb"], 6000, "aa"),
            Ripeness::Unripe(at(9600))
        );
    }

    #[test]
    fn a_longer_ttl_of_before_counts_until_its_answers_are_over() {
        let mut memory = Memory::default();
        let mut look = |octets: &[&str], ttl, seconds| {
            let known = memory.note(OWNER, &set(octets), ttl, at(seconds));
            known.ripeness(at(seconds), |set| set.usable().contains(&record("bb")))
        };
        look(&["aa"], 86_400, 0);
        assert_eq!(look(&["aa", "bb"], 300, 100), Ripeness::Unripe(at(86_500)));
        assert_eq!(look(&["aa", "bb"], 300, 500), Ripeness::Unripe(at(86_500)));
        assert_eq!(look(&["aa", "bb"], 300, 86_500), Ripeness::Ripe);
    }

    #[test]
    fn the_file_is_read_as_it_was_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("seen.json");
        let mut memory = Memory::read(&path).unwrap();
        look(&mut memory, &["aa"], 0, "aa");
        look(&mut memory, &["bb"], 10, "bb");
        memory.write(&path).unwrap();
        let mut memory = Memory::read(&path).unwrap();
        assert_eq!(look(&mut memory, &["bb"], 20, "bb"), Ripeness::Unripe(at(3610)));
        std::fs::write(&path, "[]").unwrap();
        let error = Memory::read(&path).unwrap_err().to_string();
        assert!(error.contains("seen.json"), "{error}");
    }
}
