//! Reading files again, in the order in which that is asked for. A new list with a URL is fetched first, beside the daemon's
//! main loop: whoever asked waits for it, and nobody else does.

use std::time::Duration;

use mail::event::settings::Subject;
use policy::RemoteList;
use spool::Store;
use tokio::time::Instant;

use super::announce::warn;
use super::daemon::Daemon;
use super::list_fetch::{Asker, ListFetch, Order, Wanted};
use super::lists::{fetch_missing, missing};
use super::notify::{self, Files};
use super::policy::READING;
use crate::admin::protocol::{Refusal, Reloaded};
use crate::config::{self, Config};
use crate::wiring::policy as policy_files;

/// A policy that was refused for want of a list is read again after this time.
const AGAIN: Duration = Duration::from_mins(5);

impl<S: Store> Daemon<S> {
    /// Carries an order out, or has the lists fetched that it needs.
    pub(super) async fn order(&mut self, order: Order) {
        if order.what == Wanted::Everything {
            notify::reloading(&self.status);
        }
        if let Some(list_fetch) = &mut self.list_fetch {
            list_fetch.later.push(order);
            return;
        }
        self.take_up(vec![order]).await;
    }

    /// Carries orders out together.
    async fn take_up(&mut self, orders: Vec<Order>) {
        let Some(what) = orders.iter().map(|order| order.what).max() else {
            return;
        };
        self.again = None;
        match self.new_lists(what).await {
            Some((config, lists)) => {
                let fetching = async move {
                    match fetch_missing(&config, &lists).await {
                        Ok(failed) => failed,
                        Err(error) => vec![error.to_string()],
                    }
                };
                self.list_fetch = Some(ListFetch {
                    fetching: tokio::spawn(fetching),
                    waiting: orders,
                    later: Vec::new(),
                });
            }
            None => drop(self.carry_out(orders).await),
        }
    }

    /// The lists have been fetched but for those that failed.
    pub(super) async fn fetched(&mut self, failed: Vec<String>) {
        let Some(list_fetch) = self.list_fetch.take() else {
            return;
        };
        warn(&failed, Subject::Policy, &*self.log);
        let outcome = self.carry_out(list_fetch.waiting).await;
        // Nobody else fetches what no policy in force names.
        if !failed.is_empty() && outcome.is_some_and(|outcome| outcome.is_err()) {
            self.again = Some(Instant::now() + AGAIN);
        }
        // What they mean may name other lists; one fetch serves them all.
        self.take_up(list_fetch.later).await;
    }

    /// Returns what came of it, if anybody asked.
    async fn carry_out(&mut self, orders: Vec<Order>) -> Option<Result<Reloaded, Refusal>> {
        let what = orders.iter().map(|order| order.what).max()?;
        let outcome = match what {
            Wanted::Policy => self.read_policy().await,
            Wanted::Everything => self.read_everything().await,
            Wanted::Refused => match self.read_everything().await {
                // It is not the policy any more.
                Err(_) if self.keeping.refused.is_none() => self.read_policy().await,
                outcome => outcome,
            },
        };
        if what == Wanted::Everything {
            notify::ready(&self.status);
        }
        for order in orders {
            match order.asker {
                Asker::Log => {}
                Asker::Client(answer) => drop(answer.send(outcome.clone())),
            }
        }
        Some(outcome)
    }

    async fn read_everything(&mut self) -> Result<Reloaded, Refusal> {
        let outcome = self.reload().await;
        self.status.set_read(Files::Configuration, &outcome);
        outcome
    }

    async fn read_policy(&mut self) -> Result<Reloaded, Refusal> {
        let outcome = self.reload_policy().await;
        self.status.set_read(Files::Policy, &outcome);
        outcome
    }

    /// The lists of which there is no copy, with the configuration that they are fetched by: without a strict one the policy
    /// would be refused, and nobody would fetch it. `None` if there is none, or the configuration is wrong, which is told
    /// when it is read for use.
    async fn new_lists(&self, what: Wanted) -> Option<(Config, Vec<RemoteList>)> {
        let (named, in_force) = (self.named.clone(), self.loaded.clone());
        let find = move || {
            let loaded = match what {
                Wanted::Policy => in_force,
                Wanted::Refused | Wanted::Everything => config::load(named.as_deref()).ok()?,
            };
            let lists = missing(&loaded.config, policy_files::remote_lists(&loaded));
            (!lists.is_empty()).then_some((loaded.config, lists))
        };
        let finding = tokio::task::spawn_blocking(find);
        tokio::time::timeout(READING, finding).await.ok()?.ok()?
    }
}
