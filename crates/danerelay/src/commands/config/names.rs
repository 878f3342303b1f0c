//! What DNS says about the names in the policy: a rule that demands what a domain does not have holds its mail up.

use std::sync::Arc;
use std::time::Duration;

use delivery::DeliveryConfig;
use delivery::route::{self, Means, Sought};
use dns::{Resolver, self_test};
use jiff::Zoned;
use mail::cause::{Cause, NoWay};
use mail::{Domain, NextHop};
use policy::pattern::Pattern;
use policy::{ExceptedKind, ListedException, Policy};
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
    let mut names = named(policy);
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

/// What is looked up.
enum Name {
    /// A destination.
    Domain(Domain),
    /// A receiving host that is excepted.
    Host(Domain, ListedException),
}

/// The names that rules, strict lists and exceptions are about.
fn named(policy: &Policy) -> Vec<Name> {
    let mut names: Vec<Name> = Vec::new();
    let mut domains = policy.named();
    let today = Zoned::now().date();
    let exceptions = policy.exceptions();
    for exception in exceptions.filter(|exception| today <= exception.entry.until) {
        match (&exception.names, exception.kind) {
            // A route has its own port, at which its records are.
            (Pattern::Exactly(name), ExceptedKind::Mx) if policy.is_routed_to(name) => {}
            (Pattern::Exactly(name), ExceptedKind::Mx) => {
                names.push(Name::Host(name.clone(), exception.clone()));
            }
            // Signatures are broken there: nothing is known.
            (Pattern::Exactly(name), ExceptedKind::Domain) if !exception.without_dnssec => {
                domains.push(name.clone());
            }
            (Pattern::Exactly(_) | Pattern::Below(_), _) => {}
        }
    }
    domains.sort();
    domains.dedup();
    names.extend(domains.into_iter().map(Name::Domain));
    names
}

async fn look_at_all(looking: &Arc<Looking>, names: Vec<Name>, found: &mut Vec<String>) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut tasks = JoinSet::new();
    for name in names {
        let (looking, places) = (Arc::clone(looking), Arc::clone(&places));
        tasks.spawn(async move {
            // The semaphore is never closed.
            let _place = places.acquire().await;
            match name {
                Name::Domain(name) => looking.look_at(name).await,
                Name::Host(name, exception) => looking.look_at_host(&name, &exception).await,
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        found.extend(done.ok().flatten());
    }
}

impl Looking {
    /// Why an exception for this host makes no difference. A look-up that fails, or that nobody can rely on, is no finding.
    async fn look_at_host(&self, host: &Domain, exception: &ListedException) -> Option<String> {
        let place = format!("{}:{}: ", exception.entry.file, exception.entry.line);
        let (ipv6, ipv4) = tokio::join!(self.resolver.aaaa(host), self.resolver.a(host));
        let (ipv6, ipv4) = (ipv6.ok()?, ipv4.ok()?);
        if ipv6.records().is_empty() && ipv4.records().is_empty() {
            return Some(format!(
                "{place}{:?} has no address: this exception has no effect, because no mail goes there",
                host.as_str()
            ));
        }
        // Where something is strict, a host without records needs it.
        if exception.override_strict || exception.dane.is_none() {
            return None;
        }
        // The base domain of an alias is what it leads to, if that has records (RFC 7672 §2.2.2).
        if !ipv6.aliases.is_empty() || !ipv4.aliases.is_empty() {
            return None;
        }
        let published = self.resolver.tlsa(self.delivery.port, host).await.ok()?;
        (published.records().is_empty() && published.aliases.is_empty()).then(|| {
            format!(
                "{place}{:?} has no TLSA records: this exception has no effect",
                host.as_str()
            )
        })
    }

    /// Why a rule or a list does no good to this name.
    async fn look_at(&self, name: Domain) -> Option<String> {
        let next_hop = NextHop::Domain {
            domain: name.clone(),
            port: None,
        };
        let policy = &self.policy;
        // What others publish is no fault of the policy.
        let means = Means::without_sts(policy, &self.resolver, &self.delivery, Zoned::now().date());
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
