//! Dated exceptions, which go before everything but what is strict, and negative trust anchors.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::path::Path;

use common::{LISTS, TODAY, dane, dane_at, hop, lists, of, policy};
use jiff::civil::date;
use policy::settings::{DaneMode, ModeSource};
use policy::{Policy, Sources, Text};

const EXCEPTIONS: &str = r#"
[[domain]]
match = ["strict.example", "overridden.example"]
dane = "strict"
[[exception]]
domain = "example.dk"
dane = "off"
until = 2026-11-22
reason = "broken"
[[exception]]
domain = "expired.example"
dane = "off"
until = 2026-11-21
reason = "broken"
[[exception]]
domain = "strict.example"
dane = "off"
until = 2027-01-31
reason = "broken"
[[exception]]
domain = "overridden.example"
dane = "soft-fail"
override_strict = true
until = 2027-01-31
reason = "broken"
[[exception]]
mx = "mail.fscker.nl"
dane = "off"
until = 2026-12-01
reason = "broken"
[[exception]]
mx = ".provider.example"
dane = "soft-fail"
override_strict = true
until = 2026-12-02
reason = "broken"
"#;

#[test]
fn an_exception_holds_through_its_last_day() {
    let policy = policy(EXCEPTIONS);
    assert_eq!(dane(&policy, "example.dk"), "off, exception until 2026-11-22");
    let tomorrow = policy.for_destination(&hop("example.dk"), date(2026, 11, 23));
    assert_eq!(
        (tomorrow.dane, tomorrow.dane_source),
        (DaneMode::Opportunistic, ModeSource::Default)
    );
    assert_eq!(dane(&policy, "expired.example"), "opportunistic, default");
    assert_eq!(dane(&policy, "sub.example.dk"), "opportunistic, default");
}

#[test]
fn strict_is_taken_back_only_with_override_strict() {
    let policy = policy(EXCEPTIONS);
    assert_eq!(dane(&policy, "strict.example"), "strict, rule in line 2");
    assert_eq!(
        dane(&policy, "overridden.example"),
        "soft-fail, exception until 2027-01-31"
    );
    let on_list = policy_with_list_exception(false);
    assert_eq!(
        dane(&on_list, "strict.example"),
        "strict, strict list strict.list:2"
    );
    let on_list = policy_with_list_exception(true);
    assert_eq!(
        dane(&on_list, "strict.example"),
        "off, exception until 2027-01-31"
    );
}

fn policy_with_list_exception(override_strict: bool) -> Policy {
    policy(&format!(
        "{LISTS}\n[[exception]]\ndomain = \"strict.example\"\ndane = \"off\"\nuntil = 2027-01-31\nreason = \"r\"\n\
         override_strict = {override_strict}\n"
    ))
}

#[test]
fn an_exception_for_a_host_holds_for_every_domain_served_there() {
    let policy = policy(EXCEPTIONS);
    let off = "off, exception until 2026-12-01";
    assert_eq!(dane_at(&policy, "mail.fscker.nl for a.example", TODAY), off);
    assert_eq!(dane_at(&policy, "MAIL.fscker.nl. for b.example", TODAY), off);
    assert_eq!(
        dane_at(&policy, "other.fscker.nl for a.example", TODAY),
        "opportunistic, default"
    );
    assert_eq!(
        dane_at(&policy, "mx1.provider.example for a.example", TODAY),
        "soft-fail, exception until 2026-12-02"
    );
    assert_eq!(
        dane_at(&policy, "provider.example for a.example", TODAY),
        "opportunistic, default"
    );
    assert_eq!(
        dane_at(&policy, "mail.fscker.nl for a.example", date(2026, 12, 2)),
        "opportunistic, default"
    );
    // The destination keeps its own mode.
    assert_eq!(dane(&policy, "a.example"), "opportunistic, default");
}

#[test]
fn an_exception_for_a_host_does_not_weaken_strict_destinations_unless_it_says_so() {
    let policy = policy(EXCEPTIONS);
    assert_eq!(
        dane_at(&policy, "mail.fscker.nl for strict.example", TODAY),
        "strict, rule in line 2"
    );
    assert_eq!(
        dane_at(&policy, "mx1.provider.example for strict.example", TODAY),
        "soft-fail, exception until 2026-12-02"
    );
}

#[test]
fn negative_trust_anchors_are_dated_too() {
    let policy = policy(
        "[[exception]]\ndomain = \"broken.example\"\ndnssec = \"off\"\nuntil = 2026-11-22\nreason = \"expired\"\n",
    );
    let names = |today| {
        policy
            .negative_trust_anchors(today)
            .map(|anchor| anchor.name.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(TODAY), ["broken.example"]);
    assert!(names(date(2026, 11, 23)).is_empty());
    assert_eq!(dane(&policy, "broken.example"), "opportunistic, default");
}

#[test]
fn exceptions_added_by_commands_count_like_written_ones() {
    let text = Text {
        file: Path::new("/etc/relay/policy.toml"),
        text: "",
    };
    let added = Text {
        file: Path::new("/var/lib/relay/exceptions.toml"),
        text: "[[exception]]\ndomain = \"a.example\"\ndane = \"off\"\nuntil = 2027-01-01\nreason = \"r\"\n",
    };
    let sources = |added| Sources {
        policy: text,
        added: Some(added),
        read: &lists,
        fetched: &|_| policy::Fetched::Never(policy::Missing::Refused),
        read_login: &lists,
        today: TODAY,
    };
    let (policy, _) = Policy::compile(&sources(added)).unwrap();
    assert_eq!(dane(&policy, "a.example"), "off, exception until 2027-01-01");
    assert_eq!(
        of(&policy, "a.example").dane_source.to_string(),
        "exception until 2027-01-01 (/var/lib/relay/exceptions.toml:1: r)"
    );
    let wrong = Text {
        text: "[default]\ndane = \"off\"\n",
        ..added
    };
    let error = Policy::compile(&sources(wrong)).unwrap_err().to_string();
    assert!(
        error.starts_with("/var/lib/relay/exceptions.toml:1:2: unknown key \"default\""),
        "{error}"
    );
}

#[test]
fn an_exception_is_told_with_file_line_and_reason() {
    let policy = policy(
        r#"version = 1

[[exception]]
domain = "example.dk"
dane = "soft-fail"
until = 2026-11-30
reason = " NSEC3 proofs broken; told hostmaster "

[[exception]]
domain = "unsigned.example"
dnssec = "off"
until = 2026-12-31
reason = "keys lost"
"#,
    );
    assert_eq!(policy.file(), Some("/etc/relay/policy.toml"));
    assert_eq!(
        of(&policy, "example.dk").dane_source.to_string(),
        "exception until 2026-11-30 (/etc/relay/policy.toml:3: NSEC3 proofs broken; told hostmaster)"
    );
    let anchors: Vec<String> = policy
        .negative_trust_anchors(date(2026, 11, 22))
        .map(|anchor| format!("{} {}", anchor.name, anchor.entry))
        .collect();
    assert_eq!(
        anchors,
        ["unsigned.example until 2026-12-31 (/etc/relay/policy.toml:9: keys lost)"]
    );
}

#[test]
fn exceptions_without_effect_are_named_with_the_reason() {
    let exception = |subject: &str, dane: &str, until: &str, more: &str| {
        format!("[[exception]]\n{subject}\ndane = \"{dane}\"\nuntil = {until}\nreason = \"r\"\n{more}\n")
    };
    let text = [
        "[[domain]]\nmatch = [\"hard.example\"]\ndane = \"strict\"\n[[domain]]\nmatch = [\".soft.example\"]\ndane = \"soft-fail\"\n"
            .to_owned(),
        LISTS.trim_start().to_owned(),
        exception("domain = \"over.example\"", "off", "2026-11-21", ""),
        exception("domain = \"today.example\"", "off", "2026-11-22", ""),
        exception("domain = \"hard.example\"", "off", "2027-01-31", ""),
        exception("domain = \"hard.example\"", "off", "2027-01-31", "override_strict = true"),
        exception("domain = \"fail.example\"", "off", "2027-01-31", ""),
        exception("domain = \".soft.example\"", "soft-fail", "2027-01-31", ""),
        exception("mx = \"mx.a.example\"", "off", "2027-01-31", ""),
        exception("mx = \"mx.a.example\"", "soft-fail", "2027-01-31", ""),
    ]
    .concat();
    let (_, warnings) = common::compile(&text);
    let warnings: Vec<_> = warnings
        .iter()
        .map(ToString::to_string)
        .filter(|warning| warning.contains("exception"))
        .collect();
    assert_eq!(
        warnings,
        [
            "/etc/relay/policy.toml:19: this exception has expired on 2026-11-21 and has no effect: take it out, or give it another date",
            "/etc/relay/policy.toml:28: this exception has no effect: \"hard.example\" is strict (rule in line 1), which only override_strict = true takes back",
            "/etc/relay/policy.toml:40: this exception has no effect: dane = \"off\" holds for \"fail.example\" without it (danefail fail.dat:1)",
            "/etc/relay/policy.toml:46: this exception has no effect: dane = \"soft-fail\" holds for \".soft.example\" without it (rule in line 4)",
            "/etc/relay/policy.toml:58: this exception has no effect while that at /etc/relay/policy.toml:52 holds, which is about the same names",
        ]
    );
}
