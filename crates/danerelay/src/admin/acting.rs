//! Commands that change something; the log says who sent each of them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::vec;

use delivery::{Forget, Names};
use dns::Resolver;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use mail::event::Event;
use mail::event::admin::{Admin, Done};
use mail::{Domain, NextHop, QueueId};
use spool::{Acted, Action, KeepTlsTallies, Manage, Selected, SpoolError, Unreadable};
use tokio::sync::oneshot;

use super::answers::Answers;
use super::peer::Peer;
use super::places::BrokenOff;
use super::protocol::{Acts, Flushed, Line, Nothing, Refusal, RefusalKind, ReportSent, word};
use super::selectors::Selectors;
use super::shared::{Reading, ReloadOrder, Shared};
use super::walk::Walk;
use crate::tlsrpt::{NotSent, Taken};

/// The maximum number of recipients in one atomic step of the spool.
const STEP: usize = 500;

/// From so many next hops on, a retry forgets what is known about all, once.
const MANY: usize = 1000;

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
    shared: &'a Shared<S>,
    action: Action,
    by: String,
    acts: Acts,
    /// The messages that could not be read.
    unreadable: Unreadable,
    /// The next hops of which everything was forgotten.
    fresh: BTreeSet<NextHop>,
    /// The first next hops to which something is due now.
    due: BTreeSet<NextHop>,
}

/// `queue retry`, `hold`, `release` and `delete`: page by page through the queue, never all of it at once.
///
/// If the client disconnects, the current step is completed, and no other is started. The turn is held while the action
/// works, but not while the client reads the results.
pub(super) async fn act<S: Manage>(
    shared: &Shared<S>,
    (action, selectors): (Action, Selectors),
    peer: &Peer,
    answers: &mut Answers,
) -> Result<(), BrokenOff> {
    if selectors.is_empty() {
        let refusal = Refusal::new(RefusalKind::Request, "no selector is given");
        return answers.refuse(refusal).await;
    }
    match perform(shared, (action, &selectors), peer, answers).await? {
        Ok(performed) => answers.end(&performed.acts).await,
        Err(refusal) => answers.refuse(refusal).await,
    }
}

/// What an action has done, and the next hops to which something is due now.
pub(super) struct Performed {
    pub(super) acts: Acts,
    pub(super) due: BTreeSet<NextHop>,
}

/// Does it, or says why it was not completed.
pub(super) async fn perform<S: Manage>(
    shared: &Shared<S>,
    (action, selectors): (Action, &Selectors),
    peer: &Peer,
    answers: &mut Answers,
) -> Result<Result<Performed, Refusal>, BrokenOff> {
    answers.hurry();
    let turn = shared.actions.acquire().await;
    // If the client disconnected while it waited for its turn, nothing is to be done any more.
    answers.progress(Acts::default())?;
    let mut work = Work {
        shared,
        action,
        by: peer.to_string(),
        acts: Acts::default(),
        unreadable: Unreadable::default(),
        fresh: BTreeSet::new(),
        due: BTreeSet::new(),
    };
    let ended = work.through(selectors, answers).await;
    work.acts.unreadable = work.unreadable.messages;
    shared.log_unreadable(word(action), &work.unreadable);
    shared.log(&work.event(selectors, ended.as_ref().err()));
    drop(turn);
    match ended {
        Ok(()) => Ok(Ok(Performed {
            acts: work.acts,
            due: work.due,
        })),
        Err(Trouble::Spool(error)) => {
            answers.add(&Line::<Nothing, Nothing>::Progress(work.acts));
            Ok(Err(error.into()))
        }
        Err(Trouble::BrokenOff(why)) => Err(why),
    }
}

impl<S: Manage> Work<'_, S> {
    async fn through(&mut self, selectors: &Selectors, answers: &mut Answers) -> Result<(), Trouble> {
        let spool = &*self.shared.context.spool;
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
            let acted = self.shared.context.spool.discard(*id).await?;
            self.acts.add(&acted);
            self.follow_up(acted);
            answers.progress(self.acts)?;
        }
        // Each of them has been counted.
        self.unreadable = Unreadable::default();
        Ok(())
    }

    /// What has to happen outside the spool.
    fn follow_up(&mut self, acted: Acted) {
        let shared = self.shared;
        let context = &shared.context;
        match self.action {
            // The destinations' DNS and their hosts may have been fixed, so what is known about them is forgotten.
            Action::Retry => {
                self.note_due(&acted);
                self.forget(acted.pending.iter().map(|one| &one.next_hop));
            }
            Action::Release => {}
            // A report about failed recipients may have been waiting for these.
            Action::Hold => context.scheduler.report(acted.messages),
            Action::Delete => {
                for id in &acted.messages {
                    self.shared.log(&self.deleted(*id));
                }
                context.scheduler.report(acted.messages);
            }
        }
        context.scheduler.schedule(acted.pending);
    }

    fn note_due(&mut self, acted: &Acted) {
        let (room, now) = (MANY.saturating_sub(self.due.len()), Timestamp::now());
        let due = acted.pending.iter().filter(|one| one.due <= now);
        self.due.extend(due.take(room).map(|one| one.next_hop.clone()));
    }

    /// Forgets what is known about these next hops, once. If they are many, of all, and no more from then on: each costs a
    /// look at everything known.
    fn forget<'n>(&mut self, next_hops: impl Iterator<Item = &'n NextHop>) {
        let context = &self.shared.context;
        if self.fresh.len() >= MANY {
            return;
        }
        let new: BTreeSet<&NextHop> = next_hops.filter(|one| !self.fresh.contains(*one)).collect();
        if new.is_empty() {
            return;
        }
        if self.fresh.len() + new.len() >= MANY {
            forget_all(self.shared);
            if let Some(policies) = &context.explainer.mta_sts {
                policies.renew_all();
            }
        } else {
            context.scheduler.forget(self.known_of(&new));
            let names = names(new.iter().copied());
            context.resolver.flush_each(&names);
            if let Some(policies) = &context.explainer.mta_sts {
                policies.renew_each(&names);
            }
        }
        self.fresh.extend(new.into_iter().cloned());
    }

    /// These next hops, and all names under which their hosts may be known: their own, those of their routes and fallbacks,
    /// and those of their mail exchangers.
    fn known_of(&self, next_hops: &BTreeSet<&NextHop>) -> Forget {
        let context = &self.shared.context;
        let (policy, today) = (context.explainer.policy.load(), Zoned::now().date());
        let mut names = Names::default();
        for next_hop in next_hops {
            let policy = policy.for_destination(next_hop, today);
            let route = policy.route.as_ref().map(|route| &route.next_hop);
            for way in [Some(*next_hop), route, policy.fallback.as_ref()]
                .into_iter()
                .flatten()
            {
                names.add_next_hop(way);
                if let NextHop::Domain { domain, .. } = way {
                    add_exchangers(&mut names, &context.resolver, domain);
                }
            }
        }
        Forget::NextHops(next_hops.iter().copied().cloned().collect(), names)
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

fn add_exchangers(names: &mut Names, resolver: &Resolver, domain: &Domain) {
    for host in resolver.known_exchangers(domain) {
        names.add(&host);
    }
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
    shared: &Shared<S>,
    what: Reading,
    peer: &Peer,
    answers: &mut Answers,
) -> Result<(), BrokenOff> {
    let (answer, outcome) = oneshot::channel();
    if shared
        .context
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
    shared.log(&Event::Admin(Admin::Reload {
        by: peer.to_string(),
        is_loaded: outcome.is_ok(),
    }));
    match outcome {
        Ok(reloaded) => answers.end(&reloaded).await,
        Err(refusal) => answers.refuse(refusal).await,
    }
}

/// `tlsrpt send`: sends the report for a domain about the running day. It is logged like every report, and with who ordered
/// it.
pub(super) async fn send_report<S: KeepTlsTallies>(
    shared: &Shared<S>,
    domain: &Domain,
    peer: &Peer,
    answers: &mut Answers,
) -> Result<(), BrokenOff> {
    let Some(sender) = &shared.context.tlsrpt else {
        let reason = "nobody is named who reports; set `tlsrpt.organization` and `tlsrpt.contact`, and `tlsrpt.dkim` for \
                      reports by mail; if they are set, `danerelay config check` says what is wrong with them";
        return answers
            .refuse(Refusal::new(RefusalKind::Configuration, reason))
            .await;
    };
    let (by, selector) = (peer.to_string(), domain.to_string());
    shared.log(&Event::Admin(Admin::SendReport { by, selector }));
    let now = Timestamp::now();
    let today = now.to_zoned(TimeZone::UTC).date();
    let (kind, error) = match sender.send(today, domain, now).await {
        Ok(Taken { to, id }) => return answers.end(&ReportSent { to, id }).await,
        Err(NotSent::Spool(error)) => return answers.refuse(error.into()).await,
        Err(error @ (NotSent::UnderWay(_) | NotSent::Later(_))) => (RefusalKind::Busy, error),
        Err(error @ NotSent::NoKey(_)) => (RefusalKind::Configuration, error),
        Err(error @ (NotSent::Nothing(_) | NotSent::Unwanted(_) | NotSent::Unusable(_))) => {
            (RefusalKind::Unknown, error)
        }
    };
    answers.refuse(Refusal::new(kind, error.to_string())).await
}

/// `flush`: forgets what was learned about a name, everything below it and its mail exchangers, or about all names: answers,
/// MTA-STS policies, receiving hosts, destinations.
pub(super) async fn flush<S: Manage>(
    shared: &Shared<S>,
    what: Flushed,
    peer: &Peer,
    answers: &mut Answers,
) -> Result<(), BrokenOff> {
    let context = &shared.context;
    let selector = match what {
        Flushed::Name(name) => {
            let mut names = Names::default();
            names.add(&name);
            add_exchangers(&mut names, &context.resolver, &name);
            context.scheduler.forget(Forget::Below(names));
            context.resolver.flush(&name);
            if let Some(policies) = &context.explainer.mta_sts {
                policies.flush(&name);
            }
            name.to_string()
        }
        Flushed::All => {
            forget_all(shared);
            if let Some(policies) = &context.explainer.mta_sts {
                policies.flush_all();
            }
            "--all".to_owned()
        }
    };
    let by = peer.to_string();
    shared.log(&Event::Admin(Admin::Flush { by, selector }));
    answers.end(&Nothing {}).await
}

/// Everything that was learned is forgotten.
fn forget_all<S>(shared: &Shared<S>) {
    let context = &shared.context;
    context.scheduler.forget(Forget::All);
    context.resolver.flush_all();
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
