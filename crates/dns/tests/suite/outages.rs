//! What outages, middleboxes and wrong settings do: failures, each by its right name, and never an unsigned zone.

use std::net::SocketAddr;
use std::time::Duration;

use crate::common::{Client, MODES, config, dead_server, domain, fail, world};
use dns::mx::MxFinding;
use dns::{Mode, ResolverConfig};
use hickory_proto::dnssec::rdata::{DNSSECRData, RRSIG};
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::NS;
use hickory_proto::rr::{Name, RData, Record, RecordType};
use testworld::dns::{DnsFault, Questions};

#[tokio::test]
async fn an_upstream_that_strips_dnssec_makes_everything_fail_and_nothing_insecure() {
    let world = world().await;
    let resolver = world.resolver(Mode::Validate);
    world.breaks_below(".", DnsFault::StripDnssec);
    for zone in ["secure.test", "insecure.test", "hashed.test", "optout.test"] {
        let lines = format!("mx.{zone} A -> failed\nmx.{zone} AAAA -> failed");
        resolver.tells(&lines).await;
    }
}

#[tokio::test]
async fn keys_that_cannot_be_fetched_leave_the_answer_undecided() {
    let world = world().await;
    let resolver = world.asking(Mode::Validate, [world.address()]);
    for (fault, missing) in [
        (DnsFault::ServFail, "secure.test DNSKEY"),
        (DnsFault::Silence, "secure.test DNSKEY"),
        (DnsFault::ServFail, "secure.test DS"),
    ] {
        world.breaks(missing, fault);
        resolver.flush(&domain("secure.test"));
        let lines = "mx.secure.test A -> failed indeterminate
                     mx.hashed.test A -> secure records";
        resolver.tells(lines).await;
        world.mends(missing);
    }
    // The unsigned delegation itself cannot be proved.
    world.breaks("insecure.test DS", DnsFault::ServFail);
    resolver.tells("mx.insecure.test A -> failed indeterminate").await;
}

#[tokio::test]
async fn zones_that_do_not_answer_ns_questions_are_no_problem() {
    let world = world().await;
    for question in ["secure.test NS", "insecure.test NS", "mx.insecure.test NS"] {
        world.breaks(question, DnsFault::Silence);
    }
    let resolver = world.resolver(Mode::Validate);
    let lines = "mx.insecure.test A -> insecure records
                 mx.secure.test   A -> secure records";
    resolver.tells(lines).await;
}

#[tokio::test]
async fn a_wrong_nxdomain_for_an_empty_name_is_not_believed() {
    let world = world().await;
    let resolver = world.resolver(Mode::Validate);
    let empty = Questions::At("ent.secure.test".to_owned());
    world.break_dns(&empty, DnsFault::NxDomain).unwrap();
    resolver.tells("ent.secure.test A -> failed bogus").await;
}

#[tokio::test]
async fn one_wrong_bit_in_a_signature_is_bogus() {
    let world = world().await;
    let resolver = world.resolver(Mode::Validate);
    world.breaks("mx.secure.test A", DnsFault::BadSignature);
    let lines = "mx.secure.test A    -> failed bogus
                 mx.secure.test AAAA -> secure nodata";
    resolver.tells(lines).await;
}

#[tokio::test]
async fn truncated_answers_are_asked_for_again_over_tcp_also_with_dead_servers_around() {
    let world = world().await;
    world.breaks_below(".", DnsFault::Truncate);
    let (_held, dead) = dead_server().await;
    let live = world.address();
    let lists: [&[SocketAddr]; 7] = [
        &[live],
        &[live, live, dead],
        &[live, dead, live],
        &[live, live],
        &[live, dead],
        &[dead, live],
        &[dead, live, dead],
    ];
    for servers in lists {
        let asked = servers.iter().map(|server| (*server).into()).collect();
        let resolver = world.validator(|config| config.servers = asked);
        let resolver = resolver.called(&format!("{servers:?}"));
        resolver
            .tells("_25._tcp.mx.secure.test TLSA -> secure records")
            .await;
    }
}

#[tokio::test]
async fn another_trust_anchor_makes_nothing_insecure() {
    let (world, other) = (world().await, world().await);
    let resolver = world.anchored(&other.trust_anchor_ds().unwrap());
    let lines = "mx.secure.test   A -> failed bogus
                 mx.insecure.test A -> failed bogus";
    resolver.tells(lines).await;
}

#[tokio::test]
async fn either_form_of_a_trust_anchor_will_do() {
    let world = world().await;
    for anchor in [world.trust_anchor_dnskey(), world.trust_anchor_ds()] {
        let resolver = world.anchored(&anchor.unwrap());
        resolver.tells("mx.secure.test A -> secure records").await;
    }
}

#[tokio::test]
async fn of_several_trust_anchors_one_that_fits_is_enough() {
    let (world, other) = (world().await, world().await);
    for (first, second) in [
        (other.trust_anchor_ds(), world.trust_anchor_ds()),
        (world.trust_anchor_dnskey(), other.trust_anchor_ds()),
        (other.trust_anchor_dnskey(), world.trust_anchor_dnskey()),
    ] {
        let resolver = world.anchored(&(first.unwrap() + &second.unwrap()));
        resolver.tells("mx.secure.test A -> secure records").await;
    }
}

#[tokio::test]
async fn outside_the_anchored_zone_nothing_is_secure() {
    let world = world().await;
    let key = &world.keys("secure.test").await[0];
    let resolver = world.anchored(&format!("secure.test. IN DNSKEY {key}"));
    let lines = "mx.secure.test A -> secure records
                 mx.hashed.test A -> insecure records";
    resolver.tells(lines).await;
}

#[tokio::test]
async fn a_truncated_answer_without_tcp_is_a_failure_and_no_absence() {
    let world = world().await;
    let udp = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let server = udp.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 4096];
        loop {
            let (length, peer) = udp.recv_from(&mut buffer).await.unwrap();
            // The query itself, as an answer that is cut off.
            buffer[2] |= 0x82;
            udp.send_to(&buffer[..length], peer).await.unwrap();
        }
    });
    for mode in MODES {
        let resolver = Client::new(ResolverConfig {
            servers: vec![server.into()],
            timeout: Duration::from_secs(1),
            ..config(&world, mode)
        });
        resolver.tells("_25._tcp.mx.secure.test TLSA -> failed").await;
    }
}

#[tokio::test]
async fn a_server_that_refuses_edns_makes_nothing_insecure() {
    let world = world().await;
    let resolver = world.behind(Mode::Validate, |_, message| {
        fail(message, ResponseCode::FormErr);
        message.edns = None;
    });
    let lines = "mx.secure.test   A -> failed
                 mx.insecure.test A -> failed";
    resolver.await.tells(lines).await;
}

/// The same signature with another octet in it.
fn spoiled(record: &Record) -> Option<Record> {
    let RData::DNSSEC(DNSSECRData::RRSIG(rrsig)) = &record.data else {
        return None;
    };
    let mut octets = rrsig.sig().to_vec();
    octets[9] ^= 1;
    let data = RData::DNSSEC(DNSSECRData::RRSIG(RRSIG::from_sig(rrsig.input().clone(), octets)));
    Some(Record::from_rdata(record.name.clone(), record.ttl, data))
}

#[tokio::test]
async fn one_good_signature_is_enough() {
    let world = world().await;
    let resolver = world.behind(Mode::Validate, |_, message| {
        for section in [&mut message.answers, &mut message.authorities] {
            let junk: Vec<Record> = section.iter().filter_map(spoiled).collect();
            section.splice(0..0, junk);
        }
    });
    let lines = "mx.secure.test       A    -> secure records
                 mx.hashed.test       AAAA -> secure nodata
                 any.wild.secure.test A    -> secure records
                 mx.insecure.test     A    -> insecure records";
    resolver.await.tells(lines).await;
}

#[tokio::test]
async fn where_we_validate_the_ad_bit_of_others_has_no_effect() {
    let world = world().await;
    let claim = world.behind(Mode::Validate, |_, message| {
        message.metadata.authentic_data = true;
    });
    let lines = "mx.bogus.test    A -> failed bogus
                 mx.insecure.test A -> insecure records
                 mx.secure.test   A -> secure records";
    claim.await.tells(lines).await;
}

#[tokio::test]
async fn a_referral_is_no_absence_and_another_server_is_asked() {
    let world = world().await;
    let ns = |owner: &str| {
        let server = Name::from_ascii("ns.elsewhere.test.").unwrap();
        Record::from_rdata(Name::from_ascii(owner).unwrap(), 300, RData::NS(NS(server)))
    };
    for good in world.resolvers() {
        // Down to the zone itself, and up to the root as lame servers did.
        for owner in ["insecure.test.", "."] {
            let referral = ns(owner);
            let lame = world.forger(move |query, message| {
                if query.name().to_ascii().ends_with("insecure.test.") && query.query_type() != RecordType::DS
                {
                    message.answers.clear();
                    message.authorities = vec![referral.clone()];
                }
            });
            let lame = lame.await;
            let alone = world.asking(good.mode(), [lame]).called(owner);
            let second = world.asking(good.mode(), [lame, world.address()]).called(owner);
            for question in ["insecure.test MX", "mx.insecure.test A", "mx.insecure.test AAAA"] {
                let told = good.ask(question).await;
                alone.tells(&format!("{question} -> failed malformed")).await;
                second.tells(&format!("{question} -> {told}")).await;
            }
            let found = dns::mx::discover(&alone, &domain("insecure.test")).await;
            assert!(matches!(found, MxFinding::Failed(_)), "{found:?}");
        }
    }
}

#[tokio::test]
async fn an_empty_answer_with_neither_soa_nor_ns_is_an_absence() {
    let world = world().await;
    let soa = world.genuine("insecure.test SOA").await.answers;
    let ns = world.genuine("insecure.test NS").await.answers;
    assert!(!soa.is_empty() && !ns.is_empty());
    for authorities in [Vec::new(), [soa, ns].concat()] {
        let lie = move |message: &mut Message| {
            message.answers.clear();
            message.authorities.clone_from(&authorities);
        };
        let resolver = world.lied_to("insecure.test MX", lie).await;
        resolver.tells("insecure.test MX -> insecure nodata").await;
    }
}

#[tokio::test]
async fn where_one_server_refuses_the_next_is_asked() {
    let world = world().await;
    for code in [
        ResponseCode::Refused,
        ResponseCode::ServFail,
        ResponseCode::NotImp,
    ] {
        let lame = world.forger(move |_, message| fail(message, code)).await;
        let resolver = world.asking(Mode::Validate, [lame, world.address()]);
        let resolver = resolver.called(&code.to_string());
        resolver.tells("mx.secure.test A -> secure records").await;
    }
}
