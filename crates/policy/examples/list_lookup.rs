//! How much memory a list of a million entries takes, and how long a look-up.
//!
//! `cargo run --release -p policy --example list_lookup [ENTRIES]`
#![allow(clippy::disallowed_types, reason = "the time that really passes is meant")]
#![allow(clippy::cast_precision_loss)]

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Instant;

use mail::Domain;
use policy::list::DomainList;

fn main() {
    let entries: usize = std::env::args()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(1_000_000);
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
    println!("{} look-ups, {found} found: {each:.0} ns each", names.len());
}
