//! When what is old is removed from the ledger and from what TLS reports count, and what is over is packed: once a day, in small
//! steps that the writer makes between others.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use spool::SpoolError;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::job::{Job, TidyJob, Work};
use crate::error::Result;
use crate::sql::connections;
use crate::sql::ledger::day_of;
use crate::sql::ledger::tidying::{self, STEP, Tidying};
use crate::sql::tls;

/// Between two steps: most of the time is for mail.
const BETWEEN_STEPS: Duration = Duration::from_millis(50);
/// How often the date is looked at.
const BETWEEN_LOOKS: Duration = Duration::from_mins(1);
/// How long totals are kept at least, in days: ten years.
const TOTALS_DAYS: i64 = 3653;
/// Octets of database pages in memory while unused keys are looked for.
const CACHE_BYTES: u32 = 512 << 10;

/// Where the work of a day stands.
#[derive(Debug)]
pub(crate) struct Pruning {
    database: PathBuf,
    /// Does not keep the writer from ending.
    writer: mpsc::WeakSender<Job>,
    /// How many days are kept; `None` for all.
    keep: Option<i64>,
    stage: Stage,
    /// When to do something next.
    due: Instant,
}

#[derive(Debug)]
enum Stage {
    /// All is done for this day.
    Done(Option<i64>),
    Tls,
    Pack,
    Days,
    Totals,
    /// To look for keys that are not used any more.
    Look,
    /// These are left.
    Keys(Vec<i64>),
}

impl Pruning {
    /// Begins a minute after the start.
    pub(crate) fn new(database: PathBuf, writer: mpsc::WeakSender<Job>, keep: Option<u32>) -> Self {
        Self {
            database,
            writer,
            keep: keep.map(i64::from),
            stage: Stage::Done(None),
            due: Instant::now() + BETWEEN_LOOKS,
        }
    }

    /// Does a step if one is due.
    pub(super) fn turn(&mut self) -> Result<()> {
        if Instant::now() < self.due {
            return Ok(());
        }
        let done = self.step(day_of(Timestamp::now()));
        let pause = match (&self.stage, &done) {
            (Stage::Done(_), _) | (_, Err(_)) => BETWEEN_LOOKS,
            (
                Stage::Tls | Stage::Pack | Stage::Days | Stage::Totals | Stage::Look | Stage::Keys(_),
                Ok(()),
            ) => BETWEEN_STEPS,
        };
        self.due = Instant::now() + pause;
        done
    }

    /// How long until the next step.
    pub(super) fn left(&self) -> Duration {
        self.due.saturating_duration_since(Instant::now())
    }

    /// One step of the work of this day.
    pub(crate) fn step(&mut self, today: i64) -> Result<()> {
        let before = |days: i64| today.saturating_sub(days);
        let (keep, totals) = match self.keep {
            Some(keep) => (before(keep), before(keep.max(TOTALS_DAYS))),
            None => (i64::MIN, i64::MIN),
        };
        match &mut self.stage {
            Stage::Done(Some(day)) if *day == today => {}
            Stage::Done(_) => self.stage = Stage::Tls,
            Stage::Tls => {
                if self.tidy(Tidying::Tls(before(tls::tidying::DAYS - 1)))? == 0 {
                    self.stage = Stage::Pack;
                }
            }
            Stage::Pack => {
                if self.tidy(Tidying::Pack(today))? == 0 {
                    self.stage = match self.keep {
                        Some(_) => Stage::Days,
                        None => Stage::Done(Some(today)),
                    };
                }
            }
            Stage::Days => {
                if self.tidy(Tidying::Days(keep))? == 0 {
                    self.stage = Stage::Totals;
                }
            }
            Stage::Totals => {
                if self.tidy(Tidying::Totals(totals))? == 0 {
                    self.stage = Stage::Look;
                }
            }
            Stage::Look => {
                let reader = connections::open_reader(&self.database, CACHE_BYTES)?;
                self.stage = Stage::Keys(tidying::unused(&reader, keep)?);
            }
            Stage::Keys(keys) if keys.is_empty() => self.stage = Stage::Done(Some(today)),
            Stage::Keys(keys) => {
                let rest = keys.len().saturating_sub(STEP);
                let some = keys.split_off(rest);
                self.tidy(Tidying::Keys(some, keep))?;
            }
        }
        Ok(())
    }

    /// All the work of this day at once.
    pub(crate) fn whole_day(mut self, today: i64) -> Result<()> {
        while !matches!(self.stage, Stage::Done(Some(day)) if day == today) {
            self.step(today)?;
        }
        Ok(())
    }

    /// Has the writer do this with its next group, and waits for it; returns how much it has removed.
    fn tidy(&self, step: Tidying) -> Result<usize> {
        let (reply, answer) = oneshot::channel();
        let job = Job::Write(Work::Tidy(Box::new(TidyJob { step, reply })));
        let jobs = self.writer.upgrade().ok_or(SpoolError::Closed)?;
        match jobs.try_send(job) {
            Ok(()) => {}
            // Mail comes first; what is left out now is found again.
            Err(TrySendError::Full(_)) => return Ok(1),
            Err(TrySendError::Closed(_)) => return Err(SpoolError::Closed.into()),
        }
        drop(jobs);
        Ok(answer.blocking_recv().unwrap_or(Err(SpoolError::Closed))?)
    }
}
