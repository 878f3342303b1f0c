//! The disk is not affected by whatever else the machine does.

use danerelay_tests::powerloss::{Disk, Disks, Mounted, with_disks};
use danerelay_tests::process::{Daemon, command};
use danerelay_tests::wait;
use std::fs;
use tempfile::{NamedTempFile, TempDir};

fn mounted(disks: &Disks) -> (TempDir, Mounted) {
    let place = tempfile::tempdir().unwrap();
    let mounted = disks.mount(&Disk::default(), place.path());
    (place, mounted)
}

/// A mount namespace made elsewhere gets no copy of the mount.
#[test]
fn nobody_else_has_the_disk() {
    with_disks("alone::nobody_else_has_the_disk", |disks| {
        let (place, _mounted) = mounted(disks);
        let parent = rustix::process::getppid()
            .expect("this test was started")
            .as_raw_nonzero();
        let is_mounted = |process: &str| {
            let mounts = fs::read_to_string(format!("/proc/{process}/mountinfo")).unwrap();
            mounts.contains(place.path().to_str().unwrap())
        };
        assert!(is_mounted("self"));
        assert!(!is_mounted(&parent.to_string()));
    });
}

/// Even a namespace that has a copy does not keep the disk alive.
#[test]
fn a_disk_ends_while_a_copy_of_its_mount_lives() {
    with_disks("alone::a_disk_ends_while_a_copy_of_its_mount_lives", |disks| {
        let (_place, mounted) = mounted(disks);
        let log = NamedTempFile::new().unwrap();
        let mut copy = Daemon::start(
            command("unshare").args(["--mount", "sleep", "infinity"]),
            log.path(),
        );
        let ours = fs::read_link("/proc/self/ns/mnt").unwrap();
        let theirs = format!("/proc/{}/ns/mnt", copy.id());
        wait::until("the copy", || {
            (fs::read_link(&theirs).unwrap() != ours).then_some(())
        });
        let end = std::thread::spawn(move || drop(mounted));
        wait::until("the end of the disk", || end.is_finished().then_some(()));
        end.join().unwrap();
        assert!(!copy.has_ended());
    });
}
