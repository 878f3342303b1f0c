//! The log itself: accepts events from all parts, and can switch its target.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use mail::event::log::LogTrouble;
use mail::event::{Event, EventLog};
use mail::record::{Level, Put, Record, Value};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::channel::Channel;
use super::target::Target;
use super::throttle::Throttle;
use super::writer::{self, Written};
use crate::config::schema::Log;

/// How long a target may take to open when the daemon starts: a file on another machine's disk may be slow.
const START: Duration = Duration::from_secs(10);
/// How long a reload waits for the target to open. If it takes longer, the target is used once it is open.
const REOPENING: Duration = Duration::from_secs(2);
/// The maximum number of previous targets that may still have lines to write when another one is opened.
const UNFINISHED: usize = 3;

/// The log of the daemon.
pub(crate) struct Logger {
    /// The target to which lines go at present.
    pub(super) current: ArcSwap<Channel>,
    /// All targets that may still have lines to write.
    pub(super) channels: Mutex<Vec<Arc<Channel>>>,
    throttle: Throttle,
    /// Whether a target is being opened.
    opening: AtomicBool,
}

impl Logger {
    /// Opens the target.
    pub(crate) fn open(settings: &Log) -> io::Result<Arc<Self>> {
        let wanted = settings.clone();
        let (sender, opened) = mpsc::sync_channel(1);
        // The receiver may be gone.
        spawn(move || drop(sender.send(Target::open(&wanted))))?;
        let target = opened.recv_timeout(START).unwrap_or_else(|_| Err(silent()))?;
        Self::start(target, settings.level.into())
    }

    /// A log with this target.
    pub(super) fn start(target: Target, level: Level) -> io::Result<Arc<Self>> {
        let channel = Channel::new(&target, level);
        let logger = Arc::new(Self {
            current: ArcSwap::new(Arc::clone(&channel)),
            channels: Mutex::new(vec![Arc::clone(&channel)]),
            throttle: Throttle::default(),
            opening: AtomicBool::new(false),
        });
        let writing = Arc::clone(&logger);
        spawn(move || writer::run(&*writing, &channel, target))?;
        Ok(logger)
    }

    /// Reopens the target, or opens another one; if that fails, the old one stays in use. If it takes long, the new one
    /// is used once it is open, or else the log says why not.
    pub(crate) async fn reopen(self: &Arc<Self>, settings: &Log) -> io::Result<()> {
        if self.opening.swap(true, Ordering::AcqRel) {
            return Err(io::Error::other("the one before is still being opened"));
        }
        let (sender, opened) = oneshot::channel();
        let (logger, settings) = (Arc::clone(self), settings.clone());
        let spawned = spawn(move || {
            let reopened = Target::open(&settings);
            let reopened = reopened.and_then(|target| logger.switch(target, settings.level.into()));
            logger.opening.store(false, Ordering::Release);
            if let Err(Err(error)) = sender.send(reopened) {
                logger.write(&unopened(&error));
            }
        });
        if let Err(error) = spawned {
            self.opening.store(false, Ordering::Release);
            return Err(error);
        }
        match tokio::time::timeout(REOPENING, opened).await {
            Ok(Ok(reopened)) => reopened,
            // The thread sends before it ends.
            Ok(Err(_)) | Err(_) => Err(silent()),
        }
    }

    /// From now on, sends lines to this target.
    fn switch(self: &Arc<Self>, target: Target, level: Level) -> io::Result<()> {
        let mut channels = self.channels.lock();
        channels.retain(|channel| !channel.queue.is_finished());
        if channels.len() > UNFINISHED {
            return Err(io::Error::other(
                "several before it have not taken their lines yet",
            ));
        }
        let channel = Channel::new(&target, level);
        let (logger, new) = (Arc::clone(self), Arc::clone(&channel));
        let before = self.current.load_full();
        spawn(move || {
            // If it is the same file, lines stay in order.
            before.queue.wait_until_written(REOPENING);
            writer::run(&*logger, &new, target);
        })?;
        channels.push(Arc::clone(&channel));
        self.current.swap(channel).queue.close();
        Ok(())
    }

    /// Waits until everything is written, for at most `patience`.
    pub(crate) fn finish(&self, patience: Duration) {
        for event in self.throttle.rest() {
            self.put(&event);
        }
        let end = Instant::now() + patience;
        let channels = self.channels.lock().clone();
        for channel in channels {
            channel
                .queue
                .wait_until_written(end.saturating_duration_since(Instant::now()));
        }
    }

    pub(super) fn take(&self, event: &dyn Record) {
        if let Some(more) = self.takes(event.level(), event.source()) {
            self.put_after(event, more);
        }
    }

    /// Whether to write an event of this source and level; if so, how many before it were left out.
    pub(super) fn takes(&self, level: Level, source: Option<mail::Source>) -> Option<u64> {
        if level < self.current.load().level {
            return None;
        }
        source.map_or(Some(0), |source| self.throttle.pass(source, Instant::now()))
    }

    /// Writes an event regardless of its source; `more` events before it were left out.
    pub(super) fn put_after(&self, event: &dyn Record, more: u64) {
        if more == 0 {
            return self.put(event);
        }
        self.put(&WithMore { event, more });
    }

    fn put(&self, event: &dyn Record) {
        // If the queue is closed, it already has a successor.
        loop {
            let channel = self.current.load();
            let (queue, line) = (&channel.queue, channel.frame.of(event));
            let pushed = if event.is_lost_first() {
                queue.push_lost_first(&line)
            } else {
                queue.push(&line)
            };
            if pushed.is_ok() {
                return;
            }
        }
    }
}

/// An event, with the number of events of its source left out before it.
struct WithMore<'a> {
    event: &'a dyn Record,
    more: u64,
}

impl Record for WithMore<'_> {
    fn level(&self) -> Level {
        self.event.level()
    }

    fn name(&self) -> &'static str {
        self.event.name()
    }

    fn is_lost_first(&self) -> bool {
        self.event.is_lost_first()
    }

    fn fields(&self, put: &mut Put<'_>) {
        self.event.fields(put);
        put("more", Value::Integer(self.more));
    }
}

impl Written for Logger {
    fn has_left_out(&self) -> bool {
        !self.throttle.is_empty()
    }

    fn tell_left_out(&self) {
        for event in self.throttle.sweep(Instant::now()) {
            self.put(&event);
        }
    }
}

impl EventLog for Logger {
    fn write(&self, event: &Event) {
        self.take(event);
    }
}

/// What the log says about a target that cannot be opened.
pub(crate) fn unopened(error: &io::Error) -> Event {
    Event::Log(LogTrouble::Unopened(error.to_string()))
}

fn silent() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "opening it takes too long")
}

/// A thread of the log: its work may never end.
fn spawn(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new()
        .name("log".to_owned())
        .spawn(work)
        .map(drop)
}
