//! OpenSSL as an independent judge of DANE verification, on thousands of random cases.
//!
//! 1. [`scene`] makes a small PKI with faults ([`factory`], [`faults`]), the chain that its server sends, and [`records`]
//!    about it, all by [`chance`].
//! 2. [`judge`] asks OpenSSL, set up as a client of RFC 7672.
//! 3. [`verdict`] compares that with `dane::verify_chain`. This crate may refuse more, for a reason in
//!    [`verdict::Stricter`]; it may never accept more.
//! 4. [`stricter`] shows each of those reasons on a case made for it, and [`published`] what changes to an anchor do.
//! 5. [`program`] asks `danerelay tlsa verify`, which must say what the crate says.
//!
//! `DANERELAY_JUDGE_SEED` and `DANERELAY_JUDGE_CASES` ask for other cases and for more of them. A case that fails is
//! written to a file that the judge can read again.
#![allow(clippy::disallowed_types, reason = "the time that really passes is meant")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod chance;
mod factory;
mod faults;
mod judge;
mod program;
mod published;
mod records;
mod scene;
mod stricter;
mod verdict;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Instant;

use chance::Chance;
use judge::Judge;
use scene::Case;
use verdict::{Class, Comparison};

const SEED: u64 = 7672;
const CASES: u64 = 5000;

/// A number from the environment.
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// The cases of this seed, each with its own random numbers, so that one can be made again without the others.
fn cases(count: u64) -> impl Iterator<Item = (String, Case)> {
    let seed = setting("DANERELAY_JUDGE_SEED", SEED);
    let keys = factory::keys();
    (0..count).map(move |number| {
        let mut chance = Chance::new(seed.rotate_left(32) ^ number);
        (format!("{seed}-{number}"), scene::case(&mut chance, &keys))
    })
}

#[test]
fn random_cases() {
    let start = Instant::now();
    let mut judge = Judge::new();
    let mut tally = BTreeMap::<Comparison, usize>::new();
    let mut wrong = 0;
    let count = setting("DANERELAY_JUDGE_CASES", CASES);
    for (name, case) in cases(count) {
        let theirs = judge.ask(&case.question);
        let ours = verdict::ours(&case.question);
        match verdict::compare(&mut judge, &case, theirs, &ours) {
            Ok(comparison) => *tally.entry(comparison).or_default() += 1,
            Err(why) => {
                wrong += 1;
                let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("openssl-judge-{name}"));
                fs::write(&file, case.question.lines()).unwrap();
                let (faults, sending) = (&case.faults, &case.sending);
                println!(
                    "case {name}: {why}\n  OpenSSL {theirs:?}\n  here {ours:?}\n  {faults:?} {sending:?}\n  {file:?}"
                );
            }
        }
    }
    for (comparison, count) in &tally {
        println!("{count:6} {comparison:?}");
    }
    println!("{count} cases in {:?}", start.elapsed());
    assert_eq!(
        wrong, 0,
        "the verdicts differ; see above for the seed and number of each case"
    );
    check_balance(&tally);
}

/// The cases must be meaningful: neither side always says the same, and the reasons agree if both had to look at the same
/// anchor.
fn check_balance(tally: &BTreeMap<Comparison, usize>) {
    let count = |wanted: &dyn Fn(&Comparison) -> bool| -> usize {
        tally
            .iter()
            .filter(|(kind, _)| wanted(kind))
            .map(|(_, count)| count)
            .sum()
    };
    let all = count(&|_| true);
    let by_anchor = count(&|kind| matches!(kind, Comparison::Verified { usage: 2, .. }));
    let by_leaf = count(&|kind| matches!(kind, Comparison::Verified { usage: 3, .. }));
    let refused = count(&|kind| matches!(kind, Comparison::Refused(..)));
    for part in [by_anchor, by_leaf, refused] {
        assert!(part * 10 > all, "{part} of {all}");
    }
    // OpenSSL says "no match" for every path that reaches no anchor, whatever else is wrong with it.
    let at_anchor =
        |kind: &Comparison| matches!(kind, Comparison::Refused(theirs, _) if *theirs != Class::NoMatch);
    let alike = |kind: &Comparison| matches!(kind, Comparison::Refused(theirs, ours) if theirs == ours);
    let (looked_at, agreed) = (count(&at_anchor), count(&|kind| at_anchor(kind) && alike(kind)));
    assert!(
        agreed * 100 > looked_at * 85,
        "{agreed} of {looked_at} reasons agree"
    );
}
