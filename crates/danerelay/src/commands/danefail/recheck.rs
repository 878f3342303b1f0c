//! `danefail recheck`: tests what is excepted.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use dns::{Resolver, self_test};
use jiff::Zoned;
use policy::pattern::Pattern;
use policy::{ListedException, Policy};
use serde::Serialize;

use super::change::{TakenUp, take_up};
use crate::commands::look_up::{DnsOptions, block_on};
use crate::commands::output::{self, printable};
use crate::commands::progress::Progress;
use crate::commands::readable::{self, Readable};
use crate::commands::values::formed;
use crate::config::Loaded;
use crate::exceptions;
use crate::exit::Verdict;
use crate::explain::impatient;
use crate::failure::Failure;
use crate::recheck::{Finding, State, Subject, Tester, subjects, test_all};
use crate::wiring::{WiringError, resolver, settings, tls};

/// What to test, and what to do about it.
#[derive(Debug, Args)]
pub(crate) struct RecheckArguments {
    /// Only these names, instead of everything that is excepted.
    #[arg(value_name = "NAME", value_parser = formed::<Pattern>)]
    names: Vec<Pattern>,

    /// Remove the exceptions that were added by `danefail` and are not needed any more.
    #[arg(long)]
    remove_healed: bool,

    /// Print one JSON object.
    #[arg(long)]
    json: bool,

    // Last: its heading holds for whatever follows.
    #[command(flatten)]
    dns: DnsOptions,
}

/// What was found.
#[derive(Debug, Serialize)]
struct Answer {
    /// How many of each state.
    counts: BTreeMap<&'static str, usize>,
    entries: Vec<Entry>,
    /// What of the policy this user cannot read, and so was not tested.
    unread: Vec<String>,
}

/// One of them.
#[derive(Debug, Serialize)]
struct Entry {
    kind: &'static str,
    name: String,
    means: String,
    file: String,
    state: State,
    reason: String,
    /// Whether it has been removed.
    removed: bool,
}

/// `recheck`.
pub(super) fn run(arguments: &RecheckArguments, loaded: &Loaded) -> Result<Verdict, Failure> {
    let mut loaded = loaded.clone();
    arguments.dns.apply(&mut loaded.config.dns);
    let Readable { policy, unread } = readable::policy(&loaded)?;
    let today = Zoned::now().date();
    let wanted: HashSet<&Pattern> = arguments.names.iter().collect();
    let all = || {
        let all = subjects(&policy, today);
        all.filter(|one| wanted.is_empty() || wanted.contains(&one.tested.names()))
    };
    if !wanted.is_empty() {
        let there: HashSet<Pattern> = all().map(|one| one.tested.names()).collect();
        let unknown = arguments.names.iter().find(|names| !there.contains(names));
        if let Some(unknown) = unknown.filter(|_| !unread.is_empty()) {
            output::notice(&format!(
                "{unknown} is not excepted by what can be read of the policy"
            ));
            return Ok(Verdict::Undecided);
        }
        if let Some(unknown) = unknown {
            output::notice(&format!(
                "{unknown} is not excepted: no exception and no danefail list has just this name"
            ));
            return Ok(Verdict::Unusable);
        }
    }
    let tested = block_on(test(&loaded, &policy, (all(), all().count())))??;
    let Some(mut tested) = tested else {
        return Ok(Verdict::Undecided);
    };
    tested.sort_by(|(one, _), (other, _)| (&one.source, one.line).cmp(&(&other.source, other.line)));
    let (removed, taken_up) = if arguments.remove_healed {
        remove_healed(&loaded, &tested)?
    } else {
        (Vec::new(), TakenUp::InForce)
    };
    let answer = Answer::of(&tested, &removed, unread);
    if arguments.json {
        output::write_json(&answer)?;
    } else {
        output::write(&table(&answer))?;
    }
    let is_any = |state: State| {
        let mut entries = answer.entries.iter();
        entries.any(|one| one.state == state && !one.removed)
    };
    Ok(if is_any(State::Healed) {
        Verdict::Bad
    } else if is_any(State::Undecided) || !answer.unread.is_empty() {
        Verdict::Undecided
    } else {
        taken_up.verdict()
    })
}

type Found = Vec<(Subject, Finding)>;

/// `None` if our own resolver fails: then nobody else is tested.
async fn test(
    loaded: &Loaded,
    policy: &Policy,
    (subjects, count): (impl Iterator<Item = Subject>, usize),
) -> Result<Option<Found>, WiringError> {
    let config = &loaded.config;
    let resolver = Resolver::new(resolver::plan(config, &config.dns.domain_insecure)?.config)?;
    if let Err(fault) = self_test::run(&resolver, &resolver::names(&config.dns)).await {
        output::notice(&format!(
            "our own resolver fails, and nothing is tested by it: {fault}"
        ));
        return Ok(None);
    }
    let hostname = settings::hostname(config)?;
    let delivery = settings::delivery(config, &hostname, config.listen.smtp.clone());
    let tls = tls::client(&config.tls)?;
    let tester = Tester::new(resolver, impatient(&delivery), &tls, policy).map_err(WiringError::Ehlo)?;
    let mut progress = Progress::of(count);
    let mut found = Vec::new();
    test_all(Arc::new(tester), subjects, Duration::ZERO, |subject, finding| {
        progress.step();
        found.push((subject, finding));
    })
    .await;
    Ok(Some(found))
}

/// Removes what was added by commands and is healed; returns it, and whether the running relay knows.
fn remove_healed(loaded: &Loaded, tested: &Found) -> Result<(Vec<ListedException>, TakenUp), Failure> {
    let healed = |one: &&(Subject, Finding)| one.1.state == State::Healed;
    let healed: Vec<&ListedException> = tested
        .iter()
        .filter(healed)
        .filter_map(|(subject, _)| subject.closable())
        .collect();
    let removed = exceptions::change(&loaded.config, |all| {
        let (removed, kept) = all
            .drain(..)
            .partition(|one| healed.iter().any(|healed| healed.is_same(one)));
        *all = kept;
        removed
    })?;
    let removed: Vec<ListedException> = removed;
    let taken_up = if removed.is_empty() {
        TakenUp::InForce
    } else {
        take_up(loaded)?
    };
    Ok((removed, taken_up))
}

impl Answer {
    fn of(tested: &Found, removed: &[ListedException], unread: Vec<String>) -> Self {
        let mut counts = BTreeMap::new();
        let mut entries = Vec::new();
        for (subject, finding) in tested {
            *counts.entry(finding.state.as_str()).or_default() += 1;
            entries.push(Entry {
                kind: subject.tested.kind().as_str(),
                name: subject.tested.names().to_string(),
                means: subject.meaning.to_string(),
                file: subject.place(),
                state: finding.state,
                reason: finding.reason.clone(),
                removed: subject
                    .exception
                    .as_ref()
                    .is_some_and(|exception| removed.iter().any(|one| one.is_same(exception))),
            });
        }
        Self {
            counts,
            entries,
            unread,
        }
    }
}

fn table(answer: &Answer) -> String {
    let mut table = String::new();
    let width = answer.entries.iter().map(|one| one.name.len()).max().unwrap_or(0);
    for one in &answer.entries {
        let removed = if one.removed { " (removed)" } else { "" };
        let _ = writeln!(
            table,
            "{:<9}  {:<width$}  {}{removed}  {}",
            one.state.as_str(),
            one.name,
            printable(&one.file),
            printable(&one.reason)
        );
    }
    let counts: Vec<String> = answer
        .counts
        .iter()
        .map(|(state, count)| format!("{count} {state}"))
        .collect();
    let _ = match counts.as_slice() {
        [] if answer.unread.is_empty() => writeln!(table, "nothing is excepted"),
        [] => writeln!(table, "nothing was tested"),
        counts => writeln!(table, "{}", counts.join(", ")),
    };
    table
}
