//! What is asked, which replies are taken, and how long they are kept.

use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::common::{FORGED, MODES, Scene, domain, world};
use dns::Mode;
use dns::host::{AddressFamily, TlsaQuestion};
use hickory_proto::op::Message;
use hickory_proto::rr::{Name, RData, RecordType};
use jiff::Timestamp;
use testworld::dns::DnsFault;
use tokio::net::UdpSocket;
use tokio::time::sleep;

/// The questions that came, each with where it came from.
type Seen = Arc<Mutex<Vec<(Message, SocketAddr)>>>;

/// A reply, and whether it comes from where it was expected.
type Reply = (Message, bool);

/// A server in front of the world that keeps what it is asked and replies what `replies` makes of the true answer.
async fn tap(
    world: &Scene,
    replies: impl Fn(Message) -> Vec<Reply> + Send + Sync + 'static,
) -> (SocketAddr, Seen) {
    let front = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let elsewhere = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let behind = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    behind.connect(world.address()).await.unwrap();
    let address = front.local_addr().unwrap();
    let seen = Seen::default();
    let kept = Arc::clone(&seen);
    tokio::spawn(async move {
        let mut buffer = vec![0; 4096];
        loop {
            let (length, peer) = front.recv_from(&mut buffer).await.unwrap();
            let question = Message::from_vec(&buffer[..length]).unwrap();
            kept.lock().push((question, peer));
            behind.send(&buffer[..length]).await.unwrap();
            let length = behind.recv(&mut buffer).await.unwrap();
            for (reply, is_expected) in replies(Message::from_vec(&buffer[..length]).unwrap()) {
                let socket = if is_expected { &front } else { &elsewhere };
                socket.send_to(&reply.to_vec().unwrap(), peer).await.unwrap();
            }
        }
    });
    (address, seen)
}

#[tokio::test]
async fn every_question_wants_dnssec_and_fits_through_any_path() {
    let world = world().await;
    for mode in MODES {
        let (server, seen) = tap(&world, |answer| vec![(answer, true)]).await;
        world.serves(mode);
        let resolver = world.asking(mode, [server]);
        let host = domain("mx.secure.test");
        dns::mx::discover(&resolver, &domain("secure.test")).await;
        dns::host::discover(&resolver, &host, 25, TlsaQuestion::Ask, AddressFamily::Any).await;
        let seen = seen.lock();
        let asked: Vec<RecordType> = seen
            .iter()
            .map(|(message, _)| message.queries[0].query_type())
            .collect();
        for record_type in [RecordType::MX, RecordType::A, RecordType::AAAA, RecordType::TLSA] {
            assert!(asked.contains(&record_type), "{record_type} {mode:?}");
        }
        for (message, _) in &*seen {
            let edns = message.edns.as_ref().expect("an OPT record");
            let (metadata, query) = (&message.metadata, &message.queries[0]);
            assert_eq!(message.queries.len(), 1);
            assert_eq!(edns.max_payload(), 1232, "{query}");
            assert!(edns.flags().dnssec_ok && metadata.recursion_desired, "{query}");
            let (believes, unchecked) = (metadata.authentic_data, metadata.checking_disabled);
            // By whoever only copies the bit nothing would be shown.
            assert_eq!((believes, unchecked), (false, mode == Mode::Validate), "{query}");
            // No name but those of the destination, as they are: nothing is appended, no ancestor of the TLSA name is probed.
            let name = query.name().to_ascii();
            let known = [
                ".",
                "test.",
                "secure.test.",
                "mx.secure.test.",
                "_25._tcp.mx.secure.test.",
            ];
            assert!(known.contains(&name.as_str()), "{query}");
        }
    }
}

#[tokio::test]
async fn ids_and_ports_are_not_to_be_guessed() {
    const QUESTIONS: usize = 100;
    let world = world().await;
    let (server, seen) = tap(&world, |answer| vec![(answer, true)]).await;
    world.serves(Mode::TrustAd);
    let resolver = world.asking(Mode::TrustAd, [server]);
    for number in 0..QUESTIONS {
        resolver.ask(&format!("n{number}.secure.test A")).await;
    }
    let seen = seen.lock();
    let ids: Vec<u16> = seen.iter().map(|(message, _)| message.metadata.id).collect();
    let ports: Vec<u16> = seen.iter().map(|(_, peer)| peer.port()).collect();
    for values in [ids, ports] {
        assert!(values.len() >= QUESTIONS);
        let distinct: BTreeSet<_> = values.iter().collect();
        assert!(distinct.len() > QUESTIONS * 9 / 10, "{values:?}");
        let steps: BTreeSet<_> = values
            .windows(2)
            .map(|pair| pair[1].wrapping_sub(pair[0]))
            .collect();
        assert!(steps.len() > QUESTIONS * 3 / 4, "{values:?}");
        let upper = values.iter().filter(|value| **value > 0xBFFF).count();
        assert!(upper > 0 && upper < values.len(), "{values:?}");
    }
}

/// The answer with another address in it, vouched for.
fn forged(answer: &Message) -> Message {
    let mut forged = answer.clone();
    forged.metadata.authentic_data = true;
    for record in &mut forged.answers {
        if let RData::A(_) = record.data {
            record.data = RData::A(FORGED.parse().unwrap());
        }
    }
    forged
}

/// Makes a forgery not fit; the name is another than the one asked about.
type Spoil = fn(&mut Message, &Name);

#[tokio::test]
async fn a_reply_to_another_question_is_not_taken() {
    let other = Name::from_ascii("other.secure.test.").unwrap();
    let world = world().await;
    world.serves(Mode::TrustAd);
    let spoils: [(&str, Spoil); 4] = [
        ("id", |message, _| message.metadata.id ^= 1),
        ("name", |message, other| {
            message.queries[0].set_name(other.clone());
        }),
        ("type", |message, _| {
            message.queries[0].set_query_type(RecordType::AAAA);
        }),
        ("port", |_, _| {}),
    ];
    for (kind, spoil) in spoils {
        let other = other.clone();
        let (server, _seen) = tap(&world, move |answer| {
            if answer.queries[0].query_type() != RecordType::A {
                return vec![(answer, true)];
            }
            let mut forgery = forged(&answer);
            spoil(&mut forgery, &other);
            vec![(forgery, kind != "port"), (answer, true)]
        })
        .await;
        let resolver = world.asking(Mode::TrustAd, [server]);
        let told = resolver.text("mx.secure.test", "A").await.unwrap();
        assert_eq!(told.unwrap().records(), ["192.0.2.1"], "{kind}");
    }
}

#[tokio::test]
async fn replies_need_not_repeat_that_dnssec_was_asked_for() {
    let world = world().await;
    for mode in MODES {
        for is_without_opt in [false, true] {
            let resolver = world.behind(mode, move |_, message| {
                if let Some(edns) = &mut message.edns {
                    edns.set_dnssec_ok(false);
                }
                if is_without_opt {
                    message.edns = None;
                }
            });
            resolver.await.tells("mx.secure.test A -> secure records").await;
        }
    }
}

#[tokio::test]
async fn what_is_not_in_dns_is_not_asked_about() {
    let world = world().await;
    world.has("xn--bcher-kva.secure.test A 192.0.2.8");
    for resolver in world.resolvers() {
        let mode = resolver.mode();
        world.clear_queries();
        for name in ["mail.Onion", "localhost", "a.Localhost", "mx.invalid"] {
            let lines = format!("{name} MX -> insecure nxdomain\n{name} A -> insecure nxdomain");
            resolver.tells(&lines).await;
            let answer = resolver.text(name, "A").await.unwrap().unwrap();
            assert_eq!(answer.ttl, 0, "nobody said how long");
        }
        let idn = resolver.a(&domain("bücher.secure.test")).await.unwrap();
        assert_eq!(idn.records().len(), 1);
        // A host that does not exist has no records either.
        let host = domain("nothing.secure.test");
        dns::host::discover(&resolver, &host, 25, TlsaQuestion::Ask, AddressFamily::Any).await;
        let asked = world.queries();
        for query in &asked {
            let name = query.name.to_ascii();
            let last = name.trim_end_matches('.').rsplit('.').next().unwrap();
            assert!(name.is_ascii(), "{name} {mode:?}");
            assert!(
                !["onion", "localhost", "invalid"].contains(&last),
                "{name} {mode:?}"
            );
            assert!(query.record_type != RecordType::TLSA, "{name} {mode:?}");
        }
        assert_eq!(world.count("xn--bcher-kva.secure.test A"), 1, "{asked:?}");
    }
}

#[tokio::test]
async fn a_secure_answer_says_what_the_zone_has_whatever_a_cache_has_left() {
    let world = world().await;
    world.set_ttl(3600);
    for mode in [Mode::Validate, Mode::TrustAd] {
        let resolver = world.resolver(mode);
        let now = Timestamp::now().as_second();
        let answer = resolver.mx(&domain("secure.test")).await.unwrap();
        let signed = answer.signed.clone().unwrap();
        assert_eq!(signed.original_ttl, 3600, "{mode:?}");
        assert!(signed.inception.as_second() < now && signed.expiration.as_second() > now);
        sleep(Duration::from_millis(1100)).await;
        let again = resolver.mx(&domain("secure.test")).await.unwrap();
        assert!(again.ttl < answer.ttl, "{} and {}", again.ttl, answer.ttl);
        assert_eq!(again.signed, answer.signed, "{mode:?}");
        for (name, words) in [
            ("mx.insecure.test", "unsigned"),
            ("nothing.secure.test", "absent"),
        ] {
            let answer = resolver.a(&domain(name)).await.unwrap();
            assert_eq!(answer.signed, None, "{words}, {mode:?}");
        }
    }
}

#[tokio::test]
async fn an_absence_is_kept_for_its_time_and_a_failure_for_seconds() {
    let world = world().await;
    world.set_ttl(2);
    let resolver = world.resolver(Mode::Validate);
    let owner = "_25._tcp.real.wild.secure.test TLSA";
    let absent = format!("{owner} -> secure nxdomain");
    resolver.tells(&absent).await;
    world.has(&format!("{owner} 3 1 1 00"));
    resolver.tells(&absent).await;
    sleep(Duration::from_millis(2100)).await;
    resolver.tells(&format!("{owner} -> secure records")).await;

    world.breaks("mx.secure.test A", DnsFault::ServFail);
    resolver.tells("mx.secure.test A -> failed servfail").await;
    world.mends("mx.secure.test A");
    resolver.tells("mx.secure.test A -> failed servfail").await;
    sleep(Duration::from_millis(5100)).await;
    resolver.tells("mx.secure.test A -> secure records").await;
}

#[tokio::test]
async fn the_lowest_of_unequal_times_counts() {
    let world = world().await;
    world.set_ttl(500);
    world.has("mx.secure.test A 192.0.2.5");
    for mode in MODES {
        let resolver = world.behind(mode, |query, message| {
            if query.query_type() == RecordType::A {
                message.answers[0].ttl = 5;
            }
        });
        let answer = resolver.await.a(&domain("mx.secure.test")).await.unwrap();
        assert_eq!(answer.records().len(), 2, "{mode:?}");
        assert!(answer.ttl <= 5, "{mode:?}: {}", answer.ttl);
    }
}

#[tokio::test]
async fn a_time_with_the_highest_bit_set_counts_as_none() {
    let world = world().await;
    for mode in MODES {
        let resolver = world.behind(mode, |query, message| {
            if query.query_type() == RecordType::A {
                for record in &mut message.answers {
                    record.ttl = 1 << 31;
                }
            }
        });
        let resolver = resolver.await;
        for (name, told) in [
            ("mx.secure.test", "secure records"),
            ("mx.insecure.test", "insecure records"),
        ] {
            for _ in 0..2 {
                resolver.tells(&format!("{name} A -> {told}")).await;
            }
            let answer = resolver.a(&domain(name)).await.unwrap();
            assert_eq!(answer.ttl, 0, "{name} {mode:?}");
        }
    }
}

#[tokio::test]
async fn no_name_at_all_is_not_the_root() {
    let world = world().await;
    let resolver = world.resolver(Mode::Validate);
    assert!(resolver.text("", "SOA").await.is_err());
    assert!(resolver.text(".", "SOA").await.unwrap().is_ok());
}
