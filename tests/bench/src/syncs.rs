//! How often a relay has waited for the disk: its calls of fsync and fdatasync, counted by the kernel through perf(1).
//!
//! This adds well under a tenth of a microsecond to each system call, of every relay.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::Duration;

use danerelay_tests::process::{command, find};

use crate::group::Group;

const EVENTS: [&str; 2] = ["syscalls:sys_enter_fsync", "syscalls:sys_enter_fdatasync"];
const STEP: Duration = Duration::from_millis(20);
/// How often to look whether perf has begun.
const LOOKS: usize = 250;

/// A count that is under way.
pub(crate) struct Syncs {
    perf: Child,
    /// There as soon as it counts.
    ready: PathBuf,
    result: PathBuf,
}

impl Syncs {
    /// Counts those of this group from now on; none if perf is not there or may not count.
    pub(crate) fn count(group: &Group, directory: &Path) -> Option<Self> {
        let [ready, result] = ["perf-ready", "perf-result"].map(|name| directory.join(name));
        find("perf")?;
        let groups = EVENTS.map(|_| group.name.as_str()).join(",");
        let mut perf = command("perf")
            .args([
                "stat",
                "--all-cpus",
                "--field-separator=,",
                "--event",
                &EVENTS.join(","),
            ])
            .args(["--cgroup", &groups, "--output"])
            .arg(&result)
            // Perf counts before it starts its command.
            .args(["--", "sh", "-c", "touch \"$0\" && exec cat"])
            .arg(&ready)
            .stdin(Stdio::piped())
            .spawn()
            .ok()?;
        for _ in 0..LOOKS {
            if ready.exists() {
                return Some(Self { perf, ready, result });
            }
            if perf.try_wait().is_ok_and(|status| status.is_some()) {
                return None;
            }
            sleep(STEP);
        }
        None
    }

    /// Ends the count.
    pub(crate) fn end(mut self) -> Option<u64> {
        // Its command ends with its input, and perf with its command.
        drop(self.perf.stdin.take());
        self.perf.wait().ok()?;
        fs::remove_file(self.ready).ok()?;
        total(&fs::read_to_string(self.result).ok()?)
    }
}

/// The sum of the counts, the first fields of perf's lines.
fn total(result: &str) -> Option<u64> {
    let lines = result
        .lines()
        .filter(|line| EVENTS.iter().any(|event| line.contains(event)));
    let counts = lines.map(|line| line.split(',').next().and_then(|field| field.parse::<u64>().ok()));
    counts.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_added() {
        let result = "# started on Sun Nov 29\n\n7,,syscalls:sys_enter_fdatasync,x,225039652,100.00,,\n\
                      1,,syscalls:sys_enter_fsync,x,225039652,100.00,,\n";
        assert_eq!(total(result), Some(8));
        assert_eq!(
            total("<not counted>,,syscalls:sys_enter_fsync,x,0,100.00,,\n"),
            None
        );
    }
}
