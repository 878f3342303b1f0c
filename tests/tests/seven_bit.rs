//! Letters converted for servers without 8BITMIME, compared with what they were by a reader that is not ours.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use danerelay_tests::fuzz::mutate::{Chance, mutated};
use danerelay_tests::fuzz::{converted, letter};
use danerelay_tests::process::command;
use data_encoding::BASE64;

const COMPARE: &str = include_str!("../src/compare_letters.py");

/// The inputs of the fuzz target, by name.
fn corpus() -> Vec<(String, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/seven_bit");
    let files = fs::read_dir(directory).unwrap().map(Result::unwrap);
    let read = |file: fs::DirEntry| {
        let name = file.file_name().into_string().unwrap();
        (name, fs::read(file.path()).unwrap())
    };
    let mut corpus: Vec<_> = files.map(read).collect();
    corpus.sort();
    corpus
}

/// What Python finds different between each letter and its new form.
fn differences(pairs: &[(Vec<u8>, Vec<u8>)]) -> Vec<Option<String>> {
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(before, after)| [BASE64.encode(before), BASE64.encode(after)])
        .collect();
    let mut python = command("python3")
        .args(["-c", COMPARE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = python.stdin.take().unwrap();
    let writing = std::thread::spawn(move || input.write_all(&serde_json::to_vec(&pairs).unwrap()));
    let output = python.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

fn assert_same(letters: impl Iterator<Item = Vec<u8>>) -> usize {
    let with_form = letters.filter_map(|before| {
        let after = converted(&[&before]).ok()?;
        Some((before, after))
    });
    let pairs: Vec<_> = with_form.collect();
    for ((before, after), difference) in pairs.iter().zip(differences(&pairs)) {
        assert_eq!(
            difference,
            None,
            "{}\n{}",
            before.escape_ascii(),
            after.escape_ascii()
        );
    }
    pairs.len()
}

#[test]
fn readers_see_the_same_before_and_after() {
    let refused = ["dkim", "header_eight_bit", "signed"];
    let corpus = corpus();
    let is_converted = |(_, octets): &&(String, Vec<u8>)| converted(&[&letter(octets).1]).is_ok();
    let (fit, unfit): (Vec<_>, Vec<_>) = corpus.iter().partition(is_converted);
    let names: Vec<_> = unfit.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, refused);
    assert_eq!(
        assert_same(fit.iter().map(|(_, octets)| letter(octets).1)),
        fit.len()
    );
}

#[test]
fn readers_see_the_same_in_letters_that_are_slightly_odd() {
    let corpus: Vec<_> = corpus().into_iter().map(|(_, octets)| octets).collect();
    let number = |key: &str, default| std::env::var(key).map_or(default, |text| text.parse::<u64>().unwrap());
    let mut chance = Chance::new(number("DANERELAY_FUZZ_SEED", 1));
    // Python reads a NUL like any other octet, but no letter in the spool has one.
    let clean = |octets: Vec<u8>| {
        letter(&octets)
            .1
            .into_iter()
            .filter(|octet| *octet != 0)
            .collect()
    };
    let letters = (0..number("DANERELAY_FUZZ_LETTERS", 1_000)).map(|_| clean(mutated(&corpus, &mut chance)));
    let compared = assert_same(letters);
    assert!(compared > 300, "{compared}");
}
