//! Names below which signatures are not demanded: `dns.domain_insecure` and exceptions with `dnssec = "off"` (RFC 7646).
//!
//! Exceptions begin and end with their dates, so the set is looked at each minute and after each reload.

use dns::Mode;
use jiff::Zoned;
use mail::Domain;
use mail::event::resolver::Resolver;
use mail::event::{Event, EventLog};
use policy::Policy;
use spool::Store;

use super::start::Daemon;
use crate::config::schema::Dns;

/// The names of today, sorted.
pub(crate) fn today(settings: &Dns, policy: &Policy) -> Vec<Domain> {
    let excepted = policy.negative_trust_anchors(Zoned::now().date());
    let mut names = settings.domain_insecure.clone();
    names.extend(excepted.map(|anchor| anchor.name.clone()));
    names.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    names.dedup();
    names
}

/// What the log says of them; nothing of an empty set at the start.
pub(super) fn event(names: &[Domain], mode: Mode) -> Event {
    Event::Resolver(Resolver::Unvalidated {
        names: names.to_vec(),
        has_effect: mode == Mode::Validate,
    })
}

impl<S: Store> Daemon<S> {
    /// Puts the names of today in force if they are not those in force already.
    pub(super) fn refresh_unvalidated(&mut self) {
        let names = today(&self.loaded.config.dns, &self.policy.load());
        if names == self.unvalidated {
            return;
        }
        self.resolver.set_domain_insecure(&names);
        self.log.write(&event(&names, self.resolver.mode()));
        self.unvalidated = names;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use mail::event::{Level, Record as _};
    use policy::{Sources, Text};

    use super::*;

    #[test]
    fn exceptions_that_are_over_and_those_from_other_things_do_not_count() {
        let exception = |name: &str, until: &str, what: &str| {
            format!(
                "[[exception]]\ndomain = \"{name}\"\nuntil = {until}\n{what} = \"off\"\nreason = \"test\"\n"
            )
        };
        let text = [
            "version = 1\n".to_owned(),
            exception("z.example", "2999-01-01", "dnssec"),
            exception("over.example", "2020-01-01", "dnssec"),
            exception("dane.example", "2999-01-01", "dane"),
        ]
        .concat();
        let policy = Text {
            file: Path::new("policy.toml"),
            text: &text,
        };
        let (policy, _) = Policy::compile(&Sources {
            policy,
            added: None,
            read: &|_| Err(std::io::ErrorKind::NotFound.into()),
            today: Zoned::now().date(),
        })
        .unwrap();
        let parse = |name| Domain::parse(name).unwrap();
        let settings = Dns {
            domain_insecure: vec![parse("z.example"), parse("a.example")],
            ..Dns::default()
        };
        assert_eq!(
            today(&settings, &policy),
            [parse("a.example"), parse("z.example")]
        );
    }

    #[test]
    fn where_they_have_no_effect_that_is_a_warning() {
        let names = [Domain::parse("a.example").unwrap()];
        assert_eq!(event(&names, Mode::TrustAd).level(), Level::Warning);
        assert_eq!(event(&names, Mode::Validate).level(), Level::Info);
        assert_eq!(event(&[], Mode::TrustAd).level(), Level::Info);
    }
}
