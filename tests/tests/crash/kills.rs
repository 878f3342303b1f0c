//! The relay is killed at random moments under load; the rest of the world lives on.

use danerelay_tests::crash::trial::{Trial, number};
use rand::RngExt;
use std::time::Duration;

/// Kills in an ordinary run; `DANERELAY_KILLS` asks for more.
const KILLS: u64 = 200;

/// Octets to which the write-ahead log may grow: no life is long enough to checkpoint what all of them write.
const LOG_LIMIT: u64 = 128 << 20;

#[test]
fn nothing_acknowledged_is_lost_when_the_relay_is_killed() {
    let kills = number("DANERELAY_KILLS").unwrap_or(KILLS);
    let mut trial = Trial::set("kills");
    let mut answering = 0;
    for kill in 0..kills {
        trial.relay.start();
        // One in eight dies while it starts.
        let life = if kill % 8 == 7 {
            trial.chance.random_range(0..60)
        } else {
            trial.relay.wait_until_ready();
            trial.chance.random_range(0..300)
        };
        std::thread::sleep(Duration::from_millis(life));
        answering += trial.sinks.answering();
        trial.relay.kill_alive();
    }
    trial.relay.start();
    trial.relay.wait_until_ready();
    let verdict = trial.settle();
    println!("kills: {kills}, deliveries that waited for their reply at a kill: {answering}");
    verdict.assert_nothing_lost();
    verdict.assert_few_repeated();
    let log = trial.relay.spool().join("queue.db-wal");
    let octets = std::fs::metadata(log).map_or(0, |found| found.len());
    assert!(octets <= LOG_LIMIT, "{octets} octets of log are left");
}
