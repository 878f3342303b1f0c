//! What strangers can bind: however much whoever answers sends, memory and sockets are bounded.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use common::{domain, hostile, told};
use dns::{Exchange, Mode, Resolver, ResolverConfig, TrustAnchors};
use futures_util::StreamExt;
use futures_util::stream;

const MIB: usize = 1024 * 1024;

/// With the defaults of the configuration.
fn resolver(mode: Mode, server: SocketAddr) -> Resolver {
    Resolver::new(ResolverConfig {
        mode,
        servers: vec![server.into()],
        trust_anchors: TrustAnchors::root(),
        domain_insecure: Vec::new(),
        timeout: Duration::from_secs(5),
        cache_entries: 200_000,
    })
    .unwrap()
}

/// The memory of this process that is in use, in octets (Linux).
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let kib: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1024
}

/// Asks for everything at many names.
async fn ask_all(resolver: &Resolver, names: std::ops::Range<usize>) {
    stream::iter(names)
        .for_each_concurrent(20, |number| async move {
            let name = domain(&format!("{number}.hostile.test"));
            let _ = futures_util::join!(
                resolver.mx(&name),
                resolver.a(&name),
                resolver.aaaa(&name),
                resolver.tlsa(25, &name)
            );
        })
        .await;
}

#[tokio::test]
async fn answers_of_any_size_take_little_memory() {
    for tlsa in [100, 1000] {
        let resolver = resolver(Mode::TrustAd, hostile(tlsa).await);
        // What the runtime and the server take.
        ask_all(&resolver, 0..2).await;
        let before = resident();
        ask_all(&resolver, 2..60).await;
        let grown = resident().saturating_sub(before);
        assert!(grown < 64 * MIB, "{} MiB with {tlsa} TLSA records", grown / MIB);
    }
}

#[tokio::test]
async fn of_many_records_the_first_count_and_of_many_tlsa_records_none() {
    let resolver = resolver(Mode::TrustAd, hostile(100).await);
    let name = domain("many.test");
    let addresses = resolver.a(&name).await.unwrap();
    assert_eq!(addresses.records().len(), 100);
    assert_eq!(addresses.records()[99].to_string(), "10.0.0.99");
    assert_eq!(resolver.aaaa(&name).await.unwrap().records().len(), 100);
    let exchanges = resolver.mx(&name).await.unwrap();
    assert_eq!(exchanges.records().len(), 100);
    assert_eq!(
        exchanges.records()[99].exchange,
        Exchange::Name(domain("00099.many.test"))
    );
    assert_eq!(told(&resolver.tlsa(25, &name).await), "secure records");
    let more = self::resolver(Mode::TrustAd, hostile(101).await);
    let failure = more.tlsa(25, &name).await.unwrap_err().to_string();
    assert_eq!(
        failure,
        "malformed: _25._tcp.many.test TLSA has more than 100 records"
    );
}
