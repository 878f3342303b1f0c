//! The policy follows its files: when one of them changes, all are read again, without the rest of the configuration.
//!
//! A change is taken up once the files have been the same twice: what somebody is writing is not read half.

use std::sync::Arc;
use std::time::Duration;

use jiff::Zoned;
use mail::event::settings::{ExceptionEnds, Mended, PolicyLoaded, Refused, Subject};
use mail::event::{Event, EventLog};
use policy::{End, ListedException, Missing};
use spool::Store;
use tokio::time::Instant;

use super::announce::{bounded, warn};
use super::errand::{Asker, Order, Wanted};
use super::healed;
use super::start::Daemon;
use super::watched::Watched;
use crate::admin::protocol::{Refusal, RefusalKind, Reloaded};
use crate::config::Loaded;
use crate::wiring::policy::{self as policy_files, Files, LoadedPolicy};
use crate::wiring::standing::Ending;

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
    pub(super) async fn refresh_policy(&mut self) {
        // They are looked at once it is read.
        if self.errand.is_some() {
            return;
        }
        if self.again.take_if(|again| *again <= Instant::now()).is_some() {
            let what = match self.keeping.refused {
                Some(_) => Wanted::Refused,
                None => Wanted::Policy,
            };
            let asker = Asker::Log;
            self.order(Order { what, asker }).await;
            return;
        }
        let what = if self.keeping.refused.as_mut().is_some_and(Watched::has_changed) {
            self.keeping.refused = None;
            Wanted::Refused
        } else if self.keeping.watched.has_changed() {
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
                // Only a reload of everything reads what was refused.
                let mended = match self.keeping.refused {
                    None => Mended::Policy,
                    Some(_) => Mended::Nothing,
                };
                self.put_in_force(policy, mended);
                Ok(Reloaded {
                    warnings,
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

    /// Says once of each exception that it ends within a week, that it ends by tomorrow, and that it has ended.
    pub(super) fn announce_ends(&mut self) {
        let today = Zoned::now().date();
        let policy = self.policy.load_full();
        let near: Vec<(&ListedException, End)> = policy
            .exceptions()
            .filter_map(|exception| Some((exception, exception.end(today)?)))
            .collect();
        for (exception, end) in &near {
            let is_known = |(told, last): &(ListedException, End)| told == *exception && last == end;
            // What had ended before is a warning about the file, each time that it is read.
            let was_there = |(told, _): &(ListedException, End)| told == *exception;
            let is_news = match end {
                End::ThisWeek | End::Tomorrow => !self.keeping.announced.0.iter().any(is_known),
                End::Over => {
                    self.keeping.announced.0.iter().any(was_there)
                        && !self.keeping.announced.0.iter().any(is_known)
                }
            };
            if is_news {
                self.log.write(&Event::ExceptionEnds(ends(exception, *end)));
            }
        }
        self.keeping
            .standing
            .ending(near.iter().filter_map(ending).collect());
        self.keeping.announced.0 = near
            .into_iter()
            .map(|(exception, end)| (exception.clone(), end))
            .collect();
    }
}

fn ends(exception: &ListedException, end: End) -> ExceptionEnds {
    ExceptionEnds {
        kind: exception.kind.as_str(),
        names: exception.names.to_string(),
        until: exception.entry.until.to_string(),
        is_over: end == End::Over,
        place: format!("{}:{}", exception.entry.file, exception.entry.line),
        reason: exception.entry.reason.to_string(),
    }
}

fn ending((exception, end): &(&ListedException, End)) -> Option<Ending> {
    match end {
        End::Over => None,
        End::ThisWeek | End::Tomorrow => Some(Ending {
            exception: exception.to_string(),
            until: exception.entry.until,
            file: exception.entry.file.to_string(),
            line: exception.entry.line,
        }),
    }
}
