//! `danerelay explain`: what is decided for a destination, what is looked up for that, and what connecting adds.

mod connecting;
mod decision;
mod localhost;
mod lookups;
mod names;
mod own_side;
mod remedies;
mod ways;
mod words;

use std::net::SocketAddr;

use serde_json::Value;
use testworld::RecordType;
use testworld::dns::{Bogus, DnsFault, Questions, World};

use crate::Stage;

const RECORD: &str = "3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn here(last: u8) -> SocketAddr {
    SocketAddr::from(([127, 0, 2, last], 25))
}

fn explained(stage: &Stage, destination: &str) -> (Value, i32) {
    let end = stage.run(&["explain", destination, "--json"]);
    (end.json(), end.status)
}

/// A world with a domain for each of the rows of the decision.
fn rows() -> Stage {
    let stage = Stage::new("");
    reachable(&stage.world);
    troubled(&stage.world);
    stage
}

/// Domains whose hosts can be found.
fn reachable(world: &World) {
    let unusable_record = RECORD.replace("3 1 1", "1 1 1");
    let usable = world
        .domain("usable.test")
        .signed()
        .mx(10, "mx.usable.test", here(1));
    usable.tlsa(RECORD).tlsa(unusable_record.clone()).add().unwrap();
    let unusable = world
        .domain("unusable.test")
        .signed()
        .mx(10, "mx.unusable.test", here(2));
    unusable.tlsa(unusable_record).add().unwrap();
    world
        .domain("none.test")
        .signed()
        .mx(10, "mx.none.test", here(3))
        .add()
        .unwrap();
    world
        .domain("plain.test")
        .unsigned()
        .mx(10, "mx.usable.test", here(1))
        .add()
        .unwrap();
    world
        .domain("outsourced.test")
        .signed()
        .mx(10, "mx.plain.test", here(4))
        .add()
        .unwrap();
    world
        .domain("implicit.test")
        .signed()
        .host("implicit.test", here(6))
        .tlsa(RECORD)
        .add()
        .unwrap();
}

/// Domains for which a look-up fails, or that take no mail.
fn troubled(world: &World) {
    world
        .domain("bogus.test")
        .bogus(Bogus::WrongKey)
        .mx(10, "mx.bogus.test", here(5))
        .add()
        .unwrap();
    world
        .domain("null.test")
        .signed()
        .record("null.test", RecordType::MX, "0 .")
        .add()
        .unwrap();
    world
        .domain("mute.test")
        .signed()
        .mx(10, "mx.mute.test", here(7))
        .tlsa(RECORD)
        .add()
        .unwrap();
    let mute = Questions::At("_25._tcp.mx.mute.test".to_owned());
    world.break_dns(&mute, DnsFault::ServFail).unwrap();
    world
        .domain("lost.test")
        .signed()
        .mx(10, "mx.lost.test", here(8))
        .add()
        .unwrap();
    world
        .break_dns(&Questions::At("lost.test".to_owned()), DnsFault::Refused)
        .unwrap();
}
