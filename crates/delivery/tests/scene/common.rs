//! What several test files share: policies, domains by one word, and the look at a line.

use std::net::SocketAddr;

use testworld::mail::Receiver;

use super::{Line, Scene};

pub const OPPORTUNISTIC: &str = "version = 1\n[default]\ndane = \"opportunistic\"\n";
pub const SOFT_FAIL: &str = "version = 1\n[default]\ndane = \"soft-fail\"\n";
pub const STRICT: &str = "version = 1\n[default]\ndane = \"strict\"\n";
/// Of the right form and of no certificate.
pub const WRONG: &str = "3 1 1 0000000000000000000000000000000000000000000000000000000000000000";
/// Usage 1: not for SMTP (RFC 7672 §3.1.3).
pub const UNUSABLE: &str = "1 1 1 0000000000000000000000000000000000000000000000000000000000000000";

pub fn assert_line(line: &Line, expected: &[(&str, &str)]) {
    for (key, value) in expected {
        assert_eq!(
            line.get(key).map(String::as_str),
            Some(*value),
            "{key} in {line:#?}"
        );
    }
}

pub fn assert_deferred(line: &Line, dane: &str, enhanced: &str) {
    assert_line(
        line,
        &[("status", "deferred"), ("dane", dane), ("enhanced", enhanced)],
    );
}

/// `NAME.test`, unsigned, with one MX host.
pub fn plain(scene: &Scene, name: &str, address: SocketAddr) {
    let domain = scene.world.domain(&format!("{name}.test")).unsigned();
    domain.mx(10, &format!("mx.{name}.test"), address).add().unwrap();
}

/// `NAME.test` with one MX host under DANE.
pub async fn single(scene: &Scene, name: &str) -> Receiver {
    let identity = scene.identity(&format!("mx.{name}.test"));
    let receiver = scene.receiver(2, &identity, vec![]).await;
    scene.domain(name, &receiver, &identity.tlsa_3_1_1());
    receiver
}

/// `NAME.test`, signed, with two MX hosts under DANE.
pub async fn pair(scene: &Scene, name: &str) -> (Receiver, Receiver) {
    let identity = scene.identity("mx.test");
    let first = scene.receiver(2, &identity, vec![]).await;
    let second = scene.receiver(3, &identity, vec![]).await;
    let domain = scene.world.domain(&format!("{name}.test")).signed();
    domain
        .mx(10, &format!("mx1.{name}.test"), first.address())
        .tlsa(identity.tlsa_3_1_1())
        .mx(20, &format!("mx2.{name}.test"), second.address())
        .tlsa(identity.tlsa_3_1_1())
        .add()
        .unwrap();
    (first, second)
}
