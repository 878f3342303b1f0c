//! Words for people behind the reason of a failure: what DNS servers say about it, and which name it is that is missing.

use dns::NoAnswer;
use mail::{DaneVerdict, Domain, FailCause, LookupFailure};
use policy::cause::Failure;
use policy::decision::{Action, Decision};

use super::RouteHost;

/// More about one failure. It decides nothing: whoever answers can write what he likes (RFC 8914 §6).
#[derive(Debug, Clone)]
pub(crate) struct Remark {
    /// The failure that it is about.
    verdict: DaneVerdict,
    words: String,
}

impl Remark {
    /// What the server said that refused; `cause` says which look-up that was.
    pub(super) fn said(failure: &NoAnswer, cause: impl Fn(LookupFailure) -> FailCause) -> Option<Self> {
        let said = failure.extended()?;
        Some(Self {
            verdict: DaneVerdict::Fail(cause(failure.cause.clone())),
            words: format!("the DNS server says {said}"),
        })
    }

    /// A domain is there, and what it is an alias of is not (RFC 6604 §3).
    pub(super) fn missing(domain: &Domain, missing: &Domain) -> Option<Self> {
        (domain != missing).then(|| Self {
            verdict: DaneVerdict::NotReached,
            words: format!("it is an alias of {missing}, which does not exist"),
        })
    }

    fn add_to(&self, failure: &mut Failure) {
        failure.reason = format!("{}; {}", failure.reason, self.words);
    }
}

/// Adds each remark to the reason that it belongs to.
pub(super) fn add(decision: &mut Decision, destination: Option<&Remark>, hosts: &[RouteHost]) {
    let about = |remark: &&Remark, failure: &Failure| remark.verdict == failure.verdict;
    match decision {
        Decision::Stop(failure) => {
            let mut remarks = destination
                .into_iter()
                .chain(hosts.iter().filter_map(|host| host.remark.as_ref()));
            if let Some(remark) = remarks.find(|remark| about(remark, failure)) {
                remark.add_to(failure);
            }
        }
        Decision::Try(each) => {
            for (decision, host) in each.iter_mut().zip(hosts) {
                if let Action::PassOver(failure) = &mut decision.action
                    && let Some(remark) = host.remark.as_ref().filter(|remark| about(remark, failure))
                {
                    remark.add_to(failure);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use mail::LookupFailure::{Bogus, Servfail};
    use policy::cause::Cause;
    use policy::decision::HostDecision;
    use policy::settings::DaneMode;

    use super::*;

    fn remark(verdict: DaneVerdict) -> Remark {
        Remark {
            verdict,
            words: "more".to_owned(),
        }
    }

    fn host(remark: Option<Remark>) -> RouteHost {
        RouteHost {
            remark,
            ..RouteHost::unknown(DaneMode::Opportunistic)
        }
    }

    #[test]
    fn each_remark_is_added_to_the_failure_that_it_is_about() {
        let failure = || Failure::from(Cause::TlsaLookup(Servfail));
        let (about, other) = (
            remark(failure().verdict),
            remark(DaneVerdict::Fail(FailCause::TlsaLookup(Bogus))),
        );
        let with_more = format!("{}; more", failure().reason);
        let hosts = [host(None), host(Some(other.clone())), host(Some(about.clone()))];

        let mut stop = Decision::Stop(failure());
        add(&mut stop, Some(&other), &hosts);
        assert!(matches!(&stop, Decision::Stop(failure) if failure.reason == with_more));
        let mut stop = Decision::Stop(failure());
        add(&mut stop, Some(&other), &hosts[..2]);
        assert_eq!(stop, Decision::Stop(failure()));

        let pass_over = || HostDecision {
            action: Action::PassOver(failure()),
            soft_fail: None,
        };
        let mut each = Decision::Try(vec![pass_over(), pass_over(), pass_over()]);
        add(&mut each, None, &hosts);
        let Decision::Try(each) = each else { unreachable!() };
        let reasons: Vec<&str> = each
            .iter()
            .filter_map(|decision| match &decision.action {
                Action::PassOver(failure) => Some(failure.reason.as_str()),
                Action::Connect { .. } => None,
            })
            .collect();
        assert_eq!(
            reasons,
            [failure().reason.as_str(), &failure().reason, &with_more]
        );
    }
}
