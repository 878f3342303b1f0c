//! The names of domains and hosts by their numbers.

use mail::{Domain, DomainPart};
use rusqlite::Connection;

use super::columns::{ALL_DOMAINS, ALL_HOSTS, NO_HOST};
use crate::error;

const NAMES: &str = "SELECT id, name FROM ledger_name ORDER BY id";

/// All names, which are few octets each, in one piece: looked up one by one in the database, they would take longer than all
/// else.
#[derive(Debug, Default)]
pub(super) struct Names {
    text: String,
    /// The numbers in order, and where each name ends.
    ends: Vec<(i64, usize)>,
    /// By the place of the name, the hosts that were looked for: each may be that of many domains.
    hosts: Vec<Option<Result<Domain, NotThere>>>,
    /// The domain that was looked for last.
    domain: Option<(i64, Result<DomainPart, NotThere>)>,
}

/// No name has this number, or it is none of this kind.
#[derive(Debug, Clone, Copy)]
pub(super) struct NotThere;

impl Names {
    pub(super) fn read(view: &Connection) -> error::Result<Self> {
        let mut names = Self::default();
        let mut statement = view.prepare_cached(NAMES)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            if let Ok(name) = row.get_ref(1)?.as_str() {
                names.text.push_str(name);
                names.ends.push((row.get(0)?, names.text.len()));
            }
        }
        names.hosts.resize(names.ends.len(), None);
        Ok(names)
    }

    /// The domain of this number; none for the number of figures without one.
    pub(super) fn domain(&mut self, number: i64) -> Result<Option<DomainPart>, NotThere> {
        if number == ALL_DOMAINS {
            return Ok(None);
        }
        match &self.domain {
            Some((last, domain)) if *last == number => domain.clone().map(Some),
            Some(_) | None => {
                let name = self.place(number).and_then(|place| self.name(place));
                let domain = name.and_then(|name| DomainPart::parse(name).map_err(|_| NotThere));
                self.domain = Some((number, domain.clone()));
                domain.map(Some)
            }
        }
    }

    /// The host of this number; none where none with a name was reached.
    pub(super) fn host(&mut self, number: i64) -> Result<Option<Domain>, NotThere> {
        match number {
            NO_HOST => return Ok(None),
            ALL_HOSTS => return Err(NotThere),
            _ => {}
        }
        let place = self.place(number)?;
        if let Some(Some(known)) = self.hosts.get(place) {
            return known.clone().map(Some);
        }
        let name = self.name(place);
        let host = name.and_then(|name| Domain::parse(name).map_err(|_| NotThere));
        if let Some(known) = self.hosts.get_mut(place) {
            *known = Some(host.clone());
        }
        host.map(Some)
    }

    /// Where the name of this number is.
    fn place(&self, number: i64) -> Result<usize, NotThere> {
        // Mostly no number is left out.
        let first = self.ends.first().map_or(0, |(first, _)| *first);
        let guess = usize::try_from(number.saturating_sub(first)).map_err(|_| NotThere)?;
        if self.ends.get(guess).is_some_and(|(there, _)| *there == number) {
            return Ok(guess);
        }
        let found = self.ends.binary_search_by_key(&number, |(number, _)| *number);
        found.map_err(|_| NotThere)
    }

    fn name(&self, place: usize) -> Result<&str, NotThere> {
        let end = self.ends.get(place).map(|(_, end)| *end);
        let before = place.checked_sub(1).and_then(|place| self.ends.get(place));
        let begin = before.map_or(0, |(_, end)| *end);
        let name = end.and_then(|end| self.text.get(begin..end));
        name.ok_or(NotThere)
    }
}
