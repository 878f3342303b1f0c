//! Servers over TLS: asked only if they are who they should be, and then over a connection that is kept.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{SECURE, ask, config, domain, world};
use dns::self_test::{self, Names};
use dns::{Mode, Resolver, ResolverConfig, Server, TlsServer};
use hickory_proto::rr::RecordType;
use rustls::RootCertStore;
use testworld::dns::{DnsFault, Questions, Role, Transport, World};
use testworld::mail::{Ca, Identity, Validity};

const NAME: &str = "dns.example";

fn over_tls(ca: &Ca, server: &testworld::dns::TlsServer) -> Server {
    let mut roots = RootCertStore::empty();
    roots.add(ca.certificate().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Server::Tls(TlsServer {
        address: server.address(),
        name: NAME.try_into().unwrap(),
        client: Arc::new(client),
    })
}

fn resolver(world: &World, mode: Mode, servers: Vec<Server>) -> Resolver {
    world.set_role(match mode {
        Mode::Validate => Role::Forwarder,
        Mode::TrustAd => Role::Validator,
    });
    Resolver::new(ResolverConfig {
        servers,
        timeout: Duration::from_secs(3),
        ..config(world, mode)
    })
    .unwrap()
}

#[tokio::test]
async fn all_questions_share_one_verified_connection() {
    let (world, ca) = (world().await, Ca::new("CA").unwrap());
    let server = world.server_over_tls(&ca.issue(&[NAME]).unwrap()).await.unwrap();
    for (mode, handshakes) in [(Mode::Validate, 1), (Mode::TrustAd, 2)] {
        let resolver = resolver(&world, mode, vec![over_tls(&ca, &server)]);
        for (name, told) in [
            ("mx.secure.test", "secure records"),
            ("nothing.hashed.test", "secure nxdomain"),
            ("mx.insecure.test", "insecure records"),
            ("mx.bogus.test", "failed bogus"),
        ] {
            assert_eq!(ask(&resolver, name, RecordType::A).await, told, "{name} {mode:?}");
        }
        let (first, second) = (domain("a.wild.secure.test"), domain("b.wild.secure.test"));
        let both = futures_util::future::join(resolver.a(&first), resolver.a(&second)).await;
        assert_eq!(both.0.unwrap().security, SECURE);
        assert_eq!(both.1.unwrap().security, SECURE);
        assert_eq!(world.handshakes(), handshakes);
    }
    let in_clear = world
        .queries()
        .iter()
        .any(|query| query.transport != Transport::Tls);
    assert!(!in_clear, "nothing is asked in clear");
}

#[tokio::test]
async fn a_server_that_is_not_who_it_should_be_is_not_asked_anything() {
    let (world, ca) = (world().await, Ca::new("CA").unwrap());
    let expired = Identity::builder(&[NAME]).validity(Validity::Expired);
    for (identity, words) in [
        (ca.issue(&["other.example"]).unwrap(), "not valid for name"),
        (
            Ca::new("Other CA").unwrap().issue(&[NAME]).unwrap(),
            "UnknownIssuer",
        ),
        (
            Identity::self_signed(&[NAME]).unwrap(),
            "invalid peer certificate",
        ),
        (expired.issue(&ca).unwrap(), "expired"),
    ] {
        let server = world.server_over_tls(&identity).await.unwrap();
        for mode in [Mode::Validate, Mode::TrustAd] {
            let resolver = resolver(&world, mode, vec![over_tls(&ca, &server)]);
            let told = ask(&resolver, "mx.insecure.test", RecordType::A).await;
            assert!(told.starts_with("failed"), "{words} {mode:?}: {told}");
            let nothing = Names {
                secure: Vec::new(),
                bogus: Vec::new(),
            };
            let fault = self_test::run(&resolver, &nothing).await.unwrap_err().to_string();
            assert!(
                fault.starts_with("no secure channel to the DNS server tls://dns.example@"),
                "{fault}"
            );
            assert!(fault.contains(words), "{fault}");
        }
    }
    assert_eq!(world.queries(), [], "neither over TLS nor in clear");
}

#[tokio::test]
async fn a_connection_that_the_server_closed_is_made_again() {
    let (world, ca) = (world().await, Ca::new("CA").unwrap());
    let identity = ca.issue(&[NAME]).unwrap();
    let server = world.server_over_tls(&identity).await.unwrap();
    let resolver = resolver(&world, Mode::Validate, vec![over_tls(&ca, &server)]);
    assert_eq!(
        ask(&resolver, "mx.secure.test", RecordType::A).await,
        "secure records"
    );
    server.hang_up();
    assert_eq!(
        ask(&resolver, "mx.hashed.test", RecordType::A).await,
        "secure records"
    );
    assert_eq!(world.handshakes(), 2);
}

#[tokio::test]
async fn a_server_that_hears_and_never_answers_leaves_time_for_the_next() {
    let (world, ca) = (world().await, Ca::new("CA").unwrap());
    let server = world.server_over_tls(&ca.issue(&[NAME]).unwrap()).await.unwrap();
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut dead = over_tls(&ca, &server);
    if let Server::Tls(server) = &mut dead {
        server.address = silent.local_addr().unwrap();
    }
    let resolver = resolver(&world, Mode::Validate, vec![dead, over_tls(&ca, &server)]);
    assert_eq!(
        ask(&resolver, "mx.secure.test", RecordType::A).await,
        "secure records"
    );
}

#[tokio::test]
async fn a_slow_answer_over_an_open_connection_is_waited_for() {
    let (world, ca) = (world().await, Ca::new("CA").unwrap());
    let server = world.server_over_tls(&ca.issue(&[NAME]).unwrap()).await.unwrap();
    let resolver = resolver(&world, Mode::Validate, vec![over_tls(&ca, &server)]);
    assert_eq!(
        ask(&resolver, "mx.secure.test", RecordType::A).await,
        "secure records"
    );
    // More than half of the two seconds that the only server has.
    let slow = Questions::Of("_25._tcp.mx.secure.test".to_owned(), RecordType::TLSA);
    world
        .break_dns(&slow, DnsFault::Delay(Duration::from_millis(1200)))
        .unwrap();
    assert_eq!(
        ask(&resolver, "_25._tcp.mx.secure.test", RecordType::TLSA).await,
        "secure records"
    );
}
