//! Reads exceptions from other forms.

use std::io::{self, Read as _};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use policy::pattern::Pattern;
use policy::{ExceptedKind, ListedException};
use serde::Serialize;

use super::change::{Inserted, TakenUp, Terms, insert, take_up};
use crate::commands::output;
use crate::config::Loaded;
use crate::exit::Verdict;
use crate::failure::Failure;

/// What to read, and what becomes of it.
#[derive(Debug, Args)]
pub(crate) struct ImportArguments {
    /// The file, or `-` for standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Its form; by default a file in which a line has two words is a Postfix table.
    #[arg(long, value_enum)]
    form: Option<FileForm>,

    /// The reason of an entry that has none in the file.
    #[arg(long, value_name = "WORDS")]
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

/// What a file says.
#[derive(Debug, Default)]
struct Imported {
    /// Names, and the reason of each, if the file has one.
    excepted: Vec<(Pattern, Option<String>)>,
    /// Rules for the policy file.
    rules: Vec<String>,
    /// Lines that are not understood.
    faults: Vec<String>,
}

/// The answer.
#[derive(Debug, Serialize)]
struct Answer {
    added: usize,
    changed: usize,
    faults: Vec<String>,
    /// For the policy file.
    rules: Vec<String>,
    in_force: bool,
}

/// `import`.
pub(super) fn run(arguments: &ImportArguments, loaded: &Loaded) -> Result<Verdict, Failure> {
    let text = read(&arguments.file)?;
    let form = arguments.form.unwrap_or_else(|| FileForm::of(&text));
    let imported = match form {
        FileForm::Danefail => danefail(&text),
        FileForm::Postfix => postfix(&text),
    };
    let default = arguments.reason.clone().unwrap_or_else(|| {
        let shown = arguments.file.display();
        format!("imported from {shown}")
    });
    let exceptions: Vec<ListedException> = imported
        .excepted
        .into_iter()
        .map(|(names, reason)| {
            let reason = reason.as_deref().unwrap_or(&default);
            arguments.terms.exception(names, ExceptedKind::Domain, reason)
        })
        .collect();
    let (Inserted { added, changed }, taken_up) = if exceptions.is_empty() {
        (Inserted::default(), TakenUp::NoRelay)
    } else {
        (insert(loaded, exceptions)?, take_up(loaded)?)
    };
    let answer = Answer {
        added,
        changed,
        faults: imported.faults,
        rules: imported.rules,
        in_force: taken_up == TakenUp::InForce,
    };
    for fault in &answer.faults {
        output::notice(fault);
    }
    if arguments.json {
        output::write_json(&answer)?;
    } else {
        output::write(&words(&answer))?;
    }
    Ok(if answer.faults.is_empty() {
        taken_up.verdict()
    } else {
        Verdict::Bad
    })
}

fn words(answer: &Answer) -> String {
    let mut words = format!("added: {}, changed: {}\n", answer.added, answer.changed);
    if !answer.rules.is_empty() {
        words.push_str("\nFor the policy file, where they say the rest of what the table says:\n");
        for rule in &answer.rules {
            words.push('\n');
            words.push_str(rule);
        }
    }
    words
}

fn read(path: &PathBuf) -> Result<String, Failure> {
    let unreadable = |cause| Failure::Unread {
        path: path.clone(),
        cause,
    };
    let octets = if path.as_os_str() == "-" {
        let mut octets = Vec::new();
        io::stdin().read_to_end(&mut octets).map_err(unreadable)?;
        octets
    } else {
        std::fs::read(path).map_err(unreadable)?
    };
    Ok(String::from_utf8_lossy(&octets).into_owned())
}

impl FileForm {
    fn of(text: &str) -> Self {
        let has_two_words = |line: &str| {
            let line = line.split('#').next().unwrap_or_default();
            line.split_whitespace().nth(1).is_some()
        };
        if text.lines().any(has_two_words) {
            Self::Postfix
        } else {
            Self::Danefail
        }
    }
}

/// One domain a line. What stands behind it, or else in the comment before it, is the reason.
fn danefail(text: &str) -> Imported {
    let mut imported = Imported::default();
    let (mut comment, mut is_new): (Vec<&str>, bool) = (Vec::new(), true);
    for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let (name, behind) = match line.split_once('#') {
            Some((name, behind)) => (name.trim(), behind.trim_matches(['#', ' ', '\t', '-'])),
            None => (line.trim(), ""),
        };
        if name.is_empty() {
            if is_new && !behind.is_empty() {
                comment.clear();
            }
            is_new = is_new && behind.is_empty();
            if !behind.is_empty() {
                comment.push(behind);
            }
            continue;
        }
        is_new = true;
        match name.parse() {
            Ok(pattern) => {
                let reason = Some(behind).filter(|behind| !behind.is_empty());
                let reason = reason.or(comment.first().copied()).map(str::to_owned);
                imported.excepted.push((pattern, reason));
            }
            Err(error) => imported.faults.push(format!("line {number}: {error}")),
        }
    }
    imported
}

/// A table of Postfix: a next hop and its level (`postconf(5)`, `smtp_tls_policy_maps`). Lines that begin with blanks
/// continue the one before.
fn postfix(text: &str) -> Imported {
    let mut imported = Imported::default();
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        match lines.last_mut() {
            Some((_, before)) if line.starts_with([' ', '\t']) => before.push_str(line),
            Some(_) | None => lines.push((number, line.to_owned())),
        }
    }
    for (number, line) in lines {
        if let Err(fault) = entry(&line, &mut imported) {
            imported.faults.push(format!("line {number}: {fault}"));
        }
    }
    imported
}

fn entry(line: &str, imported: &mut Imported) -> Result<(), String> {
    let mut words = line.split_whitespace();
    let (Some(name), Some(level)) = (words.next(), words.next()) else {
        return Err("allowed: a domain and a level".to_owned());
    };
    if name.starts_with('[') || name.contains(':') {
        return Err(format!(
            "{name} is a next hop of its own: here rules are about the recipient's domain, and a [[domain]] with route is needed"
        ));
    }
    let names: Pattern = name.parse().map_err(|error| format!("{name}: {error}"))?;
    let mut rule = |keys: &str| {
        let rule = format!("[[domain]]\nmatch = \"{names}\"\n{keys}");
        imported.rules.push(rule);
    };
    let is_weaker = match level {
        "none" => {
            rule("tls = \"off\"\n");
            true
        }
        "may" => true,
        "encrypt" => {
            rule("tls = \"encrypt\"\n");
            true
        }
        "dane" => false,
        "dane-only" => {
            rule("dane = \"strict\"\n");
            false
        }
        "verify" | "secure" => {
            rule("tls = \"verify\"\n");
            false
        }
        "fingerprint" => return Err(format!("{name}: there is no level fingerprint here")),
        other => return Err(format!("{name}: {other:?} is no level of Postfix")),
    };
    if is_weaker {
        imported
            .excepted
            .push((names, Some(format!("{level} in Postfix's smtp_tls_policy_maps"))));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(imported: &Imported) -> Vec<(String, &str)> {
        let excepted = imported.excepted.iter();
        excepted
            .map(|(names, reason)| (names.to_string(), reason.as_deref().unwrap_or("-")))
            .collect()
    }

    #[test]
    fn comments_of_a_list_are_its_reasons() {
        let text = "# -----\n# DNS problems\n#\n## more\nA.example\nb.example # no denial\n\n## Sites at c\n# more\n\nc.example\nno name\n";
        assert_eq!(FileForm::of("a.example # two words\n"), FileForm::Danefail);
        let imported = danefail(text);
        assert_eq!(
            shown(&imported),
            [
                ("a.example".to_owned(), "DNS problems"),
                ("b.example".to_owned(), "no denial"),
                ("c.example".to_owned(), "Sites at c"),
            ]
        );
        assert_eq!(imported.faults.len(), 1);
        assert!(imported.faults.iter().all(|fault| fault.starts_with("line 12: ")));
    }

    #[test]
    fn a_table_of_postfix_is_exceptions_and_rules() {
        let text = "# policy\nweak.example may\n.below.example  none\nenc.example\n  encrypt ciphers=high\n\
                    strict.example dane-only\nsure.example secure match=nexthop\ndane.example dane\n\
                    [mx.example]:587 encrypt\nfinger.example fingerprint\nodd.example maybe\n";
        assert_eq!(FileForm::of(text), FileForm::Postfix);
        let imported = postfix(text);
        let names: Vec<String> = shown(&imported).into_iter().map(|(names, _)| names).collect();
        assert_eq!(names, ["weak.example", ".below.example", "enc.example"]);
        assert_eq!(
            imported.rules,
            [
                "[[domain]]\nmatch = \".below.example\"\ntls = \"off\"\n",
                "[[domain]]\nmatch = \"enc.example\"\ntls = \"encrypt\"\n",
                "[[domain]]\nmatch = \"strict.example\"\ndane = \"strict\"\n",
                "[[domain]]\nmatch = \"sure.example\"\ntls = \"verify\"\n",
            ]
        );
        let places: Vec<&str> = imported
            .faults
            .iter()
            .filter_map(|fault| fault.split(':').next())
            .collect();
        assert_eq!(places, ["line 9", "line 10", "line 11"]);
    }
}
