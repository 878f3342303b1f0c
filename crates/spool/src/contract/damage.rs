//! A message whose stored content is lost: it cannot be delivered, but it can be given up, and its sender can be told.

use std::sync::Arc;

use jiff::ToSpan;
use mail::{QueueId, Status};

use super::scene::{
    Harness, close, commit, deliver, message, noticed, now, octets, read, scan, settlement, take,
};
use crate::incoming::INLINE_LIMIT;
use crate::{After, Content, Inspect, Report, Spool, SpoolError};

pub(super) async fn everything<H: Harness>(fresh: &impl Fn() -> H) {
    for size in [10, INLINE_LIMIT + 1] {
        a_message_without_its_content_is_given_up_and_reported(&fresh(), size).await;
    }
}

/// Whether there is nothing to read, and the error names the message.
async fn is_damaged(content: &Content, id: QueueId) -> bool {
    let error = content.reader().await.err();
    matches!(content, Content::Damaged(_))
        && matches!(error, Some(SpoolError::Damaged(damage)) if damage.id == id)
}

async fn a_message_without_its_content_is_given_up_and_reported<H: Harness>(harness: &H, size: usize) {
    let store = Arc::new(harness.open().await);
    let new = message(&["one@b.example"]);
    let id = new.id;
    let accepted = commit(&*store, new.clone(), &octets(size)).await.unwrap();
    let other = commit(&*store, message(&["one@b.example"]), &octets(size)).await;
    let other = other.unwrap();
    close(store).await;
    harness.destroy_content(id).await;

    let store = Arc::new(harness.open().await);
    assert_eq!(scan(&*store).await.len(), 2);
    let part = &accepted.pending[0];
    let lease = take(&*store, part).await;
    assert!(is_damaged(&lease.content, id).await, "{:?}", lease.content);
    assert_eq!(lease.reverse_path, new.envelope.reverse_path);
    assert_eq!((lease.size, lease.recipients.len()), (size as u64, 1));
    let later = settlement(0, Status::Deferred, Some(now() + 5.minutes()));
    let settled = store.settle(lease, vec![later], now()).await.unwrap();
    assert!(settled.pending.is_some() && settled.after != After::Gone);
    let shown = store.content(id).await;
    assert!(matches!(shown, Err(SpoolError::Damaged(_))), "{shown:?}");

    let settled = deliver(&*store, part, vec![noticed(0, Status::Expired, None)]).await;
    assert!(settled.after == After::ReportDue && settled.pending.is_none());
    let notices = store.notices(id).await.unwrap().unwrap();
    assert!(is_damaged(&notices.content, id).await, "{:?}", notices.content);
    assert_eq!(notices.recipients.len(), 1);
    let report = Report {
        message: message(&["sender@a.example"]),
        content: "told\r\n".into(),
    };
    let reported = store.report(notices, Some(report)).await.unwrap();
    assert_eq!(reported.after, After::Gone);
    assert!(store.content(id).await.unwrap().is_none());
    let whole = take(&*store, &other.pending[0]).await;
    assert!(read(&whole).await == octets(size), "the other one is untouched");
    drop(whole);
    close(store).await;
}
