//! Addresses, domains and next hops.

use mail::address::PATH_LENGTH;
use mail::domain::DOMAIN_LENGTH;
use mail::{Domain, DomainPart, Mailbox, NextHop, ReversePath};

/// Whatever parses is printed in a form that parses to the same thing, and has no character that could break a
/// command line.
pub fn mailbox(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    if let Ok(domain) = Domain::parse(&text) {
        sound_domain(&domain);
    }
    if let Ok(part) = DomainPart::parse(&text) {
        assert_eq!(DomainPart::parse(&part.to_string()), Ok(part));
    }
    if let Ok(next_hop) = text.parse::<NextHop>() {
        comes_back(&next_hop);
    }
    let mailbox = Mailbox::parse(&text);
    let path = match (&*text, mailbox.clone()) {
        ("", _) => Ok(ReversePath::Null),
        (_, mailbox) => mailbox.map(ReversePath::Mailbox),
    };
    assert_eq!(ReversePath::parse(&text), path);
    let from_client = Mailbox::from_client(&text);
    if let Ok(mailbox) = mailbox {
        // A domain is sent without the dot at its end (RFC 5321 §4.1.2).
        sound_mailbox(&mailbox, text.strip_suffix('.').unwrap_or(&text));
        assert_eq!(from_client, Ok(mailbox));
    } else if let Ok(quoted) = from_client {
        sound_mailbox(&quoted, quoted.as_str());
    }
}

fn sound_domain(domain: &Domain) {
    let name = domain.as_str();
    assert_eq!(Domain::parse(name).as_ref(), Ok(domain));
    assert!((1..=DOMAIN_LENGTH).contains(&name.len()));
    assert!(name.split('.').all(|label| (1..=63).contains(&label.len())));
    let allowed = |octet| matches!(octet, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.');
    assert!(name.bytes().all(allowed), "{name:?}");
    if let Some(parent) = domain.parent() {
        assert!(name.ends_with(parent.as_str()) && parent != *domain);
        assert_eq!(Domain::parse(parent.as_str()), Ok(parent));
    }
}

fn comes_back(next_hop: &NextHop) {
    let text = next_hop.to_string();
    assert_eq!(text.parse().as_ref(), Ok(next_hop), "{text}");
}

fn sound_mailbox(mailbox: &Mailbox, text: &str) {
    assert_eq!((mailbox.as_str(), &*mailbox.to_string()), (text, text));
    assert!(text.len() <= PATH_LENGTH && !text.contains(char::is_control));
    assert!(!mailbox.local_part().is_empty());
    let domain = text
        .strip_prefix(mailbox.local_part())
        .unwrap()
        .strip_prefix('@')
        .unwrap();
    assert_eq!(DomainPart::parse(domain).as_ref(), Ok(mailbox.domain()));
    // With its domain as it was understood it is the same destination.
    let canonical = format!("{}@{}", mailbox.local_part(), mailbox.domain());
    if canonical.len() <= PATH_LENGTH {
        assert_eq!(Mailbox::parse(&canonical).unwrap().domain(), mailbox.domain());
    }
    if let Some(ascii) = mailbox.to_ascii() {
        assert!(ascii.is_ascii() && ascii.domain() == mailbox.domain());
    }
    comes_back(&NextHop::of(mailbox));
}
