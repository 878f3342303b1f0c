//! The ledger's tallies, put into rows.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use jiff::civil::Date;
use mail::registrable;
use mail::{AddressFamily, Domain, DomainPart, Status};
use parking_lot::Mutex;
use spool::{Ledger, SpoolError, Tally};

use super::question::{By, Period, Question};
use super::softfail::{Case, SoftFailed};
use super::traffic::{Traffic, end};

/// The rows of one part of the period in any order, and the traffic as a whole.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) all: Traffic,
    /// What is internal, counted or not.
    pub(super) internal: Traffic,
    /// How many outcomes were read, whether they are counted or not.
    pub(super) seen: u64,
    pub(super) rows: Vec<Counted>,
    /// Those of which DANE failed and mail was delivered.
    pub(super) soft_failed: Vec<SoftFailed>,
    pub(super) unreadable: u64,
    /// What the ledger had no room to count by domain and host, internal or not.
    pub(super) unnamed: Traffic,
}

/// A row while it is counted.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) name: Arc<str>,
    pub(super) traffic: Traffic,
    /// The last domain that was counted, by its position: domains come one after the other.
    domain: u64,
}

/// Reads the totals of some days.
pub(super) async fn totals<L: Ledger>(
    ledger: &L,
    question: &Arc<Question>,
    days: Period,
    by: Option<By>,
) -> Result<Gathered, SpoolError> {
    let gathered = Arc::new(Mutex::new(Gathered::default()));
    let (filled, asked) = (Arc::clone(&gathered), Arc::clone(question));
    let visit = move |_: Date, tally: Tally| {
        let mut counted = filled.lock();
        if counted.admits(&asked, &tally)
            && let Some(by) = by
        {
            counted.add_to_row(&name_in_totals(by, &tally), &tally);
        }
        drop(counted);
        awaited(&filled)
    };
    let unreadable = ledger.totals(days.range(), visit).await?;
    let mut gathered = std::mem::take(&mut *gathered.lock());
    gathered.unreadable = unreadable;
    Ok(gathered)
}

/// Reads the figures by domain and host of some days.
pub(super) async fn details<L: Ledger>(
    ledger: &L,
    question: &Arc<Question>,
    days: Period,
    sorting: Sorting,
) -> Result<Gathered, SpoolError> {
    let reading = Arc::new(Mutex::new(Reading::new(sorting)));
    let (filled, asked) = (Arc::clone(&reading), Arc::clone(question));
    let visit = move |tally| {
        filled.lock().add(&asked, &tally);
        awaited(&filled)
    };
    let unreadable = ledger.sums(days.range(), visit).await?;
    let mut reading = std::mem::replace(&mut *reading.lock(), Reading::new(sorting));
    reading.close_case();
    let mut gathered = reading.gathered;
    gathered.unreadable = unreadable;
    Ok(gathered)
}

/// Whether anybody waits for what is filled; if not, the ledger need not be read further.
pub(super) fn awaited<T>(filled: &Arc<T>) -> ControlFlow<()> {
    if Arc::strong_count(filled) > 1 {
        ControlFlow::Continue(())
    } else {
        ControlFlow::Break(())
    }
}

/// What the details are sorted into.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sorting {
    Domains,
    Providers,
    SoftFails,
}

/// The details while they are read, in the order of domains.
#[derive(Debug)]
struct Reading {
    sorting: Sorting,
    gathered: Gathered,
    /// Which row is that of a provider.
    providers: HashMap<Arc<str>, usize>,
    /// The host of the last tally, and the row of its provider.
    host: Option<(Domain, usize)>,
    domain: Option<DomainPart>,
    /// How many domains came before.
    position: u64,
    is_internal: bool,
    /// The last domain of which a delivery was counted, by its position.
    counted: u64,
    case: Case,
}

impl Reading {
    fn new(sorting: Sorting) -> Self {
        Self {
            sorting,
            gathered: Gathered::default(),
            providers: HashMap::new(),
            host: None,
            domain: None,
            position: 0,
            is_internal: false,
            counted: 0,
            case: Case::default(),
        }
    }

    fn add(&mut self, question: &Question, tally: &Tally) {
        if self.domain != tally.key.domain || self.position == 0 {
            self.close_case();
            self.domain.clone_from(&tally.key.domain);
            self.position = self.position.saturating_add(1);
            self.is_internal = question.is_internal(self.domain.as_ref());
        }
        self.gathered.seen = self.gathered.seen.saturating_add(tally.count);
        if tally.key.domain.is_none() && tally.key.host.is_none() {
            self.gathered.unnamed.add(tally);
        }
        if self.is_internal {
            self.gathered.internal.add(tally);
        }
        if !question.counts(self.is_internal) {
            return;
        }
        self.gathered.all.add(tally);
        if self.domain.is_some() && tally.key.status.is_final() && self.counted != self.position {
            self.counted = self.position;
            count_domain(&mut self.gathered.all);
        }
        match self.sorting {
            Sorting::SoftFails => self.case.add(tally),
            Sorting::Domains => self.add_to_domain(tally),
            Sorting::Providers => self.add_to_provider(tally),
        }
    }

    /// The tallies of a domain come one after another, so its row is the last one or a new one.
    fn add_to_domain(&mut self, tally: &Tally) {
        let Some(domain) = &self.domain else {
            return;
        };
        let rows = &mut self.gathered.rows;
        if let Some(row) = rows.last_mut().filter(|last| last.domain == self.position) {
            return row.traffic.add(tally);
        }
        let name = match domain {
            DomainPart::Name(name) => name.clone().into(),
            DomainPart::Literal(_) => domain.to_string().into(),
        };
        let mut row = Counted::new(name);
        row.domain = self.position;
        row.traffic.add(tally);
        rows.push(row);
    }

    fn add_to_provider(&mut self, tally: &Tally) {
        let Some(host) = &tally.key.host else {
            return;
        };
        let rows = &mut self.gathered.rows;
        let place = match &self.host {
            Some((last, place)) if last == host => *place,
            Some(_) | None => {
                let name = registrable::part(host);
                let place = self.providers.get(name).copied().unwrap_or_else(|| {
                    let name: Arc<str> = name.into();
                    rows.push(Counted::new(Arc::clone(&name)));
                    self.providers.insert(name, rows.len().saturating_sub(1));
                    rows.len().saturating_sub(1)
                });
                self.host = Some((host.clone(), place));
                place
            }
        };
        let Some(row) = rows.get_mut(place) else {
            return;
        };
        row.traffic.add(tally);
        if tally.key.status.is_final() && row.domain != self.position {
            row.domain = self.position;
            count_domain(&mut row.traffic);
        }
    }

    /// All tallies of a domain were read.
    fn close_case(&mut self) {
        let case = std::mem::take(&mut self.case);
        let closed = self.domain.as_ref().and_then(|domain| case.close(domain));
        self.gathered.soft_failed.extend(closed);
    }
}

impl Counted {
    fn new(name: Arc<str>) -> Self {
        Self {
            name,
            traffic: Traffic::default(),
            domain: 0,
        }
    }
}

impl Gathered {
    /// Adds a total to the row of this name; there are few of them.
    fn add_to_row(&mut self, name: &str, tally: &Tally) {
        if let Some(row) = self.rows.iter_mut().find(|row| &*row.name == name) {
            return row.traffic.add(tally);
        }
        let mut row = Counted::new(name.into());
        row.traffic.add(tally);
        self.rows.push(row);
    }

    /// Adds a total to the traffic as a whole; false if it is not to be counted.
    fn admits(&mut self, question: &Question, tally: &Tally) -> bool {
        let is_internal = question.is_internal(tally.key.domain.as_ref());
        self.seen = self.seen.saturating_add(tally.count);
        if is_internal {
            self.internal.add(tally);
        }
        let counts = question.counts(is_internal);
        if counts {
            self.all.add(tally);
        }
        counts
    }
}

fn count_domain(traffic: &mut Traffic) {
    traffic.domains = Some(traffic.domains.unwrap_or(0).saturating_add(1));
}

/// The row to which a total belongs.
fn name_in_totals(by: By, tally: &Tally) -> Cow<'static, str> {
    let key = &tally.key;
    match by {
        By::AddressFamily => match key.family {
            AddressFamily::None => "no connection",
            AddressFamily::Ipv4 => "IPv4",
            AddressFamily::Ipv6 => "IPv6",
        }
        .into(),
        // Rows of these are made of details.
        By::Domain | By::MxProvider => "".into(),
        By::Outcome => match (key.status, key.cause) {
            (Status::Sent, None) => format!("sent, {}", end(key.security).words()).into(),
            (Status::Sent, Some(cause)) => {
                format!("sent, {} (soft-fail: {cause})", end(key.security).words()).into()
            }
            (status, Some(cause)) => format!("{status}: {cause}").into(),
            (status, None) => format!("{status}").into(),
        },
    }
}
