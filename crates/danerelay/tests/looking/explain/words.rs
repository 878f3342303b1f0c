//! The table for people, and what is no destination.

use serde_json::json;

use super::{RECORD, explained, rows};
use crate::Stage;

#[test]
fn the_table_for_people() {
    let stage = rows();
    let end = stage.run(&["explain", "usable.test"]);
    assert_eq!(
        end.stdout,
        format!(
            "destination  usable.test\n\
             resolver     this command's own (no relay runs with this configuration): validate, asking {}\n\
             policy       dane opportunistic (default); insecure_mx dane; tls may; from the built-in policy\n\
             MX           usable.test secure: 10 mx.usable.test\n\
             \n\
             host         mx.usable.test port 25; dane opportunistic (default)\n\
             AAAA         mx.usable.test secure: nodata\n\
             A            mx.usable.test secure: 127.0.2.1\n\
             TLSA         secure at base domain mx.usable.test; usable\n             {RECORD}  (usable)\n             \
             {}  (unusable: certificate usages 0 and 1 are not defined for SMTP)\n\
             must         match the TLSA records; dane=\"Verify (Secure TLSA RRs found)\"\n\
             \n\
             would        deliver\n\
             modes        off           deliver, dane=\"Skip (Disabled by policy)\"\n             \
             soft-fail     deliver, dane=\"Verify (Secure TLSA RRs found)\"\n             \
             opportunistic deliver, dane=\"Verify (Secure TLSA RRs found)\"  (in force)\n             \
             strict        deliver, dane=\"Verify (Secure TLSA RRs found)\"\n",
            stage.world.address(),
            RECORD.replace("3 1 1", "1 1 1")
        ),
        "{}",
        end.stderr
    );
    let end = stage.run(&["explain", "bogus.test"]);
    for line in [
        "MX           bogus.test bogus",
        "would        defer\nstatus       4.7.5\ndane         Fail (MX lookup: bogus)\n",
        "dnssec = \"off\"",
    ] {
        assert!(end.stdout.contains(line), "{line:?} is not in\n{}", end.stdout);
    }
}

#[test]
fn what_is_no_destination_is_2() {
    let stage = Stage::new("");
    for destination in ["", "a b", "a..b", "user@", "@a.test", "[192.0.2.300]"] {
        let end = stage.run(&["explain", destination]);
        assert_eq!(end.status, 2, "{destination:?}: {}", end.stdout);
    }
    let (found, code) = explained(&stage, "user@[192.0.2.1]");
    assert_eq!(
        (code, &found["hosts"][0]["dane"]),
        (0, &json!("Skip (Address literal)"))
    );
}
