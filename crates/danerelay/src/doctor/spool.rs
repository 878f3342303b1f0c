//! The file system of the spool: whether it keeps what it has synced, and has room.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rustix::fs::{StatFs, statfs, statvfs};
use settings_file::Size;
use spool::{Ledger as _, LedgerRoom};
use tokio::time::Instant;

use super::finding::{Finding, Level, Subject};
use crate::access::words;
use crate::config::Loaded;
use crate::wiring;

/// How long a sync should take at most: with more, less than ten messages a second can be taken by one client.
const SLOW: Duration = Duration::from_millis(100);
/// Each message needs a file if it is large.
const FEW_INODES: u64 = 10_000;
/// The log of the queue may have 192 MiB.
const LITTLE: Size = Size(256 << 20);

pub(super) fn examine(loaded: &Loaded) -> Vec<Finding> {
    let spool = &loaded.config.spool.path;
    let place = existing(spool);
    let mut findings = Vec::new();
    match statfs(&place) {
        Ok(found) => findings.push(kind(spool, &found)),
        Err(error) => findings.push(unknown(spool, &words(&error.into()))),
    }
    findings.extend(room(spool, &place, loaded.config.limits.spool_free));
    findings.push(match synced(&place) {
        Ok(took) if took <= SLOW => Finding::ok(
            Subject::Spool,
            format!("a file and its name are on disk after {} ms", took.as_millis()),
        ),
        Ok(took) => Finding::new(
            Subject::Spool,
            Level::Warn,
            format!(
                "it takes {} ms until a file and its name are on disk",
                took.as_millis()
            ),
            "no message is accepted before that: use a faster disk, or one with a protected cache",
        ),
        Err(error) => unknown(spool, &format!("syncing was not tried: {}", words(&error))),
    });
    findings
}

/// Whether reports can name new domains. A spool that is not there, or cannot be read, is not looked at.
pub(super) async fn ledger(loaded: &Loaded) -> Option<Finding> {
    let spool = wiring::store::open_to_look(&loaded.config).ok()?;
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    of_room(spool.room(today).await.ok()?)
}

fn of_room(room: LedgerRoom) -> Option<Finding> {
    let LedgerRoom {
        outcomes,
        most,
        new,
        most_new,
    } = room;
    let full = if outcomes >= most {
        format!("the ledger has {outcomes} outcomes by domain and host, the most that it keeps")
    } else if new >= most_new {
        format!("{new} outcomes by domain and host are new in the ledger today, the most of one day")
    } else {
        return None;
    };
    Some(Finding::new(
        Subject::Spool,
        Level::Warn,
        format!("{full}: deliveries to new domains are counted without them"),
        "reports do not name these domains: a shorter `report.keep` makes room",
    ))
}

/// The spool, or where it would be made.
fn existing(spool: &Path) -> PathBuf {
    let mut places = spool.ancestors();
    let found = places.find(|place| place.is_dir());
    found.unwrap_or(Path::new("/")).to_owned()
}

/// File systems that matter, by their numbers (`statfs(2)`).
fn kind(spool: &Path, found: &StatFs) -> Finding {
    let shown = spool.display();
    #[allow(
        clippy::cast_sign_loss,
        clippy::cast_possible_truncation,
        reason = "the numbers have 32 bits"
    )]
    let number = found.f_type as u32;
    let (name, trouble) = match number {
        0x0102_1994 => (
            "tmpfs",
            Some("it is memory: mail that was accepted is lost when the machine stops"),
        ),
        0x8584_58f6 => (
            "ramfs",
            Some("it is memory: mail that was accepted is lost when the machine stops"),
        ),
        0x6969 => (
            "NFS",
            Some("locks and syncs of a file system on a network cannot be relied on"),
        ),
        0xff53_4d42 | 0xfe53_4d42 | 0x517b => (
            "SMB",
            Some("locks and syncs of a file system on a network cannot be relied on"),
        ),
        0x0102_1997 => (
            "9p",
            Some("locks and syncs of a file system on a network cannot be relied on"),
        ),
        0x6573_5546 => (
            "FUSE",
            Some("whether it keeps what was synced depends on the program behind it"),
        ),
        0xef53 => ("ext4", None),
        0x5846_5342 => ("XFS", None),
        0x9123_683e => ("Btrfs", None),
        0x2fc1_2fc1 => ("ZFS", None),
        0x794c_7630 => (
            "overlayfs",
            Some("what is written to it goes with the container: mount a volume"),
        ),
        0xf2f5_2010 => ("F2FS", None),
        _ => ("an unusual file system", None),
    };
    match trouble {
        None => Finding::ok(Subject::Spool, format!("{shown} is on {name}")),
        Some(trouble) => {
            let level = match number {
                0x0102_1994 | 0x8584_58f6 => Level::Bad,
                _ => Level::Warn,
            };
            let mend = "put the spool on a local disk (`spool.path`)";
            Finding::new(
                Subject::Spool,
                level,
                format!("{shown} is on {name}: {trouble}"),
                mend,
            )
        }
    }
}

/// Octets and files that are left.
fn room(spool: &Path, place: &Path, kept: Size) -> Vec<Finding> {
    let Ok(disk) = statvfs(place) else {
        return Vec::new();
    };
    let left = Size(disk.f_bavail.saturating_mul(disk.f_frsize));
    let shown = spool.display();
    let mut findings = Vec::new();
    let shown_left = format!("{} MiB", left.0 / (1024 * 1024));
    if left < kept {
        findings.push(Finding::new(
            Subject::Spool,
            Level::Bad,
            format!("{shown} has {shown_left} left, and `limits.spool_free` is {kept}: no mail is taken"),
            "make room, or move the spool to a larger disk",
        ));
    } else {
        findings.push(Finding::ok(
            Subject::Spool,
            format!("{shown_left} are free, and {kept} are kept free"),
        ));
    }
    if kept < LITTLE {
        findings.push(Finding::new(
            Subject::Spool,
            Level::Warn,
            format!("`limits.spool_free` is {kept}: on a full disk the queue's log may need more to record deliveries"),
            "set it to \"256 MiB\" or more",
        ));
    }
    // Some file systems have as many as fit, and say 0.
    if disk.f_files > 0 && disk.f_favail < FEW_INODES {
        findings.push(Finding::new(
            Subject::Spool,
            Level::Warn,
            format!("{} more files can be made on the disk of {shown}", disk.f_favail),
            "large messages need a file each: remove files, or make the file system anew with more inodes",
        ));
    }
    findings
}

/// How long it takes until a new file and its name are on disk. The file is removed again.
fn synced(place: &Path) -> io::Result<Duration> {
    let began = Instant::now();
    let mut file = tempfile::Builder::new().prefix(".doctor-").tempfile_in(place)?;
    file.write_all(b"danerelay doctor\n")?;
    file.as_file().sync_all()?;
    File::open(place)?.sync_all()?;
    Ok(began.elapsed())
}

fn unknown(spool: &Path, reason: &str) -> Finding {
    Finding::new(
        Subject::Spool,
        Level::Unknown,
        format!("{}: {reason}", spool.display()),
        "run this as the user that serves: sudo -u danerelay danerelay doctor",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_ledger_is_told_with_its_bound() {
        let room = |outcomes, new| LedgerRoom {
            outcomes,
            most: 4_000_000,
            new,
            most_new: 1_000_000,
        };
        assert!(of_room(room(3_999_999, 999_999)).is_none());
        for (room, words) in [
            (room(4_000_000, 0), "the ledger has 4000000 outcomes"),
            (
                room(2_000_000, 1_000_000),
                "1000000 outcomes by domain and host are new",
            ),
        ] {
            assert!(room.is_full());
            let found = of_room(room).map(|finding| (finding.result, finding.found));
            assert!(
                matches!(&found, Some((Level::Warn, text)) if text.contains(words)),
                "{found:?}"
            );
        }
    }
}
