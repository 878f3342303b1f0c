//! The administrator's side.

use std::sync::Arc;

use jiff::ToSpan;
use mail::{CauseKind, DaneVerdict, FailCause, QueueId, Status};

use super::scene::{
    self, Harness, close, commit, deliver, gathered, message, noticed, now, octets, scan, settlement, take,
    whole,
};
use crate::RecipientState::{Deferred, Failed, Held, Leased, Queued, Sent};
use crate::incoming::INLINE_LIMIT;
use crate::{
    Acted, Action, After, Inspect, Manage, QueuedMessage, RecipientIndex, RecipientState, Running, Selected,
    Settlement, Spool, StateCounts,
};

pub(super) async fn everything<H: Harness>(fresh: &impl Fn() -> H) {
    what_is_held_waits_until_it_is_released(&fresh()).await;
    a_retry_is_due_now(&fresh()).await;
    what_is_deleted_is_gone(&fresh()).await;
    deleting_does_not_silence_a_report(&fresh()).await;
    what_is_being_delivered_is_left_alone(&fresh()).await;
    a_message_is_discarded_by_its_id(&fresh()).await;
    messages_are_shown(&fresh()).await;
    what_was_declared_is_shown(&fresh()).await;
    the_summary_counts(&fresh()).await;
}

fn selected(id: QueueId, recipients: &[u32]) -> Selected {
    Selected {
        id,
        recipients: recipients.iter().map(|index| RecipientIndex(*index)).collect(),
    }
}

fn counts(acted: &Acted) -> (u64, u64, u64) {
    (acted.done, acted.leased, acted.unsuitable)
}

async fn act<S: Manage>(store: &S, action: Action, id: QueueId, recipients: &[u32]) -> Acted {
    let selected = vec![selected(id, recipients)];
    store.act(action, selected, now()).await.unwrap()
}

async fn listed<S: Inspect>(store: &S, id: Option<QueueId>) -> Vec<QueuedMessage> {
    scene::listed(store, id).await.0
}

async fn listed_after<S: Inspect>(store: &S, after: QueueId) -> Vec<QueuedMessage> {
    let (found, visit) = gathered();
    store.list_after(after, visit).await.unwrap();
    std::mem::take(&mut found.lock())
}

async fn states<S: Inspect>(store: &S, id: QueueId) -> Vec<RecipientState> {
    let messages = listed(store, Some(id)).await;
    let recipients = messages.into_iter().flat_map(|message| message.recipients);
    recipients.map(|recipient| recipient.state).collect()
}

async fn what_is_held_waits_until_it_is_released<H: Harness>(harness: &H) {
    let store = Arc::new(harness.open().await);
    let new = message(&["a@b.example", "b@b.example", "a@c.example"]);
    let later = now() + 5.minutes();
    let accepted = commit(&*store, new.clone(), b"x").await.unwrap();
    let [first, second] = &accepted.pending[..] else {
        panic!("two next hops");
    };
    let deferred = vec![settlement(2, Status::Deferred, Some(later))];
    let second = deliver(&*store, second, deferred).await.pending.unwrap();

    let held = act(&*store, Action::Hold, new.id, &[1, 2]).await;
    assert_eq!((counts(&held), &held.messages[..]), ((2, 0, 0), &[new.id][..]));
    let mut left = first.clone();
    left.recipients = 1;
    assert_eq!(held.pending, [left.clone()], "what it had its hands on goes back");
    assert_eq!(counts(&act(&*store, Action::Hold, new.id, &[1]).await), (0, 0, 1));
    close(store).await;

    let store = Arc::new(harness.open().await);
    assert_eq!(states(&*store, new.id).await, [Queued, Held, Held]);
    assert_eq!(scan(&*store).await, [left]);
    assert!(
        store
            .lease(new.id, &second.next_hop)
            .await
            .unwrap()
            .leased()
            .is_none()
    );
    assert_eq!(take(&*store, first).await.recipients.len(), 1);

    let released = act(&*store, Action::Release, new.id, &[0, 1, 2]).await;
    assert_eq!(counts(&released), (2, 0, 1));
    assert_eq!(states(&*store, new.id).await, [Queued, Queued, Deferred]);
    assert_eq!(released.pending, scan(&*store).await);
    let due: Vec<_> = released.pending.iter().map(|part| part.due).collect();
    assert_eq!(due, [new.created, now()]);
    assert_eq!(take(&*store, &second).await.recipients[0].attempts, 1);
    close(store).await;
}

async fn a_retry_is_due_now<H: Harness>(harness: &H) {
    let store = Arc::new(harness.open().await);
    let new = message(&["a@b.example", "b@b.example", "a@c.example"]);
    let accepted = commit(&*store, new.clone(), b"x").await.unwrap();
    let later = now() + 5.minutes();
    let settlements = vec![
        settlement(0, Status::Deferred, Some(later)),
        settlement(1, Status::Sent, None),
    ];
    deliver(&*store, &accepted.pending[0], settlements).await;
    let acted = act(&*store, Action::Retry, new.id, &[0, 1, 7]).await;
    assert_eq!(counts(&acted), (1, 0, 2));
    // The untouched part is in the schedule as before.
    assert_eq!(acted.pending.len(), 1);
    assert_eq!(
        scan(&*store).await,
        [acted.pending[0].clone(), accepted.pending[1].clone()]
    );
    assert_eq!((acted.pending[0].due, acted.pending[0].recipients), (now(), 1));
    let unknown = act(&*store, Action::Retry, QueueId::generate(), &[0]).await;
    assert_eq!((counts(&unknown), unknown.messages.len()), ((0, 0, 1), 0));
    close(store).await;
}

async fn what_is_deleted_is_gone<H: Harness>(harness: &H) {
    let store = Arc::new(harness.open().await);
    let (small, large) = (
        message(&["a@b.example"]),
        message(&["a@b.example", "b@b.example", "a@c.example"]),
    );
    commit(&*store, small.clone(), b"x").await.unwrap();
    let accepted = commit(&*store, large.clone(), &octets(INLINE_LIMIT + 1))
        .await
        .unwrap();
    act(&*store, Action::Hold, large.id, &[0]).await;
    let both = vec![selected(small.id, &[0]), selected(large.id, &[0])];
    let acted = store.act(Action::Delete, both, now()).await.unwrap();
    assert_eq!((counts(&acted), acted.messages.len()), ((2, 0, 0), 2));
    assert!(store.content(small.id).await.unwrap().is_none());
    assert!(listed(&*store, Some(small.id)).await.is_empty());
    assert_eq!(states(&*store, large.id).await, [Queued, Queued]);

    // The rest ends as if the others had never existed.
    let lease = take(&*store, &accepted.pending[0]).await;
    assert_eq!((lease.recipients.len(), lease.accepted_recipients), (1, 2));
    store.release(lease);
    let sent = vec![settlement(1, Status::Sent, None)];
    assert!(deliver(&*store, &accepted.pending[0], sent).await.after != After::Gone);
    let acted = act(&*store, Action::Delete, large.id, &[1, 2]).await;
    assert_eq!(
        counts(&acted),
        (1, 0, 1),
        "what was sent is not there to be deleted"
    );
    assert!(listed(&*store, None).await.is_empty());
    assert!(store.content(large.id).await.unwrap().is_none());
    close(store).await;
    let store = Arc::new(harness.open().await);
    assert!(listed(&*store, None).await.is_empty());
    close(store).await;
}

async fn deleting_does_not_silence_a_report<H: Harness>(harness: &H) {
    let store = Arc::new(harness.open().await);
    let new = message(&["a@b.example", "a@c.example"]);
    let accepted = commit(&*store, new.clone(), b"x").await.unwrap();
    deliver(
        &*store,
        &accepted.pending[0],
        vec![noticed(0, Status::Bounced, None)],
    )
    .await;
    act(&*store, Action::Delete, new.id, &[1]).await;
    assert_eq!(states(&*store, new.id).await, [Failed]);
    let notices = store.notices(new.id).await.unwrap().unwrap();
    assert!(store.report(notices, None).await.unwrap().after == After::Gone);
    assert!(listed(&*store, None).await.is_empty());
    close(store).await;
}

async fn what_is_being_delivered_is_left_alone<H: Harness>(harness: &H) {
    let store = Arc::new(harness.open().await);
    let new = message(&["a@b.example", "a@c.example"]);
    let accepted = commit(&*store, new.clone(), b"x").await.unwrap();
    let lease = take(&*store, &accepted.pending[0]).await;
    for action in [Action::Retry, Action::Hold] {
        let acted = act(&*store, action, new.id, &[0, 1]).await;
        assert_eq!(counts(&acted), (1, 1, 0));
    }
    // Only held recipients can be released, leased or not.
    assert_eq!(
        counts(&act(&*store, Action::Release, new.id, &[0, 1]).await),
        (1, 0, 1)
    );
    assert_eq!(
        counts(&act(&*store, Action::Delete, new.id, &[0, 1]).await),
        (1, 1, 0)
    );
    let sent = vec![settlement(0, Status::Sent, None)];
    assert!(store.settle(lease, sent, now()).await.unwrap().after == After::Gone);
    close(store).await;
}

async fn a_message_is_discarded_by_its_id<H: Harness>(harness: &H) {
    let store = Arc::new(harness.open().await);
    let new = message(&["a@b.example", "a@c.example"]);
    let accepted = commit(&*store, new.clone(), &octets(INLINE_LIMIT + 1))
        .await
        .unwrap();
    let lease = take(&*store, &accepted.pending[1]).await;
    let acted = store.discard(new.id).await.unwrap();
    assert_eq!((counts(&acted), store.messages()), ((0, 1, 0), 1));
    store.release(lease);
    let acted = store.discard(new.id).await.unwrap();
    assert_eq!((counts(&acted), &acted.messages[..]), ((2, 0, 0), &[new.id][..]));
    let acted = store.discard(new.id).await.unwrap();
    assert_eq!((counts(&acted), acted.messages.len()), ((0, 0, 1), 0));
    assert!(store.content(new.id).await.unwrap().is_none());
    assert_eq!(store.messages(), 0);
    close(store).await;
}

async fn what_was_declared_is_shown<H: Harness>(harness: &H) {
    let store = Arc::new(harness.open().await);
    let mut new = message(&["a@b.example", "b@b.example"]);
    new.envelope.parameters.smtputf8 = true;
    new.envelope.parameters.ret = Some(mail::Ret::Headers);
    new.envelope.parameters.envelope_id = Some("QQ+2B1".parse().unwrap());
    new.envelope.recipients[1].parameters.notify = Some("NEVER".parse().unwrap());
    commit(&*store, new.clone(), b"x").await.unwrap();
    let declared = store.declared(new.id).await.unwrap().unwrap();
    assert!(declared.eight_bit && declared.smtputf8);
    let of_message = (declared.ret.as_deref(), declared.envid.as_deref());
    assert_eq!(of_message, (Some("HDRS"), Some("QQ+2B1")));
    let notify: Vec<_> = declared
        .recipients
        .iter()
        .map(|one| one.notify.as_deref())
        .collect();
    assert_eq!(notify, [None, Some("NEVER")]);
    assert!(store.declared(QueueId::generate()).await.unwrap().is_none());
    close(store).await;
}

async fn messages_are_shown<H: Harness>(harness: &H) {
    let store = Arc::new(harness.open().await);
    let mut ids = Vec::new();
    for length in [5, INLINE_LIMIT + 5] {
        let new = message(&["a@b.example", "a@c.example"]);
        let accepted = commit(&*store, new.clone(), &octets(length)).await.unwrap();
        let content = store.content(new.id).await.unwrap().unwrap();
        assert!(whole(&content).await == octets(length));
        ids.push((new.id, accepted.pending));
    }
    ids.sort_by_key(|(id, _)| *id);
    let found = listed(&*store, None).await;
    assert!(
        found
            .iter()
            .map(|message| message.id)
            .eq(ids.iter().map(|(id, _)| *id))
    );
    let (id, parts) = &ids[1];
    assert_eq!(listed(&*store, Some(*id)).await, found[1..]);
    assert!(listed(&*store, Some(QueueId::generate())).await.is_empty());
    assert_eq!(listed_after(&*store, ids[0].0).await, found[1..]);
    assert!(listed_after(&*store, ids[1].0).await.is_empty());
    assert_eq!(listed_after(&*store, QueueId::from_bytes([0; 16])).await, found);
    assert!(store.content(QueueId::generate()).await.unwrap().is_none());
    let lease = take(&*store, &parts[0]).await;
    assert_eq!(states(&*store, *id).await, [Leased, Queued]);
    drop(lease);
    deliver(&*store, &parts[0], vec![settlement(0, Status::Sent, None)]).await;
    assert_eq!(states(&*store, *id).await, [Sent, Queued]);
    // Shows what DANE found wrong, and nothing if it found nothing wrong.
    let failed = Settlement {
        verdict: DaneVerdict::Fail(FailCause::NoMatchingTlsa),
        ..of_kind(
            CauseKind::TlsaNoMatch,
            settlement(1, Status::Deferred, Some(now() + 5.minutes())),
        )
    };
    deliver(&*store, &parts[1], vec![failed]).await;
    let shown = listed(&*store, Some(*id)).await;
    let told: Vec<_> = shown[0]
        .recipients
        .iter()
        .map(|one| one.dane.as_deref())
        .collect();
    assert_eq!(told, [None, Some("Fail (No matching TLSA RRs)")]);
    // Which host it was, and for what kind of cause.
    let last: Vec<_> = shown[0]
        .recipients
        .iter()
        .map(|one| (one.host.as_deref(), one.cause))
        .collect();
    let host = Some("mx.b.example");
    assert_eq!(last, [(host, None), (host, Some(CauseKind::TlsaNoMatch))]);
    close(store).await;
}

/// With this kind of cause.
fn of_kind(cause: CauseKind, mut settlement: Settlement) -> Settlement {
    settlement.entry.key.cause = Some(cause);
    settlement
}

async fn the_summary_counts<H: Harness>(harness: &H) {
    let store = Arc::new(harness.open().await);
    let empty = store.summary(3, now()).await.unwrap();
    assert_eq!((empty.messages, empty.bytes, empty.oldest), (0, 0, None));
    assert!(empty.destinations.is_empty());

    let later = now() + 5.minutes();
    let mut first = message(&["a@b.example", "b@b.example", "a@c.example", "a@d.example"]);
    first.created = "2026-02-28T12:00:00Z".parse().unwrap();
    // Ids sort by time.
    first.id = QueueId::from_bytes([0; 16]);
    let accepted = commit(&*store, first.clone(), b"12345").await.unwrap();
    let [b, c, d] = &accepted.pending[..] else {
        panic!("three next hops");
    };
    let second = message(&["a@c.example", "a@d.example", "b@c.example"]);
    commit(&*store, second.clone(), b"1234567").await.unwrap();
    let settlements = vec![
        settlement(0, Status::Bounced, None),
        of_kind(CauseKind::TimedOut, settlement(1, Status::Deferred, Some(later))),
    ];
    deliver(&*store, b, settlements).await;
    deliver(&*store, d, vec![settlement(3, Status::Sent, None)]).await;
    act(&*store, Action::Hold, second.id, &[1]).await;
    let lease = take(&*store, c).await;

    let found = store.summary(2, now()).await.unwrap();
    assert_eq!(
        (found.messages, found.bytes, found.oldest),
        (2, 12, Some(first.created))
    );
    let expected = StateCounts {
        queued: 2,
        leased: 1,
        deferred: 1,
        held: 1,
        sent: 1,
        failed: 1,
    };
    assert_eq!(found.recipients, expected);
    let messages = StateCounts {
        leased: 1,
        queued: 1,
        ..StateCounts::default()
    };
    assert_eq!(found.states, messages);
    let busiest: Vec<_> = found
        .destinations
        .iter()
        .map(|hop| (hop.next_hop.as_str(), hop.messages, hop.recipients, hop.oldest))
        .collect();
    assert_eq!(
        busiest,
        [
            ("c.example", 2, 3, first.created),
            ("b.example", 1, 1, first.created)
        ]
    );
    // Those that were never tried wait for no reason.
    let reasons: Vec<_> = found
        .reasons
        .iter()
        .map(|one| (one.cause, one.enhanced.as_str(), one.messages, one.recipients))
        .collect();
    assert_eq!(reasons, [(Some(CauseKind::TimedOut), "4.0.0", 1, 1)]);
    // The ids tell the age: that of 1970, and that of a moment ago, which is after this time.
    assert_eq!(found.ages.columns(), &[3, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    let ages = found.destinations[0].ages;
    assert_eq!(ages.columns(), &[2, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    drop(lease);
    close(store).await;
}
