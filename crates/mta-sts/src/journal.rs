//! The policies on disk: one file, to which each change is appended as a line of JSON. A line that a crash has cut off is
//! skipped. The file is written anew, in a place of its own and then moved over, when it has become twice as large as what
//! it holds, and at each start. A start drops nothing that has ended: many machines have a wrong clock until the network is up.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use mail::Domain;
use serde::{Deserialize, Serialize};

use crate::cache::{Cache, Limits};
use crate::entry::Entry;

/// A file smaller than this, in octets, is not worth writing anew.
const WORTH_REWRITING: u64 = 1024 * 1024;
/// The longest line that is read, in octets: JSON takes more room than the 64 KiB of a policy.
const LINE: usize = 512 * 1024;

/// One line.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Change {
    /// A policy was fetched.
    Fetched(Entry),
    /// The policy of this domain was dropped.
    Dropped(Domain),
}

/// The file.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    octets: u64,
    /// Its octets when it was written last.
    compact: u64,
    /// Whether its last line may be cut off, or changes are missing, so that nothing can be appended.
    is_incomplete: bool,
}

impl Journal {
    /// Reads what is there, what has ended included.
    pub(crate) fn read(path: &Path, limits: Limits, now: Timestamp) -> io::Result<Cache> {
        let mut cache = Cache::new(limits);
        match File::open(path) {
            Ok(file) => read(BufReader::new(file), &mut cache, now)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(cache)
    }

    /// The same, and writes the file anew.
    pub(crate) fn open(path: &Path, limits: Limits, now: Timestamp) -> io::Result<(Self, Cache)> {
        let cache = Self::read(path, limits, now)?;
        let (file, octets) = write(path, cache.entries())?;
        let journal = Self {
            path: path.to_owned(),
            file,
            octets,
            compact: octets,
            is_incomplete: false,
        };
        Ok((journal, cache))
    }

    /// The next changes are not all that is missing from the file: it is to be written anew.
    pub(crate) fn miss(&mut self) {
        self.is_incomplete = true;
    }

    /// Appends changes, and returns once they are on disk. `whole` is asked for all entries if the file is to be written
    /// anew; the changes are among them already.
    pub(crate) fn append(&mut self, changes: &[Change], whole: impl Fn() -> Vec<Entry>) -> io::Result<()> {
        let is_large = self.octets > WORTH_REWRITING && self.octets / 2 > self.compact;
        if self.is_incomplete || is_large {
            let (file, octets) = write(&self.path, whole().iter())?;
            (self.file, self.octets, self.compact, self.is_incomplete) = (file, octets, octets, false);
            return Ok(());
        }
        let mut lines = Vec::new();
        for change in changes {
            serde_json::to_writer(&mut lines, change)?;
            lines.push(b'\n');
        }
        self.is_incomplete = true;
        self.file.write_all(&lines)?;
        self.file.sync_data()?;
        self.is_incomplete = false;
        self.octets += lines.len() as u64;
        Ok(())
    }
}

/// What cannot be read is skipped: at worst a policy is fetched again.
fn read(mut file: impl BufRead, cache: &mut Cache, now: Timestamp) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        let taken = io::Read::take(&mut file, LINE as u64).read_until(b'\n', &mut line)?;
        if taken == 0 {
            return Ok(());
        }
        match serde_json::from_slice(&line) {
            Ok(Change::Fetched(entry)) => cache.insert(entry, now),
            Ok(Change::Dropped(domain)) => {
                cache.remove(&domain);
            }
            Err(_) => {}
        }
    }
}

/// Writes a whole file, moves it into its place, and returns it for appending, with its length.
fn write<'a>(path: &Path, entries: impl Iterator<Item = &'a Entry>) -> io::Result<(File, u64)> {
    let new = path.with_extension("new");
    let mut file = io::BufWriter::new(File::create(&new)?);
    for entry in entries {
        serde_json::to_writer(&mut file, &Change::Fetched(entry.clone()))?;
        file.write_all(b"\n")?;
    }
    file.into_inner()
        .map_err(io::IntoInnerError::into_error)?
        .sync_all()?;
    std::fs::rename(&new, path)?;
    if let Some(directory) = path.parent() {
        File::open(directory)?.sync_all()?;
    }
    let file = OpenOptions::new().append(true).open(path)?;
    let octets = file.metadata()?.len();
    Ok((file, octets))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use super::*;
    use crate::policy::Policy;
    use crate::record::PolicyId;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;
    const LIMITS: Limits = Limits {
        entries: 1000,
        octets: 1 << 24,
    };

    fn entry(name: &str, id: &str) -> Entry {
        let text = "version: STSv1\nmode: enforce\nmx: *.example.org\nmax_age: 1000\n";
        Entry {
            domain: Domain::parse(name).unwrap(),
            id: PolicyId::parse(id).unwrap(),
            fetched: NOW,
            policy: Arc::new(Policy::parse(text.as_bytes()).unwrap()),
        }
    }

    fn open(path: &Path) -> (Journal, Vec<Entry>) {
        let (journal, cache) = Journal::open(path, LIMITS, NOW).unwrap();
        let mut entries: Vec<Entry> = cache.entries().cloned().collect();
        entries.sort_by(|one, other| one.domain.cmp(&other.domain));
        (journal, entries)
    }

    #[test]
    fn what_is_written_comes_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mta-sts.cache");
        let (mut journal, none) = open(&path);
        assert_eq!(none, []);
        let (a, b, c) = (
            entry("a.example", "1"),
            entry("b.example", "2"),
            entry("a.example", "3"),
        );
        let changes = [&a, &b, &c].map(|entry| Change::Fetched(entry.clone()));
        journal.append(&changes, Vec::new).unwrap();
        assert_eq!(open(&path).1, [c.clone(), b.clone()]);
        let (mut journal, _) = open(&path);
        journal.append(&[Change::Dropped(b.domain)], Vec::new).unwrap();
        assert_eq!(open(&path).1, [c]);
    }

    #[test]
    fn wherever_a_crash_cuts_it_off_what_was_before_is_there() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mta-sts.cache");
        let (mut journal, _) = open(&path);
        let (a, b) = (entry("a.example", "1"), entry("b.example", "2"));
        journal.append(&[Change::Fetched(a.clone())], Vec::new).unwrap();
        let first = std::fs::metadata(&path).unwrap().len();
        journal.append(&[Change::Fetched(b.clone())], Vec::new).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for cut in usize::try_from(first).unwrap()..whole.len() - 1 {
            std::fs::write(&path, whole.get(..cut).unwrap()).unwrap();
            let (mut journal, found) = open(&path);
            assert_eq!(found, std::slice::from_ref(&a), "cut at {cut}");
            journal.append(&[Change::Fetched(b.clone())], Vec::new).unwrap();
            assert_eq!(open(&path).1, [a.clone(), b.clone()], "cut at {cut}");
        }
    }

    #[test]
    fn damaged_lines_are_skipped() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mta-sts.cache");
        let (mut journal, _) = open(&path);
        let a = entry("a.example", "1");
        journal.append(&[Change::Fetched(a.clone())], Vec::new).unwrap();
        let good = std::fs::read(&path).unwrap();
        let bad = String::from_utf8(good.clone())
            .unwrap()
            .replace("*.example.org", "*.*");
        let mut text = [&b"\xff{}\n\n"[..], bad.as_bytes(), &vec![b'x'; LINE + 10], b"\n"].concat();
        text.extend(&good);
        std::fs::write(&path, &text).unwrap();
        assert_eq!(open(&path).1, [a]);
        assert_eq!(std::fs::read(&path).unwrap(), good, "it is written anew");
    }

    #[test]
    fn it_does_not_grow_for_ever() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mta-sts.cache");
        let (mut journal, _) = open(&path);
        let a = entry("a.example", "1");
        let many = vec![Change::Fetched(a.clone()); 2000];
        for _ in 0..20 {
            journal.append(&many, || vec![a.clone()]).unwrap();
        }
        assert!(std::fs::metadata(&path).unwrap().len() < 3 * WORTH_REWRITING);
        assert_eq!(open(&path).1, [a]);
    }

    #[test]
    fn what_has_ended_stays_because_the_clock_may_be_wrong() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mta-sts.cache");
        let (mut journal, _) = open(&path);
        journal
            .append(&[Change::Fetched(entry("a.example", "1"))], Vec::new)
            .unwrap();
        let later = Timestamp::from_second(1000).unwrap();
        let (_, mut cache) = Journal::open(&path, LIMITS, later).unwrap();
        let domain = Domain::parse("a.example").unwrap();
        assert_eq!(cache.get(&domain, later), None);
        // The clock is set right.
        assert!(cache.get(&domain, NOW).is_some());
        assert!(
            open(&path).1 == [entry("a.example", "1")],
            "nor is it gone from the file"
        );
    }

    #[test]
    fn what_was_missed_is_written_with_the_next_change() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mta-sts.cache");
        let (mut journal, _) = open(&path);
        let (a, b) = (entry("a.example", "1"), entry("b.example", "2"));
        let whole = || vec![a.clone(), b.clone()];
        journal.miss();
        journal.append(&[Change::Fetched(b.clone())], whole).unwrap();
        assert_eq!(open(&path).1, [a.clone(), b.clone()]);
    }
}
