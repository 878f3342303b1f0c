//! Messages on their way through the queue.

use std::sync::Arc;

use jiff::ToSpan;
use mail::{NextHop, Status};

use super::scene::{Harness, close, commit, message, now, octets, read, scan, settlement, take};
use crate::content::CHUNK;
use crate::incoming::INLINE_LIMIT;
use crate::{After, Content, Leasing, Pending, Spool, SpoolError};

pub(super) async fn everything<H: Harness>(fresh: &impl Fn() -> H) {
    a_message_goes_its_way(&fresh()).await;
    recipients_are_grouped_by_next_hop(&fresh()).await;
    a_lease_excludes_others_and_ends(&fresh()).await;
    recipients_have_states_of_their_own(&fresh()).await;
    a_deferred_time_survives_a_restart(&fresh()).await;
    contents_come_back_octet_for_octet(&fresh()).await;
    the_scan_comes_in_pages(&fresh()).await;
    wrong_requests_are_refused(&fresh()).await;
    many_sessions_commit_at_once(&fresh()).await;
}

async fn a_message_goes_its_way<H: Harness>(harness: &H) {
    let store = Arc::new(harness.open().await);
    let new = message(&["one@b.example"]);
    let accepted = commit(&*store, new.clone(), b"Subject: x\r\n\r\nbody\r\n")
        .await
        .unwrap();
    assert_eq!((accepted.id, accepted.size), (new.id, 20));
    assert_eq!(scan(&*store).await, accepted.pending);

    let lease = take(&*store, &accepted.pending[0]).await;
    assert_eq!(lease.created, new.created);
    assert_eq!(lease.reverse_path, new.envelope.reverse_path);
    assert_eq!((&lease.parameters, lease.size), (&new.envelope.parameters, 20));
    assert_eq!(lease.recipients[0].address, new.envelope.recipients[0].address);
    assert_eq!((lease.recipients.len(), lease.recipients[0].attempts), (1, 0));
    assert_eq!(read(&lease).await, b"Subject: x\r\n\r\nbody\r\n");

    let sent = settlement(0, Status::Sent, None);
    let settled = store.settle(lease, vec![sent], now()).await.unwrap();
    assert!(settled.after == After::Gone && settled.pending.is_none());
    assert!(scan(&*store).await.is_empty());
    let hop = &accepted.pending[0].next_hop;
    let gone = store.lease(new.id, hop).await.unwrap();
    assert!(matches!(gone, Leasing::Nothing), "{gone:?}");
    close(store).await;
}

async fn recipients_are_grouped_by_next_hop<H: Harness>(harness: &H) {
    let store = Arc::new(harness.open().await);
    let new = message(&["a@b.example", "a@c.example", "b@B.example", "x@[192.0.2.1]"]);
    let accepted = commit(&*store, new, b"x").await.unwrap();
    let parts: Vec<_> = accepted
        .pending
        .iter()
        .map(|part| (part.next_hop.to_string(), part.recipients))
        .collect();
    let expected = [("b.example", 2), ("c.example", 1), ("[192.0.2.1]", 1)];
    assert_eq!(parts, expected.map(|(hop, count)| (hop.to_owned(), count)));
    assert_eq!(scan(&*store).await, accepted.pending);
    close(store).await;
}

async fn a_lease_excludes_others_and_ends<H: Harness>(harness: &H) {
    let store = Arc::new(harness.open().await);
    let accepted = commit(&*store, message(&["a@b.example", "a@c.example"]), b"x")
        .await
        .unwrap();
    let [first, second] = &accepted.pending[..] else {
        panic!("two next hops");
    };
    let lease = take(&*store, first).await;
    let refused = store.lease(first.id, &first.next_hop).await.unwrap();
    assert!(matches!(refused, Leasing::Taken), "{refused:?}");
    let other = take(&*store, second).await;
    drop(other);
    let again = take(&*store, second).await;
    store.release(again);
    store.release(lease);
    assert_eq!(take(&*store, first).await.recipients[0].attempts, 0);
    close(store).await;
}

async fn recipients_have_states_of_their_own<H: Harness>(harness: &H) {
    let store = Arc::new(harness.open().await);
    let new = message(&[
        "a@b.example",
        "b@b.example",
        "c@b.example",
        "d@b.example",
        "a@c.example",
    ]);
    let accepted = commit(&*store, new.clone(), b"x").await.unwrap();
    let later = new.created + 5.minutes();
    let lease = take(&*store, &accepted.pending[0]).await;
    let settled = store
        .settle(
            lease,
            vec![
                settlement(0, Status::Sent, None),
                settlement(1, Status::Deferred, Some(later)),
                settlement(2, Status::Bounced, None),
            ],
            now(),
        )
        .await
        .unwrap();
    // The fourth was not settled and is still waiting.
    let expected = Pending {
        recipients: 2,
        ..accepted.pending[0].clone()
    };
    assert_eq!(
        (settled.pending, settled.after),
        (Some(expected.clone()), After::Left)
    );
    assert_eq!(
        scan(&*store).await,
        [expected.clone(), accepted.pending[1].clone()]
    );

    let lease = take(&*store, &expected).await;
    let left: Vec<_> = lease
        .recipients
        .iter()
        .map(|r| (r.index.0, r.attempts, r.due))
        .collect();
    assert_eq!(left, [(1, 1, later), (3, 0, new.created)]);
    let both = vec![
        settlement(1, Status::Expired, None),
        settlement(3, Status::Sent, None),
    ];
    let settled = store.settle(lease, both, now()).await.unwrap();
    assert!(settled.pending.is_none() && settled.after != After::Gone);

    let lease = take(&*store, &accepted.pending[1]).await;
    let last = vec![settlement(4, Status::Sent, None)];
    assert!(store.settle(lease, last, now()).await.unwrap().after == After::Gone);
    assert!(scan(&*store).await.is_empty());
    close(store).await;
}

async fn a_deferred_time_survives_a_restart<H: Harness>(harness: &H) {
    let store = Arc::new(harness.open().await);
    let new = message(&["a@b.example"]);
    let accepted = commit(&*store, new.clone(), b"x").await.unwrap();
    let later = new.created + 20.minutes();
    let lease = take(&*store, &accepted.pending[0]).await;
    let deferred = vec![settlement(0, Status::Deferred, Some(later))];
    let settled = store
        .settle(lease, deferred, now())
        .await
        .unwrap()
        .pending
        .unwrap();
    assert_eq!(settled.due, later);
    // A lease that was never settled is free after the restart.
    let lease = take(&*store, &settled).await;
    drop(lease);
    close(store).await;

    let store = Arc::new(harness.open().await);
    assert_eq!(scan(&*store).await, std::slice::from_ref(&settled));
    assert_eq!(take(&*store, &settled).await.recipients[0].attempts, 1);
    close(store).await;
}

async fn contents_come_back_octet_for_octet<H: Harness>(harness: &H) {
    let store = Arc::new(harness.open().await);
    let lengths = [0, 1, CHUNK, INLINE_LIMIT, INLINE_LIMIT + 1, 1_500_000];
    let mut all = Vec::new();
    for length in lengths {
        let accepted = commit(&*store, message(&["a@b.example"]), &octets(length))
            .await
            .unwrap();
        all.push((length, accepted.pending[0].clone()));
    }
    close(store).await;

    let store = Arc::new(harness.open().await);
    for (length, pending) in all {
        let lease = take(&*store, &pending).await;
        assert_eq!(
            matches!(lease.content, Content::Inline(_)),
            length <= INLINE_LIMIT,
            "{length}"
        );
        assert!(
            read(&lease).await == octets(length),
            "{length} octets came back differently"
        );
        assert!(
            read(&lease).await == octets(length),
            "a second reader begins anew"
        );
        let sent = vec![settlement(0, Status::Sent, None)];
        assert!(store.settle(lease, sent, now()).await.unwrap().after == After::Gone);
    }
    close(store).await;
}

async fn the_scan_comes_in_pages<H: Harness>(harness: &H) {
    let store = Arc::new(harness.open().await);
    let mut expected = Vec::new();
    for _ in 0..5 {
        let new = message(&["a@b.example", "a@c.example", "a@d.example"]);
        expected.extend(commit(&*store, new, b"x").await.unwrap().pending);
    }
    expected.sort_by_key(|part| part.id);
    let mut found: Vec<Pending> = Vec::new();
    loop {
        let page = store.pending(found.last().map(|part| part.id), 4).await.unwrap();
        assert!(page.len() % 3 == 0, "a message is never split");
        if page.is_empty() {
            break;
        }
        found.extend(page);
    }
    assert_eq!(found, expected);
    close(store).await;
}

async fn wrong_requests_are_refused<H: Harness>(harness: &H) {
    let store = Arc::new(harness.open().await);
    let nobody = commit(&*store, message(&[]), b"x").await;
    assert!(matches!(nobody, Err(SpoolError::NoRecipients)), "{nobody:?}");

    let new = message(&["a@b.example", "b@b.example"]);
    let accepted = commit(&*store, new.clone(), b"x").await.unwrap();
    let twice = commit(&*store, new.clone(), b"x").await;
    assert!(
        matches!(twice, Err(SpoolError::Duplicate(id)) if id == new.id),
        "{twice:?}"
    );
    let large = commit(&*store, new.clone(), &octets(INLINE_LIMIT + 1)).await;
    assert!(
        matches!(large, Err(SpoolError::Duplicate(id)) if id == new.id),
        "{large:?}"
    );

    let sent = settlement(0, Status::Sent, None);
    for wrong in [vec![sent.clone(), sent], vec![settlement(2, Status::Sent, None)]] {
        let lease = take(&*store, &accepted.pending[0]).await;
        let refused = store.settle(lease, wrong, now()).await;
        assert!(
            matches!(refused, Err(SpoolError::WrongSettlement(_))),
            "{refused:?}"
        );
    }
    assert_eq!(scan(&*store).await, accepted.pending);
    let nowhere: NextHop = "z.example".parse().unwrap();
    assert!(store.lease(new.id, &nowhere).await.unwrap().leased().is_none());
    close(store).await;
}

async fn many_sessions_commit_at_once<H: Harness>(harness: &H) {
    let store = Arc::new(harness.open().await);
    let sessions = (0..64).map(|session| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let mut ids = Vec::new();
            for turn in 0..4 {
                let content = octets(session * 100 + turn);
                let accepted = commit(&*store, message(&["a@b.example"]), &content)
                    .await
                    .unwrap();
                let lease = take(&*store, &accepted.pending[0]).await;
                assert!(read(&lease).await == content);
                let status = if turn % 2 == 0 {
                    Status::Sent
                } else {
                    Status::Deferred
                };
                let next = (turn % 2 == 1).then(|| lease.created + 1.hour());
                let settled = store
                    .settle(lease, vec![settlement(0, status, next)], now())
                    .await
                    .unwrap();
                ids.extend(settled.pending.map(|part| part.id));
            }
            ids
        })
    });
    let mut expected = Vec::new();
    for session in sessions.collect::<Vec<_>>() {
        expected.extend(session.await.unwrap());
    }
    expected.sort();
    let found: Vec<_> = scan(&*store).await.into_iter().map(|part| part.id).collect();
    assert_eq!(found, expected);
    close(store).await;
}
