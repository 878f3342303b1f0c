//! A message whose stored content is damaged: nothing of it is delivered, and its sender is told.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::scene::common::{
    DEFERRED, EXPIRED, OPPORTUNISTIC, STRICT, assert_line, pair, reply_for, single, single_at, text,
};
use crate::scene::memory::{MemorySpool, VirtualClock};
use crate::scene::{Scene, Setting};
use delivery::Clock as _;
use jiff::{SignedDuration, Timestamp};
use mail::{Action, EnhancedStatus, QueueId, Status};
use testworld::RecordType;
use tokio::sync::watch;

const WORDS: &str = "the stored content of the message was damaged here, and was not sent: ";

/// The defaults of the configuration.
fn defaults() -> Setting {
    Setting {
        retry: [5, 10, 20, 40, 60, 120, 240].map(Duration::from_mins).to_vec(),
        delay_warning: Some(Duration::from_hours(4)),
        ..Setting::default()
    }
}

/// The time is up when the first attempt is over.
fn given_up_soon() -> Setting {
    Setting {
        max_age: Duration::from_hours(1),
        ..Setting::default()
    }
}

fn old() -> Timestamp {
    Timestamp::now() - SignedDuration::from_hours(2)
}

/// Too much for memory, and different in every line.
fn large() -> Vec<u8> {
    let mut content = b"Subject: large\r\n\r\n".to_vec();
    for number in 0..80_000 {
        content.extend_from_slice(format!("line {number:06}\r\n").as_bytes());
    }
    content
}

/// Where the content of a message is.
fn file(scene: &Scene, id: QueueId) -> PathBuf {
    let shards = fs::read_dir(scene.directory.path().join("bodies")).unwrap();
    let mut files = shards.map(|shard| shard.unwrap().path().join(id.to_string()));
    files.find(|file| file.exists()).unwrap()
}

/// Waits for the report at `origin.test` and gives its text, unfolded.
async fn report(origin: &testworld::mail::Receiver) -> String {
    assert!(origin.wait_for_messages(1, crate::scene::LIMIT).await);
    text(origin, 0).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test(start_paused = true)]
async fn it_is_tried_like_any_other_until_it_expires_and_its_sender_is_told() {
    let clock = Arc::new(VirtualClock::new());
    let spool = Arc::new(MemorySpool::new(Arc::clone(&clock)));
    spool.lose_contents(true);
    let created = clock.now();
    let (id, _) = spool.put("s@origin.test", "a@[192.0.2.1]", created);
    let (_stop, stopped) = watch::channel(false);
    let log = Arc::default();
    let _scheduler = crate::scene::start_under(STRICT, &spool, &clock, &defaults(), &log, stopped).await;
    tokio::time::sleep(Duration::from_hours(5 * 24 + 1)).await;

    let attempts = spool.attempts(id);
    assert!((30..=40).contains(&attempts.len()), "{}", attempts.len());
    let (last, before) = attempts.split_last().unwrap();
    assert!(before.iter().all(|one| one.outcome.status == Status::Deferred));
    assert_eq!(last.outcome.status, Status::Expired);
    let age = last.at.duration_since(created);
    assert!(
        (0..2).contains(&(age - SignedDuration::from_hours(120)).as_secs()),
        "{age}"
    );
    let reason = format!("{WORDS}its content is missing");
    for attempt in &attempts {
        let outcome = &attempt.outcome;
        assert_eq!((&*outcome.reason, outcome.reply_code), (reason.as_str(), None));
        assert_eq!(outcome.enhanced, EnhancedStatus::new(4, 3, 0));
    }
    let told: Vec<Action> = attempts
        .iter()
        .filter_map(|attempt| Some(attempt.notice.as_ref()?.action))
        .collect();
    assert!(
        matches!(told[..], [Action::Delayed { .. }, Action::Expired]),
        "{told:?}"
    );
    // The reports are there, and return nothing of it.
    let texts = spool.report_texts();
    assert_eq!(texts.len(), 2);
    for text in &texts {
        let words: Vec<&str> = text.split_whitespace().collect();
        assert!(words.join(" ").contains(&reason), "{text}");
        assert!(!text.contains("Subject: kept"), "{text}");
    }
    // The administrator is told at each attempt, and of the way out.
    let events = log.events("spool");
    assert_eq!(events.len(), attempts.len());
    for event in &events {
        let error = format!("the spool is damaged at message {id}: its content is missing");
        let remedy = format!("danerelay queue delete --id {id}");
        assert_line(event, &[("error", &error), ("remedy", &remedy)]);
    }
    let lines = log.events("delivery");
    assert_eq!(lines.len(), attempts.len());
    assert_line(&lines[0], &[DEFERRED, ("enhanced", "4.3.0")]);
    let end = lines.last().unwrap();
    assert_line(
        end,
        &[
            EXPIRED,
            ("enhanced", "4.3.0"),
            ("dsn_sent", "yes"),
            ("reason", &reason),
        ],
    );
}

#[tokio::test(start_paused = true)]
async fn a_report_is_made_of_a_message_whose_content_is_lost_by_then() {
    let clock = Arc::new(VirtualClock::new());
    let spool = Arc::new(MemorySpool::new(Arc::clone(&clock)));
    let (id, _) = spool.put("s@origin.test", "a@[192.0.2.1]", clock.now());
    let (_stop, stopped) = watch::channel(false);
    let log = Arc::default();
    let _scheduler = crate::scene::start_under(STRICT, &spool, &clock, &defaults(), &log, stopped).await;
    tokio::time::sleep(Duration::from_hours(24)).await;
    spool.lose_contents(true);
    tokio::time::sleep(Duration::from_hours(4 * 24 + 1)).await;
    let texts = spool.report_texts();
    assert_eq!(spool.attempts(id).last().unwrap().outcome.status, Status::Expired);
    let kept: Vec<bool> = texts.iter().map(|text| text.contains("Subject: kept")).collect();
    assert_eq!(kept, [true, false]);
}

#[tokio::test]
async fn where_the_damage_is_known_nobody_is_asked_or_connected_to() {
    let setting = Setting {
        retry: vec![Duration::from_millis(300)],
        ..Setting::default()
    };
    let scene = Scene::asleep(OPPORTUNISTIC, setting).await;
    let receiver = single(&scene, "far").await;
    let recipients = ["a@far.test", "b@far.test"];
    let id = scene.queue(&recipients, &large(), Timestamp::now()).await;
    let file = file(&scene, id);
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() - 1]).unwrap();
    scene.start();
    let reason = format!("{WORDS}its content has another size");
    for line in &scene.lines(id, 2).await[..2] {
        assert_line(
            line,
            &[
                DEFERRED,
                ("enhanced", "4.3.0"),
                ("reason", &reason),
                ("mode", "dane opportunistic"),
                ("port", &scene.port.to_string()),
                ("size", &whole.len().to_string()),
                ("attempt", "1"),
            ],
        );
        for field in ["dane", "tls", "tlsvalid", "relay", "dsn", "reply", "mx", "base"] {
            assert_line(line, &[(field, "-")]);
        }
    }
    let asked = [RecordType::MX, RecordType::A].map(|kind| scene.world.asked("far.test", kind));
    assert_eq!(asked, [0, 0]);
    assert_eq!(receiver.connections().len(), 0);
    // Restored from a copy, it goes out.
    fs::write(&file, &whole).unwrap();
    assert!(receiver.wait_for_messages(1, crate::scene::LIMIT).await);
    assert!(receiver.messages()[0].content == whole);
}

#[tokio::test]
async fn damage_found_on_the_way_ends_the_transaction_before_its_dot_and_the_attempt_with_it() {
    let setting = Setting {
        retry: vec![Duration::from_millis(300)],
        ..Setting::default()
    };
    let scene = Scene::asleep(OPPORTUNISTIC, setting).await;
    let (first, second) = pair(&scene, "far").await;
    // One recipient is put off by the server, and would be tried at the next host.
    first.set_faults(vec![reply_for("b@far.test", "450 4.2.1 later")]);
    let recipients = ["a@far.test", "b@far.test"];
    let id = scene.queue(&recipients, &large(), Timestamp::now()).await;
    let file = file(&scene, id);
    let whole = fs::read(&file).unwrap();
    // In the first octets and in the last: so much is sent before it shows.
    for place in [whole.len() - 3, 100] {
        let mut altered = whole.clone();
        altered[place] ^= 1;
        fs::write(&file, altered).unwrap();
    }
    scene.start();
    let reason = format!("{WORDS}its content is not what was written");
    for line in &scene.lines(id, 4).await[..4] {
        assert_line(
            line,
            &[
                DEFERRED,
                ("enhanced", "4.3.0"),
                ("dsn", "-"),
                ("reason", &reason),
                // It is not to blame.
                ("relay", "-"),
                ("dane", "-"),
            ],
        );
    }
    let connections = first.connections().len();
    assert!(first.count_of("DATA") >= 2);
    assert_eq!((first.messages().len(), first.count_of("QUIT")), (0, 0));
    assert_eq!(second.connections().len(), 0, "{connections}");
    let troubles = scene.events("spool");
    assert!(troubles.len() >= 2, "once an attempt: {troubles:?}");
    assert!(troubles.iter().all(|event| event.contains_key("remedy")));
    // Restored from a copy, it goes out.
    first.set_faults(vec![]);
    fs::write(&file, &whole).unwrap();
    assert!(first.wait_for_messages(1, crate::scene::LIMIT).await);
    assert!(first.messages()[0].content == whole);
}

#[tokio::test]
async fn damage_found_on_the_way_expires_with_a_report_that_returns_nothing() {
    let scene = Scene::asleep(OPPORTUNISTIC, given_up_soon()).await;
    let far = single(&scene, "far").await;
    let origin = single_at(&scene, 3, "origin").await;
    let id = scene.queue(&["a@far.test"], &large(), old()).await;
    let file = file(&scene, id);
    let mut content = fs::read(&file).unwrap();
    let last = content.len() - 3;
    content[last] ^= 1;
    fs::write(&file, content).unwrap();
    scene.start();
    let reason = format!("{WORDS}its content is not what was written");
    assert_line(
        &scene.lines(id, 1).await[0],
        &[EXPIRED, ("reason", &reason), ("dsn_sent", "yes")],
    );
    let report = report(&origin).await;
    for part in ["Status: 4.3.0", "Action: failed", &reason, "a@far.test"] {
        assert!(report.contains(part), "{part} in {report}");
    }
    assert!(!report.contains("mx.far.test"), "it is not to blame: {report}");
    // The header is as it was, but that cannot be known of any part of what is altered somewhere.
    assert!(!report.contains("Subject: large"), "{report}");
    scene.wait_until_empty().await;
    assert_eq!(far.messages().len(), 0);
    assert!(!file.exists());
}
