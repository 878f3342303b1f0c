//! What is asked of reports, and what comes of it (RFC 3461 §5.2): handed on to a next hop that offers DSN, done by us
//! where it does not.

use std::time::Duration;

use crate::scene::common::{
    BOUNCED, OPPORTUNISTIC, assert_line, commands, reply, reply_for, single_at, text,
};
use crate::scene::{Line, Scene, Setting, envelope};
use jiff::{SignedDuration, Timestamp};
use mail::{
    Action, AddressFamily, DaneResult, DaneVerdict, DeliverySecurity, EnhancedStatus, Envelope, LedgerEntry,
    LedgerKey, Notice, QueueId, ReplyCode, Status,
};
use spool::{Action as Doing, After, Ending, Manage as _, RecipientIndex, Selected, Settlement, Spool as _};
use testworld::mail::{MailFault, Receiver, Stage};

const CONTENT: &[u8] = b"Subject: hello\r\nMessage-ID: <1@origin.test>\r\n\r\nsecret\r\n";
/// Every value of NOTIFY, and none.
const NOTIFY: [Option<&str>; 9] = [
    None,
    Some("NEVER"),
    Some("SUCCESS"),
    Some("FAILURE"),
    Some("DELAY"),
    Some("SUCCESS,FAILURE"),
    Some("success,DELAY"),
    Some("FAILURE,delay"),
    Some("DELAY,SUCCESS,FAILURE"),
];

/// What became of the recipients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Sent,
    Refused,
    Late,
}

impl Fate {
    fn fault(self) -> Vec<MailFault> {
        match self {
            Self::Sent => vec![],
            Self::Refused => vec![reply(Stage::Rcpt, "550 5.1.1 nobody")],
            Self::Late => vec![reply(Stage::Rcpt, "450 4.2.1 later")],
        }
    }

    /// The word of NOTIFY that asks for it, what the report says, and its kind.
    fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Sent => ("SUCCESS", "Action: relayed", "relayed"),
            Self::Refused => ("FAILURE", "Action: failed", "failed"),
            Self::Late => ("DELAY", "Action: delayed", "delayed"),
        }
    }

    /// Whether a sender who said this is to hear of it.
    fn is_told(self, notify: Option<&str>) -> bool {
        match notify {
            None => self != Self::Sent,
            Some(notify) => notify.to_ascii_uppercase().contains(self.words().0),
        }
    }
}

/// A receiver at `far.test` that offers these extensions beside the usual ones, and one at `origin.test` for reports.
async fn receivers(scene: &Scene, extensions: &[&str]) -> (Receiver, Receiver) {
    let identity = scene.identity("mx.test");
    let far = scene.receiver_with(2, &identity, extensions).await;
    scene.domain("far", &far, &identity.tlsa_3_1_1());
    (far, single_at(scene, 3, "origin").await)
}

/// Nine recipients, one for each value of NOTIFY.
fn nine() -> Envelope {
    let names: Vec<String> = (0..NOTIFY.len())
        .map(|number| format!("r{number}@far.test"))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut envelope = envelope("sender@origin.test", &names, CONTENT);
    for (recipient, notify) in envelope.recipients.iter_mut().zip(NOTIFY) {
        recipient.parameters.notify = notify.map(|notify| notify.parse().unwrap());
    }
    envelope
}

/// Warnings are told half a second after they came up.
fn patient() -> Setting {
    Setting {
        delay_warning: Some(Duration::from_secs(6)),
        ..Setting::default()
    }
}

fn by_recipient(lines: Vec<Line>) -> Vec<Line> {
    let mut lines = lines;
    lines.sort_by(|one, other| one["to"].cmp(&other["to"]));
    lines
}

#[tokio::test]
async fn each_sender_hears_what_was_asked_for_and_no_more() {
    for fate in [Fate::Sent, Fate::Refused, Fate::Late] {
        for extensions in [&[][..], &["DSN"]] {
            let scene = Scene::with(OPPORTUNISTIC, patient()).await;
            let (far, origin) = receivers(&scene, extensions).await;
            far.set_faults(fate.fault());
            let created = Timestamp::now() - SignedDuration::from_hours(1);
            let id = scene.queue_envelope(nine(), CONTENT, created).await;
            let lines = by_recipient(scene.lines(id, NOTIFY.len()).await);
            // Who offers DSN reports success, and so we do not.
            let ours = fate != Fate::Sent || extensions.is_empty();
            let told: Vec<bool> = NOTIFY
                .iter()
                .map(|notify| ours && fate.is_told(*notify))
                .collect();
            for ((line, told), notify) in lines.iter().zip(&told).zip(NOTIFY) {
                let said = line.get("dsn_sent").map(String::as_str);
                let expected = match (told, fate) {
                    (true, _) => Some("yes"),
                    (false, Fate::Refused) => Some("no"),
                    (false, Fate::Sent | Fate::Late) => None,
                };
                assert_eq!(said, expected, "{fate:?} {extensions:?} {notify:?}");
            }
            if told.contains(&true) {
                assert!(origin.wait_for_messages(1, crate::scene::LIMIT).await);
                let report = text(&origin, 0);
                for (number, told) in told.iter().enumerate() {
                    let named = report.contains(&format!("Final-Recipient: rfc822; r{number}@far.test"));
                    assert_eq!(named, *told, "{fate:?} {number} in {report}");
                }
                let (_, action, kind) = fate.words();
                let count = told.iter().filter(|told| **told).count();
                assert_eq!(report.matches(action).count(), count, "{report}");
                assert_line(
                    &scene.events("dsn")[0],
                    &[("about", &id.to_string()), ("kind", kind)],
                );
            }
            assert_eq!(scene.events("dsn").len(), usize::from(told.contains(&true)));
            assert_eq!(origin.messages().len(), usize::from(told.contains(&true)));
            assert!(scene.unreported().await.is_empty());
        }
    }
}

#[tokio::test]
async fn parameters_go_on_as_they_came_and_only_where_they_are_understood() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let (far, _origin) = receivers(&scene, &["DSN"]).await;
    let plain = single_at(&scene, 4, "plain").await;
    let mut envelope = envelope(
        "sender@origin.test",
        &["A@far.test", "b@far.test", "c@plain.test"],
        CONTENT,
    );
    envelope.parameters.ret = Some("hdrs".parse().unwrap());
    envelope.parameters.envelope_id = Some("QQ+2B3+3Dx".parse().unwrap());
    for recipient in &mut envelope.recipients {
        recipient.parameters.notify = Some("Success,failure".parse().unwrap());
        recipient.parameters.original = Some("RFC822;Old+2BName@Elsewhere.Example".parse().unwrap());
    }
    envelope.recipients[1].parameters = mail::RecipientParameters::default();
    let id = scene.queue_envelope(envelope, CONTENT, Timestamp::now()).await;
    scene.lines(id, 3).await;
    let size = CONTENT.len();
    assert_eq!(
        commands(&far, "MAIL"),
        [format!(
            "MAIL FROM:<sender@origin.test> SIZE={size} RET=HDRS ENVID=QQ+2B3+3Dx"
        )]
    );
    assert_eq!(
        commands(&far, "RCPT"),
        [
            "RCPT TO:<A@far.test> NOTIFY=Success,failure ORCPT=RFC822;Old+2BName@Elsewhere.Example",
            "RCPT TO:<b@far.test>",
        ]
    );
    assert_eq!(
        commands(&plain, "MAIL"),
        [format!("MAIL FROM:<sender@origin.test> SIZE={size}")]
    );
    assert_eq!(commands(&plain, "RCPT"), ["RCPT TO:<c@plain.test>"]);
}

#[tokio::test]
async fn a_message_that_fails_at_three_next_hops_makes_one_report() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let mut receivers = Vec::new();
    for (last, name) in [(2, "one"), (3, "two"), (4, "three")] {
        // They answer at different times.
        let pause = Duration::from_millis(100 * u64::from(last));
        let refused = reply(Stage::Rcpt, &format!("550 5.1.1 nobody at {name}"));
        let faults = vec![MailFault::Pause(Stage::Mail, pause), refused];
        let receiver = single_at(&scene, last, name).await;
        receiver.set_faults(faults);
        receivers.push(receiver);
    }
    let origin = single_at(&scene, 5, "origin").await;
    let id = scene
        .queue(
            &["a@one.test", "b@two.test", "c@three.test"],
            CONTENT,
            Timestamp::now(),
        )
        .await;
    for line in scene.lines(id, 3).await {
        assert_line(&line, &[BOUNCED, ("dsn_sent", "yes")]);
    }
    assert!(origin.wait_for_messages(1, crate::scene::LIMIT).await);
    let report = text(&origin, 0);
    for name in ["a@one.test", "b@two.test", "c@three.test"] {
        assert!(
            report.contains(&format!("Final-Recipient: rfc822; {name}")),
            "{report}"
        );
    }
    assert_eq!(scene.events("dsn").len(), 1);
    assert_eq!(origin.messages().len(), 1);
}

#[tokio::test]
async fn one_round_of_several_fates_makes_one_report() {
    let scene = Scene::with(OPPORTUNISTIC, patient()).await;
    let (far, origin) = receivers(&scene, &[]).await;
    far.set_faults(vec![
        reply_for("gone@far.test", "550 5.1.1 nobody"),
        reply_for("late@far.test", "450 4.2.1 later"),
    ]);
    let mut envelope = envelope(
        "sender@origin.test",
        &["gone@far.test", "late@far.test", "there@far.test"],
        CONTENT,
    );
    envelope.recipients[2].parameters.notify = Some("SUCCESS".parse().unwrap());
    let created = Timestamp::now() - SignedDuration::from_hours(1);
    scene.queue_envelope(envelope, CONTENT, created).await;
    assert!(origin.wait_for_messages(1, crate::scene::LIMIT).await);
    let report = text(&origin, 0);
    for part in [
        "Action: failed",
        "Action: delayed",
        "Action: relayed",
        "Will-Retry-Until: ",
    ] {
        assert_eq!(report.matches(part).count(), 1, "{part} in {report}");
    }
    let events = scene.wait_for_events("dsn", 1).await;
    assert_line(&events[0], &[("kind", "mixed")]);
}

#[tokio::test]
async fn a_message_late_at_two_next_hops_that_are_tried_at_different_times_makes_one_warning() {
    let setting = Setting {
        // Warnings are told three seconds after they came up.
        delay_warning: Some(Duration::from_secs(36)),
        ..Setting::default()
    };
    let scene = Scene::asleep(OPPORTUNISTIC, setting).await;
    let (far, origin) = receivers(&scene, &[]).await;
    let near = single_at(&scene, 4, "near").await;
    far.set_faults(Fate::Late.fault());
    near.set_faults(Fate::Late.fault());
    let created = Timestamp::now() - SignedDuration::from_hours(1);
    let id = scene
        .queue(&["a@far.test", "b@near.test"], CONTENT, created)
        .await;
    let second = vec![Selected {
        id,
        recipients: vec![RecipientIndex(1)],
    }];
    let act = |doing| scene.spool.act(doing, second.clone(), Timestamp::now());
    act(Doing::Hold).await.unwrap();
    scene.start();
    scene.lines(id, 1).await;
    let released = act(Doing::Release).await.unwrap();
    scene.scheduler().schedule(released.pending);
    scene.lines(id, 2).await;
    assert!(origin.wait_for_messages(1, crate::scene::LIMIT).await);
    let report = text(&origin, 0);
    assert_eq!(report.matches("Action: delayed").count(), 2, "{report}");
    assert_eq!(scene.events("dsn").len(), 1);
}

#[tokio::test]
async fn a_report_goes_out_from_nobody_and_asks_for_none() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let identity = scene.identity("mx.test");
    let (far, _) = receivers(&scene, &[]).await;
    far.set_faults(Fate::Refused.fault());
    // The sender's server offers DSN.
    let sender = scene.receiver_with(4, &identity, &["DSN"]).await;
    scene.domain("sender", &sender, &identity.tlsa_3_1_1());
    let mut envelope = envelope("s@sender.test", &["a@far.test"], CONTENT);
    envelope.parameters.ret = Some("FULL".parse().unwrap());
    envelope.parameters.envelope_id = Some("E1".parse().unwrap());
    scene.queue_envelope(envelope, CONTENT, Timestamp::now()).await;
    assert!(sender.wait_for_messages(1, crate::scene::LIMIT).await);
    let mail = commands(&sender, "MAIL");
    assert!(mail[0].starts_with("MAIL FROM:<> SIZE="), "{mail:?}");
    assert!(
        !mail[0].contains("RET=") && !mail[0].contains("ENVID="),
        "{mail:?}"
    );
    assert_eq!(
        commands(&sender, "RCPT"),
        ["RCPT TO:<s@sender.test> NOTIFY=NEVER"]
    );
    let report = text(&sender, 0);
    for part in ["Original-Envelope-Id: E1", "secret"] {
        assert!(report.contains(part), "{part} in {report}");
    }
}

#[tokio::test]
async fn a_report_that_fails_ends_with_a_warning_and_never_with_a_report() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let (far, origin) = receivers(&scene, &[]).await;
    far.set_faults(Fate::Refused.fault());
    origin.set_faults(vec![reply(Stage::Rcpt, "550 5.7.1 we want no reports")]);
    let id = scene.queue(&["a@far.test"], CONTENT, Timestamp::now()).await;
    let events = scene.wait_for_events("undeliverable", 1).await;
    let report = scene.events("dsn").remove(0);
    assert_line(
        &report,
        &[("about", &id.to_string()), ("to", "sender@origin.test")],
    );
    assert_line(
        &events[0],
        &[
            ("id", &report["id"]),
            ("to", "sender@origin.test"),
            BOUNCED,
            ("enhanced", "5.7.1"),
            ("dsn_sent", "no"),
        ],
    );
    let report: QueueId = report["id"].parse().unwrap();
    let line = scene.lines(report, 1).await.remove(0);
    assert_line(&line, &[BOUNCED, ("from", ""), ("dsn_sent", "no")]);
    // Both messages are gone, and nothing is to be told.
    scene.wait_until_empty().await;
    assert_eq!(scene.events("dsn").len(), 1);
}

/// What a delivery does before the crash: the outcome is durable, and no report made.
async fn settle_as_refused(scene: &Scene, id: QueueId) {
    let now = Timestamp::now();
    let next_hop = "far.test".parse().unwrap();
    let lease = scene.spool.lease(id, &next_hop).await.unwrap().leased().unwrap();
    let settlement = Settlement {
        recipient: lease.recipients[0].index,
        ending: Ending::Bounced,
        reply_code: ReplyCode::new(550),
        enhanced: EnhancedStatus::new(5, 1, 1),
        reason: "550 5.1.1 nobody".into(),
        verdict: DaneVerdict::NotReached,
        host: None,
        notice: Some(Notice {
            action: Action::Failed,
            remote_mta: None,
            verdict: DaneVerdict::NotReached,
            cause: None,
            tlsa_base: None,
            last_attempt: now,
        }),
        entry: LedgerEntry {
            at: now,
            key: LedgerKey {
                domain: None,
                host: None,
                family: AddressFamily::None,
                status: Status::Bounced,
                security: DeliverySecurity::None,
                dane: DaneResult::NotReached,
                cause: None,
            },
            octets: 0,
        },
    };
    let settled = scene.spool.settle(lease, vec![settlement], now).await.unwrap();
    assert_eq!(settled.after, After::ReportDue);
}

#[tokio::test]
async fn what_was_settled_before_a_crash_is_reported_after_it() {
    let scene = Scene::asleep(OPPORTUNISTIC, Setting::default()).await;
    let (_far, origin) = receivers(&scene, &[]).await;
    let id = scene.queue(&["a@far.test"], CONTENT, Timestamp::now()).await;
    settle_as_refused(&scene, id).await;
    assert_eq!(scene.unreported().await, [id]);
    scene.start();
    assert!(origin.wait_for_messages(1, crate::scene::LIMIT).await);
    let report = text(&origin, 0);
    for part in [
        "Final-Recipient: rfc822; a@far.test",
        "Status: 5.1.1",
        "Subject: hello",
    ] {
        assert!(report.contains(part), "{part} in {report}");
    }
    assert_line(
        &scene.events("dsn")[0],
        &[("about", &id.to_string()), ("kind", "failed")],
    );
    scene.wait_until_empty().await;
}
