//! Where a disk is mounted.
//!
//! A mount is copied into every mount namespace that is made while it is there, by whomever, and a file system ends
//! with the last of its mounts. So disks are mounted in a namespace of their own, which nobody copies, and their
//! connections to the kernel are aborted, which ends them however many mounts are left.

use super::disk::Disk;
use super::files::Files;
use crate::namespaces;
use crate::process::{command, find, output, run, words};
use fuser::{BackgroundSession, Config, MountOption};
use rustix::fs::minor;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Plays `story` where disks can be mounted; says why, and does nothing, where that cannot be. `test` is the name of the
/// calling test function.
pub fn with_disks(test: &str, story: impl FnOnce(&Disks)) {
    if !namespaces::are_own()
        && let Some(reason) = unavailable()
    {
        eprintln!("{test}: skipped, because {reason}");
        return;
    }
    namespaces::run(test, &["--mount"], |directory| story(&Disks::prepare(directory)));
}

/// Why no disk can be mounted here, if that is so.
fn unavailable() -> Option<String> {
    let device = OpenOptions::new().read(true).write(true).open("/dev/fuse");
    if let Err(error) = device {
        return Some(format!("/dev/fuse cannot be opened: {error}"));
    }
    if !rustix::process::geteuid().is_root() {
        return Some("only root can mount a file system".to_owned());
    }
    let missing = ["unshare", "mount"].into_iter().find(|name| find(name).is_none());
    missing.map(|name| format!("{name} is not installed"))
}

/// The namespace in which disks can be mounted.
pub struct Disks {
    /// Where the kernel shows its connections to file systems, a directory each.
    connections: PathBuf,
}

impl Disks {
    fn prepare(directory: &Path) -> Self {
        let connections = directory.join("connections");
        fs::create_dir(&connections).unwrap();
        run(command("mount")
            .args(["-t", "fusectl", "fusectl"])
            .arg(&connections));
        Self { connections }
    }

    /// Mounts the disk on the directory `place`.
    pub fn mount(&self, disk: &Disk, place: &Path) -> Mounted {
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("powerloss".to_owned()), MountOption::NoAtime];
        let session = fuser::spawn_mount(Files::new(disk), place, &config)
            .unwrap_or_else(|error| panic!("cannot mount on {}: {error}", place.display()));
        // A connection has the number of its file system's device.
        let number = minor(fs::metadata(place).expect("a new disk works").dev());
        Mounted {
            place: place.to_owned(),
            abort: self.connections.join(number.to_string()).join("abort"),
            session: Some(session),
        }
    }
}

/// A disk in its place; taken away when this is dropped.
pub struct Mounted {
    place: PathBuf,
    /// Whatever is written there aborts the connection.
    abort: PathBuf,
    session: Option<BackgroundSession>,
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // While the disk is mounted nobody else's can have its number.
        let aborted = fs::write(&self.abort, "1");
        let unmounted = output(command("umount").arg("--lazy").arg(&self.place));
        let session = self.session.take().expect("dropped once");
        let ended = aborted.is_ok() && unmounted.status.success();
        if ended {
            // Whoever was answering as the connection was aborted calls that an error.
            let _ = session.join();
        }
        // A test that is already failing must not fail because of this as well.
        assert!(
            ended || std::thread::panicking(),
            "cannot end the disk: {aborted:?}, {}",
            words(&unmounted)
        );
    }
}
