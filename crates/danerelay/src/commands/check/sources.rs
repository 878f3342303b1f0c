//! What is read before anything is looked up: the domains, and earlier runs.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use mail::Domain;
use policy::list::DomainList;

use super::arguments::CheckArguments;
use crate::check::Row;
use crate::commands::output::notice;
use crate::failure::Failure;

/// The domains to check, and what is known of earlier runs.
pub(super) struct Sources {
    /// Each once, in order, without those that are known.
    domains: Vec<Domain>,
    /// Those whose results `--resume` has already.
    pub(super) known: Vec<Row>,
    /// The octets of that file that are whole lines.
    pub(super) whole: u64,
    /// `--compare`: each earlier run.
    pub(super) earlier: Vec<Vec<Row>>,
}

impl Sources {
    pub(super) fn read(arguments: &CheckArguments) -> Result<Self, Failure> {
        let mut all = arguments.domains.clone();
        if let Some(file) = &arguments.file {
            all.extend(list(file)?);
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

fn list(file: &Path) -> Result<Vec<Domain>, Failure> {
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
    Ok(list
        .iter()
        .filter_map(|(name, _)| Domain::parse(name).ok())
        .collect())
}

/// The rows of an unfinished run, and how much of the file is whole: its last line may be torn.
fn resumed(file: &Path) -> Result<(Vec<Row>, u64), Failure> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), 0)),
        Err(error) => return Err(unread(file)(error)),
    };
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    let rows = rows(file, text.get(..whole).unwrap_or_default())?;
    Ok((rows, u64::try_from(whole).unwrap_or(u64::MAX)))
}

fn run(file: &Path) -> Result<Vec<Row>, Failure> {
    rows(file, &fs::read_to_string(file).map_err(unread(file))?)
}

fn rows(file: &Path, text: &str) -> Result<Vec<Row>, Failure> {
    let lines = (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty());
    let rows = lines.map(|(number, line)| {
        Row::read(line).map_err(|cause| Failure::Earlier {
            path: file.to_owned(),
            line: number,
            cause,
        })
    });
    rows.collect()
}
