//! Every metric, with what is healthy and what to do when it is not.

use std::sync::atomic::Ordering;

use dane::TlsVersion;
use jiff::Timestamp;
use mail::event::resolver::Finding;
use spool::{StateCounts, Store};

use super::census::{Census, Vitals};
use super::exposition::Exposition;
use super::metrics::Metrics;
use super::sources::{Monitor, Sources};

/// All metrics.
pub(super) fn metrics<S: Store>(monitor: &Monitor<S>, now: Timestamp) -> String {
    let mut to = Exposition::default();
    let (sources, census) = (&monitor.sources, monitor.census.load());
    process(&mut to, &sources.metrics);
    mail(&mut to, &sources.metrics);
    queue(&mut to, &census, (sources.metrics.started, now));
    incidents(&mut to, &census);
    dns(&mut to, sources);
    spool(&mut to, sources, (&census, &monitor.vitals.load()));
    connections(&mut to, sources, &census);
    policy(&mut to, &census);
    to.into_text()
}

fn process(to: &mut Exposition, metrics: &Metrics) {
    to.gauge("build_info", "The version of this relay; always 1.")
        .with(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    to.gauge(
        "start_time_seconds",
        "When the process started. Alarm: it changes and nobody restarted it; the log says why (event=fault, event=not-started).",
    )
    .is(seconds(metrics.started));
    to.counter(
        "faults_total",
        "Faults of this program. Healthy: 0. Each is an event=fault line in the log, and worth a bug report; mail is not lost.",
    )
    .is(metrics.faults.load(Ordering::Relaxed));
}

fn mail(to: &mut Exposition, metrics: &Metrics) {
    to.counter(
        "messages_accepted_total",
        "Messages taken from clients and on disk. Healthy: follows your traffic. Alarm: it stands still in office hours; look at event=rejected in the log and at spool_accepting.",
    )
    .is(metrics.accepted.load(Ordering::Relaxed));
    to.counter(
        "accepted_bytes_total",
        "Octets of content of the messages accepted. Healthy: follows your traffic. Alarm: it rises much faster than messages_accepted_total; event=accepted in the log says whose messages are so large.",
    )
    .is(metrics.accepted_octets.load(Ordering::Relaxed));
    let mut deliveries = to.counter(
        "deliveries_total",
        "Delivery attempts, one for each recipient, by how they ended and what secured them. Healthy: most are sent. Alarm: the share of deferred or bounced rises; `danerelay queue summary` names the reasons.",
    );
    for (status, counts) in &metrics.deliveries {
        for (security, count) in counts.all() {
            deliveries.with(&[("status", status.as_str()), ("security", security)], count);
        }
    }
    let mut dane = to.counter(
        "dane_results_total",
        "What DANE found in each delivery attempt, one for each recipient. Healthy: fail is rare, and softfail stands for mail that enforcing would hold up. Alarm: the share of fail rises; `danerelay incidents` says where and why.",
    );
    for (result, count) in metrics.dane.all() {
        dane.with(&[("result", result)], count);
    }
    to.histogram(
        "delivery_delay_seconds",
        "From acceptance to delivery, for each recipient delivered to. Healthy: most within seconds; greylisting servers make for minutes. Alarm: the median is above a minute; look at queue_messages and smtp_connections.",
        &metrics.delays.observed(),
    );
    let mut reports = to.counter(
        "reports_total",
        "Reports to senders, by what they tell. Healthy: few. Alarm: many failed ones at once; look at status=bounced in the log.",
    );
    for (kind, count) in metrics.reports.all() {
        reports.with(&[("kind", kind)], count);
    }
    let mut told = to.counter(
        "tls_reports_total",
        "TLS reports (RFC 8460) to receiving domains, by what became of them. Healthy: failed and dropped ones are few. Alarm: all fail; event=tlsrpt in the log says why.",
    );
    for (end, count) in metrics.tls_reports.ends.all() {
        told.with(&[("result", end)], count);
    }
}

/// `started`: since when the queue may not have been read.
fn queue(to: &mut Exposition, census: &Census, (started, now): (Timestamp, Timestamp)) {
    let summary = census.queue.found();
    let age = |time: Timestamp| now.duration_since(time).as_secs_f64().max(0.0);
    let mut messages = to.gauge(
        "queue_messages",
        "Messages in the queue by the state of their liveliest recipient; in finished ones only a report is still to be made. Healthy: near 0, and deferred ones come and go. Alarm: it only rises; `danerelay queue summary` names destinations and reasons.",
    );
    if let Some(summary) = summary {
        for (state, count) in states(&summary.states) {
            messages.with(&[("state", state)], count);
        }
    }
    to.gauge(
        "queue_bytes",
        "Octets of content in the queue. Healthy: far below spool_free_bytes. Alarm: it nears that; `danerelay queue summary` says for which destinations it waits.",
    )
    .only_if_any(summary.map(|summary| summary.bytes));
    to.gauge(
        "queue_oldest_age_seconds",
        "The age of the oldest message in the queue, held ones too; 0 if it is empty. Healthy: below delivery.delay_warning (4 hours). Alarm: it nears delivery.max_age (5 days), when mail is returned; `danerelay queue list --older-than 1d` shows what waits.",
    )
    .only_if_any(summary.map(|summary| summary.oldest.map_or(0.0, age)));
    to.gauge(
        "queue_count_age_seconds",
        "How long ago queue and incidents could be read. Healthy: below a minute, up to 6 with a million messages. Alarm: above 15 minutes; the spool cannot be read, the other figures are missing, and the status page says why.",
    )
    .is(age(census.read.unwrap_or(started)));
}

fn states(counts: &StateCounts) -> [(&'static str, u64); 5] {
    [
        ("queued", counts.queued),
        ("leased", counts.leased),
        ("deferred", counts.deferred),
        ("held", counts.held),
        ("finished", counts.sent.saturating_add(counts.failed)),
    ]
}

fn incidents(to: &mut Exposition, census: &Census) {
    let open = census.incidents.found();
    to.gauge(
        "incidents",
        "Open incidents: security failures that hold mail up, and what is wrong on our own side. Healthy: 0. Alarm: any; `danerelay incidents` says what to do about each.",
    )
    .only_if_any(open.map(Vec::len));
    let waiting = |open: &Vec<_>| {
        let messages = open
            .iter()
            .map(|incident: &report::incidents::Incident| incident.messages);
        messages.fold(0, u64::saturating_add)
    };
    to.gauge(
        "incident_messages",
        "Messages that wait because of open incidents; one that waits for several counts for each. Healthy: 0. Alarm: it rises; `danerelay incidents` says what to do about each.",
    )
    .only_if_any(open.map(waiting));
    let first = open.and_then(|open| open.iter().filter_map(|incident| incident.first_return).min());
    to.gauge(
        "incident_first_return_timestamp_seconds",
        "When the first message held up by an incident will be returned to its sender; absent if none is. Alarm: less than a day away; tell the receiving site, or make an exception (`danerelay incidents show ID`).",
    )
    .only_if_any(first.map(seconds));
}

fn dns<S>(to: &mut Exposition, sources: &Sources<S>) {
    let counts = sources.resolver.counts();
    let mut asked = to.counter(
        "dns_lookups_total",
        "DNS look-ups that servers were asked for, by type and DNSSEC status. Healthy: failed, indeterminate and bogus are a few percent. Alarm: their share rises; `danerelay dns NAME TYPE` says what is wrong with one.",
    );
    for (kind, result, count) in counts.asked() {
        asked.with(&[("type", kind.as_str()), ("result", result.as_str())], count);
    }
    to.counter(
        "dns_cached_total",
        "DNS look-ups answered from the cache. Healthy: at a busy relay more than dns_lookups_total. Alarm: hardly any of many; look at dns.cache_entries.",
    )
        .is(counts.cached());
    let standing = sources.metrics.resolver.load();
    let is_fine = standing
        .as_ref()
        .is_some_and(|standing| matches!(standing.finding, Finding::Fine(_)));
    to.gauge(
        "dns_validation_ok",
        "Whether the resolver's last self-test showed that DNSSEC is validated. Healthy: 1. Alarm: 0; all mail waits that needs DNS, and event=resolver in the log says what is wrong.",
    )
    .is(u8::from(is_fine));
}

fn spool<S: Store>(to: &mut Exposition, sources: &Sources<S>, (census, vitals): (&Census, &Vitals)) {
    to.histogram(
        "spool_commit_seconds",
        "How long it takes to put a message on disk: clients wait for it. Healthy: below 0.05. Alarm: the 95th percentile is above 1; the disk is slow or failing.",
        &sources.spool.commit_times(),
    );
    to.gauge(
        "spool_accepting",
        "Whether new mail is accepted. Healthy: 1. Alarm: 0; clients are told to try again later, because the disk is full or broken or limits.queue_messages is reached.",
    )
    .is(u8::from(vitals.refuses.is_none()));
    let room = census.ledger.found();
    to.gauge(
        "ledger_outcomes",
        "Different outcomes by domain and host in the ledger, from which reports are made. Healthy: below 4,000,000, and about the same from month to month. Alarm: it nears that; a shorter report.keep makes room.",
    )
    .only_if_any(room.map(|room| room.outcomes));
    to.gauge(
        "ledger_full",
        "Whether the ledger takes no new domains, at all or today: their deliveries are counted without domain and host. Healthy: 0. Alarm: 1; event=spool in the log says which bound is reached, and a shorter report.keep makes room.",
    )
    .only_if_any(room.map(|room| u8::from(room.is_full())));
    let disk = vitals.disk;
    to.gauge(
        "spool_free_bytes",
        "Free octets on the disk of the spool. Healthy: more than twice spool_kept_free_bytes. Alarm: it nears that; make room, or move the spool to a larger disk.",
    )
    .only_if_any(disk.map(|disk| disk.free));
    to.gauge(
        "spool_kept_free_bytes",
        "Octets that are kept free (limits.spool_free): with less no mail is accepted. Healthy: below half of spool_free_bytes. Alarm: above it; make room.",
    )
    .only_if_any(disk.map(|disk| disk.kept));
}

fn connections<S>(to: &mut Exposition, sources: &Sources<S>, census: &Census) {
    let mut handshakes = to.counter(
        "tls_handshakes_total",
        "TLS handshakes with receiving servers, by version and by what authenticated the server. Healthy: unproven, broken and given-up are rare, ours is 0. Alarm: their share rises; look at tlsfail= and dane= in the log.",
    );
    for (version, result, count) in sources.metrics.handshakes.all() {
        let version = version.map_or("none", TlsVersion::as_str);
        handshakes.with(&[("version", version), ("result", result.as_str())], count);
    }
    let mut open = to.gauge(
        "smtp_connections",
        "Open SMTP connections: with clients now, and with receiving servers when destinations were last looked at. Healthy: below limits.connections and delivery.connections, which are the most. Trouble: at one of them for minutes; look for who holds them, or raise it.",
    );
    open.with(&[("side", "client")], (sources.clients)());
    if let Some(standings) = &census.standings {
        open.with(&[("side", "server")], standings.connections);
    }
    let standings = census.standings.as_ref();
    to.gauge(
        "destinations",
        "Destinations that mail waits for, or of which something is remembered. Healthy: follows your traffic. Alarm: many times as many as usual; event=accepted in the log says who sends to them.",
    )
    .only_if_any(standings.map(|standings| standings.destinations));
    to.gauge(
        "destinations_failing",
        "Destinations that fail and are only probed now and then. Healthy: a few of many. Alarm: it rises suddenly; the network here may be at fault: `danerelay doctor`.",
    )
    .only_if_any(standings.map(|standings| standings.failing));
}

fn policy(to: &mut Exposition, census: &Census) {
    let is_taken = census.at.map(|_| &census.policy);
    to.gauge(
        "policy_refused",
        "Whether the policy on disk is invalid, so that an older one is in force. Healthy: 0. Alarm: 1; `danerelay config check` names the errors.",
    )
    .only_if_any(is_taken.map(|policy| u8::from(policy.refused.is_some())));
    to.gauge(
        "policy_lists_failing",
        "Lists of the policy that cannot be fetched; the last good copies are used. Healthy: 0. Alarm: above 0 for a day; event=policy in the log says why.",
    )
    .only_if_any(is_taken.map(|policy| policy.lists.len()));
    to.gauge(
        "exceptions",
        "Dated exceptions of the policy that are in force. Healthy: few. Alarm: it only rises; `danerelay danefail recheck` says which are not needed any more.",
    )
    .only_if_any(census.at.map(|_| census.exceptions.count));
    to.gauge(
        "exception_end_timestamp_seconds",
        "When the exception that ends first ends; absent without exceptions. Alarm: less than three days away; `danerelay danefail recheck` says whether the destination works again.",
    )
    .only_if_any(census.exceptions.first_end().map(seconds));
}

/// A time as Prometheus has it.
fn seconds(time: Timestamp) -> i64 {
    time.as_second()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use jiff::SignedDuration;

    use super::*;
    use crate::monitor::census::Counted;

    #[test]
    fn a_queue_that_cannot_be_read_grows_old_and_is_not_said_to_be_empty() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let before = |minutes| now - SignedDuration::from_mins(minutes);
        for (read, age) in [(Some(before(20)), 1200), (None, 3600)] {
            let census = Census {
                at: Some(now),
                read,
                queue: Counted::Failed("malformed".to_owned()),
                ..Census::default()
            };
            let mut to = Exposition::default();
            queue(&mut to, &census, (before(60), now));
            let text = to.into_text();
            assert!(
                text.contains(&format!("danerelay_queue_count_age_seconds {age}\n")),
                "{text}"
            );
            assert!(!text.contains("danerelay_queue_messages{"), "{text}");
            assert!(!text.contains("\ndanerelay_queue_oldest_age_seconds "), "{text}");
        }
    }
}
