//! Addresses at which no stranger receives mail (D8a).
//!
//! What an MX record says is a stranger's word, and so is an address literal: the reverse-path of a message decides where
//! its report goes. Followed to an address that every machine uses for itself, it would make this relay deliver to whatever
//! else runs here. An IPv6 address that leads to such an IPv4 address is ignored with it.

use std::net::IpAddr;

use dns::NoAnswer;
use ipnet::IpNet;
use mail::Security;
use policy::facts::{Addresses, HostFindings, Tlsa};

use super::forms::forms;
use super::hosts::RouteHost;
use super::own::known;

/// The host without its addresses in these networks. If none is left, it is a host without addresses, as securely as they
/// were known; `named` is how securely the host itself was named.
pub(super) fn without(networks: &[IpNet], mut host: RouteHost, named: Security) -> RouteHost {
    let is_ignored = |address: &IpAddr| is_within(networks, *address);
    let (ignored, kept): (Vec<IpAddr>, Vec<IpAddr>) = host.addresses.iter().copied().partition(is_ignored);
    if !ignored.is_empty() && kept.is_empty() {
        host.facts.findings = HostFindings::Named {
            addresses: nothing(&host, named),
            tlsa: Tlsa::NotAsked,
        };
        host.dane = None;
    }
    host.addresses = kept;
    host.ignored = ignored;
    host
}

/// Whether the address, in any of its forms, is in one of these networks.
pub(super) fn is_within(networks: &[IpNet], address: IpAddr) -> bool {
    forms(address).any(|form| networks.iter().any(|network| network.contains(&form)))
}

/// What is known about the addresses of a host that has none but ignored ones. There may be others if the look-up of one
/// address family failed, or was not made.
fn nothing(host: &RouteHost, named: Security) -> Addresses {
    let families = [&host.answers.ipv6, &host.answers.ipv4].into_iter().flatten();
    let failures: Vec<&NoAnswer> = families.filter_map(|answer| answer.as_ref().err()).collect();
    let failure = failures
        .iter()
        .find(|failure| failure.cause.is_bogus())
        .or(failures.first());
    let asked = (host.answers.ipv6.is_some(), host.answers.ipv4.is_some());
    match (failure, asked) {
        (Some(failure), _) => Addresses::Unresolvable((*failure).clone().into()),
        (None, (true, false) | (false, true)) => Addresses::OtherFamily,
        (None, (true, true) | (false, false)) => Addresses::Ignored(named.and(known(&host.facts.findings))),
    }
}
