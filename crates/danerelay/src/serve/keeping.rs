//! Starts the tasks that keep the policy current: [`lists`](super::lists) are fetched, and exceptions
//! [tested](super::recheck).

use std::sync::Arc;

use delivery::{Forget, Names, SchedulerHandle};
use dns::Resolver;
use mail::EventLog;
use spool::{Ledger, Manage};
use tokio::sync::watch;

use super::ends::Ends;
use super::lists::Lists;
use super::recheck::{Daily, Wake};
use super::watched::{Keeping, Watched};
use crate::config::Config;
use crate::explain::Explainer;
use crate::lists::Fetcher;
use crate::wiring::policy::Files;
use crate::wiring::standing::Standing;
use crate::wiring::tls::{self, TlsError};

/// Starts them. They look names up and connect as `explainer` does, under the policy that it explains, which was read
/// from `files`.
pub(super) fn start<S: Ledger + Manage>(
    (config, spool, scheduler): (&Config, &Arc<S>, &SchedulerHandle),
    explainer: &Explainer,
    files: Files,
    log: &Arc<dyn EventLog>,
    stopped: &watch::Receiver<bool>,
) -> Result<Keeping, TlsError> {
    let policy = Arc::clone(&explainer.policy);
    let (remote_lists, named) = watch::channel(policy.load().remote_lists().to_vec());
    let client = tls::https_client(config)?;
    let standing = Standing::default();
    let lists = Lists {
        fetcher: Fetcher::new(client, explainer.resolver.clone(), config),
        named,
        now: Arc::default(),
        changed: Arc::default(),
        log: Arc::clone(log),
        standing: standing.clone(),
    };
    let (domain_insecure, insecure) = watch::channel(config.dns.domain_insecure.clone());
    let keeping = Keeping {
        watched: Watched::of(files),
        refused: None,
        ends: Ends::read(config.state_directory.join("announced")),
        standing,
        domain_insecure,
        remote_lists,
        fetch_lists: Arc::clone(&lists.now),
        changed: Arc::clone(&lists.changed),
    };
    tokio::spawn(lists.run(stopped.clone()));
    if let Some(tls) = &explainer.tls {
        let daily = Daily {
            config: config.clone(),
            domain_insecure: insecure,
            delivery: explainer.delivery.clone(),
            tls: tls.clone(),
            policy,
            spool: Arc::clone(spool),
            log: Arc::clone(log),
            standing: keeping.standing.clone(),
            changed: Arc::clone(&keeping.changed),
            wake: wake(scheduler, &explainer.resolver),
        };
        tokio::spawn(daily.run(stopped.clone()));
    }
    Ok(keeping)
}

/// What was learned about these names is forgotten, and their mail delivered now.
fn wake(scheduler: &SchedulerHandle, resolver: &Resolver) -> Wake {
    let (scheduler, resolver) = (scheduler.clone(), resolver.clone());
    Box::new(move |domains, pending| {
        let mut names = Names::default();
        for domain in domains {
            names.add(domain);
        }
        scheduler.forget(Forget::Below(names));
        resolver.flush_each(domains);
        scheduler.schedule(pending);
    })
}
