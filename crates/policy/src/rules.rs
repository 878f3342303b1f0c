//! `[default]`, `[[domain]]` and `[[mx]]`, each key by itself.

use mail::{Domain, NextHop};

use crate::pattern::{Pattern, PatternMap};
use crate::settings::{DaneMode, InsecureMx, Key, Limits, Lines, MtaStsMode, Route, TlsFloor};

/// What applies unless something else sets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Defaults {
    pub(crate) dane: DaneMode,
    pub(crate) insecure_mx: InsecureMx,
    pub(crate) tls: TlsFloor,
    pub(crate) mta_sts: MtaStsMode,
    pub(crate) honor_tls_required_no: bool,
    pub(crate) route: Option<Route>,
    pub(crate) fallback: Option<NextHop>,
    /// Where the policy file sets them.
    pub(crate) lines: Lines,
}

impl Default for Defaults {
    /// `dane`: RFC 7672 §2.2 makes opportunistic DANE the protocol. `insecure_mx`: RFC 7672 §2.2.1 leaves it to the
    /// client, and a host's secure TLSA records are worth honouring. `tls`: RFC 7435. `mta_sts`: RFC 8461 §5.
    /// `honor_tls_required_no`: RFC 8689 §4.2.
    fn default() -> Self {
        Self {
            dane: DaneMode::Opportunistic,
            insecure_mx: InsecureMx::Dane,
            tls: TlsFloor::May,
            mta_sts: MtaStsMode::Enforce,
            honor_tls_required_no: true,
            route: None,
            fallback: None,
            lines: Lines::new(),
        }
    }
}

/// One `[[domain]]` table: only the keys that it sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    /// The line on which it begins, from 1.
    pub(crate) line: usize,
    pub(crate) dane: Option<DaneMode>,
    pub(crate) insecure_mx: Option<InsecureMx>,
    pub(crate) tls: Option<TlsFloor>,
    pub(crate) mta_sts: Option<MtaStsMode>,
    pub(crate) honor_tls_required_no: Option<bool>,
    pub(crate) route: Option<Route>,
    pub(crate) fallback: Option<NextHop>,
    pub(crate) limits: Limits,
}

/// One `[[mx]]` table: only the keys that it sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostRule {
    /// The line on which it begins, from 1.
    pub(crate) line: usize,
    pub(crate) limits: Limits,
}

/// A table of the policy file that says something about the names that it matches.
pub(crate) trait Keys {
    /// The line on which it begins, from 1.
    fn line(&self) -> usize;
    /// The keys that it sets.
    fn set(&self) -> Vec<Key>;
}

impl Keys for Rule {
    fn line(&self) -> usize {
        self.line
    }

    fn set(&self) -> Vec<Key> {
        let Self {
            line: _,
            dane,
            insecure_mx,
            tls,
            mta_sts,
            honor_tls_required_no,
            route,
            fallback,
            limits,
        } = self;
        let own = [
            (Key::Dane, dane.is_some()),
            (Key::InsecureMx, insecure_mx.is_some()),
            (Key::Tls, tls.is_some()),
            (Key::MtaSts, mta_sts.is_some()),
            (Key::HonorTlsRequiredNo, honor_tls_required_no.is_some()),
            (Key::Route, route.is_some()),
            (Key::Fallback, fallback.is_some()),
        ];
        let all = own.into_iter().chain(limits_set(*limits));
        all.filter_map(|(key, is_set)| is_set.then_some(key)).collect()
    }
}

impl Keys for HostRule {
    fn line(&self) -> usize {
        self.line
    }

    fn set(&self) -> Vec<Key> {
        let Self { line: _, limits } = self;
        let all = limits_set(*limits).into_iter();
        all.filter_map(|(key, is_set)| is_set.then_some(key)).collect()
    }
}

fn limits_set(limits: Limits) -> [(Key, bool); 2] {
    let Limits {
        connections,
        messages_per_minute,
    } = limits;
    [
        (Key::Connections, connections.is_some()),
        (Key::MessagesPerMinute, messages_per_minute.is_some()),
    ]
}

/// Two rules that set the same key differently for the same pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Clash {
    pub(crate) key: Key,
    /// Where the other rule begins.
    pub(crate) line: usize,
}

/// All `[[domain]]` rules, or all `[[mx]]` rules.
#[derive(Debug, Clone)]
pub(crate) struct Rules<R = Rule> {
    rules: Vec<R>,
    by_name: PatternMap<usize>,
}

impl<R> Default for Rules<R> {
    fn default() -> Self {
        Self {
            rules: Vec::new(),
            by_name: PatternMap::default(),
        }
    }
}

impl<R: Keys> Rules<R> {
    /// Adds a rule under each of its patterns.
    pub(crate) fn add(&mut self, patterns: &[Pattern], rule: R) -> Vec<Clash> {
        let (number, keys) = (self.rules.len(), rule.set());
        let mut clashes = Vec::new();
        for pattern in patterns {
            let same = self.by_name.same(pattern);
            clashes.extend(same.iter().filter_map(|index| {
                let other = self.rules.get(*index)?;
                let (line, theirs) = (other.line(), other.set());
                // It would be unclear which of them applies.
                let key = *keys.iter().find(|key| theirs.contains(key))?;
                Some(Clash { key, line })
            }));
            if !same.contains(&number) {
                self.by_name.insert(pattern, number);
            }
        }
        self.rules.push(rule);
        clashes
    }
}

impl<R> Rules<R> {
    /// The rules for a name: they are looked for once, whatever is then read from them.
    pub(crate) fn matching(&self, name: &Domain) -> Matching<'_, R> {
        let mut found = self
            .by_name
            .matching(name)
            .filter_map(|index| self.rules.get(*index));
        Matching {
            first: found.next(),
            more: found.collect(),
        }
    }

    /// All of them, in the order of the file.
    pub(crate) fn all(&self) -> impl Iterator<Item = &R> {
        self.rules.iter()
    }

    /// The names that rules are about, without those that are only below a name.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.names()
    }
}

/// The rules for one name, the most specific first; most names have none or one, which costs no memory.
pub(crate) struct Matching<'a, R> {
    first: Option<&'a R>,
    more: Vec<&'a R>,
}

impl<R> Matching<'_, R> {
    /// The value from the first rule that sets the key read by `key`.
    pub(crate) fn find<T>(&self, key: impl Fn(&R) -> Option<T>) -> Option<T> {
        let all = self.first.iter().chain(&self.more);
        all.copied().find_map(key)
    }

    /// Where the rules set their keys.
    pub(crate) fn lines(&self) -> Lines
    where
        R: Keys,
    {
        let mut lines = Lines::new();
        for rule in self.first.iter().chain(&self.more) {
            for key in rule.set() {
                lines.entry(key).or_insert_with(|| rule.line());
            }
        }
        lines
    }

    /// The limits, each key by itself.
    pub(crate) fn limits(&self, of: impl Fn(&R) -> Limits) -> Limits {
        Limits {
            connections: self.find(|rule| of(rule).connections),
            messages_per_minute: self.find(|rule| of(rule).messages_per_minute),
        }
    }
}
