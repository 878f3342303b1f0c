//! Links within the repository.

use std::collections::{HashMap, HashSet};
use std::path::{Component, Path, PathBuf};

use crate::pages::{self, Page};

/// A link of a page.
struct Link<'a> {
    line: usize,
    target: &'a str,
}

/// `[words](target)`, pictures included.
fn links(page: &Page) -> Vec<Link<'_>> {
    let mut links = Vec::new();
    for (line, text) in page.prose() {
        for part in text.split("](").skip(1) {
            let (target, _) = part.split_once(')').unwrap_or((part, ""));
            links.push(Link { line, target });
        }
    }
    links
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(page: &Page) -> HashSet<String> {
    let mut anchors = HashSet::new();
    let mut seen: HashMap<String, usize> = HashMap::new();
    for (_, line) in page.prose() {
        let words = line.trim_start_matches('#');
        if words.len() == line.len() || !words.starts_with(' ') {
            continue;
        }
        let kept = words
            .trim()
            .chars()
            .filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        let anchor: String = kept.collect::<String>().to_lowercase().replace(' ', "-");
        let times = seen.entry(anchor.clone()).or_default();
        anchors.insert(match *times {
            0 => anchor,
            more => format!("{anchor}-{more}"),
        });
        *times += 1;
    }
    anchors
}

/// The path without `..`.
fn resolved(path: &Path) -> PathBuf {
    let mut resolved = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                assert!(resolved.pop(), "{} leads out of the repository", path.display());
            }
            part => resolved.push(part),
        }
    }
    resolved
}

#[test]
fn every_link_leads_somewhere() {
    let pages = pages::all();
    let anchors: HashMap<&Path, HashSet<String>> =
        pages.iter().map(|page| (&*page.path, anchors(page))).collect();
    let (mut faults, mut followed) = (Vec::new(), 0);
    for page in &pages {
        for Link { line, target } in links(page) {
            if target.contains("://") {
                continue;
            }
            followed += 1;
            let (path, anchor) = match target.split_once('#') {
                Some((path, anchor)) => (path, Some(anchor)),
                None => (target, None),
            };
            let path = match path {
                "" => page.path.clone(),
                path => resolved(&page.path.parent().unwrap().join(path)),
            };
            let is_there = pages::root().join(&path).exists();
            let has_anchor = anchor.is_none_or(|anchor| {
                anchors
                    .get(&*path)
                    .is_some_and(|anchors| anchors.contains(anchor))
            });
            if !is_there || !has_anchor {
                faults.push(format!("{}:{line}: {target}", page.path.display()));
            }
        }
    }
    assert!(followed > 100, "{followed}");
    assert!(faults.is_empty(), "these lead nowhere:\n{}", faults.join("\n"));
}

/// Every page is in the book, and the README leads there.
#[test]
fn every_page_can_be_found() {
    let named = |from: &str| -> HashSet<PathBuf> {
        let index = pages::page(from);
        let directory = index.path.parent().unwrap();
        let targets = links(&index);
        targets
            .iter()
            .map(|link| resolved(&directory.join(link.target)))
            .collect()
    };
    let summary = PathBuf::from("docs/SUMMARY.md");
    assert!(named("README.md").contains(&summary));
    let in_the_book = named("docs/SUMMARY.md");
    for page in pages::all() {
        let is_page = page.path.starts_with("docs") && page.path != summary;
        assert!(
            !is_page || in_the_book.contains(&page.path),
            "{} is not in the book",
            page.path.display()
        );
    }
}
