//! A daemon's spool from one start to the next.

use std::sync::Arc;

use mail::{QueueId, Status};

use super::scene::{Harness, close, commit, listed, message, now, scan, settlement, take, whole};
use crate::{Action, InDoubt, Inspect, Manage, Running, Spool, SpoolError};

pub(super) async fn everything<H: Harness>(fresh: &impl Fn() -> H) {
    messages_are_counted_across_a_restart(&fresh()).await;
    deliveries_in_doubt_are_named_at_the_next_start(&fresh()).await;
    a_message_in_doubt_at_two_next_hops_is_named_once(&fresh()).await;
    a_closed_store_says_so(&fresh()).await;
    a_view_shows_what_the_daemon_has_and_changes_nothing(&fresh()).await;
}

async fn messages_are_counted_across_a_restart<H: Harness>(harness: &H) {
    let store = Arc::new(harness.open().await);
    assert_eq!((store.messages(), store.vanished_at_start()), (0, 0));
    assert_eq!(*store.in_doubt_at_start(), InDoubt::default());
    let accepted = commit(&*store, message(&["a@b.example", "a@c.example"]), b"x").await;
    commit(&*store, message(&["a@b.example"]), b"x").await.unwrap();
    assert_eq!(store.messages(), 2);
    close(store).await;

    let store = Arc::new(harness.open().await);
    assert_eq!((store.messages(), store.vanished_at_start()), (2, 0));
    for part in accepted.unwrap().pending {
        let lease = take(&*store, &part).await;
        let sent = vec![settlement(lease.recipients[0].index.0, Status::Sent, None)];
        store.settle(lease, sent, now()).await.unwrap();
    }
    assert_eq!(store.messages(), 1);
    close(store).await;
}

async fn deliveries_in_doubt_are_named_at_the_next_start<H: Harness>(harness: &H) {
    let store = Arc::new(harness.open().await);
    let mut leases = Vec::new();
    let mut accepted = Vec::new();
    for _ in 0..5 {
        let new = commit(&*store, message(&["a@b.example"]), b"x").await.unwrap();
        let part = new.pending[0].clone();
        let lease = take(&*store, &part).await;
        leases.push(lease);
        accepted.push(part);
    }
    let [settled, given_back, under_way, repeated, not_begun] = leases.try_into().unwrap();
    for lease in [&settled, &given_back, &under_way, &repeated] {
        lease.in_doubt();
    }
    let sent = || vec![settlement(0, Status::Sent, None)];
    store.settle(settled, sent(), now()).await.unwrap();
    store.release(given_back);
    // As when the process ends.
    drop((under_way, repeated, not_begun));
    let again = take(&*store, &accepted[3]).await;
    store.settle(again, sent(), now()).await.unwrap();
    close(store).await;

    let expected = InDoubt {
        deliveries: 1,
        recipients: 1,
        messages: vec![accepted[2].id],
    };
    let store = Arc::new(harness.open().await);
    assert_eq!(*store.in_doubt_at_start(), expected);
    close(store).await;
    // As long as nobody has been told, it is not forgotten.
    let store = Arc::new(harness.open().await);
    assert_eq!(*store.in_doubt_at_start(), expected);
    store.doubts_told();
    close(store).await;
    let store = Arc::new(harness.open().await);
    assert_eq!(*store.in_doubt_at_start(), InDoubt::default());
    close(store).await;
}

async fn a_message_in_doubt_at_two_next_hops_is_named_once<H: Harness>(harness: &H) {
    let store = Arc::new(harness.open().await);
    let new = message(&["a@b.example", "b@b.example", "a@c.example"]);
    let accepted = commit(&*store, new, b"x").await.unwrap();
    for part in &accepted.pending {
        let lease = take(&*store, part).await;
        lease.in_doubt();
    }
    close(store).await;
    let store = Arc::new(harness.open().await);
    let expected = InDoubt {
        deliveries: 2,
        recipients: 3,
        messages: vec![accepted.id],
    };
    assert_eq!(*store.in_doubt_at_start(), expected);
    close(store).await;
}

fn is_closed<T>(asked: Result<T, SpoolError>) -> bool {
    matches!(asked.err(), Some(SpoolError::Closed))
}

async fn a_closed_store_says_so<H: Harness>(harness: &H) {
    let store = Arc::new(harness.open().await);
    let accepted = commit(&*store, message(&["a@b.example"]), b"x").await.unwrap();
    let lease = take(&*store, &accepted.pending[0]).await;
    let begun = store.create().unwrap();
    store.close().await.unwrap();

    assert!(is_closed(store.create()));
    assert!(is_closed(store.commit(begun, message(&["a@b.example"])).await));
    assert!(is_closed(store.pending(None, 1).await));
    let hop = &accepted.pending[0].next_hop;
    assert!(is_closed(store.lease(QueueId::generate(), hop).await));
    let sent = vec![settlement(0, Status::Sent, None)];
    assert!(is_closed(store.settle(lease, sent, now()).await));
    assert!(is_closed(store.unreported().await));
    assert!(is_closed(store.notices(accepted.id).await));
    assert!(is_closed(store.summary(1, now()).await));
    assert!(is_closed(store.content(accepted.id).await));
    assert!(is_closed(store.act(Action::Hold, Vec::new(), now()).await));
    assert!(is_closed(store.discard(accepted.id).await));
    assert!(is_closed(store.close().await));
    drop(store);

    let store = Arc::new(harness.open().await);
    assert_eq!(scan(&*store).await, accepted.pending);
    close(store).await;
}

async fn a_view_shows_what_the_daemon_has_and_changes_nothing<H: Harness>(harness: &H) {
    let store = Arc::new(harness.open().await);
    let new = message(&["a@b.example", "a@c.example"]);
    commit(&*store, new.clone(), b"12345").await.unwrap();
    commit(&*store, message(&["a@b.example"]), b"123").await.unwrap();
    let (shown, unreadable) = listed(&*store, None).await;
    assert!(unreadable.is_none());
    let summary = store.summary(3, now()).await.unwrap();
    let declared = store.declared(new.id).await.unwrap();

    for running in [true, false] {
        let open = if running {
            Some(Arc::clone(&store))
        } else {
            store.close().await.unwrap();
            None
        };
        let view = harness.open_to_look().await;
        assert_eq!(listed(&view, None).await.0, shown);
        assert_eq!(listed(&view, Some(new.id)).await.0.len(), 1);
        assert_eq!(view.summary(3, now()).await.unwrap(), summary);
        assert_eq!(view.declared(new.id).await.unwrap(), declared);
        let content = view.content(new.id).await.unwrap().unwrap();
        assert_eq!(whole(&content).await, b"12345");
        assert!(view.content(QueueId::generate()).await.unwrap().is_none());
        drop((open, view));
    }
    drop(store);
    let store = Arc::new(harness.open().await);
    assert_eq!(listed(&*store, None).await.0, shown);
    close(store).await;
}
