//! The power is lost at random moments under load.

use crate::machine::{Machine, with_machine};
use danerelay_tests::crash::trial::number;
use danerelay_tests::powerloss::{Effect, Fault, Operation, Tear};
use fuser::Errno;
use rand::RngExt;
use std::time::Duration;

/// Losses of power in an ordinary run; `DANERELAY_CUTS` asks for more.
const CUTS: u64 = 40;
/// Losses of power while or after a disk fails; `DANERELAY_FAILURES` asks for more.
const FAILURES: u64 = 15;
/// Losses of power after a disk failed and the relay was killed.
const KILLS_AFTER_FAILURES: u64 = 4;
/// Losses of power on a disk that lies.
const LIES: u64 = 4;
/// The time, in milliseconds, until the relay has checkpointed a log that it kept because of a failed disk.
const RENEWAL: u64 = 7000;
/// How long the relay may take to accept a hundred messages.
const LIMIT: Duration = Duration::from_secs(30);

const SYNCS: &[Operation] = &[Operation::Sync, Operation::SyncDirectory];

#[test]
fn nothing_acknowledged_is_lost_with_the_power() {
    with_machine(
        "cuts::nothing_acknowledged_is_lost_with_the_power",
        cut_under_load,
    );
}

fn cut_under_load(machine: &mut Machine<'_>) {
    let cuts = number("DANERELAY_CUTS").unwrap_or(CUTS);
    for cut in 0..cuts {
        machine.trial.relay.start();
        // One in eight comes while the relay starts.
        let life = if cut % 8 == 7 {
            machine.trial.chance.random_range(0..100)
        } else {
            machine.trial.relay.wait_until_ready();
            machine.trial.chance.random_range(0..800)
        };
        std::thread::sleep(Duration::from_millis(life));
        machine.lose_power();
    }
    machine.trial.relay.start();
    machine.trial.relay.wait_until_ready();
    let verdict = machine.trial.settle();
    println!("cuts: {cuts}");
    verdict.assert_nothing_lost();
}

/// The disk fails for a while, in any way, and the power is lost during that time or soon after; what a failed sync left
/// behind never reaches the disk.
#[test]
fn nothing_acknowledged_is_lost_with_the_power_of_a_failing_disk() {
    with_machine(
        "cuts::nothing_acknowledged_is_lost_with_the_power_of_a_failing_disk",
        cut_while_the_disk_fails,
    );
}

fn cut_while_the_disk_fails(machine: &mut Machine<'_>) {
    let failures = number("DANERELAY_FAILURES").unwrap_or(FAILURES);
    for round in 0..failures {
        machine.trial.relay.start();
        machine.trial.relay.wait_until_ready();
        let chance = &mut machine.trial.chance;
        let fault = Fault {
            operations: [SYNCS, &SYNCS[..1], &[Operation::Write]][chance.random_range(0..3)],
            nth: chance.random_range(1..6),
            effect: Effect::Fail(Errno::EIO),
        };
        let [before, mut trouble, mut after] = [300, 400, 1500].map(|most| chance.random_range(0..most));
        match round % 8 {
            1 => after += RENEWAL,
            5 => trouble += RENEWAL,
            _ => {}
        }
        std::thread::sleep(Duration::from_millis(before));
        machine.disk.inject(fault);
        std::thread::sleep(Duration::from_millis(trouble));
        if round % 3 > 0 {
            machine.disk.heal();
            std::thread::sleep(Duration::from_millis(after));
        }
        machine.trial.relay.assert_alive();
        machine.lose_power();
    }
    machine.trial.relay.start();
    machine.trial.relay.wait_until_ready();
    machine.trial.settle().assert_nothing_lost();
}

/// What a failed sync left in the system's memory is found there by the next process, but is not on the disk.
#[test]
fn nothing_acknowledged_is_lost_with_the_power_after_a_disk_failed_and_the_relay_was_killed() {
    with_machine(
        "cuts::nothing_acknowledged_is_lost_with_the_power_after_a_disk_failed_and_the_relay_was_killed",
        cut_after_a_kill,
    );
}

fn cut_after_a_kill(machine: &mut Machine<'_>) {
    for _ in 0..KILLS_AFTER_FAILURES {
        machine.trial.relay.start();
        machine.trial.relay.wait_until_ready();
        std::thread::sleep(Duration::from_millis(300));
        machine.disk.inject(Fault {
            operations: &SYNCS[..1],
            nth: 1,
            effect: Effect::Fail(Errno::EIO),
        });
        std::thread::sleep(Duration::from_millis(400));
        machine.trial.relay.kill_alive();
        machine.disk.heal();
        machine.trial.relay.start();
        machine.trial.relay.wait_until_ready();
        assert!(machine.trial.wait_for_acknowledgements(30, LIMIT));
        machine.lose_power_with(Tear {
            sector: 512,
            kept: 0.0,
        });
    }
    machine.trial.relay.start();
    machine.trial.relay.wait_until_ready();
    machine.trial.settle().assert_nothing_lost();
}

/// A disk that claims to have synced contents but has not loses mail, and this is noticed.
#[test]
fn a_disk_that_lies_about_contents_is_found_out() {
    with_machine("cuts::a_disk_that_lies_about_contents_is_found_out", |machine| {
        assert_lies_lose_mail(machine, &[Operation::Sync]);
    });
}

/// So does a disk that lies about names: large contents are in files of their own.
#[test]
fn a_disk_that_lies_about_names_is_found_out() {
    with_machine("cuts::a_disk_that_lies_about_names_is_found_out", |machine| {
        assert_lies_lose_mail(machine, &[Operation::SyncDirectory]);
    });
}

/// Mail is lost if these syncs do nothing.
fn assert_lies_lose_mail(machine: &mut Machine<'_>, syncs: &'static [Operation]) {
    for _ in 0..LIES {
        machine.trial.relay.start();
        machine.trial.relay.wait_until_ready();
        // The directories already exist: only what is created from now on is at risk.
        machine.disk.inject(Fault {
            operations: syncs,
            nth: 1,
            effect: Effect::Lie,
        });
        assert!(machine.trial.wait_for_acknowledgements(100, LIMIT));
        machine.lose_power_with(Tear {
            sector: 512,
            kept: 0.0,
        });
    }
    machine.trial.relay.start();
    machine.trial.relay.wait_until_ready();
    let verdict = machine.trial.settle_within(Duration::from_secs(2));
    assert!(!verdict.balance.lost.is_empty(), "nothing was lost");
}
