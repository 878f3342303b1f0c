//! Servers that cannot take a large first message of a handshake, or SNI.

use crate::scene::common::{
    DEFERRED, OPPORTUNISTIC, SENT, VERIFIED, assert_line, mismatched, plain, single, single_at, unsigned,
};
use crate::scene::{Scene, Setting};
use dane::Group;
use delivery::Forget;
use testworld::mail::{MailFault, Stage};

/// One segment of Ethernet.
const SEGMENT: usize = 1_400;

async fn scene() -> Scene {
    let setting = Setting {
        groups: vec![Group::X25519MlKem768, Group::X25519, Group::P256],
        ..Setting::default()
    };
    Scene::with(OPPORTUNISTIC, setting).await
}

#[tokio::test]
async fn a_server_that_fails_on_two_segments_gets_one() {
    let scene = scene().await;
    let receiver = single(&scene, "old").await;
    receiver.set_faults(vec![MailFault::LargeHello(SEGMENT)]);
    scene.expect("a@old.test", &[SENT, VERIFIED]).await;
    assert_eq!(receiver.connections().len(), 2);
    // That is remembered.
    scene.expect("a@old.test", &[SENT, VERIFIED]).await;
    assert_eq!(receiver.connections().len(), 3);
    // The name is sent all the same: DANE asks for it.
    assert_eq!(receiver.messages()[1].sni.as_deref(), Some("mx.old.test"));
    // Forgotten at the administrator's command.
    scene.scheduler().forget(Forget::All);
    receiver.set_faults(vec![]);
    scene.expect("a@old.test", &[SENT, VERIFIED]).await;
    assert_eq!(receiver.connections().len(), 4);
}

#[tokio::test]
async fn a_server_that_cannot_take_a_name_gets_none_where_nothing_is_authenticated() {
    let scene = scene().await;
    let receiver = unsigned(&scene, "odd").await;
    receiver.set_faults(vec![MailFault::NoSni]);
    let line = scene.expect("a@odd.test", &[SENT]).await;
    assert!(line["tls"].starts_with("TLSv1.3:"), "{line:?}");
    assert_eq!(receiver.messages()[0].sni, None);
    // Under DANE the name is part of the check.
    let strict = single_at(&scene, 3, "named").await;
    strict.set_faults(vec![MailFault::NoSni]);
    let line = scene.expect("a@named.test", &[DEFERRED]).await;
    assert_line(&line, &[("dane", "Fail (TLS handshake: unrecognized_name)")]);
}

#[tokio::test]
async fn a_failed_check_is_no_broken_handshake() {
    let scene = scene().await;
    let receiver = mismatched(&scene, "wrong").await;
    scene.expect("a@wrong.test", &[DEFERRED]).await;
    assert_eq!(receiver.connections().len(), 1);
    // Nor is a server that closes before the handshake begins.
    let close = MailFault::Close(Stage::StartTls);
    let closing = scene
        .receiver(3, &scene.identity("mx.closing.test"), vec![close])
        .await;
    plain(&scene, "closing", closing.address());
    scene.expect("a@closing.test", &[DEFERRED]).await;
    assert_eq!(closing.connections().len(), 1);
}
