//! `danefail compare`: a list of others, ours, and our own traffic.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use jiff::{Timestamp, ToSpan as _, Zoned, tz::TimeZone};
use mail::ledger::{DaneResult, DeliverySecurity};
use mail::{DomainPart, LedgerKey, count};
use parking_lot::Mutex;
use policy::list::{DomainList, NoList};
use policy::pattern::Pattern;
use policy::schema::ListKind;
use policy::{ExceptedKind, Policy};
use serde::Serialize;
use spool::Ledger as _;

use crate::commands::look_up::block_on;
use crate::commands::output::{self, printable};
use crate::commands::readable;
use crate::commands::values::{MOST_DAYS, days};
use crate::config::Loaded;
use crate::exit::Verdict;
use crate::failure::Failure;
use crate::wiring;

/// Of each group, so many names are shown in the table.
const SHOWN: usize = 20;

/// What to compare.
#[derive(Debug, Args)]
pub(crate) struct CompareArguments {
    /// Their list: one domain a line, `#` starts a comment.
    #[arg(value_name = "LIST")]
    list: PathBuf,

    /// Our traffic of so many days, today included.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = days(1..=MOST_DAYS))]
    days: u16,

    /// Print one JSON object, with all names.
    #[arg(long)]
    json: bool,
}

type Names = BTreeSet<String>;

/// What there is to compare.
#[derive(Debug, Default)]
struct Seen {
    theirs: Names,
    ours: Names,
    failing: Names,
    verified: Names,
}

/// One group of names.
#[derive(Debug, Serialize)]
struct Group {
    count: usize,
    names: Names,
}

/// `compare`.
pub(super) fn run(arguments: &CompareArguments, loaded: &Loaded) -> Result<Verdict, Failure> {
    let octets = std::fs::read(&arguments.list).map_err(|cause| Failure::Unread {
        path: arguments.list.clone(),
        cause,
    })?;
    let text = String::from_utf8_lossy(&octets);
    let (list, bad) = DomainList::parse("", &text);
    if let Some(found) = NoList::of(&text, &list, &bad) {
        output::notice(&format!("{}{}", arguments.list.display(), found.words()));
        return Ok(Verdict::Unusable);
    }
    for line in &bad.first {
        let file = arguments.list.display();
        output::notice(&format!("{file}:{}: skipped: {}", line.line, line.error));
    }
    if bad.more > 0 {
        output::notice(&format!("{} further lines are skipped", bad.more));
    }
    let policy = readable::policy(loaded)?.policy;
    let (failing, verified) = traffic(loaded, arguments.days)?;
    let seen = Seen {
        theirs: list.iter().map(|(name, _)| name.to_owned()).collect(),
        ours: ours(&policy),
        failing,
        verified,
    };
    let groups = groups(&seen);
    if arguments.json {
        output::write_json(&groups.into_iter().collect::<BTreeMap<_, _>>())?;
    } else {
        output::write(&table(&groups, arguments.days))?;
    }
    Ok(Verdict::Good)
}

/// The domains that our lists and exceptions name.
fn ours(policy: &Policy) -> Names {
    let today = Zoned::now().date();
    let exceptions = policy.exceptions().filter_map(|one| match &one.names {
        Pattern::Exactly(name) if one.kind == ExceptedKind::Domain && today <= one.entry.until => {
            Some(name.to_string())
        }
        Pattern::Exactly(_) | Pattern::Below(_) => None,
    });
    let lists = policy.lists().iter();
    let lists = lists.filter(|list| list.kind == ListKind::Danefail);
    let listed = lists.flat_map(|list| list.names.iter().map(|(name, _)| name.to_owned()));
    exceptions.chain(listed).collect()
}

/// The domains to which DANE failed, and those to which mail was delivered verified.
fn traffic(loaded: &Loaded, days: u16) -> Result<(Names, Names), Failure> {
    let path = &loaded.config.spool.path;
    let ledger = wiring::store::open_to_look(&loaded.config).map_err(|cause| Failure::Unopened {
        path: path.clone(),
        cause,
    })?;
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let first = today.saturating_sub((i64::from(days) - 1).days());
    let seen = Arc::new(Mutex::new((Names::new(), Names::new())));
    let noted = Arc::clone(&seen);
    let visit = move |tally: spool::Tally| {
        note(&tally.key, &mut noted.lock());
        ControlFlow::Continue(())
    };
    let unread = block_on(ledger.sums(first..=today, visit))??;
    if unread > 0 {
        let entries = count(unread, "entry");
        output::notice(&format!("{entries} of the ledger cannot be read"));
    }
    let seen = std::mem::take(&mut *seen.lock());
    Ok(seen)
}

fn note(key: &LedgerKey, (failing, verified): &mut (Names, Names)) {
    let name = match &key.domain {
        Some(DomainPart::Name(name)) => name,
        Some(DomainPart::Literal(_)) | None => return,
    };
    match key.dane {
        DaneResult::Fail | DaneResult::Softfail => {
            failing.insert(name.to_string());
        }
        DaneResult::NotReached
        | DaneResult::Verify
        | DaneResult::VerifyHostOnly
        | DaneResult::Encrypt
        | DaneResult::Skip
        | DaneResult::Waived => {}
    }
    match key.security {
        DeliverySecurity::Dane => {
            verified.insert(name.to_string());
        }
        // A host that an unsigned MX record names may be anybody's.
        DeliverySecurity::DaneHostOnly
        | DeliverySecurity::MtaSts
        | DeliverySecurity::Verified
        | DeliverySecurity::Encrypted
        | DeliverySecurity::Clear
        | DeliverySecurity::None => {}
    }
}

fn groups(seen: &Seen) -> Vec<(&'static str, Group)> {
    let Seen {
        theirs,
        ours,
        failing,
        verified,
    } = seen;
    let listed: Names = theirs | ours;
    let groups = [
        ("theirs", theirs.clone()),
        ("ours", ours.clone()),
        ("failing", failing.clone()),
        ("verified", verified.clone()),
        ("theirs_and_ours", theirs & ours),
        ("theirs_only", theirs - ours),
        ("ours_only", ours - theirs),
        ("theirs_and_failing", theirs & failing),
        ("theirs_and_verified", theirs & verified),
        ("ours_and_failing", ours & failing),
        ("ours_and_verified", ours & verified),
        ("failing_and_verified", failing & verified),
        ("failing_on_no_list", failing - &listed),
    ];
    let group = |names: Names| Group {
        count: names.len(),
        names,
    };
    groups
        .into_iter()
        .map(|(key, names)| (key, group(names)))
        .collect()
}

fn table(groups: &[(&'static str, Group)], days: u16) -> String {
    let mut table = format!("traffic of {}\n", count(days, "day"));
    for (key, group) in groups {
        let label = key.replace('_', " ");
        let shown: Vec<&str> = group.names.iter().take(SHOWN).map(String::as_str).collect();
        let more = group.count.saturating_sub(SHOWN);
        let more = if more > 0 {
            format!(", and {more} more")
        } else {
            String::new()
        };
        let line = format!(
            "{label:<21} {:>7}  {}{more}",
            group.count,
            printable(&shown.join(", "))
        );
        let _ = writeln!(table, "{}", line.trim_end());
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_overlaps_are_named() {
        let names = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Names>();
        let groups = groups(&Seen {
            theirs: names("a b c"),
            ours: names("b d"),
            failing: names("b c e"),
            verified: names("a c"),
        });
        let of = |wanted: &str| {
            let (_, group) = groups.iter().find(|(key, _)| *key == wanted)?;
            Some(group.names.iter().cloned().collect::<Vec<_>>().join(" "))
        };
        for (key, expected) in [
            ("theirs_and_ours", "b"),
            ("theirs_only", "a c"),
            ("ours_only", "d"),
            ("theirs_and_failing", "b c"),
            ("theirs_and_verified", "a c"),
            ("ours_and_failing", "b"),
            ("ours_and_verified", ""),
            ("failing_and_verified", "c"),
            ("failing_on_no_list", "e"),
        ] {
            assert_eq!(of(key).as_deref(), Some(expected), "{key}");
        }
    }
}
