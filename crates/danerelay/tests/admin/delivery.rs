//! What is done through the socket, and what then goes out.

use std::time::Duration;

use tempfile::NamedTempFile;
use testworld::dns::{DnsFault, Questions, World};
use testworld::mail::{Ca, Identity, MailFault, Receiver, Stage};

use crate::common::{CONTENT, Client, Relay, asking};

/// A secured receiver in a world.
pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) receiver: Receiver,
    pub(crate) identity: Identity,
    anchor: NamedTempFile,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        let world = World::start().await.unwrap();
        let identity = Ca::new("Test CA").unwrap().issue(&["mx.good.test"]).unwrap();
        let builder = Receiver::builder("mx.good.test").identity(&identity);
        let receiver = builder.start().await.unwrap();
        world.domain("test").signed().add().unwrap();
        let good = world
            .domain("good.test")
            .signed()
            .mx(10, "mx.good.test", receiver.address());
        good.tlsa(identity.tlsa_3_1_1()).add().unwrap();
        Self {
            world,
            receiver,
            identity,
            anchor: NamedTempFile::new().unwrap(),
        }
    }

    fn start(&self, more: &str) -> Relay {
        Relay::start(&self.settings(more))
    }

    /// What a relay is told, with more.
    pub(crate) fn settings(&self, more: &str) -> String {
        let port = format!("port = {}\n{more}", self.receiver.address().port());
        asking(&self.world, "validate", self.anchor.path()) + &port
    }

    /// Runs a test that blocks beside the world.
    async fn play(self, test: impl FnOnce(&Self, Relay) + Send + 'static) {
        self.play_with("", test).await;
    }

    /// The same with more in the configuration file.
    pub(crate) async fn play_with(self, more: &str, test: impl FnOnce(&Self, Relay) + Send + 'static) {
        let more = more.to_owned();
        tokio::task::spawn_blocking(move || {
            let relay = self.start(&more);
            test(&self, relay);
        })
        .await
        .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_goes_nowhere_until_it_is_released() {
    let scene = Scene::new().await;
    let later = MailFault::ReplyTimes(Stage::Rcpt, 1, "450 4.2.0 later".to_owned());
    scene.receiver.set_faults(vec![later]);
    scene
        .play(|scene, mut relay| {
            let id = Client::connect(relay.address).send("someone@good.test");
            relay.wait_for("status=deferred");
            relay.print(&["queue", "hold", "--id", &id]);
            relay.stop();
            relay.start_again();
            relay.wait_for("event=recovery");
            assert_eq!(
                relay.run(&["queue", "retry", "--all"]).stdout,
                "retrying 0 recipients of 0 messages; 1 is held and stays so, or is gone\n"
            );
            std::thread::sleep(Duration::from_millis(300));
            assert_eq!(scene.receiver.messages().len(), 0);
            assert_eq!(relay.queue()[0]["recipients"][0]["state"], "held");

            relay.print(&["queue", "release", "--recipient-domain", "good.test"]);
            relay.wait_for("status=sent");
            let messages = scene.receiver.messages();
            assert_eq!(messages.len(), 1);
            assert!(messages[0].content.ends_with(CONTENT.as_bytes()));
            assert_eq!(relay.queue().len(), 0);
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_delivers_at_once_and_only_once() {
    let scene = Scene::new().await;
    let later = MailFault::Reply(Stage::Rcpt, "450 4.2.0 later".to_owned());
    scene.receiver.set_faults(vec![later]);
    scene
        .play(|scene, relay| {
            let mut client = Client::connect(relay.address);
            let id = client.send("one@good.test");
            client.send("two@good.test");
            relay.wait_for_lines("status=deferred", 2);
            scene.receiver.set_faults(Vec::new());
            let exported = relay.print(&["queue", "export", &id]);
            // Twice in a row, as by a hasty operator: each time it is due at once, and goes once.
            relay.print(&["queue", "retry", "--reason", "LATER"]);
            relay.run(&["queue", "retry", "--reason", "LATER"]);
            relay.wait_for_lines("status=sent", 2);
            std::thread::sleep(Duration::from_millis(300));
            let messages = scene.receiver.messages();
            assert_eq!(messages.len(), 2, "{}", relay.log());
            let first = messages
                .iter()
                .find(|one| one.recipients == ["one@good.test"])
                .unwrap();
            assert_eq!(String::from_utf8_lossy(&first.content), exported);
            assert_eq!(relay.queue().len(), 0);
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_sees_what_was_mended_in_the_dns() {
    let scene = Scene::new().await;
    let tlsa = Questions::Below("_tcp.mx.good.test".to_owned());
    scene.world.break_dns(&tlsa, DnsFault::ServFail).unwrap();
    scene
        .play(move |scene, relay| {
            Client::connect(relay.address).send("someone@good.test");
            let deferred = relay.wait_for("status=deferred");
            assert!(deferred.contains("TLSA lookup"), "{deferred}");
            // Mended, which nobody would notice as long as the failure is remembered.
            scene.world.mend_dns(&tlsa).unwrap();
            relay.print(&["queue", "retry", "--all"]);
            let sent = relay.wait_for("status=sent");
            assert!(sent.contains("dane=\"Verify"), "{sent}");
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_broke_before_is_tried_anew_after_a_flush_and_a_retry() {
    let scene = Scene::new().await;
    let plain = scene
        .world
        .domain("plain.test")
        .mx(10, "mx.plain.test", scene.receiver.address());
    plain.add().unwrap();
    scene.receiver.set_faults(vec![MailFault::CloseInHandshake]);
    scene
        .play(|scene, relay| {
            let mut client = Client::connect(relay.address);
            client.send("one@plain.test");
            relay.wait_for_lines("status=deferred", 1);
            // Whoever has broken it in the same way before is spoken to without TLS: this one has not, after each.
            for (count, command) in [
                (2, &["queue", "retry", "--all"][..]),
                (3, &["flush", "plain.test"]),
            ] {
                relay.print(command);
                if count == 3 {
                    client.send("two@plain.test");
                }
                relay.wait_for_lines("status=deferred", count);
                assert_eq!(scene.receiver.messages().len(), 0, "{command:?}\n{}", relay.log());
            }
            client.send("three@plain.test");
            relay.wait_for("status=sent");
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_being_delivered_is_left_alone_and_shown_as_leased() {
    let scene = Scene::new().await;
    scene
        .receiver
        .set_faults(vec![MailFault::Pause(Stage::Content, Duration::from_secs(4))]);
    scene
        .play(|scene, relay| {
            let id = Client::connect(relay.address)
                .send_from("a@one.example", &["someone@good.test", "nobody@nowhere.test"]);
            relay.wait_for("to=nobody@nowhere.test");
            let deferred = relay.queue().pop().unwrap();
            let state = |index: usize| deferred["recipients"][index]["state"].clone();
            // A domain that does not exist is given up at once.
            assert_eq!([state(0), state(1)], ["leased", "failed"]);
            let hold = relay.print(&["queue", "hold", "--all"]);
            assert_eq!(
                hold,
                "held 0 recipients of 0 messages; 1 is being delivered now and was left alone\n"
            );
            let delete = relay.print(&["queue", "delete", &id, "--json"]);
            assert_eq!(
                delete,
                "{\"action\":\"delete\",\"messages\":0,\"done\":0,\"leased\":1,\"unsuitable\":0}\n"
            );
            let summary = relay.objects(&["queue", "summary", "--json"]).pop().unwrap();
            assert_eq!(summary["recipients"]["leased"], 1);
            assert!(relay.wait_for("status=sent").contains("to=someone@good.test"));
            assert_eq!(scene.receiver.messages().len(), 1);
        })
        .await;
}
