//! How much memory a list takes, and how long a look-up: of the list alone, and of the policy for a destination; and how
//! long it takes to read it beside very many rules.
//!
//! `cargo run --release -p policy --example list_lookup [ENTRIES]`; without a number for 1 and 1,000,000 entries.
#![allow(clippy::disallowed_types, reason = "the time that really passes is meant")]
#![allow(clippy::cast_precision_loss)]

use std::fmt::Write as _;
use std::hint::black_box;
use std::io;
use std::path::Path;
use std::time::Instant;

use jiff::civil::date;
use mail::{Domain, NextHop};
use policy::list::DomainList;
use policy::{Fetched, Missing, Policy, Sources, Text};

const POLICY: &str = "version = 1\n[[domain]]\nmatch = [\".strict.example\"]\ndane = \"strict\"\n\
                      [[list]]\nkind = \"danefail\"\nfile = \"list\"\n";

/// As many rules as some site may have.
const RULES: usize = 10_000;

fn main() {
    let entries = std::env::args().nth(1).and_then(|text| text.parse().ok());
    for entries in entries.map_or_else(|| vec![1, 1_000_000], |entries| vec![entries]) {
        measure(entries);
    }
}

fn measure(entries: usize) {
    let mut text = String::new();
    for number in 0..entries {
        let _ = writeln!(text, "customer-{number}.mail-provider.example");
    }
    let start = Instant::now();
    let (list, _) = DomainList::parse("list", &text);
    println!(
        "{entries} entries: read in {:.2?}, {:.1} MB",
        start.elapsed(),
        list.memory() as f64 / 1e6
    );
    // Jumps through the list, so that no look-up finds its neighbour's cache lines; every other one is a miss.
    let names: Vec<Domain> = (0..200_000_usize)
        .filter_map(|step| {
            let number = step.wrapping_mul(7_919_317) % (entries.max(1) * 2);
            Domain::parse(&format!("customer-{number}.mail-provider.example")).ok()
        })
        .collect();
    let start = Instant::now();
    let found = names
        .iter()
        .filter(|name| black_box(&list).line_of(name).is_some())
        .count();
    let each = start.elapsed().as_secs_f64() * 1e9 / names.len() as f64;
    println!(
        "  the list: {} look-ups, {found} found: {each:.0} ns each",
        names.len()
    );
    let mut rules = POLICY.to_owned();
    for number in 0..RULES {
        let _ = write!(
            rules,
            "[[domain]]\nmatch = [\"r{number}.example\", \".below{number}.mail-provider.example\"]\ndane = \"strict\"\n"
        );
    }
    let start = Instant::now();
    black_box(policy(&rules, &text));
    println!(
        "  a policy with {RULES} rules beside it: read in {:.2?}",
        start.elapsed()
    );
    let Some(policy) = policy(POLICY, &text) else {
        return;
    };
    let hops: Vec<NextHop> = names
        .into_iter()
        .map(|domain| NextHop::Domain { domain, port: None })
        .collect();
    let today = date(2026, 11, 29);
    let start = Instant::now();
    for hop in &hops {
        black_box(black_box(&policy).for_destination(hop, today));
    }
    let each = start.elapsed().as_secs_f64() * 1e9 / hops.len() as f64;
    println!("  the policy for a destination: {each:.0} ns each");
}

fn policy(policy: &str, list: &str) -> Option<Policy> {
    let compiled = Policy::compile(&Sources {
        policy: Text {
            file: Path::new("policy.toml"),
            text: policy,
        },
        added: None,
        read: &|_| Ok(list.to_owned()),
        fetched: &|_| Fetched::Never(Missing::Warned),
        read_login: &|_| Err(io::ErrorKind::NotFound.into()),
        today: date(2026, 11, 29),
    });
    compiled.ok().map(|(policy, _)| policy)
}
