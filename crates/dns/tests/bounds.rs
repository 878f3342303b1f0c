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

use common::{domain, hostile, silent, told};
use dns::{Exchange, Mode, Resolver, ResolverConfig, TrustAnchors};
use futures_util::StreamExt;
use futures_util::stream;

const MIB: usize = 1024 * 1024;

/// With the defaults of the configuration. A validator's names are below no anchor.
fn resolver(mode: Mode, server: SocketAddr) -> Resolver {
    let anchor = format!("island. DS 1 13 2 {:064}", 1);
    Resolver::new(ResolverConfig {
        mode,
        servers: vec![server.into()],
        trust_anchors: TrustAnchors::parse(&anchor).unwrap(),
        domain_insecure: Vec::new(),
        timeout: Duration::from_secs(5),
        cache_entries: 200_000,
        sockets: 256,
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
        .for_each_concurrent(100, |number| async move {
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

async fn takes_little_memory(mode: Mode, tlsa: usize, octets: usize) {
    let resolver = resolver(mode, hostile(tlsa, octets).await);
    // What the runtime and the server take.
    ask_all(&resolver, 0..2).await;
    let before = resident();
    ask_all(&resolver, 2..60).await;
    let grown = resident().saturating_sub(before);
    assert!(grown < 64 * MIB, "{} MiB", grown / MIB);
}

#[tokio::test]
async fn answers_of_any_size_take_little_memory() {
    takes_little_memory(Mode::TrustAd, 100, 17_000).await;
}

#[tokio::test]
async fn answers_of_many_records_take_little_memory() {
    takes_little_memory(Mode::TrustAd, 1000, 64_000).await;
}

#[tokio::test]
async fn answers_that_are_validated_here_take_little_memory() {
    takes_little_memory(Mode::Validate, 1000, 64_000).await;
}

/// How many sockets this process has open (Linux).
fn sockets() -> usize {
    let all = std::fs::read_dir("/proc/self/fd").unwrap();
    let targets = all.filter_map(|one| std::fs::read_link(one.ok()?.path()).ok());
    targets
        .filter(|target| target.to_string_lossy().starts_with("socket:"))
        .count()
}

#[tokio::test]
async fn however_many_names_are_looked_up_few_sockets_are_open() {
    let resolver = Resolver::new(ResolverConfig {
        mode: Mode::TrustAd,
        servers: vec![silent().await.into()],
        trust_anchors: TrustAnchors::root(),
        domain_insecure: Vec::new(),
        timeout: Duration::from_secs(2),
        cache_entries: 0,
        sockets: 30,
    })
    .unwrap();
    let before = sockets();
    let asking = ask_all(&resolver, 0..100);
    let counting = async {
        let mut most = 0;
        for _ in 0..300 {
            tokio::time::sleep(Duration::from_millis(10)).await;
            most = most.max(sockets());
        }
        most
    };
    tokio::select! {
        () = asking => panic!("all ended in no time"),
        most = counting => {
            let most = most - before;
            assert!((10..=33).contains(&most), "{most} sockets");
        }
    }
}

#[tokio::test]
async fn of_many_records_the_first_count_and_of_many_tlsa_records_none() {
    let resolver = resolver(Mode::TrustAd, hostile(100, 17_000).await);
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
    let more = self::resolver(Mode::TrustAd, hostile(101, 17_000).await);
    let failure = more.tlsa(25, &name).await.unwrap_err().to_string();
    assert_eq!(
        failure,
        "malformed: _25._tcp.many.test TLSA has more than 100 records"
    );
    let larger = self::resolver(Mode::TrustAd, hostile(100, 20_000).await);
    let failure = larger.tlsa(25, &name).await.unwrap_err().to_string();
    assert_eq!(
        failure,
        "malformed: the records of _25._tcp.many.test TLSA have more than 16384 octets"
    );
}
