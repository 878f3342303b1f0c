//! `[default]` and `[[domain]]`, each key by itself.

use mail::{Domain, NextHop};

use crate::pattern::{Pattern, PatternMap};
use crate::settings::{DaneMode, InsecureMx, MtaStsMode, TlsFloor};

/// What applies unless something else sets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Defaults {
    pub(crate) dane: DaneMode,
    pub(crate) insecure_mx: InsecureMx,
    pub(crate) tls: TlsFloor,
    pub(crate) mta_sts: MtaStsMode,
    pub(crate) honor_tls_required_no: bool,
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
    pub(crate) route: Option<NextHop>,
}

impl Rule {
    /// Whether it sets no key.
    pub(crate) fn sets_nothing(&self) -> bool {
        let Self {
            line: _,
            dane,
            insecure_mx,
            tls,
            mta_sts,
            honor_tls_required_no,
            route,
        } = self;
        dane.is_none()
            && insecure_mx.is_none()
            && tls.is_none()
            && mta_sts.is_none()
            && honor_tls_required_no.is_none()
            && route.is_none()
    }

    /// The first key that both set: it would be unclear which one applies.
    fn clash(&self, other: &Self) -> Option<&'static str> {
        [
            ("dane", self.dane.is_some() && other.dane.is_some()),
            (
                "insecure_mx",
                self.insecure_mx.is_some() && other.insecure_mx.is_some(),
            ),
            ("tls", self.tls.is_some() && other.tls.is_some()),
            ("mta_sts", self.mta_sts.is_some() && other.mta_sts.is_some()),
            (
                "honor_tls_required_no",
                self.honor_tls_required_no.is_some() && other.honor_tls_required_no.is_some(),
            ),
            ("route", self.route.is_some() && other.route.is_some()),
        ]
        .into_iter()
        .find_map(|(key, both)| both.then_some(key))
    }
}

/// Two rules that set the same key differently for the same pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Clash {
    pub(crate) key: &'static str,
    /// Where the other rule begins.
    pub(crate) line: usize,
}

/// All `[[domain]]` rules.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rules {
    rules: Vec<Rule>,
    by_name: PatternMap<usize>,
}

impl Rules {
    /// Adds a rule under each of its patterns.
    pub(crate) fn add(&mut self, patterns: &[Pattern], rule: Rule) -> Vec<Clash> {
        let number = self.rules.len();
        let mut clashes = Vec::new();
        for pattern in patterns {
            let same = self.by_name.same(pattern);
            clashes.extend(same.iter().filter_map(|index| {
                let other = self.rules.get(*index)?;
                let line = other.line;
                rule.clash(other).map(|key| Clash { key, line })
            }));
            if !same.contains(&number) {
                self.by_name.insert(pattern, number);
            }
        }
        self.rules.push(rule);
        clashes
    }

    /// The value from the first rule for `name`, the most specific first, that sets the key read by `key`.
    pub(crate) fn find<T>(&self, name: &Domain, key: impl Fn(&Rule) -> Option<T>) -> Option<T> {
        self.by_name
            .matching(name)
            .filter_map(|index| self.rules.get(*index))
            .find_map(key)
    }
}
