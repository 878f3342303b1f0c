//! Lists of domains in the format of danefail.org: one domain per line, `#` starts a comment.
//!
//! A list may have a million entries. So the names are stored back to back, each behind its length and its line, and a hash
//! table of their places (open addressing) finds them: 21 to 37 octets per entry plus the name itself. One look-up touches
//! two places in memory, or one if the name is not there: far more time goes into waiting for memory than into anything else.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use mail::{Domain, DomainError};

/// At most this many bad lines of one list are kept; the rest are only counted.
pub const BAD_LINES_KEPT: usize = 20;

/// An empty slot of the table.
const FREE: Slot = Slot {
    tag: 0,
    place: u32::MAX,
};

/// A compact set of domains that remembers the line of each.
#[derive(Debug, Clone)]
pub struct DomainList {
    source: Arc<str>,
    /// Entry after entry: the length of its name in an octet, its line in four, its name.
    entries: Vec<u8>,
    count: usize,
    table: Vec<Slot>,
    /// Keyed at random, so that nobody who writes a list can provoke collisions; the results do not depend on the key.
    hasher: RandomState,
}

/// What stands before an entry's name.
const HEAD: usize = 5;

/// A slot of the table: where an entry begins, and part of its hash, which avoids most comparisons with other names.
#[derive(Debug, Clone, Copy)]
struct Slot {
    tag: u32,
    place: u32,
}

/// An entry as it is stored.
#[derive(Debug, Clone, Copy)]
struct Entry<'a> {
    name: &'a [u8],
    line: u32,
}

/// Where a search ends.
enum Search {
    /// At the entry with this line.
    Found(u32),
    /// At a free slot: the name is not on the list, and this is where it belongs.
    Free { tag: u32, slot: usize },
    /// Every slot is taken by other names, which cannot happen in a table that is at most half full.
    Nowhere,
}

/// A line that is not a domain. It is skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// The line, from 1.
    pub line: usize,
    /// Why it is not a domain.
    pub error: DomainError,
}

/// The lines that were skipped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BadLines {
    /// The first [`BAD_LINES_KEPT`] of them.
    pub first: Vec<BadLine>,
    /// How many more there are.
    pub more: usize,
}

/// What a file is instead of a list of domains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoList {
    /// A web page: the address led to an error, a login or a directory.
    Page,
    /// Something without a single domain in it.
    Other,
}

impl NoList {
    /// What a text is, if it is not a list: one with `bad` lines and no domain, or a web page.
    pub fn of(text: &str, list: &DomainList, bad: &BadLines) -> Option<Self> {
        let begin = text.trim_start_matches('\u{feff}').trim_start();
        if begin.starts_with('<') {
            Some(Self::Page)
        } else {
            (list.is_empty() && !bad.first.is_empty()).then_some(Self::Other)
        }
    }

    /// For a sentence whose subject is the file.
    pub fn words(self) -> &'static str {
        match self {
            Self::Page => " is an HTML page and no list of domains",
            Self::Other => " is no list of domains: not one of its lines is a domain",
        }
    }
}

/// What a line says besides its comment.
pub(crate) fn entry_in(line: &str) -> &str {
    line.split('#').next().unwrap_or_default().trim()
}

impl DomainList {
    /// Reads a list. `source` is what the log calls it. Case and a trailing dot do not matter, U-labels are converted,
    /// and a repeated name keeps its first line.
    pub fn parse(source: &str, text: &str) -> (Self, BadLines) {
        let mut bad = BadLines::default();
        let mut list = Self {
            source: source.into(),
            entries: Vec::new(),
            count: 0,
            table: Vec::new(),
            hasher: RandomState::new(),
        };
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (line, content) in (1..).zip(text.lines()) {
            let name = entry_in(content);
            if name.is_empty() {
                continue;
            }
            match Domain::parse(name) {
                Ok(domain) if list.push(&domain, line) => {}
                Err(error) if bad.first.len() < BAD_LINES_KEPT => bad.first.push(BadLine { line, error }),
                // No domain, or beyond four gigabytes of names.
                Ok(_) | Err(_) => bad.more += 1,
            }
        }
        list.entries.shrink_to_fit();
        list.index();
        (list, bad)
    }

    /// Adds an entry, if a slot can say where it begins.
    fn push(&mut self, domain: &Domain, line: usize) -> bool {
        let name = domain.as_str().as_bytes();
        let is_within = u32::try_from(self.entries.len()).is_ok_and(|place| place != FREE.place);
        let (Ok(length), true) = (u8::try_from(name.len()), is_within) else {
            return false;
        };
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        self.entries.push(length);
        self.entries.extend_from_slice(&line.to_le_bytes());
        self.entries.extend_from_slice(name);
        self.count += 1;
        true
    }

    /// Fills the table to at most half, so that every search is short.
    fn index(&mut self) {
        let slots = self.count.saturating_mul(2).next_power_of_two();
        self.table = vec![FREE; slots];
        let mut place = 0;
        while let Some((entry, next)) = self.entry(place) {
            if let Search::Free { tag, slot } = self.search(entry.name)
                && let Some(free) = self.table.get_mut(slot)
            {
                let place = u32::try_from(place).unwrap_or(FREE.place);
                *free = Slot { tag, place };
            }
            place = next;
        }
    }

    /// Looks for `name`, starting at the slot given by its hash, until it or a free slot is found.
    fn search(&self, name: &[u8]) -> Search {
        let slots = self.table.len();
        let mask = slots.wrapping_sub(1);
        let hash = self.hasher.hash_one(name);
        #[allow(clippy::cast_possible_truncation)] // any part of a hash is a hash
        let (start, tag) = (hash as usize, (hash >> 32) as u32);
        for step in 0..slots {
            let slot = start.wrapping_add(step) & mask;
            let there = self.table.get(slot).copied().unwrap_or(FREE);
            if there.place == FREE.place {
                return Search::Free { tag, slot };
            }
            if there.tag == tag
                && let Some((entry, _)) = self.entry(usize::try_from(there.place).unwrap_or(usize::MAX))
                && entry.name == name
            {
                return Search::Found(entry.line);
            }
        }
        Search::Nowhere
    }

    /// The entry that begins at this place, and where the next one does.
    fn entry(&self, place: usize) -> Option<(Entry<'_>, usize)> {
        let (head, rest) = self.entries.get(place..)?.split_first_chunk::<HEAD>()?;
        let [length, line @ ..] = head;
        let length = usize::from(*length);
        let entry = Entry {
            name: rest.get(..length)?,
            line: u32::from_le_bytes(*line),
        };
        Some((entry, place.checked_add(HEAD)?.checked_add(length)?))
    }

    /// The line of `domain`, if it is on the list. Only the domain itself counts, not subdomains.
    pub fn line_of(&self, domain: &Domain) -> Option<usize> {
        match self.search(domain.as_str().as_bytes()) {
            Search::Found(line) => usize::try_from(line).ok(),
            Search::Free { .. } | Search::Nowhere => None,
        }
    }

    /// What the log calls the list.
    pub fn source(&self) -> &Arc<str> {
        &self.source
    }

    /// How many entries were read, repetitions included.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether the list is empty.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Every entry's name and line, in the order of the list.
    pub fn iter(&self) -> impl Iterator<Item = (&str, usize)> {
        let mut place = 0;
        std::iter::from_fn(move || {
            let (entry, next) = self.entry(place)?;
            place = next;
            let name = std::str::from_utf8(entry.name).unwrap_or_default();
            Some((name, usize::try_from(entry.line).unwrap_or(usize::MAX)))
        })
    }

    /// The memory that the list takes, in octets.
    pub fn memory(&self) -> usize {
        self.entries.capacity() + self.table.capacity() * size_of::<Slot>()
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )]
    use super::*;

    fn line_of(list: &DomainList, name: &str) -> Option<usize> {
        list.line_of(&Domain::parse(name).unwrap())
    }

    #[test]
    fn the_form_of_danefail_org_is_read() {
        let text = "\u{feff}# -----------------\n# DNS problems: dropped queries\n## Sites hosted at a.example\n#\n\
                    Casa.Example\n  dotted.example.  # since 2019\r\n\nbücher.example\n\tcasa.example\n";
        let (list, bad) = DomainList::parse("fail.dat", text);
        assert_eq!(bad, BadLines::default());
        assert_eq!(line_of(&list, "casa.example"), Some(5));
        assert_eq!(line_of(&list, "dotted.example"), Some(6));
        assert_eq!(line_of(&list, "xn--bcher-kva.example"), Some(8));
        assert_eq!(line_of(&list, "a.casa.example"), None, "the name itself is meant");
        assert_eq!(line_of(&list, "example"), None);
        assert_eq!(&**list.source(), "fail.dat");
        assert_eq!(list.iter().next(), Some(("casa.example", 5)));
    }

    #[test]
    fn bad_lines_are_skipped_and_numbered() {
        let (list, bad) = DomainList::parse("l", "good.example\nnot a domain\n..\nlast.example");
        assert_eq!(list.len(), 2);
        assert_eq!(line_of(&list, "last.example"), Some(4));
        let lines: Vec<_> = bad.first.iter().map(|bad| bad.line).collect();
        assert_eq!(lines, [2, 3]);
        let (_, bad) = DomainList::parse("l", &"<html>\n".repeat(100));
        assert_eq!(
            (bad.first.len(), bad.more),
            (BAD_LINES_KEPT, 100 - BAD_LINES_KEPT)
        );
    }

    #[test]
    fn an_empty_list_has_nobody() {
        let (list, _) = DomainList::parse("l", "# nothing\n");
        assert!(list.is_empty());
        assert_eq!(line_of(&list, "a.example"), None);
    }

    #[test]
    fn many_entries_are_all_found_and_no_other() {
        let lines: Vec<_> = (0..20_000).map(|number| format!("d{number}.example")).collect();
        let (list, _) = DomainList::parse("l", &lines.join("\n"));
        for number in 0..20_000 {
            assert_eq!(line_of(&list, &format!("d{number}.example")), Some(number + 1));
            assert_eq!(line_of(&list, &format!("e{number}.example")), None);
        }
    }
}
