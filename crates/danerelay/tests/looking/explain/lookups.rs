//! What is looked up: each step with its status, and nothing that a delivery would not ask.

use serde_json::{Value, json};
use testworld::RecordType;
use testworld::dns::{DnsFault, Questions};

use super::{RECORD, explained, here, rows};
use crate::Stage;

#[test]
fn the_status_of_every_step_and_the_use_of_every_record() {
    let stage = rows();
    let (found, _) = explained(&stage, "someone@USABLE.test");
    assert_eq!(found["destination"], "usable.test");
    assert_eq!(
        found["policy"],
        json!({"dane": "opportunistic", "source": "default", "insecure_mx": "dane", "tls": "may", "mta_sts": "enforce", "honor_tls_required_no": true, "places": {}})
    );
    let mx = &found["mx"];
    assert_eq!(
        (&mx["status"], &mx["records"]),
        (&json!("secure"), &json!(["10 mx.usable.test"]))
    );
    let host = &found["hosts"][0];
    assert_eq!(
        (&host["name"], &host["addresses"]),
        (&json!("mx.usable.test"), &json!(["127.0.2.1"]))
    );
    assert_eq!(host["address_status"], "secure");
    let steps: Vec<(&str, &str, &str)> = host["lookups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| {
            let word = |key: &str| step[key].as_str().unwrap();
            (word("type"), word("status"), word("answer"))
        })
        .collect();
    assert_eq!(
        steps,
        [
            ("AAAA", "secure", "nodata"),
            ("A", "secure", "records"),
            ("TLSA", "secure", "records")
        ]
    );
    let tlsa = &host["tlsa"];
    assert_eq!(
        (&tlsa["status"], &tlsa["base_domain"]),
        (&json!("usable"), &json!("mx.usable.test"))
    );
    assert_eq!(
        tlsa["records"][0],
        json!({"record": RECORD, "usable": true, "reason": null})
    );
    assert_eq!(tlsa["records"][1]["usable"], false);
    // Nothing was asked that a delivery would not ask.
    assert_eq!(stage.world.asked("_25._tcp.mx.usable.test", RecordType::TLSA), 1);
    let (found, _) = explained(&stage, "outsourced.test");
    assert_eq!(found["mx"]["status"], "secure");
}

#[test]
fn tlsa_records_of_an_insecure_host_are_not_asked_for() {
    let stage = rows();
    let far = stage
        .world
        .domain("far.test")
        .unsigned()
        .host("mx.far.test", here(9));
    far.tlsa(RECORD).add().unwrap();
    let near = stage.world.domain("near.test").signed();
    near.record("near.test", RecordType::MX, "10 mx.far.test.")
        .add()
        .unwrap();
    let (found, code) = explained(&stage, "near.test");
    let host = &found["hosts"][0];
    assert_eq!(
        (code, &host["address_status"], &host["tlsa"]["status"]),
        (0, &json!("insecure"), &json!("not-asked"))
    );
    assert_eq!(host["dane"], "Skip (Insecure host information)");
    assert_eq!(stage.world.asked("_25._tcp.mx.far.test", RecordType::TLSA), 0);
}

#[test]
fn each_candidate_for_the_base_domain_is_shown_with_its_answer() {
    let stage = Stage::new("");
    let world = &stage.world;
    let zone = world.domain("shop.test").signed().mx(10, "mx.shop.test", here(1));
    zone.cname("alias.shop.test", "mx.shop.test").add().unwrap();
    let buyer = world.domain("buyer.test").signed();
    buyer
        .record("buyer.test", RecordType::MX, "10 alias.shop.test.")
        .add()
        .unwrap();
    let steps = |found: &Value| {
        let steps = found["hosts"][0]["lookups"].as_array().unwrap();
        let tlsa = steps.iter().filter(|step| step["type"] == "TLSA");
        tlsa.map(|step| {
            let said = |key: &str| step[key].as_str().unwrap_or("-").to_owned();
            [said("name"), said("status"), said("answer"), said("cause")].join(" ")
        })
        .collect::<Vec<_>>()
    };
    let (end, start) = ("_25._tcp.mx.shop.test", "_25._tcp.alias.shop.test");
    let (found, _) = explained(&stage, "buyer.test");
    assert_eq!(
        steps(&found),
        [
            format!("{end} secure nxdomain -"),
            format!("{start} secure nxdomain -")
        ]
    );
    let table = stage.run(&["explain", "buyer.test"]).stdout;
    for name in [end, start] {
        let line = format!("TLSA         {name} secure: nxdomain\n");
        assert!(table.contains(&line), "{line:?} is not in\n{table}");
    }
    world
        .break_dns(&Questions::At(start.to_owned()), DnsFault::Refused)
        .unwrap();
    let (found, _) = explained(&stage, "buyer.test");
    assert_eq!(
        steps(&found),
        [
            format!("{end} secure nxdomain -"),
            format!("{start} failed - rcode REFUSED")
        ]
    );
    let table = stage.run(&["explain", "buyer.test"]).stdout;
    assert!(
        table.contains(&format!(
            "TLSA         {start} failed: rcode REFUSED: {} answers REFUSED for {start} TLSA\n",
            world.address()
        )),
        "{table}"
    );
    world.mend_dns(&Questions::At(start.to_owned())).unwrap();
    world.add(start, RecordType::TLSA, RECORD).unwrap();
    let table = stage.run(&["explain", "buyer.test"]).stdout;
    let words = format!(
        "TLSA         {end} secure: nxdomain\nTLSA         secure at base domain alias.shop.test; usable\n"
    );
    assert!(table.contains(&words), "{table}");
}

#[test]
fn what_stands_in_the_place_of_a_host_name_is_shown() {
    let stage = Stage::new("");
    let zone = stage.world.domain("odd.test").signed();
    // A label with a blank in it, which only this form can write.
    let exchange = r"\# 19 000a 06 6d78206f6e65 03 6f6464 04 74657374 00";
    let odd = zone.record("odd.test", RecordType::MX, exchange);
    odd.add().unwrap();
    let (found, _) = explained(&stage, "odd.test");
    assert_eq!(found["hosts"][0]["name"], r"mx\032one.odd.test.", "{found}");
}
