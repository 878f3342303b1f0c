//! Reads exceptions from other forms.

mod imported;
mod list;
mod postfix;

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use policy::list::{DomainList, NoList};
use policy::{ExceptedKind, ListedException};
use serde::Serialize;

use super::change::{Inserted, LONGEST_REASON, TakenUp, Terms, insert, reason, take_up};
use crate::commands::output;
use crate::config::Loaded;
use crate::exit::Verdict;
use crate::failure::Failure;
use imported::Imported;

/// The most entries of a file: each becomes an exception, which is tested daily and is written anew with each change. A list
/// is made for more.
const MOST: usize = 5_000;
/// The largest file, in octets.
const MOST_OCTETS: u64 = 16 * 1024 * 1024;

/// What to read, and what becomes of it.
#[derive(Debug, Args)]
pub(crate) struct ImportArguments {
    /// The file, or `-` for standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Its form; by default a file in which a level of Postfix follows a name is a Postfix table.
    #[arg(long, value_enum)]
    form: Option<FileForm>,

    /// The reason of an entry that has none in the file.
    #[arg(long, value_name = "WORDS", value_parser = reason)]
    reason: Option<String>,

    #[command(flatten)]
    terms: Terms,

    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// `--form`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FileForm {
    /// One domain a line.
    Danefail,
    /// A table as `smtp_tls_policy_maps` has it.
    Postfix,
}

/// The answer.
#[derive(Debug, Serialize)]
struct Answer {
    added: usize,
    changed: usize,
    unchanged: usize,
    /// Lines that are not understood.
    faults: Vec<String>,
    /// What an entry demanded of a server, and what is imported does not.
    weakened: Vec<String>,
    /// Attributes that are not taken over, and do not weaken anything.
    ignored: Vec<String>,
    /// For the policy file.
    rules: Vec<String>,
    in_force: bool,
}

/// `import`.
pub(super) fn run(arguments: &ImportArguments, loaded: &Loaded) -> Result<Verdict, Failure> {
    let text = read(&arguments.file)?;
    let form = arguments.form.unwrap_or_else(|| FileForm::of(&text));
    let imported = match form {
        FileForm::Danefail => list::read(&text),
        FileForm::Postfix => postfix::read(&text),
    };
    if arguments.form.is_none() && !imported.faults.is_empty() {
        output::notice(form.assumed());
    }
    if let Some(words) = no_list(&text, form, &imported) {
        output::notice(&format!("{}{words}; nothing was added", arguments.file.display()));
        return Ok(Verdict::Unusable);
    }
    if imported.excepted.len() > MOST {
        output::notice(&too_long(arguments, form, imported.excepted.len()));
        return Ok(Verdict::Unusable);
    }
    let default = arguments.reason.clone().unwrap_or_else(|| {
        let shown = arguments.file.display();
        format!("imported from {shown}")
    });
    let exceptions: Vec<ListedException> = imported
        .excepted
        .into_iter()
        .map(|(names, reason)| {
            let reason = reason.as_deref().unwrap_or(&default);
            let reason: String = reason.chars().take(LONGEST_REASON).collect();
            arguments.terms.exception(names, ExceptedKind::Domain, &reason)
        })
        .collect();
    let (inserted, taken_up) = if exceptions.is_empty() {
        (Inserted::default(), TakenUp::NoRelay)
    } else {
        (insert(loaded, exceptions)?, take_up(loaded)?)
    };
    let answer = Answer {
        added: inserted.added,
        changed: inserted.changed,
        unchanged: inserted.unchanged,
        faults: imported.faults,
        weakened: imported.weakened,
        ignored: imported.ignored,
        rules: imported.rules,
        in_force: taken_up == TakenUp::InForce,
    };
    for remark in answer
        .faults
        .iter()
        .chain(&answer.weakened)
        .chain(&answer.ignored)
    {
        output::notice(remark);
    }
    if arguments.json {
        output::write_json(&answer)?;
    } else {
        output::write(&words(&answer))?;
    }
    Ok(if answer.faults.is_empty() && answer.weakened.is_empty() {
        taken_up.verdict()
    } else {
        Verdict::Bad
    })
}

/// What to do with so many instead.
fn too_long(arguments: &ImportArguments, form: FileForm, entries: usize) -> String {
    let is_list = form == FileForm::Danefail && arguments.file.as_os_str() != "-";
    let (how, file) = if is_list {
        let path = std::path::absolute(&arguments.file).unwrap_or_else(|_| arguments.file.clone());
        ("name it in the policy file", path.display().to_string())
    } else {
        let how = "put the domains into a file, one on a line, and name that in the policy file";
        (how, "danefail.list".to_owned())
    };
    let dane = arguments.terms.dane();
    let file = toml::Value::String(file);
    format!(
        "{}: {entries} entries, and at most {MOST} are imported; nothing was added. Instead, {how}:\n\n\
         [[list]]\nkind = \"danefail\"\nfile = {file}\ndane = \"{dane}\"\n",
        arguments.file.display()
    )
}

fn words(answer: &Answer) -> String {
    let unchanged = match answer.unchanged {
        0 => String::new(),
        unchanged => format!(", unchanged: {unchanged}"),
    };
    let (added, changed) = (answer.added, answer.changed);
    let mut words = format!("added: {added}, changed: {changed}{unchanged}\n");
    if !answer.rules.is_empty() {
        words.push_str("\nFor the policy file, where they say the rest of what the table says:\n");
        for rule in &answer.rules {
            words.push('\n');
            words.push_str(rule);
        }
    }
    words
}

/// What is said of a file that is something else than what it was taken for. Each of its entries would turn DANE off for
/// somebody, so that it is not read for the lines that happen to be a name.
fn no_list(text: &str, form: FileForm, imported: &Imported) -> Option<&'static str> {
    match form {
        FileForm::Postfix => None,
        FileForm::Danefail => {
            let (list, bad) = DomainList::parse("", text);
            let found = NoList::of(text, &list, &bad).map(NoList::words);
            let is_mostly_wrong = imported.faults.len() > imported.excepted.len();
            found.or(is_mostly_wrong.then_some(" is no list of domains: most of its lines are no domain"))
        }
    }
}

fn read(path: &PathBuf) -> Result<String, Failure> {
    let read = if path.as_os_str() == "-" {
        text_of(io::stdin())
    } else {
        File::open(path).and_then(text_of)
    };
    read.map_err(|cause| Failure::Unread {
        path: path.clone(),
        cause,
    })
}

/// An octet that is not UTF-8 makes its line wrong, not the file; one that no text has, the file.
fn text_of(file: impl Read) -> io::Result<String> {
    let mut octets = Vec::new();
    file.take(MOST_OCTETS + 1).read_to_end(&mut octets)?;
    if octets.len() as u64 > MOST_OCTETS {
        return Err(io::Error::other(
            "larger than 16 MiB: a list of that size is named in the policy file, as a [[list]]",
        ));
    }
    if octets.contains(&0) {
        return Err(io::Error::other("it has NUL octets, as no text has"));
    }
    Ok(String::from_utf8_lossy(&octets).into_owned())
}

impl FileForm {
    fn of(text: &str) -> Self {
        if text.lines().any(postfix::is_entry) {
            Self::Postfix
        } else {
            Self::Danefail
        }
    }

    /// What is said when a file was taken for this form, and some of its lines do not fit.
    const fn assumed(self) -> &'static str {
        match self {
            Self::Danefail => "read as a list of domains, one a line; for a table of Postfix: --form postfix",
            Self::Postfix => {
                "read as a table of Postfix, because some lines have one of its levels; for a list of domains: --form danefail"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_level_makes_a_table_of_postfix() {
        for (text, form) in [
            ("a.example # may be\n", FileForm::Danefail),
            ("a.example\nz.example broken\n", FileForm::Danefail),
            ("# policy\na.example may\nz.example broken\n", FileForm::Postfix),
            ("a.example\tsecure match=nexthop\n", FileForm::Postfix),
        ] {
            assert_eq!(FileForm::of(text), form, "{text}");
        }
    }
}
