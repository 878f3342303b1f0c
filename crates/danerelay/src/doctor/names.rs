//! Whether the name in EHLO, the addresses of this machine and their reverse names agree: many receivers refuse or distrust a client
//! otherwise (RFC 5321 §4.1.4, RFC 8499 "forward-confirmed reverse DNS").

use std::net::IpAddr;

use dns::{NoAnswer, Resolver};
use mail::Domain;
use mail::words::list;

use super::families::{Sources, hidden};
use super::finding::{Finding, Level, Subject};
use super::patient::Patient;
use crate::config::remarks::Hello;

/// The most reverse names of one address that are looked at.
const NAMES: usize = 8;

pub(super) async fn examine(patient: &Patient<'_>, sources: &Sources, dns_works: bool) -> Vec<Finding> {
    let name = patient.hostname;
    if let Some(fault) = Hello::of(name.as_str()) {
        return vec![Finding::new(
            Subject::Name,
            Level::Bad,
            format!("in EHLO it says {name}, {fault}"),
            "set `hostname` to a full name that resolves to this machine",
        )];
    }
    if !dns_works {
        let found = format!("{name}: not looked up, because the resolver fails");
        return vec![unknown(Subject::Name, found)];
    }
    let (found, own) = own_name(patient.resolver, name, sources).await;
    let mut findings = vec![found];
    for address in &sources.addresses {
        findings.push(reverse(patient.resolver, name, *address, &own).await);
    }
    findings
}

/// Whether the name resolves, and to the addresses that mail comes from.
async fn own_name(resolver: &Resolver, name: &Domain, sources: &Sources) -> (Finding, Vec<IpAddr>) {
    let own = match addresses(resolver, name).await {
        Ok(own) => own,
        Err(failure) => {
            let found = format!("{name}, said in EHLO, could not be looked up: {failure}");
            return (unknown(Subject::Name, found), Vec::new());
        }
    };
    if own.is_empty() {
        let finding = Finding::new(
            Subject::Name,
            Level::Bad,
            format!("{name}, said in EHLO, has no addresses"),
            "publish A and AAAA records for it with the addresses that mail comes from, or set `hostname` to a name that has them",
        );
        return (finding, own);
    }
    let seen: Vec<&IpAddr> = sources
        .addresses
        .iter()
        .filter(|address| hidden(**address).is_none())
        .collect();
    let missing: Vec<IpAddr> = seen
        .into_iter()
        .filter(|address| !own.contains(address))
        .copied()
        .collect();
    let finding = if missing.is_empty() {
        let found = format!("{name}, said in EHLO, resolves to {}", list(&own));
        Finding::ok(Subject::Name, found)
    } else {
        Finding::new(
            Subject::Name,
            Level::Warn,
            format!(
                "{name}, said in EHLO, resolves to {}, and mail comes from {}",
                list(&own),
                list(&missing)
            ),
            "let the name have all addresses that mail comes from, or set delivery.source_addresses",
        )
    };
    (finding, own)
}

/// Whether an address has a reverse name that leads back to it.
async fn reverse(resolver: &Resolver, name: &Domain, address: IpAddr, own: &[IpAddr]) -> Finding {
    if let Some(why) = hidden(address) {
        let found = format!("mail comes from {address}, {why}");
        let mend = "behind a translating router the outer address counts: its reverse name must resolve to it; try `danerelay dns \
                    ADDRESS-REVERSED.in-addr.arpa PTR`";
        return Finding::new(Subject::Reverse, Level::Warn, found, mend);
    }
    let names = match reverse_names(resolver, address).await {
        Ok(names) => names,
        Err(reason) => {
            let found = format!("the reverse name of {address} could not be looked up: {reason}");
            return unknown(Subject::Reverse, found);
        }
    };
    let mend = "the provider of the address sets its reverse name: have it be the name in EHLO";
    if names.is_empty() {
        let found = format!("{address} has no reverse name; large receivers refuse mail from it");
        return Finding::new(Subject::Reverse, Level::Bad, found, mend);
    }
    if names.contains(name) && own.contains(&address) {
        let found = format!("{address} is {name}, and back");
        return Finding::ok(Subject::Reverse, found);
    }
    for other in names.iter().filter(|other| *other != name) {
        match addresses(resolver, other).await {
            Ok(addresses) if addresses.contains(&address) => {
                let found = format!("{address} is {other}, and back; in EHLO it says {name}");
                return Finding::ok(Subject::Reverse, found);
            }
            Ok(_) => {}
            Err(failure) => {
                let found = format!("{address} is {other}, which could not be looked up: {failure}");
                return unknown(Subject::Reverse, found);
            }
        }
    }
    let found = format!("{address} is {}, which does not resolve back to it", list(&names));
    Finding::new(Subject::Reverse, Level::Bad, found, mend)
}

async fn reverse_names(resolver: &Resolver, address: IpAddr) -> Result<Vec<Domain>, String> {
    let found = resolver.text(&reverse_name(address), "PTR").await;
    let answer = found
        .map_err(|error| error.to_string())?
        .map_err(|failure| failure.to_string())?;
    let names = answer.records().iter().take(NAMES);
    Ok(names.filter_map(|name| Domain::parse(name).ok()).collect())
}

/// Where the reverse name of an address is (RFC 1035 §3.5, RFC 3596 §2.5).
fn reverse_name(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(address) => {
            let octets = address.octets();
            let nibbles = octets.iter().rev().flat_map(|octet| [octet & 15, octet >> 4]);
            let labels: Vec<String> = nibbles.map(|nibble| format!("{nibble:x}.")).collect();
            format!("{}ip6.arpa", labels.concat())
        }
    }
}

/// All addresses of a name; one family may fail as long as the other has some.
async fn addresses(resolver: &Resolver, name: &Domain) -> Result<Vec<IpAddr>, NoAnswer> {
    let mut addresses = Vec::new();
    let mut failure = None;
    for lookup in [resolver.a(name).await, resolver.aaaa(name).await] {
        match lookup {
            Ok(answer) => addresses.extend_from_slice(answer.records()),
            Err(trouble) => failure = Some(trouble),
        }
    }
    match failure {
        Some(failure) if addresses.is_empty() => Err(failure),
        Some(_) | None => Ok(addresses),
    }
}

fn unknown(subject: Subject, found: String) -> Finding {
    Finding {
        result: Level::Unknown,
        ..Finding::ok(subject, found)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reverse_names_of_both_families() {
        let of = |address: &str| reverse_name(address.parse().unwrap());
        assert_eq!(of("192.0.2.25"), "25.2.0.192.in-addr.arpa");
        assert_eq!(
            of("2001:db8::567:89ab"),
            "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
        );
    }
}
