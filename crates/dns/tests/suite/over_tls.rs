//! Servers over TLS: asked only if they are who they should be, and then over a connection that is kept.

use std::sync::Arc;
use std::time::Duration;

use crate::common::{MODES, Scene, domain, world};
use dns::self_test::{self, Names};
use dns::{Mode, Server, TlsServer};
use mail::Security;
use rustls::RootCertStore;
use testworld::dns::{DnsFault, Transport};
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

/// The world, and a server over TLS with this name in front of it.
async fn scene() -> (Scene, Ca, testworld::dns::TlsServer) {
    let (world, ca) = (world().await, Ca::new("CA").unwrap());
    let identity = ca.issue(&[NAME]).unwrap();
    let server = world.server_over_tls(&identity).await.unwrap();
    (world, ca, server)
}

#[tokio::test]
async fn all_questions_share_one_verified_connection() {
    let (world, ca, server) = scene().await;
    for (mode, handshakes) in [(Mode::Validate, 1), (Mode::TrustAd, 2)] {
        world.serves(mode);
        let resolver = world.asking(mode, [over_tls(&ca, &server)]);
        let lines = "mx.secure.test      A -> secure records
                     nothing.hashed.test A -> secure nxdomain
                     mx.insecure.test    A -> insecure records
                     mx.bogus.test       A -> failed bogus";
        resolver.tells(lines).await;
        let (first, second) = (domain("a.wild.secure.test"), domain("b.wild.secure.test"));
        let both = futures_util::future::join(resolver.a(&first), resolver.a(&second)).await;
        assert_eq!(both.0.unwrap().security, Security::Secure);
        assert_eq!(both.1.unwrap().security, Security::Secure);
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
        for mode in MODES {
            world.serves(mode);
            let resolver = world.asking(mode, [over_tls(&ca, &server)]).called(words);
            resolver.tells("mx.insecure.test A -> failed").await;
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
    let (world, ca, server) = scene().await;
    let resolver = world.asking(Mode::Validate, [over_tls(&ca, &server)]);
    resolver.tells("mx.secure.test A -> secure records").await;
    server.hang_up();
    resolver.tells("mx.hashed.test A -> secure records").await;
    assert_eq!(world.handshakes(), 2);
}

#[tokio::test]
async fn a_server_that_hears_and_never_answers_leaves_time_for_the_next() {
    let (world, ca, server) = scene().await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut dead = over_tls(&ca, &server);
    if let Server::Tls(server) = &mut dead {
        server.address = silent.local_addr().unwrap();
    }
    let resolver = world.asking(Mode::Validate, [dead, over_tls(&ca, &server)]);
    resolver.tells("mx.secure.test A -> secure records").await;
}

#[tokio::test]
async fn a_slow_answer_over_an_open_connection_is_waited_for() {
    let (world, ca, server) = scene().await;
    let resolver = world.asking(Mode::Validate, [over_tls(&ca, &server)]);
    resolver.tells("mx.secure.test A -> secure records").await;
    // More than half of the two seconds that the only server has.
    let slow = DnsFault::Delay(Duration::from_millis(1200));
    world.breaks("_25._tcp.mx.secure.test TLSA", slow);
    resolver
        .tells("_25._tcp.mx.secure.test TLSA -> secure records")
        .await;
}
