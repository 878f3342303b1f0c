//! Many domains in a few numbers: the shares, what is wrong with them, who runs their hosts, and the worst of them. It is made
//! while they come, and takes no more memory for more domains, but for a line for each who runs some of their hosts.

use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet};
use std::fmt::Write as _;

use jiff::Timestamp;
use mail::count;

use super::row::Row;
use super::verdict::Verdict;

/// How many providers are named.
const PROVIDERS: usize = 20;
/// How many domains are listed; the worst come first.
const LISTED: usize = 5000;

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

/// One domain of those that are listed, in the order in which they are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Listed {
    pub(crate) verdict: Verdict,
    pub(crate) domain: String,
    pub(crate) hosts: usize,
    pub(crate) gravest: Option<String>,
}

/// The summary.
#[derive(Debug, Clone, Default)]
pub(crate) struct Summary {
    pub(crate) counts: Counts,
    /// Domains that take no mail, and do not say so.
    pub(crate) missing: usize,
    /// When the last one was checked.
    pub(crate) checked: Option<Timestamp>,
    providers: HashMap<Box<str>, Counts>,
    /// How many domains have errors and warnings of each code.
    findings: BTreeMap<String, usize>,
    /// The best of them first, so that it can go.
    listed: BinaryHeap<Listed>,
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
    /// Adds a domain. It counts once for each who runs some of its hosts.
    pub(crate) fn add(&mut self, row: &Row) {
        self.counts.add(row.verdict);
        self.missing += usize::from(row.is_missing);
        self.checked = self.checked.max(Some(row.checked));
        for provider in &row.providers {
            match self.providers.get_mut(provider.as_str()) {
                Some(counts) => counts.add(row.verdict),
                None => self
                    .providers
                    .entry(provider.as_str().into())
                    .or_default()
                    .add(row.verdict),
            }
        }
        let codes: HashSet<&str> = row.grave.iter().map(|(code, _)| code.as_str()).collect();
        for code in codes {
            match self.findings.get_mut(code) {
                Some(count) => *count += 1,
                None => {
                    self.findings.insert(code.to_owned(), 1);
                }
            }
        }
        self.listed.push(Listed {
            verdict: row.verdict,
            domain: row.domain.clone(),
            hosts: row.hosts,
            gravest: row.gravest.clone(),
        });
        if self.listed.len() > LISTED {
            self.listed.pop();
        }
    }

    /// Those with most domains.
    pub(crate) fn providers(&self) -> Vec<Provider> {
        let mut providers: Vec<(&Box<str>, &Counts)> = self.providers.iter().collect();
        providers.sort_by(|one, other| (other.1.all(), one.0).cmp(&(one.1.all(), other.0)));
        let most = providers.into_iter().take(PROVIDERS);
        most.map(|(name, counts)| Provider {
            name: name.to_string(),
            counts: counts.clone(),
        })
        .collect()
    }

    /// The codes of errors and warnings with the number of domains, the most frequent first.
    pub(crate) fn findings(&self) -> Vec<(&str, usize)> {
        let all = self.findings.iter().map(|(code, count)| (code.as_str(), *count));
        let mut all: Vec<_> = all.collect();
        all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        all
    }

    /// The worst domains first; not all, if there are many.
    pub(crate) fn listed(&self) -> Vec<&Listed> {
        let mut listed: Vec<&Listed> = self.listed.iter().collect();
        listed.sort_unstable();
        listed
    }

    /// For people.
    pub(crate) fn table(&self) -> String {
        let mut table = format!("{}\n", count(self.counts.all(), "domain"));
        for verdict in Verdict::ALL {
            let _ = writeln!(
                table,
                "  {:<12}{:>8}  {:>6}",
                verdict.as_str(),
                self.counts.of(verdict),
                percent(self.counts.share(verdict))
            );
        }
        let providers = self.providers();
        if !providers.is_empty() {
            let _ = writeln!(
                table,
                "\n{:<31} {:>8}{:>9}{:>10}{:>8}",
                "who runs the MX hosts", "domains", "secure", "insecure", "broken"
            );
        }
        for provider in &providers {
            let counts = &provider.counts;
            let _ = writeln!(
                table,
                "{:<31} {:>8}{:>9}{:>10}{:>8}",
                shortened(&provider.name),
                counts.all(),
                percent(counts.share(Verdict::Secure)),
                percent(counts.share(Verdict::Insecure)),
                percent(counts.share(Verdict::Broken))
            );
        }
        table
    }
}

/// Of a long name the end, which says most.
fn shortened(name: &str) -> String {
    const MOST: usize = 31;
    match name.len().checked_sub(MOST) {
        None | Some(0) => name.to_owned(),
        Some(more) => format!("…{}", name.get(more + 1..).unwrap_or_default()),
    }
}

/// `12.3 %`.
pub(crate) fn percent(tenths: usize) -> String {
    format!("{}.{} %", tenths / 10, tenths % 10)
}
