//! Places for connections, and what is known of a delivery while it is in doubt.

use std::time::Duration;

use crate::scene::common::{DEFERRED, OPPORTUNISTIC, SENT, assert_line, signed_mx, single, single_at};
use crate::scene::{Scene, Setting};
use delivery::Windows;
use jiff::Timestamp;
use testworld::mail::{MailFault, Stage};

const CONTENT: &[u8] = b"Subject: x\r\n\r\nx\r\n";

#[tokio::test]
async fn who_waits_for_a_host_keeps_no_place_from_the_others() {
    let setting = Setting {
        connections: 2,
        connections_per_host: 1,
        ..Setting::default()
    };
    let scene = Scene::with(OPPORTUNISTIC, setting).await;
    let slow = single_at(&scene, 3, "slow").await;
    slow.set_faults(vec![MailFault::Pause(Stage::Mail, Duration::from_secs(1))]);
    let quick = single(&scene, "quick").await;
    for _ in 0..3 {
        scene.queue(&["a@slow.test"], CONTENT, Timestamp::now()).await;
    }
    while slow.count_of("EHLO") < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    scene.expect("a@quick.test", &[SENT]).await;
    assert_eq!(quick.messages().len(), 1);
    assert_eq!(slow.messages().len(), 0, "it was not that slow");
    assert!(slow.wait_for_messages(3, crate::scene::LIMIT).await);
}

/// A provider that takes one connection, with many domains.
#[tokio::test]
async fn mail_for_one_busy_host_leaves_room_for_all_other_mail() {
    let setting = Setting {
        connections: 4,
        connections_per_host: 1,
        stage_limit: crate::scene::LIMIT,
        ..Setting::default()
    };
    let scene = Scene::with(OPPORTUNISTIC, setting).await;
    let provider = single_at(&scene, 3, "provider").await;
    provider.set_faults(vec![MailFault::Pause(Stage::Mail, Duration::from_secs(3))]);
    let _quick = single(&scene, "quick").await;
    // More than may run at the same time.
    let domains: Vec<String> = (0..20).map(|number| format!("d{number}")).collect();
    let mut ids = Vec::new();
    for domain in &domains {
        signed_mx(&scene, domain, "mx.provider.test");
        let to = format!("a@{domain}.test");
        ids.push(scene.queue(&[&to], CONTENT, Timestamp::now()).await);
    }
    while provider.count_of("MAIL") == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    provider.set_faults(vec![]);
    tokio::time::sleep(Duration::from_millis(300)).await;
    scene.expect("a@quick.test", &[SENT]).await;
    assert_eq!(provider.messages().len(), 0, "it waited for the provider");
    for id in ids {
        assert_line(&scene.lines(id, 1).await[0], &[SENT, ("attempt", "1")]);
    }
}

#[tokio::test]
async fn windows_become_wider_while_deliveries_run() {
    let setting = Setting {
        connections: 1,
        ..Setting::default()
    };
    let scene = Scene::with(OPPORTUNISTIC, setting).await;
    let slow = single(&scene, "slow").await;
    slow.set_faults(vec![MailFault::Pause(Stage::Mail, Duration::from_secs(1))]);
    for _ in 0..3 {
        scene.queue(&["a@slow.test"], CONTENT, Timestamp::now()).await;
    }
    while slow.count_of("MAIL") == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(slow.count_of("MAIL"), 1);
    scene.scheduler().reloaded(Windows {
        connections: 3,
        per_destination: 20,
        per_host: 20,
    });
    while slow.count_of("MAIL") < 3 {
        assert_eq!(slow.messages().len(), 0, "they went one by one");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(slow.wait_for_messages(3, crate::scene::LIMIT).await);
}

#[tokio::test]
async fn a_delivery_is_in_doubt_from_the_final_dot_until_it_is_settled() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = single(&scene, "doubt").await;
    let notes = || std::fs::read(scene.directory.path().join("in-doubt")).unwrap();
    let in_doubt = || notes().windows(4).any(|octets| octets == b"used");
    // The content is asked for and not sent: nothing is in doubt.
    receiver.set_faults(vec![MailFault::Silence(Stage::Data)]);
    let id = scene.queue(&["a@doubt.test"], CONTENT, Timestamp::now()).await;
    while receiver.count_of("DATA") == 0 {
        assert!(!in_doubt());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!in_doubt());
    assert_line(&scene.lines(id, 1).await[0], &[DEFERRED]);
    // All of it is sent, and the reply is missing.
    receiver.set_faults(vec![MailFault::Silence(Stage::Content)]);
    let id = scene.queue(&["a@doubt.test"], CONTENT, Timestamp::now()).await;
    while !in_doubt() {
        assert!(scene.lines_so_far(id).is_empty());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_line(&scene.lines(id, 1).await[0], &[DEFERRED]);
    assert!(!in_doubt());
}
