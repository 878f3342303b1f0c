//! One domain: verdicts, findings, and how to mend what is wrong.

use super::*;
use serde_json::json;
use testworld::mail::Stage::Greeting;

const GRAVE: &[&str] = &["error", "warning"];

/// A record that matches nothing.
fn stale() -> String {
    format!("3 1 1 {}", "29c8601c".repeat(8))
}

#[test]
fn a_good_domain_is_secure_and_its_server_is_told_nothing() {
    let mut town = Town::new();
    let (receiver, identity) = town.usual("good.test", 1, &[]);
    let (status, seen) = town.seen("good.test");
    assert_eq!(
        (status, &seen["verdict"], &seen["version"]),
        (0, &json!("secure"), &json!(1)),
        "{seen:#}"
    );
    let host = &seen["hosts"][0];
    assert_eq!(host["verdict"], "secure");
    let address = &host["addresses"][0];
    assert_eq!(address["outcome"], "verified");
    assert_eq!(
        address["published"],
        json!([
            {"record": identity.tlsa_3_1_1(), "usable": true, "matches": 0, "is_from_dns": false},
            {"record": identity.tlsa_2_1_1(), "usable": true, "matches": 1, "is_from_dns": false},
        ])
    );
    assert!(codes(&seen, GRAVE).is_empty(), "{seen:#}");
    assert!(codes(&seen, &["info"]).contains(&"rollover-issuer".to_owned()));
    let offers = address["offers"].as_array().unwrap();
    let results: Vec<(&Value, &Value, &Value)> = offers
        .iter()
        .map(|one| (&one["version"], &one["keys"], &one["result"]))
        .collect();
    assert_eq!(
        results,
        [
            (&json!("TLSv1.2"), &Value::Null, &json!("taken")),
            (&json!("TLSv1.3"), &Value::Null, &json!("taken")),
            (&json!("TLSv1.3"), &json!("ECDSA"), &json!("taken")),
            (&json!("TLSv1.3"), &json!("RSA"), &json!("declined")),
        ]
    );
    assert_eq!(receiver.count_of("MAIL"), 0);
    // Each version has three suites that fit the key; the server declines the others of TLS 1.2, and RSA.
    let suites = address["suites"].as_array().unwrap();
    assert_eq!(suites.len(), 6, "{suites:?}");
    assert!(suites.contains(&json!("ECDHE-ECDSA-CHACHA20-POLY1305")));
    assert_eq!(receiver.count_of("QUIT"), 8);
    // Nobody has signed the zone again in time.
    let late = testworld::dns::Validity {
        from: -90_000,
        until: 7200,
    };
    let zone = town.stage.world.domain("late.test").signed().validity(late);
    let zone = zone.mx(10, "mx.late.test", town.address(1));
    zone.tlsa(identity.tlsa_3_1_1()).add().unwrap();
    let (status, seen) = town.seen("late.test");
    let expiring = codes(&seen, GRAVE);
    assert_eq!(
        (status, &*expiring),
        (
            0,
            &["signatures-expire".to_owned(), "signatures-expire".to_owned()][..]
        )
    );
    let none = town.check(&["late.test", "--json", "--days", "0"]).json();
    assert!(codes(&none, GRAVE).is_empty(), "{none:#}");
}

/// A domain for each fault of servers.
fn servers_with_faults(town: &mut Town) -> Identity {
    town.usual("nostarttls.test", 1, &[MailFault::NoStartTls]);
    town.usual("broken.test", 2, &[MailFault::CloseInHandshake]);
    let own = town.identity("mx.stale.test");
    town.serve(3, Some(&own), &[]);
    town.domain("stale.test", 3, &[stale()]);
    town.domain("plain.test", 3, &[]);
    town.domain("unusable.test", 3, &[own.tlsa(1, 1, 1)]);
    town.domain("othername.test", 3, &[own.tlsa_2_0_1()]);
    town.domain("nothing.test", 3, &[own.tlsa_3_1_1(), format!("3 1 1 {EMPTY}")]);
    let expired = Identity::builder(&["mx.expired.test"])
        .validity(testworld::mail::Validity::Expired)
        .issue(&town.ca)
        .unwrap();
    town.serve(4, Some(&expired), &[]);
    town.domain("expired.test", 4, &[expired.tlsa_2_0_1()]);
    town.domain("expiredkey.test", 4, &[expired.tlsa_3_1_1()]);
    let short = town.identity("mx.short.test").without_issuer();
    town.serve(5, Some(&short), &[]);
    let anchor = town.identity("mx.short.test").tlsa_2_1_1();
    town.domain("short.test", 5, &[anchor]);
    let thief = own.clone().with_key_of(&short);
    town.serve(6, Some(&thief), &[]);
    town.domain("thief.test", 6, &[own.tlsa_3_1_1()]);
    town.domain("gone.test", 7, &[own.tlsa_3_1_1()]);
    own
}

/// A domain for each fault of DNS.
fn zones_with_faults(town: &mut Town, own: &Identity) {
    let world = town.stage.world.clone();
    world
        .domain("unsigned.test")
        .unsigned()
        .mx(10, "mx.good.test", town.address(8))
        .add()
        .unwrap();
    town.usual("good.test", 8, &[]);
    world
        .domain("provider.test")
        .unsigned()
        .host("mx.provider.test", town.address(8))
        .add()
        .unwrap();
    world
        .domain("customer.test")
        .signed()
        .record("customer.test", RecordType::MX, "10 mx.provider.test.")
        .add()
        .unwrap();
    world
        .domain("bogus.test")
        .bogus(Bogus::Expired)
        .mx(10, "mx.bogus.test", town.address(8))
        .add()
        .unwrap();
    town.domain("servfail.test", 8, &[own.tlsa_3_1_1()]);
    let tlsa = format!("_{}._tcp.mx.servfail.test", town.port);
    world
        .break_dns(&Questions::Of(tlsa, RecordType::TLSA), DnsFault::ServFail)
        .unwrap();
    world
        .domain("nomail.test")
        .signed()
        .record("nomail.test", RecordType::MX, "0 .")
        .add()
        .unwrap();
    town.domain("denied.test", 8, &[own.tlsa_3_1_1()]);
    world
        .break_dns(
            &Questions::At("_tcp.mx.denied.test".to_owned()),
            DnsFault::NxDomain,
        )
        .unwrap();
}

#[test]
fn each_fault_has_its_verdict_and_its_finding() {
    let mut town = Town::new();
    let own = servers_with_faults(&mut town);
    zones_with_faults(&mut town, &own);
    for (domain, status, verdict, expected) in [
        ("nostarttls.test", 1, "broken", "no-starttls"),
        ("broken.test", 1, "broken", "handshake-broken"),
        ("stale.test", 1, "broken", "tlsa-no-match"),
        ("plain.test", 1, "insecure", "tlsa-absent"),
        ("unusable.test", 1, "insecure", "tlsa-none-usable"),
        ("othername.test", 1, "broken", "name-mismatch"),
        ("nothing.test", 0, "secure", "tlsa-of-nothing"),
        ("expired.test", 1, "broken", "chain-expired"),
        ("expiredkey.test", 0, "secure", "certificate-expired"),
        ("short.test", 1, "broken", "issuer-missing"),
        ("thief.test", 1, "broken", "wrong-key"),
        ("gone.test", 3, "unreachable", "unreachable"),
        ("unsigned.test", 1, "insecure", "mx-insecure"),
        ("customer.test", 1, "insecure", "host-insecure"),
        ("bogus.test", 1, "broken", "mx-bogus"),
        ("servfail.test", 1, "broken", "tlsa-refused"),
        ("nomail.test", 0, "no-mail", "null-mx"),
        ("missing.test", 1, "no-mail", "no-such-domain"),
        ("denied.test", 1, "broken", "empty-non-terminal-denied"),
    ] {
        let (found, seen) = town.seen(domain);
        let all = codes(&seen, &["error", "warning", "advice", "info"]);
        assert_eq!(
            (found, seen["verdict"].as_str().unwrap()),
            (status, verdict),
            "{domain}: {seen:#}"
        );
        assert!(all.contains(&expected.to_owned()), "{domain}: {all:?}");
        let never = if expected == "tlsa-refused" {
            "tlsa-absent"
        } else {
            "-"
        };
        assert!(!all.contains(&never.to_owned()), "{domain}: {all:?}");
        // People are told the same.
        let end = town.check(&[domain]);
        let first = end.stdout.lines().next().unwrap();
        assert_eq!((end.status, first), (status, &*format!("{domain}: {verdict}")));
        let wide = end.stdout.lines().find(|line| line.chars().count() > 80);
        assert_eq!(wide, None, "{domain}");
    }
    let quiet = town.check(&["good.test", "stale.test", "nomail.test", "--quiet"]);
    assert_eq!(quiet.stdout.lines().count(), 1, "{}", quiet.stdout);
    assert!(
        quiet
            .stdout
            .starts_with("broken        stale.test  mx.stale.test: none of"),
        "{}",
        quiet.stdout
    );
    assert_eq!(town.check(&["unsigned.test", "--allow-insecure"]).status, 0);
    assert_eq!(town.check(&["stale.test", "--allow-insecure"]).status, 1);
}

/// SHA-256 of nothing.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[test]
fn the_record_to_publish_is_spelled_out() {
    let mut town = Town::new();
    let own = town.identity("mx.stale.test");
    town.serve(1, Some(&own), &[]);
    town.domain("stale.test", 1, &[stale()]);
    town.domain("plain.test", 1, &[]);
    for (domain, code) in [("stale.test", "tlsa-no-match"), ("plain.test", "tlsa-absent")] {
        let (_, seen) = town.seen(domain);
        let findings = seen["findings"].as_array().unwrap();
        let finding = findings.iter().find(|finding| finding["code"] == code).unwrap();
        let fix = finding["fix"].as_str().unwrap();
        let line = format!(
            "_{}._tcp.mx.{domain}. 3600 IN TLSA {}",
            town.port,
            own.tlsa_3_1_1()
        );
        assert!(fix.contains(&line), "{fix}");
    }
    let fix = town.check(&["stale.test"]).stdout;
    assert!(fix.contains("7200 seconds later"), "{fix}");
}

#[test]
fn without_connections_dns_alone_is_judged() {
    let mut town = Town::new();
    let (receiver, _) = town.usual("good.test", 1, &[]);
    let end = town.check(&["good.test", "--json", "--no-connect"]);
    let seen = end.json();
    assert_eq!(
        (end.status, &seen["verdict"], &seen["connected"]),
        (0, &json!("secure"), &json!(false)),
        "{seen:#}"
    );
    assert_eq!(receiver.connections().len(), 0);
}

#[test]
fn who_else_speaks_for_the_domain() {
    let mut town = Town::new();
    town.usual("good.test", 1, &[]);
    let world = &town.stage.world;
    let sts = "_mta-sts.good.test";
    world
        .set(
            "_smtp._tls.good.test",
            RecordType::TXT,
            &["\"v=TLSRPTv1;rua=mailto:a@good.test\""],
        )
        .unwrap();
    world
        .set(
            sts,
            RecordType::TXT,
            &["\"v=STSv1; id=1;\"", "\"v=STSv1; id=2;\""],
        )
        .unwrap();
    let (status, seen) = town.seen("good.test");
    let grave = codes(&seen, GRAVE);
    assert_eq!(
        (status, &*grave),
        (0, &["sts-record-invalid".to_owned()][..]),
        "{seen:#}"
    );
    assert_eq!(seen["tlsrpt"]["status"], "present");
    world
        .set(
            "_smtp._tls.good.test",
            RecordType::TXT,
            &[
                "\"v=TLSRPTv1;rua=mailto:a@good.test\"",
                "\"v=TLSRPTv1;rua=mailto:b@good.test\"",
            ],
        )
        .unwrap();
    let (_, seen) = town.seen("good.test");
    assert!(
        codes(&seen, GRAVE).contains(&"tlsrpt-several".to_owned()),
        "{seen:#}"
    );
}

#[test]
fn two_records_of_one_key_are_no_roll_over() {
    let mut town = Town::new();
    let names = ["mx.one.test", "mx.next.test", "mx.issuer.test"];
    let own = town.ca.issue(&names).unwrap();
    town.serve(1, Some(&own), &[]);
    for (domain, records, expected) in [
        (
            "one.test",
            vec![own.tlsa_3_1_1(), own.tlsa(3, 0, 1)],
            "no-rollover",
        ),
        ("next.test", vec![own.tlsa_3_1_1(), stale()], "rollover-next"),
        (
            "issuer.test",
            vec![own.tlsa_3_1_1(), own.tlsa_2_0_1()],
            "rollover-issuer",
        ),
    ] {
        town.domain(domain, 1, &records);
        let (status, seen) = town.seen(domain);
        let all = codes(&seen, &["advice", "info"]);
        assert!(
            status == 0 && all.contains(&expected.to_owned()),
            "{domain}: {all:?}"
        );
        let schemes = all.iter().filter(|code| code.contains("rollover")).count();
        assert_eq!(schemes, 1, "{domain}: {all:?}");
    }
}

#[test]
fn a_server_with_two_keys_needs_records_for_both() {
    let mut town = Town::new();
    let own = town.identity("mx.two.test");
    let rsa = Identity::builder(&["mx.two.test"])
        .key(testworld::mail::KeyKind::Rsa2048)
        .issue(&town.ca)
        .unwrap();
    let builder = Receiver::builder("mx.test").address(town.address(1));
    let builder = builder.identity(&own).other_identity(&rsa);
    let receiver = town.stage.runtime.block_on(builder.start()).unwrap();
    town.receivers.push(receiver);
    town.domain("two.test", 1, &[own.tlsa_3_1_1()]);
    let (status, seen) = town.seen("two.test");
    assert_eq!((status, &seen["verdict"]), (1, &json!("broken")), "{seen:#}");
    let findings = seen["findings"].as_array().unwrap();
    let found = findings
        .iter()
        .find(|one| one["code"] == "tlsa-no-match-other-key");
    let fix = found.unwrap()["fix"].as_str().unwrap();
    assert!(fix.contains(&rsa.tlsa_3_1_1()), "{fix}");

    town.domain("both.test", 1, &[own.tlsa_3_1_1(), rsa.tlsa_3_1_1()]);
    let (status, seen) = town.seen("both.test");
    assert_eq!((status, &seen["verdict"]), (0, &json!("secure")), "{seen:#}");
    // Neither of them is the next one.
    assert!(
        codes(&seen, &["advice"]).contains(&"no-rollover".to_owned()),
        "{seen:#}"
    );
}

#[test]
fn an_issuer_that_would_not_verify_the_next_key_is_no_roll_over() {
    let mut town = Town::new();
    let own = town.identity("mx.other.test");
    town.serve(1, Some(&own), &[]);
    town.domain("foreign.test", 1, &[own.tlsa_3_1_1(), own.tlsa_2_0_1()]);
    let (status, seen) = town.seen("foreign.test");
    assert_eq!((status, &seen["verdict"]), (0, &json!("secure")), "{seen:#}");
    assert_eq!(codes(&seen, GRAVE), ["rollover-issuer-invalid"]);
    assert_eq!(seen["hosts"][0]["addresses"][0]["issuer"], "invalid");
    // Before it breaks, it is told also to those who want to hear of nothing else.
    let quiet = town.check(&["foreign.test", "--quiet"]);
    assert!(quiet.stdout.contains("names another host"), "{}", quiet.stdout);
}

#[test]
fn what_is_wrong_here_is_nobody_elses_fault() {
    let mut town = Town::with("source_addresses = [\"192.0.2.55\"]\n");
    town.usual("good.test", 1, &[]);
    let (status, seen) = town.seen("good.test");
    assert_eq!((status, &seen["verdict"]), (3, &json!("unreachable")), "{seen:#}");
    assert_eq!(codes(&seen, GRAVE), ["our-fault"]);
    let end = town.check(&["good.test", "--no-connect"]);
    assert_eq!(end.status, 0);
    assert!(
        end.stdout.contains("by DNS alone: no server was asked"),
        "{}",
        end.stdout
    );
}

/// RFC 7671 §5.2.2, §5.2.3: who is not sent, but held whole by the record, still is an issuer.
#[test]
fn a_record_that_holds_its_issuer_is_marked_though_nobody_sends_it() {
    let mut town = Town::new();
    let own = town.identity("mx.held.test");
    town.serve(1, Some(&own.clone().without_issuer()), &[]);
    town.serve(2, Some(&town.identity("mx.other.test")), &[]);
    for (domain, record) in [("held.test", own.tlsa(2, 0, 0)), ("held.test", own.tlsa(2, 1, 0))] {
        town.domain(domain, 1, std::slice::from_ref(&record));
        let (status, seen) = town.seen(domain);
        assert_eq!((status, &seen["verdict"]), (0, &json!("secure")), "{seen:#}");
        let published = &seen["hosts"][0]["addresses"][0]["published"][0];
        assert_eq!(
            (&published["matches"], &published["is_from_dns"]),
            (&json!(1), &json!(true)),
            "{published}"
        );
        let text = town.check(&[domain]).stdout;
        assert!(
            text.contains("matches issuer 1, not sent: the record holds it"),
            "{text}"
        );
        assert!(!codes(&seen, &["info"]).contains(&"tlsa-unmatched".to_owned()));
        // A digest in its place would match nothing.
        assert!(
            text.contains("let the server send that issuer's certificate"),
            "{text}"
        );
    }
    let sent = town.identity("mx.sent.test");
    town.serve(3, Some(&sent), &[]);
    town.domain("sent.test", 3, &[sent.tlsa(2, 0, 0)]);
    let (_, seen) = town.seen("sent.test");
    let published = &seen["hosts"][0]["addresses"][0]["published"][0];
    assert_eq!(
        (&published["matches"], &published["is_from_dns"]),
        (&json!(1), &json!(false))
    );
    // The issuer of somebody else.
    let stranger = Ca::new("Other CA").unwrap().issue(&["mx.sent.test"]).unwrap();
    town.domain("strange.test", 3, &[stranger.tlsa(2, 0, 0)]);
    let (_, seen) = town.seen("strange.test");
    assert_eq!(
        seen["hosts"][0]["addresses"][0]["published"][0]["matches"],
        Value::Null
    );
}

#[test]
fn every_connection_comes_from_the_address_that_deliveries_have() {
    let mut town = Town::with("source_addresses = [\"127.0.4.7\"]\n");
    let (receiver, _) = town.usual("good.test", 1, &[]);
    assert_eq!(town.seen("good.test").0, 0);
    let peers: Vec<String> = receiver
        .connections()
        .iter()
        .map(|connection| connection.peer.ip().to_string())
        .collect();
    assert!(
        peers.len() > 4 && peers.iter().all(|peer| peer == "127.0.4.7"),
        "{peers:?}"
    );
}

#[test]
fn a_host_is_not_secure_before_all_its_keys_were_tried() {
    let mut town = Town::new();
    let (_receiver, _) = town.usual("good.test", 1, &[]);
    // The last second is kept for what decides without further handshakes.
    let end = town.check(&["good.test", "--json", "--deadline", "1"]);
    let seen = end.json();
    assert_eq!(
        (end.status, &seen["verdict"]),
        (3, &json!("unreachable")),
        "{seen:#}"
    );
    let address = &seen["hosts"][0]["addresses"][0];
    assert_eq!(
        (&address["outcome"], &address["offers"][3]["result"]),
        (&json!("verified"), &json!("not-examined")),
        "{address:#}"
    );
    assert_eq!(
        seen["unexamined"]["what"],
        json!(["mx.good.test [127.0.3.1]: all keys and versions"])
    );
}

#[test]
fn what_there_was_no_time_for_is_named_and_never_taken_for_an_absence() {
    let mut town = Town::new();
    let greeting = MailFault::Silence(Greeting);
    let (silent, _) = town.usual("slow.test", 1, std::slice::from_ref(&greeting));
    let end = town.check(&["slow.test", "--json", "--deadline", "1"]);
    let seen = end.json();
    assert_eq!(
        (end.status, &seen["verdict"]),
        (3, &json!("unreachable")),
        "{seen:#}"
    );
    assert_eq!(seen["unexamined"]["within"], json!(1));
    assert_eq!(seen["unexamined"]["what"], json!(["mx.slow.test [127.0.3.1]"]));
    assert_eq!(codes(&seen, GRAVE), ["not-examined"]);
    assert_eq!(seen["hosts"][0]["tlsa"]["status"], "usable");
    drop(silent);
    // DNS that does not answer is no absence of anything, either.
    town.domain("mute.test", 1, &[]);
    let all = Questions::Below("mute.test".to_owned());
    town.stage.world.break_dns(&all, DnsFault::Silence).unwrap();
    let end = town.check(&["mute.test", "--json", "--deadline", "1"]);
    let seen = end.json();
    assert_eq!(
        (end.status, &seen["verdict"]),
        (3, &json!("unreachable")),
        "{seen:#}"
    );
    let all = codes(&seen, &["error", "warning", "advice", "info"]);
    assert!(all.contains(&"not-examined".to_owned()), "{all:?}");
    assert!(
        !all.iter()
            .any(|code| code == "tlsa-absent" || code == "no-such-domain"),
        "{all:?}"
    );
}

#[test]
fn hosts_do_not_wait_for_a_slow_mta_sts_policy() {
    let mut town = Town::new();
    town.usual("good.test", 1, &[]);
    let policy = Questions::Below("_mta-sts.good.test".to_owned());
    town.stage.world.break_dns(&policy, DnsFault::Silence).unwrap();
    let end = town.check(&["good.test", "--json", "--no-connect", "--deadline", "1"]);
    let seen = end.json();
    assert_eq!(
        seen["unexamined"]["what"],
        json!(["the MTA-STS policy"]),
        "{seen:#}"
    );
    assert_eq!(
        (&seen["mta_sts"]["status"], &seen["hosts"][0]["tlsa"]["status"]),
        (&json!("not-asked"), &json!("usable")),
        "{seen:#}"
    );
}

/// Tip G of internet.nl: a resolver that asks for as little as possible takes the denial of `_tcp.` for one of all below it.
#[test]
fn a_signed_denial_of_the_name_above_the_records_is_found() {
    let mut town = Town::new();
    let (_, own) = town.usual("usual.test", 1, &[]);
    let world = town.stage.world.clone();
    let zone = world
        .domain("hashed.test")
        .signed()
        .nsec3(0, testworld::dns::Span::Full);
    let zone = zone.mx(10, "mx.usual.test", town.address(1));
    zone.host("mx.hashed.test", town.address(1))
        .tlsa(own.tlsa_3_1_1())
        .add()
        .unwrap();
    world
        .set("hashed.test", RecordType::MX, &["10 mx.hashed.test."])
        .unwrap();
    let denied = "empty-non-terminal-denied".to_owned();
    for domain in ["usual.test", "hashed.test"] {
        // As it should be: NOERROR, validly signed.
        let (status, seen) = town.seen(domain);
        assert_eq!(
            (status, &seen["hosts"][0]["tlsa"]["parent"]),
            (0, &json!("exists")),
            "{seen:#}"
        );
        assert!(!codes(&seen, GRAVE).contains(&denied), "{seen:#}");
        let parent = Questions::At(format!("_tcp.mx.{domain}"));
        world.break_dns(&parent, DnsFault::SignedNxDomain).unwrap();
        let (status, seen) = town.seen(domain);
        assert_eq!((status, &seen["verdict"]), (0, &json!("secure")), "{seen:#}");
        assert_eq!(seen["hosts"][0]["tlsa"]["parent"], "denied");
        assert_eq!(codes(&seen, GRAVE), std::slice::from_ref(&denied));
        world.mend_dns(&parent).unwrap();
    }
    // The resolver itself takes the second one for a valid denial.
    let parent = Questions::At("_tcp.mx.hashed.test".to_owned());
    world.break_dns(&parent, DnsFault::SignedNxDomain).unwrap();
    let answer = town
        .stage
        .run(&["dns", "_tcp.mx.hashed.test", "A", "--json"])
        .json();
    assert_eq!(
        (&answer["status"], &answer["answer"]),
        (&json!("secure"), &json!("nxdomain")),
        "{answer}"
    );
}

#[test]
fn addresses_that_show_different_certificates_are_told_apart() {
    let mut town = Town::new();
    let (_, own) = town.usual("two.test", 1, &[]);
    town.domain("apart.test", 1, &[own.tlsa_3_1_1()]);
    let other = town.identity("mx.two.test");
    town.serve(2, Some(&other), &[]);
    town.stage
        .world
        .add("mx.apart.test", RecordType::A, "127.0.3.2")
        .unwrap();
    let end = town.check(&["apart.test"]);
    let marks: Vec<&str> = end
        .stdout
        .lines()
        .filter(|line| line.contains("3 1 1") && line.contains("matches"))
        .map(|line| line.split_once("…").unwrap().1.trim())
        .collect();
    assert_eq!(
        (end.status, &marks[..2]),
        (
            1,
            &["matches the server's certificate", "matches nothing shown"][..]
        ),
        "{}",
        end.stdout
    );
    assert!(
        end.stdout.lines().all(|line| line.chars().count() <= 80),
        "{}",
        end.stdout
    );
}

#[test]
fn the_other_keys_records_are_marked_whatever_their_form() {
    let mut town = Town::new();
    let own = town.identity("mx.two.test");
    let rsa = Identity::builder(&["mx.two.test"])
        .key(testworld::mail::KeyKind::Rsa2048)
        .issue(&town.ca)
        .unwrap();
    let builder = Receiver::builder("mx.test").address(town.address(1));
    let builder = builder.identity(&own).other_identity(&rsa);
    let receiver = town.stage.runtime.block_on(builder.start()).unwrap();
    town.receivers.push(receiver);
    town.domain("two.test", 1, &[own.tlsa_3_1_1(), rsa.tlsa(3, 0, 1)]);
    let (status, seen) = town.seen("two.test");
    assert_eq!((status, &seen["verdict"]), (0, &json!("secure")), "{seen:#}");
    let all = codes(&seen, &["advice", "info"]);
    assert!(all.contains(&"no-rollover".to_owned()), "{all:?}");
    assert!(!all.contains(&"rollover-next".to_owned()), "{all:?}");
    let text = town.check(&["two.test"]).stdout;
    assert!(
        text.contains("matches what clients with other keys or versions get"),
        "{text}"
    );
}
