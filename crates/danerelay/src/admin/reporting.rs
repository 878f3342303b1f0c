//! `report`: the figures of the ledger.

use report::summary::{Item, LONGEST_PERIOD, Question, make};
use spool::Ledger;

use super::answers::Answers;
use super::office::Office;
use super::places::BrokenOff;
use super::protocol::{Line, Nothing, Refusal, RefusalKind};

/// Rows handed over at a time.
const PAGE: usize = 500;

/// Answers with the rows, and with all of it together at the end.
pub(super) async fn report<S: Ledger>(
    office: &Office<S>,
    question: Question,
    answers: &mut Answers,
) -> Result<(), BrokenOff> {
    if question.period.days() > LONGEST_PERIOD {
        let reason = format!("the period is too long; allowed: {LONGEST_PERIOD} days");
        return answers.refuse(Refusal::new(RefusalKind::Request, reason)).await;
    }
    // Two at once would only wait for one another on the same disk. The semaphore is never closed.
    let turn = office.reports.acquire().await.ok();
    let made = make(&*office.surroundings.spool, question).await;
    drop(turn);
    let report = match made {
        Ok(report) => report,
        Err(error) => return answers.refuse(Refusal::from(error)).await,
    };
    let mut rows = report.rows.into_iter().peekable();
    while rows.peek().is_some() {
        for row in rows.by_ref().take(PAGE) {
            answers.add(&Line::<Item, Nothing>::Result(row));
        }
        answers.flush().await?;
    }
    answers.end(&report.head).await
}
