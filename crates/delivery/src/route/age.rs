//! How long the findings about a host are valid.

use std::time::Duration;

use dns::{Answer, Lookup};

use super::hosts::RouteHost;

/// Answers with a shorter TTL, including 0, are valid this long: they are meant to be used for the transaction for
/// which they were requested (RFC 1035 §3.2.1), and the cache returns answers with their remaining time.
const SHORTEST_LIFE: Duration = Duration::from_secs(30);

impl RouteHost {
    /// How long the findings about the host are valid: the shortest TTL of its answers. `None` if it was not looked up,
    /// or if no look-up returned an answer.
    pub(super) fn life(&self) -> Option<Duration> {
        let answers = &self.answers;
        let families = [&answers.ipv6, &answers.ipv4].into_iter().flatten();
        let tlsa = answers.tlsa.iter().map(|(_, lookup)| lookup);
        let seconds = families.filter_map(ttl).chain(tlsa.filter_map(ttl)).min()?;
        Some(Duration::from_secs(seconds.into()).max(SHORTEST_LIFE))
    }
}

fn ttl<T>(lookup: &Lookup<T>) -> Option<u32> {
    lookup.as_ref().ok().map(|answer: &Answer<T>| answer.ttl)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use dns::host::Answers;
    use dns::{Data, NoAnswer};
    use mail::{LookupFailure, Security};
    use policy::facts::{Host, HostFindings};
    use policy::settings::{DaneMode, HostPolicy, Limits, ModeSource};

    use super::*;

    fn answer<T>(ttl: u32) -> Answer<T> {
        Answer {
            security: Security::Secure,
            data: Data::NoData,
            aliases: [].into(),
            ttl,
            signed: None,
        }
    }

    #[test]
    fn a_host_is_known_as_long_as_the_first_of_its_answers_to_end_and_half_a_minute_at_least() {
        let failed = || Err(NoAnswer::from(LookupFailure::Timeout));
        let facts = || Host {
            policy: HostPolicy {
                dane: DaneMode::Opportunistic,
                dane_source: ModeSource::Default,
                limits: Limits::default(),
            },
            findings: HostFindings::AddressName,
            mta_sts: None,
        };
        for (ipv6, ipv4, tlsa, expected) in [
            (None, None, None, None),
            (Some(failed()), Some(failed()), None, None),
            (Some(failed()), Some(Ok(answer(600))), None, Some(600)),
            (
                Some(Ok(answer(300))),
                Some(Ok(answer(600))),
                Some(3600),
                Some(300),
            ),
            (Some(Ok(answer(300))), Some(Ok(answer(600))), Some(60), Some(60)),
            (None, Some(Ok(answer(600))), Some(0), Some(30)),
        ] {
            let name = "_25._tcp.mx.test".parse().unwrap();
            let host = RouteHost {
                answers: Answers {
                    ipv6,
                    ipv4,
                    tlsa: tlsa.map(|ttl| (name, Ok(answer(ttl)))).into_iter().collect(),
                },
                ..RouteHost::unknown(facts())
            };
            assert_eq!(host.life(), expected.map(Duration::from_secs));
        }
    }
}
