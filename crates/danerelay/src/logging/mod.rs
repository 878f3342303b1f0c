//! The log: events to one target, each a line, none lost silently.
//!
//! * [`target`] is where events go, and hands each to one of
//!   * [`stream`]: standard error, or a file that can be opened anew;
//!   * [`syslog`](self::syslog) and [`journald`]: messages to the system's daemons, by way of [`datagram`].
//! * [`line`](self::line) has what all of these say of an event.
//! * [`bridge`] brings what libraries report through `tracing` into the same log.
//!
//! A line is written at once, by whoever has the event: nothing waits in memory that a crash could lose. A write that
//! fails never ends the daemon: the lines that are missing are counted, and the count is written first once the target
//! works again.

mod bridge;
mod datagram;
mod journald;
mod line;
mod stream;
mod syslog;
mod target;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_datagram;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mail::event::{Event, EventLog, Level, Value};

use crate::config::schema::Log;
pub(crate) use bridge::forward_tracing;
use target::Target;

/// The log of the daemon.
pub(crate) struct Logger {
    state: Mutex<State>,
}

struct State {
    level: Level,
    target: Target,
    /// Lines that could not be written since the last one that could.
    lost: u64,
}

impl Logger {
    /// Opens the target.
    pub(crate) fn open(settings: &Log) -> io::Result<Arc<Self>> {
        let state = State::open(settings)?;
        Ok(Arc::new(Self {
            state: Mutex::new(state),
        }))
    }

    /// Opens the target anew, perhaps another one; where that fails, the old one stays in use.
    pub(crate) fn reopen(&self, settings: &Log) -> io::Result<()> {
        let fresh = State::open(settings)?;
        let mut state = self.lock();
        let lost = state.lost;
        *state = State { lost, ..fresh };
        Ok(())
    }

    /// A panic elsewhere while the lock was held leaves nothing half done that matters to the next line.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EventLog for Logger {
    fn write(&self, event: &Event) {
        let mut state = self.lock();
        if event.level >= state.level {
            state.write(event);
        }
    }
}

impl State {
    fn open(settings: &Log) -> io::Result<Self> {
        Ok(Self {
            level: settings.level.into(),
            target: Target::open(settings)?,
            lost: 0,
        })
    }

    fn write(&mut self, event: &Event) {
        if self.lost > 0 {
            let gap = Event::new(Level::Error, "log")
                .with("lost", Value::Integer(self.lost))
                .with(
                    "reason",
                    Value::Quoted("lines before this one could not be written".to_owned()),
                );
            if self.target.write(&gap).is_err() {
                self.lost = self.lost.saturating_add(1);
                return;
            }
            self.lost = 0;
        }
        if let Err(error) = self.target.write(event) {
            if self.lost == 0 {
                self.target.complain(&error);
            }
            self.lost = self.lost.saturating_add(1);
        }
    }
}
