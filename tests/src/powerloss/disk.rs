//! The disk: what a file system is asked to do, and the loss of power.

use super::directory::{Directory, Inode};
use super::faults::{Fault, Faults, Operation, Ruling, Trap};
use super::file::{File, Tear};
use super::tree::{Kind, Node, Tree};
use fuser::Errno;
use parking_lot::{Mutex, MutexGuard};
use rand::rngs::StdRng;
use std::ffi::{OsStr, OsString};
use std::sync::Arc;

/// After so many removals, what nobody can see any more is dropped.
const SWEEP_EVERY: u64 = 256;
/// How the names of files end that processes map into their memory: `SQLite`'s index of its log.
const MAPPED: &str = "-shm";
/// The size of a block, in octets.
pub(super) const BLOCK: u64 = 4096;

/// A disk. Clones are the same disk.
#[derive(Clone, Debug)]
pub struct Disk(Arc<Mutex<State>>);

/// The disk while it does one thing.
#[derive(Debug)]
pub(super) struct State {
    tree: Tree,
    faults: Faults,
    limits: Limits,
    /// The place of the next change to a name.
    sequence: u64,
}

/// How much there may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Octets.
    pub(super) octets: u64,
    /// Files and directories.
    pub(super) inodes: u64,
}

/// What nothing here ever reaches.
const AMPLE: Limits = Limits {
    octets: 1 << 40,
    inodes: 1 << 30,
};

/// What is known of a file or directory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attributes {
    pub(super) inode: Inode,
    pub(super) size: u64,
    pub(super) is_directory: bool,
    pub(super) mode: u16,
    pub(super) links: u32,
    pub(super) is_mapped: bool,
}

impl Default for Disk {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(State {
            tree: Tree::new(),
            faults: Faults::default(),
            limits: AMPLE,
            sequence: 0,
        })))
    }
}

impl Disk {
    /// Takes the power away: from now on every operation fails.
    pub fn cut(&self) {
        self.lock().faults.set_off(true);
    }

    /// Restores the power: only what was synced is there, and some of the rest. Nobody may use the disk meanwhile.
    pub fn lose_power(&self, tear: Tear, chance: &mut StdRng) {
        let mut state = self.lock();
        let sequence = state.sequence;
        let tree = std::mem::replace(&mut state.tree, Tree::new());
        state.tree = tree.survivor(tear, sequence, chance);
        state.faults = Faults::default();
    }

    /// Continues after [`Disk::cut`] or a [`Trap`] as if the power had never been lost.
    pub fn go_on(&self) {
        self.lock().faults.set_off(false);
    }

    /// Makes operations fail until [`Disk::heal`].
    pub fn inject(&self, fault: Fault) {
        self.lock().faults.inject(fault);
    }

    /// Leaves this many octets and inodes free until [`Disk::heal`].
    pub fn leave_free(&self, octets: u64, inodes: u64) {
        let mut state = self.lock();
        let used = state.used();
        state.limits = Limits {
            octets: used.octets + octets,
            inodes: used.inodes + inodes,
        };
    }

    /// Ends what [`Disk::inject`] and [`Disk::leave_free`] began.
    pub fn heal(&self) {
        let mut state = self.lock();
        state.faults.heal();
        state.limits = AMPLE;
    }

    /// Lays a trap. When it has sprung, every operation fails until [`Disk::go_on`] or [`Disk::lose_power`].
    pub fn arm(&self, trap: Trap) {
        self.lock().faults.arm(trap);
    }

    /// Whether the trap is still waiting.
    pub fn is_armed(&self) -> bool {
        self.lock().faults.is_armed()
    }

    /// The disk is whole between operations, so that a failed assertion elsewhere leaves nothing half-done.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }
}

impl State {
    pub(super) fn attributes(&mut self, inode: Inode) -> Result<Attributes, Errno> {
        self.faults.powered()?;
        let node = self.tree.node(inode)?;
        Ok(Attributes {
            inode,
            size: node.size() as u64,
            is_directory: matches!(node.kind, Kind::Directory(_)),
            mode: node.mode,
            links: node.links,
            is_mapped: node.is_mapped,
        })
    }

    pub(super) fn look_up(&mut self, parent: Inode, name: &OsStr) -> Result<Attributes, Errno> {
        self.faults.powered()?;
        let found = self.tree.directory(parent)?.get(name).ok_or(Errno::ENOENT)?;
        self.attributes(found)
    }

    /// The names in a directory, and whether each is a directory.
    pub(super) fn list(&mut self, inode: Inode) -> Result<Vec<(OsString, Inode, bool)>, Errno> {
        self.faults.powered()?;
        let names = self.tree.directory(inode)?.names();
        let names: Vec<_> = names.map(|(name, inode)| (name.clone(), inode)).collect();
        names
            .into_iter()
            .map(|(name, inode)| Ok((name, inode, self.attributes(inode)?.is_directory)))
            .collect()
    }

    pub(super) fn open(&mut self, inode: Inode) -> Result<Attributes, Errno> {
        self.faults.powered()?;
        self.tree.node(inode)?.opened += 1;
        self.attributes(inode)
    }

    /// Closes what was opened, power or not.
    pub(super) fn close(&mut self, inode: Inode) {
        if let Ok(node) = self.tree.node(inode) {
            node.opened = node.opened.saturating_sub(1);
        }
    }

    pub(super) fn change_mode(&mut self, inode: Inode, mode: u16) -> Result<(), Errno> {
        self.faults.rule(Operation::Write)?;
        self.tree.node(inode)?.mode = mode;
        Ok(())
    }

    pub(super) fn read(&mut self, inode: Inode, offset: usize, size: usize) -> Result<&[u8], Errno> {
        self.rule(Operation::Read, inode)?;
        Ok(self.tree.file(inode)?.read(offset..offset.saturating_add(size)))
    }

    /// Writes, and says how many octets were taken.
    pub(super) fn write(&mut self, inode: Inode, offset: usize, data: &[u8]) -> Result<usize, Errno> {
        let taken = match self.rule(Operation::Write, inode)? {
            Ruling::Half => data.len().div_ceil(2),
            Ruling::Proceed | Ruling::Lie => data.len(),
        };
        let grown = (offset + taken).saturating_sub(self.tree.file(inode)?.len());
        let missing = grown.saturating_sub(self.free_octets());
        let taken = taken.saturating_sub(missing);
        if taken == 0 && !data.is_empty() {
            return Err(Errno::ENOSPC);
        }
        self.tree.file(inode)?.write(offset, &data[..taken]);
        Ok(taken)
    }

    pub(super) fn resize(&mut self, inode: Inode, length: usize) -> Result<(), Errno> {
        self.faults.rule(Operation::Write)?;
        let grown = length.saturating_sub(self.tree.file(inode)?.len());
        if grown > self.free_octets() {
            return Err(Errno::ENOSPC);
        }
        self.tree.file(inode)?.resize(length);
        Ok(())
    }

    /// Makes room up to `end`.
    pub(super) fn allocate(&mut self, inode: Inode, end: usize) -> Result<(), Errno> {
        let length = self.tree.file(inode)?.len().max(end);
        self.resize(inode, length)
    }

    pub(super) fn sync(&mut self, inode: Inode) -> Result<(), Errno> {
        match self.faults.rule(Operation::Sync) {
            Ok(Ruling::Proceed | Ruling::Half) => self.tree.file(inode)?.sync(),
            Ok(Ruling::Lie) => {}
            Err(errno) => {
                if self.faults.powered().is_ok() {
                    self.tree.file(inode)?.fail_sync();
                }
                return Err(errno);
            }
        }
        Ok(())
    }

    /// How often a sync of this file has failed.
    pub(super) fn failed_syncs(&mut self, inode: Inode) -> u64 {
        self.tree.file(inode).map_or(0, |file| file.failed_syncs())
    }

    pub(super) fn sync_directory(&mut self, inode: Inode) -> Result<(), Errno> {
        match self.faults.rule(Operation::SyncDirectory)? {
            Ruling::Proceed | Ruling::Half => self.tree.directory(inode)?.sync(),
            Ruling::Lie => {}
        }
        Ok(())
    }

    pub(super) fn make_file(&mut self, parent: Inode, name: &OsStr, mode: u16) -> Result<Attributes, Errno> {
        let mut node = Node::new(Kind::File(File::default()), mode);
        node.is_mapped = name.to_string_lossy().ends_with(MAPPED);
        self.make(parent, name, node)
    }

    pub(super) fn make_directory(
        &mut self,
        parent: Inode,
        name: &OsStr,
        mode: u16,
    ) -> Result<Attributes, Errno> {
        let directory = Kind::Directory(Directory::default());
        self.make(parent, name, Node::new(directory, mode))
    }

    fn make(&mut self, parent: Inode, name: &OsStr, node: Node) -> Result<Attributes, Errno> {
        self.faults.rule(Operation::Create)?;
        if self.tree.directory(parent)?.get(name).is_some() {
            return Err(Errno::EEXIST);
        }
        if self.used().inodes >= self.limits.inodes {
            return Err(Errno::ENOSPC);
        }
        let inode = self.tree.add(node);
        self.set_name(parent, name, Some(inode))?;
        self.attributes(inode)
    }

    /// Removes the name of a file, or of a directory that is empty.
    pub(super) fn remove(&mut self, parent: Inode, name: &OsStr) -> Result<(), Errno> {
        self.faults.rule(Operation::Remove)?;
        let inode = self.tree.directory(parent)?.get(name).ok_or(Errno::ENOENT)?;
        if let Kind::Directory(directory) = &self.tree.node(inode)?.kind
            && !directory.is_empty()
        {
            return Err(Errno::ENOTEMPTY);
        }
        self.set_name(parent, name, None)?;
        self.tree.node(inode)?.links -= 1;
        if self.sequence.is_multiple_of(SWEEP_EVERY) {
            self.tree.sweep();
        }
        Ok(())
    }

    /// Moves a name; `replace` says whether it may take the place of another.
    pub(super) fn rename(
        &mut self,
        from: (Inode, &OsStr),
        to: (Inode, &OsStr),
        replace: bool,
    ) -> Result<(), Errno> {
        self.faults.rule(Operation::Rename)?;
        let inode = self.tree.directory(from.0)?.get(from.1).ok_or(Errno::ENOENT)?;
        match self.tree.directory(to.0)?.get(to.1) {
            Some(_) if !replace => return Err(Errno::EEXIST),
            Some(replaced) => self.tree.node(replaced)?.links -= 1,
            None => {}
        }
        // One change: a loss of power finds the file under one of its names at least.
        self.tree.directory(to.0)?.set(self.sequence, to.1, Some(inode));
        self.set_name(from.0, from.1, None)
    }

    fn set_name(&mut self, parent: Inode, name: &OsStr, target: Option<Inode>) -> Result<(), Errno> {
        self.tree.directory(parent)?.set(self.sequence, name, target);
        self.sequence += 1;
        Ok(())
    }

    /// The limits, and what is free below them.
    pub(super) fn space(&mut self) -> Result<(Limits, Limits), Errno> {
        self.faults.powered()?;
        let used = self.used();
        let free = Limits {
            octets: self.limits.octets.saturating_sub(used.octets),
            inodes: self.limits.inodes.saturating_sub(used.inodes),
        };
        Ok((self.limits, free))
    }

    fn used(&self) -> Limits {
        let start = Limits { octets: 0, inodes: 0 };
        self.tree.visible().fold(start, |used, node| Limits {
            octets: used.octets + node.size() as u64,
            inodes: used.inodes + 1,
        })
    }

    fn free_octets(&self) -> usize {
        if self.limits.octets == AMPLE.octets {
            return usize::MAX;
        }
        let free = self.limits.octets.saturating_sub(self.used().octets);
        usize::try_from(free).unwrap_or(usize::MAX)
    }

    /// Rules over a read or a write.
    ///
    /// Faults do not concern what processes map into their memory: there, a failure would be one of the memory.
    fn rule(&mut self, operation: Operation, inode: Inode) -> Result<Ruling, Errno> {
        if self.tree.node(inode)?.is_mapped {
            self.faults.powered().map(|()| Ruling::Proceed)
        } else {
            self.faults.rule(operation)
        }
    }
}
