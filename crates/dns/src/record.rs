//! Converts the library's names and record data into ours, in one place.

use std::net::IpAddr;

use hickory_proto::rr::{Name, RData};
use mail::{Domain, LookupFailure};

use crate::presentation::written;
use crate::{Exchange, MxRecord};

/// The absolute name of a domain: search lists never apply (RFC 5321 §5.1).
pub(crate) fn to_name(domain: &Domain) -> Result<Name, LookupFailure> {
    // A label of a domain may begin with a hyphen, which the library takes in the form of octets alone.
    let labels = domain.as_str().split('.').map(str::as_bytes);
    Name::from_labels(labels).map_err(|_| LookupFailure::Malformed)
}

/// The names that can be asked about; no others can be looked up anyway.
pub(crate) fn to_names(domains: &[Domain]) -> Vec<Name> {
    domains.iter().filter_map(|domain| to_name(domain).ok()).collect()
}

/// A name from text, absolute whether or not it ends in a dot.
pub(crate) fn absolute(text: &str) -> Option<Name> {
    let mut name = Name::from_ascii(text).ok()?.to_lowercase();
    name.set_fqdn(true);
    Some(name)
}

/// A name as a domain. Anything that is not a domain name cannot safely be asked about, compared or logged.
pub(crate) fn to_domain(name: &Name) -> Result<Domain, LookupFailure> {
    let mut text = name.to_ascii();
    if text.contains('\\') {
        // Of all that the library escapes, a domain may have a hyphen at the beginning of a label.
        text = text.replace("\\-", "-");
    }
    Domain::parse(&text).map_err(|_| LookupFailure::Malformed)
}

pub(crate) fn to_mx(data: &RData) -> Result<MxRecord, LookupFailure> {
    match data {
        RData::MX(mx) => Ok(MxRecord {
            preference: mx.preference,
            exchange: to_exchange(&mx.exchange),
        }),
        _ => Err(LookupFailure::Malformed),
    }
}

fn to_exchange(name: &Name) -> Exchange {
    if name.is_root() {
        return Exchange::Root;
    }
    let text = name.to_ascii();
    let bare = text
        .trim_end_matches('.')
        .trim_start_matches('[')
        .trim_end_matches(']');
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Exchange::Address(address);
    }
    to_domain(name).map_or_else(|_| Exchange::Invalid(written(name)), Exchange::Name)
}

pub(crate) fn to_address(data: &RData) -> Result<IpAddr, LookupFailure> {
    match data {
        RData::A(address) => Ok(IpAddr::V4(address.0)),
        RData::AAAA(address) => Ok(IpAddr::V6(address.0)),
        _ => Err(LookupFailure::Malformed),
    }
}

pub(crate) fn to_alias(data: &RData) -> Result<Domain, LookupFailure> {
    match data {
        RData::CNAME(target) => to_domain(&target.0),
        _ => Err(LookupFailure::Malformed),
    }
}

pub(crate) fn to_tlsa(data: &RData) -> Result<dane::TlsaRecord, LookupFailure> {
    match data {
        RData::TLSA(tlsa) => Ok(dane::TlsaRecord::from_parts(
            tlsa.cert_usage.into(),
            tlsa.selector.into(),
            tlsa.matching.into(),
            tlsa.cert_data.clone(),
        )),
        _ => Err(LookupFailure::Malformed),
    }
}

pub(crate) fn to_text(data: &RData) -> Result<Box<[u8]>, LookupFailure> {
    match data {
        RData::TXT(txt) => Ok(txt.txt_data.concat().into()),
        _ => Err(LookupFailure::Malformed),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_domain_can_be_asked_about() {
        for text in ["-mx.example", "mx-.example", "_25._tcp.mx.example", "a--b.1"] {
            let name = to_name(&Domain::parse(text).unwrap()).unwrap();
            assert!(name.is_fqdn(), "{text}");
            assert_eq!(to_domain(&name).unwrap().as_str(), text);
        }
        for label in [&b"a.b"[..], b"\\-a", b"-a\\", b"*", b"a b"] {
            let name = Name::from_labels([label, b"example"]).unwrap();
            assert!(to_domain(&name).is_err(), "{name}");
        }
    }
}
