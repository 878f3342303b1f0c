//! Unbound beside us: the same servers, the same trust anchors, another validator.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc
)]

use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hickory_proto::op::{Edns, Message, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::{over_tcp, parted, question};

/// A running Unbound, which ends with the value.
pub struct Unbound {
    process: Child,
    address: SocketAddr,
    _directory: tempfile::TempDir,
}

impl Drop for Unbound {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Unbound {
    /// Asks `upstream` and validates up to these anchors, lines of a zone file. Nothing where Unbound is not installed.
    pub async fn start(upstream: SocketAddr, anchors: &str) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let port = testworld::mail::free_port_on(&[Ipv4Addr::LOCALHOST.into()]).unwrap();
        let (anchor, config) = (
            directory.path().join("anchors"),
            directory.path().join("unbound.conf"),
        );
        std::fs::write(&anchor, anchors).unwrap();
        // Nothing is made of what is cached: each question is judged by its own answer.
        let text = format!(
            "server:\n interface: 127.0.0.1@{port}\n do-daemonize: no\n username: \"\"\n chroot: \"\"\n pidfile: \"\"\n \
             use-syslog: no\n do-not-query-localhost: no\n module-config: \"validator iterator\"\n \
             aggressive-nsec: no\n harden-below-nxdomain: no\n \
             local-zone: \"test.\" nodefault\n trust-anchor-file: \"{}\"\n num-threads: 1\n\
             forward-zone:\n name: \".\"\n forward-addr: 127.0.0.1@{}\n\
             remote-control:\n control-enable: no\n",
            anchor.display(),
            upstream.port(),
        );
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new("unbound");
        command
            .args(["-d", "-c"])
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let unbound = Self {
            process: command.spawn().ok()?,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            _directory: directory,
        };
        unbound.wait().await;
        Some(unbound)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Until it answers anything at all.
    async fn wait(&self) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let asked = asking(". NS");
        for _ in 0..100 {
            let _ = socket.send_to(&asked, self.address).await;
            let mut buffer = [0; 4096];
            let wait = Duration::from_millis(100);
            if let Ok(Ok(_)) = timeout(wait, socket.recv_from(&mut buffer)).await {
                return;
            }
            tokio::time::sleep(wait).await;
        }
        panic!("Unbound does not answer");
    }

    /// What it makes of a question, in the words of the tests; a failure has no cause here.
    pub async fn ask(&self, text: &str) -> String {
        let octets = over_tcp(self.address, &asking(text)).await;
        let message = Message::from_vec(&octets).unwrap();
        let status = if message.metadata.authentic_data {
            "secure"
        } else {
            "insecure"
        };
        let data = match message.metadata.response_code {
            ResponseCode::NoError if has_data(&message, text) => "records",
            ResponseCode::NoError => "nodata",
            ResponseCode::NXDomain => "nxdomain",
            _ => return "failed".to_owned(),
        };
        format!("{status} {data}")
    }
}

fn asking(text: &str) -> Vec<u8> {
    let mut message = Message::query();
    message.add_query(question(text));
    message.metadata.recursion_desired = true;
    message.metadata.authentic_data = true;
    message.set_edns(Edns::new().set_max_payload(4096).set_dnssec_ok(true).clone());
    message.to_vec().unwrap()
}

/// Whether there are records of the type where the aliases end.
fn has_data(message: &Message, text: &str) -> bool {
    let (_, wanted) = parted(text);
    let mut here: Name = question(text).name().clone();
    for _ in 0..=message.answers.len() {
        let at = |record_type| {
            let mut all = message.answers.iter();
            all.find(|record| record.name == here && record.record_type() == record_type)
        };
        if at(wanted).is_some() {
            return true;
        }
        let Some(RData::CNAME(target)) = at(RecordType::CNAME).map(|record| &record.data) else {
            return false;
        };
        here = target.0.clone();
    }
    false
}
