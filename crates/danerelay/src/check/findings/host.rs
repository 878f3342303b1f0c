//! Addresses and names of a host, and the name servers of its zone.

use std::collections::BTreeMap;

use mail::LookupStatus;

use super::code::Code;
use super::gathered::{Findings, whose};
use super::mx;
use crate::check::observation::{HostKind, HostSeen, ServerAnswer, ServerSaid, ZoneSeen};
use crate::explain::{AddressStatus, StepType};
use crate::lookup_report::Found;

pub(super) fn judge(report: &mut Findings<'_>, host: &HostSeen) {
    match host.kind {
        HostKind::Address => {
            return report.add_with_fix(
                Code::MxIsAddress,
                "the MX record names an address, and no TLSA record can stand at one",
                "let it name a host, and give that the address (RFC 5321 section 5.1)",
            );
        }
        HostKind::Invalid => {
            return report.add_with_fix(
                Code::MxInvalid,
                "the MX record names something that is no host name",
                "correct or remove the record",
            );
        }
        HostKind::Name => {}
    }
    addresses(report, host);
    alias(report, host);
    families(report, host);
    if let Some(zone) = &host.zone {
        let is_known = report
            .seen
            .mx
            .zone
            .as_ref()
            .is_some_and(|own| own.name == zone.name);
        if !is_known {
            mx::name_servers(report, zone);
        }
        servers(report, zone);
    }
    if let Some(caa) = &host.caa
        && caa.answer.is_some_and(|answer| answer != Found::Records)
    {
        report.add_with_fix(
            Code::CaaAbsent,
            format!(
                "no CAA record limits who may issue certificates for {}",
                host.name
            ),
            "publish one for each authority in use (RFC 8659)",
        );
    }
}

fn addresses(report: &mut Findings<'_>, host: &HostSeen) {
    let words = host.address_reason.clone().unwrap_or_default();
    let is_bogus = host
        .lookups
        .iter()
        .any(|step| step.found.status == LookupStatus::Bogus);
    match host.address_status {
        AddressStatus::Failed if is_bogus => report.add_with_fix(
            Code::AddressesBogus,
            format!("the addresses fail DNSSEC validation: {words}"),
            "mend the zone's signatures, or the DS records at its parent",
        ),
        AddressStatus::Failed => report.add_with_fix(
            Code::AddressesLookupFailed,
            format!("the addresses cannot be looked up: {words}"),
            "look at the name servers of the host's zone",
        ),
        AddressStatus::None => report.add_with_fix(
            Code::NoAddresses,
            "the host has no addresses",
            "give it A and AAAA records, or remove its MX record",
        ),
        AddressStatus::Ignored => report.add_with_fix(
            Code::AddressesIgnored,
            "the host has only addresses at which nobody else can deliver",
            "give it public addresses, or remove its MX record",
        ),
        AddressStatus::Insecure => {
            let who = whose(report.seen, host).unwrap_or_default();
            report.add_with_fix(
                Code::HostInsecure,
                "the host's addresses are not signed, so that TLSA records would not count",
                format!("{who}sign the host's zone with DNSSEC, and publish TLSA records in it"),
            );
        }
        AddressStatus::Secure | AddressStatus::SecureAlias | AddressStatus::Literal => {}
    }
}

/// RFC 2181 §10.3, RFC 5321 §5.1.
fn alias(report: &mut Findings<'_>, host: &HostSeen) {
    let mut aliases = host
        .lookups
        .iter()
        .filter(|step| step.record_type != StepType::Tlsa);
    if let Some(alias) = aliases.find_map(|step| step.found.aliases.first()) {
        report.add_with_fix(
            Code::MxIsAlias,
            format!("the MX host is an alias: {alias}"),
            "let the MX record name the host itself (RFC 2181 section 10.3)",
        );
    }
}

fn families(report: &mut Findings<'_>, host: &HostSeen) {
    if host.address_status == AddressStatus::Failed {
        return;
    }
    for step in &host.lookups {
        let is_address = matches!(step.record_type, StepType::A | StepType::Aaaa);
        if is_address && step.found.answer.is_none() {
            let words = step
                .found
                .reason
                .as_ref()
                .or(step.found.cause.as_ref())
                .map_or("", String::as_str);
            report.add_with_fix(
                Code::AddressFamilyFailed,
                format!(
                    "the {} records cannot be looked up: {words}",
                    step.record_type.as_str()
                ),
                "look at the name servers of the host's zone: some senders have no other family",
            );
        }
    }
}

/// What most say of the TLSA records is taken for right, and who says otherwise is named.
fn servers(report: &mut Findings<'_>, zone: &ZoneSeen) {
    let answers = || {
        zone.servers
            .iter()
            .flat_map(|server| server.answers.iter().map(move |answer| (server, answer)))
    };
    let mut counts: BTreeMap<(u8, &[String]), usize> = BTreeMap::new();
    for (_, answer) in answers().filter(|(_, answer)| is_answer(answer.said)) {
        *counts.entry(key(answer)).or_default() += 1;
    }
    // Of equally many, the one with records.
    let usual = counts.iter().max_by_key(|(key, count)| (**count, key.0));
    let Some((usual, _)) = usual else {
        if answers().all(|(_, answer)| answer.said == ServerSaid::Silence) && answers().count() > 0 {
            let text = format!(
                "no name server of {} answers us directly: perhaps port 53 is closed on the way",
                zone.name
            );
            return report.add(Code::NameServersSilent, text);
        }
        return refusals(report, zone);
    };
    let is_signed = answers().any(|(_, answer)| answer.is_signed);
    // Where nobody answers by one family and some do by the other, the way is rather closed here.
    let is_closed = |is_ipv6: bool| {
        let mut of_family = answers().filter(|(_, answer)| answer.address.is_ipv6() == is_ipv6);
        of_family
            .next()
            .is_some_and(|(_, first)| first.said == ServerSaid::Silence)
            && of_family.all(|(_, answer)| answer.said == ServerSaid::Silence)
            && zone.servers.len() > 1
    };
    for (family, is_ipv6) in [("IPv6", true), ("IPv4", false)] {
        if is_closed(is_ipv6) {
            report.add(
                Code::NameServersSilent,
                format!(
                    "no name server of {} answers us directly by {family}: perhaps that way is closed here",
                    zone.name
                ),
            );
        }
    }
    for (server, answer) in answers().filter(|(_, answer)| !is_closed(answer.address.is_ipv6())) {
        let fault = match answer.said {
            ServerSaid::Silence => "does not answer",
            ServerSaid::Refused => "refuses to answer",
            _ if !answer.is_authoritative => "is not set up for the zone (its answer lacks the AA bit)",
            _ if key(answer) != *usual => "says otherwise than the others",
            ServerSaid::Records if is_signed && !answer.is_signed => "sends no signatures",
            _ if answer.said == ServerSaid::Records && answer.parent == ServerSaid::Nxdomain => {
                "denies the name above the TLSA records, although there are names below it"
            }
            ServerSaid::Records | ServerSaid::Alias | ServerSaid::Nodata | ServerSaid::Nxdomain => continue,
        };
        let why = answer
            .reason
            .as_ref()
            .map_or_else(String::new, |why| format!(": {why}"));
        report.add_with_fix(
            Code::NameServerBroken,
            format!(
                "asked about the TLSA records, name server {} [{}] of {} {fault}{why}",
                server.name, answer.address, zone.name
            ),
            "mend or remove this name server: resolvers that happen to ask it fail",
        );
    }
}

fn refusals(report: &mut Findings<'_>, zone: &ZoneSeen) {
    for server in &zone.servers {
        for answer in &server.answers {
            let why = answer.reason.as_deref().unwrap_or_default();
            report.add_with_fix(
                Code::NameServerBroken,
                format!(
                    "asked about the TLSA records, name server {} [{}] of {} does not answer: {why}",
                    server.name, answer.address, zone.name
                ),
                "update its software: it must answer for every type of record (RFC 3597, RFC 4074)",
            );
        }
    }
}

fn is_answer(said: ServerSaid) -> bool {
    match said {
        ServerSaid::Records | ServerSaid::Alias | ServerSaid::Nodata | ServerSaid::Nxdomain => true,
        ServerSaid::Refused | ServerSaid::Silence => false,
    }
}

fn key(answer: &ServerAnswer) -> (u8, &[String]) {
    let rank = match answer.said {
        ServerSaid::Records => 3,
        ServerSaid::Alias => 2,
        ServerSaid::Nodata => 1,
        ServerSaid::Nxdomain | ServerSaid::Refused | ServerSaid::Silence => 0,
    };
    (rank, answer.records.as_slice())
}
