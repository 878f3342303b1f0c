//! Unbound as judge of the same answers, with the same trust anchors: every kind of name, type, zone, anchor and lie, and each
//! difference with its reason. Where Unbound is not installed there is nothing to compare with.
//!
//! How much was the same is printed: `cargo nextest run -p dns --test suite judge --no-capture`.

mod lies;
mod tally;
mod tree;

use std::net::SocketAddr;

use self::lies::{LIES, Stock};
use self::tally::{Case, Tally};
use self::tree::{NAMES, TYPES, ZONES, tree};
use crate::common::{Client, Scene, Unbound, anchor_lines, config};
use dns::{Mode, ResolverConfig, TrustAnchors};

/// Ours and Unbound, both with these servers and anchors.
async fn both(world: &Scene, server: SocketAddr, anchors: &str) -> Option<(Client, Unbound)> {
    let judge = Unbound::start(server, anchors).await?;
    let ours = Client::new(ResolverConfig {
        trust_anchors: TrustAnchors::parse(anchors).unwrap(),
        servers: vec![server.into()],
        ..config(world, Mode::Validate)
    });
    Some((ours, judge))
}

/// Where Unbound 1.17 says otherwise, and why we do not follow.
fn known(case: &Case<'_>) -> Option<&'static str> {
    let Case {
        lie,
        question,
        said,
        due,
    } = case;
    let is_moved = [".moved.", ".twice.", "into."]
        .iter()
        .any(|part| question.contains(part));
    match (*said, *due) {
        ("secure nxdomain", "secure nodata") if question.contains("compact.") => {
            Some("the name does not exist, as its NSEC says (RFC 9824 §2)")
        }
        ("secure records", "failed") if is_moved && question.ends_with(" CNAME") => Some(
            "an alias that follows from a signed DNAME counts as signed, also where it is asked for (RFC 6672 §5.3.1)",
        ),
        ("secure nodata" | "secure nxdomain", "failed") if is_moved && question.ends_with(" DNAME") => {
            Some("a DNAME leads on what is below it whatever the type is (RFC 6672 §2.3)")
        }
        ("failed", "secure nodata") if *lie == "the other RCODE" => {
            Some("NXDOMAIN for a name that is proved to exist is not believed")
        }
        ("failed", "secure records") if *lie == "a redirection to elsewhere" => {
            Some("an alias that does not follow from its DNAME is not put right")
        }
        ("secure nodata" | "secure nxdomain", "failed") if *lie == "the SOA without its signature" => Some(
            "an absence is proved by its denials, whose TTL is the limit; the SOA beside them is not needed",
        ),
        ("insecure nodata" | "insecure nxdomain" | "insecure records", _)
            if !lie.is_empty() && question.contains("optout.") =>
        {
            Some("where opt-out allows for an unsigned delegation, anything may stand (RFC 5155 §12.2)")
        }
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_name_and_type_in_every_kind_of_zone() {
    let world = tree().await;
    let anchor = world.trust_anchor_ds().unwrap();
    let Some((ours, judge)) = both(&world, world.address(), &anchor).await else {
        return;
    };
    let mut tally = Tally::default();
    for zone in ZONES {
        for name in NAMES {
            for record_type in TYPES {
                let name = name.replace("{}", &format!("{zone}.test"));
                tally
                    .compare(&ours, &judge, &format!("{name} {record_type}"))
                    .await;
            }
        }
    }
    tally.close("names, types and zones");
}

/// Sets of anchors, some lines each.
async fn anchors(world: &Scene) -> Vec<String> {
    let root = world.trust_anchor_ds().unwrap();
    let mut all = vec![root.clone() + &world.trust_anchor_dnskey().unwrap()];
    let mut islands = String::new();
    for zone in [
        "island.unsigned.test",
        "split.unsigned.test",
        "split.test",
        "both.test",
        "nsec3.test",
    ] {
        for key in world.keys(zone).await {
            for line in anchor_lines(zone, &key) {
                all.push(line.clone());
                all.push(format!("{line}\n{root}"));
            }
        }
        let key = &world.keys(zone).await[0];
        let [digest, _] = anchor_lines(zone, key);
        islands = islands + &digest + "\n";
    }
    // Of another zone's key, alone and beside the right one.
    let foreign = anchor_lines("island.unsigned.test", &world.keys("nsec.test").await[0]);
    let right = anchor_lines(
        "island.unsigned.test",
        &world.keys("island.unsigned.test").await[0],
    );
    all.extend(foreign.clone());
    all.push(format!("{}\n{}", foreign[0], right[0]));
    all.push(format!("{}\n{root}", foreign[0]));
    all.push(islands.clone());
    all.push(islands + &root);
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_anchor() {
    let world = tree().await;
    let mut tally = Tally::default();
    for anchors in anchors(&world).await {
        let Some((ours, judge)) = both(&world, world.address(), &anchors).await else {
            return;
        };
        for zone in [
            "island.unsigned",
            "split.unsigned",
            "split",
            "both",
            "nsec3",
            "nsec",
            "unsigned",
            "bogus",
        ] {
            for question in [
                "{} MX",
                "{} DS",
                "{} DNSKEY",
                "mx.{} A",
                "mx.{} AAAA",
                "mx.{} DS",
                "nothing.{} A",
                "any.wild.{} A",
                "mx.signed.{} A",
                "signed.{} DS",
                "mx.child.{} A",
                "into.{} A",
                "to-unsigned.{} A",
            ] {
                let question = question.replace("{}", &format!("{zone}.test"));
                tally.compare(&ours, &judge, &question).await;
            }
        }
        for question in ["test DS", ". DS", ". DNSKEY", "test SOA"] {
            tally.compare(&ours, &judge, question).await;
        }
    }
    tally.close("anchors");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_lie() {
    let world = tree().await;
    let anchor = world.trust_anchor_ds().unwrap();
    let stock = Stock::collect(&world).await;
    let mut tally = Tally::default();
    for lie in LIES {
        let stock = stock.clone();
        let server = world
            .forger(move |query, message| (lie.tell)(&stock, query, message))
            .await;
        let Some((ours, judge)) = both(&world, server, &anchor).await else {
            return;
        };
        for zone in lies::ZONES {
            for question in lies::QUESTIONS {
                let question = question.replace("{}", &format!("{zone}.test"));
                tally.compare_under(lie.what, &ours, &judge, &question).await;
            }
        }
    }
    tally.close("lies");
}
