//! The relay dies at each of the steps by which it changes its disk, one after the other: at start, commit and settlement.

use crate::machine::{Machine, with_machine};
use danerelay_tests::crash::trial::{number, within};
use danerelay_tests::powerloss::Trap;
use rand::RngExt;
use std::time::Duration;

/// Deaths in an ordinary run; `DANERELAY_STEPS` asks for more.
const DEATHS: u64 = 160;
/// Steps that are taken one by one, for each way to die; the others are chosen from all up to [`LAST`].
const IN_ORDER: u64 = 12;
const LAST: u64 = 600;
/// How long the relay may take to reach its step.
const LIMIT: Duration = Duration::from_secs(30);

#[test]
fn nothing_acknowledged_is_lost_whatever_the_last_step() {
    with_machine(
        "steps::nothing_acknowledged_is_lost_whatever_the_last_step",
        die_at_each_step,
    );
}

fn die_at_each_step(machine: &mut Machine<'_>) {
    let deaths = number("DANERELAY_STEPS").unwrap_or(DEATHS);
    for death in 0..deaths {
        // Eight ways, in turn: counted from the start or under load, killed or without power, before the step or after.
        let [under_load, without_power, done] = [1, 2, 4].map(|bit| death & bit != 0);
        let step = death / 8 + 1;
        let nth = if step > IN_ORDER {
            machine.trial.chance.random_range(IN_ORDER..LAST)
        } else {
            step
        };
        machine.trial.relay.start();
        if under_load {
            machine.trial.relay.wait_until_ready();
        }
        machine.disk.arm(Trap {
            nth,
            done,
            victim: machine.trial.relay.pid(),
        });
        let sprung = within(LIMIT, || !machine.disk.is_armed());
        assert!(sprung, "the relay never came to step {nth}");
        machine.trial.relay.kill();
        if without_power {
            machine.lose_power();
        } else {
            machine.disk.go_on();
        }
    }
    machine.trial.relay.start();
    machine.trial.relay.wait_until_ready();
    let verdict = machine.trial.settle();
    println!("deaths: {deaths}");
    verdict.assert_nothing_lost();
}
