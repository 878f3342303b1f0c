//! The store: requests go to the writer, or are read beside it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use jiff::civil::Date;
use mail::sighting::FailingSpot;
use mail::{EventLog, NextHop, Observed, QueueId};
use spool::blocking::blocking;
use spool::{
    Accepted, DiskSpace, InDoubt, Incoming, Lease, Leasing, NewMessage, Notices, Outcomes, Pending, Report,
    Reported, Running, Settled, Spool, SpoolError,
};
use tokio::time::Instant;

use crate::disk::space::Space;
use crate::opened::Opened;
use crate::options::Options;
use crate::sql::ledger::day_number;
use crate::sql::new_message::{plan, plan_report};
use crate::sql::{known, leasing, schedule};
use crate::start;
use crate::telling::Teller;
use crate::writer::job::{CommitJob, Job, ReportJob, SettleJob, Work, check};
use crate::writer::pruning::Pruning;

/// The spool of one daemon in one directory. Cheap to clone; all clones are the same spool.
///
/// Dropping the last clone closes it as [`Running::close`] does, but nobody learns when.
#[derive(Debug, Clone)]
pub struct EmbeddedSpool {
    pub(crate) opened: Arc<Opened>,
}

impl EmbeddedSpool {
    /// Opens the spool in the directory `path`, or creates one there. What it has to report goes to `events`.
    pub async fn open(
        path: impl Into<PathBuf>,
        options: Options,
        events: Arc<dyn EventLog>,
    ) -> Result<Self, SpoolError> {
        let (path, teller) = (path.into(), Teller::to(events));
        let opened = blocking(move || Ok(start::open(&path, &options, &teller)?)).await?;
        Ok(Self {
            opened: Arc::new(opened),
        })
    }

    /// Does at once what the store otherwise does once a day in small steps: packs the ledger's days before this one, and
    /// removes what is older than so many days. For measurements and tests.
    pub async fn tidy(&self, today: Date, keep: Option<u32>) -> Result<(), SpoolError> {
        let jobs = self.opened.jobs.downgrade();
        let pruning = Pruning::new(self.opened.readers.database().to_owned(), jobs, keep);
        blocking(move || Ok(pruning.whole_day(day_number(today))?)).await
    }

    #[cfg(test)]
    pub(crate) fn shared(&self) -> &crate::shared::Shared {
        &self.opened.shared
    }
}

impl Running for EmbeddedSpool {
    fn messages(&self) -> u64 {
        self.opened.shared.messages.load(Ordering::Relaxed)
    }

    fn in_doubt_at_start(&self) -> &InDoubt {
        &self.opened.in_doubt
    }

    fn doubts_told(&self) {
        self.opened.doubts.told();
    }

    fn vanished_at_start(&self) -> u64 {
        self.opened.vanished
    }

    fn commit_times(&self) -> Observed {
        self.opened.shared.commit_times.observed()
    }

    fn accepts(&self) -> Result<(), SpoolError> {
        self.opened.accepting()
    }

    fn disk(&self) -> Option<DiskSpace> {
        self.opened.shared.space.disk()
    }

    async fn close(&self) -> Result<(), SpoolError> {
        self.opened.readers.close();
        self.opened.ask(Job::Close).await
    }
}

impl Spool for EmbeddedSpool {
    fn create(&self) -> Result<Incoming, SpoolError> {
        self.opened.accepting()?;
        let room = Arc::<Space>::clone(&self.opened.shared.space);
        Ok(Incoming::within(self.opened.directories.incoming(), room))
    }

    async fn commit(&self, incoming: Incoming, message: NewMessage) -> Result<Accepted, SpoolError> {
        self.opened.accepting()?;
        let body = self.opened.put(message.id, incoming).await?;
        let (message, accepted) = plan(message, body)?;
        let recent = &self.opened.shared.recent;
        recent.keep(&message);
        let commit = |reply| Work::Commit(Box::new(CommitJob { message, reply }));
        let began = Instant::now();
        match self.opened.ask(commit).await {
            Ok(()) => {
                self.opened.shared.commit_times.observe(began.elapsed());
                Ok(accepted)
            }
            Err(error) => {
                recent.forget(accepted.id);
                Err(error)
            }
        }
    }

    async fn pending(&self, after: Option<QueueId>, limit: usize) -> Result<Vec<Pending>, SpoolError> {
        let (readers, teller) = (&self.opened.readers, self.opened.shared.teller.clone());
        readers
            .read(move |connection| schedule::pending(connection, after, limit, &teller))
            .await
    }

    async fn lease(&self, id: QueueId, next_hop: &NextHop) -> Result<Leasing, SpoolError> {
        self.opened.check_open()?;
        let Some(guard) = self.opened.shared.leases.take(id, next_hop) else {
            return Ok(Leasing::Taken);
        };
        let guard = match self.opened.shared.recent.lease(id, next_hop, guard) {
            Ok(lease) => return Ok(Leasing::Leased(Box::new(lease))),
            Err(guard) => guard,
        };
        let key = (id, next_hop.clone());
        let directories = self.opened.directories.clone();
        let readers = &self.opened.readers;
        let lease = readers
            .read(move |connection| leasing::lease(connection, &directories, key, guard))
            .await?;
        Ok(lease.map_or(Leasing::Nothing, |lease| Leasing::Leased(Box::new(lease))))
    }

    async fn settle(
        &self,
        lease: Lease,
        outcomes: impl Into<Outcomes> + Send,
        now: Timestamp,
    ) -> Result<Settled, SpoolError> {
        let mut outcomes = outcomes.into();
        check(&lease, &mut outcomes.settlements)?;
        let settle = |reply| {
            Work::Settle(Box::new(SettleJob {
                lease,
                outcomes,
                now,
                reply,
            }))
        };
        self.opened.ask(settle).await
    }

    async fn failing(&self) -> Result<Vec<FailingSpot>, SpoolError> {
        let readers = &self.opened.readers;
        readers.read(|connection| known::failing(connection)).await
    }

    async fn unreported(&self) -> Result<Vec<QueueId>, SpoolError> {
        let (readers, teller) = (&self.opened.readers, self.opened.shared.teller.clone());
        readers
            .read(move |connection| leasing::unreported(connection, &teller))
            .await
    }

    async fn notices(&self, id: QueueId) -> Result<Option<Notices>, SpoolError> {
        self.opened.check_open()?;
        let Some(guard) = self.opened.shared.leases.take_report(id) else {
            return Ok(None);
        };
        let directories = self.opened.directories.clone();
        let readers = &self.opened.readers;
        readers
            .read(move |connection| leasing::notices(connection, &directories, id, guard))
            .await
    }

    async fn report(&self, notices: Notices, report: Option<Report>) -> Result<Reported, SpoolError> {
        let report = report.map(plan_report).transpose()?;
        let id = report.as_ref().map(|(_, accepted)| accepted.id);
        let recent = &self.opened.shared.recent;
        if let Some((message, _)) = &report {
            recent.keep(message);
        }
        let job = |reply| {
            Work::Report(Box::new(ReportJob {
                notices,
                report,
                reply,
            }))
        };
        let reported = self.opened.ask(job).await;
        if let (Some(id), Err(_)) = (id, &reported) {
            recent.forget(id);
        }
        reported
    }

    fn release(&self, lease: Lease) {
        lease.guard.settled();
    }
}
