//! Loads the lists that a policy file names, and warns where they contradict each other or the rules.

use std::collections::HashMap;
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
        remark_on_rules(&strict.names, rules, notes);
    }
    for weaker in &weaker {
        remark_on_strict_rules(weaker, rules, policy, notes);
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

/// Rules that are weaker than a strict list requires for some of the names that they are about.
fn remark_on_rules(strict: &DomainList, rules: &[Spanned<DomainRule>], notes: &mut Notes<'_>) {
    let weak = |rule: &&Spanned<DomainRule>| {
        let mode = rule.get_ref().dane;
        mode.is_some_and(|mode| mode != DaneMode::Strict)
    };
    let list = strict.source();
    for concerned in concerned(strict, rules.iter().filter(weak), |_| true) {
        let span = concerned.rule.span();
        let Some(mode) = concerned.rule.get_ref().dane else {
            continue;
        };
        for (name, line) in concerned.first {
            let remark = Remark::RuleUnderStrict {
                name: name.to_string(),
                mode,
                list: list.clone(),
                line,
            };
            notes.warn(&span, remark);
        }
        if concerned.further > 0 {
            let remark = Remark::RuleUnderStrictOnMore {
                count: concerned.further,
                mode,
                list: list.clone(),
            };
            notes.warn(&span, remark);
        }
    }
}

/// Rules that make names strict although a weaker list has them.
fn remark_on_strict_rules(
    weaker: &LoadedList,
    rules: &[Spanned<DomainRule>],
    policy: &Policy,
    notes: &mut Notes<'_>,
) {
    let strict = |rule: &&Spanned<DomainRule>| rule.get_ref().dane == Some(DaneMode::Strict);
    // A more specific rule may say otherwise.
    let is_strict = |name: &Domain| policy.mode_by_rules_and_lists(name).0 == DaneMode::Strict;
    let (kind, list) = (weaker.kind, weaker.names.source());
    for concerned in concerned(&weaker.names, rules.iter().filter(strict), is_strict) {
        let span = concerned.rule.span();
        for (name, line) in concerned.first {
            let remark = Remark::StaysStrict {
                name: name.to_string(),
                kind,
                list: list.clone(),
                line,
            };
            notes.warn(&span, remark);
        }
        if concerned.further > 0 {
            let (count, list) = (concerned.further, list.clone());
            notes.warn(&span, Remark::StayStrict { count, kind, list });
        }
    }
}

/// The entries of a list that a rule is about.
struct Concerned<'a> {
    rule: &'a Spanned<DomainRule>,
    /// The first of them, with their lines.
    first: Vec<(Domain, usize)>,
    /// How many more there are.
    further: usize,
}

impl Concerned<'_> {
    fn note(&mut self, name: &Domain, line: usize) {
        if self.first.len() < NAMES_SHOWN {
            self.first.push((name.clone(), line));
        } else {
            self.further = self.further.saturating_add(1);
        }
    }
}

/// Which entries of a list these rules are about, as far as they fit. The list, which may have a million entries, is gone
/// through once for all rules, and not at all for those about single names.
fn concerned<'a>(
    list: &DomainList,
    rules: impl Iterator<Item = &'a Spanned<DomainRule>>,
    fits: impl Fn(&Domain) -> bool,
) -> Vec<Concerned<'a>> {
    let mut all: Vec<Concerned<'a>> = Vec::new();
    let mut below: HashMap<&'a str, Vec<usize>> = HashMap::new();
    for (number, rule) in rules.enumerate() {
        let (first, further) = (Vec::new(), 0);
        let mut concerned = Concerned { rule, first, further };
        for pattern in &rule.get_ref().matches.0 {
            match pattern {
                Pattern::Exactly(name) => {
                    if let Some(line) = list.line_of(name)
                        && fits(name)
                    {
                        concerned.note(name, line);
                    }
                }
                Pattern::Below(parent) => below.entry(parent.as_str()).or_default().push(number),
            }
        }
        all.push(concerned);
    }
    if below.is_empty() {
        return all;
    }
    for (name, line) in list.iter() {
        let parents = std::iter::successors(parent(name), |name| parent(name));
        let mut about = parents
            .filter_map(|parent| below.get(parent))
            .flatten()
            .peekable();
        if about.peek().is_none() {
            continue;
        }
        let Ok(name) = Domain::parse(name) else {
            continue;
        };
        if !fits(&name) {
            continue;
        }
        for number in about {
            if let Some(concerned) = all.get_mut(*number) {
                concerned.note(&name, line);
            }
        }
    }
    all
}

/// The name without its first label.
fn parent(name: &str) -> Option<&str> {
    name.split_once('.').map(|(_, parent)| parent)
}
