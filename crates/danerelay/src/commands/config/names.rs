//! What DNS says about the names in the policy: a rule that demands what a domain does not have holds its mail up.

use std::sync::Arc;
use std::time::Duration;

use delivery::DeliveryConfig;
use delivery::route::{self, Means, Sought};
use dns::{Resolver, self_test};
use jiff::Zoned;
use mail::cause::{Cause, NoWay};
use mail::{Domain, NextHop};
use policy::Policy;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::commands::look_up::{block_on, resolver};
use crate::commands::output;
use crate::config::Config;
use crate::failure::Failure;
use crate::wiring::{resolver as resolvers, settings};

/// All look-ups together take no longer.
pub(super) const TIME: Duration = Duration::from_secs(20);
/// No more names are looked up.
pub(super) const NAMES: usize = 1000;
/// Names looked up at once.
const AT_ONCE: usize = 20;

/// What the look-ups share.
struct Looking {
    policy: Policy,
    resolver: Resolver,
    delivery: DeliveryConfig,
}

/// Warnings about the names, in their order. What cannot be looked up now is no finding.
pub(super) fn remarks(config: &Config, policy: &Policy) -> Result<Vec<String>, Failure> {
    let mut names = policy.named();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    if names.len() > NAMES {
        output::notice(&format!(
            "of {} names in the policy {NAMES} are looked up in the DNS",
            names.len()
        ));
        names.truncate(NAMES);
    }
    let hostname = settings::hostname(config)?;
    let looking = Arc::new(Looking {
        resolver: resolver(config, policy)?,
        delivery: settings::delivery(config, &hostname, config.listen.smtp.clone()),
        policy: policy.clone(),
    });
    let self_test_names = resolvers::names(&config.dns);
    let mut found = Vec::new();
    let work = async {
        if let Err(fault) = self_test::run(&looking.resolver, &self_test_names).await {
            output::notice(&format!(
                "the names in the policy are not looked up: the resolver fails: {fault}"
            ));
            return;
        }
        look_at_all(&looking, names, &mut found).await;
    };
    if block_on(async { timeout(TIME, work).await })?.is_err() {
        let seconds = TIME.as_secs();
        output::notice(&format!(
            "not all names in the policy could be looked up within {seconds} seconds"
        ));
    }
    found.sort();
    Ok(found)
}

async fn look_at_all(looking: &Arc<Looking>, names: Vec<Domain>, found: &mut Vec<String>) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut tasks = JoinSet::new();
    for name in names {
        let (looking, places) = (Arc::clone(looking), Arc::clone(&places));
        tasks.spawn(async move {
            // The semaphore is never closed.
            let _place = places.acquire().await;
            looking.look_at(name).await
        });
    }
    while let Some(done) = tasks.join_next().await {
        found.extend(done.ok().flatten());
    }
}

impl Looking {
    /// Why a rule or a list does no good to this name.
    async fn look_at(&self, name: Domain) -> Option<String> {
        let next_hop = NextHop::Domain {
            domain: name.clone(),
            port: None,
        };
        let policy = &self.policy;
        let means = Means {
            policy,
            resolver: &self.resolver,
            // What others publish is no fault of the policy.
            mta_sts: None,
            config: &self.delivery,
            today: Zoned::now().date(),
        };
        let route = route::find(Sought::usual(&next_hop), means).await;
        let source = &route.policy.dane_source;
        let place = match policy.place_of(source) {
            Some((file, line)) => format!("{}:{line}: ", file.display()),
            None => String::new(),
        };
        let name = name.as_str();
        match &route.decision.failure()?.cause {
            Cause::Policy(_) => Some(format!(
                "{place}{name:?} is {} ({source}), and all its mail would wait: {}",
                route.policy.dane,
                route.decision.failure()?.reason
            )),
            Cause::Destination(NoWay::NoSuchDomain(_)) if route.policy.routed().is_none() => Some(format!(
                "{place}there is no domain {name:?}: what is said about it holds for no mail"
            )),
            Cause::Ours(_)
            | Cause::Dns(..)
            | Cause::Destination(_)
            | Cause::Connection(_)
            | Cause::Tls(_)
            | Cause::Login(_)
            | Cause::Smtp(_) => None,
        }
    }
}
