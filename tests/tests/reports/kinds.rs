//! One test for each kind of report.

use mail::Ret;
use serde_json::{Value, json};

use crate::cases::{
    INTERNATIONAL, PLAIN, built, delayed, expired, mailbox, refused, refused_international, relayed, report,
};
use crate::judge::{Way, sound};

/// The letter's words, however they are wrapped.
fn words(found: &Value) -> String {
    let letter = found["letter"].as_str().unwrap();
    letter.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn returned(found: &Value) -> (&str, Vec<u8>) {
    let returned = &found["returned"][0];
    let octets = returned["octets"].as_array().unwrap().iter();
    let octets = octets.map(|octet| octet.as_u64().unwrap().try_into().unwrap());
    (returned["type"].as_str().unwrap(), octets.collect())
}

fn header_of(original: &[u8]) -> &[u8] {
    let end = original.windows(4).position(|octets| octets == b"\r\n\r\n");
    &original[..end.unwrap() + 2]
}

#[test]
fn failed() {
    let mut report = report(PLAIN, vec![refused()]);
    report.parameters.envelope_id = Some("QQ+2B1".parse().unwrap());
    let found = sound(&built(&report, PLAIN), Way::SevenBit);
    assert_eq!(found["from"], json!(["postmaster@relay.example.nl"]));
    assert_eq!(found["to"], json!(["alice@example.org"]));
    assert_eq!(found["subject"], "Your message could not be delivered");
    assert_eq!(found["references"], "<figures.42@example.org>");
    assert_eq!(found["message"]["Original-Envelope-Id"], "QQ+1");
    assert_eq!(found["message"]["Reporting-MTA"], "dns; relay.example.nl");
    assert_eq!(
        found["message"]["Arrival-Date"],
        "Fri, 20 Nov 2026 10:00:00 +0000"
    );
    assert_eq!(
        found["recipients"],
        json!([{
            "Original-Recipient": "rfc822;Bob+news@alias.example",
            "Final-Recipient": "rfc822; Bob@example.com",
            "Action": "failed",
            "Status": "5.1.1",
            "Remote-MTA": "dns; mx.example.com",
            "Diagnostic-Code": "smtp; 550-5.1.1 <Bob@example.com>: unknown here 550 5.1.1 good bye",
            "Last-Attempt-Date": "Wed, 25 Nov 2026 10:02:00 +0000",
            "X-Danerelay-DANE": "Verify (Secure TLSA RRs found)",
            "X-Danerelay-TLSA-Base": "mx.example.com",
        }])
    );
    assert_eq!(
        returned(&found),
        ("text/rfc822-headers", header_of(PLAIN).to_vec())
    );
}

#[test]
fn expired_for_a_security_rule() {
    let found = sound(&built(&report(PLAIN, vec![expired()]), PLAIN), Way::SevenBit);
    let recipient = &found["recipients"][0];
    assert_eq!(recipient["Action"], "failed");
    assert_eq!(recipient["Status"], "4.7.5");
    assert_eq!(
        recipient["Diagnostic-Code"],
        "X-danerelay; no TLSA record matches the certificate"
    );
    assert_eq!(recipient["X-Danerelay-DANE"], "Fail (No matching TLSA RRs)");
    assert_eq!(recipient.get("Original-Recipient"), None);
    for sentence in [
        "tried for 5 days",
        "matches none of the TLSA records",
        "fault at the receiving side",
        "postmaster@example.net",
    ] {
        assert!(words(&found).contains(sentence), "{sentence}");
    }
}

#[test]
fn late() {
    let found = sound(&built(&report(PLAIN, vec![delayed()]), PLAIN), Way::SevenBit);
    assert_eq!(found["subject"], "Your message is delayed");
    let recipient = &found["recipients"][0];
    assert_eq!(recipient["Action"], "delayed");
    assert_eq!(recipient["Will-Retry-Until"], "Fri, 27 Nov 2026 10:00:00 +0000");
    assert_eq!(recipient.get("Remote-MTA"), None);
    assert_eq!(recipient["Final-Recipient"], "rfc822; \"d d\"@example.info");
    for sentence in [
        "You need not do anything",
        "until Fri, 27 Nov 2026 10:00:00 +0000",
        "DNSSEC",
    ] {
        assert!(words(&found).contains(sentence), "{sentence}");
    }
}

#[test]
fn handed_over() {
    let found = sound(&built(&report(PLAIN, vec![relayed()]), PLAIN), Way::SevenBit);
    assert_eq!(found["subject"], "Your message was relayed");
    let recipient = &found["recipients"][0];
    assert_eq!(recipient["Action"], "relayed");
    assert_eq!(recipient["Status"], "2.0.0");
    assert_eq!(recipient["Remote-MTA"], "dns; mx.example.com");
}

#[test]
fn of_every_fate() {
    let all = vec![relayed(), delayed(), expired(), refused()];
    let found = sound(&built(&report(PLAIN, all), PLAIN), Way::SevenBit);
    let actions: Vec<_> = found["recipients"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fields| fields["Action"].as_str().unwrap())
        .collect();
    assert_eq!(actions, ["failed", "failed", "delayed", "relayed"]);
}

#[test]
fn with_the_whole_message() {
    let mut report = report(PLAIN, vec![refused()]);
    report.parameters.ret = Some(Ret::Full);
    let found = sound(&built(&report, PLAIN), Way::SevenBit);
    assert_eq!(returned(&found), ("message/rfc822", PLAIN.to_vec()));
}

#[test]
fn with_nothing_of_the_message() {
    let found = sound(&built(&report(b"", vec![refused()]), b""), Way::SevenBit);
    assert_eq!(found["returned"], json!([]));
}

#[test]
fn with_a_header_of_unknown_octets() {
    let original = b"Subject: caf\xe9 = \xe2\x82\xac \r\n\tx\x1by\r\nX: z\r\n\r\nbody\r\n";
    let found = sound(
        &built(&report(original, vec![refused()]), original),
        Way::SevenBit,
    );
    assert_eq!(
        returned(&found),
        ("text/rfc822-headers", header_of(original).to_vec())
    );
}

#[test]
fn on_international_mail_to_a_sender_who_is_ascii() {
    let original = INTERNATIONAL.as_bytes();
    let mut report = report(original, vec![refused_international()]);
    report.parameters.smtputf8 = true;
    report.parameters.ret = Some(Ret::Full);
    let found = sound(&built(&report, original), Way::SevenBit);
    assert_eq!(found["status_type"], "message/delivery-status");
    let recipient = &found["recipients"][0];
    assert_eq!(
        recipient["Final-Recipient"],
        r"utf-8; ren\x{E9}\x{2B}x@b\x{FC}cher.example"
    );
    assert_eq!(
        recipient["Original-Recipient"],
        r"utf-8;d\x{E9}j\x{E0}@alias.example"
    );
    assert!(words(&found).contains("<ren\u{e9}+x@b\u{fc}cher.example>"));
    assert_eq!(
        returned(&found),
        ("message/global-headers", header_of(original).to_vec())
    );
}

#[test]
fn on_international_mail_to_a_sender_who_is_not_ascii() {
    let original = INTERNATIONAL.as_bytes();
    for ret in [None, Some(Ret::Full)] {
        let mut report = report(original, vec![refused_international()]);
        report.original_sender = mailbox("andr\u{e9}@example.org");
        report.parameters.smtputf8 = true;
        report.parameters.ret = ret;
        let found = sound(&built(&report, original), Way::Smtputf8);
        assert_eq!(found["to"], json!(["andr\u{e9}@example.org"]));
        assert_eq!(found["status_type"], "message/global-delivery-status");
        let recipient = &found["recipients"][0];
        assert_eq!(
            recipient["Final-Recipient"],
            "utf-8; ren\u{e9}+x@b\u{fc}cher.example"
        );
        assert_eq!(
            recipient["Original-Recipient"],
            "utf-8;d\u{e9}j\u{e0}@alias.example"
        );
        let expected = match ret {
            Some(_) => ("message/global", original.to_vec()),
            None => ("message/global-headers", header_of(original).to_vec()),
        };
        assert_eq!(returned(&found), expected);
    }
}
