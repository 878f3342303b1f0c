//! The daemon.
//!
//! 1. [`open`] sets up the spool, the resolver, TLS and the policy with [`wiring`](crate::wiring), and opens the
//!    [`sockets`], those of [`passed`] first. [`start`] starts the parts and connects them: mail accepted by the listener
//!    goes to the scheduler. [`announce`] logs this.
//! 2. The [`daemon`] runs until it gets a signal ([`signals`]). SIGHUP, or an administrator's command through the
//!    [admin socket](crate::admin), leads to [`reload`], once new lists have been fetched ([`orders`], [`list_fetch`]);
//!    SIGTERM and SIGINT end it. Meanwhile [`watch`] monitors the resolver and runs its [`self_test`], and
//!    [`unvalidated`] follows the dates of exceptions from DNSSEC. The policy is kept current: [`policy`] follows its
//!    files, as [`watched`] remembers them, and says when exceptions end ([`ends`]), and [`keeping`] starts what fetches [`lists`] and tests what is excepted
//!    ([`recheck`], which remembers what it found in [`healed`]). [`tlsrpt`] sends reports to others.
//! 3. Each step is reported to systemd ([`notify`]). [`monitoring`] starts what others watch the daemon by.

mod announce;
mod daemon;
mod ends;
mod error;
mod healed;
mod keeping;
mod list_fetch;
mod lists;
mod lock_holder;
mod monitoring;
mod notify;
mod open;
mod orders;
mod passed;
mod policy;
mod recheck;
mod reload;
mod self_test;
mod signals;
mod sockets;
mod start;
mod tlsrpt;
mod unvalidated;
mod watch;
mod watched;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ::policy::Missing;
use mail::event::fault::Fault;
use mail::event::service::{NotStarted, SpoolTrouble, Stopped, Stopping};
use mail::event::settings::Subject;
use mail::event::{Event, EventLog};
use mail::printable::PrintableLines;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use spool::Store;
use tokio::time::MissedTickBehavior;

use crate::config::{self, LogTarget};
use crate::exit::Verdict;
use crate::failure::Failure;
use crate::logging::{self, Logger};
use crate::monitor::{Metering, Metrics};
use crate::ownership;
use crate::surroundings;
use crate::wiring::policy::{Files, LoadedPolicy};
use crate::wiring::{self, WiringError};
use daemon::Daemon;
pub(crate) use error::StartError;
use list_fetch::{Asker, Order, Wanted};
use open::Inputs;
use signals::{Request, Signals};
use watched::Look;

/// How long transactions in progress may take to finish.
const GRACE: Duration = Duration::from_secs(30);
/// How long the spool may then take to write what it was given.
const LAST_WRITES: Duration = Duration::from_secs(10);
/// How long the log's target may then take to accept the remaining lines.
const LAST_LINES: Duration = Duration::from_secs(3);
/// How often the files are looked at that may change at any time: the policy and its lists, certificate, key and users. A
/// change is taken up at the second look.
const FILE_CHECK: Duration = Duration::from_secs(2);
/// How often the date is checked, at which exceptions begin and end.
const DATE_CHECK: Duration = Duration::from_mins(1);

/// Runs the daemon with the configuration file `named`, or the default one, until it is told to stop.
pub(crate) fn run(named: Option<&Path>) -> Result<Verdict, Failure> {
    let loaded = config::load(named)?;
    let spool = &loaded.config.spool.path;
    // Before the log: root must not create a file that others could not open later.
    ownership::examine(spool).map_err(|cause| StartError::Ownership {
        path: spool.clone(),
        cause,
    })?;
    let FirstPolicy {
        policy,
        files,
        not_fetched,
    } = first_policy(&loaded)?;
    let log = Logger::open(&loaded.config.log).map_err(|cause| StartError::Log {
        target: loaded.config.log.target.clone(),
        cause,
    })?;
    logging::forward_tracing(Arc::clone(&log));
    let metrics = Arc::new(Metrics::default());
    log_panics(Metering::to(Arc::clone(&log), Arc::clone(&metrics)));
    announce::warn(&not_fetched, Subject::Policy, &*log);
    let log_is_elsewhere = loaded.config.log.target != LogTarget::Stderr;
    announce::warn(ownership::root().as_slice(), Subject::Config, &*log);
    let most = raise_descriptor_limit();
    announce::warn(
        surroundings::descriptors(&loaded.config, most).as_slice(),
        Subject::Limits,
        &*log,
    );
    announce::warn(
        surroundings::host_name(&loaded.config).as_slice(),
        Subject::Config,
        &*log,
    );
    announce::warn(
        &surroundings::source_addresses(&loaded.config),
        Subject::Config,
        &*log,
    );
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(WiringError::System)?;
    let ended: Result<Verdict, StartError> = runtime.block_on(async {
        let signals = Signals::new().map_err(WiringError::System)?;
        let inputs = Inputs {
            named: named.map(Path::to_owned),
            loaded,
            policy,
            files,
            log: Arc::clone(&log),
            metrics,
        };
        let daemon = Box::pin(start::start(inputs)).await?;
        Ok(Box::pin(daemon.run(signals)).await)
    });
    // Tasks still running have had their time; what they leave undone is in the spool.
    runtime.shutdown_background();
    if let Err(error) = &ended
        && log_is_elsewhere
    {
        let reason = error.to_string();
        log.write(&Event::NotStarted(NotStarted { reason }));
    }
    log.finish(LAST_LINES);
    ended.map_err(Failure::from)
}

/// The policy to begin with.
struct FirstPolicy {
    policy: LoadedPolicy,
    files: Files,
    /// Which of its lists could not be fetched, and why.
    not_fetched: Vec<String>,
}

/// Reads the policy. A list of which there is no copy is fetched first: without a strict one the daemon does not start.
fn first_policy(loaded: &config::Loaded) -> Result<FirstPolicy, Failure> {
    let lists = wiring::policy::remote_lists(loaded);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(WiringError::System)?;
    let lists = lists::missing(&loaded.config, lists);
    let failed = runtime.block_on(lists::fetch_missing(&loaded.config, &lists))?;
    runtime.shutdown_background();
    let mut files = Files::default();
    match wiring::policy::load_noting(loaded, Missing::Refused, &mut files) {
        Ok(policy) => Ok(FirstPolicy {
            policy,
            files,
            not_fetched: failed,
        }),
        Err(error) => {
            for failure in failed {
                logging::say(&format!("danerelay: {}\n", PrintableLines(&failure)), None);
            }
            Err(error.into())
        }
    }
}

/// Each connection needs a file descriptor; the initial limit set by a shell or systemd is often too low for many.
/// Returns how many there can be now.
fn raise_descriptor_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    // If that is forbidden, the limit stays: a connection without a descriptor is deferred, none is lost.
    let _ = setrlimit(Resource::Nofile, raised);
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// A panic ends only the task in which it happens, never the daemon; the log says where it was.
fn log_panics(log: Metering<Logger>) {
    std::panic::set_hook(Box::new(move |panic| {
        log.write(&Event::Fault(Fault::Panic(panic.to_string())));
    }));
}

/// What there is to do in the main loop.
enum Task {
    /// A look has been taken at the files; none if it failed.
    Looked(Option<Look>),
    /// Lists have been fetched, but for these.
    Fetched(Vec<String>),
    /// Files are to be read again.
    Read(Order),
    /// The date may be another.
    Date,
}

impl<S: Store> Daemon<S> {
    /// Runs until a signal asks it to stop, or an essential part has ended.
    async fn run(mut self, mut signals: Signals) -> Verdict {
        let mut date_check = tokio::time::interval(DATE_CHECK);
        date_check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut file_check = tokio::time::interval(FILE_CHECK);
        file_check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let read = |what, asker| Task::Read(Order { what, asker });
        let verdict = loop {
            let task = tokio::select! {
                _ = file_check.tick(), if self.looking.is_none() => {
                    self.looking = Some(watched::look(&self.keeping, &self.clients));
                    continue;
                }
                look = watched::taken(self.looking.as_mut()) => Task::Looked(look),
                () = self.keeping.changed.notified() => read(Wanted::Policy, Asker::Log),
                failed = list_fetch::done(self.list_fetch.as_mut()) => Task::Fetched(failed),
                _ = date_check.tick() => Task::Date,
                request = signals.next() => match request {
                    // The log has the result.
                    Request::Reload => read(Wanted::Everything, Asker::Log),
                    Request::Stop => break Verdict::Good,
                },
                Some(order) = self.reloads.recv() => {
                    read(order.what.into(), Asker::Client(order.answer))
                }
                part = self.parts.ended() => {
                    self.events.write(&Event::Fault(Fault::PartEnded(part)));
                    break Verdict::Bad;
                }
            };
            // What it waits for may be on a disk that does not answer.
            tokio::select! {
                () = self.carry_on(task) => {}
                () = signals.stop() => break Verdict::Good,
            }
        };
        notify::stopping(&self.status).await;
        tokio::select! {
            () = self.stop() => verdict,
            () = signals.stop() => {
                self.log.write(&Event::Stopped(Stopped::AtOnce));
                Verdict::Bad
            }
        }
    }

    async fn carry_on(&mut self, task: Task) {
        match task {
            Task::Looked(look) => {
                self.looking = None;
                if let Some(look) = look {
                    self.refresh_clients(&look).await;
                    self.refresh_policy(&look).await;
                }
            }
            Task::Fetched(failed) => self.fetched(failed).await,
            Task::Read(order) => self.order(order).await,
            Task::Date => {
                self.refresh_unvalidated();
                self.announce_ends();
            }
        }
    }

    /// Stops accepting, lets transactions end, and closes the spool.
    async fn stop(&mut self) {
        self.log.write(&Event::Stopping(Stopping::Begun));
        // Without receivers no part is running.
        let _ = self.stop_parts.send(true);
        if tokio::time::timeout(GRACE, self.parts.finish()).await.is_err() {
            self.log.write(&Event::Stopping(Stopping::BrokenOff));
        }
        let closed = tokio::time::timeout(LAST_WRITES, self.spool.close()).await;
        self.log.write(&Event::Stopped(match closed {
            Ok(Ok(())) => Stopped::InOrder,
            Ok(Err(error)) => Stopped::SpoolOpen(SpoolTrouble::Failed(error.to_string())),
            Err(_) => Stopped::SpoolOpen(SpoolTrouble::Late),
        }));
    }
}
