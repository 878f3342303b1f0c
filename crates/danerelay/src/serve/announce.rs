//! What the log says at the start.

use std::net::SocketAddr;

use dns::Mode;
use mail::Domain;
use mail::event::{Event, EventLog, Level, Value};
use spool::Running;

use super::self_test::mode_word;
use super::{resolver, unvalidated, words};
use crate::config::Loaded;
use crate::policy_file::LoadedPolicy;

/// So many warnings of one kind stand in the log for one reading of the files.
const TOLD: usize = 100;

/// Says that the daemon serves, with what it runs, and what it does not demand signatures for.
pub(super) fn started(started: &Event, names: &[Domain], mode: Mode, log: &dyn EventLog) {
    log.write(started);
    if !names.is_empty() {
        log.write(&unvalidated::event(names, mode));
    }
}

/// The event that says with what the daemon runs.
pub(super) fn event(
    loaded: &Loaded,
    policy: &LoadedPolicy,
    plan: &resolver::Plan,
    addresses: &[SocketAddr],
) -> Event {
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
    Event::new(Level::Info, "started")
        .with("version", Value::Word(env!("CARGO_PKG_VERSION").to_owned()))
        .with("listen", Value::Quoted(words(addresses)))
        .with("dns", Value::Word(mode_word(plan.config.mode).to_owned()))
        .with("reason", Value::Quoted(plan.choice.reason.clone()))
        .with("servers", Value::Quoted(words(&plan.config.servers)))
        .with(
            "spool",
            Value::Quoted(loaded.config.spool.path.display().to_string()),
        )
        .with("config", Value::Quoted(config))
        .with("policy", Value::Quoted(policy))
}

/// Says what the end of the process before has left in doubt, and what the disk has lost.
pub(super) fn recovery<S: Running>(spool: &S, log: &dyn EventLog) {
    let in_doubt = spool.in_doubt_at_start();
    let level = if in_doubt.deliveries == 0 {
        Level::Info
    } else {
        Level::Warning
    };
    log.write(
        &Event::new(level, "recovery")
            .with("messages", Value::Integer(spool.messages()))
            .with("deliveries", Value::Integer(in_doubt.deliveries))
            .with("possible_duplicates", Value::Integer(in_doubt.recipients)),
    );
    for id in &in_doubt.messages {
        let reason = "its delivery was under way when the process before ended";
        log.write(
            &Event::new(Level::Warning, "recovery")
                .with("id", Value::Word(id.to_string()))
                .with("reason", Value::Quoted(reason.to_owned())),
        );
    }
    let vanished = spool.vanished_at_start();
    if vanished > 0 {
        let reason = "durable transactions have vanished from the spool: its disk or somebody has damaged it";
        log.write(
            &Event::new(Level::Error, "recovery")
                .with("vanished", Value::Integer(vanished))
                .with("reason", Value::Quoted(reason.to_owned())),
        );
    }
}

/// Writes each warning as an event of this name; of very many, the first.
pub(super) fn warn<T: std::fmt::Display>(warnings: &[T], name: &'static str, log: &dyn EventLog) {
    let words = |warning: &T| warning.to_string();
    for reason in bounded(warnings.iter().map(words)) {
        log.write(&Event::new(Level::Warning, name).with("reason", Value::Quoted(reason)));
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
}
