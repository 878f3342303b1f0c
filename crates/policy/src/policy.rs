//! The compiled policy, and the order in which its parts are consulted.

use std::sync::Arc;

use jiff::civil::Date;
use mail::{Domain, NextHop};

use crate::exceptions::{Exceptions, NegativeTrustAnchor};
use crate::list::DomainList;
use crate::rules::{Defaults, HostRule, Rules};
use crate::schema::ListKind;
use crate::settings::{DaneMode, DestinationPolicy, HostPolicy, Limits, ModeSource, TlsFloor};

/// A policy in force. It never changes: a reload makes a new one.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    pub(crate) defaults: Defaults,
    pub(crate) rules: Rules,
    pub(crate) host_rules: Rules<HostRule>,
    /// Strict lists before soft-fail lists before danefail lists, each kind in the order of the file.
    pub(crate) lists: Vec<LoadedList>,
    pub(crate) exceptions: Exceptions,
    /// The policy file; none for the built-in policy.
    pub(crate) file: Option<Arc<str>>,
}

/// A list and what its entries mean.
#[derive(Debug, Clone)]
pub struct LoadedList {
    /// Its kind.
    pub kind: ListKind,
    /// What an entry means.
    pub dane: DaneMode,
    /// Its entries.
    pub names: DomainList,
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
        let (mode, source) = self.mode_by_rules_and_lists(name);
        let (dane, dane_source) = self
            .exceptions
            .for_domain(name, mode, today)
            .unwrap_or((mode, source));
        let defaults = self.by_default();
        let rules = &self.rules;
        DestinationPolicy {
            dane,
            dane_source,
            insecure_mx: rules
                .find(name, |rule| rule.insecure_mx)
                .unwrap_or(defaults.insecure_mx),
            tls: self.floor_by_rules(name),
            mta_sts: rules.find(name, |rule| rule.mta_sts).unwrap_or(defaults.mta_sts),
            honor_tls_required_no: rules
                .find(name, |rule| rule.honor_tls_required_no)
                .unwrap_or(defaults.honor_tls_required_no),
            route: rules.find(name, |rule| rule.route.clone()).or(defaults.route),
            fallback: rules
                .find(name, |rule| rule.fallback.clone())
                .or(defaults.fallback),
            limits: rules.limits(name, |rule| rule.limits),
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
        } = self.defaults.clone();
        DestinationPolicy {
            dane,
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
        let rule = self.rules.find(name, |rule| {
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
        self.rules
            .find(name, |rule| rule.tls)
            .unwrap_or(self.defaults.tls)
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
        let (dane, dane_source) = self
            .exceptions
            .for_mx(mx, destination.dane, today)
            .unwrap_or_else(|| (destination.dane, destination.dane_source.clone()));
        HostPolicy {
            dane,
            dane_source,
            limits: self.host_rules.limits(mx, |rule| rule.limits),
        }
    }

    /// The names that exceptions with `dnssec = "off"` declare unsigned today (RFC 7646).
    pub fn negative_trust_anchors(&self, today: Date) -> impl Iterator<Item = &NegativeTrustAnchor> {
        self.exceptions.anchors(today)
    }

    /// The lists in force, in the order in which they are consulted.
    pub fn lists(&self) -> &[LoadedList] {
        &self.lists
    }
}
