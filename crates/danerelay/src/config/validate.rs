//! What a key's type cannot say: that values are not zero where zero means nothing, and that keys agree.

use policy::file_error::FileError;

use super::document::Document;
use super::schema::{Config, DnsMode};
use super::units::Server;

/// Keys for which zero would stop all mail.
const NOT_ZERO: [&str; 26] = [
    "limits.message_size",
    "limits.recipients",
    "limits.connections",
    "limits.connections_per_client",
    "limits.timeout",
    "dns.timeout",
    "delivery.connections",
    "delivery.connections_per_destination",
    "delivery.connections_per_host",
    "delivery.reuse",
    "delivery.reuse_time",
    "delivery.max_age",
    "delivery.bounce_max_age",
    "delivery.timeouts.connect",
    "delivery.timeouts.banner",
    "delivery.timeouts.ehlo",
    "delivery.timeouts.starttls",
    "delivery.timeouts.mail",
    "delivery.timeouts.rcpt",
    "delivery.timeouts.data",
    "delivery.timeouts.body",
    "delivery.timeouts.final_dot",
    "delivery.timeouts.rset",
    "delivery.timeouts.quit",
    "report.keep",
    "delivery.retry",
];

/// What makes the file unusable.
pub(super) fn errors(document: &Document<'_>, config: &Config, effective: &toml::Table) -> Vec<FileError> {
    let mut faults = Vec::new();
    let mut wrong = |key: &str, message: String| faults.push(document.fault_at(key, message));
    if config.version != 1 {
        wrong(
            "version",
            format!("version {} of this file is not known; allowed: 1", config.version),
        );
    }
    for key in NOT_ZERO {
        if lookup(effective, key).is_some_and(has_zero) {
            wrong(key, format!("`{key}` is zero or empty; allowed: more than that"));
        }
    }
    if config.tls.groups.is_empty() {
        wrong(
            "tls.groups",
            "`tls.groups` is empty; at least one group is needed".to_owned(),
        );
    }
    if config.spool.path.as_os_str().is_empty() {
        wrong(
            "spool.path",
            "`spool.path` is empty; allowed: a directory".to_owned(),
        );
    }
    if config.policy.file.as_os_str().is_empty() {
        wrong(
            "policy.file",
            "`policy.file` is empty; allowed: a file".to_owned(),
        );
    }
    if config.log.target.is_empty() {
        let allowed = "allowed: stderr, syslog, journald or the path of a file";
        wrong("log.target", format!("`log.target` is empty; {allowed}"));
    }
    if let Some(server) = trusted_from_afar(config) {
        wrong(
            "dns.servers",
            format!(
                "with `mode = \"trust-ad\"` {server} must be on loopback or reached over TLS (tls://NAME@ADDRESS): anyone on the way could forge its AD bit"
            ),
        );
    }
    faults
}

/// What works, but hardly as meant.
pub(super) fn warnings(document: &Document<'_>, config: &Config) -> Vec<FileError> {
    let mut warnings = Vec::new();
    if config.dns.mode == DnsMode::TrustAd && !config.dns.domain_insecure.is_empty() {
        warnings.push(document.fault_at(
            "dns.domain_insecure",
            "`dns.domain_insecure` has no effect with `mode = \"trust-ad\"`: it belongs into the resolver's configuration"
                .to_owned(),
        ));
    }
    if config.delivery.delay_warning.0 > config.delivery.max_age.0 {
        warnings.push(document.fault_at(
            "delivery.delay_warning",
            "`delivery.delay_warning` is longer than `delivery.max_age`: no warning will be sent".to_owned(),
        ));
    }
    warnings
}

/// A server named for trust-ad whose answers cross a network (RFC 4035 §4.9.3 asks for a secure channel).
fn trusted_from_afar(config: &Config) -> Option<&Server> {
    match config.dns.mode {
        DnsMode::Auto | DnsMode::Validate => None,
        DnsMode::TrustAd => config.dns.servers.iter().find(|server| match server {
            Server::Plain(address) => !address.ip().is_loopback(),
            Server::Tls { .. } => false,
        }),
    }
}

fn lookup<'a>(table: &'a toml::Table, dotted: &str) -> Option<&'a toml::Value> {
    let (first, rest) = dotted.split_once('.').unwrap_or((dotted, ""));
    let value = table.get(first)?;
    if rest.is_empty() {
        Some(value)
    } else {
        lookup(value.as_table()?, rest)
    }
}

fn has_zero(value: &toml::Value) -> bool {
    match value {
        toml::Value::String(text) => text == "0",
        toml::Value::Integer(number) => *number == 0,
        toml::Value::Array(values) => values.is_empty() || values.iter().any(has_zero),
        toml::Value::Float(_)
        | toml::Value::Boolean(_)
        | toml::Value::Datetime(_)
        | toml::Value::Table(_) => false,
    }
}
