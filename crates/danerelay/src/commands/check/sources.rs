//! What is read before anything is looked up: the domains, and earlier runs.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use mail::Domain;
use policy::list::DomainList;

use super::arguments::CheckArguments;
use crate::check::{Comparison, Counts, Depth, Manner, Past, Row, Run, Verdict};
use crate::commands::output::notice;
use crate::failure::Failure;

/// What every line begins with that a check wrote.
const OURS: &[u8] = b"{\"version\":";

/// Up to so many domains are looked at closely; of more, each server is connected to once.
const CLOSELY: usize = 100;

/// The domains to check, and what is known of earlier runs.
pub(super) struct Sources {
    /// Each once, in order, without those that are known.
    domains: Vec<Domain>,
    /// How they are looked at.
    pub(super) manner: Manner,
    /// What `--resume` has already.
    known: Known,
    /// Where `--resume` goes on.
    pub(super) journal: Option<Journal>,
    /// How many lines of the list are no domain.
    pub(super) skipped: usize,
    /// `--compare`: each earlier run.
    pub(super) runs: Vec<Run>,
    /// With the last of them.
    pub(super) comparison: Option<Comparison>,
}

/// The results of a run that was interrupted, as far as they are still good.
#[derive(Debug, Default)]
struct Known {
    file: PathBuf,
    /// The numbers of their lines, from 1.
    lines: HashSet<usize>,
    oldest: Option<Timestamp>,
}

/// The file of `--resume`, to which nobody else writes as long as it is open, and its octets that are whole lines.
#[derive(Debug)]
pub(super) struct Journal {
    pub(super) file: File,
    pub(super) whole: u64,
}

impl Sources {
    /// With hosts at this port, unless the command line names another.
    pub(super) fn read(arguments: &CheckArguments, port: u16) -> Result<Self, Failure> {
        let mut domains = arguments.domains.clone();
        let mut skipped = 0;
        if let Some(file) = &arguments.file {
            let (listed, bad) = list(file)?;
            domains.extend(listed);
            skipped = bad;
        }
        let mut names = HashSet::with_capacity(domains.len());
        domains.retain(|domain| names.insert(domain.as_str().to_owned()));
        if domains.is_empty() {
            return Err(Failure::NoDomains);
        }
        let manner = Manner {
            port: arguments.port.map_or(port, std::num::NonZeroU16::get),
            connected: !arguments.no_connect,
            depth: if domains.len() > CLOSELY {
                Depth::Verdict
            } else {
                Depth::Everything
            },
            days: arguments.days,
        };
        let (mut runs, mut comparison) = (Vec::new(), None);
        for file in &arguments.compare {
            let (run, domains) = earlier(file)?;
            runs.push(run);
            comparison = Some(domains);
        }
        let comparison = comparison.map(|before| Comparison::with(before, |domain| names.contains(domain)));
        let (known, journal) = match &arguments.resume {
            Some(file) => {
                let (known, journal) = resumed(file, &mut names, manner)?;
                (known, Some(journal))
            }
            None => (Known::default(), None),
        };
        // What is left of the names is not known yet.
        domains.retain(|domain| names.contains(domain.as_str()));
        Ok(Self {
            domains,
            manner,
            known,
            journal,
            skipped,
            runs,
            comparison,
        })
    }

    /// How many domains the answer is about.
    pub(super) fn all(&self) -> usize {
        self.domains.len() + self.known.lines.len()
    }

    /// How many are still to be checked.
    pub(super) fn left(&self) -> usize {
        self.domains.len()
    }

    pub(super) fn domains(self) -> Vec<Domain> {
        self.domains
    }

    /// Each result that `--resume` has already.
    pub(super) fn each_known(&self, mut take: impl FnMut(Row)) -> Result<(), Failure> {
        let Some(oldest) = self.known.oldest else {
            return Ok(());
        };
        let file = &self.known.file;
        notice(&format!(
            "{}: {} results are taken from there, the oldest of {}",
            file.display(),
            self.known.lines.len(),
            oldest.strftime("%Y-%m-%d %H:%M UTC")
        ));
        let opened = File::open(file).map_err(unread(file))?;
        each_line(file, opened, |number, row| {
            if self.known.lines.contains(&number) {
                take(row);
            }
        })?;
        Ok(())
    }
}

fn unread(path: &Path) -> impl FnOnce(io::Error) -> Failure {
    let path = path.to_owned();
    move |cause| Failure::Unread { path, cause }
}

/// The domains of a list, and how many of its lines are none.
fn list(file: &Path) -> Result<(Vec<Domain>, usize), Failure> {
    let text = if file.as_os_str() == "-" {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map_err(unread(file))?;
        text
    } else {
        fs::read_to_string(file).map_err(unread(file))?
    };
    let (list, bad) = DomainList::parse(&file.display().to_string(), &text);
    for line in &bad.first {
        notice(&format!(
            "{}:{}: skipped: {}",
            file.display(),
            line.line,
            line.error
        ));
    }
    if bad.more > 0 {
        notice(&format!("{}: {} more lines skipped", file.display(), bad.more));
    }
    let domains = list.iter().filter_map(|(name, _)| Domain::parse(name).ok());
    Ok((domains.collect(), bad.first.len() + bad.more))
}

/// The results of an unfinished run that need not be made again, whose domains are taken out of `names`: those that were looked
/// at as they would be now, and told. The file's last line may be torn.
fn resumed(file: &Path, names: &mut HashSet<String>, manner: Manner) -> Result<(Known, Journal), Failure> {
    let journal = locked(file).map_err(|cause| Failure::File {
        path: file.to_owned(),
        cause,
    })?;
    // Of several lines about a domain the last counts.
    let mut last: HashMap<String, Option<(usize, Timestamp)>> = HashMap::new();
    let (whole, torn) = each_line(file, &journal, |number, row| {
        if names.contains(&row.domain) {
            let is_good = row.manner == Some(manner) && row.verdict != Verdict::Unreachable;
            last.insert(row.domain, is_good.then_some((number, row.checked)));
        }
    })?;
    // What is not ours is not cut off.
    if !(torn.starts_with(OURS) || OURS.starts_with(&torn)) {
        return Err(Failure::NotOurs(file.to_owned()));
    }
    let mut known = Known {
        file: file.to_owned(),
        ..Known::default()
    };
    for (domain, good) in last {
        if let Some((number, checked)) = good {
            names.remove(&domain);
            known.lines.insert(number);
            known.oldest = Some(known.oldest.map_or(checked, |oldest| oldest.min(checked)));
        }
    }
    Ok((known, Journal { file: journal, whole }))
}

/// Opens a file, which need not exist yet, to read and to write it, and keeps others from writing.
fn locked(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let file = options
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(path)?;
    file.try_lock().map_err(|error| match error {
        TryLockError::Error(error) => error,
        TryLockError::WouldBlock => io::Error::other("another check writes to it"),
    })?;
    Ok(file)
}

/// An earlier run; of several lines about a domain the last counts.
fn earlier(file: &Path) -> Result<(Run, HashMap<String, Past>), Failure> {
    let opened = File::open(file).map_err(unread(file))?;
    let (mut domains, mut checked, mut number) = (HashMap::new(), None, 0);
    let mut take = |row: Row| {
        checked = checked.max(Some(row.checked));
        domains.insert(row.domain.clone(), Past::from(row));
    };
    let (_, torn) = each_line(file, opened, |at, row| {
        number = at;
        take(row);
    })?;
    if !torn.trim_ascii().is_empty() {
        take(parse(file, number + 1, &torn)?);
    }
    let mut counts = Counts::default();
    for past in domains.values() {
        counts.add(past.verdict);
    }
    Ok((Run { checked, counts }, domains))
}

/// The rows of all whole lines, each with its number from 1; gives the octets of these lines, and what follows the last.
fn each_line(
    file: &Path,
    opened: impl Read,
    mut take: impl FnMut(usize, Row),
) -> Result<(u64, Vec<u8>), Failure> {
    let mut input = BufReader::new(opened);
    let (mut whole, mut number, mut line) = (0, 0, Vec::new());
    loop {
        line.clear();
        let length = input.read_until(b'\n', &mut line).map_err(unread(file))?;
        if line.pop_if(|last| *last == b'\n').is_none() {
            return Ok((whole, line));
        }
        number += 1;
        whole += u64::try_from(length).unwrap_or(u64::MAX);
        if !line.trim_ascii().is_empty() {
            take(number, parse(file, number, &line)?);
        }
    }
}

fn parse(file: &Path, number: usize, line: &[u8]) -> Result<Row, Failure> {
    Row::read(line).map_err(|cause| Failure::Earlier {
        path: file.to_owned(),
        line: number,
        cause,
    })
}
