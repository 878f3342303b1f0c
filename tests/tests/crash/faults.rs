//! Disks that fail under load, and work again later. The relay lives through all of it.

use crate::machine::{Machine, with_machine};
use danerelay_tests::powerloss::{Disk, Effect, Fault, Operation};
use fuser::Errno;
use std::time::Duration;

/// Everything that changes a disk.
const CHANGES: &[Operation] = &[
    Operation::Write,
    Operation::Create,
    Operation::Rename,
    Operation::Remove,
];
const SYNCS: &[Operation] = &[Operation::Sync, Operation::SyncDirectory];
const WRITES: &[Operation] = &[Operation::Write];

/// How long the disk fails.
const TROUBLE: Duration = Duration::from_millis(1500);
/// How long the relay may take until it accepts mail again: it waits half a minute before it reads again what it could not
/// read, and the clients wait while there is much to deliver.
const RECOVERY: Duration = Duration::from_mins(1);
/// Messages or transactions that show that work goes on.
const SOME: usize = 20;

/// What the clients must notice.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Clients {
    /// Messages are refused, with this reply code.
    Refused(u16),
    /// Some messages may be refused with 451.
    Served,
}

/// Whether queued messages must be delivered meanwhile.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Deliveries {
    GoOn,
    MayStop,
}

/// What must happen under load while the disk fails.
#[derive(Clone, Copy)]
struct Expected {
    clients: Clients,
    deliveries: Deliveries,
}

/// Runs the load while the disk fails and afterwards, in the test of this name.
fn live_through(test: &'static str, harm: impl Fn(&Disk), clients: Clients, deliveries: Deliveries) {
    with_machine(test, |machine| {
        live(machine, harm, Expected { clients, deliveries });
    });
}

fn live(machine: &mut Machine<'_>, harm: impl Fn(&Disk), expected: Expected) {
    machine.trial.relay.start();
    machine.trial.relay.wait_until_ready();
    assert!(machine.trial.wait_for_acknowledgements(100, RECOVERY));
    let before = (
        machine.trial.ledger.refused(),
        machine.trial.ledger.transactions(),
    );
    assert!(
        before.0.is_empty(),
        "refused before anything fails: {:?}",
        before.0
    );
    harm(&machine.disk);
    std::thread::sleep(TROUBLE);
    let delivered = machine.trial.ledger.transactions() - before.1;
    machine.trial.relay.assert_alive();
    machine.disk.heal();
    assert!(
        machine.trial.wait_for_acknowledgements(SOME, RECOVERY),
        "nothing is accepted again\n{}",
        machine.trial.relay.last_words()
    );
    let verdict = machine.trial.settle();
    println!("{delivered} transactions in the time of trouble");
    let refused: Vec<u16> = verdict.balance.refused.keys().copied().collect();
    match expected.clients {
        Clients::Refused(code) => assert_eq!(refused, [code]),
        Clients::Served => assert!(refused.is_empty() || refused == [451], "{refused:?}"),
    }
    if expected.deliveries == Deliveries::GoOn {
        assert!(delivered >= SOME as u64, "only {delivered} transactions");
    }
    verdict.assert_nothing_lost();
    assert_eq!(verdict.balance.repeated, 0);
    assert_eq!(verdict.balance.refused_but_delivered, 0);
}

/// A relay that can do nothing with its spool ends and says why; afterwards it starts as if nothing had happened.
#[test]
fn a_spool_that_cannot_be_opened_is_named() {
    with_machine(
        "faults::a_spool_that_cannot_be_opened_is_named",
        fail_at_the_start,
    );
}

fn fail_at_the_start(machine: &mut Machine<'_>) {
    machine.trial.relay.start();
    assert!(machine.trial.wait_for_acknowledgements(50, RECOVERY));
    machine.trial.relay.kill_alive();
    for operations in [WRITES, SYNCS, &[Operation::Read]] {
        machine.disk.inject(Fault {
            operations,
            nth: 1,
            effect: Effect::Fail(Errno::EIO),
        });
        machine.trial.relay.start();
        machine.trial.relay.wait_until_ended();
        machine.disk.heal();
    }
    let log = machine.trial.relay.log();
    let told = log.lines().filter(|line| line.contains("event=not-started"));
    assert_eq!(told.filter(|line| line.contains("spool")).count(), 3, "{log}");
    machine.trial.relay.start();
    machine.trial.relay.wait_until_ready();
    let verdict = machine.trial.settle();
    verdict.assert_nothing_lost();
    verdict.assert_few_repeated();
}

fn fault(operations: &'static [Operation], nth: u64, effect: Effect) -> impl Fn(&Disk) {
    move |disk| {
        disk.inject(Fault {
            operations,
            nth,
            effect,
        });
    }
}

#[test]
fn no_sync_works() {
    live_through(
        "faults::no_sync_works",
        fault(SYNCS, 1, Effect::Fail(Errno::EIO)),
        Clients::Refused(451),
        Deliveries::MayStop,
    );
}

#[test]
fn some_syncs_fail() {
    live_through(
        "faults::some_syncs_fail",
        fault(SYNCS, 3, Effect::Fail(Errno::EIO)),
        Clients::Refused(451),
        Deliveries::MayStop,
    );
}

#[test]
fn no_write_works() {
    live_through(
        "faults::no_write_works",
        fault(WRITES, 1, Effect::Fail(Errno::EIO)),
        Clients::Refused(451),
        Deliveries::MayStop,
    );
}

#[test]
fn some_writes_fail() {
    live_through(
        "faults::some_writes_fail",
        fault(WRITES, 7, Effect::Fail(Errno::EIO)),
        Clients::Refused(451),
        Deliveries::MayStop,
    );
}

#[test]
fn writes_stop_half_way() {
    live_through(
        "faults::writes_stop_half_way",
        fault(WRITES, 2, Effect::Half),
        Clients::Served,
        Deliveries::GoOn,
    );
}

#[test]
fn reads_fail() {
    live_through(
        "faults::reads_fail",
        fault(&[Operation::Read], 1, Effect::Fail(Errno::EIO)),
        Clients::Served,
        Deliveries::MayStop,
    );
}

#[test]
fn the_disk_is_read_only() {
    live_through(
        "faults::the_disk_is_read_only",
        fault(CHANGES, 1, Effect::Fail(Errno::EROFS)),
        Clients::Refused(451),
        Deliveries::MayStop,
    );
}

#[test]
fn the_disk_says_that_it_is_full() {
    live_through(
        "faults::the_disk_says_that_it_is_full",
        fault(CHANGES, 1, Effect::Fail(Errno::ENOSPC)),
        Clients::Refused(452),
        Deliveries::MayStop,
    );
}

#[test]
fn the_disk_is_full() {
    live_through(
        "faults::the_disk_is_full",
        |disk| disk.leave_free(20_000, 1000),
        Clients::Refused(452),
        Deliveries::GoOn,
    );
}

#[test]
fn the_disk_has_no_inodes() {
    live_through(
        "faults::the_disk_has_no_inodes",
        |disk| disk.leave_free(1 << 30, 0),
        Clients::Refused(452),
        Deliveries::GoOn,
    );
}
