//! Who runs an MX host.

use std::collections::HashMap;
use std::sync::Arc;

use mail::Domain;

/// The providers of hosts seen before.
#[derive(Debug, Default)]
pub(super) struct Providers(HashMap<Domain, Arc<str>>);

impl Providers {
    /// The registrable domain of the host's name, by the public suffix list that is built in: `mx1.mail.example.co.uk` is
    /// run by `example.co.uk`. A name that is a public suffix itself stands for its provider.
    pub(super) fn of(&mut self, host: &Domain) -> Arc<str> {
        if let Some(known) = self.0.get(host) {
            return Arc::clone(known);
        }
        let provider: Arc<str> = psl::domain_str(host.as_str()).unwrap_or(host.as_str()).into();
        self.0.insert(host.clone(), Arc::clone(&provider));
        provider
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_provider_is_the_registrable_domain() {
        let mut providers = Providers::default();
        for (host, provider) in [
            ("mx1.mail.example.co.uk", "example.co.uk"),
            ("example-nl.mail.protection.outlook.com", "outlook.com"),
            ("mx.example.nl", "example.nl"),
            ("example.nl", "example.nl"),
            ("co.uk", "co.uk"),
            ("mx", "mx"),
            ("mx.demo", "mx.demo"),
        ] {
            for _ in 0..2 {
                assert_eq!(&*providers.of(&Domain::parse(host).unwrap()), provider);
            }
        }
    }
}
