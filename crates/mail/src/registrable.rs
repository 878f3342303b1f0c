//! Who has registered a name: its registrable part, by the public suffix list that is built in.

use crate::Domain;

/// The registrable part of a name: `provider.example` of `mx1.mail.provider.example`. The name itself if it has none.
pub fn of(name: &Domain) -> Domain {
    Domain::parse(part(name)).unwrap_or_else(|_| name.clone())
}

/// The same as a part of the name's text.
pub fn part(name: &Domain) -> &str {
    psl::domain_str(name.as_str()).unwrap_or(name.as_str())
}

/// Whether others register their names below this one, as below `nl` or `co.uk`. Below some names in the other part of the
/// list, as demon.nl, a provider's customers are, and mail is at these, too: they are none.
pub fn is_registry(name: &Domain) -> bool {
    let octets = name.as_str().as_bytes();
    psl::suffix(octets).is_some_and(|suffix| suffix.typ() == Some(psl::Type::Icann) && suffix == octets)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_name_belongs_to_who_has_registered_it() {
        for (name, registered) in [
            ("mx1.mail.provider.example", "provider.example"),
            ("provider.example", "provider.example"),
            ("mx.provider.co.uk", "provider.co.uk"),
            ("provider.co.uk", "provider.co.uk"),
            ("example-nl.mail.protection.outlook.com", "outlook.com"),
            ("co.uk", "co.uk"),
            ("example", "example"),
        ] {
            assert_eq!(of(&Domain::parse(name).unwrap()).as_str(), registered);
        }
    }
}
