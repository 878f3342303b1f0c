//! Trust anchors below the root, and several of them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::time::Duration;

use common::{Scene, anchor_lines, domain, world};
use dns::Mode;
use testworld::dns::{DnsFault, Keys};

/// Zones with two keys each, below an unsigned one: only an anchor makes them secure.
async fn islands() -> Scene {
    let world = world().await;
    for (zone, keys) in [
        ("split.insecure.test", Keys::Split),
        ("both.insecure.test", Keys::SplitBothSign),
    ] {
        world.domain(zone).keys(keys).add().unwrap();
        world.has(&format!("mx.{zone} A 192.0.2.1\n*.wild.{zone} A 192.0.2.2"));
    }
    world
}

#[tokio::test]
async fn one_key_of_an_anchored_zone_is_enough_and_all_keys_of_its_set_count() {
    let world = islands().await;
    for zone in ["split.insecure.test", "both.insecure.test"] {
        let [of_keys, of_data] = world.keys(zone).await.try_into().unwrap();
        assert!(of_keys.secure_entry_point() && !of_data.secure_entry_point());
        let lines = format!(
            "mx.{zone}       A      -> secure records
             mx.{zone}       AAAA   -> secure nodata
             nothing.{zone}  A      -> secure nxdomain
             any.wild.{zone} A      -> secure records
             {zone}          DNSKEY -> secure records
             {zone}          SOA    -> secure records"
        );
        for anchor in anchor_lines(zone, &of_keys) {
            world.anchored(&anchor).tells(&lines).await;
        }
        for anchor in anchor_lines(zone, &of_data) {
            let resolver = world.anchored(&anchor);
            if zone.starts_with("both") {
                resolver.tells(&lines).await;
            } else {
                // RFC 4035 §5.2 wants the set signed by the key that is trusted.
                resolver.tells(&format!("mx.{zone} A -> failed bogus")).await;
            }
        }
    }
}

#[tokio::test]
async fn the_delegation_of_an_anchored_zone_is_its_parents_to_prove() {
    let world = world().await;
    let key = &world.keys("secure.test").await[0];
    let [island, _] = anchor_lines("secure.test", key);
    let both = format!("{island}\n{}", world.trust_anchor_ds().unwrap());
    let resolver = world.anchored(&island);
    let lines = "secure.test    DS -> insecure records
                 mx.secure.test DS -> secure nodata
                 hashed.test    DS -> insecure records
                 .              DS -> insecure nodata";
    resolver.tells(lines).await;
    let lines = "secure.test    DS -> secure records
                 mx.secure.test DS -> secure nodata
                 .              DS -> secure nodata";
    world.anchored(&both).tells(lines).await;
}

#[tokio::test]
async fn an_anchor_out_of_reach_is_a_matter_of_the_names_below_it_and_of_no_others() {
    let world = world().await;
    for (with_root, fault) in [
        (false, DnsFault::ServFail),
        (true, DnsFault::ServFail),
        (false, DnsFault::Silence),
    ] {
        let mut anchors = String::new();
        for zone in ["secure.test", "hashed.test"] {
            let key = &world.keys(zone).await[0];
            let [ds, _] = anchor_lines(zone, key);
            anchors = anchors + &ds + "\n";
        }
        if with_root {
            anchors += &world.trust_anchor_ds().unwrap();
        }
        world.breaks("secure.test DNSKEY", fault);
        let resolver = world.anchored(&anchors);
        let unanchored = if with_root { "secure" } else { "insecure" };
        let lines = format!(
            "mx.hashed.test   A -> secure records
             mx.secure.test   A -> failed indeterminate
             mx.optout.test   A -> {unanchored} records
             mx.insecure.test A -> insecure records
             mx.hashed.test   AAAA -> secure nodata"
        );
        resolver.tells(&lines).await;
        // It is taken up as soon as it is there.
        world.mends("secure.test DNSKEY");
        tokio::time::sleep(Duration::from_millis(2100)).await;
        resolver.tells("mx.secure.test AAAA -> secure nodata").await;
    }
}

#[tokio::test]
async fn keys_out_of_reach_at_first_are_taken_up_when_they_come() {
    let world = world().await;
    world.breaks(". DNSKEY", DnsFault::ServFail);
    let resolver = world.resolver(Mode::Validate);
    resolver.tells("mx.secure.test A -> failed indeterminate").await;
    world.mends(". DNSKEY");
    resolver.flush(&domain("secure.test"));
    resolver.tells("mx.secure.test A -> secure records").await;
}
