//! Checks what concerns more than one key: that keys, and the items of lists, are consistent.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use settings_file::{Document, FileError};

use super::networks;
use super::schema::{Config, Dkim, DnsMode};
use super::units::Server;

/// Faults that make the file unusable.
pub(super) fn errors(document: &Document<'_>, config: &Config) -> Vec<FileError> {
    let mut faults = Vec::new();
    if let Some(protocol) = networks::everybody(&config.access.networks) {
        let reason = format!(
            "everybody on {protocol} could relay, and open relays are listed within hours; allowed: the networks of your \
             own clients, like \"192.0.2.0/24\""
        );
        faults.push(document.wrong_value("access.networks", reason));
    }
    for (key, address, plain) in in_ipv6_form(config) {
        let reason = format!(
            "{address} is an IPv4 address in IPv6 form, which no socket here takes; allowed: \"{plain}\""
        );
        faults.push(document.wrong_value(key, reason));
    }
    faults.extend(clients(document, config));
    faults.extend(tlsrpt(document, config));
    if let Some(server) = trusted_from_afar(config) {
        let reason = format!(
            "with `dns.mode = \"trust-ad\"` anyone on the way to {server} could forge its AD bit; allowed: an address on \
             loopback, or \"tls://NAME@ADDRESS\""
        );
        faults.push(document.wrong_value("dns.servers", reason));
    }
    faults
}

/// What is inconsistent in [listen] and [access].
fn clients(document: &Document<'_>, config: &Config) -> Vec<FileError> {
    let (listen, access) = (&config.listen, &config.access);
    let mut faults = Vec::new();
    let mut wrong = |key: &str, reason: String| faults.push(document.wrong_value(key, reason));
    let addresses: Vec<SocketAddr> = listen.smtp.iter().chain(&listen.smtps).copied().collect();
    if let Some((one, other)) = same_socket(&addresses) {
        let key = if listen.smtp.contains(&other) {
            "listen.smtp"
        } else {
            "listen.smtps"
        };
        let reason = format!(
            "{one} and {other} cannot both listen: one takes the connections to the other; allowed: each port once"
        );
        wrong(key, reason);
    }
    let (has_certificate, has_key) = (is_set(&listen.tls_certificate), is_set(&listen.tls_key));
    for (key, other, is_alone) in [
        (
            "listen.tls_certificate",
            "listen.tls_key",
            has_certificate && !has_key,
        ),
        (
            "listen.tls_key",
            "listen.tls_certificate",
            has_key && !has_certificate,
        ),
    ] {
        if is_alone {
            wrong(key, format!("`{other}` is missing; allowed: both, or neither"));
        }
    }
    for (key, is_used) in [
        ("listen.smtps", !listen.smtps.is_empty()),
        (
            "access.client_certificates",
            !access.client_certificates.is_empty(),
        ),
    ] {
        if is_used && !has_certificate {
            wrong(
                key,
                "there is no TLS; allowed with `listen.tls_certificate` and `listen.tls_key`".to_owned(),
            );
        }
    }
    for (key, networks) in [
        ("listen.proxy_protocol_from", &listen.proxy_protocol_from),
        ("listen.xclient_from", &listen.xclient_from),
    ] {
        if let Some(protocol) = networks::everybody(networks) {
            let reason = format!(
                "everybody on {protocol} could say that they are a client that may relay; allowed: the networks of your \
                 own proxies, like \"192.0.2.1\""
            );
            wrong(key, reason);
        }
    }
    faults
}

/// What is missing for TLS reports to be sent.
fn tlsrpt(document: &Document<'_>, config: &Config) -> Vec<FileError> {
    let settings = &config.tlsrpt;
    let dkim = &settings.dkim;
    let is_unset = *dkim == Dkim::default();
    let mut faults = Vec::new();
    if !is_unset && (dkim.domain.0.is_none() || dkim.selector.is_empty() || !is_set(&dkim.key)) {
        let reason = "`domain`, `selector` or `key` is missing; allowed: all three, or none";
        faults.push(document.wrong_value("tlsrpt.dkim", reason.to_owned()));
    }
    let reasons = [
        (
            !settings.enabled,
            "`tlsrpt.enabled` is off, so that nothing is counted",
        ),
        (
            settings.organization.is_empty(),
            "`tlsrpt.organization` is missing, which every report names",
        ),
        (
            settings.contact.0.is_none(),
            "`tlsrpt.contact` is missing, a mail address for questions",
        ),
        (
            is_unset,
            "`tlsrpt.dkim` is missing, and reports by mail must be signed (RFC 8460 section 3)",
        ),
        (
            is_set(&settings.collectd),
            "`tlsrpt.collectd` reports the same, and receivers would be told everything twice",
        ),
    ];
    let reasons: Vec<&str> = reasons
        .into_iter()
        .filter(|(is_wrong, _)| *is_wrong)
        .map(|(_, reason)| reason)
        .collect();
    if settings.send && !reasons.is_empty() {
        let reason = format!("{}; allowed once that is mended", reasons.join("; "));
        faults.push(document.wrong_value("tlsrpt.send", reason));
    }
    faults
}

fn is_set(path: &Path) -> bool {
    !path.as_os_str().is_empty()
}

/// IPv4 addresses of this machine that are written as IPv6 addresses (RFC 4291 §2.5.5.2), each with its key and its
/// IPv4 form.
fn in_ipv6_form(config: &Config) -> Vec<(&'static str, String, String)> {
    let lists = [
        ("listen.smtp", &config.listen.smtp),
        ("listen.smtps", &config.listen.smtps),
    ];
    let listens = lists
        .into_iter()
        .flat_map(|(key, list)| list.iter().map(move |address| (key, address)));
    let listens = listens.filter_map(|(key, address)| {
        let plain = SocketAddr::new(mapped(address.ip())?, address.port());
        Some((key, address.to_string(), plain.to_string()))
    });
    let sources = config.delivery.source_addresses.iter().filter_map(|address| {
        let plain = mapped(*address)?;
        Some((
            "delivery.source_addresses",
            address.to_string(),
            plain.to_string(),
        ))
    });
    listens.chain(sources).collect()
}

fn mapped(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(address) => address.to_ipv4_mapped().map(IpAddr::V4),
    }
}

/// A trust-ad server whose answers cross a network (RFC 4035 §4.9.3 asks for a secure channel).
fn trusted_from_afar(config: &Config) -> Option<&Server> {
    match config.dns.mode {
        DnsMode::Auto | DnsMode::Validate => None,
        DnsMode::TrustAd => config.dns.servers.iter().find(|server| match server {
            Server::Plain(address) => !address.ip().is_loopback(),
            Server::Tls { .. } => false,
        }),
    }
}

/// Two addresses that are the same, or of which one includes the other because it means all addresses of its family.
fn same_socket(addresses: &[SocketAddr]) -> Option<(SocketAddr, SocketAddr)> {
    let clash = |one: &SocketAddr, other: &SocketAddr| {
        let is_any = one.ip().is_unspecified() || other.ip().is_unspecified();
        one.port() != 0
            && one.port() == other.port()
            && (one.ip() == other.ip() || (is_any && one.is_ipv4() == other.is_ipv4()))
    };
    addresses.iter().enumerate().find_map(|(index, one)| {
        let other = addresses.iter().skip(index + 1).find(|other| clash(one, other))?;
        Some((*one, *other))
    })
}
