//! Loads the lists that a policy file names, and warns where they contradict each other or the rules.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mail::Domain;
use toml::Spanned;

use crate::list::{BadLines, DomainList, NoList};
use crate::mistake::Mistake;
use crate::notes::Notes;
use crate::pattern::Pattern;
use crate::policy::{LoadedList, Policy};
use crate::remote::{Fetched, Missing, RemoteList};
use crate::schema::{DomainRule, List, ListKind};
use crate::settings::DaneMode;
use crate::sources::Sources;
use crate::warning::{Remark, Warning};

/// At most this many names that stay strict despite one list are named; the rest are only counted.
const NAMES_SHOWN: usize = 20;

/// Loads all lists, strict ones first, then soft-fail, then danefail: the order in which they are consulted.
pub(crate) fn load(
    written: &[Spanned<List>],
    (directory, sources): (&Path, &Sources<'_>),
    policy: &mut Policy,
    notes: &mut Notes<'_>,
) {
    for list in written {
        check_dane(list.get_ref(), notes);
        match (&list.get_ref().file, &list.get_ref().url) {
            (Some(file), None) => {
                let loaded = load_file(list.get_ref(), file, (directory, sources), notes);
                policy.lists.extend(loaded);
            }
            (None, Some(url)) => {
                policy.remote.extend(RemoteList::of(list.get_ref()));
                policy
                    .lists
                    .extend(load_copy(list.get_ref(), url, sources, notes));
            }
            (Some(_), Some(_)) | (None, None) => notes.refuse(&list.span(), &Mistake::FileOrUrl),
        }
    }
    policy.lists.sort_by_key(|list| match list.kind {
        ListKind::Strict => 0,
        ListKind::SoftFail => 1,
        ListKind::Danefail => 2,
    });
}

fn check_dane(list: &List, notes: &mut Notes<'_>) {
    if let Some(dane) = list.dane.as_ref().filter(|_| list.kind != ListKind::Danefail) {
        notes.refuse(&dane.span(), &Mistake::DaneOfList(list.kind));
    }
}

fn load_file(
    list: &List,
    file: &Spanned<PathBuf>,
    (directory, sources): (&Path, &Sources<'_>),
    notes: &mut Notes<'_>,
) -> Option<LoadedList> {
    for (key, duration) in [("refresh", &list.refresh), ("max_age", &list.max_age)] {
        if let Some(duration) = duration {
            notes.warn(&duration.span(), Remark::OnlyWithUrl(key));
        }
    }
    let path = directory.join(file.get_ref());
    let (kind, place) = (list.kind, file.span());
    let text = match (sources.read)(&path) {
        Ok(text) => text,
        Err(error) => {
            unreadable(kind, path, error.to_string(), &place, notes);
            return None;
        }
    };
    let source = file.get_ref().display().to_string();
    let names = names(kind, &source, (path, &text), &place, notes)?;
    Some(LoadedList {
        kind,
        dane: meaning(list),
        names: Arc::new(names),
        copy: None,
    })
}

fn unreadable(kind: ListKind, path: PathBuf, error: String, place: &Range<usize>, notes: &mut Notes<'_>) {
    match kind {
        ListKind::Strict => notes.refuse(place, &Mistake::Unreadable { path, error }),
        ListKind::SoftFail | ListKind::Danefail => {
            notes.warn(place, Remark::Unreadable { kind, path, error });
        }
    }
}

/// The names in a text, if it is a list.
fn names(
    kind: ListKind,
    source: &str,
    (path, text): (PathBuf, &str),
    place: &Range<usize>,
    notes: &mut Notes<'_>,
) -> Option<DomainList> {
    let (names, bad) = DomainList::parse(source, text);
    if let Some(found) = NoList::of(text, &names, &bad) {
        match kind {
            ListKind::Strict => notes.refuse(place, &Mistake::NoList { path, found }),
            ListKind::SoftFail | ListKind::Danefail => {
                notes.warn(place, Remark::NoList { kind, path, found });
            }
        }
        return None;
    }
    remark_on_lines(&path, bad, notes);
    if names.is_empty() {
        notes.warn(place, Remark::EmptyList { kind, path });
    }
    Some(names)
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

/// The last good copy of a list with a URL. One that is too old is ignored, with an alarm, unless it is strict: without
/// it security would be lower.
fn load_copy(
    list: &List,
    url: &Spanned<String>,
    sources: &Sources<'_>,
    notes: &mut Notes<'_>,
) -> Option<LoadedList> {
    let (kind, place) = (list.kind, url.span());
    let remote = RemoteList::of(list)?;
    check_times(list, &remote, notes);
    let url = remote.url;
    let (path, text, age) = match (sources.fetched)(&url) {
        Fetched::Copy { path, text, age } => (path, text, age),
        Fetched::NoUrl(reason) => {
            notes.refuse(&place, &Mistake::Url(reason));
            return None;
        }
        Fetched::Unreadable(path, error) => {
            unreadable(kind, path, error.to_string(), &place, notes);
            return None;
        }
        Fetched::Never(Missing::Refused) if kind == ListKind::Strict => {
            notes.refuse(&place, &Mistake::NeverFetched(url));
            return None;
        }
        Fetched::Never(_) => {
            notes.warn(&place, Remark::NeverFetched(kind, url));
            return None;
        }
    };
    if age > remote.max_age {
        let days = age.as_secs() / 86_400;
        match kind {
            ListKind::Strict => notes.warn(
                &place,
                Remark::OldButStrict {
                    url: url.clone(),
                    days,
                },
            ),
            ListKind::SoftFail | ListKind::Danefail => {
                notes.warn(&place, Remark::TooOld { kind, url, days });
                return None;
            }
        }
    }
    let names = names(kind, &url, (path.clone(), &text), &place, notes)?;
    Some(LoadedList {
        kind,
        dane: meaning(list),
        names: Arc::new(names),
        copy: Some(path.into()),
    })
}

fn check_times(list: &List, remote: &RemoteList, notes: &mut Notes<'_>) {
    if let Some(refresh) = list.refresh.as_ref().filter(|_| remote.refresh.is_zero()) {
        notes.refuse(&refresh.span(), &Mistake::Refresh);
    }
    if let Some(max_age) = list.max_age.as_ref().filter(|_| remote.max_age < remote.refresh) {
        notes.warn(&max_age.span(), Remark::ShortMaxAge);
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
        remark_on_strict_rule(weaker, rule, policy, notes);
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

/// A rule that is weaker than a strict list requires for some of the names that it is about.
fn remark_on_rule(strict: &DomainList, rule: &Spanned<DomainRule>, notes: &mut Notes<'_>) {
    let Some(mode) = rule.get_ref().dane.filter(|mode| *mode != DaneMode::Strict) else {
        return;
    };
    let list = strict.source();
    let (named, further) = listed(strict, &rule.get_ref().matches.0, |_| true);
    for (name, line) in named {
        let remark = Remark::RuleUnderStrict {
            name: name.to_string(),
            mode,
            list: list.clone(),
            line,
        };
        notes.warn(&rule.span(), remark);
    }
    if further > 0 {
        let remark = Remark::RuleUnderStrictOnMore {
            count: further,
            mode,
            list: list.clone(),
        };
        notes.warn(&rule.span(), remark);
    }
}

/// A rule that makes names strict although a weaker list has them.
fn remark_on_strict_rule(
    weaker: &LoadedList,
    rule: &Spanned<DomainRule>,
    policy: &Policy,
    notes: &mut Notes<'_>,
) {
    if rule.get_ref().dane != Some(DaneMode::Strict) {
        return;
    }
    // A more specific rule may say otherwise.
    let is_strict = |name: &Domain| policy.mode_by_rules_and_lists(name).0 == DaneMode::Strict;
    let (kind, list) = (weaker.kind, weaker.names.source());
    let (shown, more) = listed(&weaker.names, &rule.get_ref().matches.0, is_strict);
    for (name, line) in shown {
        let remark = Remark::StaysStrict {
            name: name.to_string(),
            kind,
            list: list.clone(),
            line,
        };
        notes.warn(&rule.span(), remark);
    }
    if more > 0 {
        let list = list.clone();
        let count = more;
        notes.warn(&rule.span(), Remark::StayStrict { count, kind, list });
    }
}

/// The first entries of a list that a rule with these patterns is about, with their lines, and how many more there are.
fn listed(
    list: &DomainList,
    patterns: &[Pattern],
    fits: impl Fn(&Domain) -> bool,
) -> (Vec<(Domain, usize)>, usize) {
    let mut shown = Vec::new();
    let mut more = 0_usize;
    let mut note = |name: Domain, line: usize| {
        if !fits(&name) {
            return;
        }
        if shown.len() < NAMES_SHOWN {
            shown.push((name, line));
        } else {
            more = more.saturating_add(1);
        }
    };
    let mut parents = Vec::new();
    for pattern in patterns {
        match pattern {
            Pattern::Exactly(name) => {
                if let Some(line) = list.line_of(name) {
                    note(name.clone(), line);
                }
            }
            Pattern::Below(parent) => parents.push(parent),
        }
    }
    // A list may have a million entries: nobody goes through them for a rule about single names.
    if !parents.is_empty() {
        for (name, line) in list.iter() {
            let is_below = |parent: &Domain| {
                let rest = name.strip_suffix(parent.as_str());
                rest.is_some_and(|rest| rest.ends_with('.'))
            };
            if parents.iter().any(|parent| is_below(parent))
                && let Ok(name) = Domain::parse(name)
            {
                note(name, line);
            }
        }
    }
    (shown, more)
}
