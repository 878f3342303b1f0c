//! What the log says at start.

use std::net::SocketAddr;

use dns::Mode;
use mail::Domain;
use mail::event::service::{Recovery, Started};
use mail::event::settings::{Subject, Warning};
use mail::event::{Event, EventLog, resolver};
use mail::words::list;
use spool::Running;

use crate::config::Loaded;
use crate::wiring::policy::LoadedPolicy;
use crate::wiring::resolver::Plan;

/// At most this many warnings of one kind are logged each time the files are read.
const TOLD: usize = 100;

/// Logs that the daemon is running and its settings, and for which names signatures are not required.
pub(super) fn started(started: &Event, names: &[Domain], mode: Mode, log: &dyn EventLog) {
    log.write(started);
    if !names.is_empty() {
        log.write(&unvalidated(names, mode));
    }
}

/// The event about these names; at start it is logged only if there are any.
pub(super) fn unvalidated(names: &[Domain], mode: Mode) -> Event {
    Event::Resolver(resolver::Resolver::Unvalidated {
        names: names.to_vec(),
        has_effect: mode == Mode::Validate,
    })
}

/// The event that describes the settings the daemon runs with.
pub(super) fn event(loaded: &Loaded, policy: &LoadedPolicy, plan: &Plan, addresses: &[SocketAddr]) -> Event {
    let built_in = || "built-in".to_owned();
    let config = if loaded.found {
        loaded.path.display().to_string()
    } else {
        built_in()
    };
    let policy = policy
        .file
        .as_ref()
        .map_or_else(built_in, |file| file.display().to_string());
    Event::Started(Box::new(Started {
        version: env!("CARGO_PKG_VERSION"),
        listen: list(addresses),
        dns: plan.mode_word(),
        reason: plan.choice.reason.clone(),
        servers: list(&plan.config.servers),
        spool: loaded.config.spool.path.display().to_string(),
        config,
        policy,
    }))
}

/// Logs what was left in doubt when the previous process ended, and what the disk has lost.
pub(super) fn recovery<S: Running>(spool: &S, log: &dyn EventLog) {
    let in_doubt = spool.in_doubt_at_start();
    log.write(&Event::Recovery(Recovery::Found {
        messages: spool.messages(),
        deliveries: in_doubt.deliveries,
        possible_duplicates: in_doubt.recipients,
    }));
    for id in &in_doubt.messages {
        log.write(&Event::Recovery(Recovery::InDoubt(*id)));
    }
    let vanished = spool.vanished_at_start();
    if vanished > 0 {
        log.write(&Event::Recovery(Recovery::Vanished(vanished)));
    }
}

/// Logs each warning as an event; if there are very many, only the first ones.
pub(super) fn warn<T: std::fmt::Display>(warnings: &[T], about: Subject, log: &dyn EventLog) {
    let words = |warning: &T| warning.to_string();
    for reason in bounded(warnings.iter().map(words)) {
        log.write(&Event::Warning(Warning { about, reason }));
    }
}

/// The first hundred, and how many more there are: a list of a hundred thousand lines may have a fault in each.
pub(super) fn bounded(words: impl ExactSizeIterator<Item = String>) -> impl Iterator<Item = String> {
    let more = words.len().saturating_sub(TOLD);
    let rest = (more > 0).then(|| format!("{more} more; `danerelay config check` shows all"));
    words.take(TOLD).chain(rest)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use mail::event::{Level, Record as _};

    use super::*;

    #[test]
    fn of_very_many_warnings_the_first_are_told() {
        let told = |count: usize| bounded((0..count).map(|number| number.to_string())).collect::<Vec<_>>();
        assert_eq!(told(TOLD).len(), TOLD);
        let many = told(100_000);
        assert_eq!(many.len(), TOLD + 1);
        assert_eq!(
            many.last().map(String::as_str),
            Some("99900 more; `danerelay config check` shows all")
        );
    }

    #[test]
    fn where_they_have_no_effect_that_is_a_warning() {
        let names = [Domain::parse("a.example").unwrap()];
        assert_eq!(unvalidated(&names, Mode::TrustAd).level(), Level::Warning);
        assert_eq!(unvalidated(&names, Mode::Validate).level(), Level::Info);
        assert_eq!(unvalidated(&[], Mode::TrustAd).level(), Level::Info);
    }
}
