//! One session as TLS reports see it: by which policies it is judged, and how it did.

use mail::cause::Cause;
use mail::{Domain, TlsFailure, TlsPolicy, TlsResult};
use policy::facts::DomainMtaSts;

use crate::route::{Route, RouteHost};

/// The reason where a policy does not name a host; there is no type of its own for it (RFC 8460 §4.3.3).
const NOT_IN_POLICY: &str = "MX not in policy";

/// What became of one session, or of a host that was passed over.
pub(super) struct Session<'a> {
    pub(super) route: &'a Route,
    pub(super) host: Option<&'a RouteHost>,
    pub(super) destination: &'a Domain,
    /// What is known of a failure besides its kind.
    pub(super) known: TlsFailure,
}

/// Whether a session met a policy.
pub(super) enum Judged {
    /// It is not judged by that one, or the result is not known.
    Unknown,
    Met,
    Failed(TlsFailure),
}

impl Judged {
    /// The policy, if something was judged by it, and the failure if there was one.
    fn by(self, policy: impl FnOnce() -> Option<TlsPolicy>) -> Option<(TlsPolicy, Option<TlsFailure>)> {
        let failure = match self {
            Self::Unknown => return None,
            Self::Met => None,
            Self::Failed(failure) => Some(failure),
        };
        Some((policy()?, failure))
    }
}

impl Session<'_> {
    /// What is known, each with the policy that it was judged by; policies that nothing is judged by are not made.
    pub(super) fn by_policy(
        &self,
        tlsa: Judged,
        sts: Judged,
        none: Judged,
    ) -> impl Iterator<Item = (TlsPolicy, Option<TlsFailure>)> {
        let tlsa = tlsa.by(|| self.tlsa());
        let sts = sts.by(|| self.sts());
        let none = none.by(|| self.no_policy());
        [tlsa, sts, none].into_iter().flatten()
    }

    pub(super) fn failure(&self, result: TlsResult, cause: &Cause) -> TlsFailure {
        let known = self.known.clone().of_kind(result);
        match cause.tls_reason() {
            Some(reason) => known.because(&reason),
            None => known,
        }
    }

    pub(super) fn not_in_policy(&self) -> TlsFailure {
        let known = self.known.clone();
        known.of_kind(TlsResult::ValidationFailure).because(NOT_IN_POLICY)
    }

    /// The host's TLSA records, if there are secure ones.
    pub(super) fn tlsa(&self) -> Option<TlsPolicy> {
        let (base, set) = self.host?.tlsa()?;
        let usable = set.usable().iter().chain(set.outranked());
        let all = usable.chain(set.unusable().iter().map(|(record, _)| record));
        let mut records: Vec<String> = all.map(ToString::to_string).collect();
        // The order of an answer says nothing.
        records.sort();
        Some(TlsPolicy::tlsa(base.clone(), records))
    }

    /// Records that could not be had, or are not there: the name at which they were sought is not told from the others.
    pub(super) fn tlsa_unknown(&self) -> TlsPolicy {
        let host = self.host.and_then(RouteHost::name);
        TlsPolicy::tlsa(host.unwrap_or(self.destination).clone(), [])
    }

    /// Whether there is an MTA-STS policy that counts, be it in testing.
    fn has_sts(&self) -> bool {
        match self.route.sts.of_domain() {
            DomainMtaSts::Testing | DomainMtaSts::Enforce => true,
            DomainMtaSts::Absent | DomainMtaSts::Unknown | DomainMtaSts::Awaited => false,
        }
    }

    /// That policy.
    pub(super) fn sts(&self) -> Option<TlsPolicy> {
        self.has_sts().then(|| sts_policy(self.route)).flatten()
    }

    /// Whether that policy names the host; `None` if there is no policy that counts.
    pub(super) fn is_allowed(&self) -> Option<bool> {
        let host = self.host.and_then(RouteHost::name);
        self.has_sts().then(|| self.route.sts.allows(host)).flatten()
    }

    /// That the domain has no MTA-STS policy, if that is known.
    fn no_policy(&self) -> Option<TlsPolicy> {
        let domain = self.destination.clone();
        let is_known = match self.route.sts.of_domain() {
            DomainMtaSts::Absent => self.route.sts.domain().is_some(),
            // RFC 8461 §3.3: it counts as none; that it could not be had is counted as well.
            DomainMtaSts::Unknown => sts_trouble(self.route).is_some(),
            DomainMtaSts::Awaited | DomainMtaSts::Testing | DomainMtaSts::Enforce => false,
        };
        is_known.then_some(TlsPolicy::None { domain })
    }
}

fn sts_policy(route: &Route) -> Option<TlsPolicy> {
    let domain = route.sts.domain()?.clone();
    let policy = &route.sts.discovery().entry.as_ref()?.policy;
    let mx = policy.mx.iter().map(ToString::to_string);
    Some(TlsPolicy::sts(domain, policy.lines(), mx))
}

/// That the domain's live policy could not be had, and which one is known; nothing if the domain is not known to have one
/// (RFC 8461 §6), or if it is for our own limits.
pub(super) fn sts_trouble(route: &Route) -> Option<(TlsPolicy, TlsFailure)> {
    let (domain, discovery) = (route.sts.domain()?, route.sts.discovery());
    let trouble = discovery.trouble.as_ref()?;
    let known = match &discovery.entry {
        Some(entry) if entry.policy.mode == ::mta_sts::Mode::None => return None,
        Some(_) => sts_policy(route),
        None => None,
    };
    if trouble.is_ours() || (known.is_none() && !trouble.shows_a_record()) {
        return None;
    }
    let failure = TlsFailure::of(trouble.tls_result()).because(&trouble.to_string());
    Some((
        known.unwrap_or_else(|| TlsPolicy::sts(domain.clone(), [], [])),
        failure,
    ))
}
