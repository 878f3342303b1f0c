//! What the judges are asked about: a domain each, with what is right or wrong about it.

use testworld::dns::{Bogus, DnsFault};
use testworld::mail::{MailFault, Stage};

/// One domain.
pub(crate) struct Scene {
    /// The label of the domain below `demo`.
    pub(crate) label: &'static str,
    /// What there is, in a few words.
    pub(crate) what: &'static str,
    pub(crate) zone: Zone,
    pub(crate) shape: Shape,
    pub(crate) certificate: Certificate,
    pub(crate) records: Vec<Record>,
    pub(crate) faults: Vec<MailFault>,
    /// What is wrong with the name server's answers, and for which name.
    pub(crate) dns: Option<(At, DnsFault)>,
}

/// How the domain's zone is signed.
#[derive(Clone, Copy)]
pub(crate) enum Zone {
    Signed,
    Unsigned,
    Bogus(Bogus),
}

/// How the domain leads to its host, and the host to its records.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// An MX record for a host in the same zone.
    Usual,
    /// No MX record: the domain is the host.
    Implicit,
    /// An MX record `.`.
    NullMx,
    /// Nothing at all.
    Missing,
    /// The domain is unsigned, its host is in a signed zone.
    UnsignedDomain,
    /// The domain is signed, its host is in an unsigned zone.
    UnsignedHost,
    /// The host is an alias; the records are at its target.
    Alias,
    /// The host is an alias; the records are at its own name.
    AliasWithRecords,
    /// The name of the records is an alias.
    RecordsAlias,
    /// Nobody listens at the address.
    Deaf,
}

/// The certificates that the server shows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Certificate {
    Issued,
    Rsa,
    Ed25519,
    SelfSigned,
    Expired,
    NotYet,
    ExpiredSelfSigned,
    OtherName,
    /// With the name of the domain instead of the host's.
    DomainName,
    Wildcard,
    WithoutIssuer,
    /// The right chain, and another key.
    Stolen,
}

/// A published record.
#[derive(Clone, Copy)]
pub(crate) enum Record {
    /// Usage, selector, matching type; right.
    Right(u8, u8, u8),
    /// The same of another key and another issuer.
    Wrong(u8, u8, u8),
    Text(&'static str),
}

/// Which questions are answered wrongly.
#[derive(Clone, Copy)]
pub(crate) enum At {
    Records,
    Host,
    Domain,
}

use Record::{Right, Text, Wrong};

fn scene(label: &'static str, what: &'static str, records: &[Record]) -> Scene {
    Scene {
        label,
        what,
        zone: Zone::Signed,
        shape: Shape::Usual,
        certificate: Certificate::Issued,
        records: records.to_vec(),
        faults: Vec::new(),
        dns: None,
    }
}

/// All of them.
pub(crate) fn all() -> Vec<Scene> {
    let mut scenes = matches();
    scenes.extend(mismatches());
    scenes.extend(unusable());
    scenes.extend(agility());
    scenes.extend(certificates());
    scenes.extend(servers());
    scenes.extend(zones());
    scenes.extend(shapes());
    scenes
}

fn matches() -> Vec<Scene> {
    vec![
        scene("ee-spki-256", "3 1 1 matches", &[Right(3, 1, 1)]),
        scene("ee-spki-512", "3 1 2 matches", &[Right(3, 1, 2)]),
        scene("ee-spki-full", "3 1 0 matches", &[Right(3, 1, 0)]),
        scene("ee-cert-256", "3 0 1 matches", &[Right(3, 0, 1)]),
        scene("ee-cert-512", "3 0 2 matches", &[Right(3, 0, 2)]),
        scene("ee-cert-full", "3 0 0 matches", &[Right(3, 0, 0)]),
        scene("ta-spki-256", "2 1 1 matches", &[Right(2, 1, 1)]),
        scene("ta-spki-512", "2 1 2 matches", &[Right(2, 1, 2)]),
        scene("ta-spki-full", "2 1 0 matches", &[Right(2, 1, 0)]),
        scene("ta-cert-256", "2 0 1 matches", &[Right(2, 0, 1)]),
        scene("ta-cert-512", "2 0 2 matches", &[Right(2, 0, 2)]),
        scene("ta-cert-full", "2 0 0 matches", &[Right(2, 0, 0)]),
    ]
}

fn mismatches() -> Vec<Scene> {
    vec![
        scene("ee-stale", "3 1 1 of another key", &[Wrong(3, 1, 1)]),
        scene("ee-stale-512", "3 1 2 of another key", &[Wrong(3, 1, 2)]),
        scene("ee-stale-cert", "3 0 1 of another certificate", &[Wrong(3, 0, 1)]),
        scene("ta-stale", "2 0 1 of another issuer", &[Wrong(2, 0, 1)]),
        scene("ta-stale-key", "2 1 1 of another issuer", &[Wrong(2, 1, 1)]),
        scene(
            "one-of-two",
            "3 1 1 of another key and of this",
            &[Wrong(3, 1, 1), Right(3, 1, 1)],
        ),
        scene(
            "none-of-two",
            "two 3 1 1, of other keys",
            &[
                Wrong(3, 1, 1),
                Text("3 1 1 0000000000000000000000000000000000000000000000000000000000000000"),
            ],
        ),
        scene(
            "stale-and-issuer",
            "3 1 1 of another key, 2 1 1 of the issuer",
            &[Wrong(3, 1, 1), Right(2, 1, 1)],
        ),
        scene(
            "current-and-issuer",
            "3 1 1 and 2 0 1, both right",
            &[Right(3, 1, 1), Right(2, 0, 1)],
        ),
    ]
}

fn unusable() -> Vec<Scene> {
    vec![
        scene("usage-0", "0 0 1 alone, of the issuer", &[Right(0, 0, 1)]),
        scene("usage-1", "1 1 1 alone, right", &[Right(1, 1, 1)]),
        scene(
            "usage-1-and-right",
            "1 1 1, and 3 1 1 that matches",
            &[Right(1, 1, 1), Right(3, 1, 1)],
        ),
        scene(
            "usage-1-and-stale",
            "1 1 1, and 3 1 1 of another key",
            &[Right(1, 1, 1), Wrong(3, 1, 1)],
        ),
        scene("usage-4", "usage 4", &[Right(4, 1, 1)]),
        scene(
            "selector-2",
            "selector 2",
            &[Text(
                "3 2 1 0000000000000000000000000000000000000000000000000000000000000000",
            )],
        ),
        scene(
            "matching-3",
            "matching type 3",
            &[Text(
                "3 1 3 0000000000000000000000000000000000000000000000000000000000000000",
            )],
        ),
        scene("short", "3 1 1 with two octets", &[Text("3 1 1 abcd")]),
        scene(
            "short-and-right",
            "3 1 1 with two octets, and 3 1 1 that matches",
            &[Text("3 1 1 abcd"), Right(3, 1, 1)],
        ),
        scene(
            "not-a-key",
            "3 1 0 with octets that are no key",
            &[Text("3 1 0 3003020101")],
        ),
    ]
}

fn agility() -> Vec<Scene> {
    vec![
        scene(
            "weak-right",
            "3 1 2 of another key, 3 1 1 of this",
            &[Wrong(3, 1, 2), Right(3, 1, 1)],
        ),
        scene(
            "strong-right",
            "3 1 1 of another key, 3 1 2 of this",
            &[Wrong(3, 1, 1), Right(3, 1, 2)],
        ),
        scene(
            "other-selector",
            "3 0 2 of another certificate, 3 1 1 of this key",
            &[Wrong(3, 0, 2), Right(3, 1, 1)],
        ),
        scene(
            "short-strong",
            "3 1 2 with two octets, 3 1 1 that matches",
            &[Text("3 1 2 abcd"), Right(3, 1, 1)],
        ),
        scene(
            "full-right",
            "3 1 2 of another key, 3 1 0 of this",
            &[Wrong(3, 1, 2), Right(3, 1, 0)],
        ),
    ]
}

fn with(certificate: Certificate, scene: Scene) -> Scene {
    Scene { certificate, ..scene }
}

#[allow(clippy::too_many_lines, reason = "a table")]
fn certificates() -> Vec<Scene> {
    use Certificate::{
        DomainName, Ed25519, Expired, ExpiredSelfSigned, NotYet, OtherName, Rsa, SelfSigned, Stolen,
        Wildcard, WithoutIssuer,
    };
    vec![
        with(Rsa, scene("rsa", "3 1 1, RSA", &[Right(3, 1, 1)])),
        with(Ed25519, scene("ed25519", "3 1 1, Ed25519", &[Right(3, 1, 1)])),
        with(
            SelfSigned,
            scene("self-signed", "3 1 1, self-signed", &[Right(3, 1, 1)]),
        ),
        with(
            SelfSigned,
            scene(
                "own-anchor",
                "2 0 1 of the self-signed certificate itself",
                &[Right(2, 0, 1)],
            ),
        ),
        with(
            SelfSigned,
            scene(
                "own-anchor-key",
                "2 1 1 of the self-signed certificate itself",
                &[Right(2, 1, 1)],
            ),
        ),
        with(
            ExpiredSelfSigned,
            scene("ee-expired", "3 1 1, expired", &[Right(3, 1, 1)]),
        ),
        with(
            NotYet,
            scene("ee-not-yet", "3 1 1, not yet valid", &[Right(3, 1, 1)]),
        ),
        with(
            OtherName,
            scene(
                "ee-other-name",
                "3 1 1, the certificate names another host",
                &[Right(3, 1, 1)],
            ),
        ),
        with(Expired, scene("ta-expired", "2 1 1, expired", &[Right(2, 1, 1)])),
        with(
            NotYet,
            scene("ta-not-yet", "2 1 1, not yet valid", &[Right(2, 1, 1)]),
        ),
        with(
            OtherName,
            scene(
                "ta-other-name",
                "2 1 1, the certificate names another host",
                &[Right(2, 1, 1)],
            ),
        ),
        with(
            DomainName,
            scene(
                "ta-domain-name",
                "2 1 1, the certificate names the domain",
                &[Right(2, 1, 1)],
            ),
        ),
        with(
            Wildcard,
            scene("ta-wildcard", "2 1 1, a wildcard for the host", &[Right(2, 1, 1)]),
        ),
        with(
            WithoutIssuer,
            scene("ta-not-sent", "2 0 1, the issuer is not sent", &[Right(2, 0, 1)]),
        ),
        with(
            WithoutIssuer,
            scene(
                "ta-full-not-sent",
                "2 0 0, the issuer is not sent",
                &[Right(2, 0, 0)],
            ),
        ),
        with(
            WithoutIssuer,
            scene(
                "ta-key-not-sent",
                "2 1 0, the issuer is not sent",
                &[Right(2, 1, 0)],
            ),
        ),
        with(
            Stolen,
            scene(
                "stolen",
                "3 1 1, the right chain with another key",
                &[Right(3, 1, 1)],
            ),
        ),
        with(
            Stolen,
            scene(
                "ta-stolen",
                "2 1 1, the right chain with another key",
                &[Right(2, 1, 1)],
            ),
        ),
    ]
}

fn faulty(fault: MailFault, scene: Scene) -> Scene {
    Scene {
        faults: vec![fault],
        ..scene
    }
}

fn servers() -> Vec<Scene> {
    let reply = |stage, text: &str| MailFault::Reply(stage, text.to_owned());
    let right = [Right(3, 1, 1)];
    vec![
        faulty(
            MailFault::NoStartTls,
            scene("stripped", "3 1 1, no STARTTLS", &right),
        ),
        faulty(
            MailFault::NoStartTls,
            scene("clear", "no records, no STARTTLS", &[]),
        ),
        faulty(
            MailFault::NoStartTls,
            scene("unusable-clear", "1 1 1 alone, no STARTTLS", &[Right(1, 1, 1)]),
        ),
        faulty(
            reply(Stage::StartTls, "454 4.7.0 not now"),
            scene("not-now", "3 1 1, STARTTLS refused", &right),
        ),
        faulty(
            MailFault::GarbageInHandshake,
            scene("garbage", "3 1 1, no TLS after STARTTLS", &right),
        ),
        faulty(
            MailFault::CloseInHandshake,
            scene("closed", "3 1 1, closed after STARTTLS", &right),
        ),
        faulty(
            MailFault::InjectAfterStartTls("250 injected\r\n".to_owned()),
            scene(
                "injected",
                "3 1 1, text in clear after the reply to STARTTLS",
                &right,
            ),
        ),
        faulty(
            MailFault::Tls12Only,
            scene("tls-12", "3 1 1, TLS 1.2 alone", &right),
        ),
        faulty(
            MailFault::Tls13Only,
            scene("tls-13", "3 1 1, TLS 1.3 alone", &right),
        ),
        faulty(
            reply(Stage::Greeting, "421 4.3.2 busy"),
            scene("busy", "3 1 1, greeting 421", &right),
        ),
        faulty(
            reply(Stage::Greeting, "554 no service"),
            scene("no-service", "3 1 1, greeting 554", &right),
        ),
        Scene {
            shape: Shape::Deaf,
            ..scene("deaf", "3 1 1, nobody listens", &right)
        },
    ]
}

fn zones() -> Vec<Scene> {
    let right = [Right(3, 1, 1)];
    let in_zone = |zone, scene: Scene| Scene { zone, ..scene };
    let broken = |at, fault, scene: Scene| Scene {
        dns: Some((at, fault)),
        ..scene
    };
    vec![
        scene("no-records", "a signed zone without records", &[]),
        in_zone(
            Zone::Unsigned,
            scene("unsigned", "an unsigned zone with 3 1 1", &right),
        ),
        in_zone(
            Zone::Unsigned,
            scene(
                "unsigned-stale",
                "an unsigned zone with 3 1 1 of another key",
                &[Wrong(3, 1, 1)],
            ),
        ),
        in_zone(
            Zone::Unsigned,
            scene("plain", "an unsigned zone without records", &[]),
        ),
        in_zone(
            Zone::Bogus(Bogus::WrongKey),
            scene("wrong-key", "a zone with wrong signatures", &right),
        ),
        in_zone(
            Zone::Bogus(Bogus::Expired),
            scene("late", "a zone with expired signatures", &right),
        ),
        in_zone(
            Zone::Bogus(Bogus::DsMismatch),
            scene("ds", "a zone whose DS names no key of it", &right),
        ),
        in_zone(
            Zone::Bogus(Bogus::NoSignatures),
            scene("bare", "a zone with a DS and no signatures", &right),
        ),
        broken(
            At::Records,
            DnsFault::ServFail,
            scene("records-servfail", "the records: SERVFAIL", &right),
        ),
        broken(
            At::Records,
            DnsFault::Refused,
            scene("records-refused", "the records: REFUSED", &right),
        ),
        broken(
            At::Records,
            DnsFault::NotImp,
            scene("records-notimp", "the records: NOTIMP", &right),
        ),
        broken(
            At::Records,
            DnsFault::StripDnssec,
            scene("records-bare", "the records without signatures", &right),
        ),
        broken(
            At::Records,
            DnsFault::BadSignature,
            scene("records-bogus", "the records with a wrong signature", &right),
        ),
        broken(
            At::Records,
            DnsFault::Truncate,
            scene("records-tcp", "the records over TCP alone", &right),
        ),
        broken(
            At::Host,
            DnsFault::ServFail,
            scene("host-servfail", "the addresses: SERVFAIL", &right),
        ),
        broken(
            At::Domain,
            DnsFault::ServFail,
            scene("mx-servfail", "the MX records: SERVFAIL", &right),
        ),
    ]
}

fn shapes() -> Vec<Scene> {
    let right = [Right(3, 1, 1)];
    let shaped = |shape, scene: Scene| Scene { shape, ..scene };
    vec![
        shaped(
            Shape::Implicit,
            scene("implicit", "no MX record, 3 1 1 at the domain", &right),
        ),
        shaped(Shape::NullMx, scene("null", "a null MX", &[])),
        shaped(Shape::Missing, scene("missing", "no such domain", &[])),
        shaped(
            Shape::UnsignedDomain,
            scene("guest", "an unsigned domain, its host signed with 3 1 1", &right),
        ),
        shaped(
            Shape::UnsignedHost,
            scene(
                "lodger",
                "a signed domain, its host in an unsigned zone with 3 1 1",
                &right,
            ),
        ),
        shaped(
            Shape::Alias,
            scene("alias", "the host is an alias, 3 1 1 at its target", &right),
        ),
        shaped(
            Shape::AliasWithRecords,
            scene("alias-own", "the host is an alias, 3 1 1 at its own name", &right),
        ),
        shaped(
            Shape::RecordsAlias,
            scene(
                "records-alias",
                "the name of the records is an alias of one with 3 1 1",
                &right,
            ),
        ),
        shaped(
            Shape::RecordsAlias,
            scene(
                "records-alias-stale",
                "the same, of another key",
                &[Wrong(3, 1, 1)],
            ),
        ),
    ]
}
