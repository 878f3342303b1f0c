//! What the administrator can do until a destination is fixed: an exception for the policy, with a date and a reason.

use std::collections::BTreeSet;

use jiff::ToSpan;
use jiff::civil::Date;
use mail::cause::{Cause, Demand};
use mail::{Domain, FailCause, LookupStatus, NextHop};
use policy::failure::Failure;
use policy::settings::DaneMode;

use super::investigation::Investigation;
use super::resolver::ModeWord;

/// For how many days an exception is proposed to last.
const DAYS: i32 = 30;

/// What can be done.
pub(super) struct Remedy {
    /// `[[exception]]` tables for the policy file, ready to paste.
    pub(super) exception: Option<String>,
    /// Further information.
    pub(super) notes: Vec<String>,
}

/// What helps with this cause, which is not on our own side.
pub(super) fn propose(found: &Investigation<'_>, cause: &Failure) -> Remedy {
    if let Cause::Policy(demand) = cause.cause
        && let Some(note) = unmet(found, demand)
    {
        return Remedy {
            exception: None,
            notes: vec![note],
        };
    }
    let Some(fail) = &cause.dane_failed() else {
        return Remedy {
            exception: None,
            notes: Vec::new(),
        };
    };
    match way(fail) {
        Way::SoftFail => Remedy {
            exception: soft_fail(found, fail),
            notes: Vec::new(),
        },
        Way::WithoutDnssec => without_dnssec(found, fail),
        Way::None => Remedy {
            exception: None,
            notes: Vec::new(),
        },
    }
}

/// A demand of our own policy that the destination does not meet, and will not meet at the next attempt either.
fn unmet(found: &Investigation<'_>, demand: Demand) -> Option<String> {
    match demand {
        Demand::AddressLiteral
        | Demand::InsecureMx
        | Demand::AddressName
        | Demand::InsecureHost
        | Demand::NoSecureTlsa
        | Demand::NoUsableTlsa => {
            let policy = &found.route.policy;
            let mut hosts = found.route.decision.hosts();
            let weaker = if hosts.any(|(host, _)| host.tlsa().is_some()) {
                "; under \"opportunistic\" the secure TLSA records that it has still bind"
            } else {
                ""
            };
            Some(format!(
                "as long as this holds and dane is {} ({}), all mail for it waits and is then returned{weaker}",
                policy.dane, policy.dane_source
            ))
        }
        Demand::MtaStsMismatch
        | Demand::MtaStsUnproven
        | Demand::MtaStsUnknown
        | Demand::SecurePath
        | Demand::SecureAddress
        | Demand::SecureRoute
        | Demand::SecurePathOfReport
        | Demand::NoName => None,
    }
}

/// The kind of exception that lets mail through in spite of this cause.
enum Way {
    /// DANE is the obstacle: with soft-fail its failure is only recorded. With DANE off, nobody would see when it is
    /// fixed.
    SoftFail,
    /// As long as signatures are required, there is no destination to deliver to (RFC 7646).
    WithoutDnssec,
    /// An outage ends by itself, and a requirement of our own policy has to be changed there.
    None,
}

fn way(cause: &FailCause) -> Way {
    match cause {
        FailCause::MxLookup(failure) | FailCause::AddressLookup(failure) if failure.is_bogus() => {
            Way::WithoutDnssec
        }
        FailCause::TlsaLookup(_)
        | FailCause::NoMatchingTlsa
        | FailCause::StarttlsNotOffered
        | FailCause::StarttlsRefused
        | FailCause::TlsHandshake(_)
        | FailCause::NameMismatch
        | FailCause::Expired
        | FailCause::Untrusted => Way::SoftFail,
        FailCause::MxLookup(_)
        | FailCause::AddressLookup(_)
        | FailCause::InsecureMx
        | FailCause::InsecureHost
        | FailCause::NoSecureTlsa
        | FailCause::NoUsableTlsa => Way::None,
    }
}

/// For the one host that fails if it belongs to another domain and so may serve other domains as well; otherwise for
/// the destination.
fn soft_fail(found: &Investigation<'_>, cause: &FailCause) -> Option<String> {
    let destination = name_of(found.destination)?;
    let hosts: Vec<&Domain> = found.host_names().collect();
    let (key, name) = match hosts.as_slice() {
        [host] if !is_at_or_below(host.as_str(), destination.as_str()) && found.fallback.is_none() => {
            ("mx", *host)
        }
        _ => ("domain", destination),
    };
    let strict = found.route.policy.dane == DaneMode::Strict;
    Some(table(
        &Exception {
            key,
            name: name.as_str(),
            what: "dane = \"soft-fail\"",
            override_strict: strict,
        },
        &format!("{cause} at {destination}"),
        found.today,
    ))
}

fn without_dnssec(found: &Investigation<'_>, cause: &FailCause) -> Remedy {
    let names = bogus_names(found);
    let tables = names.iter().map(|name| {
        let exception = Exception {
            key: "domain",
            name,
            what: "dnssec = \"off\"",
            override_strict: false,
        };
        table(&exception, &format!("{cause} at {name}"), found.today)
    });
    match found.resolver.mode {
        ModeWord::Validate => Remedy {
            exception: Some(tables.collect::<Vec<_>>().join("\n")).filter(|tables| !tables.is_empty()),
            notes: Vec::new(),
        },
        ModeWord::TrustAd => Remedy {
            exception: None,
            notes: names
                .iter()
                .map(|name| {
                    format!(
                        "{name} is bogus; until its zone is mended, this line in Unbound's configuration lets its mail \
                         pass without DNSSEC: domain-insecure: \"{name}\""
                    )
                })
                .collect(),
        },
    }
}

/// The names whose MX or address records are bogus: where the last alias led, which may be far from the name that was asked
/// for.
fn bogus_names(found: &Investigation<'_>) -> Vec<String> {
    let steps = found.mx.iter().cloned().chain(found.address_steps());
    let bogus = steps.filter(|step| step.found.status == LookupStatus::Bogus);
    let names: BTreeSet<String> = bogus.map(|step| step.reached().to_owned()).collect();
    names.into_iter().collect()
}

/// The name of a destination in the policy.
fn name_of(destination: &NextHop) -> Option<&Domain> {
    match destination {
        NextHop::Domain { domain, .. } => Some(domain),
        NextHop::Host { host, .. } => Some(host),
        NextHop::Address { .. } => None,
    }
}

pub(super) fn is_at_or_below(name: &str, zone: &str) -> bool {
    let rest = name.strip_suffix(zone);
    rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// An exception.
struct Exception<'a> {
    /// `domain` or `mx`.
    key: &'static str,
    name: &'a str,
    what: &'static str,
    override_strict: bool,
}

fn table(exception: &Exception<'_>, reason: &str, today: Date) -> String {
    let Exception {
        key,
        name,
        what,
        override_strict,
    } = exception;
    let until = today.saturating_add(DAYS.days());
    let harmless: String = reason
        .chars()
        .map(|c| {
            if matches!(c, ' '..='~') && !matches!(c, '"' | '\\') {
                c
            } else {
                '?'
            }
        })
        .collect();
    let strict = if *override_strict {
        "override_strict = true\n"
    } else {
        ""
    };
    format!(
        "[[exception]]\n{key} = \"{name}\"\n{what}\n{strict}until = {until}\nreason = \"{harmless}, seen {today}\"\n"
    )
}
