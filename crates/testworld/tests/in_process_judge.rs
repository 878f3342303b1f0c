//! A third validator, in process: what hickory makes of the world's proofs, record by record.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use std::sync::Arc;

use hickory_net::client::Client;
use hickory_net::dnssec::DnssecDnsHandle;
use hickory_net::runtime::TokioRuntimeProvider;
use hickory_net::udp::UdpClientStream;
use hickory_net::xfer::{DnsHandle, FirstAnswer};
use hickory_proto::dnssec::{Proof, TrustAnchors};
use hickory_proto::op::{DnsRequestOptions, Query};
use testworld::dns::{Algorithm, Bogus, Span, World};
use testworld::{Name, RecordType};

type Handle = DnssecDnsHandle<Client<TokioRuntimeProvider>>;

fn validator(world: &World, directory: &std::path::Path) -> Handle {
    let anchor = directory.join("root.key");
    std::fs::write(&anchor, world.trust_anchor_dnskey().unwrap()).unwrap();
    let anchors = Arc::new(TrustAnchors::from_file(&anchor).unwrap());
    let stream = UdpClientStream::builder(world.address(), TokioRuntimeProvider::new()).build();
    let (client, background) = Client::from_sender(stream);
    tokio::spawn(background);
    DnssecDnsHandle::with_trust_anchor(client, anchors)
}

/// The proofs of all records in answer and authority sections, signatures aside.
async fn proofs(handle: &Handle, name: &str, record_type: RecordType) -> Result<Vec<Proof>, String> {
    let query = Query::query(Name::from_ascii(format!("{name}.")).unwrap(), record_type);
    let mut options = DnsRequestOptions::default();
    options.use_edns = true;
    options.edns_set_dnssec_ok = true;
    let response = handle
        .lookup(query, options)
        .first_answer()
        .await
        .map_err(|error| error.to_string())?;
    let records = response.answers.iter().chain(&response.authorities);
    Ok(records
        .filter(|record| record.record_type() != RecordType::RRSIG)
        .map(|record| record.proof)
        .collect())
}

#[tokio::test]
async fn hickory_agrees() {
    let world = World::start().await.unwrap();
    let server = "192.0.2.1:25".parse().unwrap();
    for kind in ["nsec", "ed25519", "rsa", "nsec3"] {
        let name = format!("{kind}.demo");
        let zone = world.domain(&name);
        let zone = match kind {
            "ed25519" => zone.algorithm(Algorithm::Ed25519),
            "rsa" => zone.algorithm(Algorithm::RsaSha256),
            "nsec3" => zone.nsec3(1, Span::Full),
            _ => zone,
        };
        zone.mx(10, &format!("mx.{name}"), server)
            .tlsa(format!("3 1 1 {}", "ab".repeat(32)))
            .add()
            .unwrap();
    }
    world
        .domain("plain.demo")
        .unsigned()
        .mx(10, "mx.plain.demo", server)
        .add()
        .unwrap();
    world
        .domain("bad.demo")
        .bogus(Bogus::WrongKey)
        .mx(10, "mx.bad.demo", server)
        .add()
        .unwrap();
    let directory = tempfile::tempdir().unwrap();
    let handle = validator(&world, directory.path());

    for kind in ["nsec", "ed25519", "rsa", "nsec3"] {
        for (prefix, record_type) in [
            ("", RecordType::MX),
            ("mx.", RecordType::A),
            ("mx.", RecordType::AAAA),
            ("_25._tcp.mx.", RecordType::TLSA),
            ("_26._tcp.mx.", RecordType::TLSA),
            ("nothing.", RecordType::A),
        ] {
            let proofs = proofs(&handle, &format!("{prefix}{kind}.demo"), record_type).await;
            let all_secure = matches!(&proofs, Ok(proofs) if !proofs.is_empty() && proofs.iter().copied().all(|p| p == Proof::Secure));
            assert!(all_secure, "{prefix}{kind}.demo {record_type}: {proofs:?}");
        }
    }
    let plain = proofs(&handle, "mx.plain.demo", RecordType::A).await.unwrap();
    assert_eq!(plain, [Proof::Insecure]);
    let bad = proofs(&handle, "mx.bad.demo", RecordType::A).await;
    assert!(
        bad.is_err() || bad.as_ref().is_ok_and(|p| p == &[Proof::Bogus]),
        "{bad:?}"
    );
}
