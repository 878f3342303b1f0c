//! Whose host it is: the registrable part of its name, by the public suffix list.

use mail::Domain;

/// The registrable part of a name: `provider.example` of `mx1.mail.provider.example`. The name itself if it has none.
pub fn of(host: &Domain) -> Domain {
    let registrable = psl::domain_str(host.as_str());
    registrable
        .and_then(|name| Domain::parse(name).ok())
        .unwrap_or_else(|| host.clone())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_provider_is_what_can_be_registered() {
        for (host, provider) in [
            ("mx1.mail.provider.example", "provider.example"),
            ("provider.example", "provider.example"),
            ("mx.provider.co.uk", "provider.co.uk"),
            ("provider.co.uk", "provider.co.uk"),
            ("co.uk", "co.uk"),
            ("example", "example"),
        ] {
            assert_eq!(of(&Domain::parse(host).unwrap()).as_str(), provider);
        }
    }
}
