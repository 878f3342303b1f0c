//! `check`: the receiving side's test, in a world with every fault.

mod bulk;
mod domains;
mod words;

use std::net::{IpAddr, SocketAddr};

use serde_json::Value;
use testworld::RecordType;
use testworld::dns::{Bogus, DnsFault, Questions};
use testworld::mail::{Ca, Identity, MailFault, Receiver, free_port_on};

use crate::{End, Stage};

/// Receiving servers on one port, and domains that point to them.
struct Town {
    stage: Stage,
    ca: Ca,
    port: u16,
    receivers: Vec<Receiver>,
}

impl Town {
    fn new() -> Self {
        Self::with("")
    }

    /// With these lines of `[delivery]`.
    fn with(delivery: &str) -> Self {
        let addresses: Vec<IpAddr> = (1..=20).map(|last| IpAddr::from([127, 0, 3, last])).collect();
        let port = free_port_on(&addresses).unwrap();
        let stage = Stage::new(&format!("port = {port}\n{delivery}"));
        stage.world.set_ttl(3600);
        Self {
            stage,
            ca: Ca::new("Test CA").unwrap(),
            port,
            receivers: Vec::new(),
        }
    }

    fn address(&self, last: u8) -> SocketAddr {
        SocketAddr::from(([127, 0, 3, last], self.port))
    }

    /// A server on 127.0.3.`last`.
    fn serve(&mut self, last: u8, identity: Option<&Identity>, faults: &[MailFault]) -> Receiver {
        let mut builder = Receiver::builder("mx.test").address(self.address(last));
        if let Some(identity) = identity {
            builder = builder.identity(identity);
        }
        for fault in faults {
            builder = builder.fault(fault.clone());
        }
        let receiver = self.stage.runtime.block_on(builder.start()).unwrap();
        self.receivers.push(receiver.clone());
        receiver
    }

    fn identity(&self, name: &str) -> Identity {
        self.ca.issue(&[name]).unwrap()
    }

    /// A signed domain whose host `mx.` is served at 127.0.3.`last`, with these TLSA records.
    fn domain(&self, domain: &str, last: u8, records: &[String]) {
        let mut zone = self.stage.world.domain(domain).signed();
        zone = zone.mx(10, &format!("mx.{domain}"), self.address(last));
        for record in records {
            zone = zone.tlsa(record);
        }
        zone.add().unwrap();
    }

    /// A domain, its server and its records, all as they should be but for these faults.
    fn usual(&mut self, domain: &str, last: u8, faults: &[MailFault]) -> (Receiver, Identity) {
        let identity = self.identity(&format!("mx.{domain}"));
        let receiver = self.serve(last, Some(&identity), faults);
        self.domain(domain, last, &[identity.tlsa_3_1_1(), identity.tlsa_2_1_1()]);
        (receiver, identity)
    }

    fn check(&self, arguments: &[&str]) -> End {
        self.stage.run(&[&["check"], arguments].concat())
    }

    /// The JSON for one domain.
    fn seen(&self, domain: &str) -> (i32, Value) {
        let end = self.check(&[domain, "--json"]);
        (end.status, end.json())
    }
}

/// The codes of the findings of these severities.
fn codes(report: &Value, severities: &[&str]) -> Vec<String> {
    let findings = report["findings"].as_array().unwrap().iter();
    let wanted = findings.filter(|finding| severities.contains(&finding["severity"].as_str().unwrap()));
    wanted
        .map(|finding| finding["code"].as_str().unwrap().to_owned())
        .collect()
}
