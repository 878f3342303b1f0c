//! Which part of a policy decides: exceptions, rules, lists, defaults, each key on its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::io;
use std::path::Path;

use jiff::civil::{Date, date};
use mail::{Domain, Mailbox, NextHop};
use policy::settings::{DaneMode, DestinationPolicy, InsecureMx, ModeSource, TlsFloor};
use policy::{Policy, Sources, Text, Warning};

const TODAY: Date = date(2026, 11, 22);

fn read(path: &Path) -> io::Result<String> {
    match path.to_str().unwrap() {
        "/etc/relay/strict.list" => Ok("# ours\nstrict.example\nboth.example\n".into()),
        "/etc/relay/soft.list" => Ok("soft.example\nboth-weak.example\n".into()),
        "/etc/relay/fail.dat" => Ok("fail.example # NXDOMAIN\nboth.example\nboth-weak.example\n".into()),
        other => Err(io::Error::new(io::ErrorKind::NotFound, other)),
    }
}

fn compile(text: &str) -> (Policy, Vec<Warning>) {
    let policy = Text {
        file: Path::new("/etc/relay/policy.toml"),
        text,
    };
    let sources = Sources {
        policy,
        added: None,
        read: &read,
    };
    Policy::compile(&sources).unwrap()
}

fn policy(text: &str) -> Policy {
    compile(text).0
}

fn hop(name: &str) -> NextHop {
    name.parse().unwrap()
}

fn of(policy: &Policy, name: &str) -> DestinationPolicy {
    policy.for_destination(&hop(name), TODAY)
}

fn dane(policy: &Policy, name: &str) -> (DaneMode, String) {
    let found = of(policy, name);
    (found.dane, found.dane_source.to_string())
}

fn host(policy: &Policy, destination: &str, mx: &str, today: Date) -> (DaneMode, String) {
    let found = policy.for_destination(&hop(destination), today);
    let found = policy.for_mx_host(&found, &Domain::parse(mx).unwrap(), today);
    (found.dane, found.dane_source.to_string())
}

const LISTS: &str = r#"
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

fn default_source() -> String {
    "default".to_owned()
}

#[test]
fn the_built_in_policy_is_opportunistic() {
    let found = of(&Policy::builtin(), "anything.example");
    assert_eq!(found.dane, DaneMode::Opportunistic);
    assert_eq!(found.dane_source, ModeSource::Default);
    assert_eq!(found.insecure_mx, InsecureMx::Dane);
    assert_eq!(found.tls, TlsFloor::May);
    assert!(found.honor_tls_required_no);
    assert_eq!(found.route, None);
}

#[test]
fn an_empty_file_is_the_built_in_policy() {
    assert_eq!(of(&policy(""), "a.example"), of(&Policy::builtin(), "a.example"));
    assert_eq!(
        of(&policy("version = 1"), "a.example"),
        of(&Policy::builtin(), "a.example")
    );
}

#[test]
fn the_most_specific_rule_wins_key_by_key() {
    let policy = policy(
        r#"
[[domain]]
match = [".nl"]
dane = "soft-fail"
tls = "encrypt"
honor_tls_required_no = false
[[domain]]
match = ["xs4all.nl", ".havedane.net"]
dane = "strict"
[[domain]]
match = "internal.example"
route = "[mail.internal.example]:587"
insecure_mx = "may"
"#,
    );
    let xs4all = of(&policy, "xs4all.nl");
    assert_eq!(xs4all.dane, DaneMode::Strict);
    assert_eq!(xs4all.dane_source, ModeSource::Rule { line: 7 });
    assert_eq!(
        xs4all.tls,
        TlsFloor::Encrypt,
        "the more specific rule leaves tls to the other"
    );
    assert!(!xs4all.honor_tls_required_no);
    assert_eq!(dane(&policy, "sub.xs4all.nl").0, DaneMode::SoftFail);
    assert_eq!(dane(&policy, "nl").1, default_source());
    assert_eq!(dane(&policy, "do.havedane.net").0, DaneMode::Strict);
    assert_eq!(dane(&policy, "havedane.net").0, DaneMode::Opportunistic);
    let internal = of(&policy, "internal.example");
    assert_eq!(internal.route, Some(hop("[mail.internal.example]:587")));
    assert_eq!(internal.insecure_mx, InsecureMx::May);
    assert_eq!(
        of(&policy, "mail.internal.example").route,
        None,
        "a route is not followed twice"
    );
}

#[test]
fn recipients_are_matched_in_any_case_and_addresses_never() {
    let policy = policy("[[domain]]\nmatch = [\"Bücher.Example.\"]\ndane = \"strict\"");
    let of_mailbox = |text: &str| {
        policy
            .for_destination(&NextHop::of(&Mailbox::parse(text).unwrap()), TODAY)
            .dane
    };
    assert_eq!(of_mailbox("a@XN--BCHER-KVA.example"), DaneMode::Strict);
    assert_eq!(of_mailbox("a@[192.0.2.1]"), DaneMode::Opportunistic);
}

#[test]
fn lists_decide_after_rules_and_before_the_default() {
    let policy = policy(&format!(
        "{LISTS}\n[[domain]]\nmatch = [\"fail.example\", \"soft.example\"]\ndane = \"opportunistic\"\n"
    ));
    assert_eq!(
        dane(&policy, "fail.example"),
        (DaneMode::Opportunistic, "rule in line 12".into())
    );
    assert_eq!(dane(&policy, "soft.example").0, DaneMode::Opportunistic);
    assert_eq!(
        dane(&policy, "strict.example"),
        (DaneMode::Strict, "strict list strict.list:2".into())
    );
    assert_eq!(dane(&policy, "sub.strict.example").1, default_source());
    assert_eq!(
        dane(&policy, "both-weak.example"),
        (DaneMode::SoftFail, "soft-fail list soft.list:2".into())
    );
}

#[test]
fn a_danefail_entry_means_what_the_list_says() {
    let off = policy(LISTS);
    let found = of(&off, "fail.example");
    assert_eq!(found.dane, DaneMode::Off);
    assert_eq!(
        found.dane_source,
        ModeSource::Danefail {
            source: "fail.dat".into(),
            line: 1
        }
    );
    let soft = policy("[[list]]\nkind = \"danefail\"\nfile = \"fail.dat\"\ndane = \"soft-fail\"");
    assert_eq!(
        dane(&soft, "fail.example"),
        (DaneMode::SoftFail, "danefail fail.dat:1".into())
    );
}

#[test]
fn a_name_on_a_strict_and_a_danefail_list_stays_strict_and_is_reported() {
    let (policy, warnings) = compile(LISTS);
    assert_eq!(dane(&policy, "both.example").0, DaneMode::Strict);
    let warnings: Vec<_> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [r#"strict.list:3: "both.example" is also on the danefail list fail.dat (line 2); it stays strict"#]
    );
}

#[test]
fn a_great_overlap_of_lists_does_not_flood_the_log() {
    let many: Vec<_> = (0..100).map(|number| format!("d{number}.example")).collect();
    let sources = Sources {
        policy: Text {
            file: Path::new("policy.toml"),
            text: LISTS,
        },
        added: None,
        read: &|path| {
            Ok(if path == Path::new("soft.list") {
                String::new()
            } else {
                many.join("\n")
            })
        },
    };
    let (_, warnings) = Policy::compile(&sources).unwrap();
    assert_eq!(warnings.len(), 21);
    assert_eq!(
        warnings[20].to_string(),
        "strict.list:21: 80 further names are also on the danefail list fail.dat; they stay strict"
    );
}

#[test]
fn a_weaker_rule_does_not_take_a_strict_list_back_and_is_reported() {
    let (policy, warnings) = compile(&format!(
        "{LISTS}\n[[domain]]\nmatch = [\"strict.example\"]\ndane = \"off\"\ntls = \"encrypt\"\n"
    ));
    let found = of(&policy, "strict.example");
    assert_eq!(found.dane, DaneMode::Strict);
    assert_eq!(found.tls, TlsFloor::Encrypt);
    assert!(
        warnings.iter().any(|warning| warning
            .to_string()
            .starts_with("/etc/relay/policy.toml:12: dane = \"off\" has no effect on \"strict.example\"")),
        "{warnings:?}"
    );
}

#[test]
fn a_strict_default_gives_way_to_rules_but_not_to_lists() {
    let (policy, warnings) = compile(&format!(
        "[default]\ndane = \"strict\"\n{LISTS}\n[[domain]]\nmatch = [\"a.example\"]\ndane = \"off\"\n"
    ));
    assert_eq!(dane(&policy, "a.example").0, DaneMode::Off);
    assert_eq!(
        dane(&policy, "fail.example"),
        (DaneMode::Strict, default_source())
    );
    assert_eq!(dane(&policy, "soft.example").0, DaneMode::Strict);
    assert!(
        warnings
            .iter()
            .any(|w| w.to_string().contains("while the default is strict")),
        "{warnings:?}"
    );
}

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
    assert_eq!(
        dane(&policy, "example.dk"),
        (DaneMode::Off, "exception until 2026-11-22".into())
    );
    let tomorrow = policy.for_destination(&hop("example.dk"), date(2026, 11, 23));
    assert_eq!(
        (tomorrow.dane, tomorrow.dane_source),
        (DaneMode::Opportunistic, ModeSource::Default)
    );
    assert_eq!(dane(&policy, "expired.example").1, default_source());
    assert_eq!(dane(&policy, "sub.example.dk").1, default_source());
}

#[test]
fn strict_is_taken_back_only_with_override_strict() {
    let policy = policy(EXCEPTIONS);
    assert_eq!(
        dane(&policy, "strict.example"),
        (DaneMode::Strict, "rule in line 2".into())
    );
    assert_eq!(
        dane(&policy, "overridden.example"),
        (DaneMode::SoftFail, "exception until 2027-01-31".into())
    );
    let on_list = policy_with_list_exception(false);
    assert_eq!(dane(&on_list, "strict.example").0, DaneMode::Strict);
    let on_list = policy_with_list_exception(true);
    assert_eq!(dane(&on_list, "strict.example").0, DaneMode::Off);
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
    let off = (DaneMode::Off, "exception until 2026-12-01".to_owned());
    assert_eq!(host(&policy, "a.example", "mail.fscker.nl", TODAY), off);
    assert_eq!(host(&policy, "b.example", "MAIL.fscker.nl.", TODAY), off);
    assert_eq!(
        host(&policy, "a.example", "other.fscker.nl", TODAY).1,
        default_source()
    );
    assert_eq!(
        host(&policy, "a.example", "mx1.provider.example", TODAY).0,
        DaneMode::SoftFail
    );
    assert_eq!(
        host(&policy, "a.example", "provider.example", TODAY).1,
        default_source()
    );
    assert_eq!(
        host(&policy, "a.example", "mail.fscker.nl", date(2026, 12, 2)).1,
        default_source()
    );
    assert_eq!(
        of(&policy, "a.example").dane,
        DaneMode::Opportunistic,
        "the destination keeps its own mode"
    );
}

#[test]
fn an_exception_for_a_host_does_not_weaken_strict_destinations_unless_it_says_so() {
    let policy = policy(EXCEPTIONS);
    assert_eq!(
        host(&policy, "strict.example", "mail.fscker.nl", TODAY).0,
        DaneMode::Strict
    );
    assert_eq!(
        host(&policy, "strict.example", "mx1.provider.example", TODAY).0,
        DaneMode::SoftFail
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
    assert_eq!(dane(&policy, "broken.example").1, default_source());
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
        read: &read,
    };
    let (policy, _) = Policy::compile(&sources(added)).unwrap();
    assert_eq!(dane(&policy, "a.example").0, DaneMode::Off);
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
fn settings_survive_serialisation() {
    let found = of(&policy(LISTS), "fail.example");
    let text = toml::to_string(&found).unwrap();
    assert!(text.contains("dane = \"off\""), "{text}");
    assert_eq!(toml::from_str::<DestinationPolicy>(&text).unwrap(), found);
}
