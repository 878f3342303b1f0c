//! What looking a destination up costs: MX records, and of the one host its addresses and TLSA records, all secure; and the
//! same of an unsigned destination, where TLSA records are not asked for.
//!
//! `cargo run -p dns --release --example lookup_cost`
//!
//! The servers are a world on loopback that signs each answer afresh, on a thread of their own, so that wall time, a median,
//! includes their work; CPU time, a mean, is that of the resolver's thread alone (Linux only).
#![allow(clippy::disallowed_types, reason = "the time that really passes is meant")]

use std::error::Error;
use std::fs;
use std::time::{Duration, Instant};

use dns::host::{AddressFamily, Tlsa, TlsaQuestion};
use dns::mx::MxFinding;
use dns::{Mode, Resolver, ResolverConfig, TrustAnchors};
use mail::{Domain, Security};
use testworld::RecordType;
use testworld::dns::{Role, World};
use tokio::runtime::{Builder, Runtime};

/// How often each cost is taken.
const RUNS: u32 = 100;

type Failure = Box<dyn Error>;

fn main() -> Result<(), Failure> {
    let servers = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let world = servers.block_on(world())?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    println!("| mode | known before | wall, µs | CPU, µs | questions |");
    println!("|---|---|---|---|---|");
    for (mode, role) in [
        (Mode::Validate, Role::Forwarder),
        (Mode::TrustAd, Role::Validator),
    ] {
        world.set_role(role);
        let resolvers: Vec<Resolver> = (0..RUNS)
            .map(|_| Ok(Resolver::new(config(&world, mode)?)?))
            .collect::<Result<_, Failure>>()?;
        for (known, domain) in [
            ("nothing", "one.test"),
            ("the zones above", "two.test"),
            ("everything", "two.test"),
            ("the zones above, unsigned", "open.test"),
            ("everything, unsigned", "open.test"),
        ] {
            let cost = cost(&runtime, &world, &resolvers, domain)?;
            println!("| {mode:?} | {known} | {cost} |");
        }
    }
    Ok(())
}

async fn world() -> Result<World, Failure> {
    let world = World::start().await?;
    world.set_ttl(3600);
    world.domain("test").signed().add()?;
    for zone in ["one.test", "two.test", "open.test"] {
        let host = format!("mx.{zone}");
        let domain = world.domain(zone);
        let domain = match zone {
            "open.test" => domain.unsigned(),
            _ => domain.signed(),
        };
        domain
            .record(zone, RecordType::MX, &format!("10 {host}."))
            .record(&host, RecordType::A, "192.0.2.1")
            .record(&host, RecordType::AAAA, "2001:db8::1")
            .record(&format!("_25._tcp.{host}"), RecordType::TLSA, "3 1 1 00")
            .add()?;
    }
    Ok(world)
}

fn config(world: &World, mode: Mode) -> Result<ResolverConfig, Failure> {
    Ok(ResolverConfig {
        mode,
        servers: vec![world.address().into()],
        trust_anchors: TrustAnchors::parse(&world.trust_anchor_dnskey()?)?,
        domain_insecure: Vec::new(),
        timeout: Duration::from_secs(5),
        cache_entries: 1000,
        sockets: 256,
    })
}

/// Of looking a domain up once with each resolver, as the end of a row.
fn cost(runtime: &Runtime, world: &World, resolvers: &[Resolver], domain: &str) -> Result<String, Failure> {
    let domain = Domain::parse(domain)?;
    world.clear_queries();
    let mut walls = Vec::new();
    let before = cpu();
    for resolver in resolvers {
        let start = Instant::now();
        let found = runtime.block_on(destination(resolver, &domain));
        walls.push(start.elapsed().as_micros());
        if !found {
            return Err(format!("{domain} is not what it should be").into());
        }
    }
    let used = cpu()
        .zip(before)
        .map(|(now, before)| now.saturating_sub(before) / RUNS);
    let used = used.map_or_else(|| "?".to_owned(), |used| used.as_micros().to_string());
    walls.sort_unstable();
    let wall = walls.get(walls.len() / 2).copied().unwrap_or_default();
    let questions = world.queries().len() / resolvers.len();
    Ok(format!("{wall} | {used} | {questions}"))
}

/// Looks everything up that a delivery needs; whether all of it is there, and as secure as its TLSA records say.
async fn destination(resolver: &Resolver, domain: &Domain) -> bool {
    let MxFinding::Records { security, .. } = dns::mx::discover(resolver, domain).await else {
        return false;
    };
    let Ok(host) = Domain::parse(&format!("mx.{domain}")) else {
        return false;
    };
    let (question, family) = (TlsaQuestion::Ask, AddressFamily::Any);
    let findings = dns::host::discover(resolver, &host, 25, question, family).await;
    match security {
        Security::Secure => matches!(findings.tlsa, Tlsa::Found { .. }),
        Security::Insecure => matches!(findings.tlsa, Tlsa::NotAsked),
    }
}

/// The CPU time of this thread so far, where the system tells.
fn cpu() -> Option<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds = text.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}
