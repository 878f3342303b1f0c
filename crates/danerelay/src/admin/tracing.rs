//! `queue retry --trace`: tries a message now, and tells what happens step by step until each of its deliveries has ended.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use delivery::Watch;
use jiff::Timestamp;
use mail::QueueId;
use mail::event::trace::Traced;
use spool::{Action, Manage};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::acting::{self, Performed};
use super::answers::Answers;
use super::peer::Peer;
use super::places::BrokenOff;
use super::protocol::{Acts, Line, Nothing, Refusal, RefusalKind, TracedRetry};
use super::selectors::Selectors;
use super::shared::{FOLLOWED, Shared};
use super::walk::Walk;

/// How long deliveries are followed; they go on without that.
const LONGEST: Duration = Duration::from_mins(10);
/// How often to check whether the client is still connected.
const PRESENCE: Duration = Duration::from_secs(1);

/// Retries the one message that is selected, as far as it is, and follows its deliveries as long as the client is there.
pub(super) async fn retry<S: Manage>(
    shared: &Shared<S>,
    selectors: &Selectors,
    peer: &Peer,
    answers: &mut Answers,
    stop: watch::Receiver<bool>,
) -> Result<(), BrokenOff> {
    if selectors.is_empty() {
        let refusal = Refusal::new(RefusalKind::Request, "no selector is given");
        return answers.refuse(refusal).await;
    }
    let Ok(_place) = shared.followed.try_acquire() else {
        let message =
            format!("{FOLLOWED} retries are being followed already; try it again later, or without --trace");
        return answers.refuse(Refusal::new(RefusalKind::Busy, message)).await;
    };
    let watch = match begin(shared, selectors, answers).await? {
        Ok(watch) => watch,
        Err(refusal) => return answers.refuse(refusal).await,
    };
    let Some(watch) = watch else {
        return answers.end(&TracedRetry::default()).await;
    };
    // What has come since is not retried unseen.
    let selectors = Selectors {
        all: false,
        id: vec![watch.id()],
        ..selectors.clone()
    };
    match acting::perform(shared, (Action::Retry, &selectors), peer, answers).await? {
        Ok(performed) => follow(watch, performed, answers, stop).await,
        Err(refusal) => answers.refuse(refusal).await,
    }
}

/// Watches the message that is selected; `None` if there is none.
async fn begin<S: Manage>(
    shared: &Shared<S>,
    selectors: &Selectors,
    answers: &mut Answers,
) -> Result<Result<Option<Watch>, Refusal>, BrokenOff> {
    let selected = match selected(shared, selectors, answers).await? {
        Ok(selected) => selected,
        Err(refusal) => return Ok(Err(refusal)),
    };
    Ok(match (selected.first(), selected.len()) {
        (None, _) => Ok(None),
        (Some(id), 1) => shared.context.traces.watch(*id).map(Some).ok_or_else(|| {
            let message = format!("the deliveries of {id} are being followed by somebody else");
            Refusal::new(RefusalKind::Busy, message)
        }),
        (Some(_), _) => {
            let message = "the selectors fit more than one message; only one can be traced at a time";
            Err(Refusal::new(RefusalKind::Request, message))
        }
    })
}

/// The first two messages with recipients that are selected.
async fn selected<S: Manage>(
    shared: &Shared<S>,
    selectors: &Selectors,
    answers: &mut Answers,
) -> Result<Result<BTreeSet<QueueId>, Refusal>, BrokenOff> {
    let (spool, now) = (&*shared.context.spool, Timestamp::now());
    let wanted = Arc::new(selectors.clone());
    let select = move |message| wanted.select(&message, now).map(|selected| selected.id);
    let (mut walk, mut found) = (Walk::new(selectors), BTreeSet::new());
    loop {
        match walk.next(spool, select.clone()).await {
            Ok(Some(page)) => found.extend(page),
            Ok(None) => return Ok(Ok(found)),
            Err(error) => return Ok(Err(error.into())),
        }
        if found.len() > 1 {
            return Ok(Ok(found));
        }
        answers.progress(Acts::default())?;
    }
}

/// Passes on what happens until everything that was due has been tried, or the time is over.
async fn follow(
    mut watch: Watch,
    performed: Performed,
    answers: &mut Answers,
    mut stop: watch::Receiver<bool>,
) -> Result<(), BrokenOff> {
    let Performed { acts, due } = performed;
    // So that it is known, whatever comes in between.
    answers.line(&Line::<Nothing, Nothing>::Progress(acts)).await?;
    let mut waiting: BTreeSet<String> = due.iter().map(ToString::to_string).collect();
    let end = Instant::now() + LONGEST;
    let mut stopped = pin!(async {
        let _ = stop.wait_for(|stop| *stop).await;
    });
    let mut presence = interval(PRESENCE);
    presence.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !waiting.is_empty() {
        tokio::select! {
            biased;
            () = &mut stopped => return Err(BrokenOff::Stopping),
            () = sleep_until(end) => break,
            Some(traced) = watch.next() => {
                if let Traced::Ended { next_hop, settled: true } = &traced {
                    waiting.remove(next_hop);
                }
                answers.line(&Line::<Traced, Nothing>::Result(traced)).await?;
            }
            _ = presence.tick() => answers.progress(acts)?,
        }
    }
    let waiting = waiting.into_iter().collect();
    answers.end(&TracedRetry { acts, waiting }).await
}
