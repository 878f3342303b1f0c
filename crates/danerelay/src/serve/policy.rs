//! The policy follows its files: when one of them changes, all are read again, without the rest of the configuration.
//!
//! A change is taken up once the files have been the same twice: what somebody is writing is not read half.

use std::sync::Arc;
use std::time::Duration;

use jiff::Zoned;
use mail::event::settings::{Mended, PolicyLoaded, Refused, Subject};
use mail::event::{Event, EventLog};
use policy::{End, ListedException, Missing};
use spool::Store;
use tokio::time::Instant;

use super::announce::{bounded, warn};
use super::daemon::Daemon;
use super::ends;
use super::healed;
use super::list_fetch::{Asker, Order, Wanted};
use super::watched::{Look, Watched};
use crate::admin::protocol::{Refusal, RefusalKind, Reloaded};
use crate::config::Loaded;
use crate::exceptions;
use crate::wiring::policy::{self as policy_files, Files, LoadedPolicy};

/// How long reading the files may take: they may be on another machine's disk, and a list may be long.
pub(super) const READING: Duration = Duration::from_secs(30);

/// Reads the policy for the daemon. With a list missing that the one in force still has, it is refused.
pub(super) fn read(loaded: &Loaded, files: &mut Files) -> Result<LoadedPolicy, String> {
    let policy = policy_files::load_noting(loaded, Missing::Refused, files);
    let policy = policy.map_err(|error| error.to_string())?;
    let mut warnings = policy.warnings.iter();
    match warnings.find(|warning| warning.remark.loses_a_list()) {
        Some(lost) => Err(lost.to_string()),
        None => Ok(policy),
    }
}

impl<S: Store> Daemon<S> {
    /// Reads the policy again if one of its files has changed; everything, if a reload was refused because of them. The
    /// log has the result.
    pub(super) async fn refresh_policy(&mut self, look: &Look) {
        // They are looked at once it is read.
        if self.list_fetch.is_some() {
            return;
        }
        if self.again.take_if(|again| *again <= Instant::now()).is_some() {
            let what = match self.keeping.refused.take() {
                Some(_) => Wanted::Refused,
                None => Wanted::Policy,
            };
            let asker = Asker::Log;
            self.order(Order { what, asker }).await;
            return;
        }
        let refused = self.keeping.refused.as_mut().zip(look.refused.as_ref());
        let what = if refused.is_some_and(|(refused, now)| refused.has_changed(now)) {
            self.keeping.refused = None;
            Wanted::Refused
        } else if self.keeping.watched.has_changed(&look.policy) {
            Wanted::Policy
        } else {
            return;
        };
        let asker = Asker::Log;
        self.order(Order { what, asker }).await;
    }

    /// Reads the policy, its lists and the added exceptions again. If one of the files has faults, the policy in force
    /// stays in force, and the log says what is wrong.
    pub(super) async fn reload_policy(&mut self) -> Result<Reloaded, Refusal> {
        let loaded = self.loaded.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let mut files = Files::default();
            let policy = read(&loaded, &mut files);
            (policy, files)
        });
        let (policy, files) = match tokio::time::timeout(READING, reading).await {
            Ok(Ok(read)) => read,
            Ok(Err(panicked)) => (Err(panicked.to_string()), self.keeping.watched.files.clone()),
            Err(_) => (
                Err("reading the files takes too long".to_owned()),
                self.keeping.watched.files.clone(),
            ),
        };
        self.keeping.watched = Watched::of(files);
        match policy {
            Ok(policy) => {
                let warnings = policy.warnings.iter().map(ToString::to_string).collect();
                let about_added = exceptions::about_added(&policy.warnings, &self.loaded.config);
                // Only a reload of everything reads what was refused.
                let mended = match self.keeping.refused {
                    None => Mended::Policy,
                    Some(_) => Mended::Nothing,
                };
                self.put_in_force(policy, mended);
                Ok(Reloaded {
                    warnings,
                    about_added,
                    waiting: Vec::new(),
                })
            }
            Err(faults) => {
                self.keeping.standing.refused(&faults);
                let lines: Vec<String> = faults.lines().map(str::to_owned).collect();
                for reason in bounded(lines.into_iter()) {
                    let about = Subject::Policy;
                    self.events.write(&Event::Refused(Refused { about, reason }));
                }
                Err(Refusal::new(RefusalKind::Configuration, faults))
            }
        }
    }

    /// Uses a policy from now on.
    pub(super) fn put_in_force(&mut self, policy: LoadedPolicy, mended: Mended) {
        warn(&policy.warnings, Subject::Policy, &*self.log);
        let file = policy
            .file
            .map_or_else(|| "built-in".to_owned(), |file| file.display().to_string());
        let remote = policy.policy.remote_lists().to_vec();
        self.policy.store(Arc::new(policy.policy));
        // Only a reload of everything reads what was refused.
        if self.keeping.refused.is_none() {
            self.keeping.standing.accepted();
        }
        self.keeping.remote_lists.send_replace(remote);
        self.refresh_unvalidated();
        let policy = self.policy.load_full();
        self.keeping
            .standing
            .retain_healed(|one| healed::is_excepted(one, &policy));
        self.events
            .write(&Event::PolicyLoaded(PolicyLoaded { file, mended }));
        self.announce_ends();
    }

    /// Says what is new about the ends of exceptions.
    pub(super) fn announce_ends(&mut self) {
        let today = Zoned::now().date();
        let policy = self.policy.load_full();
        let near: Vec<(&ListedException, End)> = policy
            .exceptions()
            .filter_map(|exception| Some((exception, exception.end(today)?)))
            .collect();
        for (exception, end) in self.keeping.ends.news(near.iter().copied()) {
            let event = ends::event(exception, end);
            self.log.write(&Event::ExceptionEnds(event));
        }
        let ending = near.iter().filter_map(ends::ending);
        self.keeping.standing.ending(ending.collect());
    }
}
