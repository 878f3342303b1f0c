//! Control groups (version 2): what all processes of a relay have cost together, those that are over included, and their end.
//!
//! A process is in the group of the one that started it. So the bench enters a group, starts a server, and leaves again.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

/// The group that holds ours, below the root of the hierarchy.
const PARENT: &str = "danerelay-bench";
/// Where the bench itself is while it measures.
const LAB: &str = "lab";
/// Where the resolver and the name server are.
const NAMES: &str = "names";
/// Where the relay is that is measured.
const RELAY: &str = "relay";

const STEP: Duration = Duration::from_millis(20);
/// How often to look whether killed processes are gone.
const LOOKS: usize = 500;

/// The three groups of a run.
pub(crate) struct Groups {
    /// Feeder and sink.
    pub(crate) lab: Group,
    /// Resolver and name server.
    pub(crate) names: Group,
    /// The relay.
    pub(crate) relay: Group,
}

impl Groups {
    /// Makes them.
    pub(crate) fn make() -> Result<Self, String> {
        let root = root()
            .ok_or("no cgroup2 is mounted: the processor time of a relay's processes cannot be told")?;
        let group = |name: &str| {
            let group = Group {
                place: root.join(PARENT).join(name),
                name: format!("{PARENT}/{name}"),
            };
            fs::create_dir_all(&group.place)
                .map_err(|error| format!("{}: {error}", group.place.display()))?;
            Ok::<_, String>(group)
        };
        Ok(Self {
            lab: group(LAB)?,
            names: group(NAMES)?,
            relay: group(RELAY)?,
        })
    }

    /// Removes what a run has left, once its processes are gone.
    pub(crate) fn remove() {
        // From within a run it cannot be done, which is no failure: whoever started it does it.
        if let Some(root) = root() {
            for name in [LAB, NAMES, RELAY, ""] {
                let _ = fs::remove_dir(root.join(PARENT).join(name));
            }
        }
    }
}

/// One group.
pub(crate) struct Group {
    place: PathBuf,
    /// Its path below the root of the hierarchy.
    pub(crate) name: String,
}

impl Group {
    /// Has whatever is started from now on in this group, and this program too.
    pub(crate) fn enter(&self) {
        fs::write(self.place.join("cgroup.procs"), "0").expect("a group can be entered");
    }

    /// The processor time of all its processes since it was made.
    pub(crate) fn processor_time(&self) -> Duration {
        let text = fs::read_to_string(self.place.join("cpu.stat")).expect("a group has its times");
        let mut fields = text.lines().filter_map(|line| line.strip_prefix("usage_usec "));
        let microseconds = fields.next().and_then(|field| field.parse().ok());
        Duration::from_micros(microseconds.expect("a number of microseconds"))
    }

    /// The memory of its processes, in KiB, pages that are shared divided among those that share them (PSS).
    pub(crate) fn memory(&self) -> u64 {
        let processes = self.processes();
        processes.iter().filter_map(|process| memory(process)).sum()
    }

    /// Ends all of them at once.
    pub(crate) fn kill(&self) {
        fs::write(self.place.join("cgroup.kill"), "1").expect("a group can be killed");
        let is_over = (0..LOOKS).any(|_| {
            sleep(STEP);
            self.processes().is_empty()
        });
        assert!(is_over, "processes of {} do not end", self.name);
    }

    fn processes(&self) -> Vec<String> {
        let text = fs::read_to_string(self.place.join("cgroup.procs")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

/// None if the process is over.
fn memory(process: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).ok()?;
    let mut fields = text.lines().filter_map(|line| line.strip_prefix("Pss:"));
    fields.next()?.trim().strip_suffix(" kB")?.parse().ok()
}

/// Where the hierarchy is mounted.
fn root() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    mounts.lines().find_map(mount_of_groups)
}

fn mount_of_groups(line: &str) -> Option<PathBuf> {
    let mut fields = line.split(' ').skip(1);
    let place = Path::new(fields.next()?);
    (fields.next()? == "cgroup2").then(|| place.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hierarchy_is_found_among_the_mounts() {
        let found = mount_of_groups("cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0");
        assert_eq!(found, Some(PathBuf::from("/sys/fs/cgroup/unified")));
        assert_eq!(
            mount_of_groups("cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0"),
            None
        );
    }
}
