//! How many incidents this store keeps, whoever makes them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan};
use mail::sighting::{DemandedBy, Ending, Evidence, Failing, Place, Proven, Spot, Trouble};
use mail::{Domain, Sighting};
use rusqlite::Connection;
use spool::contract::{commit, held_up, message, now, take};
use spool::{Incidents, KeepIncidents, KnownIncident, Outcomes, Running, Spool, Step, Told, Way};

use super::open;
use crate::EmbeddedSpool;
use crate::sql::connections::DATABASE;
use crate::sql::incidents::{
    DOMAINS_BELOW, DOMAINS_OF, DOMAINS_OF_OURS, PROOFS, PROOFS_BELOW, PROOFS_BEYOND, TRIM_PROOFS_BELOW,
};
use crate::sql::room::{self, INCIDENTS, SHARE};
use crate::sql::schema::{APPLICATION_ID, MIGRATIONS};

fn spot(host: &str) -> Spot {
    Spot {
        place: Place::Host(Domain::parse(host).unwrap()),
        trouble: Trouble::NoMatchingTlsa,
    }
}

fn fails(spot: Spot, at: Timestamp) -> Sighting {
    Sighting::Fails(Box::new(Failing {
        spot,
        domain: Some(Domain::parse("b.example").unwrap()),
        demanded_by: DemandedBy::Policy,
        evidence: Evidence {
            port: Some(25),
            ..Evidence::of_words(at, "no matching TLSA records")
        },
        worked: None,
    }))
}

/// So many hosts of this registrable domain fail.
async fn many_fail(spool: &EmbeddedSpool, domain: &str, count: i64, at: Timestamp) {
    let sightings = (0..count).map(|number| fails(spot(&format!("mx{number}.{domain}")), at));
    spool.note(sightings.collect(), at).await.unwrap();
}

/// People have been told everything about these.
async fn tell_all(spool: &EmbeddedSpool, which: impl Fn(&KnownIncident) -> bool, ways: &[Way]) {
    let all = spool.incidents().await.unwrap();
    let numbers: Vec<_> = all
        .iter()
        .filter(|one| which(one))
        .map(|one| one.number)
        .collect();
    let told = Told {
        ended: true,
        ..Told::default()
    };
    spool
        .told(numbers.iter().map(|number| (*number, told)).collect())
        .await
        .unwrap();
    for way in ways {
        let closed = numbers.iter().map(|number| (*number, Step::Closed));
        spool.noticed(*way, closed.collect()).await.unwrap();
    }
}

/// How many incidents each holder has; an empty name for what is ours.
async fn held(spool: &EmbeddedSpool) -> BTreeMap<String, i64> {
    let mut held = BTreeMap::new();
    for one in spool.incidents().await.unwrap() {
        let holder = one.spot.place.registrable().map(|name| name.to_string());
        *held.entry(holder.unwrap_or_default()).or_default() += 1;
    }
    held
}

#[tokio::test]
async fn one_registrable_domain_does_not_silence_the_others() {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(directory.path()).await.unwrap();
    many_fail(&spool, "hostile.example", SHARE + 100, now()).await;
    many_fail(&spool, "other.co.uk", 1, now()).await;
    let expected = [("hostile.example", SHARE), ("other.co.uk", 1)];
    let expected = expected.map(|(name, count)| (name.to_owned(), count));
    assert_eq!(held(&spool).await, BTreeMap::from(expected.clone()));
    // What has ended makes room for what comes, and only where it belongs.
    let works = Sighting::Works(spot("mx0.other.co.uk"), Ending::Verified);
    let ended = Sighting::Works(spot("mx7.hostile.example"), Ending::Verified);
    spool.note(vec![works, ended], now()).await.unwrap();
    let later = now() + 2.hours();
    let more = ["new.hostile.example", "newer.hostile.example"].map(|host| fails(spot(host), later));
    // People may not know yet that it has ended.
    spool.note(more.to_vec(), now() + 5.minutes()).await.unwrap();
    let is_new_there = async || {
        let all = spool.incidents().await.unwrap();
        all.iter().any(|one| one.spot == spot("new.hostile.example"))
    };
    assert!(!is_new_there().await);
    spool.note(more.to_vec(), later).await.unwrap();
    assert!(!is_new_there().await);
    let ended = |one: &KnownIncident| one.ended.is_some();
    tell_all(&spool, ended, &[Way::Mail, Way::Webhook]).await;
    spool.note(more.to_vec(), later).await.unwrap();
    assert!(!is_new_there().await, "the command was not told");
    tell_all(&spool, ended, &Way::ALL).await;
    spool.note(more.to_vec(), later).await.unwrap();
    assert_eq!(held(&spool).await, BTreeMap::from(expected));
    let all = spool.incidents().await.unwrap();
    let is_there = |host: &str| all.iter().any(|one| one.spot == spot(host));
    assert!(is_there("new.hostile.example") && is_there("mx0.other.co.uk"));
    assert!(!is_there("mx7.hostile.example") && !is_there("newer.hostile.example"));
    spool.close().await.unwrap();
}

#[tokio::test]
async fn what_holds_up_mail_and_what_is_ours_stays_when_there_is_no_room() {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(directory.path()).await.unwrap();
    let resolver = Spot {
        place: Place::Resolver,
        trouble: Trouble::ResolverFails,
    };
    spool.note(vec![fails(resolver, now())], now()).await.unwrap();
    // Mail waits for this one.
    let accepted = commit(&spool, message(&["r@b.example"]), b"x").await.unwrap();
    let part = accepted.pending.first().unwrap();
    let deferred = held_up(0, now() + 5.minutes(), Some(spot("mx.held.example")));
    let outcomes = Outcomes {
        settlements: vec![deferred],
        sightings: vec![fails(spot("mx.held.example"), now())],
        tls: Vec::new(),
    };
    let lease = take(&spool, part).await;
    spool.settle(lease, outcomes, now()).await.unwrap();
    // Nothing waits for this one, but its domain has no other.
    many_fail(&spool, "small.example", 1, now()).await;
    for domain in [
        "one.example",
        "two.example",
        "three.example",
        "four.example",
        "five.example",
    ] {
        many_fail(&spool, domain, SHARE, now()).await;
    }
    let held = held(&spool).await;
    let count = |name: &str| held.get(name).copied().unwrap_or(0);
    assert_eq!(
        [count(""), count("held.example"), count("small.example")],
        [1, 1, 1]
    );
    assert!(held.values().sum::<i64>() <= INCIDENTS, "{held:?}");
    // The last one that came is there.
    assert!(count("five.example") > 0, "{held:?}");
    // What has ended goes before all that, but not before people know that it has.
    let works = Sighting::Works(spot("mx.held.example"), Ending::Verified);
    spool.note(vec![works], now()).await.unwrap();
    let is_there = async || {
        let all = spool.incidents().await.unwrap();
        all.iter().any(|one| one.spot == spot("mx.held.example"))
    };
    many_fail(&spool, "six.example", 100, now() + 2.hours()).await;
    assert!(is_there().await);
    // Nor for ever, if nobody can be told.
    many_fail(&spool, "seven.example", 100, now() + 25.hours()).await;
    assert!(!is_there().await);
    spool.close().await.unwrap();
    // No pair of a domain and an incident that is gone is left.
    let connection = Connection::open(directory.path().join(DATABASE)).unwrap();
    let left: i64 = connection
        .query_row(
            "SELECT count(*) FROM incident_domain WHERE incident NOT IN (SELECT id FROM incident)",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(left, 0);
}

/// So many hosts of this registrable domain have proven themselves.
async fn many_prove(spool: &EmbeddedSpool, domain: &str, count: i64) {
    let proven = (0..count).map(|number| {
        Sighting::Proven(Box::new(Proven {
            host: Domain::parse(&format!("mx{number}.{domain}")).unwrap(),
            evidence: Evidence {
                port: Some(25),
                ..Evidence::of_words(now(), "verified")
            },
        }))
    });
    spool.note(proven.collect(), now()).await.unwrap();
}

/// A mailing to one domain with any number of hosts does not take from others what is known of theirs.
#[tokio::test]
async fn hosts_of_one_registrable_domain_do_not_push_out_the_evidence_of_others() {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(directory.path()).await.unwrap();
    many_prove(&spool, "small.example", 1).await;
    many_prove(&spool, "hostile.example", PROOFS + 200).await;
    spool
        .note(vec![fails(spot("mx0.small.example"), now())], now())
        .await
        .unwrap();
    let all = spool.incidents().await.unwrap();
    assert!(all.first().unwrap().before.is_some());
    spool.close().await.unwrap();
    let connection = Connection::open(directory.path().join(DATABASE)).unwrap();
    let left: i64 = connection
        .query_row("SELECT count(*) FROM proof", [], |row| row.get(0))
        .unwrap();
    assert!(
        (PROOFS_BELOW + 1..=PROOFS_BELOW + PROOFS_BEYOND).contains(&left),
        "{left}"
    );
}

/// Nor what is known of the domains of their incidents.
#[tokio::test]
async fn domains_beyond_the_share_are_counted_as_at_least() {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(directory.path()).await.unwrap();
    let fails_for = |host: &str, domain: &str| {
        Sighting::Fails(Box::new(Failing {
            spot: spot(host),
            domain: Some(Domain::parse(domain).unwrap()),
            demanded_by: DemandedBy::Policy,
            evidence: Evidence::of_words(now(), "no matching TLSA records"),
            worked: None,
        }))
    };
    let most = usize::try_from(DOMAINS_BELOW).unwrap();
    let many = (0..=most).map(|number| fails_for("mx.hostile.example", &format!("d{number}.example")));
    spool.note(many.collect(), now()).await.unwrap();
    let other = fails_for("mx.other.example", "c.example");
    spool.note(vec![other.clone(), other], now()).await.unwrap();
    let all = spool.incidents().await.unwrap();
    let domains: Vec<_> = all
        .iter()
        .map(|one| (one.domains.len(), one.has_more_domains))
        .collect();
    assert_eq!(domains, [(most, true), (1, false)]);
    spool.close().await.unwrap();
}

/// The only domain is one that certainly is: its mail may end the incident.
#[tokio::test]
async fn what_may_end_an_incident_is_as_known_after_a_restart_as_before() {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(directory.path()).await.unwrap();
    let seen = |host: &str, domain: &str, demanded_by| {
        let Sighting::Fails(mut failing) = fails(spot(host), now()) else {
            unreachable!()
        };
        failing.domain = Some(Domain::parse(domain).unwrap());
        failing.demanded_by = demanded_by;
        Sighting::Fails(failing)
    };
    let [policy, by_message] = [DemandedBy::Policy, DemandedBy::Message];
    let sightings = vec![
        seen("mx.one.example", "a.example", policy),
        seen("mx.two.example", "a.example", policy),
        seen("mx.two.example", "b.example", policy),
        seen("mx.itself.example", "a.example", by_message),
        seen("mx.itself.example", "a.example", policy),
        seen("mx.older.example", "a.example", policy),
        seen("mx.older.example", "b.example", policy),
    ];
    spool.note(sightings, now()).await.unwrap();
    // Room was needed for other domains: the first pair of this incident is the oldest of all.
    let connection = Connection::open(directory.path().join(DATABASE)).unwrap();
    connection
        .execute_batch(
            "UPDATE incident_domain SET rowid = 0 WHERE domain = 'a.example' AND incident = \
                (SELECT id FROM incident WHERE name = 'mx.older.example'); \
             INSERT INTO incident_domain (rowid, incident, domain) VALUES (99999, 99, 'c.example')",
        )
        .unwrap();
    drop(connection);
    spool
        .note(vec![seen("mx.last.example", "c.example", policy)], now())
        .await
        .unwrap();
    spool.close().await.unwrap();
    drop(spool);
    let spool = open(directory.path()).await.unwrap();
    let mut found: Vec<String> = Vec::new();
    for failing in spool.failing().await.unwrap() {
        let domain = failing.domain.map(|domain| domain.to_string());
        assert_eq!(failing.port, Some(25));
        found.push(format!("{:?} {domain:?}", failing.spot.place));
    }
    let only = |host: &str| {
        found
            .iter()
            .filter(|one| one.contains(host) && one.contains("Some"))
            .count()
    };
    let hosts = ["mx.one", "mx.two", "mx.itself", "mx.older", "mx.last"];
    assert_eq!(hosts.map(only), [1, 0, 0, 0, 1], "{found:?}");
    spool.close().await.unwrap();
}

/// What has no record of its own counts all the same.
#[tokio::test]
async fn mail_beyond_the_share_waits_for_another_incident_of_the_same_domain() {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(directory.path()).await.unwrap();
    many_fail(&spool, "provider.example", SHARE, now()).await;
    let stands_for_more = async || {
        let all = spool.incidents().await.unwrap();
        all.iter().filter(|one| one.stands_for_more).count()
    };
    assert_eq!(stands_for_more().await, 0);
    let accepted = commit(&spool, message(&["r@b.example"]), b"x").await.unwrap();
    let part = accepted.pending.first().unwrap();
    let beyond = spot("tenant.provider.example");
    let deferred = held_up(0, now() + 5.minutes(), Some(beyond.clone()));
    let outcomes = Outcomes {
        settlements: vec![deferred],
        sightings: vec![fails(beyond, now())],
        tls: Vec::new(),
    };
    let lease = take(&spool, part).await;
    spool.settle(lease, outcomes, now()).await.unwrap();
    let all = spool.incidents().await.unwrap();
    assert_eq!(all.iter().map(|one| one.waiting.messages).sum::<u64>(), 1);
    assert_eq!(stands_for_more().await, 1);
    spool.close().await.unwrap();
}

/// Looking for room reads no table from end to end, but where there is none.
#[tokio::test]
async fn room_is_found_by_indexes() {
    let directory = tempfile::tempdir().unwrap();
    open(directory.path()).await.unwrap().close().await.unwrap();
    let connection = Connection::open(directory.path().join(DATABASE)).unwrap();
    for (statement, index) in [
        (room::OLD, "incident_ended"),
        (room::HELD, "incident_holder"),
        (room::OWN_ENDED, "incident_holder"),
        (room::ENDED, "incident_ended"),
        (DOMAINS_OF, "incident_domain"),
        (DOMAINS_OF_OURS, "incident_domain"),
        (TRIM_PROOFS_BELOW, "proof_holder"),
    ] {
        let mut explained = connection
            .prepare(&format!("EXPLAIN QUERY PLAN {statement}"))
            .unwrap();
        // Parameters that are not bound are NULL.
        let mut rows = explained.raw_query();
        let mut plan = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            plan.push(row.get::<_, String>(3).unwrap());
        }
        assert!(
            plan.iter().any(|step| step.contains(index)),
            "{statement}: {plan:?}"
        );
        let scans = |table: &str| plan.iter().any(|step| step.starts_with(&format!("SCAN {table}")));
        assert!(!scans("incident") && !scans("proof"), "{statement}: {plan:?}");
    }
}

#[tokio::test]
async fn what_hosts_showed_before_version_11_is_known_by_their_port() {
    let directory = tempfile::tempdir().unwrap();
    let connection = Connection::open(directory.path().join(DATABASE)).unwrap();
    for step in &MIGRATIONS[..10] {
        connection.execute_batch(step).unwrap();
    }
    let pragmas = [("application_id", APPLICATION_ID), ("user_version", 10)];
    for (pragma, value) in pragmas {
        connection.pragma_update(None, pragma, value).unwrap();
    }
    let evidence = |port| Evidence {
        port: Some(port),
        ..Evidence::of_words(now(), "")
    };
    let seen = serde_json::to_string(&evidence(465)).unwrap();
    let (insert, time) = (
        "INSERT INTO proof VALUES (?1, ?2, ?3, ?3)",
        now().as_millisecond(),
    );
    connection.execute(insert, ("mx.b.example", seen, time)).unwrap();
    drop(connection);
    let spool = open(directory.path()).await.unwrap();
    for (trouble, port) in [(Trouble::NoMatchingTlsa, 25), (Trouble::WebPki, 465)] {
        let spot = Spot {
            trouble,
            ..spot("mx.b.example")
        };
        let failing = Failing {
            spot,
            domain: None,
            demanded_by: DemandedBy::Policy,
            evidence: evidence(port),
            worked: None,
        };
        let seen = Sighting::Fails(Box::new(failing));
        spool.note(vec![seen], now()).await.unwrap();
    }
    let all = spool.incidents().await.unwrap();
    let before = all.iter().map(|one| one.before.as_ref()?.evidence.port);
    assert_eq!(before.collect::<Vec<_>>(), [None, Some(465)]);
    spool.close().await.unwrap();
}
