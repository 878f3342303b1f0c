//! The TLSA records of a host: whether there are any, whether they count, and whether the next change of keys will go well.

use std::collections::BTreeSet;

use mail::LookupStatus;

use super::code::Code;
use super::gathered::{Findings, first_to_expire, in_days, whose};
use crate::check::marks::{Mark, mark};
use crate::check::observation::{FailureKind, HostSeen, IssuerSeen, ParentSeen, RecordSeen, short};
use crate::explain::{AddressStatus, CertificateReport, StepType, TlsaStatus};
use crate::tlsa_records;

/// Between these a TTL is neither a burden nor a wait, in seconds.
const TTL: std::ops::RangeInclusive<u32> = 1800..=3600;
/// What is proposed.
const USUAL_TTL: u32 = 3600;

pub(super) fn judge(report: &mut Findings<'_>, host: &HostSeen) {
    match (host.tlsa.status, host.address_status) {
        (TlsaStatus::Failed, _) => failed(report, host),
        (TlsaStatus::Absent, AddressStatus::Secure | AddressStatus::SecureAlias) => absent(report, host),
        (TlsaStatus::Absent | TlsaStatus::NotAsked, _) => {}
        (TlsaStatus::Unusable, _) => {
            each(report, host);
            let fix = to_publish(report, host).unwrap_or_else(|| "publish a record 3 1 1".to_owned());
            report.add_with_fix(
                Code::TlsaNoneUsable,
                "none of the TLSA records can be used: senders encrypt, and authenticate nobody",
                fix,
            );
        }
        (TlsaStatus::Usable, _) => {
            each(report, host);
            rollover(report, host);
            intermediate(report, host);
        }
    }
    if !host.tlsa.records.is_empty() {
        denied(report, host);
        times(report, host);
    }
}

fn failed(report: &mut Findings<'_>, host: &HostSeen) {
    let Some(failure) = &host.tlsa.failure else { return };
    let who = whose(report.seen, host).unwrap_or_default();
    let words = &failure.words;
    match failure.kind {
        FailureKind::Bogus => report.add_with_fix(
            Code::TlsaBogus,
            format!("the look-up of TLSA records fails DNSSEC validation: {words}"),
            format!("{who}mend the signatures, or the proofs that there is no such name: until then mail waits"),
        ),
        FailureKind::Refused => report.add_with_fix(
            Code::TlsaRefused,
            format!(
                "the name servers refuse to answer for TLSA records, which is not the same as having none: {words}"
            ),
            format!("{who}have the zone's name servers answer for every type of record; until then mail waits"),
        ),
        FailureKind::Undecided => report.add_with_fix(
            Code::TlsaLookupFailed,
            format!("the TLSA records cannot be looked up: {words}"),
            format!("{who}try again; if it stays so, look at the zone's name servers"),
        ),
    }
}

fn absent(report: &mut Findings<'_>, host: &HostSeen) {
    let is_unsigned = host.lookups.iter().any(|step| {
        step.record_type == StepType::Tlsa
            && step.found.status == LookupStatus::Insecure
            && !step.found.records.is_empty()
    });
    if is_unsigned {
        return report.add_with_fix(
            Code::TlsaInsecure,
            "there are TLSA records, but they are not signed and count as none",
            "sign the zone that they stand in with DNSSEC",
        );
    }
    let who = whose(report.seen, host).unwrap_or_default();
    let what = to_publish(report, host).unwrap_or_else(|| {
        "publish a record 3 1 1 with the server's public key (danerelay tlsa make)".to_owned()
    });
    report.add_with_fix(
        Code::TlsaAbsent,
        "there are no TLSA records: senders can be made to send in clear",
        format!("{who}{what}"),
    );
}

/// Each record by itself.
fn each(report: &mut Findings<'_>, host: &HostSeen) {
    for record in &host.tlsa.records {
        let words = &record.record;
        if record.of_nothing {
            report.add_with_fix(
                Code::TlsaOfNothing,
                format!(
                    "{} is the digest of nothing: whoever made it had no certificate",
                    short(words)
                ),
                "remove it, and mend the script that made it",
            );
            continue;
        }
        if let Some(reason) = record.reason.as_ref().filter(|_| !record.usable) {
            let fix = match record.usage {
                0 | 1 => "replace it: senders of mail use usages 2 and 3 alone (RFC 7672 section 3.1.3)",
                _ => "correct or remove it",
            };
            report.add_with_fix(Code::TlsaUnusable, format!("{}: {reason}", short(words)), fix);
            continue;
        }
        if record.matching_type == 0 {
            full_data(report, host, record);
        }
        if (record.usage, record.selector) == (3, 0) {
            report.add_with_fix(
                Code::TlsaWholeCertificate,
                format!("{} changes with every renewal of the certificate", short(words)),
                "publish 3 1 1, which stays as long as the key does",
            );
        }
    }
}

/// A digest fits only what is sent.
fn full_data(report: &mut Findings<'_>, host: &HostSeen, record: &RecordSeen) {
    let mut published = host.addresses.iter().flat_map(|address| &address.published);
    let is_needed = published.any(|one| one.is_from_dns && one.record == record.record);
    let fix = if is_needed {
        "let the server send that issuer's certificate, and then publish its SHA-256 digest in place of this: large \
         answers fail more often (RFC 7671 section 10.1)"
    } else {
        "publish a SHA-256 digest: large answers fail more often (RFC 7671 section 10.1)"
    };
    report.add_with_fix(
        Code::TlsaFullData,
        format!("{} contains the whole certificate or key", short(&record.record)),
        fix,
    );
}

/// Two records by which the next change goes well: for the key in use and the next one, or for the key in use and its issuer.
/// Two records for one key are one, and two issuers say nothing about keys.
fn rollover(report: &mut Findings<'_>, host: &HostSeen) {
    if !host.addresses.iter().any(|address| !address.published.is_empty()) {
        return;
    }
    let matched = matched(host);
    let usable = || host.tlsa.records.iter().filter(|record| record.usable);
    let is_matched = |record: &RecordSeen| matched.contains(record.record.as_str());
    let current = usable().any(|record| record.usage == 3 && is_matched(record));
    let issuer = usable().any(|record| record.usage == 2 && is_matched(record));
    // A digest that fits is not yet a path that holds: names and dates count as well.
    let invalid = host
        .addresses
        .iter()
        .find(|address| address.issuer == IssuerSeen::Invalid);
    if let Some(reason) = invalid
        .filter(|_| current && issuer)
        .and_then(|address| address.issuer_reason.as_ref())
    {
        return report.add_with_fix(
            Code::RolloverIssuerInvalid,
            format!(
                "an issuer is published beside the key in use, but would not verify the next one: {reason}"
            ),
            "mend that before the key changes, or publish the next key's record 3 1 1",
        );
    }
    let next = usable().find(|record| record.usage == 3 && !is_matched(record));
    match (current, issuer, next) {
        (true, true, _) => report.add(
            Code::RolloverIssuer,
            "the key in use and its issuer are published: a new key by this issuer needs no new record",
        ),
        (true, false, Some(next)) => report.add(
            Code::RolloverNext,
            format!(
                "the key in use and another one are published; {} may be the next",
                short(&next.record)
            ),
        ),
        (true, false, None) => {
            let wait = wait(host);
            report.add_with_fix(
                Code::NoRollover,
                "only the key in use is published: once it changes, mail waits until the new record is seen",
                format!(
                    "publish the next key's record {wait} seconds before that key is used, or now and always the \
                     issuer's record 2 1 1 beside it (danerelay tlsa rollover)"
                ),
            );
        }
        (false, true, _) => report.add_with_fix(
            Code::NoRollover,
            "only an issuer is published, and no record of the key in use: if the authority changes its issuer, delivery \
             fails",
            "publish 3 1 1 for the key in use beside it",
        ),
        (false, false, _) => {}
    }
    if !current && !issuer {
        // That nothing matches is told with the address.
        return;
    }
    let named = next.filter(|_| current && !issuer);
    for record in usable().filter(|record| !is_matched(record) && Some(*record) != named) {
        report.add(
            Code::TlsaUnmatched,
            format!("{} matches nothing that the server shows", short(&record.record)),
        );
    }
}

/// The records that match some certificate of some address, whatever keys and versions were offered.
fn matched(host: &HostSeen) -> BTreeSet<&str> {
    let is_matched = |record: &&RecordSeen| {
        let marks = host.addresses.iter().filter_map(|address| mark(record, address));
        marks.into_iter().any(Mark::is_match)
    };
    let matched = host.tlsa.records.iter().filter(is_matched);
    matched.map(|record| record.record.as_str()).collect()
}

/// A trust anchor that is an intermediate, although the server also sends what issued it.
fn intermediate(report: &mut Findings<'_>, host: &HostSeen) {
    let found = host.addresses.iter().find_map(|address| {
        let anchor = address
            .published
            .iter()
            .filter(|record| record.usable)
            .find(|record| record.matches.is_some_and(|depth| depth > 0))?;
        let at = anchor.among(&address.presented)?;
        let root = address
            .presented
            .iter()
            .skip(1)
            .find(|certificate| certificate.self_issued)?;
        let mut anchors = address.published.iter().filter(|record| record.usable);
        let is_root_published = anchors.any(|record| {
            record
                .among(&address.presented)
                .is_some_and(|one| one.self_issued)
        });
        (!at.self_issued && !is_root_published && root.not_after > at.not_after).then_some((anchor, at, root))
    });
    if let Some((anchor, at, root)) = found {
        report.add_with_fix(
            Code::TlsaIntermediate,
            format!("{} is for the intermediate {}", short(&anchor.record), at.subject),
            format!(
                "the root {} is sent as well and lasts longer: {}",
                root.subject,
                root.record.as_ref().map_or_else(String::new, |record| line(
                    host,
                    report.seen.manner.port,
                    record
                ))
            ),
        );
    }
}

/// RFC 8020: there is something below a name that has nothing itself.
fn denied(report: &mut Findings<'_>, host: &HostSeen) {
    let base = host.tlsa.base.as_deref().unwrap_or(&host.name);
    if host.tlsa.parent == ParentSeen::Failed {
        report.add_with_fix(
            Code::EmptyNonTerminalFailed,
            format!(
                "the name servers refuse to answer for _tcp.{base}, above the TLSA records: resolvers that ask for as little as \
                 possible (RFC 9156) then see none"
            ),
            "update the name servers' software, which must say NOERROR there (RFC 8020)",
        );
    }
    if host.tlsa.parent == ParentSeen::Undecided {
        report.add_with_fix(
            Code::EmptyNonTerminalUnknown,
            format!("_tcp.{base}, above the TLSA records, could not be looked up"),
            "check again",
        );
    }
    if host.tlsa.parent == ParentSeen::Denied {
        report.add_with_fix(
            Code::EmptyNonTerminalDenied,
            format!(
                "the name servers deny _tcp.{base}, or fail to prove that it has no records, although TLSA records stand \
                 below it: resolvers that ask for as little as possible (RFC 9156) then see none"
            ),
            "update the name servers' software, which must say NOERROR there (RFC 8020)",
        );
    }
}

fn times(report: &mut Findings<'_>, host: &HostSeen) {
    let Some(signature) = first_to_expire(&host.tlsa.signatures) else {
        return;
    };
    if !TTL.contains(&signature.ttl) {
        report.add_with_fix(
            Code::TlsaTtl,
            format!("the TTL of the TLSA records is {} seconds", signature.ttl),
            format!(
                "{} to {} seconds are neither a burden for name servers nor a long wait when keys change",
                TTL.start(),
                TTL.end()
            ),
        );
    }
    if let Some(days) = report.days_of_signature(signature) {
        report.add_with_fix(
            Code::SignaturesExpire,
            format!(
                "the signatures over the TLSA records expire {}, at {}",
                in_days(days),
                signature.until
            ),
            format!(
                "have the zone {} signed again; look after its signer",
                signature.zone
            ),
        );
    }
}

/// The record for the server's own key, as a line for the zone that it belongs into, and how long to wait then.
pub(super) fn to_publish(report: &Findings<'_>, host: &HostSeen) -> Option<String> {
    let own = own_certificates(host);
    let lines: BTreeSet<String> = own
        .filter_map(|certificate| certificate.record.as_ref())
        .map(|record| line(host, report.seen.manner.port, record))
        .collect();
    if lines.is_empty() {
        return None;
    }
    let lines: Vec<String> = lines.into_iter().collect();
    // Whoever is in the middle shows a certificate of his own.
    Some(format!(
        "compare with `danerelay tlsa make CERT` on the server, because nobody vouches for what answered here, and \
         publish in the zone {}: {}",
        zone(host),
        lines.join(" and ")
    ))
}

/// The server's own certificates, of all addresses and kinds of keys.
fn own_certificates(host: &HostSeen) -> impl Iterator<Item = &CertificateReport> {
    let first = host
        .addresses
        .iter()
        .filter_map(|address| address.presented.first());
    let offers = host.addresses.iter().flat_map(|address| &address.offers);
    first.chain(offers.filter_map(|offer| offer.certificate.as_ref()))
}

/// As it stands in the zone.
fn line(host: &HostSeen, port: u16, record: &str) -> String {
    // All records of a set have one TTL (RFC 2181 §5.2).
    let ttl = host.tlsa.signatures.first().map_or(USUAL_TTL, |set| set.ttl);
    match &host.tlsa.owner {
        Some(owner) => format!("{owner}. {ttl} IN TLSA {record}"),
        None => format!("_{port}._tcp.{}. {ttl} IN TLSA {record}", host.name),
    }
}

/// The zone that the records belong into.
fn zone(host: &HostSeen) -> &str {
    let signed = host.tlsa.zone.as_deref();
    let asked = host.zone.as_ref().map(|zone| zone.name.as_str());
    signed.or(asked).unwrap_or(&host.name)
}

/// How long to wait after a change of the records, in seconds.
pub(super) fn wait(host: &HostSeen) -> u32 {
    let ttl = host.tlsa.signatures.iter().map(|signature| signature.ttl).max();
    tlsa_records::wait(ttl.unwrap_or(USUAL_TTL))
}
