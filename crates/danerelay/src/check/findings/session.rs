//! What the server at one address did.

use super::code::Code;
use super::gathered::{Findings, in_days, whose};
use super::records::{to_publish, wait};
use crate::check::observation::{AddressSeen, HostSeen, OfferResult, VersionSeen, WebPkiSeen, short};
use crate::check::outcome::Outcome;
use crate::explain::{CertificateReport, PublishedRecord, TlsaStatus};
use crate::tlsa_records;

pub(super) fn judge(report: &mut Findings<'_>, host: &HostSeen, address: &AddressSeen) {
    let words = address.reason.clone().unwrap_or_default();
    match address.outcome {
        // What there was no time for is said of the domain.
        Outcome::NotTried | Outcome::NotExamined | Outcome::Verified | Outcome::Encrypted => {}
        Outcome::NoRoute => report.add(Code::NoRoute, "this machine has no way there: it was not tested"),
        Outcome::OurFault => report.add_with_fix(
            Code::OurFault,
            format!("this machine could not connect: {words}"),
            "mend it here (danerelay doctor), and check again",
        ),
        Outcome::Unreachable => report.add_with_fix(
            Code::Unreachable,
            format!("no connection: {words}"),
            "let the server listen there, or remove the address",
        ),
        Outcome::Unanswered => report.add(Code::Unanswered, format!("no SMTP session: {words}")),
        Outcome::Refused => report.add(Code::Refused, format!("the server refuses us: {words}")),
        Outcome::Clear => report.add_with_fix(
            Code::NoTls,
            format!("mail is taken in clear ({words})"),
            "let the server offer STARTTLS",
        ),
        Outcome::NoStarttls => report.add_with_fix(
            Code::NoStarttls,
            "STARTTLS is not offered, although TLSA records are published",
            "let the server, or the firewall before it, offer STARTTLS; if it does, somebody on the way takes it out: test from \
             another network",
        ),
        Outcome::StarttlsRefused => report.add_with_fix(
            Code::StarttlsRefused,
            format!("STARTTLS is refused, although TLSA records are published: {words}"),
            "look at the server's log: often it cannot read its key",
        ),
        Outcome::HandshakeBroken => report.add_with_fix(
            Code::HandshakeBroken,
            format!("the TLS handshake fails: {words}"),
            "let the server offer TLS 1.2 or 1.3 with an ECDHE suite of AES-GCM or ChaCha20",
        ),
        Outcome::NoMatch
        | Outcome::NameMismatch
        | Outcome::Expired
        | Outcome::Untrusted
        | Outcome::WrongKey
        | Outcome::UnsupportedKey => unproven(report, host, address),
    }
    certificates(report, host, address);
    offers(report, host, address);
}

fn unproven(report: &mut Findings<'_>, host: &HostSeen, address: &AddressSeen) {
    let words = address.reason.clone().unwrap_or_default();
    let subject = address.presented.first().map_or("", |own| own.subject.as_str());
    match address.outcome {
        Outcome::NoMatch => match missing_issuer(host, address) {
            Some((record, issuer)) => issuer_missing(report, &record, issuer),
            None => no_match(report, host, address),
        },
        Outcome::NameMismatch => {
            let base = host.tlsa.base.as_deref().unwrap_or(&host.name);
            report.add_with_fix(
                Code::NameMismatch,
                format!(
                    "a trust anchor (usage 2) matches, but the certificate of {subject} names another host"
                ),
                format!("have it issued for {base}, or publish 3 1 1, which does not look at names"),
            );
        }
        Outcome::Expired => report.add_with_fix(
            Code::ChainExpired,
            format!("a trust anchor (usage 2) matches, but a certificate is not valid now: {words}"),
            "renew the certificate, or publish 3 1 1, which does not look at dates",
        ),
        Outcome::Untrusted => report.add_with_fix(
            Code::ChainUntrusted,
            format!("a trust anchor (usage 2) matches, but no valid path leads to it: {words}"),
            "let the server send all certificates from its own up to the anchor, in order",
        ),
        Outcome::WrongKey => report.add_with_fix(
            Code::WrongKey,
            "the server does not have the private key of the certificate that it shows",
            "install certificate and key that belong together; if they do, somebody is in the middle",
        ),
        Outcome::UnsupportedKey => report.add_with_fix(
            Code::UnsupportedKey,
            format!("no handshake can be signed with the certificate's key: {words}"),
            "use ECDSA P-256 or P-384, or RSA of 2048 bits or more",
        ),
        _ => {}
    }
}

/// The digest of a trust anchor, and the issuer with which the chain goes on that the server does not send, if only trust
/// anchors are published and the server does not send a whole chain.
fn missing_issuer<'a>(host: &HostSeen, address: &'a AddressSeen) -> Option<(String, &'a str)> {
    let usable = || host.tlsa.records.iter().filter(|record| record.usable);
    let last = address.presented.last().filter(|last| !last.self_issued)?;
    let is_by_anchors = usable().all(|record| record.usage == 2);
    let digest = usable().find(|record| record.matching_type != 0)?;
    is_by_anchors.then(|| (short(&digest.record), last.issuer.as_str()))
}

fn issuer_missing(report: &mut Findings<'_>, record: &str, issuer: &str) {
    report.add_with_fix(
        Code::IssuerMissing,
        tlsa_records::issuer_not_sent(record, issuer),
        format!(
            "let the server send the whole chain (fullchain), with the root if the record is the root's; if the record is \
             that of another issuer than {issuer} and those above it, publish one for an issuer that is sent, or 3 1 1"
        ),
    );
}

fn no_match(report: &mut Findings<'_>, host: &HostSeen, address: &AddressSeen) {
    let records: Vec<String> = host
        .tlsa
        .records
        .iter()
        .filter(|record| record.usable)
        .map(|record| short(&record.record))
        .collect();
    let shown = address.presented.first().and_then(|own| own.record.as_deref());
    let shown = shown.map_or_else(String::new, |record| {
        format!(" (it would match {})", short(record))
    });
    let who = whose(report.seen, host).unwrap_or_default();
    let publish = to_publish(report, host).unwrap_or_else(|| "publish its record 3 1 1".to_owned());
    report.add_with_fix(
        Code::TlsaNoMatch,
        format!(
            "none of the TLSA records ({}) matches what the server shows{shown}",
            records.join(", ")
        ),
        format!(
            "{who}install the certificate with the published key again; or, if what is shown here is the server's own \
             certificate, {publish}; {} seconds later, remove the records that match nothing",
            wait(host)
        ),
    );
}

/// Dates and strength.
fn certificates(report: &mut Findings<'_>, host: &HostSeen, address: &AddressSeen) {
    if let Some(own) = address.presented.first() {
        strength(report, own);
    }
    for (own, issuers, published) in own_certificates(address) {
        match Proof::of(published) {
            Proof::Anchor(length) => {
                for certificate in std::iter::once(own).chain(issuers).take(length) {
                    let why = "under usage 2 dates count";
                    expiring(report, certificate, (why, "renew it"), Code::CertificateExpires);
                }
            }
            Proof::Key => own_dates(report, own, true),
            Proof::None => own_dates(report, own, false),
        }
    }
    let wants_webpki = host.tlsa.status != TlsaStatus::Usable || report.seen.mta_sts.is_a_policy();
    if let Some(reason) = address.webpki_reason.as_ref().filter(|_| wants_webpki)
        && matches!(
            address.webpki,
            WebPkiSeen::NameMismatch | WebPkiSeen::Expired | WebPkiSeen::Untrusted
        )
    {
        report.add(
            Code::NotInWebPki,
            format!("without DANE nobody could trust the certificate: {reason}"),
        );
    }
}

/// What proves a certificate.
enum Proof {
    /// A record for its own key.
    Key,
    /// The chain up to a trust anchor, of so many certificates that are sent.
    Anchor(usize),
    None,
}

impl Proof {
    fn of(published: &[PublishedRecord]) -> Self {
        let matched = || {
            let usable = published.iter().filter(|record| record.usable);
            usable.filter_map(|record| Some((record.matches?, record.is_from_dns)))
        };
        if matched().any(|(depth, _)| depth == 0) {
            return Self::Key;
        }
        // The anchor is among those that are sent unless the record holds it.
        let lengths = matched().map(|(depth, is_from_dns)| depth + usize::from(!is_from_dns));
        lengths.max().map_or(Self::None, Self::Anchor)
    }
}

/// One of the server's own certificates, its issuers as far as they are known, and how the records compare with it.
type Own<'a> = (
    &'a CertificateReport,
    &'a [CertificateReport],
    &'a [PublishedRecord],
);

/// The server's own certificates, one for each kind of key.
fn own_certificates(address: &AddressSeen) -> Vec<Own<'_>> {
    let first = address.presented.split_first();
    let first = first.map(|(own, issuers)| (own, issuers, address.published.as_slice()));
    let others = address
        .offers
        .iter()
        .filter_map(|offer| Some((offer.certificate.as_ref()?, &[][..], offer.published.as_slice())));
    let mut all: Vec<Own<'_>> = Vec::new();
    for own in first.into_iter().chain(others) {
        let identity = |own: &Own<'_>| (own.0.record.clone(), own.0.not_after);
        if !all.iter().any(|known| identity(known) == identity(&own)) {
            all.push(own);
        }
    }
    all
}

/// Under usage 3 dates do not count for mail that DANE secures, but do for MTA-STS and other clients.
fn own_dates(report: &mut Findings<'_>, own: &CertificateReport, by_key: bool) {
    let renewal = if by_key {
        "renew it, with the same key, or after the next key's record has been published for twice its TTL"
    } else {
        "renew it"
    };
    let is_over = own.not_after.is_some_and(|end| end <= report.now);
    match (is_over, report.seen.mta_sts.is_a_policy()) {
        (true, _) if by_key => report.add_with_fix(
            Code::CertificateExpired,
            format!(
                "the certificate expired at {}; usage 3 does not look at dates",
                own.not_after.unwrap_or_default()
            ),
            "renew it all the same, with the same key: other clients do",
        ),
        // What the WebPKI says of it is told apart.
        (true, _) => {}
        (false, true) => expiring(
            report,
            own,
            ("under the MTA-STS policy dates count", renewal),
            Code::CertificateExpires,
        ),
        (false, false) => {
            let why = if by_key {
                "usage 3 does not look at dates"
            } else {
                "no TLSA record that matches it and no policy looks at dates"
            };
            expiring(report, own, (why, renewal), Code::CertificateRenewal);
        }
    }
}

fn expiring(
    report: &mut Findings<'_>,
    certificate: &CertificateReport,
    (why, fix): (&str, &str),
    code: Code,
) {
    let Some(end) = certificate.not_after.filter(|end| *end > report.now) else {
        return;
    };
    if let Some(days) = report.days_left(end) {
        let what = match certificate.subject.as_str() {
            "" => "the certificate".to_owned(),
            subject => format!("the certificate {subject}"),
        };
        report.add_with_fix(
            code,
            format!(
                "{what} ({}) expires {}, at {end}: {why}",
                certificate.key,
                in_days(days)
            ),
            fix,
        );
    }
}

fn strength(report: &mut Findings<'_>, own: &CertificateReport) {
    if let Some(weakness) = &own.weak {
        report.add_with_fix(
            Code::WeakCertificate,
            weakness.clone(),
            "have one issued for ECDSA P-256, or RSA of 2048 bits or more, with SHA-256 or better",
        );
    }
}

/// The other version, and the other kind of key.
fn offers(report: &mut Findings<'_>, host: &HostSeen, address: &AddressSeen) {
    for offer in &address.offers {
        let is_plain = offer.keys.is_none();
        if is_plain && offer.version == VersionSeen::Tls13 && offer.result == OfferResult::Declined {
            report.add_with_fix(
                Code::NoTls13,
                "TLS 1.3 is not offered",
                "update the server's TLS library, or switch it on",
            );
        }
    }
    other_keys(report, host, address);
}

/// The certificates that some clients get, and that the records do not verify: each once.
fn other_keys(report: &mut Findings<'_>, host: &HostSeen, address: &AddressSeen) {
    if address.outcome != Outcome::Verified {
        return;
    }
    let refused = address
        .offers
        .iter()
        .filter(|offer| offer.verified == Some(false));
    let mut told: Vec<Option<&str>> = Vec::new();
    for offer in refused {
        let certificate = offer.certificate.as_ref();
        let (key, record) = certificate.map_or(("", None), |one| (one.key.as_str(), one.record.as_deref()));
        if told.contains(&record) {
            continue;
        }
        told.push(record);
        let publish = to_publish(report, host).unwrap_or_else(|| "publish its record as well".to_owned());
        report.add_with_fix(
            Code::TlsaNoMatchOtherKey,
            format!(
                "clients that offer other keys or versions get another certificate ({key}), which the TLSA records do not verify{}",
                record.map_or_else(String::new, |record| format!(" (it would match {})", short(record)))
            ),
            publish,
        );
    }
}
