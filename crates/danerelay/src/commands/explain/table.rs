//! The answer for people.

use std::fmt::Write as _;

use mail::words::{day, list};
use policy::settings::{Key, Limits, RouteTls};

use crate::commands::output::printable;
use crate::explain::{
    CertificateReport, ConnectionReport, FallbackReport, HostReport, ModeReport, Places, PolicyReport,
    PublishedRecord, Report, Step, StepType, StsReport, Would, Written,
};
use crate::lookup_report::Found;

/// The complete answer: what the policy says, what DNS says, what follows for each host, and the conclusion.
pub(super) fn write(report: &Report) -> String {
    let mut table = String::new();
    line(&mut table, "destination", &report.destination);
    line(&mut table, "resolver", &report.resolver.to_string());
    let file = report.policy_file.as_deref().unwrap_or("the built-in policy");
    let rules = format!("{}; from {file}", keys(&report.policy));
    line(&mut table, "policy", &rules);
    if let Some(Written {
        file, line: number, ..
    }) = &report.decided_by
    {
        line(&mut table, "decided by", &format!("{file}, line {number}"));
    }
    write_ways(&mut table, report);
    if let Some(mx) = &report.mx {
        step(&mut table, mx);
    }
    if let Some(sts) = report.mta_sts.as_ref().filter(|sts| sts.is_notable()) {
        line(&mut table, "MTA-STS", &policy_of(sts));
    }
    for host in &report.hosts {
        write_host(&mut table, host, report.port);
    }
    if let Some(fallback) = &report.fallback_tried {
        write_fallback(&mut table, fallback);
    }
    table.push('\n');
    line(&mut table, "would", would(report.would));
    for (label, words) in [
        ("status", &report.enhanced),
        ("dane", &report.dane),
        ("reason", &report.reason),
    ] {
        if let Some(words) = words {
            line(&mut table, label, words);
        }
    }
    write_modes(&mut table, &report.modes);
    for note in &report.notes {
        line(&mut table, "note", note);
    }
    if let Some(exception) = &report.exception {
        write_exception(&mut table, exception);
    }
    write_traces(&mut table, report);
    table
}

/// What the policy says, and where. Of the keys that are seldom set, only those that are.
fn keys(policy: &PolicyReport) -> String {
    let PolicyReport {
        dane,
        source,
        insecure_mx,
        tls,
        mta_sts,
        honor_tls_required_no,
        places,
    } = policy;
    let mut words = format!("dane {dane} ({source})");
    for (key, value, is_shown) in [
        (Key::InsecureMx, insecure_mx.as_str(), true),
        (Key::Tls, tls.as_str(), true),
        (Key::MtaSts, mta_sts.as_str(), false),
        (
            Key::HonorTlsRequiredNo,
            if *honor_tls_required_no { "true" } else { "false" },
            false,
        ),
    ] {
        if is_shown || places.contains_key(&key) {
            let _ = write!(words, "; {key} {value}{}", place(places, key));
        }
    }
    words
}

/// ` (policy.toml, line 14)`, or nothing for what is built in.
fn place(places: &Places, key: Key) -> String {
    let place = places.get(&key);
    place
        .map(|place| format!(" ({}, line {})", place.file, place.line))
        .unwrap_or_default()
}

/// The domain's MTA-STS policy.
fn policy_of(sts: &StsReport) -> String {
    let mut words = format!("{} {}", sts.domain, sts.status.as_str());
    if let Some(mode) = sts.mode.as_ref().filter(|mode| *mode != sts.status.as_str()) {
        let _ = write!(words, "; the policy says {mode}");
    }
    if let (Some(id), Some(ends)) = (&sts.id, &sts.ends) {
        let _ = write!(words, "; id {id}; until {ends}");
    }
    if !sts.mx.is_empty() {
        let _ = write!(words, "; mx {}", sts.mx.join(", "));
    }
    if let Some(reason) = &sts.reason {
        let _ = write!(words, "; {reason}");
    }
    words
}

/// The next hops that the policy names instead of the destination's own hosts, and its limits.
fn write_ways(table: &mut String, report: &Report) {
    let places = &report.policy.places;
    if let Some(route) = &report.route {
        let begun = match report.route_tls {
            Some(RouteTls::Implicit) => "; TLS begins with the first octet",
            Some(RouteTls::Starttls) | None => "",
        };
        let login = report.route_login.as_ref();
        let login = login
            .map(|file| format!("; login from {file}"))
            .unwrap_or_default();
        let place = place(places, Key::Route);
        line(table, "route", &format!("{route}{begun}{login}{place}"));
    }
    if let Some(fallback) = &report.fallback {
        let place = place(places, Key::Fallback);
        line(
            table,
            "fallback",
            &format!("{fallback}, if every host is out of reach{place}"),
        );
    }
    write_limits(table, report.limits, places);
}

fn write_limits(table: &mut String, limits: Limits, places: &Places) {
    let connections = limits.connections;
    let connections =
        connections.map(|most| format!("{most} connections{}", place(places, Key::Connections)));
    let messages = limits.messages_per_minute;
    let messages = messages.map(|most| {
        format!(
            "{most} messages a minute{}",
            place(places, Key::MessagesPerMinute)
        )
    });
    let words: Vec<String> = connections.into_iter().chain(messages).collect();
    if !words.is_empty() {
        line(table, "limits", &words.join("; "));
    }
}

/// What each mode would do.
fn write_modes(table: &mut String, modes: &[ModeReport]) {
    let mut label = "modes";
    for mode in modes {
        let mut words = format!("{:<13} {}", mode.mode.as_str(), would(mode.would));
        if let Some(dane) = &mode.dane {
            let _ = write!(words, ", dane=\"{dane}\"");
        }
        if mode.in_force {
            words.push_str("  (in force)");
        }
        if mode.without_exceptions {
            words.push_str("  (without exceptions)");
        }
        line(table, label, &words);
        label = "";
    }
}

/// Its lines have no labels, so that they can be pasted as they are.
fn write_exception(table: &mut String, exception: &str) {
    table.push_str("\nUntil it is fixed, these lines in the policy file let the mail through:\n\n");
    for text in exception.lines() {
        let _ = writeln!(table, "{}", printable(text));
    }
}

fn line(table: &mut String, label: &str, words: &str) {
    let _ = writeln!(table, "{label:<12} {}", printable(words));
}

/// One look-up: its status, what it found, and each alias on the way.
fn step(table: &mut String, step: &Step) {
    let found = &step.found;
    let answer = match (&found.cause, found.answer) {
        (Some(cause), _) if cause != found.status.as_str() => format!(": {cause}"),
        (Some(_), _) | (None, None) => String::new(),
        (None, Some(Found::Records)) => format!(": {}", found.records.join(", ")),
        (None, Some(absence @ (Found::Nodata | Found::Nxdomain))) => format!(": {}", absence.as_str()),
    };
    let reason = found.reason.as_ref().map(|reason| format!(": {reason}"));
    let said = found.extended_error.as_ref().map(|said| format!(", {said}"));
    let words = format!(
        "{} {}{answer}{}{}",
        step.name,
        found.status.as_str(),
        reason.unwrap_or_default(),
        said.unwrap_or_default()
    );
    line(table, step.record_type.as_str(), &words);
    for alias in &found.aliases {
        line(table, "", &format!("alias {alias}"));
    }
}

fn write_host(table: &mut String, host: &HostReport, port: u16) {
    let name = host.name.clone().unwrap_or_else(|| list(&host.addresses));
    table.push('\n');
    let mode = match (&host.mode, &host.source) {
        (Some(mode), Some(source)) => format!("; dane {mode} ({source})"),
        _ => String::new(),
    };
    line(table, "host", &format!("{name} port {port}{mode}"));
    for one in host
        .lookups
        .iter()
        .filter(|step| step.record_type != StepType::Tlsa)
    {
        step(table, one);
    }
    if !host.ignored.is_empty() {
        let words = format!("{} (delivery.ignore_addresses)", list(&host.ignored));
        line(table, "ignored", &words);
    }
    if !host.other_family.is_empty() {
        let words = format!("{} (delivery.address_family)", list(&host.other_family));
        line(table, "not used", &words);
    }
    write_limits(table, host.limits, &host.limits_places);
    write_tlsa(table, host);
    line(table, "must", &demand(host));
    for connection in host.connections.iter().flatten() {
        line(table, "connection", &connected(connection));
        write_presented(table, connection);
    }
}

/// The hosts of the fallback.
fn write_fallback(table: &mut String, fallback: &FallbackReport) {
    table.push('\n');
    line(table, "fallback", "tried, because no host takes mail now");
    for host in &fallback.hosts {
        write_host(table, host, fallback.port);
    }
}

/// The dialogue with each address, as it is pasted elsewhere.
fn write_traces(table: &mut String, report: &Report) {
    let fallback = report.fallback_tried.iter().flat_map(|fallback| &fallback.hosts);
    for host in report.hosts.iter().chain(fallback) {
        let name = host.name.clone().unwrap_or_else(|| list(&host.addresses));
        let traced = host.connections.iter().flatten();
        for connection in traced.filter(|connection| !connection.trace.is_empty()) {
            let _ = writeln!(table, "\ntrace of {} [{}]", printable(&name), connection.address);
            for step in &connection.trace {
                let _ = writeln!(table, "{}", printable(&step.to_string()));
            }
        }
    }
}

/// Each name that had no usable records, and then what was found.
fn write_tlsa(table: &mut String, host: &HostReport) {
    let tlsa = &host.tlsa;
    let mut asked: Vec<&Step> = host
        .lookups
        .iter()
        .filter(|step| step.record_type == StepType::Tlsa)
        .collect();
    // The last name has the records listed below.
    if tlsa.base_domain.is_some() {
        asked.pop();
    } else if asked.is_empty() {
        line(table, "TLSA", tlsa.status.as_str());
    }
    for one in asked {
        step(table, one);
    }
    if let Some(base) = &tlsa.base_domain {
        let words = format!("secure at base domain {base}; {}", tlsa.status.as_str());
        line(table, "TLSA", &words);
    }
    for record in &tlsa.records {
        line(table, "", &record.to_string());
    }
}

/// What the host must achieve, or why it is not connected to.
fn demand(host: &HostReport) -> String {
    let dane = host.dane.as_deref().unwrap_or("-");
    let second = host
        .soft_fail
        .map(|must| format!("; if no host takes the message, in a second round only: {must}"));
    let first = match (host.requirement, &host.reason) {
        (Some(must), _) => format!("{must}; dane=\"{dane}\""),
        (None, Some(reason)) => format!("not be connected to: {reason}; dane=\"{dane}\""),
        (None, None) => "not be connected to: the destination itself is the obstacle".to_owned(),
    };
    first + &second.unwrap_or_default()
}

fn connected(connection: &ConnectionReport) -> String {
    let mut words = connection.address.to_string();
    let _ = write!(words, " {}", if connection.met { "good" } else { "failed" });
    let is_clear = connection.tls.is_none() && connection.tlsfail.is_some();
    let tls = connection.tls.as_deref().or(is_clear.then_some("-"));
    for (label, value) in [
        ("tls", tls),
        ("tlsfail", connection.tlsfail.as_deref()),
        ("tlsvalid", connection.tlsvalid.as_deref()),
        ("tlsa", connection.matched.as_deref()),
    ] {
        if let Some(value) = value {
            let _ = write!(words, ", {label}={value}");
        }
    }
    let _ = write!(words, ", dane=\"{}\"", connection.dane);
    if let Some(reason) = &connection.reason {
        let _ = write!(words, ": {reason}");
    }
    if connection.later_in_clear {
        words.push_str("; would defer now; goes in clear after the first retry step");
    }
    words
}

/// The server's certificates, each published record with what it matches, and the records that would match.
fn write_presented(table: &mut String, connection: &ConnectionReport) {
    let chain = &connection.presented;
    let mut label = "presented";
    for certificate in chain {
        line(table, label, &certified(certificate));
        label = "";
    }
    label = "published";
    for record in &connection.published {
        line(table, label, &fitting(record, chain));
        label = "";
    }
    label = "would match";
    for (depth, certificate) in chain.iter().enumerate() {
        if let Some(record) = &certificate.record {
            let whose = if depth == 0 {
                "the server's own key"
            } else {
                &certificate.subject
            };
            line(table, label, &format!("{record}  ({whose})"));
            label = "";
        }
    }
}

fn certified(certificate: &CertificateReport) -> String {
    let (Some(from), Some(until)) = (certificate.not_before, certificate.not_after) else {
        return "a certificate that cannot be read".to_owned();
    };
    let mut words = certificate.subject.clone();
    if words.is_empty() {
        words.push_str("a certificate without a subject");
    }
    if !certificate.names.is_empty() {
        let _ = write!(words, " for {}", certificate.names.join(", "));
    }
    let _ = write!(
        words,
        "; issued by {}; valid {} to {}",
        certificate.issuer,
        day(from),
        day(until)
    );
    words
}

fn fitting(record: &PublishedRecord, chain: &[CertificateReport]) -> String {
    let verdict = match (record.matches, record.usable) {
        (Some(0), true) => "matches the server's own certificate".to_owned(),
        (Some(depth), true) => match record.among(chain) {
            Some(issuer) => format!("matches the certificate of {}", issuer.subject),
            None if record.is_from_dns => {
                format!("matches issuer {depth} of the chain, which is taken from the record itself")
            }
            None => format!("matches issuer {depth} of the chain"),
        },
        (Some(_), false) => "matches, but does not count".to_owned(),
        (None, _) => "does not match".to_owned(),
    };
    format!("{}  ({verdict})", record.record)
}

fn would(would: Would) -> &'static str {
    match would {
        Would::Deliver => "deliver",
        Would::Defer => "defer",
        Would::Fail => "fail at once",
    }
}
