//! What a trace says about a route: the policy, the status of the MX answer, each host, and why none is tried.

use mail::Domain;
use policy::decision::HostDecision;

use super::found::Route;
use super::hosts::RouteHost;
use crate::trace::{HostStep, Step, Trace};

impl Route {
    /// Tells what was found and decided, if somebody listens.
    pub(super) fn tell(&self, trace: &Trace) {
        if !trace.is_on() {
            return;
        }
        trace.tell(|| Step::Policy {
            policy: &self.policy,
            target: &self.next_hop,
        });
        if let Some(security) = self.mx {
            trace.tell(|| Step::Mx {
                security,
                hosts: self.decision.hosts().count(),
                sts: self.sts.word(),
            });
        }
        for (host, decision) in self.decision.hosts() {
            trace.tell(|| Step::Host(told(host, decision)));
        }
        if let Some(failure) = self.decision.failure() {
            trace.tell(|| Step::NotTried(failure));
        }
    }
}

fn told<'a>(host: &'a RouteHost, decision: Option<&'a HostDecision>) -> HostStep<'a> {
    HostStep {
        name: host.name().map(Domain::as_str).or(host.no_name()),
        addresses: host.addresses(),
        ignored: if host.other_family.is_empty() {
            &host.ignored
        } else {
            &host.other_family
        },
        findings: &host.facts.findings,
        records: host.tlsa(),
        decision,
    }
}
