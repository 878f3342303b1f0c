//! `daily`: the daily mail, about yesterday.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use mail::event::Event;
use mail::event::admin::Admin;
use report::incidents::Incident;
use report::summary::{self, Internal, Period, Scope};
use spool::{Incidents, Inspect, Ledger, Spool, SpoolError};

use super::answers::Answers;
use super::looking::DESTINATIONS;
use super::peer::Peer;
use super::places::BrokenOff;
use super::protocol::{DailyEnd, DailyMail, DailyTo, Refusal, RefusalKind};
use super::reporting::in_turn;
use super::shared::Shared;
use crate::daily::Facts;

/// Writes it, and puts it into the queue or hands it to the client.
pub(super) async fn daily<S: Inspect + Ledger + Incidents + Spool>(
    shared: &Shared<S>,
    to: DailyTo,
    peer: &Peer,
    answers: &mut Answers,
) -> Result<(), BrokenOff> {
    let daily = &shared.context.daily;
    let to = match to {
        DailyTo::Client => None,
        DailyTo::Mailbox(mailbox) => Some(mailbox),
        DailyTo::Postmaster => {
            let mailbox = daily.told.load().mail.0.clone();
            if mailbox.is_none() {
                let reason =
                    "it is not said who gets the daily mail: set `incidents.mail`, or name an address";
                let refusal = Refusal::new(RefusalKind::Configuration, reason);
                return answers.refuse(refusal).await;
            }
            mailbox
        }
    };
    let now = Timestamp::now();
    let facts = match in_turn(shared, facts(shared, now), answers).await? {
        Ok(facts) => facts,
        Err(error) => return answers.refuse(not_now(&error)).await,
    };
    let unreadable = facts.figures.unreadable;
    let letter = facts.letter();
    let Some(to) = to else {
        let end = DailyEnd::Text(letter.text);
        return answers.end(&DailyMail { end, unreadable }).await;
    };
    let (by, selector) = (peer.to_string(), to.to_string());
    shared.log(&Event::Admin(Admin::MailReport { by, selector }));
    match daily.post.mail(&letter.mail(&to, &daily.post.relay, now)).await {
        Ok(id) => {
            let end = DailyEnd::Queued {
                to: to.to_string(),
                id,
            };
            answers.end(&DailyMail { end, unreadable }).await
        }
        Err(error) => answers.refuse(not_now(&error)).await,
    }
}

/// No mail was sent: another try may succeed.
fn not_now(error: &SpoolError) -> Refusal {
    Refusal::new(RefusalKind::Busy, error.to_string())
}

async fn facts<S: Inspect + Ledger + Incidents>(
    shared: &Shared<S>,
    now: Timestamp,
) -> Result<Facts, SpoolError> {
    let context = &shared.context;
    let spool = &*context.spool;
    let today = now.to_zoned(TimeZone::UTC).date();
    let day = today.yesterday().unwrap_or(today);
    let scope = Scope {
        period: Period { from: day, to: day },
        internal: Internal::Exclude,
        internal_domains: context.daily.internal.clone(),
    };
    let composed = context.board.incidents(now).await?;
    let incidents = composed.into_iter().map(|one| one.incident);
    let metrics = &context.daily.metrics;
    Ok(Facts {
        relay: context.daily.post.relay.clone(),
        day,
        now,
        started: metrics.started(),
        figures: summary::daily(spool, scope).await?,
        queue: spool.summary(DESTINATIONS, now).await?,
        incidents: incidents.filter(Incident::is_open).collect(),
        policy: context.standing.all(),
        tls_reports: metrics.tls_reports_on(day),
    })
}
