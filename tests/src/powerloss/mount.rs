//! Where a disk is mounted.

use super::disk::Disk;
use super::files::Files;
use crate::process::{command, output, words};
use fuser::{BackgroundSession, Config, MountOption};
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

/// Why no disk can be mounted here, if that is so.
pub fn unavailable() -> Option<String> {
    let device = OpenOptions::new().read(true).write(true).open("/dev/fuse");
    if let Err(error) = device {
        return Some(format!("/dev/fuse cannot be opened: {error}"));
    }
    let root = rustix::process::geteuid().is_root();
    (!root).then(|| "only root can mount a file system".to_owned())
}

/// A disk in its place; taken away when this is dropped.
pub struct Mounted {
    place: PathBuf,
    session: Option<BackgroundSession>,
}

impl Mounted {
    /// Mounts the disk on the directory `place`.
    pub fn new(disk: &Disk, place: &Path) -> Self {
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("powerloss".to_owned()), MountOption::NoAtime];
        let session = fuser::spawn_mount(Files::new(disk), place, &config)
            .unwrap_or_else(|error| panic!("cannot mount on {}: {error}", place.display()));
        Self {
            place: place.to_owned(),
            session: Some(session),
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // What a dead process had open may be closed only a moment later: the requests end when the last of it is.
        let unmounted = output(command("umount").arg("--lazy").arg(&self.place));
        let session = self.session.take().expect("dropped once");
        let ended = unmounted.status.success() && session.join().is_ok();
        // A test that fails already is not to fail for this as well.
        assert!(
            ended || std::thread::panicking(),
            "cannot unmount: {}",
            words(&unmounted)
        );
    }
}
