//! What to write to those who run the other side: the facts, what they mean, and how to mend it.

use std::fmt::Write as _;

use mail::incident::{Cause, Kind, Likely};
use mail::printable::Printable;
use mail::registrable;
use mail::sighting::{Evidence, Starttls, Trouble};
use mail::words::moment;
use mail::{Domain, count, wrap};
use serde::{Deserialize, Serialize};

use super::change::Member;
use super::incident::Incident;
use super::words::{TlsBy, place_name, said};

/// Letters are wrapped at this many characters; records are not.
const WIDTH: usize = 72;

/// A letter, and how to get it to its reader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// Whom it is for.
    pub to: String,
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub text: String,
    /// How to reach them, where mail to them may wait as well.
    pub ways: Vec<String>,
}

/// The letter about an incident; `None` if it is on our own side. `relay` is our name.
pub fn write(incident: &Incident, relay: &str) -> Option<Letter> {
    let Cause::Mail(trouble) = incident.cause else {
        return None;
    };
    let failing = incident.members.iter().find(|member| member.ended.is_none());
    let member = failing
        .or(incident.members.first())
        .filter(|_| !incident.is_ours())?;
    let named = member.place.domain()?;
    let domain = match incident.kind {
        Kind::Host | Kind::Provider => registrable::of(named),
        Kind::Domain | Kind::Ours => named.clone(),
    };
    let name = &incident.name;
    let subject = if waits(incident) {
        let since = moment(incident.oldest.unwrap_or(incident.first_seen));
        format!("Mail to {name} waits since {since}: {}", topic(trouble))
    } else {
        let since = moment(incident.first_seen);
        format!("{name} fails our checks since {since}: {}", topic(trouble))
    };
    Some(Letter {
        to: format!("postmaster@{domain}"),
        subject,
        text: text(incident, (trouble, member), relay),
        ways: ways(incident, &domain),
    })
}

fn text(incident: &Incident, (trouble, member): (Trouble, &Member), relay: &str) -> String {
    let mut text = String::from("Dear postmaster,\n\n");
    let whose = match incident.kind {
        Kind::Provider => format!(
            "several of your mail servers, such as {}",
            place_name(&member.place)
        ),
        Kind::Host | Kind::Domain | Kind::Ours => incident.name.clone(),
    };
    paragraph(
        &mut text,
        &format!(
            "our mail relay {relay} verifies the mail servers of others by {}. {}",
            means(trouble, incident.tls_by()).0,
            if waits(incident) {
                format!(
                    "It cannot deliver to {whose}: {}. So the mail waits in our queue.",
                    said(trouble, incident.tls_by())
                )
            } else {
                format!(
                    "It cannot verify {whose}: {}. Where we demand that check, mail waits.",
                    said(trouble, incident.tls_by())
                )
            }
        ),
    );
    text.push_str("What we see\n\n");
    facts(&mut text, incident, member);
    if !incident.finding.changes.is_empty() {
        text.push_str("\nWhat has changed\n\n");
        for change in &incident.finding.changes {
            item(&mut text, change);
        }
    }
    text.push_str("\nWhat it means\n\n");
    paragraph(&mut text, &meaning(incident, trouble));
    text.push_str("How to mend it\n\n");
    for step in steps(trouble, incident, member) {
        item(&mut text, &step);
    }
    if let Some(check) = check(trouble, member) {
        let _ = write!(text, "\nHow to check it\n\n  {check}\n");
    }
    if waits(incident) {
        text.push_str("\nOur relay tries again by itself, and delivers as soon as this is mended.\n");
    }
    let _ = write!(text, "\nKind regards,\npostmaster of {relay}\n");
    text
}

/// Whether mail waits because of it: under soft-fail, and where another host takes it, none does.
fn waits(incident: &Incident) -> bool {
    incident.messages > 0
}

/// By what servers are verified that fail in this way, and what other senders notice.
fn means(trouble: Trouble, tls_by: TlsBy) -> (&'static str, &'static str) {
    match trouble {
        Trouble::StarttlsNotOffered | Trouble::StarttlsRefused | Trouble::Injection | Trouble::Handshake
            if tls_by == TlsBy::Rule =>
        {
            (
                "TLS (RFC 3207), and demands that of yours",
                "Other senders that demand TLS, or honour MTA-STS, have the same problem; the others notice nothing.",
            )
        }
        Trouble::WebPki | Trouble::MtaStsMismatch => (
            "their certificates and MTA-STS (RFC 8461)",
            "Other senders that honour MTA-STS have the same problem; the others notice nothing.",
        ),
        Trouble::MxBogus | Trouble::AddressBogus => (
            "DNSSEC and DANE (RFC 7672)",
            "Other senders whose resolvers validate have the same problem, and cannot deliver at all; the others notice \
             nothing.",
        ),
        Trouble::InsecureMx
        | Trouble::AddressName
        | Trouble::InsecureHost
        | Trouble::NoSecureTlsa
        | Trouble::NoUsableTlsa => (
            "DANE (RFC 7672), and demands that of yours",
            "Most other senders notice nothing: they do not demand it of you.",
        ),
        Trouble::TlsaBogus
        | Trouble::TlsaLookup
        | Trouble::NoMatchingTlsa
        | Trouble::NameMismatch
        | Trouble::CertificateExpired
        | Trouble::CertificateUntrusted
        | Trouble::UnsupportedKey
        | Trouble::WrongSignature
        | Trouble::StarttlsNotOffered
        | Trouble::StarttlsRefused
        | Trouble::Injection
        | Trouble::Handshake
        | Trouble::ResolverFails
        | Trouble::LoginFails => (
            "DANE (RFC 7672)",
            "Other senders that verify DANE have the same problem; those that do not verify it notice nothing.",
        ),
    }
}

/// The cause in a subject.
fn topic(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::NoMatchingTlsa => "the certificate matches no TLSA record",
        Trouble::NameMismatch | Trouble::CertificateExpired | Trouble::CertificateUntrusted => {
            "the certificate is not valid"
        }
        Trouble::UnsupportedKey | Trouble::WrongSignature | Trouble::Handshake => "the TLS handshake fails",
        Trouble::StarttlsNotOffered | Trouble::StarttlsRefused => "STARTTLS is missing",
        Trouble::Injection => "the session is tampered with",
        Trouble::MxBogus | Trouble::AddressBogus | Trouble::TlsaBogus => "DNSSEC signatures are not valid",
        Trouble::TlsaLookup => "TLSA look-ups fail",
        Trouble::InsecureMx
        | Trouble::AddressName
        | Trouble::InsecureHost
        | Trouble::NoSecureTlsa
        | Trouble::NoUsableTlsa => "DANE is not available",
        Trouble::WebPki => "there is no valid certificate",
        Trouble::MtaStsMismatch => "the MTA-STS policy does not list the MX hosts",
        Trouble::ResolverFails | Trouble::LoginFails => "it fails",
    }
}

/// One fact a line.
pub(super) fn facts(text: &mut String, incident: &Incident, member: &Member) {
    let now = &member.now;
    let mut fact = |name: &str, value: &str| {
        // Some of it is what the other side says.
        let _ = writeln!(text, "  {name:<11} {}", Printable(value));
    };
    let address = now
        .address
        .map_or_else(String::new, |address| format!(" [{address}]"));
    let name = if member.place.is_ours() { "what" } else { "name" };
    fact(name, &format!("{}{address}", place_name(&member.place)));
    fact("failing", &format!("since {}", moment(incident.first_seen)));
    fact("last seen", &moment(now.at));
    if let Some(worked) = member.before_until {
        fact("last fine", &moment(worked));
    }
    match now.starttls {
        Starttls::Unknown => {}
        Starttls::Offered => fact("STARTTLS", "offered"),
        Starttls::NotOffered => fact("STARTTLS", "not offered"),
        Starttls::Refused(code) => fact("STARTTLS", &format!("refused with {code}")),
    }
    if !now.reason.is_empty() {
        fact("error", &now.reason);
    }
    for (depth, certificate) in now.presented.iter().enumerate() {
        let name = if depth == 0 { "presents" } else { "" };
        fact(name, &described(certificate));
        if let Some(record) = &certificate.record {
            fact("", &format!("would match  {record}"));
        }
    }
    for (number, record) in now.published.iter().enumerate() {
        let name = if number == 0 { "publishes" } else { "" };
        fact(name, &format!("{} TLSA {record}", owner(now)));
    }
}

fn described(certificate: &mail::sighting::PresentedCertificate) -> String {
    let date = |time: Option<jiff::Timestamp>| time.map_or_else(|| "?".to_owned(), mail::words::day);
    format!(
        "{}, issued by {}, valid {} to {}",
        certificate.subject,
        certificate.issuer,
        date(certificate.not_before),
        date(certificate.not_after)
    )
}

/// The name of the TLSA records.
fn owner(evidence: &Evidence) -> String {
    let port = evidence.port.unwrap_or(25);
    let base = evidence.base.as_ref().map_or("?", Domain::as_str);
    format!("_{port}._tcp.{base}. IN")
}

fn meaning(incident: &Incident, trouble: Trouble) -> String {
    let (_, others) = means(trouble, incident.tls_by());
    if !waits(incident) {
        return format!("No mail waits here because of it at present. {others}");
    }
    let mut text = format!(
        "{} of {} here cannot be delivered",
        count(incident.messages, "message"),
        incident.domains_in_words()
    );
    if let Some(oldest) = incident.oldest {
        let _ = write!(text, "; the oldest waits since {}", moment(oldest));
    }
    text.push('.');
    if let Some(end) = incident.first_return {
        let _ = write!(
            text,
            " Unless this is mended, the first is returned to its sender on {}.",
            moment(end)
        );
    }
    let _ = write!(text, " {others}");
    text
}

/// What to do, by what it most likely is.
fn steps(trouble: Trouble, incident: &Incident, member: &Member) -> Vec<String> {
    let key = member.now.leaf_key();
    let publish = key.map(|key| {
        format!(
            "If the key above is yours: publish the record that matches it beside those that are there, and remove \
             the others when their TTL has passed: {} TLSA {key}",
            owner(&member.now)
        )
    });
    let not_yours =
        "If it is not yours: somebody answers in your place, or in front of your server.".to_owned();
    match trouble {
        Trouble::NoMatchingTlsa => {
            let again = (incident.finding.likely == Likely::ForgottenRollover)
                .then(|| "Or install the former key and certificate again until the new record is published.".to_owned());
            let next = "At the next change of the key, publish the new record two TTLs before the key is used.";
            publish
                .into_iter()
                .chain(again)
                .chain([not_yours, next.to_owned()])
                .collect()
        }
        Trouble::StarttlsNotOffered | Trouble::StarttlsRefused | Trouble::Injection => vec![
            "Offer STARTTLS to all clients, and see whether a firewall or filter in front of the server removes it from \
             the reply to EHLO."
                .to_owned(),
            "If your server does offer it: somebody between you and us removes it, and we should like to know.".to_owned(),
        ],
        Trouble::CertificateExpired | Trouble::NameMismatch | Trouble::CertificateUntrusted => vec![
            "With usage 2 the certificate must be valid at present, name the host, and be sent with its issuers. Install \
             one that is, or publish a record 3 1 1 for the key, which depends on none of this."
                .to_owned(),
        ],
        Trouble::MxBogus | Trouble::AddressBogus | Trouble::TlsaBogus => vec![
            "Sign the zone again, and see whether the DS records in the parent zone fit its keys; dnsviz.net draws the \
             chain."
                .to_owned(),
        ],
        Trouble::TlsaLookup => vec![
            "See whether all name servers of the zone answer questions of type TLSA, with records or with a proof that \
             there are none."
                .to_owned(),
        ],
        Trouble::WrongSignature | Trouble::UnsupportedKey | Trouble::Handshake | Trouble::WebPki => {
            vec!["See whether the server's key belongs to its certificate, and what its log says of our handshakes.".to_owned(), not_yours]
        }
        Trouble::InsecureMx
        | Trouble::AddressName
        | Trouble::InsecureHost
        | Trouble::NoSecureTlsa
        | Trouble::NoUsableTlsa => vec![
            "Sign the zones of the domain and of its MX hosts, and publish TLSA records 3 1 1 or 2 1 1 for each host."
                .to_owned(),
        ],
        Trouble::MtaStsMismatch => {
            vec!["List all MX hosts in the policy at https://mta-sts.DOMAIN/.well-known/mta-sts.txt, and give it a new id.".to_owned()]
        }
        Trouble::ResolverFails | Trouble::LoginFails => Vec::new(),
    }
}

/// A command with which they can see it themselves.
fn check(trouble: Trouble, member: &Member) -> Option<String> {
    let name = member.place.domain()?;
    let port = member.now.port.unwrap_or(25);
    match trouble {
        Trouble::MxBogus | Trouble::InsecureMx | Trouble::AddressName => Some(format!("delv {name} MX")),
        Trouble::AddressBogus | Trouble::InsecureHost => Some(format!("delv {name} A")),
        Trouble::TlsaBogus | Trouble::TlsaLookup | Trouble::NoSecureTlsa | Trouble::NoUsableTlsa => {
            Some(format!("delv _{port}._tcp.{name} TLSA"))
        }
        Trouble::MtaStsMismatch | Trouble::ResolverFails | Trouble::LoginFails => None,
        Trouble::NoMatchingTlsa
        | Trouble::NameMismatch
        | Trouble::CertificateExpired
        | Trouble::CertificateUntrusted
        | Trouble::UnsupportedKey
        | Trouble::WrongSignature
        | Trouble::WebPki
        | Trouble::StarttlsNotOffered
        | Trouble::StarttlsRefused
        | Trouble::Injection
        | Trouble::Handshake => {
            let mut command = format!("openssl s_client -starttls smtp -connect {name}:{port}");
            let base = member.now.base.as_ref().unwrap_or(name);
            if member.now.published.is_empty() {
                let _ = write!(command, " -verify_hostname {name} -verify_return_error");
            } else {
                let _ = write!(command, " -dane_tlsa_domain {base}");
            }
            for record in &member.now.published {
                let _ = write!(command, " -dane_tlsa_rrdata '{record}'");
            }
            Some(command)
        }
    }
}

/// How to reach them: their own mail may wait for the same reason.
fn ways(incident: &Incident, domain: &Domain) -> Vec<String> {
    let waits = incident.some_domains.contains(domain)
        || incident.names().any(|name| registrable::of(name) == *domain);
    let mut ways = Vec::new();
    if waits {
        ways.push(format!(
            "mail to postmaster@{domain} goes to the servers that fail, and would wait here with the rest: send the \
             letter from a mailbox elsewhere, or let the mail of this one domain pass with an exception for \
             domain = \"{domain}\""
        ));
    }
    ways.push(format!(
        "the mailbox in the SOA record of their zone, if it is in another domain: danerelay dns {domain} SOA"
    ));
    ways.push(format!(
        "the technical contact in WHOIS or RDAP: whois {domain}; the abuse contact of their network"
    ));
    ways.push(
        "their support or status page; a telephone call is the fastest, and proves who answers".to_owned(),
    );
    ways
}

/// A paragraph, wrapped.
fn paragraph(text: &mut String, words: &str) {
    wrapped(text, words, "", "");
    text.push('\n');
}

/// An item of a list, wrapped.
pub(super) fn item(text: &mut String, words: &str) {
    wrapped(text, words, "  - ", "    ");
}

/// The words, of which some are the other side's, wrapped.
fn wrapped(text: &mut String, words: &str, first: &str, rest: &str) {
    for line in wrap(&Printable(words).to_string(), WIDTH, first, rest) {
        let _ = writeln!(text, "{line}");
    }
}
