//! SIGHUP: everything is read again, and takes effect as a whole or not at all.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dns::TrustAnchors;
use listener::ListenerConfig;
use mail::event::resolver::Resolver;
use mail::event::settings::{ClientsLoaded, PolicyLoaded, Refused, Subject, WaitsForRestart};
use mail::event::{Event, EventLog};
use spool::Store;

use super::announce::{bounded, warn};
use super::start::Daemon;
use crate::admin::protocol::{Refusal, RefusalKind, Reloaded};
use crate::config::{self, Loaded};
use crate::logging;
use crate::wiring::clients::Stamps;
use crate::wiring::policy::LoadedPolicy;
use crate::wiring::{self, resolver, settings};

/// How long reading the files may take: they may be on another machine's disk, and a list may be long.
const READING: Duration = Duration::from_secs(30);

impl<S: Store> Daemon<S> {
    /// Reads configuration, policy and lists again, has resolv.conf read again, and reopens the log. If one of the
    /// files has faults, everything in force stays in force, and the log says what is wrong.
    pub(super) async fn reload(&mut self) -> Result<Reloaded, Refusal> {
        match self.read().await {
            Ok((loaded, policy, settings)) => {
                self.servers.notify_one();
                self.stamps = Stamps::of(&loaded.config);
                self.listener_config.send_replace(Arc::new(settings));
                self.reopen_log(&loaded.config.log).await;
                Ok(self.accept(loaded, policy))
            }
            Err((about, faults)) => Err(self.refuse(about, &faults).await),
        }
    }

    /// Reads the files. If one has faults, says which kind of file it is, and what is wrong with it.
    async fn read(&self) -> Result<(Loaded, LoadedPolicy, ListenerConfig), (Subject, String)> {
        let (named, anchors) = (self.named.clone(), self.anchor_file());
        let reading = tokio::task::spawn_blocking(move || load(named.as_deref(), &anchors));
        let (loaded, policy, anchors) = match tokio::time::timeout(READING, reading).await {
            Ok(Ok(read)) => read?,
            Ok(Err(panicked)) => return Err((Subject::Config, panicked.to_string())),
            Err(_) => return Err((Subject::Config, "reading the files takes too long".to_owned())),
        };
        let settings = settings::listener(&loaded.config, &self.hostname)
            .map_err(|error| (Subject::Config, error.to_string()))?;
        self.set_trust_anchors(&anchors)
            .map_err(|faults| (Subject::Resolver, faults))?;
        Ok((loaded, policy, settings))
    }

    /// The same file as at start: a different file takes effect at the next start. Other software may keep it up to
    /// date (RFC 5011).
    fn anchor_file(&self) -> PathBuf {
        self.started_with.dns.trust_anchor.clone()
    }

    fn set_trust_anchors(&self, anchors: &TrustAnchors) -> Result<(), String> {
        let (count, changed) = (anchors.len(), self.resolver.set_trust_anchors(anchors));
        if changed.map_err(|error| error.to_string())? {
            let file = self.anchor_file().display().to_string();
            let anchors = count;
            self.log
                .write(&Event::Resolver(Resolver::TrustAnchors { file, anchors }));
        }
        Ok(())
    }

    fn accept(&mut self, loaded: Loaded, policy: LoadedPolicy) -> Reloaded {
        warn(&loaded.warnings, Subject::Config, &*self.log);
        warn(&policy.warnings, Subject::Policy, &*self.log);
        let waiting = config::waiting(&self.started_with, &loaded.config);
        if !waiting.is_empty() {
            let changed = waiting.clone();
            self.log
                .write(&Event::WaitsForRestart(WaitsForRestart { changed }));
        }
        let file = policy
            .file
            .map_or_else(|| "built-in".to_owned(), |file| file.display().to_string());
        let warnings = loaded.warnings.iter().map(ToString::to_string);
        let warnings = warnings
            .chain(policy.warnings.iter().map(ToString::to_string))
            .collect();
        self.policy.store(Arc::new(policy.policy));
        self.scheduler.reloaded(settings::windows(&loaded.config));
        self.postmaster.store(settings::postmaster(&loaded.config));
        self.loaded = loaded;
        self.refresh_unvalidated();
        self.log.write(&Event::PolicyLoaded(PolicyLoaded { file }));
        Reloaded { warnings, waiting }
    }

    /// Each fault is logged on its own line. The log is reopened all the same, because its file may have been moved
    /// away.
    async fn refuse(&mut self, about: Subject, faults: &str) -> Refusal {
        self.reopen_log(&self.loaded.config.log).await;
        let lines: Vec<String> = faults.lines().map(str::to_owned).collect();
        for reason in bounded(lines.into_iter()) {
            self.log.write(&Event::Refused(Refused { about, reason }));
        }
        Refusal::new(RefusalKind::Configuration, faults)
    }

    /// Reads certificate, key and users again if one of their files has changed. If something is wrong, the old one
    /// stays in force, and the log says so once.
    pub(super) fn refresh_clients(&mut self) {
        let stamps = Stamps::of(&self.loaded.config);
        if stamps == self.stamps {
            return;
        }
        self.stamps = stamps;
        let event = match settings::listener(&self.loaded.config, &self.hostname) {
            Ok(settings) => {
                self.listener_config.send_replace(Arc::new(settings));
                Event::ClientsLoaded(ClientsLoaded)
            }
            Err(error) => Event::Refused(Refused {
                about: Subject::Clients,
                reason: error.to_string(),
            }),
        };
        self.log.write(&event);
    }

    async fn reopen_log(&self, settings: &config::schema::Log) {
        if let Err(error) = self.log.reopen(settings).await {
            self.log.write(&logging::unopened(&error));
        }
    }
}

/// Configuration, policy and trust anchors, for [`Daemon::read`].
fn load(
    named: Option<&Path>,
    anchors: &Path,
) -> Result<(Loaded, LoadedPolicy, TrustAnchors), (Subject, String)> {
    let loaded = config::load(named).map_err(|error| (Subject::Config, error.to_string()))?;
    let policy = wiring::policy::load(&loaded).map_err(|error| (Subject::Policy, error.to_string()))?;
    // The policy in force still has the list.
    let mut warnings = policy.warnings.iter();
    if let Some(lost) = warnings.find(|warning| warning.remark.loses_a_list()) {
        return Err((Subject::Policy, lost.to_string()));
    }
    let anchors = resolver::trust_anchors(anchors).map_err(|error| (Subject::Resolver, error.to_string()))?;
    Ok((loaded, policy, anchors))
}
