//! What goes wrong on request.

use fuser::Errno;
use rustix::process::{Pid, Signal, kill_process};

/// The operations that can be made to fail, and at which a process can be killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Octets are read from the disk; what is cached does not come here.
    Read,
    /// Octets are written, or room for them is made, or a file is cut.
    Write,
    /// A file is synced, with or without its times.
    Sync,
    /// A file or directory is made.
    Create,
    /// A name is moved.
    Rename,
    /// A name is removed.
    Remove,
    /// A directory is synced.
    SyncDirectory,
}

/// What happens instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing is done, and this is said.
    Fail(Errno),
    /// A write takes only the first half; anything else is done.
    Half,
    /// A sync says that it is done, and nothing is durable; anything else is done.
    Lie,
}

/// A rule that makes operations go wrong until it is healed.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// Which ones.
    pub operations: &'static [Operation],
    /// Each one of that many; 1 is each.
    pub nth: u64,
    /// In what way.
    pub effect: Effect,
}

/// A process is killed by SIGKILL at one of the steps by which it changes the disk, and nothing is done from then on.
#[derive(Clone, Copy, Debug)]
pub struct Trap {
    /// Which step from now, counted from 1.
    pub nth: u64,
    /// Whether this step is still done.
    pub done: bool,
    /// The process.
    pub victim: Pid,
}

/// What an operation is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ruling {
    Proceed,
    Half,
    Lie,
}

/// The rules in force.
#[derive(Debug, Default)]
pub(super) struct Faults {
    fault: Option<(Fault, u64)>,
    trap: Option<Trap>,
    /// Every operation fails: there is no power.
    off: bool,
}

impl Faults {
    pub(super) fn inject(&mut self, fault: Fault) {
        self.fault = Some((fault, 0));
    }

    pub(super) fn heal(&mut self) {
        self.fault = None;
    }

    pub(super) fn arm(&mut self, trap: Trap) {
        self.trap = Some(trap);
    }

    pub(super) fn is_armed(&self) -> bool {
        self.trap.is_some()
    }

    pub(super) fn set_off(&mut self, off: bool) {
        self.off = off;
        self.trap = None;
    }

    /// Rules over one operation.
    pub(super) fn rule(&mut self, operation: Operation) -> Result<Ruling, Errno> {
        if self.off {
            return Err(Errno::EIO);
        }
        self.step(operation)?;
        let Some((fault, count)) = &mut self.fault else {
            return Ok(Ruling::Proceed);
        };
        if !fault.operations.contains(&operation) {
            return Ok(Ruling::Proceed);
        }
        *count += 1;
        if !count.is_multiple_of(fault.nth) {
            return Ok(Ruling::Proceed);
        }
        match fault.effect {
            Effect::Fail(errno) => Err(errno),
            Effect::Half => Ok(Ruling::Half),
            Effect::Lie => Ok(Ruling::Lie),
        }
    }

    /// Rules over something that no fault concerns.
    pub(super) fn powered(&self) -> Result<(), Errno> {
        if self.off { Err(Errno::EIO) } else { Ok(()) }
    }

    /// Counts down to the trap.
    fn step(&mut self, operation: Operation) -> Result<(), Errno> {
        let Some(trap) = &mut self.trap else { return Ok(()) };
        match operation {
            Operation::Read => return Ok(()),
            Operation::Write
            | Operation::Sync
            | Operation::Create
            | Operation::Rename
            | Operation::Remove
            | Operation::SyncDirectory => {}
        }
        trap.nth -= 1;
        if trap.nth > 0 {
            return Ok(());
        }
        let done = trap.done;
        kill_process(trap.victim, Signal::KILL).expect("the process is there");
        self.set_off(true);
        if done { Ok(()) } else { Err(Errno::EIO) }
    }
}
