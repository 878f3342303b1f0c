//! All files and directories, and what of them is left after a loss of power.

use super::directory::{Directory, Inode};
use super::file::{File, Tear};
use fuser::Errno;
use rand::RngExt;
use rand::rngs::StdRng;
use std::collections::{BTreeMap, BTreeSet};

/// The root directory.
pub(super) const ROOT: Inode = 1;

/// A file or directory with what is known of it.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// Permissions.
    pub(super) mode: u16,
    /// How many names are seen.
    pub(super) links: u32,
    /// How often it is open.
    pub(super) opened: u32,
    /// Whether processes map it into their memory.
    pub(super) is_mapped: bool,
}

#[derive(Debug)]
pub(super) enum Kind {
    File(File),
    Directory(Directory),
}

/// The inodes.
#[derive(Debug)]
pub(super) struct Tree {
    nodes: BTreeMap<Inode, Node>,
    next: Inode,
}

impl Node {
    pub(super) fn new(kind: Kind, mode: u16) -> Self {
        Self {
            kind,
            mode,
            links: 1,
            opened: 0,
            is_mapped: false,
        }
    }

    /// Octets of content.
    pub(super) fn size(&self) -> usize {
        match &self.kind {
            Kind::File(file) => file.len(),
            Kind::Directory(_) => 0,
        }
    }

    /// Whether nobody can see it any more.
    pub(super) fn is_gone(&self) -> bool {
        self.links == 0 && self.opened == 0
    }
}

impl Tree {
    pub(super) fn new() -> Self {
        let root = Node::new(Kind::Directory(Directory::default()), 0o755);
        Self {
            nodes: BTreeMap::from([(ROOT, root)]),
            next: ROOT + 1,
        }
    }

    pub(super) fn add(&mut self, node: Node) -> Inode {
        let inode = self.next;
        self.next += 1;
        self.nodes.insert(inode, node);
        inode
    }

    pub(super) fn node(&mut self, inode: Inode) -> Result<&mut Node, Errno> {
        self.nodes.get_mut(&inode).ok_or(Errno::ENOENT)
    }

    pub(super) fn file(&mut self, inode: Inode) -> Result<&mut File, Errno> {
        match &mut self.node(inode)?.kind {
            Kind::File(file) => Ok(file),
            Kind::Directory(_) => Err(Errno::EISDIR),
        }
    }

    pub(super) fn directory(&mut self, inode: Inode) -> Result<&mut Directory, Errno> {
        match &mut self.node(inode)?.kind {
            Kind::Directory(directory) => Ok(directory),
            Kind::File(_) => Err(Errno::ENOTDIR),
        }
    }

    /// Those that can be seen.
    pub(super) fn visible(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values().filter(|node| !node.is_gone())
    }

    /// Forgets what nobody can see any more and no loss of power can bring back.
    pub(super) fn sweep(&mut self) {
        let possible: BTreeSet<Inode> = self
            .nodes
            .values()
            .flat_map(|node| match &node.kind {
                Kind::Directory(directory) => directory.possible().collect(),
                Kind::File(_) => Vec::new(),
            })
            .collect();
        self.nodes
            .retain(|inode, node| *inode == ROOT || !node.is_gone() || possible.contains(inode));
    }

    /// What is found after a loss of power; `now` is the place of the next change to a name.
    pub(super) fn survivor(self, tear: Tear, now: u64, chance: &mut StdRng) -> Self {
        let unsynced = self.nodes.values().filter_map(|node| match &node.kind {
            Kind::Directory(directory) => directory.oldest_unsynced(),
            Kind::File(_) => None,
        });
        let horizon = chance.random_range(unsynced.min().unwrap_or(now)..=now);
        let survivors = self.nodes.into_iter().map(|(inode, node)| {
            let kind = match node.kind {
                Kind::File(file) => Kind::File(file.survivor(tear, chance)),
                Kind::Directory(directory) => Kind::Directory(directory.survivor(horizon)),
            };
            let found = Node {
                links: 0,
                is_mapped: node.is_mapped,
                ..Node::new(kind, node.mode)
            };
            (inode, found)
        });
        let mut tree = Self {
            nodes: survivors.collect(),
            next: self.next,
        };
        tree.count_links();
        tree.sweep();
        tree
    }

    /// Counts the names of what can be reached from the root.
    fn count_links(&mut self) {
        let mut unread = vec![ROOT];
        while let Some(inode) = unread.pop() {
            let node = self.nodes.get_mut(&inode).expect("a name leads to an inode");
            node.links += 1;
            if let Kind::Directory(directory) = &node.kind {
                unread.extend(directory.names().map(|(_, inode)| inode));
            }
        }
    }
}
