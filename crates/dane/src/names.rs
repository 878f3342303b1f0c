//! Reference identifiers (RFC 7672 §3.2.2) and how the names of a leaf certificate are matched to them (§3.2.3).

use std::net::IpAddr;

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;

/// Longest name and longest label in octets, without the final dot (RFC 1035 §2.3.4).
const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;

/// The names of which a certificate under a DANE-TA(2) trust anchor must contain one. The TLSA base domain comes first.
/// Under DANE-EE(3) names are not checked (RFC 7672 §3.1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferenceIdentifiers {
    names: Vec<String>,
}

/// Not a DNS host name in ASCII: empty or overlong labels, other characters than letters, digits, hyphen
/// and underscore, or an IP address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a DNS host name: {0:?}")]
pub struct InvalidName(pub String);

impl ReferenceIdentifiers {
    /// Starts with the TLSA base domain. Names are A-labels; case and a final dot are ignored.
    pub fn new(base_domain: &str) -> Result<Self, InvalidName> {
        Ok(Self {
            names: vec![canonical(base_domain)?],
        })
    }

    /// No name: nothing passes under DANE-TA(2). For a base domain that cannot occur in a certificate.
    pub fn none() -> Self {
        Self { names: Vec::new() }
    }

    /// Adds another acceptable name: the next-hop domain and its expansion behind a secure MX.
    pub fn and(mut self, name: &str) -> Result<Self, InvalidName> {
        let name = canonical(name)?;
        if !self.names.contains(&name) {
            self.names.push(name);
        }
        Ok(self)
    }

    /// The names, TLSA base domain first, in lower case without a final dot.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// The first of them that one of the presented names matches.
    fn first_match(&self, presented: &[&str]) -> Option<&str> {
        let is_presented = |reference: &&str| presented.iter().any(|name| name_matches(name, reference));
        self.iter().find(is_presented)
    }
}

fn canonical(name: &str) -> Result<String, InvalidName> {
    let plain = name.strip_suffix('.').unwrap_or(name);
    let label_ok = |label: &str| {
        !label.is_empty()
            && label.len() <= MAX_LABEL
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let name_ok =
        plain.len() <= MAX_NAME && plain.split('.').all(label_ok) && plain.parse::<IpAddr>().is_err();
    if name_ok {
        Ok(plain.to_ascii_lowercase())
    } else {
        Err(InvalidName(name.to_owned()))
    }
}

/// Whether a presented identifier matches the reference identifier.
///
/// `*` is accepted as the whole first label, for exactly one label, and above at least two more (RFC 7672 §3.2.3; RFC 6125
/// §7.2 on wildcards as wide as a public suffix); not for names with an underscore, which are not host names. A final dot
/// belongs to DNS notation, not to a name in a certificate (RFC 5280 §4.2.1.6).
fn name_matches(presented: &str, reference: &str) -> bool {
    let Some(parent) = presented.strip_prefix("*.") else {
        return presented.eq_ignore_ascii_case(reference);
    };
    let Some((_, reference_parent)) = reference.split_once('.') else {
        return false;
    };
    parent.contains('.') && !reference.contains('_') && parent.eq_ignore_ascii_case(reference_parent)
}

/// Whether the CN may stand in for absent DNS names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommonName {
    /// Considered if the certificate has no `dNSName` at all (RFC 7672 §3.2.3).
    Fallback,
    /// Never: there are name constraints on the path, and they restrict only DNS names in the SAN, so that a CN could evade
    /// them.
    Ignored,
}

/// The subject alternative names are malformed, or one of them is of a kind that does not exist.
pub(crate) struct UnreadableNames;

/// The subject alternative names; empty if there is no such extension.
pub(crate) fn general_names<'a, 'c>(
    certificate: &'c X509Certificate<'a>,
) -> Result<&'c [GeneralName<'a>], UnreadableNames> {
    let extension = certificate
        .subject_alternative_name()
        .map_err(|_| UnreadableNames)?;
    let names = extension.map_or(&[][..], |san| san.value.general_names.as_slice());
    let unreadable = names.iter().any(|name| matches!(name, GeneralName::Invalid(..)));
    if unreadable {
        Err(UnreadableNames)
    } else {
        Ok(names)
    }
}

/// The first reference identifier that the leaf has, so that it is the TLSA base domain if the leaf has that one.
/// Unreadable names might be DNS names, so then the CN is not used instead of them, and the other names are not believed
/// either.
pub(crate) fn leaf_matches<'r>(
    leaf: &X509Certificate<'_>,
    references: &'r ReferenceIdentifiers,
    common_name: CommonName,
) -> Option<&'r str> {
    let general_names = general_names(leaf).ok()?;
    let dns_names: Vec<&str> = general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(presented) => Some(*presented),
            _ => None,
        })
        .collect();
    if !dns_names.is_empty() || common_name == CommonName::Ignored {
        return references.first_match(&dns_names);
    }
    let common_names = leaf.subject().iter_common_name();
    let common_names: Vec<&str> = common_names.filter_map(|cn| cn.as_str().ok()).collect();
    references.first_match(&common_names)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn references_are_canonical_and_ordered() {
        let names = ReferenceIdentifiers::new("MX1.Example.COM.")
            .unwrap()
            .and("example.com")
            .unwrap()
            .and("EXAMPLE.com.")
            .unwrap();
        assert_eq!(
            names.iter().collect::<Vec<_>>(),
            ["mx1.example.com", "example.com"]
        );
    }

    #[test]
    fn what_is_no_host_name_is_refused() {
        let long_label = "a".repeat(64);
        let long_name = ["abcdefg."; 32].concat();
        for bad in [
            "",
            ".",
            "a..b",
            "*.example.com",
            "bücher.example",
            "a\0b",
            "192.0.2.1",
            "2001:db8::1",
            &long_label,
            &long_name,
        ] {
            assert!(ReferenceIdentifiers::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn matching_table() {
        for (presented, reference, expected) in [
            ("MX1.Example.COM", "mx1.example.com", true),
            ("mx1.example.com.", "mx1.example.com", false),
            ("*.example.com.", "mx1.example.com", false),
            ("mx1.example.com\0.evil.org", "mx1.example.com", false),
            ("*.example.com", "mx1.example.com", true),
            ("*.EXAMPLE.com", "mx1.example.com", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", "a.b.example.com", false),
            ("smtp*.example.com", "smtp1.example.com", false),
            ("*smtp.example.com", "1smtp.example.com", false),
            ("mx1.*.com", "mx1.example.com", false),
            ("*.com", "example.com", false),
            ("*", "localhost", false),
            ("*.", "localhost", false),
            ("*.*.com", "a.example.com", false),
            ("", "example.com", false),
            ("mx_1.example.com", "mx_1.example.com", true),
            ("*.example.com", "mx_1.example.com", false),
            ("*.ex_ample.com", "mx1.ex_ample.com", false),
        ] {
            assert_eq!(
                name_matches(presented, reference),
                expected,
                "{presented:?} for {reference:?}"
            );
        }
    }
}
