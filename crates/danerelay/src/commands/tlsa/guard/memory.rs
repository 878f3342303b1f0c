//! Since when each record has been seen: a sender may still use an older answer for as long as its TTL says, and a name
//! server that is slow may still give it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use dane::{TlsaRecord, TlsaSet};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::commands::tlsa::InputError;
use crate::failure::Failure;
use crate::replace_file;
use crate::tlsa_records::wait;

/// The most that is read of the file, in octets.
const LONGEST: u64 = 1024 * 1024;

/// What has been seen for each host and port that was asked about: the owner name of its records if it is no alias.
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
    #[serde(with = "zone_form")]
    record: TlsaRecord,
    /// When it was seen for the first time.
    since: Timestamp,
    /// When it was gone.
    until: Option<Timestamp>,
}

/// What is known about the records of late.
pub(super) struct Known {
    first: Timestamp,
    /// How long senders may use an answer of before, in seconds.
    wait: u32,
    spans: Vec<Seen>,
}

/// Whether the senders know the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ripeness {
    /// Whatever answer a sender has, the chain satisfies it.
    Ripe,
    /// Not all of them before this time.
    Unripe(Timestamp),
    /// Nobody knows what was there before the first look, which was not long enough ago.
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
        let text = serde_json::to_string_pretty(self).map_err(|error| unwritten(error.into()))?;
        replace_file::write(path, 0o600, text.as_bytes()).map_err(unwritten)
    }

    /// There are no records that count.
    pub(super) fn note_absence(&mut self, owner: &str, now: Timestamp) -> Known {
        let known = self.of(owner, now);
        let wait = known.wait(known.ttl, now);
        known.update(&[], wait, now);
        known.known(wait)
    }

    /// These records are there.
    pub(super) fn note(&mut self, owner: &str, set: &TlsaSet, ttl: u32, now: Timestamp) -> Known {
        let records: Vec<&TlsaRecord> = set.usable().iter().chain(set.outranked()).collect();
        let known = self.of(owner, now);
        let wait = known.wait(ttl, now);
        known.update(&records, wait, now);
        known.known(wait)
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
    /// How long somebody may still use an answer of before, if the TTL is this one now.
    fn wait(&mut self, ttl: u32, now: Timestamp) -> u32 {
        let earlier = self.longer.filter(|longer| longer.until > now);
        self.longer = if self.ttl > ttl {
            let until = after(now, wait(self.ttl));
            Some(Longer {
                ttl: earlier.map_or(self.ttl, |earlier| earlier.ttl.max(self.ttl)),
                until: earlier.map_or(until, |earlier| earlier.until.max(until)),
            })
        } else {
            earlier
        };
        self.ttl = ttl;
        wait(self.longer.map_or(ttl, |longer| longer.ttl.max(ttl)))
    }

    /// Ends the spans of those that are gone, and begins those of new ones; a record that comes back is a new one.
    fn update(&mut self, present: &[&TlsaRecord], wait: u32, now: Timestamp) {
        self.records
            .retain(|seen| seen.until.is_none_or(|until| is_within(until, wait, now)));
        let here = self.records.iter_mut().filter(|seen| seen.until.is_none());
        for seen in here.filter(|seen| !present.contains(&&seen.record)) {
            seen.until = Some(now);
        }
        for record in present {
            let is_here = |seen: &Seen| seen.until.is_none() && seen.record == **record;
            if !self.records.iter().any(is_here) {
                self.records.push(Seen {
                    record: TlsaRecord::clone(record),
                    since: now,
                    until: None,
                });
            }
        }
    }

    fn known(&self, wait: u32) -> Known {
        Known {
            first: self.first,
            wait,
            spans: self.records.clone(),
        }
    }
}

impl Known {
    /// Whether a chain of which `is_fit` says which records it satisfies can be deployed now: it must satisfy every set of
    /// records that a sender may still have. A set that was there as a whole counts as a whole, because a record that is gone
    /// may have outranked one that stayed (RFC 7671 §9).
    pub(super) fn ripeness(&self, now: Timestamp, is_fit: impl Fn(&TlsaSet) -> bool) -> Ripeness {
        let begin = before(now, self.wait);
        let ends = self.spans.iter().flat_map(|span| [Some(span.since), span.until]);
        let mut changes: Vec<Timestamp> = ends.flatten().filter(|at| *at > begin).collect();
        changes.push(begin.max(self.first));
        changes.sort_unstable();
        // Senders that know of no usable record verify nobody.
        let is_misfit = |at: Timestamp| {
            let set = self.at(at);
            set.is_usable() && !is_fit(&set)
        };
        let ends = changes.iter().skip(1).copied().chain([now]);
        let misfits = changes
            .iter()
            .zip(ends)
            .filter(|(at, _)| is_misfit(**at))
            .map(|(_, end)| end);
        match misfits.max() {
            Some(end) => Ripeness::Unripe(after(end, self.wait)),
            None if self.first <= begin || self.at(self.first).is_empty() => Ripeness::Ripe,
            None => Ripeness::Unknown,
        }
    }

    /// The records that were there at a time.
    fn at(&self, time: Timestamp) -> TlsaSet {
        let there = self
            .spans
            .iter()
            .filter(|span| span.since <= time && span.until.is_none_or(|until| until > time));
        TlsaSet::new(there.map(|span| span.record.clone()).collect())
    }
}

/// A record as it stands in a zone file.
mod zone_form {
    use dane::TlsaRecord;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(record: &TlsaRecord, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(record)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<TlsaRecord, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(D::Error::custom)
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

fn before(time: Timestamp, seconds: u32) -> Timestamp {
    time.saturating_sub(SignedDuration::from_secs(seconds.into()))
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
    fn a_record_is_ripe_when_it_has_been_seen_for_twice_its_ttl() {
        let mut memory = Memory::default();
        assert_eq!(look(&mut memory, &["aa"], 0, "aa"), Ripeness::Unknown);
        assert_eq!(look(&mut memory, &["aa"], 1, "aa"), Ripeness::Unknown);
        assert_eq!(
            look(&mut memory, &["aa", "bb"], 100, "bb"),
            Ripeness::Unripe(at(7300))
        );
        assert_eq!(look(&mut memory, &["aa", "bb"], 100, "aa"), Ripeness::Unknown);
        assert_eq!(look(&mut memory, &["aa", "bb"], 7200, "aa"), Ripeness::Ripe);
        assert_eq!(
            look(&mut memory, &["bb"], 7299, "bb"),
            Ripeness::Unripe(at(7300)),
            "the old one alone may still be known"
        );
        assert_eq!(look(&mut memory, &["bb"], 7300, "bb"), Ripeness::Ripe);
    }

    #[test]
    fn the_first_records_of_all_need_no_time() {
        let mut memory = Memory::default();
        let known = memory.note_absence(OWNER, at(0));
        assert_eq!(known.ripeness(at(0), |_| false), Ripeness::Ripe);
        assert_eq!(look(&mut memory, &["aa"], 10, "aa"), Ripeness::Ripe);
        // A record that comes back is a new one.
        assert_eq!(
            look(&mut memory, &["bb"], 5000, "aa"),
            Ripeness::Unripe(at(12_200))
        );
        assert_eq!(
            look(&mut memory, &["aa", "bb"], 6000, "aa"),
            Ripeness::Unripe(at(13_200))
        );
    }

    #[test]
    fn records_that_were_withdrawn_are_still_in_caches() {
        let mut memory = Memory::default();
        look(&mut memory, &["aa"], 0, "aa");
        let mut absence = |seconds, key: &str| {
            let known = memory.note_absence(OWNER, at(seconds));
            known.ripeness(at(seconds), |set| set.usable().contains(&record(key)))
        };
        assert_eq!(absence(10_000, "bb"), Ripeness::Unripe(at(17_200)));
        assert_eq!(absence(10_000, "aa"), Ripeness::Ripe);
        assert_eq!(absence(17_199, "bb"), Ripeness::Unripe(at(17_200)));
        assert_eq!(absence(17_200, "bb"), Ripeness::Ripe);
    }

    /// RFC 7671 §9: who has the set of before in a cache looks at its stronger digests alone.
    #[test]
    fn a_stronger_digest_that_was_removed_still_outranks_the_weaker() {
        let mut memory = Memory::default();
        let stronger: TlsaRecord = format!("3 1 2 {}", "cc".repeat(64)).parse().unwrap();
        let mut look = |records: Vec<TlsaRecord>, seconds| {
            let known = memory.note(OWNER, &TlsaSet::new(records), HOUR, at(seconds));
            known.ripeness(at(seconds), |set| set.usable().contains(&record("aa")))
        };
        let both = vec![stronger.clone(), record("aa")];
        look(both.clone(), 0);
        assert_eq!(look(both, 20_000), Ripeness::Unripe(at(27_200)));
        let alone = vec![record("aa")];
        assert_eq!(look(alone.clone(), 21_000), Ripeness::Unripe(at(28_200)));
        assert_eq!(look(alone.clone(), 28_199), Ripeness::Unripe(at(28_200)));
        assert_eq!(look(alone, 28_200), Ripeness::Ripe);
    }

    #[test]
    fn a_longer_ttl_of_before_counts_until_its_answers_are_over() {
        let mut memory = Memory::default();
        let mut look = |octets: &[&str], ttl, seconds| {
            let known = memory.note(OWNER, &set(octets), ttl, at(seconds));
            known.ripeness(at(seconds), |set| set.usable().contains(&record("bb")))
        };
        look(&["aa"], 86_400, 0);
        assert_eq!(look(&["aa", "bb"], 300, 100), Ripeness::Unripe(at(172_900)));
        assert_eq!(look(&["aa", "bb"], 300, 500), Ripeness::Unripe(at(172_900)));
        assert_eq!(look(&["aa", "bb"], 300, 172_900), Ripeness::Ripe);
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
        assert_eq!(look(&mut memory, &["bb"], 20, "bb"), Ripeness::Unripe(at(7210)));
        std::fs::write(&path, "[]").unwrap();
        let error = Memory::read(&path).unwrap_err().to_string();
        assert!(error.contains("seen.json"), "{error}");
    }
}
