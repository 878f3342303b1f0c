//! The status of every kind of answer in zones that BIND has signed and serves. Where it is not installed there is nothing to
//! judge.

mod server;

use self::server::{Bind, Delegation, Zone};

const P256: Option<&str> = Some("ECDSAP256SHA256");

const fn zone(apex: &'static str, algorithms: Option<&'static str>) -> Zone {
    Zone {
        apex,
        algorithms,
        options: &[],
        delegation: Delegation::Proper,
        extra: "",
    }
}

const fn denying(apex: &'static str, options: &'static [&'static str]) -> Zone {
    Zone {
        options,
        ..zone(apex, P256)
    }
}

const fn delegated(apex: &'static str, delegation: Delegation) -> Zone {
    Zone {
        delegation,
        ..zone(apex, P256)
    }
}

/// Long over, soon over, and not begun.
const PAST: &[&str] = &["-s", "20200101000000", "-e", "20200201000000"];
const ENDING: &[&str] = &["-e", "now+100"];
const FUTURE: &[&str] = &["-s", "20500101000000", "-e", "20500201000000"];

/// Aliases from a secure zone into all others, and back.
const ALIASES: &str = "\
to-secure CNAME mx.rsa256.test.
to-opt-out CNAME nothing.opt-out.test.
to-unsigned CNAME mx.unsigned.test.
to-bogus CNAME mx.wrong-ds.test.
over-unsigned CNAME back.unsigned.test.
over-bogus CNAME back.wrong-ds.test.
over-two CNAME to-secure.alias.test.
*.any CNAME mx.rsa256.test.
";
const BACK: &str = "back CNAME mx.p256.test.\n";

fn zones() -> Vec<Zone> {
    vec![
        zone("rsa256.test.", Some("RSASHA256")),
        zone("rsa512.test.", Some("RSASHA512")),
        zone("sha1.test.", Some("RSASHA1")),
        Zone {
            algorithms: Some("NSEC3RSASHA1"),
            ..denying("nsec3-sha1.test.", &["-3", "-", "-H", "0"])
        },
        zone("sha1-and-p256.test.", Some("RSASHA1 ECDSAP256SHA256")),
        zone("p256.test.", P256),
        zone("p384.test.", Some("ECDSAP384SHA384")),
        zone("ed25519.test.", Some("ED25519")),
        zone("ed448.test.", Some("ED448")),
        zone("two.test.", Some("ED448 ECDSAP256SHA256")),
        zone("mx-zone.test.", P256),
        denying("nsec3.test.", &["-3", "-", "-H", "0"]),
        denying("salt50.test.", &["-3", "0123456789abcdef", "-H", "50"]),
        denying("many150.test.", &["-3", "-", "-H", "150"]),
        denying("unsigned.opt-out.test.", &[]).not_signed(),
        denying("opt-out.test.", &["-3", "-", "-H", "0", "-A"]),
        denying("expired.test.", PAST),
        denying("future.test.", FUTURE),
        denying("ending.test.", ENDING),
        delegated("wrong-ds.test.", Delegation::WrongDigest).with(BACK),
        delegated("digest.test.", Delegation::UnknownDigest),
        delegated("algorithm.test.", Delegation::UnknownAlgorithm),
        delegated("one-unknown.test.", Delegation::OneUnknown),
        delegated("sha1-digest.test.", Delegation::Digest("SHA-1")),
        delegated("sha384-digest.test.", Delegation::Digest("SHA-384")),
        zone("signed.island.test.", P256),
        delegated("island.test.", Delegation::NoDs),
        zone("signed.unsigned.test.", P256),
        zone("unsigned.test.", None).with(BACK),
        zone("alias.test.", P256).with(ALIASES),
        zone("test.", P256),
        zone(".", P256),
    ]
}

impl Zone {
    const fn with(self, extra: &'static str) -> Self {
        Self { extra, ..self }
    }

    const fn not_signed(self) -> Self {
        Self {
            algorithms: None,
            ..self
        }
    }
}

/// What every zone is asked, and what data there is.
const KINDS: [(&str, &str, &str); 15] = [
    ("mx", "A", "records"),
    ("mx", "AAAA", "nodata"),
    ("_25._tcp.mx", "TLSA", "records"),
    ("_tcp.mx", "TLSA", "nodata"),
    ("ent", "A", "nodata"),
    ("nothing", "A", "nxdomain"),
    ("a.b.nothing", "A", "nxdomain"),
    ("any.wild", "A", "records"),
    ("a.b.c.wild", "A", "records"),
    ("any.wild", "AAAA", "nodata"),
    ("x.real.wild", "A", "nxdomain"),
    ("_25._tcp.star", "TLSA", "records"),
    ("mx.moved", "A", "records"),
    ("mx.moved", "CNAME", "records"),
    // Signed in lower case (RFC 4034 §6.2).
    ("mx.mixed", "A", "records"),
];

/// The status of each zone; bogus ones fail whatever is asked.
const STATUSES: [(&str, &str); 27] = [
    ("rsa256.test", "secure"),
    ("rsa512.test", "secure"),
    // SHA-1 signatures prove nothing (RFC 9905 §2), and do not stand in the way of others.
    ("sha1.test", "insecure"),
    ("nsec3-sha1.test", "insecure"),
    ("sha1-and-p256.test", "secure"),
    ("p256.test", "secure"),
    ("p384.test", "secure"),
    ("ed25519.test", "secure"),
    // Not known to the library: as good as unsigned (RFC 4035 §5.2).
    ("ed448.test", "insecure"),
    // One algorithm that we know is enough (RFC 6840 §5.11).
    ("two.test", "secure"),
    ("nsec3.test", "secure"),
    ("salt50.test", "secure"),
    ("many150.test", "secure"),
    ("opt-out.test", "secure"),
    ("unsigned.opt-out.test", "insecure"),
    ("expired.test", "bogus"),
    ("future.test", "bogus"),
    ("ending.test", "secure"),
    ("wrong-ds.test", "bogus"),
    ("digest.test", "insecure"),
    ("algorithm.test", "insecure"),
    ("one-unknown.test", "secure"),
    ("sha1-digest.test", "secure"),
    ("sha384-digest.test", "secure"),
    ("island.test", "insecure"),
    ("signed.island.test", "insecure"),
    ("signed.unsigned.test", "insecure"),
];

/// RFC 5155 §9.2: where an unsigned delegation may hide, an absence is not authenticated, and nor is a wildcard's answer.
fn is_hidden_by_opt_out(zone: &str, prefix: &str) -> bool {
    zone == "opt-out.test"
        && (prefix.contains("nothing") || prefix.contains("wild") || prefix.contains("star"))
}

#[tokio::test]
async fn every_kind_of_answer_in_every_kind_of_zone() {
    let Some(bind) = Bind::start(&zones()).await else {
        return;
    };
    let resolver = bind.resolver();
    let mut wrong = Vec::new();
    for (zone, status) in STATUSES {
        for (prefix, record_type, data) in KINDS {
            let expected = match status {
                "bogus" => "failed bogus".to_owned(),
                "secure" if is_hidden_by_opt_out(zone, prefix) => format!("insecure {data}"),
                _ => format!("{status} {data}"),
            };
            let question = format!("{prefix}.{zone} {record_type}");
            let told = resolver.ask(&question).await;
            if told != expected {
                wrong.push(format!("{question}: {told}, not {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let lines = "to-secure.alias.test     A    -> secure records
                 to-secure.alias.test     AAAA -> secure nodata
                 to-opt-out.alias.test    A    -> insecure nxdomain
                 to-unsigned.alias.test   A    -> insecure records
                 to-bogus.alias.test      A    -> failed bogus
                 over-unsigned.alias.test A    -> insecure records
                 over-bogus.alias.test    A    -> failed bogus
                 over-two.alias.test      A    -> secure records
                 x.any.alias.test         A    -> secure records
                 x.y.any.alias.test       AAAA -> secure nodata";
    resolver.tells(lines).await;
    // RFC 4035 §5.3.3: nothing is kept longer than its signature is good.
    let ending = resolver
        .a(&crate::common::domain("mx.ending.test"))
        .await
        .unwrap();
    assert!(ending.ttl <= 100, "{}", ending.ttl);
    let lasting = resolver.a(&crate::common::domain("mx.p256.test")).await.unwrap();
    assert!(lasting.ttl > 100, "{}", lasting.ttl);
}
