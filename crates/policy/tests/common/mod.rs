//! Policies out of texts, and what they say in words.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc
)]

use std::io;
use std::path::Path;
use std::time::Duration;

use jiff::civil::{Date, date};
use mail::{Domain, NextHop};
use policy::settings::{DestinationPolicy, ModeSource};
use policy::{Fetched, Missing, Policy, PolicyError, Sources, Text, Warning};

pub const TODAY: Date = date(2026, 11, 22);

/// A list of each kind, as [`lists`] has them.
pub const LISTS: &str = r#"
[[list]]
kind = "danefail"
file = "fail.dat"
[[list]]
kind = "soft-fail"
file = "soft.list"
[[list]]
kind = "strict"
file = "strict.list"
"#;

/// What stands in the lists.
pub fn lists(path: &Path) -> io::Result<String> {
    match path.to_str().unwrap() {
        "/etc/relay/strict.list" => Ok("# ours\nstrict.example\nboth.example\n".into()),
        "/etc/relay/soft.list" => Ok("soft.example\nboth-weak.example\n".into()),
        "/etc/relay/fail.dat" => Ok("fail.example # NXDOMAIN\nboth.example\nboth-weak.example\n".into()),
        _ => Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!("no {}", path.display()),
        )),
    }
}

/// The copy of a list with a URL, which was last current an hour ago.
pub fn fetched(url: &str) -> Fetched {
    match url {
        "https://lists.example/l" => Fetched::Copy {
            path: "/var/lib/relay/lists/l".into(),
            text: "# theirs\nfetched.example\n".into(),
            age: Duration::from_hours(1),
        },
        url if url.starts_with("https://") => Fetched::Never(Missing::Refused),
        _ => Fetched::NoUrl("allowed: \"https://…\"".into()),
    }
}

/// The policy of `file`, with lists as `read` gives them.
pub fn compile_from(
    file: &str,
    text: &str,
    read: &dyn Fn(&Path) -> io::Result<String>,
) -> Result<(Policy, Vec<Warning>), PolicyError> {
    let file = Path::new(file);
    Policy::compile(&Sources {
        policy: Text { file, text },
        added: None,
        read,
        fetched: &fetched,
        read_login: read,
        today: TODAY,
    })
}

pub fn compile(text: &str) -> (Policy, Vec<Warning>) {
    compile_from("/etc/relay/policy.toml", text, &lists).unwrap()
}

pub fn policy(text: &str) -> Policy {
    compile(text).0
}

pub fn hop(name: &str) -> NextHop {
    name.parse().unwrap()
}

pub fn of(policy: &Policy, name: &str) -> DestinationPolicy {
    policy.for_destination(&hop(name), TODAY)
}

/// How much DANE counts for a destination and why, such as `off, exception until 2026-11-22`.
pub fn dane(policy: &Policy, name: &str) -> String {
    let found = of(policy, name);
    format!("{}, {}", found.dane, words(&found.dane_source))
}

/// Where a mode comes from, of an exception no more than its end.
fn words(source: &ModeSource) -> String {
    match source {
        ModeSource::Exception(entry) => format!("exception until {}", entry.until),
        other => other.to_string(),
    }
}

/// The same for a receiving host of a destination, such as `mail.example for a.example`.
pub fn dane_at(policy: &Policy, host: &str, today: Date) -> String {
    let (host, destination) = host.split_once(" for ").expect("a host and a destination");
    let found = policy.for_destination(&hop(destination), today);
    let found = policy.for_mx_host(&found, &Domain::parse(host).unwrap(), today);
    format!("{}, {}", found.dane, words(&found.dane_source))
}
