//! What senders are told.

use std::sync::Arc;

use jiff::ToSpan;
use mail::{Action, Envelope, Ret, Status};

use super::scene::{
    Harness, close, commit, deliver, message, noticed, now, read, scan, settlement, take, whole,
};
use crate::{After, Inspect, NewMessage, Report, Spool};

pub(super) async fn everything<H: Harness>(fresh: &impl Fn() -> H) {
    what_the_sender_asked_is_kept(&fresh()).await;
    a_message_stays_until_its_sender_is_told(&fresh()).await;
    one_report_tells_all_that_failed_in_a_round(&fresh()).await;
    nothing_need_be_said(&fresh()).await;
    a_delay_is_told_once(&fresh()).await;
    the_end_takes_the_place_of_a_delay(&fresh()).await;
    what_happens_while_a_report_is_made_is_told_later(&fresh()).await;
}

fn asking() -> NewMessage {
    let mut new = message(&["one@b.example", "two@b.example"]);
    let Envelope {
        recipients,
        parameters,
        ..
    } = &mut new.envelope;
    parameters.smtputf8 = true;
    parameters.ret = Some(Ret::Headers);
    parameters.envelope_id = Some("QQ+2B1".parse().unwrap());
    recipients[0].parameters.notify = Some("SUCCESS,delay".parse().unwrap());
    recipients[0].parameters.original = Some("rfc822;Bob+2Bx@b.example".parse().unwrap());
    recipients[1].parameters.notify = Some("NEVER".parse().unwrap());
    new
}

fn report() -> Report {
    Report {
        message: message(&["sender@a.example"]),
        content: "told\r\n".into(),
    }
}

async fn what_the_sender_asked_is_kept<H: Harness>(harness: &H) {
    let store = Arc::new(harness.open().await);
    let new = asking();
    let accepted = commit(&*store, new.clone(), b"x").await.unwrap();
    let expected: Vec<_> = new
        .envelope
        .recipients
        .iter()
        .map(|recipient| recipient.parameters.clone())
        .collect();
    // Once as just accepted, and once as read from the disk.
    for _ in 0..2 {
        let lease = take(&*store, &accepted.pending[0]).await;
        assert_eq!(lease.parameters, new.envelope.parameters);
        let found: Vec<_> = lease.recipients.iter().map(|r| r.parameters.clone()).collect();
        assert_eq!(found, expected);
        assert!(lease.recipients.iter().all(|r| !r.delay_noticed));
        store.release(lease);
    }
    let failed = vec![
        noticed(0, Status::Bounced, None),
        settlement(1, Status::Bounced, None),
    ];
    deliver(&*store, &accepted.pending[0], failed).await;
    let notices = store.notices(new.id).await.unwrap().unwrap();
    assert_eq!(notices.parameters, new.envelope.parameters);
    assert_eq!(notices.recipients.len(), 1);
    assert_eq!(notices.recipients[0].parameters, expected[0]);
    drop(notices);
    close(store).await;
}

async fn a_message_stays_until_its_sender_is_told<H: Harness>(harness: &H) {
    let store = Arc::new(harness.open().await);
    let new = message(&["one@b.example"]);
    let accepted = commit(&*store, new.clone(), b"x\r\n").await.unwrap();
    assert!(store.unreported().await.unwrap().is_empty());
    assert!(store.notices(new.id).await.unwrap().is_none());
    let failure = noticed(0, Status::Expired, None);
    let settled = deliver(&*store, &accepted.pending[0], vec![failure.clone()]).await;
    assert_eq!((settled.pending, settled.after), (None, After::ReportDue));
    assert!(scan(&*store).await.is_empty());
    close(store).await;

    let store = Arc::new(harness.open().await);
    assert_eq!(store.unreported().await.unwrap(), [new.id]);
    let notices = store.notices(new.id).await.unwrap().unwrap();
    assert!(
        store.notices(new.id).await.unwrap().is_none(),
        "somebody has taken it"
    );
    drop(notices);
    let notices = store.notices(new.id).await.unwrap().unwrap();
    assert_eq!((notices.id, notices.created), (new.id, new.created));
    assert_eq!(notices.reverse_path, new.envelope.reverse_path);
    assert_eq!(
        (notices.size, whole(&notices.content).await),
        (3, b"x\r\n".to_vec())
    );
    assert_eq!(notices.recipients[0].address, new.envelope.recipients[0].address);
    assert_eq!(notices.recipients[0].outcome, failure.outcome());
    assert_eq!(Some(&notices.recipients[0].notice), failure.notice.as_ref());

    let report = report();
    let id = report.message.id;
    let reported = store.report(notices, Some(report)).await.unwrap();
    assert_eq!(reported.after, After::Gone);
    assert_eq!(reported.pending, scan(&*store).await);
    assert_eq!((reported.pending[0].id, reported.pending[0].size), (id, 6));
    assert!(store.unreported().await.unwrap().is_empty());
    assert!(store.notices(new.id).await.unwrap().is_none());
    assert!(store.content(new.id).await.unwrap().is_none());
    close(store).await;

    let store = Arc::new(harness.open().await);
    assert_eq!(scan(&*store).await, reported.pending);
    assert_eq!(
        read(&take(&*store, &reported.pending[0]).await).await,
        b"told\r\n"
    );
    close(store).await;
}

async fn one_report_tells_all_that_failed_in_a_round<H: Harness>(harness: &H) {
    let store = Arc::new(harness.open().await);
    let new = message(&["a@b.example", "a@c.example", "a@d.example"]);
    let later = now() + 5.minutes();
    let accepted = commit(&*store, new.clone(), b"x").await.unwrap();
    let [first, second, third] = &accepted.pending[..] else {
        panic!("three next hops");
    };
    let settled = deliver(&*store, third, vec![settlement(2, Status::Deferred, Some(later))]).await;
    assert_eq!(settled.after, After::Left, "nothing is to be told");
    let settled = deliver(&*store, first, vec![noticed(0, Status::Bounced, None)]).await;
    assert_eq!(settled.after, After::Left, "the second is due and may fail, too");
    let settled = deliver(&*store, second, vec![noticed(1, Status::Bounced, None)]).await;
    assert_eq!(settled.after, After::ReportDue, "the third has time");
    let notices = store.notices(new.id).await.unwrap().unwrap();
    let told: Vec<_> = notices.recipients.iter().map(|r| r.index.0).collect();
    assert_eq!(told, [0, 1]);
    let reported = store.report(notices, Some(report())).await.unwrap();
    assert_eq!(reported.after, After::Left);
    let settled = deliver(&*store, third, vec![settlement(2, Status::Sent, None)]).await;
    assert_eq!(settled.after, After::Gone);
    close(store).await;
}

async fn nothing_need_be_said<H: Harness>(harness: &H) {
    let store = Arc::new(harness.open().await);
    let new = message(&["a@b.example"]);
    let accepted = commit(&*store, new.clone(), b"x").await.unwrap();
    deliver(
        &*store,
        &accepted.pending[0],
        vec![noticed(0, Status::Sent, None)],
    )
    .await;
    let notices = store.notices(new.id).await.unwrap().unwrap();
    assert_eq!(notices.recipients[0].outcome.status, Status::Sent);
    let reported = store.report(notices, None).await.unwrap();
    assert!(reported.after == After::Gone && reported.pending.is_empty());
    assert!(store.unreported().await.unwrap().is_empty());
    close(store).await;
}

async fn a_delay_is_told_once<H: Harness>(harness: &H) {
    let store = Arc::new(harness.open().await);
    let new = message(&["a@b.example"]);
    let later = now() + 5.minutes();
    let accepted = commit(&*store, new.clone(), b"x").await.unwrap();
    let part = &accepted.pending[0];
    let settled = deliver(&*store, part, vec![noticed(0, Status::Deferred, Some(later))]).await;
    assert!(settled.after == After::ReportDue && settled.pending.is_some());
    // A further delay does not cancel what is still to be reported.
    let settled = deliver(&*store, part, vec![settlement(0, Status::Deferred, Some(later))]).await;
    assert_eq!(settled.after, After::ReportDue);
    close(store).await;

    let store = Arc::new(harness.open().await);
    let lease = take(&*store, part).await;
    assert!(lease.recipients[0].delay_noticed);
    store.release(lease);
    let notices = store.notices(new.id).await.unwrap().unwrap();
    assert!(matches!(
        notices.recipients[0].notice.action,
        Action::Delayed { .. }
    ));
    let reported = store.report(notices, Some(report())).await.unwrap();
    assert_ne!(reported.after, After::Gone);
    assert!(store.notices(new.id).await.unwrap().is_none());
    let lease = take(&*store, part).await;
    assert!(lease.recipients[0].delay_noticed, "still");
    let sent = vec![settlement(0, Status::Sent, None)];
    assert!(store.settle(lease, sent, now()).await.unwrap().after == After::Gone);
    close(store).await;
}

async fn the_end_takes_the_place_of_a_delay<H: Harness>(harness: &H) {
    let store = Arc::new(harness.open().await);
    let later = now() + 5.minutes();
    let new = message(&["a@b.example", "a@c.example"]);
    let accepted = commit(&*store, new.clone(), b"x").await.unwrap();
    for (index, part) in (0..).zip(&accepted.pending) {
        deliver(&*store, part, vec![noticed(index, Status::Deferred, Some(later))]).await;
    }
    let [first, second] = &accepted.pending[..] else {
        panic!("two next hops");
    };
    deliver(&*store, first, vec![settlement(0, Status::Sent, None)]).await;
    deliver(&*store, second, vec![noticed(1, Status::Bounced, None)]).await;
    let notices = store.notices(new.id).await.unwrap().unwrap();
    let told: Vec<_> = notices
        .recipients
        .iter()
        .map(|recipient| (recipient.index.0, recipient.notice.action))
        .collect();
    assert_eq!(told, [(1, Action::Failed)]);
    drop(notices);
    close(store).await;
}

async fn what_happens_while_a_report_is_made_is_told_later<H: Harness>(harness: &H) {
    let store = Arc::new(harness.open().await);
    let later = now() + 5.minutes();
    let new = message(&["a@b.example"]);
    let accepted = commit(&*store, new.clone(), b"x").await.unwrap();
    let part = &accepted.pending[0];
    deliver(&*store, part, vec![noticed(0, Status::Deferred, Some(later))]).await;
    let notices = store.notices(new.id).await.unwrap().unwrap();
    deliver(&*store, part, vec![noticed(0, Status::Bounced, None)]).await;
    let reported = store.report(notices, Some(report())).await.unwrap();
    assert_eq!(reported.after, After::ReportDue);
    let notices = store.notices(new.id).await.unwrap().unwrap();
    assert_eq!(notices.recipients[0].notice.action, Action::Failed);
    assert!(store.report(notices, Some(report())).await.unwrap().after == After::Gone);
    close(store).await;
}
