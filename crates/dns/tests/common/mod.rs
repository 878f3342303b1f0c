//! The words of which the tests are made: a world of zones, what is false in it, and what a resolver tells.
//!
//! A question is written `mx.secure.test A`, a record as a line of a zone file, and what is told `secure records`, `insecure
//! nxdomain` or `failed bogus`: status and kind of an answer, or the cause of its failure.
#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc
)]

mod client;
mod forger;
mod hostile;
mod scene;
mod unbound;

use dns::{Data, Lookup, Mode};
use hickory_proto::dnssec::rdata::DNSKEY;
use hickory_proto::dnssec::{DigestType, Verifier as _};
use hickory_proto::op::Query;
use hickory_proto::rr::{Name, RecordType};
use mail::Domain;

pub use client::Client;
pub use forger::{FORGED, dead_server, fail, forger, negative, over_tcp, replay};
pub use hostile::{hostile, silent};
pub use scene::{Scene, config, world};
pub use unbound::Unbound;

pub const MODES: [Mode; 2] = [Mode::Validate, Mode::TrustAd];

pub fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

/// Name and type of a question as the tests write it.
pub fn parted(text: &str) -> (&str, RecordType) {
    let (name, record_type) = text.split_once(' ').expect("a name and a type");
    (name, record_type.trim().parse().unwrap())
}

pub fn question(text: &str) -> Query {
    let (name, record_type) = parted(text);
    let mut name = Name::from_ascii(name).unwrap();
    name.set_fqdn(true);
    Query::query(name, record_type)
}

pub fn is(query: &Query, text: &str) -> bool {
    *query == question(text)
}

pub fn hex(octets: &[u8]) -> String {
    octets
        .iter()
        .fold(String::new(), |text, octet| text + &format!("{octet:02x}"))
}

/// A key of a zone as trust anchors: its digest, and itself.
pub fn anchor_lines(zone: &str, key: &DNSKEY) -> [String; 2] {
    let owner = Name::from_ascii(format!("{}.", zone.trim_end_matches('.'))).unwrap();
    let digest = key.to_digest(&owner, DigestType::SHA256).unwrap();
    let (tag, algorithm) = (key.calculate_key_tag().unwrap(), u8::from(key.algorithm()));
    [
        format!("{owner} IN DS {tag} {algorithm} 2 {}", hex(digest.as_ref())),
        format!("{owner} IN DNSKEY {key}"),
    ]
}

/// An answer in two words.
pub fn told<T>(lookup: &Lookup<T>) -> String {
    match lookup {
        Ok(answer) => {
            let data = match answer.data {
                Data::Records(_) => "records",
                Data::NoData => "nodata",
                Data::NxDomain => "nxdomain",
            };
            format!("{} {data}", answer.security)
        }
        Err(failure) => format!("failed {}", failure.cause),
    }
}
