//! Questions to a name server, and receivers that go wrong.
#![allow(dead_code, clippy::unwrap_used)]

use hickory_proto::op::{Edns, Message, Query};
use testworld::mail::{Identity, MailFault, Receiver, ReceiverBuilder};
use testworld::{Name, RecordType};

/// A question for which DNSSEC records are wanted, in a datagram that may be answered by one of this size.
pub(crate) fn query(name: &str, record_type: RecordType, largest: u16) -> Vec<u8> {
    let mut query = Message::query();
    query.metadata.recursion_desired = true;
    let name = Name::from_ascii(format!("{name}.")).unwrap();
    query.add_query(Query::query(name, record_type));
    let mut edns = Edns::new();
    edns.set_max_payload(largest).set_dnssec_ok(true);
    query.set_edns(edns);
    query.to_vec().unwrap()
}

pub(crate) const NAME: &str = "mx.good.demo";

pub(crate) async fn receiver(faults: impl IntoIterator<Item = MailFault>) -> Receiver {
    let identity = Identity::self_signed(&[NAME]).unwrap();
    let builder = Receiver::builder(NAME).identity(&identity);
    faults
        .into_iter()
        .fold(builder, ReceiverBuilder::fault)
        .start()
        .await
        .unwrap()
}
