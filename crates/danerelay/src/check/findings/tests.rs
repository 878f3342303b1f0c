//! Every finding once: what has to be seen for it, as the difference from a domain as it should be, and the verdict then.
#![allow(clippy::unwrap_used)]

use jiff::Timestamp;
use serde_json::{Value, json};

use super::code::Code;
use super::findings;
use crate::check::observation::Observation;
use crate::check::verdict::{Verdict, of_domain};

/// What is seen instead: where, and the JSON there.
type Difference = (&'static str, &'static str);

const MX: &str = "/mx/lookup/status";
const HOST: &str = "/hosts/0/address_status";
const TLSA: &str = "/hosts/0/tlsa/status";
const NONE: Difference = ("/hosts/0/tlsa/records", "[]");
const OUTCOME: &str = "/hosts/0/addresses/0/outcome";
const PUBLISHED: &str = "/hosts/0/addresses/0/published";
const RECORDS: &str = "/hosts/0/tlsa/records";
const STS: &str = "/mta_sts/status";

#[rustfmt::skip]
const TABLE: &[(&str, Verdict, &[Difference])] = &[
    ("mx-bogus", Verdict::Broken, &[("/mx/kind", "\"failed\""), (MX, "\"bogus\"")]),
    ("mx-lookup-failed", Verdict::Unreachable, &[("/mx/kind", "\"failed\""), (MX, "\"failed\"")]),
    ("no-such-domain", Verdict::NoMail, &[("/mx/kind", "\"no-such-domain\"")]),
    ("mx-is-address", Verdict::Insecure, &[("/hosts/0/kind", "\"address\"")]),
    ("mx-invalid", Verdict::Broken, &[("/hosts/0/kind", "\"invalid\"")]),
    ("addresses-bogus", Verdict::Broken, &[(HOST, "\"failed\""), ("/hosts/0/lookups/1/status", "\"bogus\"")]),
    ("addresses-lookup-failed", Verdict::Unreachable, &[(HOST, "\"failed\"")]),
    ("no-addresses", Verdict::Broken, &[(HOST, "\"none\"")]),
    ("addresses-ignored", Verdict::Broken, &[(HOST, "\"ignored\"")]),
    ("tlsa-bogus", Verdict::Broken, &[(TLSA, "\"failed\""), NONE, ("/hosts/0/tlsa/failure", "{\"kind\":\"bogus\",\"words\":\"x\"}")]),
    ("tlsa-refused", Verdict::Broken, &[(TLSA, "\"failed\""), NONE, ("/hosts/0/tlsa/failure", "{\"kind\":\"refused\",\"words\":\"x\"}")]),
    ("tlsa-lookup-failed", Verdict::Unreachable, &[(TLSA, "\"failed\""), NONE, ("/hosts/0/tlsa/failure", "{\"kind\":\"undecided\",\"words\":\"x\"}")]),
    ("tlsa-none-usable", Verdict::Insecure, &[(TLSA, "\"unusable\""), (OUTCOME, "\"encrypted\"")]),
    ("tlsa-of-nothing", Verdict::Secure, &[("/hosts/0/tlsa/records/1/of_nothing", "true")]),
    ("tlsa-no-match", Verdict::Broken, &[(OUTCOME, "\"no-match\"")]),
    ("issuer-missing", Verdict::Broken, &[(OUTCOME, "\"no-match\""), (RECORDS, ONE_ANCHOR)]),
    ("tlsa-no-match-other-key", Verdict::Broken, &[("/hosts/0/addresses/0/offers/0/verified", "false")]),
    ("no-starttls", Verdict::Broken, &[(OUTCOME, "\"no-starttls\"")]),
    ("starttls-refused", Verdict::Broken, &[(OUTCOME, "\"starttls-refused\"")]),
    ("handshake-broken", Verdict::Broken, &[(OUTCOME, "\"handshake-broken\"")]),
    ("name-mismatch", Verdict::Broken, &[(OUTCOME, "\"name-mismatch\"")]),
    ("chain-expired", Verdict::Broken, &[(OUTCOME, "\"expired\"")]),
    ("chain-untrusted", Verdict::Broken, &[(OUTCOME, "\"untrusted\"")]),
    ("wrong-key", Verdict::Broken, &[(OUTCOME, "\"wrong-key\"")]),
    ("unsupported-key", Verdict::Broken, &[(OUTCOME, "\"unsupported-key\"")]),
    ("sts-record-invalid", Verdict::Secure, &[(STS, "\"record-invalid\"")]),
    ("sts-policy-failed", Verdict::Secure, &[(STS, "\"policy-failed\"")]),
    ("sts-mx-not-allowed", Verdict::Secure, &[(STS, "\"enforce\""), ("/mta_sts/not_allowed", "[\"mx.own.example\"]")]),
    ("sts-certificate", Verdict::Secure, &[(STS, "\"enforce\""), ("/hosts/0/addresses/0/webpki", "\"untrusted\"")]),
    ("sts-no-tls", Verdict::Broken, &[(STS, "\"enforce\""), (OUTCOME, "\"no-starttls\"")]),
    ("mx-insecure", Verdict::Insecure, &[(MX, "\"insecure\"")]),
    ("mx-is-alias", Verdict::Secure, &[("/hosts/0/lookups/1/aliases", "[{\"from\":\"mx.own.example\",\"to\":\"a.example\",\"status\":\"secure\"}]")]),
    ("address-family-failed", Verdict::Secure, &[("/hosts/0/lookups/0/answer", "null")]),
    ("host-insecure", Verdict::Insecure, &[(HOST, "\"insecure\""), (TLSA, "\"not-asked\""), NONE]),
    ("tlsa-absent", Verdict::Insecure, &[(TLSA, "\"absent\""), NONE]),
    ("tlsa-insecure", Verdict::Insecure, &[(TLSA, "\"absent\""), NONE, ("/hosts/0/lookups/2/status", "\"insecure\"")]),
    ("tlsa-unusable", Verdict::Secure, &[("/hosts/0/tlsa/records/1/usable", "false"), ("/hosts/0/tlsa/records/1/reason", "\"x\"")]),
    ("empty-non-terminal-denied", Verdict::Secure, &[("/hosts/0/tlsa/parent", "\"denied\"")]),
    ("empty-non-terminal-failed", Verdict::Secure, &[("/hosts/0/tlsa/parent", "\"failed\"")]),
    ("rollover-issuer-invalid", Verdict::Secure, &[("/hosts/0/addresses/0/issuer", "\"invalid\""), ("/hosts/0/addresses/0/issuer_reason", "\"x\"")]),
    ("name-server-broken", Verdict::Secure, &[("/hosts/0/zone/servers/0/answers/0/said", "\"nodata\""), ("/hosts/0/zone/servers/0/answers/0/records", "[]")]),
    ("signatures-expire", Verdict::Secure, &[("/mx/signatures/0/until", "\"2026-11-17T00:00:00Z\"")]),
    ("certificate-expires", Verdict::Secure, &[("/hosts/0/addresses/0/published/0/matches", "null"), ("/hosts/0/addresses/0/presented/0/not_after", "\"2026-11-17T00:00:00Z\"")]),
    ("not-examined", Verdict::Unreachable, &[(OUTCOME, "\"not-examined\""), ("/unexamined", "{\"within\":300,\"what\":[\"mx.own.example [192.0.2.1]\"]}")]),
    ("not-examined", Verdict::Unreachable, &[("/hosts/0/addresses/0/offers/0/result", "\"not-examined\""), ("/unexamined", "{\"within\":300,\"what\":[\"x\"]}")]),
    ("our-fault", Verdict::Unreachable, &[(OUTCOME, "\"our-fault\"")]),
    ("unreachable", Verdict::Unreachable, &[(OUTCOME, "\"unreachable\"")]),
    ("unanswered", Verdict::Unreachable, &[(OUTCOME, "\"unanswered\"")]),
    ("refused", Verdict::Unreachable, &[(OUTCOME, "\"refused\"")]),
    ("no-tls", Verdict::Insecure, &[(TLSA, "\"absent\""), NONE, (OUTCOME, "\"clear\"")]),
    ("weak-certificate", Verdict::Secure, &[("/hosts/0/addresses/0/presented/0/weak", "\"x\"")]),
    ("sts-lookup-failed", Verdict::Secure, &[(STS, "\"lookup-failed\"")]),
    ("tlsrpt-several", Verdict::Secure, &[("/tlsrpt/status", "\"several\"")]),
    ("tlsrpt-invalid", Verdict::Secure, &[("/tlsrpt/status", "\"invalid\"")]),
    ("tlsrpt-lookup-failed", Verdict::Secure, &[("/tlsrpt/status", "\"failed\"")]),
    ("mx-implicit", Verdict::Secure, &[("/mx/kind", "\"implicit\"")]),
    ("tlsa-whole-certificate", Verdict::Secure, &[("/hosts/0/tlsa/records/0/selector", "0")]),
    ("tlsa-full-data", Verdict::Secure, &[("/hosts/0/tlsa/records/0/matching_type", "0")]),
    ("empty-non-terminal-unknown", Verdict::Secure, &[("/hosts/0/tlsa/parent", "\"undecided\"")]),
    ("tlsa-intermediate", Verdict::Secure, &[("/hosts/0/addresses/0/presented", CHAIN_OF_THREE)]),
    ("no-rollover", Verdict::Secure, &[(RECORDS, ONE_RECORD)]),
    ("tlsa-ttl", Verdict::Secure, &[("/hosts/0/tlsa/signatures/0/ttl", "60")]),
    ("mx-no-ipv6", Verdict::Secure, &[("/hosts/0/lookups/0/answer", "\"nodata\"")]),
    ("name-servers-no-ipv6", Verdict::Secure, &[("/mx/zone/servers/0/addresses", "[\"192.0.2.53\"]")]),
    ("certificate-expired", Verdict::Secure, &[("/hosts/0/addresses/0/presented/0/not_after", "\"2026-11-10T00:00:00Z\"")]),
    ("certificate-renewal", Verdict::Secure, &[("/hosts/0/addresses/0/presented/0/not_after", "\"2026-11-17T00:00:00Z\"")]),
    ("no-tls13", Verdict::Secure, &[("/hosts/0/addresses/0/offers/0/result", "\"declined\"")]),
    ("caa-absent", Verdict::Secure, &[("/hosts/0/caa/answer", "\"nodata\"")]),
    ("sts-testing", Verdict::Secure, &[(STS, "\"testing\"")]),
    ("tlsrpt-absent", Verdict::Secure, &[("/tlsrpt/status", "\"absent\"")]),
    ("null-mx", Verdict::NoMail, &[("/mx/kind", "\"null-mx\"")]),
    ("no-mail", Verdict::NoMail, &[("/mx/kind", "\"implicit\""), (HOST, "\"none\""), ("/hosts/0/addresses", "[]")]),
    ("rollover-next", Verdict::Secure, &[("/hosts/0/tlsa/records/1/usage", "3"), ("/hosts/0/addresses/0/published/1/matches", "null")]),
    ("rollover-issuer", Verdict::Secure, &[]),
    ("tlsa-unmatched", Verdict::Secure, &[("/hosts/0/addresses/0/published/1/matches", "null")]),
    ("name-servers-silent", Verdict::Secure, &[("/hosts/0/zone/servers", SILENT)]),
    ("no-route", Verdict::Unreachable, &[(OUTCOME, "\"no-route\"")]),
    ("not-in-web-pki", Verdict::Insecure, &[(TLSA, "\"absent\""), NONE, ("/hosts/0/addresses/0/webpki", "\"untrusted\""), ("/hosts/0/addresses/0/webpki_reason", "\"x\"")]),
    ("sts-absent", Verdict::Secure, &[]),
];

const ONE_RECORD: &str = r#"[{"record":"3 1 1 aa","usage":3,"selector":1,"matching_type":1,"usable":true,"reason":null,
    "of_nothing":false}]"#;
const ONE_ANCHOR: &str = r#"[{"record":"2 1 1 ff","usage":2,"selector":1,"matching_type":1,"usable":true,"reason":null,
    "of_nothing":false}]"#;
const SILENT: &str = r#"[{"name":"ns","addresses":["192.0.2.53"],"answers":[{"address":"192.0.2.53","said":"silence",
    "records":[],"parent":"silence","is_signed":false,"is_authoritative":true,"reason":"x"}]}]"#;
const CHAIN_OF_THREE: &str = r#"[
    {"subject":"CN=own","issuer":"CN=one","names":[],"not_before":null,"not_after":"2027-06-01T00:00:00Z","record":"3 1 1 aa"},
    {"subject":"CN=one","issuer":"CN=root","names":[],"not_before":null,"not_after":"2028-06-01T00:00:00Z","record":"2 0 1 bb"},
    {"subject":"CN=root","issuer":"CN=root","names":[],"not_before":null,"not_after":"2036-06-01T00:00:00Z","record":"2 0 1 cc",
     "self_issued":true}]"#;

/// A domain as it should be.
fn good() -> Value {
    let lookup = |records: &[&str]| {
        json!({"status": "secure", "answer": "records", "records": records, "aliases": [], "ttl": 3600, "cause": null,
            "reason": null, "extended_error": null})
    };
    let step = |kind: &str, record: &str| {
        let mut step = lookup(&[record]);
        let fields = step.as_object_mut().unwrap();
        fields.insert("name".to_owned(), json!("mx.own.example"));
        fields.insert("type".to_owned(), json!(kind));
        step
    };
    let record = |text: &str, usage: u8| {
        json!({"record": text, "usage": usage, "selector": 1, "matching_type": 1, "usable": true, "reason": null,
            "of_nothing": false})
    };
    let certificate = |subject: &str, record: &str| {
        json!({"subject": subject, "issuer": "CN=root", "names": ["mx.own.example"], "not_before": "2026-06-01T00:00:00Z",
            "not_after": "2027-06-01T00:00:00Z", "key": "ECDSA P-256", "signature": "x", "weak": null, "record": record})
    };
    let signature = json!({"zone": "own.example", "ttl": 3600, "from": "2026-11-01T00:00:00Z", "until": "2026-12-30T00:00:00Z"});
    let server = |name: &str| {
        json!({"name": name, "addresses": ["192.0.2.53", "2001:db8::53"], "answers": [{"address": "192.0.2.53",
            "said": "records", "records": ["3 1 1 aa"], "parent": "nodata", "is_signed": true, "is_authoritative": true,
            "reason": null}]})
    };
    let zone = json!({"name": "own.example", "servers": [server("ns1"), server("ns2"), server("ns3")]});
    json!({
        "domain": "own.example",
        "checked": "2026-11-15T00:00:00Z",
        "manner": {"port": 25, "connected": true, "depth": "everything", "days": 14},
        "mx": {"kind": "hosts", "lookup": lookup(&["10 mx.own.example"]),
            "zone": {"name": "own.example", "servers": [server("ns1"), server("ns2")]}, "signatures": [signature]},
        "hosts": [{
            "name": "mx.own.example", "kind": "name", "preference": 10, "provider": "own.example", "address_status": "secure",
            "address_reason": null, "ignored": [],
            "lookups": [step("AAAA", "2001:db8::1"), step("A", "192.0.2.1"), step("TLSA", "3 1 1 aa")],
            "tlsa": {"status": "usable", "base": "mx.own.example", "owner": "_25._tcp.mx.own.example", "failure": null,
                "records": [record("3 1 1 aa", 3), record("2 1 1 bb", 2)], "signatures": [signature], "zone": "own.example",
                "parent": "exists"},
            "addresses": [{"address": "192.0.2.1", "outcome": "verified", "reason": null, "dane": "x", "tls": "x", "group": "x",
                "tlsvalid": null, "webpki": "valid", "webpki_reason": null,
                "presented": [certificate("CN=own", "3 1 1 aa"), certificate("CN=one", "2 0 1 bb")],
                "published": [{"record": "3 1 1 aa", "usable": true, "matches": 0}, {"record": "2 1 1 bb", "usable": true, "matches": 1}],
                "issuer": "valid", "issuer_reason": null,
                "offers": [{"version": "TLSv1.3", "keys": null, "result": "taken", "certificate": null, "verified": true}]}],
            "zone": zone,
            "caa": lookup(&["0 issue \"x\""]),
        }],
        "mta_sts": {"status": "absent", "id": null, "max_age": null, "mx": [], "not_allowed": [], "reason": null},
        "tlsrpt": {"status": "present", "records": ["v=TLSRPTv1; rua=mailto:a@own.example"], "reason": null},
        "unexamined": null,
    })
}

fn now() -> Timestamp {
    "2026-11-15T00:00:00Z".parse().unwrap()
}

fn seen(differences: &[Difference]) -> Observation {
    let mut value = good();
    for (place, instead) in differences {
        *value.pointer_mut(place).unwrap() = serde_json::from_str(instead).unwrap();
    }
    serde_json::from_value(value).unwrap()
}

#[test]
fn each_finding_has_its_reason_and_its_verdict() {
    for (code, verdict, differences) in TABLE {
        let seen = seen(differences);
        let found = findings(&seen, now());
        let codes: Vec<String> = found.iter().map(|finding| finding.code.name()).collect();
        assert!(codes.contains(&(*code).to_owned()), "{code}: {codes:?}");
        assert_eq!(of_domain(&seen), *verdict, "{code}");
        // What makes a verdict by itself is found with that verdict.
        let makes = Code::named(code).unwrap().makes();
        assert!(
            makes.is_none() || makes == Some(*verdict) || *verdict == Verdict::Broken,
            "{code}"
        );
    }
    for code in Code::ALL {
        assert!(
            TABLE.iter().any(|(name, ..)| *name == code.name()),
            "{} is in no row",
            code.name()
        );
    }
}

#[test]
fn a_domain_as_it_should_be_has_nothing_to_mend() {
    let found = findings(&seen(&[]), now());
    let codes: Vec<String> = found.iter().map(|finding| finding.code.name()).collect();
    assert_eq!(codes, ["rollover-issuer", "sts-absent"]);
}

/// One server of three that is otherwise than the others.
#[test]
fn each_name_server_is_told_apart() {
    let words = |difference: Difference| {
        let found = findings(&seen(&[difference]), now());
        let broken = found
            .iter()
            .find(|finding| finding.code == Code::NameServerBroken);
        broken.map(|finding| finding.text.clone()).unwrap_or_default()
    };
    for (place, instead, expected) in [
        (
            "/hosts/0/zone/servers/0/answers/0/is_authoritative",
            "false",
            "lacks the AA bit",
        ),
        (
            "/hosts/0/zone/servers/0/answers/0/is_signed",
            "false",
            "sends no signatures",
        ),
        (
            "/hosts/0/zone/servers/0/answers/0/said",
            "\"silence\"",
            "does not answer",
        ),
        (
            "/hosts/0/zone/servers/0/answers/0/parent",
            "\"nxdomain\"",
            "denies the name above",
        ),
    ] {
        let words = words((place, instead));
        assert!(words.contains("ns1") && words.contains(expected), "{words}");
    }
}

#[test]
fn two_issuers_are_no_roll_over_and_a_stale_key_is_none_either() {
    let codes = |differences: &[Difference]| -> Vec<String> {
        let found = findings(&seen(differences), now());
        found.iter().map(|finding| finding.code.name()).collect()
    };
    let two = codes(&[
        ("/hosts/0/tlsa/records/0/usage", "2"),
        ("/hosts/0/addresses/0/published/0/matches", "1"),
    ]);
    assert!(two.contains(&"no-rollover".to_owned()), "{two:?}");
    let stale = codes(&[("/hosts/0/addresses/0/published/0/matches", "null")]);
    assert!(stale.contains(&"no-rollover".to_owned()), "{stale:?}");
    assert!(stale.contains(&"tlsa-unmatched".to_owned()), "{stale:?}");
}

#[test]
fn in_testing_mode_nothing_of_mta_sts_is_an_error() {
    let found = findings(
        &seen(&[
            (STS, "\"testing\""),
            ("/mta_sts/not_allowed", "[\"mx.own.example\"]"),
        ]),
        now(),
    );
    assert!(
        found
            .iter()
            .all(|finding| finding.severity > super::Severity::Error),
        "{found:?}"
    );
    assert!(
        found
            .iter()
            .any(|finding| finding.text.contains("once it is enforced"))
    );
}

#[test]
fn dates_count_where_somebody_looks_at_them() {
    let soon: Difference = (
        "/hosts/0/addresses/0/presented/0/not_after",
        "\"2026-11-17T00:00:00Z\"",
    );
    let code_of = |differences: &[Difference]| {
        let found = findings(&seen(differences), now());
        found
            .iter()
            .find(|finding| matches!(finding.code, Code::CertificateExpires | Code::CertificateRenewal))
            .map(|finding| finding.code)
    };
    // By its key: nobody does.
    assert_eq!(code_of(&[soon]), Some(Code::CertificateRenewal));
    assert_eq!(
        code_of(&[soon, (STS, "\"enforce\"")]),
        Some(Code::CertificateExpires)
    );
    // By an issuer that only DNS has.
    let from_dns: Difference = (
        PUBLISHED,
        r#"[{"record":"2 1 1 bb","usable":true,"matches":1,"is_from_dns":true}]"#,
    );
    assert_eq!(code_of(&[soon, from_dns]), Some(Code::CertificateExpires));
    // Without TLSA records, but under a policy.
    assert_eq!(
        code_of(&[
            soon,
            (TLSA, "\"absent\""),
            NONE,
            (PUBLISHED, "[]"),
            (STS, "\"enforce\"")
        ]),
        Some(Code::CertificateExpires)
    );
}
