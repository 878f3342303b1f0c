//! SIGHUP: everything is read again, and takes effect as a whole or not at all.

use std::path::PathBuf;
use std::sync::Arc;

use dns::TrustAnchors;
use listener::ListenerConfig;
use mail::event::resolver::Resolver;
use mail::event::settings::{ClientsLoaded, Mended, Refused, Subject, WaitsForRestart};
use mail::event::{Event, EventLog};
use spool::Store;

use super::announce::{bounded, warn};
use super::daemon::Daemon;
use super::policy::{self, READING};
use super::watched::{Look, Watched};
use crate::admin::protocol::{Refusal, RefusalKind, Reloaded};
use crate::config::{self, Loaded};
use crate::exceptions;
use crate::logging;
use crate::wiring::policy::{Files, LoadedPolicy};
use crate::wiring::{clients, resolver, settings};

/// What a reload has read and found to be right.
struct Read {
    loaded: Loaded,
    policy: LoadedPolicy,
    /// The files of the policy.
    files: Files,
    listener: ListenerConfig,
    /// The files used to serve clients.
    clients: Files,
}

impl<S: Store> Daemon<S> {
    /// Reads configuration, policy and lists again, has resolv.conf read again, and reopens the log. If one of the
    /// files has faults, everything in force stays in force, and the log says what is wrong.
    pub(super) async fn reload(&mut self) -> Result<Reloaded, Refusal> {
        match self.read().await {
            Ok(read) => {
                self.servers.notify_one();
                self.reopen_log(&read.loaded.config.log).await;
                Ok(self.accept(read))
            }
            Err((about, faults)) => Err(self.refuse(about, &faults).await),
        }
    }

    /// Reads the files. If one has faults, says which kind of file it is, and what is wrong with it. What is refused as a
    /// whole counts as unread: the files of the policy in force are watched as before.
    async fn read(&mut self) -> Result<Read, (Subject, String)> {
        let (named, anchors) = (self.named.clone(), self.anchor_file());
        let hostname = self.hostname.clone();
        let loaded = reading(move || config::load(named.as_deref())).await?;
        let loaded = loaded.map_err(|error| (Subject::Config, error.to_string()))?;
        let config = loaded.clone();
        let (policy, files, anchors, listener, clients) = reading(move || {
            let mut files = Files::default();
            let policy = policy::read(&config, &mut files);
            let clients = Files::of(clients::files(&config.config));
            let listener = settings::listener(&config.config, &hostname);
            (
                policy,
                files,
                resolver::trust_anchors(&anchors),
                listener,
                clients,
            )
        })
        .await?;
        let policy = match policy {
            Ok(policy) => policy,
            Err(faults) => {
                self.keeping.refused(files, &self.loaded.config.policy.file);
                return Err((Subject::Policy, faults));
            }
        };
        let anchors = anchors.map_err(|error| (Subject::Resolver, error.to_string()))?;
        let listener = listener.map_err(|error| (Subject::Config, error.to_string()))?;
        self.set_trust_anchors(&anchors)
            .map_err(|faults| (Subject::Resolver, faults))?;
        Ok(Read {
            loaded,
            policy,
            files,
            listener,
            clients,
        })
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

    fn accept(&mut self, read: Read) -> Reloaded {
        let Read {
            loaded,
            policy,
            files,
            listener,
            clients,
        } = read;
        warn(&loaded.warnings, Subject::Config, &*self.log);
        let waiting = config::waiting(&self.started_with, &loaded.config);
        if !waiting.is_empty() {
            let changed = waiting.clone();
            self.log
                .write(&Event::WaitsForRestart(WaitsForRestart { changed }));
        }
        let about_added = exceptions::about_added(&policy.warnings, &loaded.config);
        let warnings = loaded.warnings.iter().map(ToString::to_string);
        let warnings = warnings
            .chain(policy.warnings.iter().map(ToString::to_string))
            .collect();
        self.scheduler.reloaded(settings::windows(&loaded.config));
        self.traces.log(&loaded.config.log.trace);
        self.postmaster.store(settings::postmaster(&loaded.config));
        self.told.store(Arc::new(loaded.config.incidents.clone()));
        self.listener_config.send_replace(Arc::new(listener));
        self.clients = Watched::of(clients);
        self.keeping
            .domain_insecure
            .send_replace(loaded.config.dns.domain_insecure.clone());
        self.loaded = loaded;
        self.keeping.read(files);
        self.put_in_force(policy, Mended::Everything);
        self.keeping.fetch_lists.notify_one();
        Reloaded {
            warnings,
            about_added,
            waiting,
        }
    }

    /// Each fault is logged on its own line. The log is reopened all the same, because its file may have been moved
    /// away.
    async fn refuse(&mut self, about: Subject, faults: &str) -> Refusal {
        self.reopen_log(&self.loaded.config.log).await;
        match about {
            Subject::Policy => self.keeping.standing.refused(faults),
            Subject::Clients
            | Subject::Config
            | Subject::Descriptors
            | Subject::Limits
            | Subject::Resolver => {}
        }
        let lines: Vec<String> = faults.lines().map(str::to_owned).collect();
        for reason in bounded(lines.into_iter()) {
            self.events.write(&Event::Refused(Refused { about, reason }));
        }
        Refusal::new(RefusalKind::Configuration, faults)
    }

    /// Reads certificate, key and users again if one of their files has changed. If something is wrong, the old one
    /// stays in force, and the log says so once; what could not be read in time is read again at the next look.
    pub(super) async fn refresh_clients(&mut self, look: &Look) {
        if !self.clients.has_changed(&look.clients) {
            return;
        }
        let (config, hostname) = (self.loaded.config.clone(), self.hostname.clone());
        let settings = match reading(move || settings::listener(&config, &hostname)).await {
            Ok(read) => {
                self.clients = Watched::of(look.clients.clone());
                read.map_err(|error| error.to_string())
            }
            Err((_, fault)) => Err(fault),
        };
        let event = match settings {
            Ok(settings) => {
                self.listener_config.send_replace(Arc::new(settings));
                Event::ClientsLoaded(ClientsLoaded)
            }
            Err(reason) => Event::Refused(Refused {
                about: Subject::Clients,
                reason,
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

/// Reads files; they may be on another machine's disk.
async fn reading<T: Send + 'static>(
    read: impl FnOnce() -> T + Send + 'static,
) -> Result<T, (Subject, String)> {
    let reading = tokio::task::spawn_blocking(read);
    match tokio::time::timeout(READING, reading).await {
        Ok(Ok(read)) => Ok(read),
        Ok(Err(panicked)) => Err((Subject::Config, panicked.to_string())),
        Err(_) => Err((Subject::Config, "reading the files takes too long".to_owned())),
    }
}
