//! The compiled policy, and the order in which its parts are consulted.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::civil::Date;
use mail::{Domain, NextHop};

use crate::exceptions::{Exceptions, ListedException, NegativeTrustAnchor};
use crate::list::DomainList;
use crate::remote::RemoteList;
use crate::rules::{Defaults, HostRule, Matching, Rule, Rules};
use crate::schema::ListKind;
use crate::settings::{DaneMode, DestinationPolicy, HostPolicy, Key, Limits, Lines, ModeSource, TlsFloor};

/// A policy in force. It never changes: a reload makes a new one.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    pub(crate) defaults: Defaults,
    pub(crate) rules: Rules,
    pub(crate) host_rules: Rules<HostRule>,
    /// Strict lists before soft-fail lists before danefail lists, each kind in the order of the file.
    pub(crate) lists: Vec<LoadedList>,
    pub(crate) exceptions: Exceptions,
    /// The lists with a URL, whether there is a copy of them or not.
    pub(crate) remote: Vec<RemoteList>,
    /// What holds instead of the modes that are written, to see what that would do.
    pub(crate) supposed: Option<Supposed>,
    /// The policy file; none for the built-in policy.
    pub(crate) file: Option<Arc<str>>,
}

/// What holds instead of the modes that are written. No exception does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Supposed {
    /// This mode for everything.
    Mode(DaneMode),
    /// The mode of rules and lists, or `opportunistic` where that is weaker.
    Unweakened,
}

impl Supposed {
    /// What holds where rules and lists say `written`.
    fn instead_of(self, written: DaneMode) -> DaneMode {
        match self {
            Self::Mode(mode) => mode,
            Self::Unweakened => written.max(DaneMode::Opportunistic),
        }
    }
}

/// A list and what its entries mean.
#[derive(Debug, Clone)]
pub struct LoadedList {
    /// Its kind.
    pub kind: ListKind,
    /// What an entry means.
    pub dane: DaneMode,
    /// Its entries.
    pub names: Arc<DomainList>,
    /// The file with them, if that is not what the policy file names.
    pub copy: Option<Arc<Path>>,
}

impl LoadedList {
    fn source_of(&self, line: usize) -> ModeSource {
        let source = self.names.source().clone();
        match self.kind {
            ListKind::Strict => ModeSource::StrictList { source, line },
            ListKind::SoftFail => ModeSource::SoftFailList { source, line },
            ListKind::Danefail => ModeSource::Danefail { source, line },
        }
    }
}

impl Policy {
    /// The policy that applies if there is no policy file.
    pub fn builtin() -> Self {
        Self::default()
    }

    /// This policy, where there is no policy file and the rest was compiled without one.
    #[must_use]
    pub fn without_file(self) -> Self {
        Self { file: None, ..self }
    }

    /// The path of the policy file as given; `None` for the built-in policy.
    pub fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }

    /// What applies to a destination, before its route is followed. `next_hop` is the recipient's ([`NextHop::of`]); an
    /// address literal matches no rule, and has the defaults.
    ///
    /// Each key comes from the first of these that sets it: exception, `[[domain]]` rule (the most specific first),
    /// strict list, soft-fail list, danefail list, default. Only an exception with `override_strict` can weaken
    /// `strict`: see [`Policy::mode_by_rules_and_lists`].
    pub fn for_destination(&self, next_hop: &NextHop, today: Date) -> DestinationPolicy {
        let name = match next_hop {
            NextHop::Domain { domain, .. } => domain,
            NextHop::Host { host, .. } => host,
            NextHop::Address { .. } => return self.by_default(),
        };
        let rules = self.rules.matching(name);
        let (mode, source) = self.mode(name, &rules);
        let (dane, dane_source) = match self.supposed {
            Some(supposed) => (supposed.instead_of(mode), ModeSource::Default),
            None => self
                .exceptions
                .for_domain(name, mode, today)
                .unwrap_or((mode, source)),
        };
        let defaults = &self.defaults;
        DestinationPolicy {
            dane,
            dane_source,
            insecure_mx: rules
                .find(|rule| rule.insecure_mx)
                .unwrap_or(defaults.insecure_mx),
            tls: rules.find(|rule| rule.tls).unwrap_or(defaults.tls),
            mta_sts: rules.find(|rule| rule.mta_sts).unwrap_or(defaults.mta_sts),
            honor_tls_required_no: rules
                .find(|rule| rule.honor_tls_required_no)
                .unwrap_or(defaults.honor_tls_required_no),
            route: rules
                .find(|rule| rule.route.clone())
                .or_else(|| defaults.route.clone()),
            fallback: rules
                .find(|rule| rule.fallback.clone())
                .or_else(|| defaults.fallback.clone()),
            limits: rules.limits(|rule| rule.limits),
        }
    }

    fn by_default(&self) -> DestinationPolicy {
        let Defaults {
            dane,
            insecure_mx,
            tls,
            mta_sts,
            honor_tls_required_no,
            route,
            fallback,
            lines: _,
        } = self.defaults.clone();
        DestinationPolicy {
            dane: self.supposed.map_or(dane, |supposed| supposed.instead_of(dane)),
            dane_source: ModeSource::Default,
            insecure_mx,
            tls,
            mta_sts,
            honor_tls_required_no,
            route,
            fallback,
            limits: Limits::default(),
        }
    }

    /// The mode of a destination, without exceptions. A strict list wins over a weaker rule, and a strict default over
    /// the weaker lists: only a dated exception with a reason may weaken `strict`. A rule replaces the default.
    pub(crate) fn mode_by_rules_and_lists(&self, name: &Domain) -> (DaneMode, ModeSource) {
        self.mode(name, &self.rules.matching(name))
    }

    fn mode(&self, name: &Domain, rules: &Matching<'_, Rule>) -> (DaneMode, ModeSource) {
        let rule = rules.find(|rule| {
            let source = ModeSource::Rule { line: rule.line };
            rule.dane.map(|mode| (mode, source))
        });
        let list = self.entry(name);
        match (rule, list) {
            (Some((DaneMode::Strict, source)), _) | (_, Some((DaneMode::Strict, source))) => {
                (DaneMode::Strict, source)
            }
            (Some(by_rule), _) => by_rule,
            (None, Some(by_list)) if self.defaults.dane != DaneMode::Strict => by_list,
            (None, _) => (self.defaults.dane, ModeSource::Default),
        }
    }

    /// The floor of a destination.
    pub(crate) fn floor_by_rules(&self, name: &Domain) -> TlsFloor {
        let by_rule = self.rules.matching(name).find(|rule| rule.tls);
        by_rule.unwrap_or(self.defaults.tls)
    }

    /// The first list that contains the name.
    fn entry(&self, name: &Domain) -> Option<(DaneMode, ModeSource)> {
        self.lists
            .iter()
            .find_map(|list| Some((list.dane, list.source_of(list.names.line_of(name)?))))
    }

    /// What applies to one receiving host of a destination: the destination's mode, or an exception for this host; and
    /// the limits of the `[[mx]]` rules.
    pub fn for_mx_host(&self, destination: &DestinationPolicy, mx: &Domain, today: Date) -> HostPolicy {
        let excepted = match self.supposed {
            Some(_) => None,
            None => self.exceptions.for_mx(mx, destination.dane, today),
        };
        let (dane, dane_source) =
            excepted.unwrap_or_else(|| (destination.dane, destination.dane_source.clone()));
        HostPolicy {
            dane,
            dane_source,
            limits: self.host_rules.matching(mx).limits(|rule| rule.limits),
        }
    }

    /// Where the policy file sets the keys of a destination, but `dane`: see [`Policy::place_of`]. The order is that of
    /// [`Policy::for_destination`].
    pub fn lines(&self, next_hop: &NextHop) -> Lines {
        let mut lines = match next_hop {
            NextHop::Domain { domain: name, .. } | NextHop::Host { host: name, .. } => {
                self.rules.matching(name).lines()
            }
            NextHop::Address { .. } => Lines::new(),
        };
        for (key, line) in &self.defaults.lines {
            lines.entry(*key).or_insert(*line);
        }
        lines.remove(&Key::Dane);
        lines
    }

    /// Where the policy file sets the limits of a receiving host.
    pub fn lines_of_mx_host(&self, mx: &Domain) -> Lines {
        self.host_rules.matching(mx).lines()
    }

    /// The names that exceptions with `dnssec = "off"` declare unsigned today (RFC 7646).
    pub fn negative_trust_anchors(&self, today: Date) -> impl Iterator<Item = &NegativeTrustAnchor> {
        self.exceptions.anchors(today)
    }

    /// All exceptions, those that have expired included, in the order of their files.
    pub fn exceptions(&self) -> impl Iterator<Item = &ListedException> {
        self.exceptions.all()
    }

    /// The names that rules are about and those on strict lists, each once: those for which it makes sense to look at
    /// the DNS before mail does.
    pub fn named(&self) -> Vec<Domain> {
        let strict = self.lists.iter().filter(|list| list.kind == ListKind::Strict);
        let listed = strict.flat_map(|list| list.names.iter().map(|(name, _)| name.to_owned()));
        let ruled = self.rules.names().map(str::to_owned);
        let names: BTreeSet<String> = ruled.chain(listed).collect();
        names.iter().filter_map(|name| Domain::parse(name).ok()).collect()
    }

    /// Whether a route or a fallback names this host.
    pub fn is_routed_to(&self, host: &Domain) -> bool {
        let names = |next_hop: &NextHop| match next_hop {
            NextHop::Host { host: named, .. } => named == host,
            NextHop::Domain { .. } | NextHop::Address { .. } => false,
        };
        self.routed_to().any(names)
    }

    /// The next hops that routes and fallbacks name.
    pub fn routed_to(&self) -> impl Iterator<Item = &NextHop> {
        let defaults = &self.defaults;
        let routes = self.rules.all().map(|rule| (&rule.route, &rule.fallback));
        let routes = routes.chain([(&defaults.route, &defaults.fallback)]);
        routes.flat_map(|(route, fallback)| {
            let route = route.as_ref().map(|route| &route.next_hop);
            route.into_iter().chain(fallback)
        })
    }

    /// The lists with a URL, in the order of the file.
    pub fn remote_lists(&self) -> &[RemoteList] {
        &self.remote
    }

    /// This policy as if everything had this mode: what would follow from the facts then.
    #[must_use]
    pub fn supposing(&self, mode: DaneMode) -> Self {
        Self {
            supposed: Some(Supposed::Mode(mode)),
            ..self.clone()
        }
    }

    /// This policy without what weakens it: no exception holds, and no mode is weaker than `opportunistic`. What is
    /// strict without exceptions is strict.
    #[must_use]
    pub fn unweakened(&self) -> Self {
        Self {
            supposed: Some(Supposed::Unweakened),
            ..self.clone()
        }
    }

    /// Where the decision about a mode is written: file and line, from 1. `None` for what is built in.
    pub fn place_of(&self, source: &ModeSource) -> Option<(PathBuf, usize)> {
        match source {
            ModeSource::Default => Some((self.file()?.into(), *self.defaults.lines.get(&Key::Dane)?)),
            ModeSource::Rule { line } => Some((self.file()?.into(), *line)),
            ModeSource::StrictList { source, line }
            | ModeSource::SoftFailList { source, line }
            | ModeSource::Danefail { source, line } => {
                let copy = self.lists.iter().find(|list| list.names.source() == source);
                let copy = copy.and_then(|list| list.copy.as_deref());
                let beside = || Some(Path::new(self.file()?).parent()?.join(&**source));
                Some((copy.map(Path::to_owned).or_else(beside)?, *line))
            }
            ModeSource::Exception(entry) => Some((PathBuf::from(&*entry.file), entry.line)),
        }
    }

    /// The lists in force, in the order in which they are consulted.
    pub fn lists(&self) -> &[LoadedList] {
        &self.lists
    }
}
