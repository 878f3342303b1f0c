//! Whose host it is: the registrable part of its name, by the public suffix list that is built in.

/// The registrable part of a name: `provider.example` of `mx1.mail.provider.example`. The name itself if it has none.
pub use spool::registrable::{of, part};

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use mail::Domain;

    use super::*;

    #[test]
    fn a_provider_is_what_can_be_registered() {
        for (host, provider) in [
            ("mx1.mail.provider.example", "provider.example"),
            ("provider.example", "provider.example"),
            ("mx.provider.co.uk", "provider.co.uk"),
            ("provider.co.uk", "provider.co.uk"),
            ("example-nl.mail.protection.outlook.com", "outlook.com"),
            ("co.uk", "co.uk"),
            ("example", "example"),
        ] {
            let host = Domain::parse(host).unwrap();
            assert_eq!(of(&host).as_str(), provider);
        }
    }
}
