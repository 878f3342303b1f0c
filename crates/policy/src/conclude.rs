//! What happens to a message when every host has failed.

use mail::cause::{Cause, Missing, SmtpFault};

use crate::failure::{Failure, Finality};

/// Picks the failure that speaks for the message from those of all hosts, in the order in which they happened. The
/// result is permanent only if all of them are; otherwise it is the last security failure, or if there is none the last
/// transient one.
///
/// `None` if there are no failures.
pub fn conclude<F: AsRef<Failure>>(failures: impl IntoIterator<Item = F>) -> Option<F> {
    failures.into_iter().reduce(|so_far, next| {
        if weight(so_far.as_ref()) > weight(next.as_ref()) {
            so_far
        } else {
            next
        }
    })
}

impl AsRef<Failure> for Failure {
    fn as_ref(&self) -> &Failure {
        self
    }
}

/// How strongly a cause counts: the heaviest speaks for the message.
fn weight(failure: &Failure) -> u8 {
    match (failure.finality(), &failure.cause) {
        // A host that only lacks the keyword says more than one without TLS (RFC 8689 §4.2.1).
        (Finality::Permanent, Cause::Smtp(SmtpFault::Lacks(Missing::RequireTls))) => 1,
        (Finality::Permanent, _) => 0,
        (Finality::Transient, _) => 2,
        (Finality::Security, _) => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mail::LookupFailure;
    use mail::cause::{Demand, Lookup, NoWay};

    #[test]
    fn permanent_only_if_all_are() {
        let all: Vec<Failure> = vec![
            Cause::Destination(NoWay::NoAddresses).into(),
            Cause::Destination(NoWay::NoAddresses).into(),
        ];
        assert!(conclude(all).is_some_and(|failure| failure.is_permanent()));
        let one_outage: Vec<Failure> = vec![
            Cause::Dns(Lookup::Address, LookupFailure::Timeout.into()).into(),
            Cause::Destination(NoWay::NoAddresses).into(),
        ];
        assert!(conclude(one_outage).is_some_and(|failure| !failure.is_permanent()));
        assert_eq!(conclude(Vec::<Failure>::new()), None);
    }

    #[test]
    fn that_only_the_keyword_was_missing_speaks_for_messages_that_require_tls() {
        let keyword = Failure {
            standing: crate::failure::Standing::Cleared(mail::DaneVerdict::Verify),
            ..Cause::Smtp(SmtpFault::Lacks(Missing::RequireTls)).into()
        };
        let failures = [keyword.clone(), Cause::Policy(Demand::SecurePath).into()];
        assert_eq!(conclude(failures), Some(keyword));
    }

    #[test]
    fn the_last_security_cause_speaks() {
        let failures: Vec<Failure> = vec![
            Cause::Dns(Lookup::Tlsa, LookupFailure::Bogus.into()).into(),
            Cause::Dns(Lookup::Tlsa, LookupFailure::Timeout.into()).into(),
            Cause::Dns(Lookup::Address, LookupFailure::Servfail.into()).into(),
            Cause::Destination(NoWay::NoAddresses).into(),
        ];
        let second = failures.get(1).cloned();
        assert_eq!(conclude(failures), second);
    }
}
