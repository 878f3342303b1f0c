//! Which part of a policy decides: rules, lists, defaults, each key on its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::num::NonZeroU32;
use std::path::Path;

use common::{LISTS, TODAY, compile, compile_from, dane, hop, of, policy};
use mail::{Domain, Mailbox, NextHop};
use policy::Policy;
use policy::settings::{
    DaneMode, DestinationPolicy, InsecureMx, Key, Limits, ModeSource, RouteTls, TlsFloor,
};

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
    for text in ["", "version = 1"] {
        let builtin = of(&Policy::builtin(), "a.example");
        assert_eq!(of(&policy(text), "a.example"), builtin, "{text:?}");
    }
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
    assert_eq!(dane(&policy, "sub.xs4all.nl"), "soft-fail, rule in line 2");
    assert_eq!(dane(&policy, "nl"), "opportunistic, default");
    assert_eq!(dane(&policy, "do.havedane.net"), "strict, rule in line 7");
    assert_eq!(dane(&policy, "havedane.net"), "opportunistic, default");
    let internal = of(&policy, "internal.example");
    assert_eq!(internal.routed(), Some(&hop("[mail.internal.example]:587")));
    assert_eq!(internal.insecure_mx, InsecureMx::May);
    assert_eq!(
        of(&policy, "mail.internal.example").route,
        None,
        "a route is not followed twice"
    );
}

#[test]
fn limits_come_from_the_most_specific_rule_key_by_key() {
    let policy = policy(
        r#"
[[domain]]
match = [".nl"]
connections = 5
messages_per_minute = 100
[[domain]]
match = ["xs4all.nl"]
connections = 2
[[mx]]
match = [".provider.example"]
connections = 7
messages_per_minute = 60
[[mx]]
match = ["mx.provider.example", "xs4all.nl"]
messages_per_minute = 1
"#,
    );
    let limits = |connections, per_minute| Limits {
        connections: NonZeroU32::new(connections),
        messages_per_minute: NonZeroU32::new(per_minute),
    };
    let destination = of(&policy, "xs4all.nl");
    assert_eq!(destination.limits, limits(2, 100));
    assert_eq!(of(&policy, "a.nl").limits, limits(5, 100));
    for (name, expected) in [
        ("mx.provider.example", limits(7, 1)),
        ("mx2.provider.example", limits(7, 60)),
        ("provider.example", limits(0, 0)),
        ("xs4all.nl", limits(0, 1)),
    ] {
        let host = policy.for_mx_host(&destination, &Domain::parse(name).unwrap(), TODAY);
        assert_eq!(host.limits, expected, "{name}");
    }
    for name in ["a.example", "mx.provider.example", "[192.0.2.1]"] {
        assert_eq!(of(&policy, name).limits, Limits::default(), "{name}");
    }
}

#[test]
fn what_is_said_about_a_route_belongs_to_that_route() {
    let read = |_: &Path| Ok("user\nsecret\n".to_owned());
    let (policy, _) = compile_from(
        "policy.toml",
        r#"
[default]
route = "[smart.example]"
route_tls = "implicit"
route_login = "smart.login"
fallback = "[back.example]"
tls = "verify"
[[domain]]
match = "near.example"
route = "[mx.near.example]"
"#,
        &read,
    )
    .unwrap();
    for name in ["far.example", "[192.0.2.1]"] {
        let route = of(&policy, name).route.unwrap();
        assert_eq!(
            (route.next_hop, route.tls),
            (hop("[smart.example]"), RouteTls::Implicit)
        );
        let login = route.login.unwrap();
        assert_eq!((login.user(), login.password()), ("user", "secret"));
    }
    let near = of(&policy, "near.example");
    let route = near.route.unwrap();
    assert_eq!((route.tls, route.login), (RouteTls::Starttls, None));
    assert_eq!(near.fallback, Some(hop("[back.example]")));
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
    assert_eq!(dane(&policy, "fail.example"), "opportunistic, rule in line 12");
    assert_eq!(dane(&policy, "soft.example"), "opportunistic, rule in line 12");
    assert_eq!(
        dane(&policy, "strict.example"),
        "strict, strict list strict.list:2"
    );
    assert_eq!(dane(&policy, "sub.strict.example"), "opportunistic, default");
    assert_eq!(
        dane(&policy, "both-weak.example"),
        "soft-fail, soft-fail list soft.list:2"
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
    assert_eq!(dane(&soft, "fail.example"), "soft-fail, danefail fail.dat:1");
}

#[test]
fn a_name_on_a_strict_and_a_danefail_list_stays_strict_and_is_reported() {
    let (policy, warnings) = compile(LISTS);
    assert_eq!(dane(&policy, "both.example"), "strict, strict list strict.list:3");
    let warnings: Vec<_> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [r#"strict.list:3: "both.example" is also on the danefail list fail.dat (line 2); it stays strict"#]
    );
}

#[test]
fn a_great_overlap_of_lists_does_not_flood_the_log() {
    let many: Vec<_> = (0..100).map(|number| format!("d{number}.example")).collect();
    let read = |path: &Path| match path.to_str() {
        Some("soft.list") => Ok("other.example\n".to_owned()),
        _ => Ok(many.join("\n")),
    };
    let (_, warnings) = compile_from("policy.toml", LISTS, &read).unwrap();
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
    assert_eq!(dane(&policy, "a.example"), "off, rule in line 14");
    assert_eq!(dane(&policy, "fail.example"), "strict, default");
    assert_eq!(dane(&policy, "soft.example"), "strict, default");
    assert!(
        warnings
            .iter()
            .any(|w| w.to_string().contains("while the default is strict")),
        "{warnings:?}"
    );
}

#[test]
fn each_key_has_its_line_unless_it_is_built_in() {
    let policy = policy(
        "[default]\ndane = \"strict\"\ntls = \"encrypt\"\nfallback = \"[backup.example]\"\n\
         [[domain]]\nmatch = [\".example\"]\ntls = \"verify\"\nmta_sts = \"off\"\nconnections = 2\n\
         [[domain]]\nmatch = [\"a.example\"]\ntls = \"may\"\n\
         [[mx]]\nmatch = [\"mx.example\"]\nmessages_per_minute = 5\n",
    );
    let lines = |next_hop: &str| -> Vec<(Key, usize)> {
        policy.lines(&next_hop.parse().unwrap()).into_iter().collect()
    };
    let written = |tls, rule: usize| {
        vec![
            (Key::Tls, tls),
            (Key::MtaSts, rule),
            (Key::Fallback, 4),
            (Key::Connections, rule),
        ]
    };
    assert_eq!(lines("b.example"), written(5, 5));
    assert_eq!(lines("a.example"), written(10, 5));
    assert_eq!(lines("x.test"), [(Key::Tls, 3), (Key::Fallback, 4)]);
    assert_eq!(lines("[192.0.2.1]"), lines("x.test"));
    let host = policy.lines_of_mx_host(&"mx.example".parse().unwrap());
    assert_eq!(
        host.into_iter().collect::<Vec<_>>(),
        [(Key::MessagesPerMinute, 13)]
    );
    let found = of(&policy, "x.test");
    assert_eq!(policy.place_of(&found.dane_source).unwrap().1, 2);
}

#[test]
fn settings_survive_serialisation() {
    let found = of(&policy(LISTS), "fail.example");
    let text = toml::to_string(&found).unwrap();
    assert!(text.contains("dane = \"off\""), "{text}");
    assert_eq!(toml::from_str::<DestinationPolicy>(&text).unwrap(), found);
}
