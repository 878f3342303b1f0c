//! What follows from the look-ups of one way, and from the connections to its hosts if there were any.

use delivery::probe::HostProbe;
use delivery::route::Route;
use mail::DaneVerdict;
use policy::conclude::conclude;
use policy::failure::Failure;

/// One way: the destination's own or its route, or the fallback.
pub(super) struct Tried<'a> {
    pub(super) route: &'a Route,
    pub(super) probes: Option<&'a [HostProbe<'a>]>,
}

impl Tried<'_> {
    /// Why nothing would be delivered; `None` if at least one host may receive the message.
    pub(super) fn obstacle(&self) -> Option<Failure> {
        if let Some(failure) = self.route.decision.failure() {
            return Some(failure.clone());
        }
        let Some(probes) = self.probes else {
            return self.not_connected();
        };
        let mut tries = probes.iter().flat_map(|host| &host.tries);
        if tries.any(|one| one.failure.is_none()) {
            return None;
        }
        conclude(probes.iter().flat_map(HostProbe::failures).cloned())
    }

    /// Why no host would be connected to, if none would.
    fn not_connected(&self) -> Option<Failure> {
        let mut failures = Vec::new();
        for (_, decision) in self.route.decision.hosts() {
            let decision = decision?;
            match self.route.first_round(decision) {
                Err(failure) if self.route.second_round(decision).is_none() => failures.push(failure),
                Ok(_) | Err(_) => return None,
            }
        }
        conclude(failures)
    }

    /// Whether every host was out of reach, or could not take the message now (D10).
    pub(super) fn is_out_of_reach(&self) -> bool {
        let failures = || {
            let probes = self.probes.into_iter().flatten();
            probes.flat_map(HostProbe::failures)
        };
        self.obstacle().is_some() && failures().next().is_some() && failures().all(Failure::is_outage)
    }

    /// What `dane=` would say of the first host that may receive: in the second round of soft-fail only if nobody may in the
    /// first.
    pub(super) fn first(&self) -> Option<DaneVerdict> {
        if let Some(probes) = self.probes {
            let tries = || probes.iter().flat_map(|host| &host.tries);
            let good = || tries().filter(|one| one.failure.is_none());
            let is_second = |verdict: &DaneVerdict| matches!(verdict, DaneVerdict::Softfail(_));
            let first = good()
                .find(|one| !is_second(&one.verdict))
                .or_else(|| good().next());
            return first.map(|one| one.verdict.clone());
        }
        let decided = || self.route.decision.hosts().filter_map(|(_, decision)| decision);
        let planned = decided().find_map(|decision| {
            let (_, verdict) = self.route.first_round(decision).ok()?;
            Some(verdict.clone())
        });
        let second = || {
            decided().find_map(|decision| {
                self.route.second_round(decision)?;
                let failure = self.route.first_round(decision).err()?;
                failure.dane_failed().map(DaneVerdict::Softfail)
            })
        };
        planned.or_else(second)
    }
}
