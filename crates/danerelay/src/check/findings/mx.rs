//! The domain and its MX records.

use mail::LookupStatus;

use super::code::Code;
use super::gathered::{Findings, first_to_expire, in_days};
use crate::check::observation::{HostKind, MxKind, ZoneSeen};
use crate::explain::StepType;
use crate::lookup_report::Found;

pub(super) fn judge(report: &mut Findings<'_>) {
    let seen = report.seen;
    let domain = &seen.domain;
    let lookup = &seen.mx.lookup;
    match (seen.mx.kind, lookup.status) {
        (MxKind::Failed, status) => failed(report, status),
        (MxKind::NoSuchDomain, _) => report.add_with_fix(
            Code::NoSuchDomain,
            format!("{domain} does not exist"),
            "check the spelling; mail for it is returned",
        ),
        (MxKind::NullMx, _) => report.add(
            Code::NullMx,
            format!("{domain} says that it takes no mail (null MX, RFC 7505)"),
        ),
        (MxKind::Implicit, _) => implicit(report),
        (MxKind::Hosts, _) if seen.hosts.is_empty() && seen.unexamined.is_none() => report.add(
            Code::MxLookupFailed,
            "the MX records changed between two look-ups: try again",
        ),
        (MxKind::Hosts, _) => {}
    }
    if lookup.status == LookupStatus::Insecure && matches!(seen.mx.kind, MxKind::Hosts | MxKind::Implicit) {
        unsigned(report);
    }
    if let Some(signature) = first_to_expire(&seen.mx.signatures)
        && let Some(days) = report.days_of_signature(signature)
    {
        report.add_with_fix(
            Code::SignaturesExpire,
            format!(
                "the signatures over the MX records expire {}, at {}",
                in_days(days),
                signature.until
            ),
            format!(
                "have the zone {} signed again; look after its signer",
                signature.zone
            ),
        );
    }
    if let Some(unexamined) = &seen.unexamined {
        report.add_with_fix(
            Code::NotExamined,
            format!(
                "not examined within {} s: {}",
                unexamined.within,
                unexamined.what.join(", ")
            ),
            "give it more time (--deadline SECONDS), or look at what takes so long",
        );
    }
    ipv6(report);
}

fn failed(report: &mut Findings<'_>, status: LookupStatus) {
    let lookup = &report.seen.mx.lookup;
    let words = lookup
        .reason
        .clone()
        .or_else(|| lookup.cause.clone())
        .unwrap_or_default();
    let (code, text) = match status {
        LookupStatus::Bogus => (Code::MxBogus, "the MX records fail DNSSEC validation"),
        LookupStatus::Secure
        | LookupStatus::Insecure
        | LookupStatus::Indeterminate
        | LookupStatus::Failed => (Code::MxLookupFailed, "the MX records cannot be looked up"),
    };
    let fix = match code {
        Code::MxBogus => {
            "mend the zone's signatures, or the DS records at its parent: until then all mail waits"
        }
        _ => "nothing is known about the domain; try again, or look at its name servers",
    };
    report.add_with_fix(code, format!("{text}: {words}"), fix);
}

fn implicit(report: &mut Findings<'_>) {
    let domain = &report.seen.domain;
    let has_address = report.seen.hosts.iter().any(|host| !host.addresses.is_empty());
    if has_address {
        report.add_with_fix(
            Code::MxImplicit,
            format!("there is no MX record: mail goes to the addresses of {domain} itself"),
            format!("publish one: {domain}. IN MX 10 MAIL-HOST. (or, for no mail: IN MX 0 .)"),
        );
    } else {
        report.add_with_fix(
            Code::NoMail,
            format!("{domain} has neither MX records nor addresses: it takes no mail"),
            format!("say so with a null MX: {domain}. IN MX 0 . (RFC 7505)"),
        );
    }
}

fn unsigned(report: &mut Findings<'_>) {
    let seen = report.seen;
    let alias = seen.mx.lookup.aliases.iter().find(|alias| !alias.is_secure());
    let (what, zone) = match (alias, &seen.mx.zone) {
        (Some(alias), _) => (format!("the alias {alias} is not signed"), None),
        (None, zone) => (
            "the MX records are not signed: whoever forges them receives the mail".to_owned(),
            zone.as_ref().map(|zone| zone.name.as_str()),
        ),
    };
    let zone = zone.unwrap_or(&seen.domain);
    report.add_with_fix(
        Code::MxInsecure,
        what,
        format!("sign the zone {zone} with DNSSEC, and have its DS record published in the parent zone"),
    );
}

fn ipv6(report: &mut Findings<'_>) {
    let seen = report.seen;
    let has_ipv6 = seen
        .hosts
        .iter()
        .flat_map(|host| &host.lookups)
        .any(|step| step.record_type == StepType::Aaaa && step.found.answer == Some(Found::Records));
    // Of a host whose look-up failed it is not known.
    let mut steps = seen.hosts.iter().flat_map(|host| &host.lookups);
    let is_known = steps.all(|step| step.record_type != StepType::Aaaa || step.found.answer.is_some());
    let has_names = seen.hosts.iter().any(|host| host.kind == HostKind::Name);
    if has_names && is_known && !has_ipv6 {
        report.add_with_fix(
            Code::MxNoIpv6,
            "no MX host has an IPv6 address",
            "give at least one of them an AAAA record, and let its server listen there",
        );
    }
    if let Some(zone) = &seen.mx.zone {
        name_servers(report, zone);
    }
}

/// Resolvers that have IPv6 alone must find the zone as well.
pub(super) fn name_servers(report: &mut Findings<'_>, zone: &ZoneSeen) {
    let with_ipv6 = zone
        .servers
        .iter()
        .filter(|server| server.addresses.iter().any(std::net::IpAddr::is_ipv6));
    let with_ipv6 = with_ipv6.count();
    if with_ipv6 < 2 && !zone.servers.is_empty() {
        report.add_with_fix(
            Code::NameServersNoIpv6,
            match (with_ipv6, zone.servers.len()) {
                (0, _) => format!("no name server of {} has an IPv6 address", zone.name),
                (_, all) => format!(
                    "only one of the {all} name servers of {} has an IPv6 address",
                    zone.name
                ),
            },
            "let at least two of them have one",
        );
    }
}
