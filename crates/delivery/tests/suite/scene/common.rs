//! The words in which the tests are written: policies, receivers with their domains, faults, and what a line must say.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use jiff::Timestamp;
use testworld::RecordType;
use testworld::dns::{DnsFault, Questions};
use testworld::mail::{Identity, MailFault, Receiver, Stage};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::{Line, Scene};

pub const OPPORTUNISTIC: &str = "version = 1\n[default]\ndane = \"opportunistic\"\n";
pub const SOFT_FAIL: &str = "version = 1\n[default]\ndane = \"soft-fail\"\n";
pub const STRICT: &str = "version = 1\n[default]\ndane = \"strict\"\n";
/// Of the right form and of no certificate.
pub const WRONG: &str = "3 1 1 0000000000000000000000000000000000000000000000000000000000000000";
/// Usage 1: not for SMTP (RFC 7672 §3.1.3).
pub const UNUSABLE: &str = "1 1 1 0000000000000000000000000000000000000000000000000000000000000000";

/// A short message.
pub const LETTER: &[u8] = b"S: x\r\n\r\nx\r\n";

pub const SENT: (&str, &str) = ("status", "sent");
pub const DEFERRED: (&str, &str) = ("status", "deferred");
pub const BOUNCED: (&str, &str) = ("status", "bounced");
pub const EXPIRED: (&str, &str) = ("status", "expired");
pub const VERIFIED: (&str, &str) = ("dane", "Verify (Secure TLSA RRs found)");
pub const NO_MATCH: &str = "Fail (No matching TLSA RRs)";

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
    assert_line(line, &[DEFERRED, ("dane", dane), ("enhanced", enhanced)]);
}

impl Scene {
    /// Sends a message to one recipient, of whom the log must say this. The whole line.
    pub async fn expect(&self, recipient: &str, expected: &[(&str, &str)]) -> Line {
        let line = self.send_to(recipient).await;
        assert_line(&line, expected);
        line
    }

    /// The same where the message must wait.
    pub async fn expect_deferred(&self, recipient: &str, dane: &str, enhanced: &str) {
        assert_deferred(&self.send_to(recipient).await, dane, enhanced);
    }

    /// Sends a message that was accepted so long ago.
    pub async fn send_aged(&self, recipient: &str, age: Duration) -> Line {
        let id = self.queue(&[recipient], LETTER, ago(age)).await;
        self.lines(id, 1).await.remove(0)
    }

    /// Where the TLSA records of a host stand.
    pub fn tlsa_owner(&self, host: &str) -> String {
        format!("_{}._tcp.{host}", self.port)
    }

    /// The look-up of a host's TLSA records fails in this way.
    pub fn break_tlsa(&self, host: &str, fault: DnsFault) {
        let questions = Questions::Of(self.tlsa_owner(host), RecordType::TLSA);
        self.world.break_dns(&questions, fault).unwrap();
    }
}

pub fn ago(age: Duration) -> Timestamp {
    Timestamp::now() - age
}

/// This reply at this stage.
pub fn reply(stage: Stage, text: &str) -> MailFault {
    MailFault::Reply(stage, text.to_owned())
}

/// This reply to one recipient.
pub fn reply_for(recipient: &str, text: &str) -> MailFault {
    reply(Stage::RcptFor(recipient.to_owned()), text)
}

/// `NAME.test`, signed, with one MX record for a host that is described elsewhere.
pub fn signed_mx(scene: &Scene, name: &str, host: &str) {
    let zone = format!("{name}.test");
    let domain = scene.world.domain(&zone).signed();
    let record = format!("10 {host}.");
    domain.record(&zone, RecordType::MX, &record).add().unwrap();
}

/// The same, unsigned.
pub fn unsigned_mx(scene: &Scene, name: &str, host: &str) {
    let zone = format!("{name}.test");
    let domain = scene.world.domain(&zone).unsigned();
    let record = format!("10 {host}.");
    domain.record(&zone, RecordType::MX, &record).add().unwrap();
}

/// `NAME.test`, unsigned, with one MX host.
pub fn plain(scene: &Scene, name: &str, address: SocketAddr) {
    let domain = scene.world.domain(&format!("{name}.test")).unsigned();
    domain.mx(10, &format!("mx.{name}.test"), address).add().unwrap();
}

/// The same with a receiver of its own.
pub async fn unsigned(scene: &Scene, name: &str) -> Receiver {
    let identity = scene.identity(&format!("mx.{name}.test"));
    let receiver = scene.receiver(2, &identity, vec![]).await;
    plain(scene, name, receiver.address());
    receiver
}

/// `NAME.test` with one MX host under DANE.
pub async fn single(scene: &Scene, name: &str) -> Receiver {
    single_at(scene, 2, name).await
}

/// The same at 127.0.0.`last`.
pub async fn single_at(scene: &Scene, last: u8, name: &str) -> Receiver {
    let identity = scene.identity(&format!("mx.{name}.test"));
    let receiver = scene.receiver(last, &identity, vec![]).await;
    scene.domain(name, &receiver, &identity.tlsa_3_1_1());
    receiver
}

/// `NAME.test` with one MX host whose certificate its TLSA record does not match.
pub async fn mismatched(scene: &Scene, name: &str) -> Receiver {
    let identity = scene.identity(&format!("mx.{name}.test"));
    let receiver = scene.receiver(2, &identity, vec![]).await;
    scene.domain(name, &receiver, WRONG);
    receiver
}

/// Receivers of one certificate at 127.0.0.2 and 127.0.0.3.
pub async fn two_receivers(scene: &Scene) -> (Identity, Receiver, Receiver) {
    let identity = scene.identity("mx.test");
    let first = scene.receiver(2, &identity, vec![]).await;
    let second = scene.receiver(3, &identity, vec![]).await;
    (identity, first, second)
}

/// `NAME.test`, signed, with MX hosts `mx1`, `mx2` ... by preference, server and TLSA record.
pub fn hosts(scene: &Scene, name: &str, hosts: &[(u16, &Receiver, Option<&str>)]) {
    let mut domain = scene.world.domain(&format!("{name}.test")).signed();
    for (number, (preference, receiver, tlsa)) in (1..).zip(hosts) {
        let host = format!("mx{number}.{name}.test");
        domain = domain.mx(*preference, &host, receiver.address());
        if let Some(tlsa) = tlsa {
            domain = domain.tlsa(tlsa);
        }
    }
    domain.add().unwrap();
}

/// `NAME.test`, signed, with two MX hosts under DANE.
pub async fn pair(scene: &Scene, name: &str) -> (Receiver, Receiver) {
    let (identity, first, second) = two_receivers(scene).await;
    let right = identity.tlsa_3_1_1();
    hosts(
        scene,
        name,
        &[(10, &first, Some(&right)), (20, &second, Some(&right))],
    );
    (first, second)
}

/// The commands of all connections that begin with this word.
pub fn commands(receiver: &Receiver, verb: &str) -> Vec<String> {
    let connections = receiver.connections();
    let all = connections.into_iter().flat_map(|connection| connection.commands);
    all.filter(|command| command.starts_with(verb)).collect()
}

/// The text of a message that arrived.
pub fn text(receiver: &Receiver, number: usize) -> String {
    String::from_utf8(receiver.messages()[number].content.clone()).unwrap()
}

/// Nobody gets through to this address of the scene, and nobody is told; until the listener is asked whom it has.
pub async fn clogged(scene: &Scene, address: IpAddr) -> (TcpListener, TcpStream) {
    let socket = TcpSocket::new_v6().unwrap();
    let address = SocketAddr::new(address, scene.port);
    socket.bind(address).unwrap();
    let listener = socket.listen(0).unwrap();
    // The one that there is room for.
    let first = TcpStream::connect(address).await.unwrap();
    (listener, first)
}
