//! Who reports: the names and addresses in every report.

use mail::{Domain, DomainPart, Mailbox};

/// The longest name of an organization, in octets.
const ORGANIZATION: usize = 256;

/// Who reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reporter {
    organization: String,
    contact: Mailbox,
    sender: Mailbox,
    submitter: Domain,
}

/// Why these names make no reporter: the administrator has to fix it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReporterFault {
    /// There is no name.
    #[error("the organization has no name; allowed: 1 to {ORGANIZATION} octets on one line")]
    NoName,
    /// It is too long, or has control characters.
    #[error(
        "the name of the organization is too long or has control characters; allowed: 1 to {ORGANIZATION} octets on one line"
    )]
    Name,
    /// An address literal, which signs nothing and has no reputation.
    #[error("{0} has no domain name; allowed: an address like \"tlsrpt@example.nl\"")]
    NoDomain(Mailbox),
    /// The local part needs SMTPUTF8, which the receivers of reports may not have.
    #[error("the local part of {0} is not ASCII")]
    NotAscii(Mailbox),
    /// Two domains where one is needed (RFC 8460 §5.3).
    #[error(
        "the sender {sender} and the contact {contact} have different domains; allowed: the same domain, which also signs the mail"
    )]
    Domains {
        /// From whom reports are mailed.
        sender: Mailbox,
        /// Whom receivers of reports may ask.
        contact: Mailbox,
    },
}

impl Reporter {
    /// Puts them together. Sender and contact must have the same domain: receivers compare the contact's with the one that
    /// signs (RFC 8460 §3, §5.3), and mail whose From is of another domain than its signature is often refused.
    pub fn new(organization: &str, contact: &Mailbox, sender: &Mailbox) -> Result<Self, ReporterFault> {
        let organization = organization.trim();
        if organization.is_empty() {
            return Err(ReporterFault::NoName);
        }
        if organization.len() > ORGANIZATION || organization.chars().any(char::is_control) {
            return Err(ReporterFault::Name);
        }
        let submitter = named(contact)?;
        if named(sender)? != submitter {
            return Err(ReporterFault::Domains {
                sender: sender.clone(),
                contact: contact.clone(),
            });
        }
        Ok(Self {
            organization: organization.to_owned(),
            contact: ascii(contact)?,
            sender: ascii(sender)?,
            submitter,
        })
    }

    /// The organization's name.
    pub fn organization(&self) -> &str {
        &self.organization
    }

    /// Whom receivers of reports may ask.
    pub fn contact(&self) -> &Mailbox {
        &self.contact
    }

    /// From whom reports are mailed.
    pub fn sender(&self) -> &Mailbox {
        &self.sender
    }

    /// The domain of both, which is called the submitter (RFC 8460 §5.3).
    pub fn submitter(&self) -> &Domain {
        &self.submitter
    }
}

fn named(mailbox: &Mailbox) -> Result<Domain, ReporterFault> {
    match mailbox.domain() {
        DomainPart::Name(domain) if !domain.is_bare_address() => Ok(domain.clone()),
        DomainPart::Name(_) | DomainPart::Literal(_) => Err(ReporterFault::NoDomain(mailbox.clone())),
    }
}

fn ascii(mailbox: &Mailbox) -> Result<Mailbox, ReporterFault> {
    mailbox
        .to_ascii()
        .ok_or_else(|| ReporterFault::NotAscii(mailbox.clone()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn reporter(organization: &str, contact: &str, sender: &str) -> Result<Reporter, ReporterFault> {
        let mailbox = |text| Mailbox::parse(text).unwrap();
        Reporter::new(organization, &mailbox(contact), &mailbox(sender))
    }

    #[test]
    fn one_domain_stands_for_all() {
        let reporter = reporter(" Example ", "a@Example.nl", "tlsrpt@example.nl").unwrap();
        let said = (reporter.organization(), reporter.submitter().as_str());
        assert_eq!(said, ("Example", "example.nl"));
    }

    #[test]
    fn what_receivers_would_refuse_is_refused() {
        let refused = |organization, contact, sender| reporter(organization, contact, sender).unwrap_err();
        let good = "a@example.nl";
        assert_eq!(refused(" ", good, good), ReporterFault::NoName);
        assert_eq!(refused("a\nb", good, good), ReporterFault::Name);
        let literal = refused("A", "a@[192.0.2.1]", good);
        assert!(matches!(literal, ReporterFault::NoDomain(_)));
        let bare = refused("A", good, "a@192.0.2.1");
        assert!(matches!(bare, ReporterFault::NoDomain(_)));
        let international = refused("A", "\u{e9}@example.nl", good);
        assert!(matches!(international, ReporterFault::NotAscii(_)));
        let error = refused("A", good, "a@relay.example.nl").to_string();
        assert!(
            error.contains("a@relay.example.nl and the contact a@example.nl"),
            "{error}"
        );
    }
}
