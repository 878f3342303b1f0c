//! Security failures that settlements record.

use std::sync::Arc;

use jiff::{Timestamp, ToSpan};
use mail::sighting::{
    DemandedBy, Ending, Evidence, Failing, Place, PresentedCertificate, Proven, Spot, Starttls, Trouble,
};
use mail::{Domain, ReversePath, Sighting, Status};

use super::scene::{Harness, close, commit, held_up, message, now, settlement, take};
use crate::{
    Action, IncidentNumber, Incidents, KeepIncidents, KnownIncident, Manage, NewMessage, Noticed, Outcomes,
    Pending, RecipientIndex, Selected, Shared, Spool, Step, Told, Way,
};

pub(super) async fn everything<H: Harness>(fresh: &impl Fn() -> H) {
    a_failure_is_recorded_with_what_waits_for_it(&fresh()).await;
    what_was_proven_before_is_kept_beside_a_failure(&fresh()).await;
    an_incident_ends_and_may_come_back(&fresh()).await;
    domains_of_one_host_are_one_incident(&fresh()).await;
    what_waits_for_several_is_told_and_what_is_held_does_not_wait(&fresh()).await;
    what_people_were_told_is_kept(&fresh()).await;
}

fn name(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

fn spot() -> Spot {
    Spot {
        place: Place::Host(name("mx.b.example")),
        trouble: Trouble::NoMatchingTlsa,
    }
}

/// What a host with this key shows.
fn evidence(key: &str, at: Timestamp) -> Evidence {
    Evidence {
        address: Some([192, 0, 2, 1].into()),
        port: Some(25),
        base: Some(name("mx.b.example")),
        published: vec!["3 1 1 aa".to_owned()],
        starttls: Starttls::Offered,
        session: Some("TLSv1.3:TLS_AES_256_GCM_SHA384".to_owned()),
        presented: vec![PresentedCertificate {
            subject: "CN=mx.b.example".to_owned(),
            issuer: "CN=\u{fc}".to_owned(),
            authority: None,
            record: Some(format!("3 1 1 {key}")),
            not_before: Some(at),
            not_after: None,
        }],
        ..Evidence::of_words(at, "no matching TLSA records")
    }
}

fn fails(spot: Spot, domain: &str, at: Timestamp) -> Sighting {
    Sighting::Fails(Box::new(Failing {
        spot,
        domain: Some(name(domain)),
        demanded_by: DemandedBy::Policy,
        evidence: evidence("bb", at),
        worked: None,
    }))
}

/// A message to this recipient from this sender, accepted at that time.
async fn put<S: Spool>(store: &S, sender: &str, recipient: &str, created: Timestamp) -> Pending {
    let mut new: NewMessage = message(&[recipient]);
    new.created = created;
    new.envelope.reverse_path = ReversePath::parse(sender).unwrap();
    let mut accepted = commit(store, new, b"x").await.unwrap();
    accepted.pending.remove(0)
}

/// Defers what waits there because of this.
async fn defer<S: Spool>(store: &S, part: &Pending, spot: Option<Spot>, sightings: Vec<Sighting>) {
    let outcomes = Outcomes {
        settlements: vec![held_up(0, now() + 5.minutes(), spot)],
        sightings,
        ..Outcomes::default()
    };
    let lease = take(store, part).await;
    store.settle(lease, outcomes, now()).await.unwrap();
}

async fn only<S: Incidents>(store: &S) -> KnownIncident {
    let mut found = store.incidents().await.unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

async fn a_failure_is_recorded_with_what_waits_for_it<H: Harness>(harness: &H) {
    let store = Arc::new(harness.open().await);
    let first = put(&*store, "s@a.example", "r@b.example", now() - 2.hours()).await;
    let second = put(&*store, "s@a.example", "r@b.example", now() - 1.hours()).await;
    let report = put(&*store, "", "r@b.example", now() - 3.hours()).await;
    let other = put(&*store, "s@a.example", "r@c.example", now()).await;
    defer(
        &*store,
        &first,
        Some(spot()),
        vec![fails(spot(), "b.example", now())],
    )
    .await;
    // Not tried itself: other mail has shown what is wrong.
    defer(&*store, &second, Some(spot()), Vec::new()).await;
    defer(&*store, &report, Some(spot()), Vec::new()).await;
    defer(&*store, &other, None, Vec::new()).await;
    let incident = only(&*store).await;
    assert_eq!(incident.spot, spot());
    assert_eq!((incident.first_seen, incident.last_seen), (now(), now()));
    assert_eq!(incident.evidence, evidence("bb", now()));
    assert_eq!((incident.before, incident.ended), (None, None));
    assert_eq!(incident.domains, [name("b.example")]);
    let waiting = &incident.waiting;
    assert_eq!((waiting.messages, waiting.recipients), (3, 3));
    assert_eq!(waiting.oldest, Some(first_created(now() - 2.hours())));
    assert_eq!(waiting.oldest_report, Some(first_created(now() - 3.hours())));
    let failing = store.failing().await.unwrap();
    assert_eq!(failing.len(), 1);
    assert_eq!(failing[0].spot, spot());
    assert_eq!(
        (failing[0].address, failing[0].port),
        (Some([192, 0, 2, 1].into()), Some(25))
    );
    assert_eq!(
        (failing[0].has_records, &failing[0].domain),
        (true, &Some(name("b.example")))
    );
    // What is delivered, or deferred for another reason, waits for it no longer.
    let lease = take(&*store, &first).await;
    let sent = vec![settlement(0, Status::Sent, None)];
    store.settle(lease, sent, now()).await.unwrap();
    defer(&*store, &second, None, Vec::new()).await;
    assert_eq!(only(&*store).await.waiting.messages, 1);
    close(store).await;
    let view = harness.open_to_look().await;
    assert_eq!(only(&view).await.waiting.messages, 1);
    drop(view);
}

/// Times are kept in milliseconds.
fn first_created(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap()
}

async fn what_was_proven_before_is_kept_beside_a_failure<H: Harness>(harness: &H) {
    let store = harness.open().await;
    let proven_at = |port, key: &str, at| {
        Sighting::Proven(Box::new(Proven {
            host: name("mx.b.example"),
            evidence: Evidence {
                port: Some(port),
                ..evidence(key, at)
            },
        }))
    };
    let proven = |key: &str, at| proven_at(25, key, at);
    let [first, second, third] = [5, 3, 2].map(|days: i64| now() - (24 * days).hours());
    for (key, at) in [("old", first), ("aa", second), ("aa", third)] {
        store.note(vec![proven(key, at)], at).await.unwrap();
    }
    // Another port is another service.
    let elsewhere = proven_at(587, "cc", now());
    store.note(vec![elsewhere], now()).await.unwrap();
    assert!(store.incidents().await.unwrap().is_empty());
    store
        .note(vec![fails(spot(), "b.example", now())], now())
        .await
        .unwrap();
    let before = only(&store).await.before.unwrap();
    assert_eq!(before.evidence, evidence("aa", third));
    assert_eq!((before.since, before.until), (second, third));
    close(Arc::new(store)).await;
}

async fn an_incident_ends_and_may_come_back<H: Harness>(harness: &H) {
    let store = harness.open().await;
    let fail = |at| store.note(vec![fails(spot(), "b.example", at)], at);
    let works = |at| {
        let works = Sighting::Works(spot(), Ending::Verified);
        store.note(vec![works], at)
    };
    fail(now()).await.unwrap();
    let first = only(&store).await;
    // What is wrong there otherwise is another incident.
    let other = Spot {
        trouble: Trouble::WebPki,
        ..spot()
    };
    let works_otherwise = Sighting::Works(other, Ending::Verified);
    store.note(vec![works_otherwise], now()).await.unwrap();
    assert_eq!(only(&store).await, first);
    works(now() + 1.minutes()).await.unwrap();
    let ended = only(&store).await;
    assert_eq!(ended.ended, Some((now() + 1.minutes(), Ending::Verified)));
    assert!(store.failing().await.unwrap().is_empty());
    // A second end changes nothing.
    store
        .end(vec![(first.number, Ending::NotSeen)], now() + 2.minutes())
        .await
        .unwrap();
    assert_eq!(only(&store).await, ended);
    fail(now() + 3.minutes()).await.unwrap();
    let again = only(&store).await;
    assert_eq!(
        (again.number, again.ended, again.reopened),
        (first.number, None, 1)
    );
    assert_eq!((again.first_seen, again.last_seen), (now(), now() + 3.minutes()));
    store
        .end(vec![(first.number, Ending::Tested)], now() + 4.minutes())
        .await
        .unwrap();
    // Much later it is another one.
    fail(now() + 5.hours()).await.unwrap();
    let all = store.incidents().await.unwrap();
    assert_eq!(all.len(), 2);
    assert!(all[1].number > first.number && all[1].ended.is_none());
    assert_eq!(all[0].ended, Some((now() + 4.minutes(), Ending::Tested)));
    close(Arc::new(store)).await;
}

async fn domains_of_one_host_are_one_incident<H: Harness>(harness: &H) {
    let store = harness.open().await;
    let seen = (0..300).map(|at| fails(spot(), &format!("d{at}.example"), now()));
    store.note(seen.collect(), now()).await.unwrap();
    let elsewhere = [
        Place::Domain(name("mx.b.example")),
        Place::Resolver,
        Place::Login("[mx.b.example]:465".parse().unwrap()),
    ];
    for place in &elsewhere {
        let spot = Spot {
            place: place.clone(),
            trouble: Trouble::Handshake,
        };
        let seen = fails(spot, "b.example", now());
        store.note(vec![seen], now()).await.unwrap();
    }
    let all = store.incidents().await.unwrap();
    assert_eq!(all.len(), 4);
    assert_eq!(all[0].domains.len(), 300);
    for (one, place) in all[1..].iter().zip(&elsewhere) {
        assert_eq!((&one.spot.place, one.domains.len()), (place, 1));
    }
    close(Arc::new(store)).await;
}

async fn what_waits_for_several_is_told_and_what_is_held_does_not_wait<H: Harness>(harness: &H) {
    let store = Arc::new(harness.open().await);
    let at = |host: &str| Spot {
        place: Place::Host(name(host)),
        trouble: Trouble::NoMatchingTlsa,
    };
    let hosts = ["mx.b.example", "mx.c.example", "mx.d.example"];
    let defer = async |part: &Pending| {
        let lease = take(&*store, part).await;
        let host = format!("mx.{}", part.next_hop);
        let outcomes = Outcomes {
            settlements: vec![held_up(
                lease.recipients[0].index.0,
                now() + 5.minutes(),
                Some(at(&host)),
            )],
            sightings: vec![fails(at(&host), "b.example", now())],
            ..Outcomes::default()
        };
        store.settle(lease, outcomes, now()).await.unwrap();
    };
    let recipients: [&[&str]; 4] = [
        &["r@b.example", "r@c.example"],
        &["r@b.example", "r@c.example", "r@d.example"],
        &["r@d.example"],
        &["r@b.example", "r@c.example"],
    ];
    let mut ids = Vec::new();
    for recipients in recipients {
        let accepted = commit(&*store, message(recipients), b"x").await.unwrap();
        ids.push(accepted.id);
        for part in &accepted.pending {
            defer(part).await;
        }
    }
    let found = async || {
        let all = store.incidents().await.unwrap();
        let place = |host: &str| all.iter().find(|one| one.spot == at(host)).cloned().unwrap();
        hosts.map(place)
    };
    let messages = |all: &[KnownIncident]| all.iter().map(|one| one.waiting.messages).collect::<Vec<_>>();
    let [b, c, d] = found().await;
    assert_eq!(messages(&[b.clone(), c.clone(), d.clone()]), [3, 3, 2]);
    let shared = |with: &[IncidentNumber], messages| Shared {
        with: with.to_vec(),
        messages,
    };
    assert_eq!(
        b.waiting.shared,
        [shared(&[c.number], 2), shared(&[c.number, d.number], 1)]
    );
    assert_eq!((c.waiting.shared, d.waiting.shared), (vec![], vec![]));
    // The administrator's decision is what a held recipient waits for.
    let held = Selected {
        id: ids[3],
        recipients: vec![RecipientIndex(0), RecipientIndex(1)],
    };
    store.act(Action::Hold, vec![held], now()).await.unwrap();
    let [b, c, d] = found().await;
    assert_eq!(messages(&[b.clone(), c, d]), [2, 2, 2]);
    assert_eq!(b.waiting.shared.iter().map(|one| one.messages).sum::<u64>(), 2);
    close(store).await;
}

async fn what_people_were_told_is_kept<H: Harness>(harness: &H) {
    let store = Arc::new(harness.open().await);
    let seen = fails(spot(), "b.example", now());
    store.note(vec![seen], now()).await.unwrap();
    let incident = only(&*store).await;
    assert_eq!(
        (incident.told, incident.noticed),
        (Told::default(), Noticed::default())
    );
    let told = Told {
        open: Some(now()),
        half: true,
        ended: false,
    };
    let unknown = IncidentNumber(incident.number.0 + 1);
    store
        .told(vec![(incident.number, told), (unknown, told)])
        .await
        .unwrap();
    let noticed = |way, step| store.noticed(way, vec![(incident.number, step), (unknown, step)]);
    noticed(Way::Command, Step::Opened).await.unwrap();
    noticed(Way::Webhook, Step::Half).await.unwrap();
    close(store).await;
    let store = Arc::new(harness.open().await);
    assert_eq!(only(&*store).await.told, told);
    let steps = |mail, command, webhook| Noticed {
        mail,
        command,
        webhook,
    };
    let noticed = steps(Step::Nothing, Step::Opened, Step::Half);
    assert_eq!(only(&*store).await.noticed, noticed);
    // If people believe that it is over, they are told again when it comes back.
    let works = Sighting::Works(spot(), Ending::Verified);
    store.note(vec![works], now()).await.unwrap();
    let over = Told { ended: true, ..told };
    store.told(vec![(incident.number, over)]).await.unwrap();
    let closed = vec![(incident.number, Step::Closed)];
    store.noticed(Way::Webhook, closed).await.unwrap();
    let again = fails(spot(), "b.example", now() + 1.minutes());
    store.note(vec![again], now() + 1.minutes()).await.unwrap();
    let incident = only(&*store).await;
    assert_eq!(incident.told, Told::default());
    // Who was told of its beginning alone is not told again.
    let noticed = steps(Step::Nothing, Step::Opened, Step::Nothing);
    assert_eq!(incident.noticed, noticed);
    close(store).await;
}
