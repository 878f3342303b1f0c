//! In trust-ad mode evidence belongs to the server that gave it, and to the time when it was given.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::common::{MODES, Scene, dead_server, domain, fail, world};
use dns::Mode;
use dns::self_test::{Fault, Names, run};
use futures_util::future::join_all;
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::DNSClass;
use hickory_proto::rr::rdata::OPT;
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use testworld::dns::Role;
use tokio::net::UdpSocket;

/// A server over the same world that does not validate and leaves out all signatures.
async fn plain(world: &Scene) -> SocketAddr {
    let strip = |_: &_, message: &mut Message| {
        message.metadata.authentic_data = false;
        for section in [&mut message.answers, &mut message.authorities] {
            section.retain(|record| !record.record_type().is_dnssec());
        }
    };
    world.forger(strip).await
}

/// A validating server over the world that can be told to fall silent.
async fn mortal(world: &Scene) -> (SocketAddr, Arc<AtomicBool>) {
    world.set_role(Role::Validator);
    let (held, address) = dead_server().await;
    drop(held);
    let is_silent = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&is_silent);
    let answer = move |_: &Message, reply| (!told.load(Ordering::Relaxed)).then_some(reply);
    relay_to(world.address(), address, answer).await;
    (address, is_silent)
}

#[tokio::test]
async fn the_second_server_is_not_believed_for_what_the_first_has_shown() {
    let world = world().await;
    let (first, is_silent) = mortal(&world).await;
    let resolver = world.asking(Mode::TrustAd, [first, plain(&world).await]);
    let lines = "mx.secure.test   A -> secure records
                 mx.insecure.test A -> insecure records";
    resolver.tells(lines).await;
    is_silent.store(true, Ordering::Relaxed);
    let lines = "_25._tcp.mx.secure.test TLSA -> failed indeterminate
                 deep.ent.insecure.test  A    -> failed indeterminate";
    resolver.tells(lines).await;
}

#[tokio::test]
async fn a_server_that_was_silent_during_the_test_has_shown_nothing() {
    let world = world().await;
    let (first, is_silent) = mortal(&world).await;
    let (held, second) = dead_server().await;
    let resolver = world.asking(Mode::TrustAd, [first, second]);
    assert_eq!(run(&resolver, &Names::default()).await, Ok(()));
    drop(held);
    relay_to(plain(&world).await, second, |_, reply| Some(reply)).await;
    is_silent.store(true, Ordering::Relaxed);
    let lines = "mx.secure.test A -> failed indeterminate";
    resolver.tells(lines).await;
}

#[tokio::test]
async fn a_server_that_ceases_to_validate_is_found_out_by_the_first_answer_that_needs_it() {
    let world = world().await;
    world.set_ttl(3600);
    let resolver = world.resolver(Mode::TrustAd);
    assert_eq!(run(&resolver, &Names::default()).await, Ok(()));
    let before = "mx.secure.test    A -> secure records
                  mx.insecure.test  A -> insecure records
                  no.insecure.test  A -> insecure nxdomain";
    resolver.tells(before).await;
    resolver.tells(before).await;
    assert_eq!(world.count("mx.insecure.test A"), 1, "it was kept");

    world.set_role(Role::Forwarder);
    let after = "_25._tcp.mx.secure.test TLSA -> failed indeterminate
                 mx.secure.test          AAAA -> failed indeterminate
                 mx.hashed.test          A    -> failed indeterminate
                 nothing.secure.test     A    -> failed indeterminate";
    resolver.tells(after).await;
    // What was kept of it went with the belief.
    let kept = "mx.insecure.test A -> failed indeterminate
                mx.secure.test   A -> failed indeterminate";
    resolver.tells(kept).await;
    let soon = std::time::Duration::from_secs(1);
    let doubt = tokio::time::timeout(soon, resolver.doubted()).await;
    assert!(doubt.is_ok(), "a self-test is called for");

    // And it is believed again as soon as it shows what it could before.
    world.set_role(Role::Validator);
    let again = "deep.ent.secure.test   A -> secure records
                 deep.ent.insecure.test A -> insecure records";
    resolver.tells(again).await;
}

#[tokio::test]
async fn one_alias_without_ad_is_as_good_as_its_proof() {
    let world = world().await;
    world.has("out.secure.test CNAME mx.insecure.test.");
    let resolver = world.resolver(Mode::TrustAd);
    resolver.tells("out.secure.test A -> insecure records").await;
    world.set_ttl(0);
    world.set_role(Role::Forwarder);
    world.has("again.secure.test CNAME mx.insecure.test.");
    resolver
        .tells("again.secure.test A -> failed indeterminate")
        .await;
}

#[tokio::test]
async fn a_bogus_answer_is_not_overruled_by_the_next_server() {
    let world = world().await;
    world.set_role(Role::Validator);
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    // It shows AD for the root and says that everything below is unsigned.
    let lax = world.forger(move |query, message| {
        if !query.name().is_root() {
            count.fetch_add(1, Ordering::Relaxed);
            message.metadata.response_code = ResponseCode::NoError;
            message.metadata.authentic_data = false;
        }
    });
    let resolver = world.asking(Mode::TrustAd, [world.address(), lax.await]);
    let lines = "mx.bogus.test     A -> failed bogus
                 mx.expired.test   A -> failed bogus
                 mx.mismatch.test  A -> failed bogus";
    resolver.tells(lines).await;
    assert_eq!(asked.load(Ordering::Relaxed), 0, "the second was asked");
}

#[tokio::test]
async fn servfail_of_a_server_that_validates_is_not_overruled_by_the_next() {
    let world = world().await;
    world.set_role(Role::Validator);
    // It refuses with CD set, too, and does not say why: what it has found may be bogus.
    let strict = world.forger(|query, message| {
        if query.name().to_ascii().ends_with("bogus.test.") {
            fail(message, ResponseCode::ServFail);
            say(message, None);
        }
    });
    let lax = world.forger(|query, message| {
        if !query.name().is_root() {
            message.metadata.response_code = ResponseCode::NoError;
            message.metadata.authentic_data = false;
        }
    });
    let resolver = world.asking(Mode::TrustAd, [strict.await, lax.await]);
    let lines = "mx.bogus.test  A -> failed servfail
                 mx.secure.test A -> secure records";
    resolver.tells(lines).await;
}

/// Puts an extended error (RFC 8914) in the place of those that a message has.
fn say(message: &mut Message, code: Option<u16>) {
    let options = code.map(|code| {
        (
            EdnsCode::Unknown(15),
            EdnsOption::Unknown(15, code.to_be_bytes().to_vec()),
        )
    });
    if let Some(edns) = &mut message.edns {
        *edns.options_mut() = OPT::new(options.into_iter().collect());
    }
}

#[tokio::test]
async fn an_outage_of_one_server_is_made_good_by_the_next() {
    let world = world().await;
    world.set_role(Role::Validator);
    // No reachable authority.
    let lame = world.forger(|query, message| {
        if !query.name().is_root() {
            fail(message, ResponseCode::ServFail);
            say(message, Some(22));
        }
    });
    let resolver = world.asking(Mode::TrustAd, [lame.await, world.address()]);
    let lines = "mx.secure.test   A -> secure records
                 mx.insecure.test A -> insecure records
                 mx.bogus.test    A -> failed bogus";
    resolver.tells(lines).await;
}

#[tokio::test]
async fn who_asks_to_tell_bogus_from_an_outage_asks_the_server_that_refused() {
    let world = world().await;
    world.set_role(Role::Validator);
    // Nothing comes when it is asked not to validate: it may be either, and nobody else decides.
    let (held, address) = dead_server().await;
    drop(held);
    relay_to(world.address(), address, |question, mut reply| {
        if question.metadata.checking_disabled {
            return None;
        }
        if let Some(edns) = &mut reply.edns {
            *edns.options_mut() = OPT::new(Vec::new());
        }
        Some(reply)
    })
    .await;
    let resolver = world.asking(Mode::TrustAd, [address, plain(&world).await]);
    resolver.tells("mx.bogus.test A -> failed servfail").await;
}

#[tokio::test]
async fn records_of_another_class_are_no_answer() {
    let world = world().await;
    for mode in MODES {
        let resolver = world
            .behind(mode, |query, message| {
                if !query.name().is_root() {
                    for record in &mut message.answers {
                        record.dns_class = DNSClass::CH;
                    }
                }
            })
            .await;
        resolver.tells("mx.secure.test A -> failed malformed").await;
        resolver.tells("mx.insecure.test A -> failed malformed").await;
    }
}

#[tokio::test]
async fn records_at_a_name_that_is_said_not_to_exist_are_no_answer() {
    let world = world().await;
    let resolver = world
        .behind(Mode::TrustAd, |query, message| {
            if !query.name().is_root() {
                message.metadata.response_code = ResponseCode::NXDomain;
            }
        })
        .await;
    resolver.tells("mx.secure.test A -> failed malformed").await;
}

/// Answers as `server` does, at `address`, but for what `change` makes of question and answer, which may be nothing.
async fn relay_to(
    server: SocketAddr,
    address: SocketAddr,
    change: impl Fn(&Message, Message) -> Option<Message> + Send + 'static,
) {
    let front = UdpSocket::bind(address).await.unwrap();
    let behind = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    behind.connect(server).await.unwrap();
    tokio::spawn(async move {
        let mut buffer = vec![0; 4096];
        loop {
            let (length, peer) = front.recv_from(&mut buffer).await.unwrap();
            let question = Message::from_vec(&buffer[..length]).unwrap();
            behind.send(&buffer[..length]).await.unwrap();
            let length = behind.recv(&mut buffer).await.unwrap();
            let reply = Message::from_vec(&buffer[..length]).unwrap();
            if let Some(reply) = change(&question, reply) {
                front.send_to(&reply.to_vec().unwrap(), peer).await.unwrap();
            }
        }
    });
}

#[tokio::test]
async fn a_server_that_copies_the_ad_bit_of_questions_shows_nothing() {
    let world = world().await;
    let (held, address) = dead_server().await;
    drop(held);
    relay_to(world.address(), address, |question, mut reply| {
        reply.metadata.authentic_data = question.metadata.authentic_data;
        Some(reply)
    })
    .await;
    let resolver = world.asking(Mode::TrustAd, [address]);
    resolver.tells("mx.secure.test A -> failed indeterminate").await;
    let found = run(&resolver, &Names::default()).await;
    assert_eq!(found, Err(Fault::NotValidating));
}

#[tokio::test]
async fn the_proof_is_asked_for_only_where_it_is_needed_and_shared() {
    let world = world().await;
    world.set_ttl(3600);
    let resolver = world.resolver(Mode::TrustAd);
    let proofs = || world.count(". SOA");
    for _ in 0..3 {
        let lines = "mx.secure.test      A    -> secure records
                     mx.secure.test      AAAA -> secure nodata
                     nothing.secure.test A    -> secure nxdomain";
        resolver.tells(lines).await;
    }
    assert_eq!(proofs(), 1, "what is secure proves itself");
    resolver.tells("mx.insecure.test A -> insecure records").await;
    assert_eq!(proofs(), 2);
    resolver.tells("mx.insecure.test A -> insecure records").await;
    assert_eq!(proofs(), 2, "it is kept");

    let names: Vec<_> = (0..100)
        .map(|number| domain(&format!("n{number}.insecure.test")))
        .collect();
    let found = join_all(names.iter().map(|name| resolver.a(name))).await;
    assert!(found.into_iter().all(|answer| answer.is_ok()));
    assert!(proofs() < 60, "{} proofs for 100 answers at once", proofs());
}

#[tokio::test]
async fn each_server_is_tested_and_those_that_validate_are_asked() {
    let world = world().await;
    world.set_role(Role::Validator);
    let plain = plain(&world).await;
    let resolver = world.asking(Mode::TrustAd, [plain, world.address()]);
    let found = run(&resolver, &Names::default()).await.unwrap_err();
    let words = found.to_string();
    assert!(words.starts_with(&plain.to_string()), "{words}");
    assert!(words.ends_with("its answers are not used"), "{words}");
    let lines = "mx.secure.test   A -> secure records
                 mx.insecure.test A -> insecure records";
    resolver.tells(lines).await;
    // One that vouches for everything is found out by a name that is broken, and only its own answers go.
    let liar = world.forger(|_, message| {
        message.metadata.authentic_data = true;
        message.metadata.response_code = ResponseCode::NoError;
    });
    let resolver = world.asking(Mode::TrustAd, [liar.await, world.address()]);
    let names = Names {
        secure: vec![domain("secure.test")],
        bogus: vec![domain("bogus.test")],
    };
    let found = run(&resolver, &names).await.unwrap_err();
    assert!(found.to_string().contains("broken on purpose"), "{found}");
    resolver.tells("mx.bogus.test A -> failed bogus").await;
    resolver.tells("mx.secure.test A -> secure records").await;
}

#[tokio::test]
async fn without_servers_look_ups_fail_until_there_are_some() {
    let world = world().await;
    for mode in MODES {
        world.serves(mode);
        let none: [SocketAddr; 0] = [];
        let resolver = world.asking(mode, none);
        let failure = resolver.a(&domain("mx.secure.test")).await.unwrap_err();
        let reason = failure.reason().unwrap().to_string();
        assert_eq!(reason, "our own resolver fails: no DNS server is known");
        assert_eq!(run(&resolver, &Names::default()).await, Err(Fault::NoServers));
        resolver.set_servers(mode, vec![world.address().into()]).unwrap();
        resolver.tells("mx.secure.test A -> secure records").await;
        let lines = "mx.hashed.test A -> secure records";
        resolver.tells(lines).await;
        // What others said is not kept.
        resolver
            .set_servers(mode, vec![dead_server().await.1.into()])
            .unwrap();
        let told = resolver.ask("mx.secure.test A").await;
        assert!(told.starts_with("failed "), "{told}");
    }
}

#[tokio::test]
async fn names_kept_broken_that_are_gone_show_nothing() {
    let world = world().await;
    let names = Names {
        secure: Vec::new(),
        bogus: vec![domain("gone.test"), domain("gone.secure.test")],
    };
    for resolver in world.resolvers() {
        assert_eq!(run(&resolver, &names).await, Ok(()), "{:?}", resolver.mode());
    }
}
