//! The kernel's requests, and the disk's answers.

use super::directory::Inode;
use super::disk::{Attributes, BLOCK, Disk};
use fuser::{
    BsdFileFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo,
    LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty,
    ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long the kernel may believe what it was told: nobody else changes this disk.
const BELIEVED: Duration = Duration::from_hours(1);

/// Names of an open directory, as they were when it was opened: they may be removed while they are read.
type Listing = Vec<(OsString, Inode, bool)>;

/// The disk's side of the requests.
pub(super) struct Files {
    disk: Disk,
    listings: Mutex<HashMap<u64, Listing>>,
    /// Of each open file, how many failed syncs its holder knows of or was not there for. As on Linux, whoever had the
    /// file open hears of a failure once, whoever's sync it was.
    told: Mutex<HashMap<u64, u64>>,
    next_handle: AtomicU64,
}

impl Files {
    pub(super) fn new(disk: &Disk) -> Self {
        Self {
            disk: disk.clone(),
            listings: Mutex::default(),
            told: Mutex::default(),
            next_handle: AtomicU64::new(1),
        }
    }

    fn told<T>(&self, act: impl FnOnce(&mut HashMap<u64, u64>) -> T) -> T {
        act(&mut self.told.lock())
    }

    /// A handle for a file that was opened.
    fn handle(&self, failed_syncs: u64) -> FileHandle {
        let handle = self.next_handle.fetch_add(1, Ordering::Relaxed);
        self.told(|told| told.insert(handle, failed_syncs));
        FileHandle(handle)
    }

    fn listings<T>(&self, act: impl FnOnce(&mut HashMap<u64, Listing>) -> T) -> T {
        act(&mut self.listings.lock())
    }
}

fn shown(attributes: Attributes) -> FileAttr {
    FileAttr {
        ino: INodeNo(attributes.inode),
        size: attributes.size,
        blocks: attributes.size.div_ceil(512),
        atime: UNIX_EPOCH,
        mtime: UNIX_EPOCH,
        ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH,
        kind: kind(attributes.is_directory),
        perm: attributes.mode,
        nlink: attributes.links,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: 4096,
        flags: 0,
    }
}

fn kind(is_directory: bool) -> FileType {
    if is_directory {
        FileType::Directory
    } else {
        FileType::RegularFile
    }
}

/// What is cached of a file is read anew after each opening, so that reads can fail; mapped pages stay.
fn caching(attributes: Attributes) -> FopenFlags {
    if attributes.is_mapped {
        FopenFlags::FOPEN_KEEP_CACHE
    } else {
        FopenFlags::empty()
    }
}

/// The permissions in a mode.
fn permissions(mode: u32) -> u16 {
    u16::try_from(mode & 0o7777).expect("twelve bits")
}

/// An offset or size as an index: what a process can address.
fn index(number: u64) -> Result<usize, Errno> {
    usize::try_from(number).map_err(|_| Errno::EFBIG)
}

fn entry(found: Result<Attributes, Errno>, reply: ReplyEntry) {
    match found {
        Ok(attributes) => reply.entry(&BELIEVED, &shown(attributes), Generation(0)),
        Err(errno) => reply.error(errno),
    }
}

fn empty(done: Result<(), Errno>, reply: ReplyEmpty) {
    match done {
        Ok(()) => reply.ok(),
        Err(errno) => reply.error(errno),
    }
}

impl Filesystem for Files {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        entry(self.disk.lock().look_up(parent.0, name), reply);
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.disk.lock().attributes(inode.0) {
            Ok(attributes) => reply.attr(&BELIEVED, &shown(attributes)),
            Err(errno) => reply.error(errno),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        inode: INodeNo,
        mode: Option<u32>,
        _uid: Option<u32>,
        _gid: Option<u32>,
        size: Option<u64>,
        _atime: Option<TimeOrNow>,
        _mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        _: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let mut disk = self.disk.lock();
        let changed = mode
            .map_or(Ok(()), |mode| disk.change_mode(inode.0, permissions(mode)))
            .and_then(|()| size.map_or(Ok(()), |size| disk.resize(inode.0, index(size)?)))
            .and_then(|()| disk.attributes(inode.0));
        match changed {
            Ok(attributes) => reply.attr(&BELIEVED, &shown(attributes)),
            Err(errno) => reply.error(errno),
        }
    }

    fn mkdir(&self, _: &Request, parent: INodeNo, name: &OsStr, mode: u32, _: u32, reply: ReplyEntry) {
        let mut disk = self.disk.lock();
        entry(disk.make_directory(parent.0, name, permissions(mode)), reply);
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        empty(self.disk.lock().remove(parent.0, name), reply);
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        empty(self.disk.lock().remove(parent.0, name), reply);
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        if flags.contains(RenameFlags::RENAME_EXCHANGE) {
            return reply.error(Errno::EINVAL);
        }
        let replace = !flags.contains(RenameFlags::RENAME_NOREPLACE);
        let mut disk = self.disk.lock();
        empty(
            disk.rename((parent.0, name), (new_parent.0, new_name), replace),
            reply,
        );
    }

    fn open(&self, _: &Request, inode: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        let mut disk = self.disk.lock();
        match disk.open(inode.0) {
            Ok(attributes) => {
                let handle = self.handle(disk.failed_syncs(inode.0));
                reply.opened(handle, caching(attributes));
            }
            Err(errno) => reply.error(errno),
        }
    }

    fn create(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        let mut disk = self.disk.lock();
        let file = disk.make_file(parent.0, name, permissions(mode));
        match file.and_then(|file| disk.open(file.inode)) {
            Ok(file) => {
                reply.created(
                    &BELIEVED,
                    &shown(file),
                    Generation(0),
                    self.handle(disk.failed_syncs(file.inode)),
                    caching(file),
                );
            }
            Err(errno) => reply.error(errno),
        }
    }

    fn read(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let mut disk = self.disk.lock();
        let offset = index(offset);
        let read = offset.and_then(|offset| disk.read(inode.0, offset, size as usize));
        match read {
            Ok(octets) => reply.data(octets),
            Err(errno) => reply.error(errno),
        }
    }

    fn write(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let mut disk = self.disk.lock();
        let offset = index(offset);
        match offset.and_then(|offset| disk.write(inode.0, offset, data)) {
            Ok(taken) => reply.written(u32::try_from(taken).expect("not more than was asked")),
            Err(errno) => reply.error(errno),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn release(
        &self,
        _: &Request,
        inode: INodeNo,
        handle: FileHandle,
        _: OpenFlags,
        _: Option<LockOwner>,
        _: bool,
        reply: ReplyEmpty,
    ) {
        self.told(|told| told.remove(&handle.0));
        self.disk.lock().close(inode.0);
        reply.ok();
    }

    fn fsync(&self, _: &Request, inode: INodeNo, handle: FileHandle, _: bool, reply: ReplyEmpty) {
        let mut disk = self.disk.lock();
        let synced = disk.sync(inode.0);
        let failures = disk.failed_syncs(inode.0);
        let told = self.told(|told| told.insert(handle.0, failures));
        let is_news = told.is_some_and(|told| told < failures);
        empty(synced.and(if is_news { Err(Errno::EIO) } else { Ok(()) }), reply);
    }

    fn opendir(&self, _: &Request, inode: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        match self.disk.lock().list(inode.0) {
            Ok(listing) => {
                let handle = self.next_handle.fetch_add(1, Ordering::Relaxed);
                self.listings(|listings| listings.insert(handle, listing));
                reply.opened(FileHandle(handle), FopenFlags::empty());
            }
            Err(errno) => reply.error(errno),
        }
    }

    fn readdir(&self, _: &Request, _: INodeNo, handle: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        self.listings(|listings| {
            let listing = listings.get(&handle.0).map_or(&[][..], Vec::as_slice);
            let rest = index(offset).ok().and_then(|offset| listing.get(offset..));
            for (next, (name, inode, is_directory)) in (offset + 1..).zip(rest.unwrap_or_default()) {
                if reply.add(INodeNo(*inode), next, kind(*is_directory), name) {
                    break;
                }
            }
        });
        reply.ok();
    }

    fn releasedir(&self, _: &Request, _: INodeNo, handle: FileHandle, _: OpenFlags, reply: ReplyEmpty) {
        self.listings(|listings| listings.remove(&handle.0));
        reply.ok();
    }

    fn fsyncdir(&self, _: &Request, inode: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        empty(self.disk.lock().sync_directory(inode.0), reply);
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        match self.disk.lock().space() {
            Ok((limits, free)) => {
                let (all, free_blocks) = (limits.octets / BLOCK, free.octets / BLOCK);
                reply.statfs(
                    all,
                    free_blocks,
                    free_blocks,
                    limits.inodes,
                    free.inodes,
                    4096,
                    255,
                    4096,
                );
            }
            Err(errno) => reply.error(errno),
        }
    }

    fn fallocate(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        if mode != 0 {
            return reply.error(Errno::EOPNOTSUPP);
        }
        let end = index(offset.saturating_add(length));
        empty(end.and_then(|end| self.disk.lock().allocate(inode.0, end)), reply);
    }
}
