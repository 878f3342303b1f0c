//! Lists of domains in the form of danefail.org, read by the program itself.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use danerelay_tests::process::{command, output, words};
use danerelay_tests::relay::program;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// The lists that were published, where somebody has laid them beside the workspace.
const PUBLISHED: &str = "../../shared/data/danefail";

/// A list of the same form, with what people write: a comment after a name, upper case, a trailing dot, a U-label, and
/// a line that is no domain.
const SAMPLE: &str = "# -----------------\n# DNS problems: dropped queries\n## Sites hosted at a.example\n#\n\
                      Casa.EXAMPLE\ndotted.example.  # since 2019\nb\u{fc}cher.example\nno domain at all\n\
                      last.example\n";

/// The real lists of danefail.org: every line of them is understood.
#[test]
fn the_published_lists_are_read() {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join(PUBLISHED);
    let [fail, partial] = ["dane_fail_list.dat", "partial_fail_list.dat"].map(|name| place.join(name));
    if !fail.exists() || !partial.exists() {
        eprintln!(
            "no published lists in {}: only the sample is tested",
            place.display()
        );
        return;
    }
    let [known, degraded] = [&fail, &partial].map(|path| last_entry(path));
    let said = check(&fail, &partial, &format!("{}\n{}\n", known.name, degraded.name));
    assert_eq!(
        said,
        [
            known.stays_strict(1, "danefail"),
            degraded.stays_strict(2, "soft-fail")
        ]
    );
}

/// What is not a domain is skipped and reported with its line; the rest of the list is used.
#[test]
fn a_list_of_the_same_form_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let [fail, partial] = ["fail.dat", "partial.dat"].map(|name| directory.path().join(name));
    fs::write(&fail, SAMPLE).unwrap();
    fs::write(&partial, "# DANE stays on\ndegraded.example\n").unwrap();
    let mut expected = vec![format!(
        "{}:8: skipped: a character that a domain name cannot have",
        fail.display()
    )];
    let known = [
        ("casa.example", 5),
        ("dotted.example", 6),
        ("xn--bcher-kva.example", 7),
        ("last.example", 9),
    ];
    let mut strict = String::new();
    for (number, (name, line)) in (1..).zip(known) {
        writeln!(strict, "{name}").unwrap();
        expected.push(Entry::new(&fail, name, line).stays_strict(number, "danefail"));
    }
    strict += "degraded.example\na.example\nhall.example\n";
    expected.push(Entry::new(&partial, "degraded.example", 2).stays_strict(5, "soft-fail"));
    assert_eq!(check(&fail, &partial, &strict), expected);
}

/// A name on one of the lists.
struct Entry {
    list: PathBuf,
    name: String,
    line: usize,
}

impl Entry {
    fn new(list: &Path, name: &str, line: usize) -> Self {
        Self {
            list: list.to_owned(),
            name: name.to_owned(),
            line,
        }
    }

    /// The warning when the name is on the strict list too: so the program shows what it has read, and where.
    fn stays_strict(&self, strict_line: usize, kind: &str) -> String {
        format!(
            "strict.list:{strict_line}: {:?} is also on the {kind} list {} (line {}); it stays strict",
            self.name,
            self.list.display(),
            self.line
        )
    }
}

fn last_entry(list: &Path) -> Entry {
    let text = fs::read_to_string(list).unwrap();
    let (line, name) = (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .last()
        .expect("an entry");
    Entry::new(list, name, line)
}

/// Has the program check a policy with these lists and a strict one: its warnings, sorted, without the policy's directory.
/// Panics unless the program finds the policy good.
fn check(danefail: &Path, soft_fail: &Path, strict: &str) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    let configuration = place.join("danerelay.toml");
    fs::write(
        &configuration,
        "version = 1\nhostname = \"relay.test\"\n[policy]\nfile = \"policy.toml\"\n",
    )
    .unwrap();
    let mut policy = "version = 1\n".to_owned();
    for (kind, list) in [
        ("danefail", danefail),
        ("soft-fail", soft_fail),
        ("strict", &place.join("strict.list")),
    ] {
        writeln!(
            policy,
            "[[list]]\nkind = \"{kind}\"\nfile = \"{}\"",
            list.display()
        )
        .unwrap();
    }
    fs::write(place.join("policy.toml"), policy).unwrap();
    fs::write(place.join("strict.list"), strict).unwrap();
    let output = output(
        command(program())
            .args(["config", "check", "--no-dns", "-c"])
            .arg(&configuration),
    );
    assert_eq!(output.status.code(), Some(0), "{}", words(&output));
    let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(stdout.contains("policy.toml: ok\n"), "{stdout}");
    let own = format!("{}/", place.display());
    let mut warnings: Vec<String> = stderr
        .lines()
        .map(|line| {
            line.strip_prefix("warning: ")
                .expect("a warning")
                .replace(&own, "")
        })
        .collect();
    warnings.sort();
    warnings
}
