//! Lines waiting for a target, limited in octets.
//!
//! A task that logs a line copies it in and continues: it waits at most while another line is being copied. The writing
//! thread takes everything that is there at once. After writing it dozes for a moment, so that under load nobody has to
//! wake it and many lines are written with one system call.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// How many octets may wait. The writing thread may have as many again.
pub(super) const ROOM: usize = 1 << 20;
/// How much memory an empty batch keeps.
const KEPT: usize = 64 * 1024;
/// How long the thread sleeps before it looks again by itself, after it has written everything.
const DOZE: Duration = Duration::from_millis(5);

/// The queue of one target.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    written: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Batch,
    /// The number of lines lost since the queue became full, all after those that wait.
    lost: u64,
    /// The number of lines lost that are lost first; they stood between those that wait.
    lost_first: u64,
    writer: Writer,
    phase: Phase,
}

/// What the queue does with lines.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Phase {
    #[default]
    Open,
    /// No more lines are accepted; those that wait are still written.
    Closed,
    /// All lines have been written or given up.
    Finished,
}

/// The state of the writing thread.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Writer {
    /// It has lines, or will check for more by itself.
    #[default]
    Busy,
    /// It has none, and will check for more by itself.
    Dozing,
    /// It has none, and must be woken.
    Asleep,
}

/// Lines, stored back to back.
#[derive(Default)]
pub(super) struct Batch {
    octets: Vec<u8>,
    /// Where each line ends.
    ends: Vec<usize>,
}

/// The queue is closed.
#[derive(Debug)]
pub(super) struct Closed;

/// What the writing thread has to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// Write the lines taken, then report that this many lines after them were lost.
    Lines { lost: u64 },
    /// Nothing: there have been no lines for a while.
    Nothing,
    /// End.
    Closed,
}

impl Queue {
    /// Appends a line; if there is no room, the line is only counted.
    pub(super) fn push(&self, line: &[u8]) -> Result<(), Closed> {
        self.push_into(line, ROOM, |state| &mut state.lost)
    }

    /// The same for a line that is lost first: half of the room is for other lines alone.
    pub(super) fn push_lost_first(&self, line: &[u8]) -> Result<(), Closed> {
        self.push_into(line, ROOM / 2, |state| &mut state.lost_first)
    }

    fn push_into(
        &self,
        line: &[u8],
        room: usize,
        count: impl FnOnce(&mut State) -> &mut u64,
    ) -> Result<(), Closed> {
        let mut state = self.state.lock();
        if state.phase != Phase::Open {
            return Err(Closed);
        }
        // After a line was lost, all further lines are lost until this is reported, in their place.
        if state.lost > 0 || !state.waiting.fits(line, room) {
            let lost = count(&mut state);
            *lost = lost.saturating_add(1);
            return Ok(());
        }
        state.waiting.push(line);
        let asleep = state.writer == Writer::Asleep;
        if asleep {
            state.writer = Writer::Busy;
        }
        drop(state);
        if asleep {
            self.filled.notify_one();
        }
        Ok(())
    }

    /// Moves all waiting lines into `batch`, which is empty; waits for lines, but no longer than `nap`.
    pub(super) fn take(&self, batch: &mut Batch, nap: Option<Duration>) -> Taken {
        let mut state = self.state.lock();
        if state.is_idle() {
            state.writer = Writer::Dozing;
            self.written.notify_all();
            let _ = self.filled.wait_for(&mut state, DOZE);
        }
        if state.is_idle() {
            state.writer = Writer::Asleep;
            match nap {
                None => self.filled.wait(&mut state),
                Some(nap) => {
                    let _ = self.filled.wait_for(&mut state, nap);
                }
            }
        }
        state.writer = Writer::Busy;
        if !state.waiting.is_empty() || state.lost > 0 {
            std::mem::swap(&mut state.waiting, batch);
            let lost = std::mem::take(&mut state.lost).saturating_add(std::mem::take(&mut state.lost_first));
            return Taken::Lines { lost };
        }
        if state.phase == Phase::Open {
            return Taken::Nothing;
        }
        state.phase = Phase::Finished;
        self.written.notify_all();
        Taken::Closed
    }

    /// Makes the thread wait before it tries to write again. Returns whether the queue has been closed.
    pub(super) fn pause(&self, pause: Duration) -> bool {
        let mut state = self.state.lock();
        let _ = self.filled.wait_for(&mut state, pause);
        state.phase != Phase::Open
    }

    /// Closes the queue: the lines in it are still written, then the thread ends.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        if state.phase == Phase::Open {
            state.phase = Phase::Closed;
        }
        drop(state);
        self.filled.notify_one();
    }

    /// Waits until all lines are written, but no longer than `patience`.
    pub(super) fn wait_until_written(&self, patience: Duration) {
        let end = Instant::now() + patience;
        let mut state = self.state.lock();
        while !state.is_written() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let _ = self.written.wait_for(&mut state, left);
        }
    }

    /// Whether it is closed, and its thread has ended.
    pub(super) fn is_finished(&self) -> bool {
        self.state.lock().phase == Phase::Finished
    }
}

impl State {
    /// Whether the thread has nothing to do.
    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.lost == 0 && self.phase == Phase::Open
    }

    fn is_written(&self) -> bool {
        self.waiting.is_empty()
            && self.lost == 0
            && (self.writer != Writer::Busy || self.phase == Phase::Finished)
    }
}

impl Batch {
    fn fits(&self, line: &[u8], room: usize) -> bool {
        self.size().saturating_add(line.len()) <= room
    }

    /// The memory that it takes, in octets.
    fn size(&self) -> usize {
        self.octets.len() + self.ends.len() * size_of::<usize>()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Appends a line, whether there is room or not.
    pub(super) fn push(&mut self, line: &[u8]) {
        self.octets.extend_from_slice(line);
        self.ends.push(self.octets.len());
    }

    /// All octets from this position on.
    pub(super) fn from(&self, written: usize) -> &[u8] {
        self.octets.get(written..).unwrap_or_default()
    }

    /// The line that begins at this position.
    pub(super) fn line_at(&self, written: usize) -> Option<&[u8]> {
        let at = self.ends.partition_point(|end| *end <= written);
        let end = self.ends.get(at)?;
        self.octets.get(written..*end)
    }

    /// How many lines are not complete before this position.
    pub(super) fn lines_from(&self, written: usize) -> u64 {
        let at = self.ends.partition_point(|end| *end <= written);
        self.ends.len().saturating_sub(at) as u64
    }

    /// Empties it, and releases memory that is needed only occasionally.
    pub(super) fn clear(&mut self) {
        self.octets.clear();
        self.ends.clear();
        self.octets.shrink_to(KEPT);
        self.ends.shrink_to(KEPT / 64);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_queue_is_bounded_in_octets_and_what_is_lost_is_counted_in_its_place() {
        let queue = Queue::default();
        let line = [b'x'; 1000];
        for _ in 0..10_000 {
            queue.push(&line).unwrap();
        }
        let kept = ROOM / (1000 + size_of::<usize>());
        let mut batch = Batch::default();
        let lost = 10_000 - kept as u64;
        assert_eq!(queue.take(&mut batch, None), Taken::Lines { lost });
        assert_eq!(batch.lines_from(0), kept as u64);
        assert!(batch.size() <= ROOM);
        // There is room again at once, while the lines are still being written.
        queue.push(b"y").unwrap();
        batch.clear();
        assert!(batch.octets.capacity() <= KEPT, "{}", batch.octets.capacity());
        assert_eq!(queue.take(&mut batch, None), Taken::Lines { lost: 0 });
        assert_eq!(batch.line_at(0), Some(&b"y"[..]));
    }

    #[test]
    fn what_is_lost_first_takes_no_room_from_other_lines() {
        let (queue, line) = (Queue::default(), [b'x'; 1000]);
        for _ in 0..10_000 {
            queue.push_lost_first(&line).unwrap();
        }
        for _ in 0..500 {
            queue.push(b"y").unwrap();
        }
        let mut batch = Batch::default();
        let kept = (ROOM / 2 / (1000 + size_of::<usize>())) as u64;
        let lost = 10_000 - kept;
        assert_eq!(queue.take(&mut batch, None), Taken::Lines { lost });
        assert_eq!(batch.lines_from(0), kept + 500);
    }

    #[test]
    fn a_short_line_does_not_pass_by_what_was_lost() {
        let queue = Queue::default();
        for line in [&vec![b'x'; ROOM - 100][..], &[b'y'; 200], b"z"] {
            queue.push(line).unwrap();
        }
        let mut batch = Batch::default();
        assert_eq!(queue.take(&mut batch, None), Taken::Lines { lost: 2 });
        assert_eq!(batch.lines_from(0), 1);
    }

    #[test]
    fn the_end_comes_behind_the_last_line() {
        let (queue, mut batch) = (Queue::default(), Batch::default());
        queue.push(b"a").unwrap();
        queue.close();
        assert!(queue.push(b"b").is_err());
        assert_eq!(queue.take(&mut batch, None), Taken::Lines { lost: 0 });
        assert!(!queue.is_finished());
        batch.clear();
        assert_eq!(queue.take(&mut batch, None), Taken::Closed);
        assert!(queue.is_finished());
        queue.wait_until_written(Duration::from_mins(1));
    }

    #[test]
    fn a_batch_is_read_line_by_line() {
        let mut batch = Batch::default();
        assert_eq!(batch.line_at(0), None);
        for line in [&b"ab"[..], b"c", b"def"] {
            batch.push(line);
        }
        assert_eq!(
            (batch.line_at(0), batch.line_at(2), batch.line_at(3)),
            (Some(&b"ab"[..]), Some(&b"c"[..]), Some(&b"def"[..]))
        );
        assert_eq!(batch.line_at(6), None);
        assert_eq!(
            (batch.lines_from(0), batch.lines_from(1), batch.lines_from(2)),
            (3, 3, 2)
        );
        assert_eq!(batch.from(4), b"ef");
    }
}
