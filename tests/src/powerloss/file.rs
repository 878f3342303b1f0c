//! The content of a file: as processes see it, and as it is durable.

use rand::RngExt;
use rand::rngs::StdRng;
use std::ops::Range;

/// How much of what was not synced reaches the disk when the power is lost.
#[derive(Clone, Copy, Debug)]
pub struct Tear {
    /// Octets that reach the disk together or not at all.
    pub sector: usize,
    /// The chance of each sector of each write, in 0..=1.
    pub kept: f64,
}

impl Tear {
    /// One of the ways in which power is lost: nothing more is written, everything is, or anything between.
    pub fn any(chance: &mut StdRng) -> Self {
        let kept = [0.0, 0.1, 0.5, 0.9, 1.0];
        Self {
            sector: [512, 4096][chance.random_range(0..2)],
            kept: kept[chance.random_range(0..kept.len())],
        }
    }
}

/// One file.
#[derive(Debug, Default)]
pub(super) struct File {
    seen: Vec<u8>,
    durable: Vec<u8>,
    /// In the order in which they were made.
    unsynced: Vec<Change>,
    failed_syncs: u64,
}

#[derive(Debug)]
enum Change {
    Write { offset: usize, data: Vec<u8> },
    Resize(usize),
}

impl File {
    pub(super) fn len(&self) -> usize {
        self.seen.len()
    }

    /// What there is of this range.
    pub(super) fn read(&self, range: Range<usize>) -> &[u8] {
        let end = range.end.min(self.seen.len());
        &self.seen[range.start.min(end)..end]
    }

    pub(super) fn write(&mut self, offset: usize, data: &[u8]) {
        overwrite(&mut self.seen, offset, data);
        let data = data.to_vec();
        self.unsynced.push(Change::Write { offset, data });
    }

    pub(super) fn resize(&mut self, length: usize) {
        resize(&mut self.seen, length);
        self.unsynced.push(Change::Resize(length));
    }

    pub(super) fn sync(&mut self) {
        for change in self.unsynced.drain(..) {
            match change {
                Change::Write { offset, data } => overwrite(&mut self.durable, offset, &data),
                Change::Resize(length) => resize(&mut self.durable, length),
            }
        }
    }

    /// A sync that fails: the data waiting for it is given up, and no later sync writes it to the disk. Linux does the same:
    /// it takes the pages for clean once it has reported the failure.
    pub(super) fn fail_sync(&mut self) {
        self.unsynced.clear();
        self.failed_syncs += 1;
    }

    /// How often a sync has failed.
    pub(super) fn failed_syncs(&self) -> u64 {
        self.failed_syncs
    }

    /// The state found after a loss of power; it is durable then.
    pub(super) fn survivor(mut self, tear: Tear, chance: &mut StdRng) -> Self {
        let mut kept = || chance.random_bool(tear.kept);
        for change in self.unsynced {
            match change {
                Change::Write { offset, data } => {
                    for sector in sectors(offset, data.len(), tear.sector).filter(|_| kept()) {
                        let piece = &data[sector.start - offset..sector.end - offset];
                        overwrite(&mut self.durable, sector.start, piece);
                    }
                }
                Change::Resize(length) if kept() => resize(&mut self.durable, length),
                Change::Resize(_) => {}
            }
        }
        Self {
            seen: self.durable.clone(),
            durable: self.durable,
            unsynced: Vec::new(),
            failed_syncs: 0,
        }
    }
}

/// The parts of a write that lie in one sector each.
fn sectors(offset: usize, length: usize, sector: usize) -> impl Iterator<Item = Range<usize>> {
    let end = offset + length;
    let first = offset / sector;
    (first..end.div_ceil(sector))
        .map(move |number| (number * sector).max(offset)..((number + 1) * sector).min(end))
}

fn overwrite(content: &mut Vec<u8>, offset: usize, data: &[u8]) {
    if content.len() < offset {
        resize(content, offset);
    }
    let over = data.len().min(content.len() - offset);
    content[offset..offset + over].copy_from_slice(&data[..over]);
    content.extend_from_slice(&data[over..]);
}

fn resize(content: &mut Vec<u8>, length: usize) {
    content.truncate(length);
    content.extend_from_slice(&vec![0; length - content.len()]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn survivor(file: File, kept: f64) -> Vec<u8> {
        let tear = Tear { sector: 512, kept };
        file.survivor(tear, &mut StdRng::seed_from_u64(1)).seen
    }

    fn written() -> File {
        let mut file = File::default();
        file.write(0, &[1; 1024]);
        file.sync();
        file.write(500, &[2; 2000]);
        file
    }

    #[test]
    fn what_was_synced_survives_and_the_rest_may() {
        assert_eq!(survivor(written(), 0.0), [1; 1024]);
        let all = survivor(written(), 1.0);
        assert_eq!(all.len(), 2500);
        assert_eq!((all[499], all[500], all[2499]), (1, 2, 2));
    }

    #[test]
    fn what_could_not_be_synced_is_seen_but_never_durable() {
        let mut file = written();
        file.fail_sync();
        file.sync();
        assert_eq!(file.len(), 2500);
        assert_eq!(survivor(file, 1.0), [1; 1024]);
    }

    #[test]
    fn writes_tear_between_sectors() {
        let torn = survivor(written(), 0.5);
        let sector = |number: usize| &torn[number * 512..((number + 1) * 512).min(torn.len())];
        assert!((1..torn.len() / 512).all(|number| {
            let found = sector(number);
            found.iter().all(|octet| *octet == found[0])
        }));
        assert_ne!(torn, survivor(written(), 1.0));
        assert_ne!(torn, survivor(written(), 0.0));
    }

    #[test]
    fn a_shorter_file_is_longer_again_until_it_is_synced() {
        let mut file = written();
        file.resize(10);
        assert_eq!((file.len(), file.read(5..99)), (10, &[1; 5][..]));
        assert_eq!(survivor(file, 0.0).len(), 1024);
    }
}
