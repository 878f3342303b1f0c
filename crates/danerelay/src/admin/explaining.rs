//! `explain`: what this daemon would do for a destination, with the resolver and the policy that its deliveries use.

use std::time::Duration;

use mail::event::Event;
use mail::event::admin::Admin;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::answers::Answers;
use super::peer::Peer;
use super::places::BrokenOff;
use super::protocol::{Acts, Refusal, RefusalKind};
use super::shared::Shared;
use crate::explain::{Inquiry, Report, Whose};

/// The time limit for an explanation, including the wait for its turn.
const LONGEST: Duration = Duration::from_mins(4);
/// How often to check whether the client is still connected.
const PRESENCE: Duration = Duration::from_secs(1);

/// Explains, as long as the client waits for it.
pub(super) async fn explain<S>(
    shared: &Shared<S>,
    inquiry: &Inquiry,
    peer: &Peer,
    answers: &mut Answers,
) -> Result<(), BrokenOff> {
    answers.hurry();
    let mut work = Box::pin(timeout(LONGEST, find_out(shared, inquiry, peer)));
    let mut presence = interval(PRESENCE);
    presence.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let explained = loop {
        tokio::select! {
            biased;
            explained = &mut work => break explained,
            _ = presence.tick() => answers.progress(Acts::default())?,
        }
    };
    match explained {
        Ok(Ok(report)) => answers.end(&report).await,
        Ok(Err(refusal)) => answers.refuse(refusal).await,
        Err(_) => {
            let minutes = LONGEST.as_secs() / 60;
            let message = format!("the explanation was not complete within {minutes} minutes");
            answers.refuse(Refusal::new(RefusalKind::Busy, message)).await
        }
    }
}

async fn find_out<S>(shared: &Shared<S>, inquiry: &Inquiry, peer: &Peer) -> Result<Report, Refusal> {
    // The semaphore is never closed.
    let _turn = shared.explanations.acquire().await;
    if inquiry.connect {
        // It makes connections that other servers notice.
        shared.log(&Event::Admin(Admin::Explain {
            selector: String::from(inquiry.destination.clone()),
            by: peer.to_string(),
        }));
    }
    let explainer = &shared.context.explainer;
    let report = explainer.explain(inquiry, Whose::Daemon).await;
    report.map_err(|error| Refusal::new(RefusalKind::Configuration, error.to_string()))
}
