//! The administrator's side of the store, the ledger, the incidents and the TLS reports.

use std::ops::{ControlFlow, RangeInclusive};

use jiff::Timestamp;
use jiff::civil::Date;
use mail::sighting::Ending;
use mail::{Domain, QueueId, Sighting, TlsTally};
use spool::{
    Accepted, Acted, Action, Content, Declared, IncidentNumber, Incidents, Inspect, KeepIncidents,
    KeepTlsTallies, KnownIncident, Ledger, LedgerRoom, Manage, QueuedMessage, Report, Selected, SpoolError,
    Step, Summary, Tally, TlsDay, TlsDomain, TlsTallies, TlsTold, Told, Unreadable, Way,
};

use crate::sql::incidents::Change;
use crate::sql::ledger::reading;
use crate::sql::new_message::plan_report;
use crate::sql::schema::KNOWN_VERSION;
use crate::sql::{declared, known, list, pages, stored, summary, tls};
use crate::store::EmbeddedSpool;
use crate::writer::job::{ActJob, IncidentsJob, TlsToldJob, Work};

impl Inspect for EmbeddedSpool {
    async fn list(
        &self,
        id: Option<QueueId>,
        visit: impl FnMut(QueuedMessage) -> ControlFlow<()> + Send + 'static,
    ) -> Result<Unreadable, SpoolError> {
        let leases = self.opened.shared.leases.clone();
        let readers = &self.opened.readers;
        readers
            .read(move |connection| list::list(connection, &leases, id, visit))
            .await
    }

    async fn list_after(
        &self,
        after: QueueId,
        visit: impl FnMut(QueuedMessage) -> ControlFlow<()> + Send + 'static,
    ) -> Result<Unreadable, SpoolError> {
        let leases = self.opened.shared.leases.clone();
        let readers = &self.opened.readers;
        readers
            .read(move |connection| list::list_after(connection, &leases, after, visit))
            .await
    }

    async fn summary(&self, most: usize, now: Timestamp) -> Result<Summary, SpoolError> {
        let leases = self.opened.shared.leases.clone();
        let readers = &self.opened.readers;
        readers
            .read(move |connection| summary::summary(connection, &leases, most, now))
            .await
    }

    async fn declared(&self, id: QueueId) -> Result<Option<Declared>, SpoolError> {
        let readers = &self.opened.readers;
        readers
            .read(move |connection| declared::declared(connection, id, KNOWN_VERSION))
            .await
    }

    async fn content(&self, id: QueueId) -> Result<Option<Content>, SpoolError> {
        let directories = self.opened.directories.clone();
        let readers = &self.opened.readers;
        readers
            .read(move |connection| stored::content(connection, &directories, id, KNOWN_VERSION))
            .await
    }
}

impl Manage for EmbeddedSpool {
    async fn act(
        &self,
        action: Action,
        selected: Vec<Selected>,
        now: Timestamp,
    ) -> Result<Acted, SpoolError> {
        let job = |reply| {
            Work::Act(Box::new(ActJob {
                action,
                selected,
                discarded: None,
                now,
                reply,
            }))
        };
        self.opened.ask(job).await
    }

    async fn discard(&self, id: QueueId) -> Result<Acted, SpoolError> {
        // An error in the writer would make everyone else wait until the database is whole again.
        let readers = &self.opened.readers;
        readers
            .read(move |connection| pages::check(connection, id))
            .await?;
        let job = |reply| {
            Work::Act(Box::new(ActJob {
                action: Action::Delete,
                selected: Vec::new(),
                discarded: Some(id),
                now: Timestamp::now(),
                reply,
            }))
        };
        self.opened.ask(job).await
    }
}

impl Ledger for EmbeddedSpool {
    async fn room(&self, day: Date) -> Result<LedgerRoom, SpoolError> {
        let readers = &self.opened.readers;
        readers
            .read(move |connection| reading::room(connection, day))
            .await
    }

    async fn totals(
        &self,
        days: RangeInclusive<Date>,
        visit: impl FnMut(Date, Tally) -> ControlFlow<()> + Send + 'static,
    ) -> Result<u64, SpoolError> {
        let readers = &self.opened.readers;
        readers
            .read(move |connection| reading::totals(connection, &days, visit))
            .await
    }

    async fn sums(
        &self,
        days: RangeInclusive<Date>,
        visit: impl FnMut(Tally) -> ControlFlow<()> + Send + 'static,
    ) -> Result<u64, SpoolError> {
        let readers = &self.opened.readers;
        readers
            .read(move |connection| reading::sums(connection, &days, visit))
            .await
    }
}

impl Incidents for EmbeddedSpool {
    async fn incidents(&self) -> Result<Vec<KnownIncident>, SpoolError> {
        let readers = &self.opened.readers;
        readers.read(known::incidents).await
    }
}

impl KeepIncidents for EmbeddedSpool {
    async fn note(&self, sightings: Vec<Sighting>, now: Timestamp) -> Result<(), SpoolError> {
        self.change(Change::Note(sightings), now).await
    }

    async fn end(&self, ended: Vec<(IncidentNumber, Ending)>, now: Timestamp) -> Result<(), SpoolError> {
        self.change(Change::End(ended), now).await
    }

    async fn told(&self, told: Vec<(IncidentNumber, Told)>) -> Result<(), SpoolError> {
        self.change(Change::Told(told), Timestamp::now()).await
    }

    async fn noticed(&self, way: Way, steps: Vec<(IncidentNumber, Step)>) -> Result<(), SpoolError> {
        self.change(Change::Noticed(way, steps), Timestamp::now()).await
    }
}

impl TlsTallies for EmbeddedSpool {
    async fn tls_domains(
        &self,
        day: Date,
        after: Option<Domain>,
        limit: usize,
    ) -> Result<Vec<TlsDomain>, SpoolError> {
        let readers = &self.opened.readers;
        readers
            .read(move |connection| tls::reading::domains(connection, day, after.as_ref(), limit))
            .await
    }

    async fn tls_tallies(&self, day: Date, domain: Domain) -> Result<Vec<TlsTally>, SpoolError> {
        let readers = &self.opened.readers;
        readers
            .read(move |connection| tls::reading::tallies(connection, day, &domain))
            .await
    }

    async fn tls_days(&self) -> Result<Vec<TlsDay>, SpoolError> {
        let readers = &self.opened.readers;
        readers.read(|connection| tls::reading::days(connection)).await
    }
}

impl KeepTlsTallies for EmbeddedSpool {
    async fn tls_told(&self, told: TlsTold, report: Option<Report>) -> Result<Option<Accepted>, SpoolError> {
        let report = report.map(plan_report).transpose()?;
        let job = |reply| {
            Work::TlsTold(Box::new(TlsToldJob {
                told,
                report,
                in_doubt: None,
                reply,
            }))
        };
        self.opened.ask(job).await
    }
}

impl EmbeddedSpool {
    async fn change(&self, change: Change, now: Timestamp) -> Result<(), SpoolError> {
        let job = |reply| Work::Incidents(Box::new(IncidentsJob { change, now, reply }));
        self.opened.ask(job).await
    }
}
