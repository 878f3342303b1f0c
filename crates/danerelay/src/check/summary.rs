//! Many domains in a few numbers: the shares, and who runs their hosts.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use super::row::Row;
use super::verdict::Verdict;

/// How many providers are named.
const PROVIDERS: usize = 20;

/// The numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) secure: usize,
    pub(crate) insecure: usize,
    pub(crate) broken: usize,
    pub(crate) unreachable: usize,
    pub(crate) no_mail: usize,
}

/// One who runs MX hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Provider {
    pub(crate) name: String,
    pub(crate) counts: Counts,
}

/// The summary.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) counts: Counts,
    /// Those with most domains.
    pub(crate) providers: Vec<Provider>,
}

impl Counts {
    pub(crate) fn of(&self, verdict: Verdict) -> usize {
        match verdict {
            Verdict::Secure => self.secure,
            Verdict::Insecure => self.insecure,
            Verdict::Broken => self.broken,
            Verdict::Unreachable => self.unreachable,
            Verdict::NoMail => self.no_mail,
        }
    }

    pub(crate) fn add(&mut self, verdict: Verdict) {
        let count = match verdict {
            Verdict::Secure => &mut self.secure,
            Verdict::Insecure => &mut self.insecure,
            Verdict::Broken => &mut self.broken,
            Verdict::Unreachable => &mut self.unreachable,
            Verdict::NoMail => &mut self.no_mail,
        };
        *count += 1;
    }

    pub(crate) fn all(&self) -> usize {
        Verdict::ALL.iter().map(|verdict| self.of(*verdict)).sum()
    }

    /// In tenths of a percent of all.
    pub(crate) fn share(&self, verdict: Verdict) -> usize {
        (self.of(verdict) * 1000).checked_div(self.all()).unwrap_or(0)
    }
}

impl Summary {
    /// A domain counts once for each who runs some of its hosts.
    pub(crate) fn of<'a>(rows: impl Iterator<Item = &'a Row>) -> Self {
        let mut counts = Counts::default();
        let mut providers: HashMap<&str, Counts> = HashMap::new();
        for row in rows {
            counts.add(row.verdict);
            for provider in &row.providers {
                providers.entry(provider).or_default().add(row.verdict);
            }
        }
        let mut providers: Vec<Provider> = providers
            .into_iter()
            .map(|(name, counts)| Provider {
                name: name.to_owned(),
                counts,
            })
            .collect();
        providers.sort_by(|one, other| (other.counts.all(), &one.name).cmp(&(one.counts.all(), &other.name)));
        providers.truncate(PROVIDERS);
        Self { counts, providers }
    }

    /// For people.
    pub(crate) fn table(&self) -> String {
        let mut table = format!("{} domains\n", self.counts.all());
        for verdict in Verdict::ALL {
            let _ = writeln!(
                table,
                "  {:<12}{:>8}  {:>6}",
                verdict.as_str(),
                self.counts.of(verdict),
                percent(self.counts.share(verdict))
            );
        }
        if !self.providers.is_empty() {
            let _ = writeln!(
                table,
                "\n{:<32}{:>8}{:>9}{:>10}{:>8}",
                "who runs the MX hosts", "domains", "secure", "insecure", "broken"
            );
        }
        for provider in &self.providers {
            let counts = &provider.counts;
            let _ = writeln!(
                table,
                "{:<32}{:>8}{:>9}{:>10}{:>8}",
                provider.name,
                counts.all(),
                percent(counts.share(Verdict::Secure)),
                percent(counts.share(Verdict::Insecure)),
                percent(counts.share(Verdict::Broken))
            );
        }
        table
    }
}

/// `12.3 %`.
pub(crate) fn percent(tenths: usize) -> String {
    format!("{}.{} %", tenths / 10, tenths % 10)
}

/// How many errors and warnings of each code.
pub(crate) fn frequent<'a>(rows: impl Iterator<Item = &'a Row>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for row in rows {
        let mut codes: Vec<_> = row.grave.iter().map(|(code, _)| code.clone()).collect();
        codes.dedup();
        for code in codes {
            *counts.entry(code).or_default() += 1;
        }
    }
    counts
}
