//! Mail in progress while the policy is read again and again.

use std::fs;
use std::thread;

use crate::common::{Client, Relay};
use crate::delivery::Scene;

const CLIENTS: usize = 6;
const EACH: usize = 60;
const RELOADS: usize = 20;

/// Every fourth one is wrong; the others demand more or less of the receiver, which meets it all.
fn policy(number: usize) -> (&'static str, i32) {
    match number % 4 {
        0 => ("version = 1\ndefault.dane = \"strict\"\n", 0),
        1 => (
            "version = 1\n[[domain]]\nmatch = \"good.test\"\nconnections = 2\n",
            0,
        ),
        2 => (
            "version = 1\n[[domain]]\nmatch = \"good.test\"\ndane = \"opportunistic\"\n",
            0,
        ),
        _ => ("version = 1\ndefault.dane = \"sometimes\"\n", 2),
    }
}

fn reload(relay: &Relay, number: usize) {
    let (text, status) = policy(number);
    fs::write(relay.path("policy.toml"), text).unwrap();
    let end = relay.run(&["reload"]);
    assert_eq!(end.status, status, "{number}: {}{}", end.stdout, end.stderr);
    assert_eq!(end.stderr.contains("sometimes"), status == 2, "{}", end.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_message_is_delivered_once_and_verified_while_the_policy_is_reloaded() {
    let scene = Scene::new().await;
    scene
        .play_with("", |scene, relay| {
            let address = relay.address;
            let recipient = |client: usize, number: usize| format!("r{client}-{number}@good.test");
            thread::scope(|threads| {
                for client in 0..CLIENTS {
                    threads.spawn(move || {
                        let mut session = Client::connect(address);
                        for number in 0..EACH {
                            session.send(&recipient(client, number));
                        }
                    });
                }
                for number in 0..RELOADS {
                    reload(&relay, number);
                }
            });
            let sent = relay.wait_for_lines("status=sent", CLIENTS * EACH);
            for line in &sent {
                assert!(line.contains("dane=\"Verify (Secure TLSA RRs found)\""), "{line}");
            }
            let messages = scene.receiver.messages();
            let mut delivered: Vec<&String> = messages.iter().flat_map(|one| &one.recipients).collect();
            delivered.sort();
            let all = (0..CLIENTS).flat_map(|client| (0..EACH).map(move |number| recipient(client, number)));
            let mut all: Vec<String> = all.collect();
            all.sort();
            assert!(delivered.into_iter().eq(&all), "each once");
            assert!(!relay.log().contains("status=deferred"));
            assert_eq!(relay.queue().len(), 0);
        })
        .await;
}
