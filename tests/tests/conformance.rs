//! The pages on conformance name tests that exist, and leave out no row.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join("docs/conformance").join(name)).unwrap()
}

/// All sources below a directory: the names of the directories and of the file, and the text.
fn sources(directory: &Path, found: &mut Vec<(Vec<String>, String)>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let below = path.strip_prefix(root()).unwrap().with_extension("");
            let names = below.iter().map(|name| name.to_string_lossy().into_owned());
            found.push((names.collect(), fs::read_to_string(&path).unwrap()));
        }
    }
}

/// The names of tests and modules on a page: `crate::file::test`.
fn named(page: &str) -> BTreeSet<Vec<String>> {
    let is_path = |text: &&str| {
        let is_name =
            |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || b":_-".contains(&octet);
        text.contains("::") && text.bytes().all(is_name)
    };
    let is_example = |text: &&str| matches!(*text, "crate::file::test" | "tests::");
    let quoted = page.split('`').skip(1).step_by(2);
    let quoted = quoted.filter(is_path).filter(|text| !is_example(text));
    quoted
        .map(|text| text.split("::").map(str::to_owned).collect())
        .collect()
}

/// Whether a name is that of a test in a file of that name, or of such a file.
fn exists(name: &[String], sources: &[(Vec<String>, String)]) -> bool {
    // The names of tests that cross crates may leave out `tests`.
    let of_crate = |path: &[String]| {
        if root().join("crates").join(&name[0]).is_dir() {
            path[..2] == ["crates", &name[0]]
        } else {
            path[0] == "tests"
        }
    };
    let (last, file) = (&name[name.len() - 1], &name[name.len() - 2]);
    let is_test = |path: &[String], text: &str| {
        text.contains(&format!("fn {last}(")) && (name.len() == 2 || path.contains(file))
    };
    let mut sources = sources
        .iter()
        .filter(|(path, _)| path.len() > 1 && of_crate(path));
    sources.any(|(path, text)| path.contains(last) || is_test(path, text))
}

#[test]
fn the_tests_that_are_named_exist() {
    let mut all = Vec::new();
    sources(&root().join("crates"), &mut all);
    sources(&root().join("tests/src"), &mut all);
    sources(&root().join("tests/tests"), &mut all);
    let mut missing = Vec::new();
    for entry in fs::read_dir(root().join("docs/conformance")).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let names = named(&page(&file));
        // A test makes that page, and names no others.
        assert!(!names.is_empty() || file == "judges.md", "{file}");
        missing.extend(
            names
                .into_iter()
                .filter(|name| !exists(name, &all))
                .map(|name| format!("{file}: {}", name.join("::"))),
        );
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn every_row_on_mta_sts_has_its_line() {
    let page = page("mta-sts.md");
    let has = |row: String| {
        page.lines()
            .filter(|line| line.starts_with(&format!("| {row} |")))
            .count()
    };
    let rows = (1..=38).map(|number| format!("STS-{number:02}"));
    let rows = rows.chain((132..=142).map(|number| format!("SMTP-{number}")));
    let odd: Vec<_> = rows.filter(|row| has(row.clone()) != 1).collect();
    assert!(odd.is_empty(), "not exactly one line: {odd:?}");
}

#[test]
fn every_row_on_tls_reports_has_its_line() {
    let page = page("tlsrpt.md");
    let count = |row: &String| {
        let lines = page.lines();
        lines
            .filter(|line| line.starts_with(&format!("| {row} |")))
            .count()
    };
    let rows = (1..=63).map(|number| format!("RPT-{number:02}"));
    let odd: Vec<_> = rows.filter(|row| count(row) != 1).collect();
    assert!(odd.is_empty(), "not exactly one line: {odd:?}");
}

#[test]
fn every_row_on_smtp_has_its_line() {
    let pages = [page("smtp.md"), page("dsn.md")].concat();
    let rows: Vec<&str> = pages
        .lines()
        .filter_map(|line| line.strip_prefix("| SMTP-"))
        .collect();
    let has = |number: &usize| {
        rows.iter()
            .filter(|row| row.starts_with(&format!("{number:02} |")))
            .count()
    };
    let odd: Vec<_> = (1..=131)
        .chain(143..=158)
        .filter(|number| has(number) != 1)
        .collect();
    assert!(odd.is_empty(), "not exactly one line: {odd:?}");
}
