//! A big day at its full size: 100,000 messages for 5,000 domains on 300 hosts, of which 5 % fail, 2 % greylist, 1 % are
//! slow and 1 % take three connections. Prints what became of them.
//!
//! `cargo run --release --example big_day -p delivery` takes virtual time, as the test of this name does at a smaller
//! size; with `-- real` it takes real time, with replies at once and short delays.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing
)]

#[path = "../tests/big_day/day.rs"]
mod day;
#[path = "../tests/suite/scene/mod.rs"]
mod scene;
#[path = "../tests/big_day/town.rs"]
mod town;

use std::time::Duration;

use day::{Day, Scale, defaults};
use town::{Pace, Temper};

const SCALE: Scale = Scale {
    messages: 100_000,
    domains: 5_000,
    hosts: 300,
};

/// Replies at once: what is measured is the relay.
const REAL: Pace = Pace {
    reply: Duration::ZERO,
    slow_reply: Duration::from_millis(300),
    greylisted: Duration::from_secs(9),
};

fn main() {
    let is_real = std::env::args().nth(1).is_some_and(|argument| argument == "real");
    let (runtime, pace, seconds) = if is_real {
        (
            tokio::runtime::Runtime::new(),
            REAL,
            [1, 2, 4].map(|step| step * 10),
        )
    } else {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let paused = builder.enable_all().start_paused(true).build();
        (paused, day::PACE, [5, 10, 20].map(|step| step * 60))
    };
    let retry = seconds.map(Duration::from_secs).to_vec();
    runtime.unwrap().block_on(async {
        if !is_real {
            tokio::spawn(day::tick());
        }
        let setting = defaults(retry);
        let healthy = |temper| temper == Temper::Healthy;
        let alone = day::run(SCALE, pace, &setting, healthy, Duration::ZERO).await;
        print("healthy hosts alone", &alone);
        let day = day::run(SCALE, pace, &setting, |_| true, Duration::from_mins(1)).await;
        print("all hosts", &day);
    });
}

fn print(title: &str, day: &Day) {
    println!("\n{title}: {} MB more in memory", day.growth >> 20);
    println!(
        "| hosts | messages | sent | last sent after | most attempts | most connections | most at once | most refused |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (temper, share) in &day.shares {
        let seen = day.town.seen(*temper);
        let most = |of: fn(&town::Seen) -> usize| seen.iter().map(of).max().unwrap_or_default();
        println!(
            "| {temper:?} | {} | {} | {:.1} s | {} | {} | {} | {} |",
            share.messages,
            share.sent,
            share.last.as_secs_f64(),
            share.attempts,
            most(|seen| seen.connections),
            most(|seen| seen.most),
            most(|seen| seen.refused),
        );
    }
}
