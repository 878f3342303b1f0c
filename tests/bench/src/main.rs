//! Measures the relay beside Postfix and Exim: the same mail, in turn, on one machine, each delivery verified by DANE.
//!
//! ```text
//!  feeder ─────► the relay that is measured ─────────► sink
//!  N sessions    127.0.0.1:2525                        one host a destination, 192.0.2.0/24, port 25
//!                     │ DNS
//!                     ▼
//!                  Unbound ─────► Knot, one signed zone a destination
//! ```
//!
//! The parts, in the order in which a run meets them:
//!
//! 1. [`arguments`]: what is measured, and of which relays.
//! 2. [`lab`]: the zones, the resolver and the sink, in namespaces as the peer tests have them.
//! 3. [`contender`]: the relays, each started anew for each measurement.
//! 4. [`work`]: how many messages go through how many sessions to how many destinations; [`letter`]: one of them.
//! 5. [`feeder`] sends them, [`sink`] receives, checks and counts them; both speak through [`wire`]; [`arrivals`] is what the
//!    sink has seen.
//! 6. [`group`]: what the relay's processes have cost, those that are over included; [`syncs`]: how often they have waited for
//!    the disk.
//! 7. [`proof`]: that DANE was verified on every delivery, by the relay's own log. Without it a measurement is void.
//! 8. [`trial`]: one measurement of all this; [`figures`]: its result.
//! 9. [`report`]: the table, with ratios to Postfix in the same run; [`picture`]: the same to look at.
//!
//! Feeder and sink are as lean as they can be (`lab ms` in the table), because they share the processors with the relay: what
//! they cost would be missing from its rate.

// A bench reports by ending with what went wrong.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]
// Its figures are for reading, and its times never run backwards.
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::unchecked_time_subtraction
)]

mod arguments;
mod arrivals;
mod contender;
mod feeder;
mod figures;
mod group;
mod lab;
mod letter;
mod picture;
mod proof;
mod report;
mod sink;
mod syncs;
mod trial;
mod wire;
mod work;

use std::io;
use std::path::Path;
use std::process::{ExitCode, exit};
use std::thread;

use clap::Parser;
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};

use crate::arguments::Arguments;
use crate::group::Groups;
use crate::lab::Lab;
use crate::report::Report;

/// What a run needs besides Exim, and the Debian packages that bring it.
const PROGRAMS: [(&str, &str); 9] = [
    ("unshare", "util-linux"),
    ("mount", "mount"),
    ("ip", "iproute2"),
    ("postfix", "postfix"),
    ("knotd", "knot"),
    ("dnssec-keygen", "bind9-utils"),
    ("dnssec-signzone", "bind9-utils"),
    ("unbound", "unbound"),
    ("dig", "bind9-dnsutils"),
];

/// As shells call an end by this signal.
const INTERRUPTED: i32 = 130;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = danerelay_tests::arena::run_program(&PROGRAMS, |directory| measure(&arguments, directory));
    Groups::remove();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("danerelay-bench: {reason}");
            ExitCode::FAILURE
        }
    }
}

/// All of it, in the namespaces. The table is printed even if some measurements are void.
fn measure(arguments: &Arguments, directory: &Path) -> Result<(), String> {
    end_on_interrupt().map_err(|error| format!("signals: {error}"))?;
    let plan = arguments.plan();
    let most = plan.iter().map(|work| work.destinations).max().unwrap_or(1);
    let lab = Lab::build(directory, most)?;
    let mut report = Report::new(&lab);
    for work in plan {
        let contenders = arguments.contenders();
        for contender in contenders
            .into_iter()
            .filter(|contender| contender.can(work.manner))
        {
            eprint!("{:<20} {work} … ", contender.name());
            let result = trial::run(&lab, contender, work);
            match &result {
                Ok(figures) => eprintln!("{}", figures.brief()),
                Err(reason) => eprintln!("void: {reason}"),
            }
            report.add(contender, work, result);
        }
    }
    print!("{}", report.markdown());
    report
        .save(&arguments.output)
        .map_err(|error| format!("{}: {error}", arguments.output.display()))?;
    match report.void() {
        0 => Ok(()),
        void => Err(format!("{void} measurements are void")),
    }
}

/// The first process of a namespace ignores signals that it does not handle; with this one, everything ends.
fn end_on_interrupt() -> io::Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let mut interrupted = runtime.block_on(async { signal(SignalKind::interrupt()) })?;
    thread::Builder::new().spawn(move || {
        runtime.block_on(interrupted.recv());
        eprintln!("interrupted");
        exit(INTERRUPTED);
    })?;
    Ok(())
}
