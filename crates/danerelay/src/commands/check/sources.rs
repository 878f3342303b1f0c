//! What is read before anything is looked up: the domains, and earlier runs.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::Path;

use mail::Domain;
use policy::list::DomainList;

use super::arguments::CheckArguments;
use crate::check::{Row, Verdict};
use crate::commands::output::notice;
use crate::failure::Failure;

/// What every line begins with that a check wrote.
const OURS: &[u8] = b"{\"version\":";

/// The domains to check, and what is known of earlier runs.
pub(super) struct Sources {
    /// Each once, in order, without those that are known.
    domains: Vec<Domain>,
    /// Those whose results `--resume` has already.
    pub(super) known: Vec<Row>,
    /// The octets of that file that are whole lines.
    pub(super) whole: u64,
    /// How many lines of the list are no domain.
    pub(super) skipped: usize,
    /// `--compare`: each earlier run.
    pub(super) earlier: Vec<Vec<Row>>,
}

impl Sources {
    pub(super) fn read(arguments: &CheckArguments) -> Result<Self, Failure> {
        let mut all = arguments.domains.clone();
        let mut skipped = 0;
        if let Some(file) = &arguments.file {
            let (domains, bad) = list(file)?;
            all.extend(domains);
            skipped = bad;
        }
        if all.is_empty() {
            return Err(Failure::NoDomains);
        }
        let (known, whole) = match &arguments.resume {
            Some(file) => resumed(file)?,
            None => (Vec::new(), 0),
        };
        let mut seen: HashSet<String> = known.iter().map(|row| row.domain.clone()).collect();
        all.retain(|domain| seen.insert(domain.to_string()));
        let earlier = arguments.compare.iter().map(|file| run(file));
        Ok(Self {
            domains: all,
            known,
            whole,
            skipped,
            earlier: earlier.collect::<Result<_, _>>()?,
        })
    }

    /// How many domains the answer is about.
    pub(super) fn all(&self) -> usize {
        self.domains.len() + self.known.len()
    }

    /// How many are still to be checked.
    pub(super) fn left(&self) -> usize {
        self.domains.len()
    }

    pub(super) fn domains(self) -> Vec<Domain> {
        self.domains
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

/// The rows of an unfinished run that need not be checked again, and how much of the file is whole: its last line may be
/// torn.
fn resumed(file: &Path) -> Result<(Vec<Row>, u64), Failure> {
    let opened = match File::open(file) {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), 0)),
        Err(error) => return Err(unread(file)(error)),
    };
    let (rows, whole, torn) = read(file, opened)?;
    // What is not ours is not cut off.
    if !(torn.starts_with(OURS) || OURS.starts_with(&torn)) {
        return Err(Failure::NotOurs(file.to_owned()));
    }
    // What could not be told is looked at again, and its later line counts.
    let mut last: HashMap<String, Row> = HashMap::new();
    for row in rows {
        last.insert(row.domain.clone(), row);
    }
    let told = last
        .into_values()
        .filter(|row| row.verdict != Verdict::Unreachable);
    Ok((told.collect(), whole))
}

/// An earlier run; of several lines about a domain the last counts.
fn run(file: &Path) -> Result<Vec<Row>, Failure> {
    let opened = File::open(file).map_err(unread(file))?;
    let (mut rows, _, torn) = read(file, opened)?;
    if !torn.is_empty() {
        rows.push(row(file, rows.len() + 1, &torn)?);
    }
    let mut last: HashMap<String, usize> = HashMap::new();
    for (place, row) in rows.iter().enumerate() {
        last.insert(row.domain.clone(), place);
    }
    let mut places = 0..;
    rows.retain(|row| places.next() == last.get(&row.domain).copied());
    Ok(rows)
}

/// The rows of all whole lines, the octets of these, and what follows the last.
fn read(file: &Path, opened: File) -> Result<(Vec<Row>, u64, Vec<u8>), Failure> {
    let mut input = BufReader::new(opened);
    let (mut rows, mut whole, mut line) = (Vec::new(), 0, Vec::new());
    for number in 1.. {
        line.clear();
        let length = input.read_until(b'\n', &mut line).map_err(unread(file))?;
        if line.pop_if(|last| *last == b'\n').is_none() {
            return Ok((rows, whole, line));
        }
        whole += u64::try_from(length).unwrap_or(u64::MAX);
        if !line.trim_ascii().is_empty() {
            rows.push(row(file, number, &line)?);
        }
    }
    Ok((rows, whole, line))
}

fn row(file: &Path, number: usize, line: &[u8]) -> Result<Row, Failure> {
    Row::read(line).map_err(|cause| Failure::Earlier {
        path: file.to_owned(),
        line: number,
        cause,
    })
}
