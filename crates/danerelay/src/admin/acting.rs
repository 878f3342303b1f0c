//! Commands that change something; the log says who sent each of them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::vec;

use jiff::Timestamp;
use mail::event::Event;
use mail::event::admin::{Admin, Done};
use mail::{Domain, NextHop, QueueId};
use spool::{Acted, Action, Manage, Selected, SpoolError, Unreadable};
use tokio::sync::oneshot;

use super::answers::Answers;
use super::office::{Office, Reading, ReloadOrder};
use super::peer::Peer;
use super::places::BrokenOff;
use super::protocol::{Acts, Flushed, Line, Nothing, Refusal, RefusalKind, word};
use super::selectors::Selectors;
use super::walk::Walk;

/// The maximum number of recipients in one atomic step of the spool.
const STEP: usize = 500;

/// Why an action was not completed.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Spool(#[from] SpoolError),
    #[error(transparent)]
    BrokenOff(#[from] BrokenOff),
}

/// An action in progress.
struct Work<'a, S> {
    office: &'a Office<S>,
    action: Action,
    by: String,
    acts: Acts,
    /// The messages that could not be read.
    unreadable: Unreadable,
}

/// `queue retry`, `hold`, `release` and `delete`: page by page through the queue, never all of it at once.
///
/// If the client disconnects, the current step is completed, and no other is started. The turn is held while the action
/// works, but not while the client reads the results.
pub(super) async fn act<S: Manage>(
    office: &Office<S>,
    (action, selectors): (Action, Selectors),
    peer: &Peer,
    answers: &mut Answers,
) -> Result<(), BrokenOff> {
    if selectors.is_empty() {
        let refusal = Refusal::new(RefusalKind::Request, "no selector is given");
        return answers.refuse(refusal).await;
    }
    answers.hurry();
    let turn = office.actions.acquire().await;
    // If the client disconnected while it waited for its turn, nothing is to be done any more.
    answers.progress(Acts::default())?;
    if action == Action::Retry {
        // Receiving hosts may have been fixed, so what is remembered about them is forgotten.
        office.surroundings.scheduler.forget_hosts();
    }
    let mut work = Work {
        office,
        action,
        by: peer.to_string(),
        acts: Acts::default(),
        unreadable: Unreadable::default(),
    };
    let ended = work.through(&selectors, answers).await;
    work.acts.unreadable = work.unreadable.messages;
    office.log_unreadable(word(action), &work.unreadable);
    office.log(&work.event(&selectors, ended.as_ref().err()));
    drop(turn);
    match ended {
        Ok(()) => answers.end(&work.acts).await,
        Err(Trouble::Spool(error)) => {
            answers.add(&Line::<Nothing, Nothing>::Progress(work.acts));
            answers.refuse(error.into()).await
        }
        Err(Trouble::BrokenOff(why)) => Err(why),
    }
}

impl<S: Manage> Work<'_, S> {
    async fn through(&mut self, selectors: &Selectors, answers: &mut Answers) -> Result<(), Trouble> {
        let spool = &*self.office.surroundings.spool;
        let (wanted, now) = (Arc::new(selectors.clone()), Timestamp::now());
        let select = move |message| wanted.select(&message, now);
        let mut walk = Walk::new(selectors);
        while let Some(page) = walk.next(spool, select.clone()).await? {
            self.unreadable = walk.unreadable().clone();
            let mut page = page.into_iter();
            while let Some(step) = next_step(&mut page) {
                let acted = spool.act(self.action, step, Timestamp::now()).await?;
                self.acts.add(&acted);
                self.follow_up(acted);
                answers.progress(self.acts)?;
            }
            // There may be pages without any step.
            answers.progress(self.acts)?;
        }
        self.unreadable = walk.unreadable().clone();
        if self.action == Action::Delete && selectors.are_ids_alone() {
            self.discard(walk.damaged(), answers).await?;
        }
        Ok(())
    }

    /// Deletes messages that cannot be read, which is allowed only for those named by their ids.
    async fn discard(&mut self, damaged: &[QueueId], answers: &mut Answers) -> Result<(), Trouble> {
        for id in damaged {
            let acted = self.office.surroundings.spool.discard(*id).await?;
            self.acts.add(&acted);
            self.follow_up(acted);
            answers.progress(self.acts)?;
        }
        // Each of them has been counted.
        self.unreadable = Unreadable::default();
        Ok(())
    }

    /// What has to happen outside the spool.
    fn follow_up(&self, acted: Acted) {
        let surroundings = &self.office.surroundings;
        match self.action {
            Action::Retry => {
                // The destinations' DNS may have been fixed, so what is cached about it is forgotten.
                let next_hops = acted.pending.iter().map(|one| &one.next_hop);
                surroundings.resolver.flush_each(&names(next_hops));
            }
            Action::Release => {}
            // A report about failed recipients may have been waiting for these.
            Action::Hold => surroundings.scheduler.report(acted.messages),
            Action::Delete => {
                for id in &acted.messages {
                    self.office.log(&self.deleted(*id));
                }
                surroundings.scheduler.report(acted.messages);
            }
        }
        surroundings.scheduler.retry(acted.pending);
    }

    fn deleted(&self, id: QueueId) -> Event {
        let by = self.by.clone();
        Event::Admin(Admin::Deleted { id, by })
    }

    fn event(&self, selectors: &Selectors, trouble: Option<&Trouble>) -> Event {
        Event::Admin(Admin::Acted {
            action: word(self.action),
            by: self.by.clone(),
            selector: selectors.to_string(),
            done: Done {
                messages: self.acts.messages,
                done: self.acts.done,
                leased: self.acts.leased,
                unsuitable: self.acts.unsuitable,
            },
            trouble: trouble.map(ToString::to_string),
        })
    }
}

/// The next messages, with as many recipients as fit into one step; `None` at the end.
fn next_step(page: &mut vec::IntoIter<Selected>) -> Option<Vec<Selected>> {
    let (mut step, mut recipients) = (Vec::new(), 0_usize);
    while recipients < STEP
        && let Some(selected) = page.next()
    {
        recipients = recipients.saturating_add(selected.recipients.len());
        step.push(selected);
    }
    (!step.is_empty()).then_some(step)
}

/// The names that are looked up for these next hops.
fn names<'a>(next_hops: impl Iterator<Item = &'a NextHop>) -> Vec<Domain> {
    let names: BTreeSet<&Domain> = next_hops
        .filter_map(|next_hop| match next_hop {
            NextHop::Domain { domain, .. } => Some(domain),
            NextHop::Host { host, .. } => Some(host),
            NextHop::Address { .. } => None,
        })
        .collect();
    names.into_iter().cloned().collect()
}

/// `reload`: in the same way as SIGHUP; or only the policy.
pub(super) async fn reload<S: Manage>(
    office: &Office<S>,
    what: Reading,
    peer: &Peer,
    answers: &mut Answers,
) -> Result<(), BrokenOff> {
    let (answer, outcome) = oneshot::channel();
    if office
        .surroundings
        .reload
        .send(ReloadOrder { what, answer })
        .await
        .is_err()
    {
        return answers.refuse(Refusal::stopping()).await;
    }
    let Ok(outcome) = outcome.await else {
        return answers.refuse(Refusal::stopping()).await;
    };
    office.log(&Event::Admin(Admin::Reload {
        by: peer.to_string(),
        is_loaded: outcome.is_ok(),
    }));
    match outcome {
        Ok(reloaded) => answers.end(&reloaded).await,
        Err(refusal) => answers.refuse(refusal).await,
    }
}

/// `flush`: forgets what was learned about a name and everything below it, or about all names; and about all receiving
/// hosts, which are remembered by address.
pub(super) async fn flush<S: Manage>(
    office: &Office<S>,
    what: Flushed,
    peer: &Peer,
    answers: &mut Answers,
) -> Result<(), BrokenOff> {
    let surroundings = &office.surroundings;
    let selector = match what {
        Flushed::Name(name) => {
            surroundings.resolver.flush(&name);
            name.to_string()
        }
        Flushed::All => {
            surroundings.resolver.flush_all();
            "--all".to_owned()
        }
    };
    surroundings.scheduler.forget_hosts();
    let by = peer.to_string();
    office.log(&Event::Admin(Admin::Flush { by, selector }));
    answers.end(&Nothing {}).await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use spool::RecipientIndex;

    use super::*;

    fn selected(recipients: u32) -> Selected {
        Selected {
            id: QueueId::generate(),
            recipients: (0..recipients).map(RecipientIndex).collect(),
        }
    }

    #[test]
    fn a_step_ends_with_the_message_that_fills_it() {
        let mut page = [499, 1, 500, 1000, 3].map(selected).to_vec().into_iter();
        let mut steps = Vec::new();
        while let Some(step) = next_step(&mut page) {
            steps.push(step.iter().map(|one| one.recipients.len()).sum::<usize>());
        }
        assert_eq!(steps, [500, 500, 1000, 3]);
    }

    #[test]
    fn each_name_is_flushed_once_and_addresses_have_none() {
        let next_hops: Vec<NextHop> = ["b.example", "[mx.a.example]:25", "b.example:587", "[192.0.2.1]"]
            .iter()
            .map(|text| text.parse().unwrap())
            .collect();
        let names: Vec<String> = names(next_hops.iter()).iter().map(ToString::to_string).collect();
        assert_eq!(names, ["b.example", "mx.a.example"]);
    }
}
