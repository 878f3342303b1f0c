//! The fuzz targets as part of the ordinary tests: run over their corpora, and over mutations of these.
//!
//! `DANERELAY_FUZZ_SECONDS=60 cargo test -p danerelay-tests --test corpora` runs each target for that long, and
//! `DANERELAY_FUZZ_SEED=7` chooses other mutations. An input that fails is printed and left in the directory for temporary
//! files.
#![allow(clippy::disallowed_types, reason = "the time that really passes is meant")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use danerelay_tests::fuzz::mutate::{Chance, mutated};
use danerelay_tests::fuzz::{Recipe, TARGETS, Target, verifies};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    PKCS_ED25519,
};

/// How many mutations each target is tried with if no time is set.
const MUTATIONS: usize = 300;
/// The most octets of all corpora together: they are part of every clone.
const ALL_CORPORA: u64 = 200 * 1024;

#[test]
fn every_corpus_holds() {
    let mut failed = Vec::new();
    for (name, target) in TARGETS {
        let corpus = corpus(name);
        assert!(corpus.len() >= 5, "{name} has only {} inputs", corpus.len());
        let failing = corpus.into_iter().filter(|(_, octets)| !holds(target, octets));
        failed.extend(failing.map(|(file, _)| file));
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn mutations_of_the_corpora_hold() {
    let number = |key: &str| std::env::var(key).ok().map(|text| text.parse::<u64>().unwrap());
    let time = number("DANERELAY_FUZZ_SECONDS").map(Duration::from_secs);
    let seed = number("DANERELAY_FUZZ_SEED").unwrap_or(1);
    let failed: Vec<_> = TARGETS
        .into_iter()
        .filter_map(|(name, target)| failing_mutation(name, target, time, seed))
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

/// The file of the first mutation that fails.
fn failing_mutation(name: &str, target: Target, time: Option<Duration>, seed: u64) -> Option<PathBuf> {
    let corpus: Vec<_> = corpus(name).into_iter().map(|(_, octets)| octets).collect();
    let mut chance = Chance::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let start = Instant::now();
    let mut tried = 0;
    while time.map_or(tried < MUTATIONS, |time| start.elapsed() < time) {
        let octets = mutated(&corpus, &mut chance);
        if !holds(target, &octets) {
            let file = std::env::temp_dir().join(format!("danerelay-{name}-{seed}-{tried}"));
            fs::write(&file, &octets).unwrap();
            println!("{name}: b\"{}\"", octets.escape_ascii());
            return Some(file);
        }
        tried += 1;
    }
    println!("{name}: {tried} mutations in {:?}", start.elapsed());
    None
}

#[test]
fn the_verifiers_corpus_has_both_verdicts() {
    for (file, octets) in corpus("verifier") {
        let name = file.file_name().unwrap().to_str().unwrap();
        let expected = ["ee_", "ta_", "wildcard", "wrong_then_right"];
        let expected = expected.iter().any(|start| name.starts_with(start));
        assert_eq!(verifies(&octets), expected, "{name}");
    }
}

#[test]
fn the_fuzzer_has_the_same_targets() {
    let expected: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    let bins = manifest.split("[[bin]]\nname = \"").skip(1);
    let bins: BTreeSet<_> = bins
        .map(|bin| bin.split('"').next().unwrap().to_owned())
        .collect();
    assert_eq!(bins, expected);
    let stems = |directory: &str| -> BTreeSet<String> {
        let paths = files(&fuzz().join(directory)).into_iter();
        paths
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(stems("fuzz_targets"), expected);
    assert_eq!(stems("corpus"), expected);
    for name in &expected {
        let source = fs::read_to_string(fuzz().join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(
            source.contains(&format!("danerelay_tests::fuzz::{name}(octets)")),
            "{source}"
        );
    }
}

#[test]
fn the_corpora_stay_small() {
    let lengths = TARGETS
        .iter()
        .flat_map(|(name, _)| corpus(name))
        .map(|(_, octets)| octets.len() as u64);
    let all: u64 = lengths.sum();
    assert!(all <= ALL_CORPORA, "{all} octets");
}

/// Whether the target accepts these octets; otherwise its panic has been printed.
fn holds(target: Target, octets: &[u8]) -> bool {
    catch_unwind(|| target(octets)).is_ok()
}

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// The inputs of a target, in the order of their names.
fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let files = files(&fuzz().join("corpus").join(target)).into_iter();
    files
        .map(|file| (file.clone(), fs::read(&file).unwrap()))
        .collect()
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// `root` → `intermediate` → leaf, with the shortest keys.
struct Chain {
    root: Certificate,
    intermediate: Certificate,
    leaf: Certificate,
}

impl Chain {
    fn new(host: &str) -> Self {
        let key = || KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let (root_key, intermediate_key) = (key(), key());
        let root = authority("r").self_signed(&root_key).unwrap();
        let by_root = Issuer::new(authority("r"), root_key);
        let intermediate = authority("i").signed_by(&intermediate_key, &by_root).unwrap();
        let by_intermediate = Issuer::new(authority("i"), intermediate_key);
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.distinguished_name = DistinguishedName::new();
        let leaf = params.signed_by(&key(), &by_intermediate).unwrap();
        Self {
            root,
            intermediate,
            leaf,
        }
    }

    fn sent(&self) -> Recipe {
        Recipe::new(&[self.leaf.der(), self.intermediate.der(), self.root.der()])
    }
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

#[test]
#[ignore = "writes the verifier's corpus anew, with new keys"]
fn write_the_verifiers_corpus() {
    let chain = Chain::new("mx1.example.com");
    let root = chain.root.der();
    let wrong = [0x5A; 32];
    let recipes = [
        ("ee_cert_full", chain.sent().record_for([3, 0, 0], 0)),
        ("ee_spki_sha256", chain.sent().record_for([3, 1, 1], 0)),
        ("ee_spki_sha512", chain.sent().record_for([3, 1, 2], 0)),
        (
            "ee_leaf_alone",
            Recipe::new(&[chain.leaf.der()]).record_for([3, 1, 1], 0),
        ),
        ("ta_root_sent", chain.sent().record_for([2, 0, 1], 2)),
        ("ta_intermediate_key", chain.sent().record_for([2, 1, 1], 1)),
        (
            "ta_root_in_dns",
            Recipe::new(&[chain.leaf.der(), chain.intermediate.der()]).record([2, 0, 0], root),
        ),
        ("ta_key_in_dns", chain.sent().record_for([2, 1, 0], 1)),
        (
            "wrong_then_right",
            chain.sent().record([3, 1, 1], &wrong).record_for([2, 0, 2], 2),
        ),
        (
            "none_matches",
            chain.sent().record([3, 1, 1], &wrong).record([2, 0, 1], &wrong),
        ),
        (
            "none_usable",
            chain.sent().record_for([1, 0, 1], 0).record([3, 1, 1], b"short"),
        ),
        (
            "agility",
            chain.sent().record_for([3, 1, 1], 0).record_for([3, 1, 2], 1),
        ),
        (
            "other_name",
            Chain::new("mx.example.org").sent().record_for([2, 0, 1], 2),
        ),
        (
            "wildcard",
            Chain::new("*.example.com").sent().record_for([2, 1, 2], 2),
        ),
        ("no_chain", Recipe::new(&[]).record([3, 1, 1], &wrong)),
        (
            "octets_that_are_no_certificate",
            Recipe::new(&[b"0\x82"]).record_for([3, 0, 1], 0),
        ),
    ];
    for (name, recipe) in recipes {
        fs::write(fuzz().join("corpus/verifier").join(name), recipe.octets()).unwrap();
    }
}
