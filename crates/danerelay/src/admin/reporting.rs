//! `report`: the figures of the ledger. `tlsrpt`: those of TLS reports.

use std::time::Duration;

use mail::Domain;
use report::summary::{self, Item, LONGEST_PERIOD, Making, Question, Scope};
use spool::{Ledger, TlsTallies};
use tokio::time::{MissedTickBehavior, interval};

use super::answers::Answers;
use super::places::BrokenOff;
use super::protocol::{Acts, Line, Nothing, Refusal, RefusalKind};
use super::shared::Shared;
use crate::tlsrpt::{self, Collected, PAGE as DOMAINS};

/// Rows handed over at a time.
const PAGE: usize = 500;
/// How often to check whether the client is still connected while the ledger is read.
const PRESENCE: Duration = Duration::from_secs(1);

/// What DANE did.
pub(super) async fn protection<S: Ledger>(
    shared: &Shared<S>,
    scope: Scope,
    answers: &mut Answers,
) -> Result<(), BrokenOff> {
    if scope.period.days() > LONGEST_PERIOD {
        return too_long(answers).await;
    }
    let spool = &*shared.context.spool;
    match in_turn(shared, summary::protection(spool, scope), answers).await? {
        Ok(protection) => answers.end(&protection).await,
        Err(error) => answers.refuse(error.into()).await,
    }
}

async fn too_long(answers: &mut Answers) -> Result<(), BrokenOff> {
    let reason = format!("the period is too long; allowed: {LONGEST_PERIOD} days");
    answers.refuse(Refusal::new(RefusalKind::Request, reason)).await
}

/// Answers with the rows, part by part of the period, and with all of it together at the end.
pub(super) async fn report<S: Ledger>(
    shared: &Shared<S>,
    question: Question,
    answers: &mut Answers,
) -> Result<(), BrokenOff> {
    if question.period.days() > LONGEST_PERIOD {
        return too_long(answers).await;
    }
    let mut making = Making::of(&*shared.context.spool, question);
    loop {
        let rows = match in_turn(shared, making.next(), answers).await? {
            Ok(Some(rows)) => rows,
            Ok(None) => return answers.end(&making.end()).await,
            Err(error) => return answers.refuse(error.into()).await,
        };
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            for row in rows.by_ref().take(PAGE) {
                answers.add(&Line::<Item, Nothing>::Result(row));
            }
            answers.flush().await?;
        }
    }
}

/// Reads the ledger, as long as the client waits for it.
pub(super) async fn in_turn<S, T>(
    shared: &Shared<S>,
    reading: impl Future<Output = T>,
    answers: &mut Answers,
) -> Result<T, BrokenOff> {
    let mut work = Box::pin(async {
        // Two at once would only wait for one another on the same disk. The semaphore is never closed. While the client reads,
        // others have their turn.
        let _turn = shared.reports.acquire().await;
        reading.await
    });
    let mut presence = interval(PRESENCE);
    presence.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            read = &mut work => return Ok(read),
            _ = presence.tick() => answers.progress(Acts::default())?,
        }
    }
}

/// What is counted for TLS reports: by domain, or all about one.
pub(super) async fn tlsrpt<S: TlsTallies>(
    shared: &Shared<S>,
    domain: Option<&Domain>,
    answers: &mut Answers,
) -> Result<(), BrokenOff> {
    let spool = &*shared.context.spool;
    let days = match spool.tls_days().await {
        Ok(days) => days,
        Err(error) => return answers.refuse(Refusal::from(error)).await,
    };
    for day in &days {
        let mut after = None;
        loop {
            let page = match tlsrpt::page(spool, day.day, domain, after.take()).await {
                Ok(page) => page,
                Err(error) => return answers.refuse(Refusal::from(error)).await,
            };
            let is_last = page.len() < DOMAINS;
            after = page.last().map(|last| last.domain.clone());
            for one in page {
                answers.add(&Line::<Collected, Nothing>::Result(one));
            }
            answers.flush().await?;
            if is_last || domain.is_some() {
                break;
            }
        }
    }
    answers.end(&days).await
}
