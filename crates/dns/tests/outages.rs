//! What outages, middleboxes and wrong settings do: failures, each by its right name, and never an unsigned zone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::net::SocketAddr;

use common::{ask, config, dead_server, domain, forger, genuine, resolver, validator_behind, world};
use dns::mx::MxFinding;
use dns::{Mode, Resolver, ResolverConfig, Server};
use hickory_proto::dnssec::rdata::{DNSSECRData, RRSIG};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::rdata::NS;
use hickory_proto::rr::{Name, RData, Record, RecordType};
use testworld::dns::{DnsFault, Questions};

#[tokio::test]
async fn an_upstream_that_strips_dnssec_makes_everything_fail_and_nothing_insecure() {
    let world = world().await;
    let resolver = resolver(&world, Mode::Validate);
    world
        .break_dns(&Questions::Below(".".to_owned()), DnsFault::StripDnssec)
        .unwrap();
    for zone in ["secure.test", "insecure.test", "hashed.test", "optout.test"] {
        for record_type in [RecordType::A, RecordType::AAAA] {
            let told = ask(&resolver, &format!("mx.{zone}"), record_type).await;
            assert!(told.starts_with("failed"), "{zone} {record_type}: {told}");
        }
    }
}

#[tokio::test]
async fn keys_that_cannot_be_fetched_leave_the_answer_undecided() {
    let world = world().await;
    let resolver = Resolver::new(ResolverConfig {
        timeout: std::time::Duration::from_secs(2),
        ..common::config(&world, Mode::Validate)
    })
    .unwrap();
    for (fault, missing) in [
        (DnsFault::ServFail, RecordType::DNSKEY),
        (DnsFault::Silence, RecordType::DNSKEY),
        (DnsFault::ServFail, RecordType::DS),
    ] {
        let questions = Questions::Of("secure.test".to_owned(), missing);
        world.break_dns(&questions, fault.clone()).unwrap();
        resolver.flush(&common::domain("secure.test"));
        let told = ask(&resolver, "mx.secure.test", RecordType::A).await;
        assert_eq!(told, "failed indeterminate", "{fault:?} {missing}");
        assert_eq!(
            ask(&resolver, "mx.hashed.test", RecordType::A).await,
            "secure records"
        );
        world.mend_dns(&questions).unwrap();
    }
    // The unsigned delegation itself cannot be proved.
    world
        .break_dns(
            &Questions::Of("insecure.test".to_owned(), RecordType::DS),
            DnsFault::ServFail,
        )
        .unwrap();
    assert_eq!(
        ask(&resolver, "mx.insecure.test", RecordType::A).await,
        "failed indeterminate"
    );
}

#[tokio::test]
async fn zones_that_do_not_answer_ns_questions_are_no_problem() {
    let world = world().await;
    for zone in ["secure.test", "insecure.test", "mx.insecure.test"] {
        world
            .break_dns(&Questions::Of(zone.to_owned(), RecordType::NS), DnsFault::Silence)
            .unwrap();
    }
    let resolver = resolver(&world, Mode::Validate);
    assert_eq!(
        ask(&resolver, "mx.insecure.test", RecordType::A).await,
        "insecure records"
    );
    assert_eq!(
        ask(&resolver, "mx.secure.test", RecordType::A).await,
        "secure records"
    );
}

#[tokio::test]
async fn a_wrong_nxdomain_for_an_empty_name_is_not_believed() {
    let world = world().await;
    let resolver = resolver(&world, Mode::Validate);
    world
        .break_dns(&Questions::At("ent.secure.test".to_owned()), DnsFault::NxDomain)
        .unwrap();
    assert_eq!(
        ask(&resolver, "ent.secure.test", RecordType::A).await,
        "failed bogus"
    );
}

#[tokio::test]
async fn one_wrong_bit_in_a_signature_is_bogus() {
    let world = world().await;
    let resolver = resolver(&world, Mode::Validate);
    world
        .break_dns(
            &Questions::Of("mx.secure.test".to_owned(), RecordType::A),
            DnsFault::BadSignature,
        )
        .unwrap();
    assert_eq!(
        ask(&resolver, "mx.secure.test", RecordType::A).await,
        "failed bogus"
    );
    assert_eq!(
        ask(&resolver, "mx.secure.test", RecordType::AAAA).await,
        "secure nodata"
    );
}

#[tokio::test]
async fn truncated_answers_are_asked_for_again_over_tcp_also_with_dead_servers_around() {
    let world = world().await;
    world
        .break_dns(&Questions::Below(".".to_owned()), DnsFault::Truncate)
        .unwrap();
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
        let resolver = Resolver::new(ResolverConfig {
            servers: servers.iter().copied().map(dns::Server::from).collect(),
            ..common::config(&world, Mode::Validate)
        })
        .unwrap();
        let told = ask(&resolver, "_25._tcp.mx.secure.test", RecordType::TLSA).await;
        assert_eq!(told, "secure records", "{servers:?}");
    }
}

#[tokio::test]
async fn another_trust_anchor_makes_nothing_insecure() {
    let (world, other) = (world().await, world().await);
    let anchors = common::config(&other, Mode::Validate).trust_anchors;
    let resolver = Resolver::new(ResolverConfig {
        trust_anchors: anchors,
        ..common::config(&world, Mode::Validate)
    })
    .unwrap();
    assert_eq!(
        ask(&resolver, "mx.secure.test", RecordType::A).await,
        "failed bogus"
    );
    assert_eq!(
        ask(&resolver, "mx.insecure.test", RecordType::A).await,
        "failed bogus"
    );
}

#[tokio::test]
async fn either_form_of_a_trust_anchor_will_do() {
    let world = world().await;
    for text in [
        world.trust_anchor_dnskey().unwrap(),
        world.trust_anchor_ds().unwrap(),
    ] {
        let trust_anchors = dns::TrustAnchors::parse(&text).unwrap();
        let config = ResolverConfig {
            trust_anchors,
            ..common::config(&world, Mode::Validate)
        };
        let resolver = Resolver::new(config).unwrap();
        assert_eq!(
            ask(&resolver, "mx.secure.test", RecordType::A).await,
            "secure records",
            "{text}"
        );
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
        let text = first.unwrap() + &second.unwrap();
        let config = ResolverConfig {
            trust_anchors: dns::TrustAnchors::parse(&text).unwrap(),
            ..common::config(&world, Mode::Validate)
        };
        let resolver = Resolver::new(config).unwrap();
        assert_eq!(
            ask(&resolver, "mx.secure.test", RecordType::A).await,
            "secure records",
            "{text}"
        );
    }
}

#[tokio::test]
async fn outside_the_anchored_zone_nothing_is_secure() {
    let world = world().await;
    let key = genuine(&world, "secure.test", RecordType::DNSKEY).await.answers;
    let key = key
        .iter()
        .find(|record| record.record_type() == RecordType::DNSKEY)
        .unwrap();
    let trust_anchors = dns::TrustAnchors::parse(&format!("secure.test. IN DNSKEY {}", key.data)).unwrap();
    let config = ResolverConfig {
        trust_anchors,
        ..common::config(&world, Mode::Validate)
    };
    let resolver = Resolver::new(config).unwrap();
    assert_eq!(
        ask(&resolver, "mx.secure.test", RecordType::A).await,
        "secure records"
    );
    assert_eq!(
        ask(&resolver, "mx.hashed.test", RecordType::A).await,
        "insecure records"
    );
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
    for mode in [Mode::Validate, Mode::TrustAd] {
        let resolver = Resolver::new(ResolverConfig {
            servers: vec![server.into()],
            timeout: std::time::Duration::from_secs(1),
            ..common::config(&world, mode)
        })
        .unwrap();
        let told = ask(&resolver, "_25._tcp.mx.secure.test", RecordType::TLSA).await;
        assert!(told.starts_with("failed"), "{mode:?}: {told}");
    }
}

#[tokio::test]
async fn a_server_that_refuses_edns_makes_nothing_insecure() {
    let world = world().await;
    let server = forger(&world, |_, message| {
        message.metadata.response_code = ResponseCode::FormErr;
        message.edns = None;
        message.answers.clear();
        message.authorities.clear();
    })
    .await;
    let resolver = validator_behind(&world, vec![server]);
    for zone in ["secure.test", "insecure.test"] {
        let told = ask(&resolver, &format!("mx.{zone}"), RecordType::A).await;
        assert!(told.starts_with("failed"), "{zone}: {told}");
    }
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
    let server = forger(&world, |_, message| {
        for section in [&mut message.answers, &mut message.authorities] {
            let junk: Vec<Record> = section.iter().filter_map(spoiled).collect();
            section.splice(0..0, junk);
        }
    })
    .await;
    let resolver = validator_behind(&world, vec![server]);
    for (name, record_type, told) in [
        ("mx.secure.test", RecordType::A, "secure records"),
        ("mx.hashed.test", RecordType::AAAA, "secure nodata"),
        ("any.wild.secure.test", RecordType::A, "secure records"),
        ("mx.insecure.test", RecordType::A, "insecure records"),
    ] {
        assert_eq!(ask(&resolver, name, record_type).await, told, "{name}");
    }
}

#[tokio::test]
async fn where_we_validate_the_ad_bit_of_others_has_no_effect() {
    let world = world().await;
    let server = forger(&world, |_, message| message.metadata.authentic_data = true).await;
    let resolver = validator_behind(&world, vec![server]);
    for (name, told) in [
        ("mx.bogus.test", "failed bogus"),
        ("mx.insecure.test", "insecure records"),
        ("mx.secure.test", "secure records"),
    ] {
        assert_eq!(ask(&resolver, name, RecordType::A).await, told, "{name}");
    }
}

#[tokio::test]
async fn a_referral_is_no_absence_and_another_server_is_asked() {
    let world = world().await;
    let ns = |owner: &str| {
        let server = Name::from_ascii("ns.elsewhere.test.").unwrap();
        Record::from_rdata(Name::from_ascii(owner).unwrap(), 300, RData::NS(NS(server)))
    };
    for mode in [Mode::Validate, Mode::TrustAd] {
        let good = resolver(&world, mode);
        // Down to the zone itself, and up to the root as lame servers did.
        for owner in ["insecure.test.", "."] {
            let referral = ns(owner);
            let lame = forger(&world, move |query, message| {
                if query.name().to_ascii().ends_with("insecure.test.") && query.query_type() != RecordType::DS
                {
                    message.answers.clear();
                    message.authorities = vec![referral.clone()];
                }
            })
            .await;
            let behind = |servers: Vec<SocketAddr>| {
                Resolver::new(ResolverConfig {
                    servers: servers.into_iter().map(Server::from).collect(),
                    ..config(&world, mode)
                })
                .unwrap()
            };
            let (alone, second) = (behind(vec![lame]), behind(vec![lame, world.address()]));
            for (name, record_type) in [
                ("insecure.test", RecordType::MX),
                ("mx.insecure.test", RecordType::A),
                ("mx.insecure.test", RecordType::AAAA),
            ] {
                let told = ask(&alone, name, record_type).await;
                assert_eq!(told, "failed malformed", "{name} {owner} {mode:?}");
                let told = ask(&second, name, record_type).await;
                assert_eq!(
                    told,
                    ask(&good, name, record_type).await,
                    "{name} {owner} {mode:?}"
                );
            }
            let found = dns::mx::discover(&alone, &domain("insecure.test")).await;
            assert!(matches!(found, MxFinding::Failed(_)), "{found:?}");
        }
    }
}

#[tokio::test]
async fn an_empty_answer_with_neither_soa_nor_ns_is_an_absence() {
    let world = world().await;
    for with_both in [false, true] {
        let soa = genuine(&world, "insecure.test", RecordType::SOA).await.answers;
        let ns = genuine(&world, "insecure.test", RecordType::NS).await.answers;
        assert!(!soa.is_empty() && !ns.is_empty());
        let server = forger(&world, move |query, message| {
            if query.query_type() == RecordType::MX {
                message.answers.clear();
                message.authorities = if with_both {
                    [soa.clone(), ns.clone()].concat()
                } else {
                    Vec::new()
                };
            }
        })
        .await;
        let resolver = validator_behind(&world, vec![server]);
        let told = ask(&resolver, "insecure.test", RecordType::MX).await;
        assert_eq!(told, "insecure nodata", "{with_both}");
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
        let lame = forger(&world, move |_, message| {
            message.metadata.response_code = code;
            message.answers.clear();
            message.authorities.clear();
        })
        .await;
        let resolver = validator_behind(&world, vec![lame, world.address()]);
        let told = ask(&resolver, "mx.secure.test", RecordType::A).await;
        assert_eq!(told, "secure records", "{code}");
    }
}
