//! A big day in virtual time: much mail for many domains, some of whose hosts fail, greylist, are slow or take few
//! connections. What is healthy does not wait for the others, nobody is stormed, and all that can be delivered is.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod day;
#[path = "../suite/scene/mod.rs"]
mod scene;
mod town;

use std::time::Duration;

use day::{Day, PACE, Scale, defaults};
use town::Temper;

const SCALE: Scale = Scale {
    messages: 5_000,
    domains: 250,
    hosts: 100,
};

/// How long the failing hosts are watched.
const WATCHED: Duration = Duration::from_mins(30);

#[tokio::test(start_paused = true)]
async fn healthy_mail_waits_for_nobody_and_nobody_is_stormed() {
    tokio::spawn(day::tick());
    let setting = defaults([5, 10, 20, 40, 60, 120, 240].map(Duration::from_mins).to_vec());
    let healthy = |temper| temper == Temper::Healthy;
    let alone = day::run(SCALE, PACE, &setting, healthy, Duration::ZERO).await;
    let day = day::run(SCALE, PACE, &setting, |_| true, WATCHED).await;
    println!("healthy alone: {:?}", alone.shares);
    for (temper, share) in &day.shares {
        println!("{temper:?}: {share:?}, {:?}", day.town.seen(*temper).iter().max());
    }
    println!("{} octets more", day.growth);

    let alone = alone.shares[&Temper::Healthy].last;
    let beside = day.shares[&Temper::Healthy].last;
    assert!(beside <= alone.mul_f64(1.2), "{beside:?}, and {alone:?} alone");
    all_is_delivered(&day);
    nobody_is_stormed(&day, setting.connections_per_host);
    assert!(day.growth <= 200 << 20, "{} octets", day.growth);
}

/// All that can be delivered is, once; what need not wait is at the first attempt.
fn all_is_delivered(day: &Day) {
    for (temper, attempts) in [
        (Temper::Healthy, 1),
        (Temper::Greylisting, 2),
        (Temper::Tarpit, 1),
        (Temper::Limited, 1),
    ] {
        let share = &day.shares[&temper];
        let taken: usize = day.town.seen(temper).iter().map(|seen| seen.messages).sum();
        assert_eq!(
            (share.sent, taken),
            (share.messages, share.messages),
            "{temper:?}"
        );
        assert!(share.attempts <= attempts, "{temper:?}: {share:?}");
    }
}

fn nobody_is_stormed(day: &Day, connections_per_host: usize) {
    for temper in [Temper::Healthy, Temper::Tarpit, Temper::Greylisting] {
        for seen in day.town.seen(temper) {
            assert!(seen.most <= connections_per_host, "{temper:?}: {seen:?}");
            assert_eq!(seen.early, 0, "{temper:?}: {seen:?}");
        }
    }
    for seen in day.town.seen(Temper::Limited) {
        assert!(seen.refused <= 10, "{seen:?}");
    }
    // Some at first, and then one probe now and then for each of its domains.
    for temper in [Temper::Silent, Temper::Closing] {
        for seen in day.town.seen(temper) {
            assert!(seen.connections <= 60, "{temper:?}: {seen:?}");
        }
    }
}
