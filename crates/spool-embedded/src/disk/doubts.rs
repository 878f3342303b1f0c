//! Deliveries that may or may not have taken place if the process crashes now.
//!
//! They are noted in a file, so that the next start can say how many there were, and which.
//!
//! The notes are written, but never synced: they survive the end of the process, which is the most frequent case, and cost
//! only a copy into the kernel's memory. A power loss may lose them; nothing but the count depends on them.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use mail::QueueId;
use mail::event::store::Failed;
use parking_lot::Mutex;
use spool::leases::Doubts;

use crate::telling::Teller;

/// Octets of a slot: the id, the number of recipients, and whether it is in use.
const SLOT: usize = 24;
/// In use; anything else is free.
const USED: [u8; 4] = *b"used";
/// The most slots; deliveries beyond that many at once are not noted.
const SLOTS: u32 = 65_536;

/// The file of deliveries in doubt.
#[derive(Debug)]
pub(crate) struct DoubtsFile {
    file: File,
    slots: Mutex<Slots>,
    /// This many slots at the front belong to the last process, until somebody has been told of them.
    before: AtomicU32,
    teller: Teller,
}

/// Which slots are free.
#[derive(Debug, Default)]
struct Slots {
    free: Vec<u32>,
    /// Slots that were given out so far.
    known: u32,
}

/// A delivery that was in doubt when the last process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Doubt {
    pub(crate) id: QueueId,
    /// How many recipients the delivery had.
    pub(crate) recipients: u32,
}

impl DoubtsFile {
    /// Opens the file, and returns what it contained; that is kept until [`DoubtsFile::told`].
    pub(crate) fn open(path: &Path, teller: Teller) -> io::Result<(Self, Vec<Doubt>)> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        let most = (SLOT as u64).saturating_mul(u64::from(SLOTS));
        let mut octets = Vec::new();
        (&mut file).take(most).read_to_end(&mut octets)?;
        let found: Vec<_> = octets.chunks_exact(SLOT).filter_map(read).collect();
        let before = if found.is_empty() {
            file.set_len(0)?;
            0
        } else {
            u32::try_from(octets.len().div_ceil(SLOT)).unwrap_or(SLOTS)
        };
        let slots = Slots {
            free: Vec::new(),
            known: before,
        };
        let doubts = Self {
            file,
            slots: Mutex::new(slots),
            before: AtomicU32::new(before),
            teller,
        };
        Ok((doubts, found))
    }

    /// The initial contents of the file have been reported, and are removed.
    pub(crate) fn told(&self) {
        for slot in 0..self.before.swap(0, Ordering::Relaxed) {
            self.clear(slot);
        }
    }
}

impl Doubts for DoubtsFile {
    fn note(&self, id: QueueId, recipients: u32) -> Option<u32> {
        let slot = self.slots.lock().take()?;
        let mut octets = Vec::with_capacity(SLOT);
        octets.extend_from_slice(&id.to_bytes());
        octets.extend_from_slice(&recipients.to_le_bytes());
        octets.extend_from_slice(&USED);
        match self.file.write_all_at(&octets, place(slot)) {
            Ok(()) => Some(slot),
            Err(error) => {
                self.teller.failed(Failed::NoteOfDoubt, &error);
                self.slots.lock().free.push(slot);
                None
            }
        }
    }

    fn clear(&self, slot: u32) {
        match self.file.write_all_at(&[0; SLOT], place(slot)) {
            Ok(()) => self.slots.lock().free.push(slot),
            Err(error) => self.teller.failed(Failed::EndOfDoubt, &error),
        }
    }
}

impl Slots {
    fn take(&mut self) -> Option<u32> {
        self.free.pop().or_else(|| {
            let slot = self.known;
            (slot < SLOTS).then(|| {
                self.known += 1;
                slot
            })
        })
    }
}

fn place(slot: u32) -> u64 {
    u64::from(slot).saturating_mul(SLOT as u64)
}

fn read(slot: &[u8]) -> Option<Doubt> {
    let (id, rest) = slot.split_first_chunk::<16>()?;
    let (recipients, rest) = rest.split_first_chunk::<4>()?;
    (rest == USED).then(|| Doubt {
        id: QueueId::from_bytes(*id),
        recipients: u32::from_le_bytes(*recipients),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use mail::NextHop;
    use spool::leases::LeaseTable;

    use super::*;

    #[test]
    fn what_was_not_cleared_is_found_until_it_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("in-doubt");
        let (doubts, before) = DoubtsFile::open(&path, Teller::nobody()).unwrap();
        assert_eq!(before, []);
        let ids = [QueueId::generate(), QueueId::generate(), QueueId::generate()];
        let slots = ids.map(|id| doubts.note(id, 7).unwrap());
        doubts.clear(slots[1]);
        let again = QueueId::generate();
        assert_eq!(doubts.note(again, 1), Some(slots[1]), "a slot is used again");
        doubts.clear(slots[0]);
        drop(doubts);
        let (doubts, found) = DoubtsFile::open(&path, Teller::nobody()).unwrap();
        let expected = [(again, 1), (ids[2], 7)].map(|(id, recipients)| Doubt { id, recipients });
        assert_eq!(found, expected);
        // New notes do not overwrite the old ones until these are reported.
        let new = doubts.note(QueueId::generate(), 1).unwrap();
        doubts.clear(new);
        assert_eq!(DoubtsFile::open(&path, Teller::nobody()).unwrap().1, expected);
        doubts.told();
        assert_eq!(DoubtsFile::open(&path, Teller::nobody()).unwrap().1, []);
    }

    #[test]
    fn a_doubt_goes_when_it_is_settled_and_stays_otherwise() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("in-doubt");
        let table = LeaseTable::noting(Arc::new(DoubtsFile::open(&path, Teller::nobody()).unwrap().0));
        let hop: NextHop = "b.example".parse().unwrap();
        let ids = [QueueId::generate(), QueueId::generate(), QueueId::generate()];
        let [settled, dropped, sure] = ids.map(|id| table.take(id, &hop).unwrap());
        settled.in_doubt(2);
        dropped.in_doubt(3);
        dropped.in_doubt(3);
        settled.settled();
        drop((dropped, sure));
        let found = DoubtsFile::open(&path, Teller::nobody()).unwrap().1;
        let found: Vec<_> = found.iter().map(|doubt| (doubt.id, doubt.recipients)).collect();
        assert_eq!(found, [(ids[1], 3)]);
    }

    #[test]
    fn a_file_cut_short_is_read_as_far_as_it_goes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("in-doubt");
        let (doubts, _) = DoubtsFile::open(&path, Teller::nobody()).unwrap();
        let id = QueueId::generate();
        doubts.note(id, 1).unwrap();
        doubts.note(QueueId::generate(), 1).unwrap();
        let length = SLOT as u64 * 2 - 1;
        doubts.file.set_len(length).unwrap();
        let found = DoubtsFile::open(&path, Teller::nobody()).unwrap().1;
        assert_eq!(found.iter().map(|doubt| doubt.id).collect::<Vec<_>>(), [id]);
    }
}
