//! Adds and removes exceptions.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::{ArgGroup, Args, ValueEnum};
use jiff::Zoned;
use jiff::civil::Date;
use policy::pattern::Pattern;
use policy::settings::{DaneMode, ExceptionEntry};
use policy::{ExceptedKind, ListedException, Missing};
use serde::Serialize;
use settings_file::Interval;

use crate::admin::protocol::{RefusalKind, Reloaded, Request};
use crate::commands::client::{AdminError, Client};
use crate::commands::values::formed;
use crate::commands::{output, readable};
use crate::config::Loaded;
use crate::exceptions;
use crate::exit::Verdict;
use crate::failure::Failure;
use crate::wiring;

const DAY: Duration = Duration::from_hours(24);

/// Which names.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("names").args(["domain", "mx"]).required(true)))]
pub(super) struct Names {
    /// The domain of the recipients: `example.dk` itself alone, or `.example.dk` for all below it.
    #[arg(value_name = "DOMAIN", value_parser = formed::<Pattern>)]
    domain: Option<Pattern>,

    /// Instead of a domain a receiving host, `mail.example.dk` or `.example.dk`: every domain served there.
    #[arg(long, value_name = "HOST", value_parser = formed::<Pattern>)]
    mx: Option<Pattern>,
}

/// How an exception is to be.
#[derive(Debug, Clone, Args)]
pub(super) struct Terms {
    /// The last day on which it holds, as 2027-01-31, or for how long from today, as 14d.
    #[arg(long, value_name = "DATE", default_value = "30d", value_parser = until)]
    until: Date,

    /// What it means: no DANE, or DANE tried and its failure recorded.
    #[arg(long, value_enum, default_value_t = Weaker::Off)]
    dane: Weaker,

    /// It also holds against a strict rule or list.
    #[arg(long)]
    override_strict: bool,
}

/// What to add.
#[derive(Debug, Args)]
pub(crate) struct AddArguments {
    #[command(flatten)]
    names: Names,

    /// Why, for whoever finds it later: what is broken, and who has been told.
    #[arg(long, value_name = "WORDS", value_parser = reason)]
    reason: String,

    #[command(flatten)]
    terms: Terms,

    /// Signatures of the name and everything below it do not count (RFC 7646), instead of an exception from DANE. Only
    /// where this relay validates itself.
    #[arg(long, conflicts_with_all = ["dane", "mx", "override_strict"])]
    dnssec_off: bool,

    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// What to remove.
#[derive(Debug, Args)]
pub(crate) struct RemoveArguments {
    #[command(flatten)]
    names: Names,

    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// `--dane`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Weaker {
    /// No TLSA look-ups.
    Off,
    /// Tried, and delivered all the same.
    SoftFail,
}

impl From<Weaker> for DaneMode {
    fn from(weaker: Weaker) -> Self {
        match weaker {
            Weaker::Off => Self::Off,
            Weaker::SoftFail => Self::SoftFail,
        }
    }
}

/// The longest reason, in characters.
pub(super) const LONGEST_REASON: usize = 1000;

pub(super) fn reason(text: &str) -> Result<String, &'static str> {
    let words = text.trim();
    let is_usual = (1..=LONGEST_REASON).contains(&words.chars().count());
    is_usual
        .then(|| words.to_owned())
        .ok_or("allowed: some words for whoever finds this exception later, at most 1000 characters")
}

fn until(text: &str) -> Result<Date, &'static str> {
    let today = Zoned::now().date();
    let date = match text.parse::<Interval>() {
        Ok(Interval(time)) if time < DAY => None,
        Ok(Interval(time)) => today.checked_add(time).ok(),
        Err(_) => text.parse().ok(),
    };
    date.filter(|date| *date >= today).ok_or(
        "allowed: a date from today on, like 2027-01-31, or a number of days, like 30d, from 1d to 36500d",
    )
}

impl Names {
    /// Clap demands one of the two.
    fn get(&self) -> Option<(ExceptedKind, &Pattern)> {
        let domain = self.domain.as_ref().map(|names| (ExceptedKind::Domain, names));
        domain.or_else(|| Some((ExceptedKind::Mx, self.mx.as_ref()?)))
    }
}

impl Terms {
    /// What it means.
    pub(super) fn dane(&self) -> DaneMode {
        self.dane.into()
    }

    /// An exception on these terms.
    pub(super) fn exception(&self, names: Pattern, kind: ExceptedKind, reason: &str) -> ListedException {
        ListedException {
            names,
            kind,
            dane: Some(self.dane.into()),
            without_dnssec: false,
            override_strict: self.override_strict,
            entry: ExceptionEntry {
                file: "".into(),
                line: 0,
                until: self.until,
                reason: reason.into(),
            },
        }
    }
}

/// The answer to a change.
#[derive(Debug, Serialize)]
struct Changed {
    done: &'static str,
    kind: &'static str,
    names: String,
    until: Option<Date>,
    /// Whether a running relay uses it already.
    in_force: bool,
}

/// `add`.
pub(super) fn add(arguments: &AddArguments, loaded: &Loaded) -> Result<Verdict, Failure> {
    let Some((kind, names)) = arguments.names.get() else {
        return Ok(Verdict::Unusable);
    };
    let mut exception = arguments.terms.exception(names.clone(), kind, &arguments.reason);
    if arguments.dnssec_off {
        (exception.dane, exception.without_dnssec) = (None, true);
    }
    let inserted = insert(loaded, vec![exception])?;
    let taken_up = take_up(loaded)?;
    let changed = Changed {
        done: match inserted {
            Inserted { added: 1.., .. } => "added",
            Inserted { changed: 1.., .. } => "changed",
            Inserted { .. } => "unchanged",
        },
        kind: kind.as_str(),
        names: names.to_string(),
        until: Some(arguments.terms.until),
        in_force: taken_up == TakenUp::InForce,
    };
    answer(&changed, arguments.json)?;
    Ok(taken_up.verdict())
}

/// How many exceptions were new, how many others are on other terms now, and how many were there already.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Inserted {
    pub(super) added: usize,
    pub(super) changed: usize,
    pub(super) unchanged: usize,
}

/// Adds exceptions, each in place of what is there for the same names; of several for the same names the last.
pub(super) fn insert(loaded: &Loaded, new: Vec<ListedException>) -> Result<Inserted, Failure> {
    Ok(exceptions::change(&loaded.config, |all| put(all, new))?)
}

fn put(all: &mut Vec<ListedException>, new: Vec<ListedException>) -> Inserted {
    // Kind and names, as they are written.
    let new: BTreeMap<String, ListedException> = new.into_iter().map(|one| (one.to_string(), one)).collect();
    let mut inserted = Inserted::default();
    all.retain(|one| match new.get(&one.to_string()) {
        None => true,
        Some(other) => {
            if is_on_the_same_terms(one, other) {
                inserted.unchanged += 1;
            } else {
                inserted.changed += 1;
            }
            false
        }
    });
    inserted.added = new.len().saturating_sub(inserted.changed + inserted.unchanged);
    all.extend(new.into_values());
    inserted
}

/// Wherever they are written.
fn is_on_the_same_terms(one: &ListedException, other: &ListedException) -> bool {
    let terms = |of: &ListedException| (of.dane, of.without_dnssec, of.override_strict, of.entry.until);
    terms(one) == terms(other) && one.entry.reason == other.entry.reason
}

fn is_about(exception: &ListedException, kind: ExceptedKind, names: &Pattern) -> bool {
    exception.kind == kind && exception.names == *names
}

/// `remove`.
pub(super) fn remove(arguments: &RemoveArguments, loaded: &Loaded) -> Result<Verdict, Failure> {
    let Some((kind, names)) = arguments.names.get() else {
        return Ok(Verdict::Unusable);
    };
    let removed = exceptions::change(&loaded.config, |all| {
        let before = all.len();
        all.retain(|one| !is_about(one, kind, names));
        before - all.len()
    })?;
    if removed == 0 {
        let policy = readable::policy(loaded)?.policy;
        let there = policy.exceptions().find(|one| is_about(one, kind, names));
        let there = there.map(|one| {
            let entry = &one.entry;
            format!(
                "; one is in {}, line {}, and is yours to remove",
                entry.file, entry.line
            )
        });
        output::notice(&format!(
            "no exception for {} {names} was added by this command{}",
            kind.as_str(),
            there.unwrap_or_default()
        ));
        return Ok(Verdict::Bad);
    }
    let taken_up = take_up(loaded)?;
    let changed = Changed {
        done: "removed",
        kind: kind.as_str(),
        names: names.to_string(),
        until: None,
        in_force: taken_up == TakenUp::InForce,
    };
    answer(&changed, arguments.json)?;
    Ok(taken_up.verdict())
}

fn answer(changed: &Changed, json: bool) -> Result<(), Failure> {
    if json {
        return output::write_json(changed);
    }
    let until = changed.until.map(|until| format!(", until {until}"));
    output::write(&format!(
        "{}: {} {}{}\n",
        changed.done,
        changed.kind,
        changed.names,
        until.unwrap_or_default()
    ))
}

/// Whether a relay uses what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TakenUp {
    /// A running relay uses it.
    InForce,
    /// None runs: the next one will.
    NoRelay,
    /// The running one refuses the policy with it.
    Refused,
    /// The running one has not answered.
    Unknown,
}

impl TakenUp {
    pub(super) const fn verdict(self) -> Verdict {
        match self {
            Self::InForce | Self::NoRelay => Verdict::Good,
            Self::Refused => Verdict::Unusable,
            Self::Unknown => Verdict::Undecided,
        }
    }
}

/// Has the running relay use what was written, and says what there is to know about that.
pub(super) fn take_up(loaded: &Loaded) -> Result<TakenUp, Failure> {
    match reload(loaded) {
        Ok(reloaded) => {
            for warning in &reloaded.about_added {
                output::notice(warning);
            }
            Ok(TakenUp::InForce)
        }
        Err(AdminError::NotConfigured | AdminError::NoDaemon { .. }) => {
            let warnings = wiring::policy::load(loaded, Missing::Warned)?.warnings;
            let about_added = exceptions::about_added(&warnings, &loaded.config);
            for warning in &about_added {
                output::notice(warning);
            }
            output::notice("no relay runs with this configuration; it takes effect when one starts");
            Ok(TakenUp::NoRelay)
        }
        Err(AdminError::Refused(refusal)) if refusal.kind == RefusalKind::Configuration => {
            output::notice(&format!(
                "written to {}, but not in force: the running relay refuses the policy, and keeps the earlier one: {}",
                exceptions::path(&loaded.config).display(),
                refusal.message
            ));
            Ok(TakenUp::Refused)
        }
        Err(
            trouble @ (AdminError::Forbidden(_)
            | AdminError::OtherSpool { .. }
            | AdminError::BrokenOff { .. }
            | AdminError::Garbled { .. }
            | AdminError::Refused(_)),
        ) => {
            output::notice(&format!(
                "written to {}; whether the running relay uses it is not known: {trouble}",
                exceptions::path(&loaded.config).display()
            ));
            Ok(TakenUp::Unknown)
        }
    }
}

fn reload(loaded: &Loaded) -> Result<Reloaded, AdminError> {
    let mut client = Client::connect(&loaded.config)?;
    client.ask(&Request::Policy)?;
    client.end()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use jiff::ToSpan as _;

    use super::*;

    #[test]
    fn the_last_day_is_a_date_or_a_number_of_days() {
        let today = Zoned::now().date();
        assert_eq!(until("30d").unwrap(), today.saturating_add(30.days()));
        assert_eq!(until("36500d").unwrap(), today.saturating_add(36_500.days()));
        assert_eq!(until("2999-01-31").unwrap(), jiff::civil::date(2999, 1, 31));
        assert_eq!(until(&today.to_string()).unwrap(), today);
        for text in [
            "",
            "2020-01-01",
            "tomorrow",
            "2026-02-30",
            "36501d",
            "99999999d",
            "99999999999999999d",
            "-1d",
            "12h",
        ] {
            assert!(until(text).is_err(), "{text}");
        }
    }

    /// A list of others may have tens of thousands of names, and some of them twice.
    #[test]
    fn very_many_are_put_in_place_of_what_is_there() {
        let terms = Terms {
            until: jiff::civil::date(2999, 1, 31),
            dane: Weaker::Off,
            override_strict: false,
        };
        let of = |number: usize, reason: &str| {
            let names = format!("d{number}.example").parse().unwrap();
            terms.exception(names, ExceptedKind::Domain, reason)
        };
        let mut all: Vec<_> = (0..30_000).map(|number| of(number, "old")).collect();
        let new = (20_000..50_000).map(|number| of(number, "new"));
        let again = of(3, "old");
        let inserted = put(&mut all, new.chain([of(49_999, "last"), again]).collect());
        let expected = Inserted {
            added: 20_000,
            changed: 10_000,
            unchanged: 1,
        };
        assert_eq!(inserted, expected);
        assert_eq!(all.len(), 50_000);
        let last = all.iter().find(|one| one.names.to_string() == "d49999.example");
        assert_eq!(&*last.unwrap().entry.reason, "last");
    }
}
