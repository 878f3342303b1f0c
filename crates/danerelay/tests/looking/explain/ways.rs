//! Where the policy sends mail instead of to its destination, how much at a time, and which addresses are ignored.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use super::{explained, here, rows};
use crate::Stage;

const POLICY: &str = "[default]\nroute = \"[mx.usable.test]:465\"\nroute_tls = \"implicit\"\nroute_login = \"smart.login\"\n\
                      fallback = \"none.test\"\ntls = \"verify\"\n[[domain]]\nmatch = \"busy.test\"\nconnections = 3\n\
                      messages_per_minute = 60\n[[mx]]\nmatch = \".usable.test\"\nconnections = 2\n";

#[test]
fn routes_fallbacks_logins_and_limits_are_shown() {
    let stage = rows();
    let login = stage.write("smart.login", "relay-user\nsecret\n");
    fs::set_permissions(&login, fs::Permissions::from_mode(0o600)).unwrap();
    stage.write("policy.toml", POLICY);
    let (found, code) = explained(&stage, "busy.test");
    assert_eq!(
        (code, &found["route"], &found["route_tls"], &found["route_login"]),
        (
            0,
            &json!("[mx.usable.test]:465"),
            &json!("implicit"),
            &json!(login)
        )
    );
    assert_eq!(found["fallback"], "none.test");
    assert_eq!(
        (&found["limits"], &found["hosts"][0]["limits"]),
        (
            &json!({ "connections": 3, "messages_per_minute": 60 }),
            &json!({ "connections": 2, "messages_per_minute": null })
        )
    );
    let policy = stage.path("policy.toml").display().to_string();
    let line = |line: u32| json!({ "file": policy, "line": line });
    assert_eq!(
        found["policy"]["places"],
        json!({
            "tls": line(6), "route": line(2), "fallback": line(5),
            "connections": line(7), "messages_per_minute": line(7),
        })
    );
    assert_eq!(
        found["hosts"][0]["limits_places"],
        json!({ "connections": line(11) })
    );
    // There are no TLSA records for that port: a certificate then.
    assert_eq!(found["hosts"][0]["requirement"], "pkix");
    let text = stage.run(&["explain", "busy.test"]).stdout;
    for line in [
        format!(
            "policy       dane opportunistic (default); insecure_mx dane; tls verify ({policy}, line 6); from"
        ),
        format!("TLS begins with the first octet; login from {login} ({policy}, line 2)\n"),
        format!("fallback     none.test, if every host is out of reach ({policy}, line 5)\n"),
        format!("limits       3 connections ({policy}, line 7); 60 messages a minute ({policy}, line 7)\n"),
        format!("limits       2 connections ({policy}, line 11)\n"),
    ] {
        assert!(text.contains(&line), "{line:?} is not in\n{text}");
    }
    assert!(!text.contains("relay-user") && !text.contains("secret"), "{text}");
}

#[test]
fn a_login_that_others_can_read_is_refused() {
    let stage = Stage::new("");
    let login = stage.write("smart.login", "relay-user\nsecret\n");
    stage.write("policy.toml", POLICY);
    for (mode, words) in [
        (
            0o644,
            "its mode is 0644, with which others than its owner can use it; allowed: 0600",
        ),
        (0o640, "its mode is 0640"),
        (0o602, "its mode is 0602"),
    ] {
        fs::set_permissions(&login, fs::Permissions::from_mode(mode)).unwrap();
        let end = stage.run(&["config", "check"]);
        assert_eq!(end.status, 2, "{}", end.stderr);
        assert!(
            end.stderr.contains("policy.toml:4:15: ") && end.stderr.contains(words),
            "{}",
            end.stderr
        );
        assert!(!end.stderr.contains("secret"), "{}", end.stderr);
    }
    fs::set_permissions(&login, fs::Permissions::from_mode(0o400)).unwrap();
    assert_eq!(stage.run(&["config", "check"]).status, 0);
}

#[test]
fn ignored_addresses_are_shown() {
    let stage = Stage::with_delivery("ignore_addresses = [\"127.0.2.1\", \"127.0.2.2\"]\n");
    let world = &stage.world;
    let one = world.domain("one.test").signed().mx(10, "mx.one.test", here(1));
    one.add().unwrap();
    let two = world.domain("two.test").signed().mx(10, "mx.two.test", here(2));
    two.host("mx.two.test", here(3)).add().unwrap();
    let (found, code) = explained(&stage, "one.test");
    let host = &found["hosts"][0];
    assert_eq!(
        (
            code,
            &found["would"],
            &found["enhanced"],
            &host["address_status"],
            &host["ignored"]
        ),
        (
            1,
            &json!("fail"),
            &json!("5.4.4"),
            &json!("ignored"),
            &json!(["127.0.2.1"])
        )
    );
    let (found, code) = explained(&stage, "two.test");
    let host = &found["hosts"][0];
    assert_eq!(
        (code, &host["addresses"], &host["ignored"]),
        (0, &json!(["127.0.2.3"]), &json!(["127.0.2.2"]))
    );
    let text = stage.run(&["explain", "two.test"]).stdout;
    let line = "ignored      127.0.2.2 (delivery.ignore_addresses)\n";
    assert!(text.contains(line), "{text}");
}

#[test]
fn a_login_that_the_server_cannot_get_is_said() {
    let stage = rows();
    let login = stage.write("smart.login", "relay-user\nsecret\n");
    fs::set_permissions(&login, fs::Permissions::from_mode(0o600)).unwrap();
    // The first has no TLSA records and need prove nothing; the second must match its records.
    for (host, expected) in [
        (
            "mx.none.test",
            (1, json!("defer"), json!("4.7.5"), json!("pass-over")),
        ),
        (
            "mx.usable.test",
            (0, json!("deliver"), json!(null), json!("connect")),
        ),
    ] {
        let policy = format!("[default]\nroute = \"[{host}]\"\nroute_login = \"smart.login\"\n");
        stage.write("policy.toml", &policy);
        let (found, code) = explained(&stage, "any.test");
        let seen = (
            code,
            found["would"].clone(),
            found["enhanced"].clone(),
            found["hosts"][0]["action"].clone(),
        );
        assert_eq!(seen, expected, "{found}");
    }
}

#[test]
fn a_route_that_leads_nowhere_is_a_matter_of_the_policy() {
    let stage = rows();
    stage.write("policy.toml", "[default]\nroute = \"null.test\"\n");
    let (found, code) = explained(&stage, "any.test");
    assert_eq!((code, &found["would"]), (1, &json!("defer")), "{found}");
}

#[test]
fn under_strict_no_fallback_is_named() {
    let stage = rows();
    for (mode, named) in [("opportunistic", json!("none.test")), ("strict", json!(null))] {
        let policy = format!("[default]\nfallback = \"none.test\"\ndane = \"{mode}\"\n");
        stage.write("policy.toml", &policy);
        let (found, _) = explained(&stage, "usable.test");
        assert_eq!(found["fallback"], named, "{found}");
    }
}
