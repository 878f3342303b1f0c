//! Finds settings that work but are hardly meant.

use settings_file::{Document, FileError};

use super::networks;
use super::schema::{Config, DnsMode};

/// The maximum length of a socket's path, in octets: 107 (`unix(7)`), minus what is added to its name until it is
/// ready.
const SOCKET_PATH: usize = 103;

/// What the administrator should check again.
pub(super) fn remarks(document: &Document<'_>, config: &Config) -> Vec<FileError> {
    let mut remarks = Vec::new();
    let mut remark = |key: &str, message: String| remarks.push(document.remark_at(key, message));
    if let Some(name) = &config.hostname.0
        && let Some(fault) = Hello::of(name.as_str())
    {
        remark("hostname", format!("`hostname` is {:?}, {fault}", name.as_str()));
    }
    for network in config
        .access
        .networks
        .iter()
        .filter(|network| networks::is_wide(network))
    {
        remark(
            "access.networks",
            format!(
                "`access.networks` has all of {network}, a public network larger than a site: everybody there may relay"
            ),
        );
    }
    if config.dns.mode == DnsMode::TrustAd && !config.dns.domain_insecure.is_empty() {
        remark(
            "dns.domain_insecure",
            "`dns.domain_insecure` has no effect with `mode = \"trust-ad\"`: it belongs into the resolver's configuration"
                .to_owned(),
        );
    }
    let delivery = &config.delivery;
    if delivery.delay_warning.0 > delivery.max_age.0 {
        remark(
            "delivery.delay_warning",
            "`delivery.delay_warning` is longer than `delivery.max_age`: no warning will be sent".to_owned(),
        );
    }
    if let Some(first) = delivery
        .retry
        .first()
        .filter(|first| first.0 >= delivery.max_age.0)
    {
        remark(
            "delivery.retry",
            format!(
                "`delivery.retry` begins with {first}, and `delivery.max_age` is {}: nothing will be tried twice",
                delivery.max_age
            ),
        );
    }
    if let Some(address) = config.admin.http.0
        && !address.ip().to_canonical().is_loopback()
    {
        remark(
            "admin.http",
            format!(
                "`admin.http` is {address}: whoever can connect to it may read how mail stands, without a password; on loopback only this machine can"
            ),
        );
    }
    let socket = document.resolve(&config.admin.socket).as_os_str().len();
    if socket > SOCKET_PATH {
        remark(
            "admin.socket",
            format!(
                "`admin.socket` is {socket} octets long with its directory, and at most {SOCKET_PATH} can be made: no command will reach the daemon"
            ),
        );
    }
    remarks
}

/// What is wrong with a name to be used in EHLO. Many servers refuse such names (RFC 5321 §2.3.5 asks for a
/// fully-qualified one).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Hello {
    /// An address.
    #[error("an address: other servers want a name that resolves to it")]
    Address,
    /// `localhost`, alone or within a domain.
    #[error("the name of every machine: other servers want one that resolves to this machine alone")]
    Localhost,
    /// A single label.
    #[error(
        "a name without a domain: other servers want a full one, like \"mail.example.nl\", that resolves to this machine"
    )]
    Unqualified,
}

impl Hello {
    /// What is wrong with this name, if anything.
    pub(crate) fn of(name: &str) -> Option<Self> {
        let mut labels = name.split('.');
        if name.parse::<std::net::IpAddr>().is_ok() {
            Some(Self::Address)
        } else if labels.next() == Some("localhost") || name.ends_with(".localhost") {
            Some(Self::Localhost)
        } else if labels.next().is_none() {
            Some(Self::Unqualified)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_to_greet_with() {
        for (name, fault) in [
            ("mail.example.nl", None),
            ("mail", Some(Hello::Unqualified)),
            ("localhost", Some(Hello::Localhost)),
            ("localhost.localdomain", Some(Hello::Localhost)),
            ("relay.localhost", Some(Hello::Localhost)),
            ("192.0.2.1", Some(Hello::Address)),
        ] {
            assert_eq!(Hello::of(name), fault, "{name}");
        }
    }
}
