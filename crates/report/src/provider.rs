//! Whose host it is: the registrable part of its name, by the public suffix list that is built in.

use std::collections::HashMap;
use std::sync::Arc;

use mail::Domain;

/// The registrable part of a name: `provider.example` of `mx1.mail.provider.example`. The name itself if it has none.
pub use spool::registrable::of;

/// The providers of hosts seen before: a report meets the same host for many domains.
#[derive(Debug, Default)]
pub(crate) struct Providers(HashMap<Domain, Arc<str>>);

impl Providers {
    /// As [`of`].
    pub(crate) fn of(&mut self, host: &Domain) -> Arc<str> {
        if let Some(known) = self.0.get(host) {
            return Arc::clone(known);
        }
        let provider: Arc<str> = of(host).as_str().into();
        self.0.insert(host.clone(), Arc::clone(&provider));
        provider
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_provider_is_what_can_be_registered() {
        let mut providers = Providers::default();
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
            for _ in 0..2 {
                assert_eq!(&*providers.of(&host), provider);
            }
        }
    }
}
