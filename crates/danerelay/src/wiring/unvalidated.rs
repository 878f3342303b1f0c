//! Names below which signatures are not required: `dns.domain_insecure` and exceptions with `dnssec = "off"` (RFC 7646).

use jiff::Zoned;
use mail::Domain;
use policy::Policy;

use crate::config::schema::Dns;

/// Today's names, sorted.
pub(crate) fn today(settings: &Dns, policy: &Policy) -> Vec<Domain> {
    let excepted = policy.negative_trust_anchors(Zoned::now().date());
    let mut names = settings.domain_insecure.clone();
    names.extend(excepted.map(|anchor| anchor.name.clone()));
    names.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

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
            fetched: &|_| policy::Fetched::Never(policy::Missing::Refused),
            read_login: &|_| Err(std::io::ErrorKind::NotFound.into()),
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
}
