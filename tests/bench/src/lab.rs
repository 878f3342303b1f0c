//! What stands around every relay: zones, resolver, sink.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use danerelay_tests::certificates::Certificates;
use danerelay_tests::process::{Daemon, command, run};
use danerelay_tests::resolver::{self, Resolver};
use danerelay_tests::zones::{Tree, Zone};
use tokio::time::Instant;

use crate::group::Groups;
use crate::letter::zone;
use crate::sink::Sink;

/// The addresses of the receiving hosts: this and the next ones.
const HOSTS: &str = "192.0.2";
/// How many hosts there can be.
const MOST: usize = 254;
/// How often the disk is tried.
const DISK_TRIALS: usize = 200;

/// All of it, running.
pub(crate) struct Lab {
    /// Where relays and zones are kept.
    pub(crate) directory: PathBuf,
    /// Whose processes cost what.
    pub(crate) groups: Groups,
    /// The receiving server.
    pub(crate) sink: Sink,
    /// The median time that 10 KB take to be written and synced, one after another.
    pub(crate) sync_time: Duration,
    _tree: Tree,
    _resolver: Daemon,
}

impl Lab {
    /// Sets it up for so many destinations, in an arena's directory.
    pub(crate) fn build(directory: &Path, destinations: usize) -> Result<Self, String> {
        assert!(destinations <= MOST, "there are addresses for {MOST} hosts");
        // The processes of this arena and no others, by the ids that they have in it.
        run(command("mount").args(["-t", "proc", "none", "/proc"]));
        run(command("ip").args(["address", "add", &format!("{HOSTS}.1/24"), "dev", "lo"]));
        let groups = Groups::make()?;
        let certificates = Certificates::new(&["mx.test"]);
        let zones: Vec<Zone> = (0..destinations)
            .map(|destination| signed(destination, &certificates.end_entity))
            .collect();
        eprintln!("signing {destinations} zones …");
        groups.names.enter();
        let tree = Tree::serve(directory, &zones);
        let resolver = Resolver::Validating.start(directory, &tree);
        groups.lab.enter();
        ask_for_all(directory, destinations);
        let sink = Sink::start(&certificates).map_err(|error| format!("the sink: {error}"))?;
        Ok(Self {
            directory: directory.to_owned(),
            groups,
            sink,
            sync_time: sync_time(directory),
            _tree: tree,
            _resolver: resolver,
        })
    }
}

fn signed(destination: usize, tlsa: &str) -> Zone {
    let records = [
        "@ MX 10 mx".to_owned(),
        format!("mx A {HOSTS}.{}", destination + 1),
        format!("_25._tcp.mx TLSA {tlsa}"),
    ];
    Zone::signed(&zone(destination), &records).lasting()
}

/// Fills the resolver's cache, so that the first relay does not pay for the others.
fn ask_for_all(directory: &Path, destinations: usize) {
    let questions: Vec<String> = (0..destinations)
        .map(zone)
        .map(|zone| format!("{zone} MX\nmx.{zone} A\nmx.{zone} AAAA\n_25._tcp.mx.{zone} TLSA\n"))
        .collect();
    let file = directory.join("questions");
    fs::write(&file, questions.concat()).unwrap();
    let server = format!("@{}", resolver::ADDRESS);
    let answers = run(command("dig")
        .arg(server)
        .args(["+dnssec", "+noquestion", "-f"])
        .arg(file));
    // The AD bit among the flags.
    let secure = answers
        .lines()
        .filter(|line| line.starts_with(";; flags:") && line.contains(" ad"));
    assert_eq!(secure.count(), 4 * destinations, "not every answer is secure");
}

/// The yardstick for all that is durable.
fn sync_time(directory: &Path) -> Duration {
    let mut file = File::create(directory.join("disk")).unwrap();
    let mut times: Vec<Duration> = (0..DISK_TRIALS)
        .map(|_| {
            let start = Instant::now();
            file.write_all(&[b'x'; 10_240]).unwrap();
            file.sync_data().unwrap();
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[DISK_TRIALS / 2]
}
