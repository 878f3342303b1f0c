//! Whose name it is: its registrable part, by the public suffix list that is built in.

use mail::Domain;
use mail::sighting::Place;

/// The registrable part of a name: `provider.example` of `mx1.mail.provider.example`. The name itself if it has none.
pub fn of(name: &Domain) -> Domain {
    Domain::parse(part(name)).unwrap_or_else(|_| name.clone())
}

/// The same as a part of the name's text.
pub fn part(name: &Domain) -> &str {
    psl::domain_str(name.as_str()).unwrap_or(name.as_str())
}

/// Who can make this place fail, and as many beside it as they like: the registrable part of its name. `None` for what is
/// ours.
pub fn holder(place: &Place) -> Option<Domain> {
    match place {
        Place::Host(name) | Place::Domain(name) => Some(of(name)),
        Place::Resolver | Place::Login(_) => None,
    }
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
            ("example-nl.mail.protection.outlook.com", "outlook.com"),
            ("co.uk", "co.uk"),
            ("example", "example"),
        ] {
            assert_eq!(of(&Domain::parse(name).unwrap()).as_str(), registered);
        }
        assert_eq!(holder(&Place::Resolver), None);
    }
}
