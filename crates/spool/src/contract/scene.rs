//! The harness of a store, and what the chapters share.

use std::future::Future;
use std::ops::ControlFlow;
use std::sync::Arc;

use jiff::Timestamp;
use mail::sighting::Spot;
use mail::{
    Action, AddressFamily, BodyType, DaneResult, DaneVerdict, DeliverySecurity, Envelope, LedgerEntry,
    LedgerKey, MailParameters, Mailbox, Notice, QueueId, ReversePath, Status,
};
use parking_lot::Mutex;

use crate::content::CHUNK;
use crate::{
    Accepted, Content, Ending, Incidents, Inspect, Lease, Ledger, NewMessage, Pending, QueuedMessage,
    RecipientIndex, Running, Settlement, Spool, SpoolError, Store, TlsTallies, Unreadable,
};

/// Opens the store under test, repeatedly; reopened after it was closed, it contains what it did before.
pub trait Harness {
    /// The store.
    type Store: Store;
    /// Opens this harness's one store.
    fn open(&self) -> impl Future<Output = Self::Store>;
    /// Opens it only for inspection, whether or not it is also open otherwise.
    fn open_to_look(&self) -> impl Future<Output = impl Inspect + Ledger + Incidents + TlsTallies>;
    /// Destroys the stored content of a message, and nothing else. The store is closed at that time.
    fn destroy_content(&self, id: QueueId) -> impl Future<Output = ()>;
}

/// Closes a store in order.
pub async fn close<S: Running>(store: Arc<S>) {
    store.close().await.unwrap();
}

/// A message to these recipients.
pub fn message(recipients: &[&str]) -> NewMessage {
    NewMessage {
        id: QueueId::generate(),
        envelope: Envelope {
            reverse_path: ReversePath::parse("sender@a.example").unwrap(),
            recipients: recipients
                .iter()
                .map(|text| Mailbox::parse(text).unwrap().into())
                .collect(),
            parameters: MailParameters::of(BodyType::EightBitMime),
        },
        created: "2026-03-01T12:00:00.123Z".parse().unwrap(),
    }
}

/// Content that differs at every position, in chunks of odd sizes.
pub fn octets(length: usize) -> Vec<u8> {
    (0..length)
        .map(|place| (place * 31 + place / 251).to_le_bytes()[0])
        .collect()
}

/// Queues a message with this content.
pub async fn commit<S: Spool>(
    store: &S,
    message: NewMessage,
    content: &[u8],
) -> Result<Accepted, SpoolError> {
    let mut incoming = store.create()?;
    for part in content.chunks(7001) {
        incoming.append(part).await?;
    }
    assert_eq!(incoming.size(), content.len() as u64);
    store.commit(incoming, message).await
}

/// The content under a lease.
pub async fn read(lease: &Lease) -> Vec<u8> {
    whole(&lease.content).await
}

/// A content from its beginning to its end.
pub async fn whole(content: &Content) -> Vec<u8> {
    let mut reader = content.reader().await.unwrap();
    let mut whole = Vec::new();
    while let Some(chunk) = reader.next().await.unwrap() {
        assert!((1..=CHUNK).contains(&chunk.len()));
        whole.extend_from_slice(&chunk);
    }
    whole
}

/// What is shown of the queue, or of one message, and what of it cannot be read.
pub async fn listed<S: Inspect>(store: &S, id: Option<QueueId>) -> (Vec<QueuedMessage>, Unreadable) {
    let (found, visit) = gathered();
    let unreadable = store.list(id, visit).await.unwrap();
    (std::mem::take(&mut found.lock()), unreadable)
}

/// What is shown, and a visitor that collects it.
pub(super) fn gathered<T: Send + 'static>() -> (
    Arc<Mutex<Vec<T>>>,
    impl FnMut(T) -> ControlFlow<()> + Send + 'static,
) {
    let found = Arc::new(Mutex::new(Vec::new()));
    let shown = Arc::clone(&found);
    let visit = move |one| {
        shown.lock().push(one);
        ControlFlow::Continue(())
    };
    (found, visit)
}

/// A settlement with this status; deferred until `next_attempt`.
pub fn settlement(recipient: u32, status: Status, next_attempt: Option<Timestamp>) -> Settlement {
    Settlement {
        recipient: RecipientIndex(recipient),
        ending: match status {
            Status::Sent => Ending::Sent,
            Status::Deferred => Ending::Deferred {
                next_attempt: next_attempt.expect("what is deferred has a next attempt"),
                held_up: None,
            },
            Status::Bounced => Ending::Bounced,
            Status::Expired => Ending::Expired,
        },
        reply_code: mail::ReplyCode::new(if status.is_final() { 250 } else { 451 }),
        enhanced: mail::EnhancedStatus::new(if status.is_final() { 2 } else { 4 }, 0, 0),
        reason: "as the server said".into(),
        verdict: DaneVerdict::Verify,
        host: Some(mail::DomainPart::parse("mx.b.example").unwrap()),
        notice: None,
        entry: entry(status),
    }
}

/// A recipient that is deferred, and waits for this.
pub fn held_up(recipient: u32, next_attempt: Timestamp, spot: Option<Spot>) -> Settlement {
    Settlement {
        ending: Ending::Deferred {
            next_attempt,
            held_up: spot,
        },
        ..settlement(recipient, Status::Deferred, Some(next_attempt))
    }
}

/// The same, with a notice for the sender.
pub fn noticed(recipient: u32, status: Status, next_attempt: Option<Timestamp>) -> Settlement {
    let action = match status {
        Status::Sent => Action::Relayed,
        Status::Bounced => Action::Failed,
        Status::Expired => Action::Expired,
        Status::Deferred => Action::Delayed {
            will_retry_until: "2026-03-06T12:00:00Z".parse().unwrap(),
        },
    };
    let notice = Notice {
        action,
        remote_mta: Some(mail::DomainPart::parse("mx.b.example").unwrap()),
        verdict: DaneVerdict::Verify,
        cause: None,
        tlsa_base: Some("mx.b.example".parse().unwrap()),
        last_attempt: "2026-03-01T16:00:00.000001Z".parse().unwrap(),
    };
    Settlement {
        notice: Some(notice),
        ..settlement(recipient, status, next_attempt)
    }
}

/// What the ledger is to count for an outcome.
pub fn entry(status: Status) -> LedgerEntry {
    LedgerEntry {
        at: now(),
        key: LedgerKey {
            domain: Some(mail::DomainPart::parse("b.example").unwrap()),
            host: Some("mx.b.example".parse().unwrap()),
            family: AddressFamily::Ipv6,
            status,
            security: DeliverySecurity::Dane,
            dane: DaneResult::Verify,
            cause: None,
        },
        octets: 100,
    }
}

/// When messages are settled in these tests: some minutes after they were accepted.
pub fn now() -> Timestamp {
    "2026-03-01T12:03:00Z".parse().unwrap()
}

/// The lease on what waits there.
pub async fn take<S: Spool>(store: &S, pending: &Pending) -> Lease {
    let lease = store.lease(pending.id, &pending.next_hop).await.unwrap();
    lease.leased().expect("something waits there")
}

/// Leases a part and settles it.
pub(super) async fn deliver<S: Spool>(
    store: &S,
    part: &Pending,
    settlements: Vec<Settlement>,
) -> crate::Settled {
    let lease = take(store, part).await;
    store.settle(lease, settlements, now()).await.unwrap()
}

pub(super) async fn scan<S: Spool>(store: &S) -> Vec<Pending> {
    store.pending(None, usize::MAX).await.unwrap()
}
