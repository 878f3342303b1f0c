//! What domains publish of MTA-STS: the record and the policy.

use mail::Domain;
use mta_sts::record::published;
use mta_sts::{Mode, MxPattern, Policy, PolicyFault, PolicyId, RecordFault};

/// Strings on lines of their own are records. Others beside them change nothing, one record twice is none, and an id is an id.
pub fn mta_sts_record(octets: &[u8]) {
    let records: Vec<&[u8]> = octets.split(|octet| *octet == b'\n').collect();
    let found = published(&records);
    let others = [&b"v=spf1 -all"[..], b"", b"v=STSv10; id=1"];
    assert_eq!(published(&[&others[..], &records[..]].concat()), found);
    let about = records
        .iter()
        .filter(|record| published(&[record]) != Ok(None))
        .count();
    match &found {
        Ok(None) => assert_eq!(about, 0),
        Ok(Some(id)) => {
            assert_eq!(about, 1);
            assert_eq!(PolicyId::parse(id.as_str()).as_ref(), Ok(id));
            let written = format!("v=STSv1; id={id}; x=y");
            assert_eq!(published(&[&written]), Ok(Some(id.clone())));
        }
        Err(RecordFault::Several) => assert!(about > 1),
        Err(RecordFault::Field | RecordFault::NoId | RecordFault::Id) => assert_eq!(about, 1),
    }
    if about > 0 {
        assert_eq!(
            published(&[&records[..], &records[..]].concat()),
            Err(RecordFault::Several)
        );
    }
}

/// A policy is read the same with either line end, comes back from its lines, and allows exactly what its patterns name.
pub fn mta_sts_policy(octets: &[u8]) {
    let parsed = Policy::parse(octets);
    if !octets.contains(&b'\r') {
        let with_cr = octets
            .split(|octet| *octet == b'\n')
            .collect::<Vec<_>>()
            .join(&b"\r\n"[..]);
        assert_eq!(Policy::parse(&with_cr), parsed);
    }
    let lines = octets.split(|octet| *octet == b'\n').count();
    match parsed {
        Ok(policy) => {
            let text: Vec<String> = policy.lines().collect();
            assert_eq!(Policy::parse(text.join("\n").as_bytes()).as_ref(), Ok(&policy));
            assert!(policy.mode == Mode::None || !policy.mx.is_empty());
            assert!(policy.max_age().as_secs() <= 31_557_600);
            policy
                .mx
                .iter()
                .for_each(|pattern| check_pattern(&policy, pattern));
        }
        Err(
            PolicyFault::Field(line)
            | PolicyFault::Version(line)
            | PolicyFault::Mode(line)
            | PolicyFault::MaxAge(line)
            | PolicyFault::Mx(line),
        ) => assert!((1..=lines).contains(&line)),
        Err(PolicyFault::NotText) => assert!(std::str::from_utf8(octets).is_err()),
        Err(PolicyFault::Missing(_)) => {}
    }
}

fn check_pattern(policy: &Policy, pattern: &MxPattern) {
    let below = |name: &Domain| Domain::parse(&format!("mx.{name}")).ok();
    match pattern {
        MxPattern::Host(name) => {
            assert!(policy.allows(name));
            assert!(below(name).is_none_or(|below| !pattern.matches(&below)));
        }
        MxPattern::OneBelow(parent) => {
            assert!(!pattern.matches(parent));
            let below_once = below(parent);
            assert!(below_once.as_ref().is_none_or(|name| policy.allows(name)));
            let below_twice = below_once.and_then(|name| below(&name));
            assert!(below_twice.is_none_or(|name| !pattern.matches(&name)));
        }
    }
}
