//! Loads the lists that a policy file names, and warns where they contradict each other or the rules.

use std::io;
use std::path::{Path, PathBuf};

use mail::Domain;
use toml::Spanned;

use crate::list::{BadLines, DomainList, NoList};
use crate::mistake::Mistake;
use crate::notes::Notes;
use crate::pattern::Pattern;
use crate::policy::{LoadedList, Policy};
use crate::schema::{DomainRule, List, ListKind};
use crate::settings::DaneMode;
use crate::warning::{Remark, Warning};

/// At most this many names that stay strict despite one list are named; the rest are only counted.
const NAMES_SHOWN: usize = 20;

/// Loads all lists, strict ones first, then soft-fail, then danefail: the order in which they are consulted.
pub(crate) fn load(
    written: &[Spanned<List>],
    directory: &Path,
    read: &dyn Fn(&Path) -> io::Result<String>,
    notes: &mut Notes<'_>,
) -> Vec<LoadedList> {
    let mut lists = Vec::new();
    for list in written {
        check_dane(list.get_ref(), notes);
        match (&list.get_ref().file, &list.get_ref().url) {
            (Some(file), None) => lists.extend(load_file(list.get_ref(), file, directory, read, notes)),
            (None, Some(url)) => check_url(list.get_ref(), url, notes),
            (Some(_), Some(_)) | (None, None) => notes.refuse(&list.span(), &Mistake::FileOrUrl),
        }
    }
    lists.sort_by_key(|list| match list.kind {
        ListKind::Strict => 0,
        ListKind::SoftFail => 1,
        ListKind::Danefail => 2,
    });
    lists
}

fn check_dane(list: &List, notes: &mut Notes<'_>) {
    if let Some(dane) = list.dane.as_ref().filter(|_| list.kind != ListKind::Danefail) {
        notes.refuse(&dane.span(), &Mistake::DaneOfList(list.kind));
    }
}

fn load_file(
    list: &List,
    file: &Spanned<PathBuf>,
    directory: &Path,
    read: &dyn Fn(&Path) -> io::Result<String>,
    notes: &mut Notes<'_>,
) -> Option<LoadedList> {
    for (key, duration) in [("refresh", &list.refresh), ("max_age", &list.max_age)] {
        if let Some(duration) = duration {
            notes.warn(&duration.span(), Remark::OnlyWithUrl(key));
        }
    }
    let path = directory.join(file.get_ref());
    let (kind, place) = (list.kind, file.span());
    let text = match read(&path) {
        Ok(text) => text,
        Err(error) => {
            let error = error.to_string();
            match kind {
                ListKind::Strict => notes.refuse(&place, &Mistake::Unreadable { path, error }),
                ListKind::SoftFail | ListKind::Danefail => {
                    notes.warn(&place, Remark::Unreadable { kind, path, error });
                }
            }
            return None;
        }
    };
    let (names, bad) = DomainList::parse(&file.get_ref().display().to_string(), &text);
    if let Some(found) = NoList::of(&text, &names, &bad) {
        match kind {
            ListKind::Strict => notes.refuse(&place, &Mistake::NoList { path, found }),
            ListKind::SoftFail | ListKind::Danefail => {
                notes.warn(&place, Remark::NoList { kind, path, found });
            }
        }
        return None;
    }
    remark_on_lines(&path, bad, notes);
    if names.is_empty() {
        notes.warn(&place, Remark::EmptyList { kind, path });
    }
    Some(LoadedList {
        kind,
        dane: meaning(list),
        names,
    })
}

/// The mode that an entry stands for; for danefail, unless the list says otherwise: no DANE.
fn meaning(list: &List) -> DaneMode {
    match list.kind {
        ListKind::Strict => DaneMode::Strict,
        ListKind::SoftFail => DaneMode::SoftFail,
        ListKind::Danefail => list
            .dane
            .as_ref()
            .map_or(DaneMode::Off, |dane| (*dane.get_ref()).into()),
    }
}

/// Lists by URL are not available yet: without a strict list security would be lower, without any other it is not.
fn check_url(list: &List, url: &Spanned<String>, notes: &mut Notes<'_>) {
    if !url.get_ref().starts_with("https://") {
        notes.refuse(&url.span(), &Mistake::NotHttps);
        return;
    }
    match list.kind {
        ListKind::Strict => notes.refuse(&url.span(), &Mistake::StrictUrl),
        ListKind::SoftFail | ListKind::Danefail => notes.warn(&url.span(), Remark::NotAvailable("url")),
    }
}

fn remark_on_lines(path: &Path, bad: BadLines, notes: &mut Notes<'_>) {
    let file = path.display().to_string();
    let last = bad.first.last().map_or(1, |bad| bad.line);
    for line in bad.first {
        notes.warnings.push(Warning {
            file: file.clone(),
            line: line.line,
            remark: Remark::BadLine(line.error),
        });
    }
    if bad.more > 0 {
        notes.warnings.push(Warning {
            file,
            line: last,
            remark: Remark::BadLines(bad.more),
        });
    }
}

/// Warns about lists and rules that would weaken what is strict; it stays strict.
pub(crate) fn remark(policy: &Policy, rules: &[Spanned<DomainRule>], notes: &mut Notes<'_>) {
    let (strict, weaker): (Vec<_>, Vec<_>) = policy
        .lists
        .iter()
        .partition(|list| list.kind == ListKind::Strict);
    for strict in strict {
        for weaker in &weaker {
            overlap(strict, weaker, notes);
        }
        for rule in rules {
            remark_on_rule(&strict.names, rule, notes);
        }
    }
    for (weaker, rule) in weaker
        .iter()
        .flat_map(|list| rules.iter().map(move |rule| (list, rule)))
    {
        remark_on_strict_rule(weaker, rule, notes);
    }
    if policy.defaults.dane == DaneMode::Strict
        && let Some(list) = weaker.first()
    {
        let file = notes.file.clone();
        let remark = Remark::UnderStrictDefault(list.kind);
        notes.warnings.push(Warning {
            file,
            line: 1,
            remark,
        });
    }
}

/// Warns about each name that is on both lists, at its line in the strict one.
fn overlap(strict: &LoadedList, weaker: &LoadedList, notes: &mut Notes<'_>) {
    let kind = weaker.kind;
    let list = weaker.names.source();
    let mut both = weaker.names.iter().filter_map(|(name, line_there)| {
        let line = strict.names.line_of(&Domain::parse(name).ok()?)?;
        Some((line, name, line_there))
    });
    let mut warn = |line, remark| {
        notes.warnings.push(Warning {
            file: strict.names.source().to_string(),
            line,
            remark,
        });
    };
    for (line, name, line_there) in both.by_ref().take(NAMES_SHOWN) {
        let remark = Remark::StaysStrict {
            name: name.to_owned(),
            kind,
            list: list.clone(),
            line: line_there,
        };
        warn(line, remark);
    }
    if let Some((line, _, _)) = both.next() {
        let count = both.count() + 1;
        let list = list.clone();
        warn(line, Remark::StayStrict { count, kind, list });
    }
}

fn remark_on_rule(strict: &DomainList, rule: &Spanned<DomainRule>, notes: &mut Notes<'_>) {
    let Some(mode) = rule.get_ref().dane.filter(|mode| *mode != DaneMode::Strict) else {
        return;
    };
    for pattern in &rule.get_ref().matches.0 {
        let Pattern::Exactly(name) = pattern else { continue };
        if let Some(line) = strict.line_of(name) {
            let remark = Remark::RuleUnderStrict {
                name: name.to_string(),
                mode,
                list: strict.source().clone(),
                line,
            };
            notes.warn(&rule.span(), remark);
        }
    }
}

/// A rule that makes a name strict although a weaker list has it.
fn remark_on_strict_rule(weaker: &LoadedList, rule: &Spanned<DomainRule>, notes: &mut Notes<'_>) {
    if rule.get_ref().dane != Some(DaneMode::Strict) {
        return;
    }
    for pattern in &rule.get_ref().matches.0 {
        let Pattern::Exactly(name) = pattern else { continue };
        if let Some(line) = weaker.names.line_of(name) {
            let remark = Remark::StaysStrict {
                name: name.to_string(),
                kind: weaker.kind,
                list: weaker.names.source().clone(),
                line,
            };
            notes.warn(&rule.span(), remark);
        }
    }
}
