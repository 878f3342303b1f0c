//! A disk that can lose power: a file system in memory, behind a real mount.
//!
//! It keeps everything twice: as processes see it, and as it would be found after a loss of power. A write becomes
//! durable by a sync of its file, and a name (made, moved or removed) only by a sync of its directory; no sync makes
//! anything else durable on the way. When the power is lost, chance decides which of the unsynced sectors had reached
//! the disk, in any order, and how far the unsynced changes to names had come.
//!
//! 1. [`file`]: contents, and what is left of unsynced writes.
//! 2. [`directory`]: names, and what is left of unsynced changes to them.
//! 3. [`tree`]: inodes, and what of them is left after a loss of power.
//! 4. [`disk`]: what a file system is asked to do, in limits of space and inodes. [`Disk::cut`] and
//!    [`Disk::lose_power`] are the loss of power.
//! 5. [`faults`]: operations that fail, stop half-way or lie, and a process that is killed by one of its steps.
//! 6. [`files`]: the kernel's requests, and the disk's answers. [`mount`]: where the disk is mounted.
//!
//! It needs `/dev/fuse` and root: [`with_disks`] says what is missing.

mod directory;
mod disk;
mod faults;
mod file;
mod files;
mod mount;
mod tree;

pub use disk::Disk;
pub use faults::{Effect, Fault, Operation, Trap};
pub use file::Tear;
pub use mount::{Disks, Mounted, with_disks};
