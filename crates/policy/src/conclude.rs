//! What happens to a message when every host has failed.

use crate::failure::{Failure, Finality};

/// Picks the failure that speaks for the message from those of all hosts, in the order in which they happened. The
/// result is permanent only if all of them are; otherwise it is the last security failure, or if there is none the last
/// transient one.
///
/// `None` if there are no failures.
pub fn conclude<F: AsRef<Failure>>(failures: impl IntoIterator<Item = F>) -> Option<F> {
    failures.into_iter().reduce(|so_far, next| {
        if weight(so_far.as_ref().finality()) > weight(next.as_ref().finality()) {
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
fn weight(finality: Finality) -> u8 {
    match finality {
        Finality::Permanent => 0,
        Finality::Transient => 1,
        Finality::Security => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mail::LookupFailure;
    use mail::cause::{Cause, Lookup, NoWay};

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
