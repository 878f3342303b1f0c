//! What a key's type cannot say: that values are not zero where zero means nothing, and that keys agree.

use std::net::SocketAddr;

use settings_file::{Document, FileError};

use super::networks;
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
    let mut other_form = |key: &str, allowed: &str| faults.push(document.other_form(key, allowed));
    if config.version != 1 {
        other_form("version", "1, the only version so far");
    }
    for key in NOT_ZERO {
        match lookup(effective, key).map(Emptiness::of) {
            Some(Emptiness::Zero) => other_form(key, "more than 0"),
            Some(Emptiness::Empty) => other_form(key, "at least one"),
            Some(Emptiness::Neither) | None => {}
        }
    }
    if config.tls.groups.is_empty() {
        other_form("tls.groups", "at least one group, like [\"X25519\"]");
    }
    if config.spool.path.as_os_str().is_empty() {
        other_form("spool.path", "a directory");
    }
    if config.policy.file.as_os_str().is_empty() {
        other_form("policy.file", "a file");
    }
    if config.log.target.is_empty() {
        other_form(
            "log.target",
            "\"stderr\", \"syslog\", \"journald\" or the path of a file",
        );
    }
    if let Some(protocol) = networks::everybody(&config.access.networks) {
        let reason = format!(
            "everybody on {protocol} could relay, and open relays are listed within hours; allowed: the networks of your \
             own clients, like \"192.0.2.0/24\""
        );
        faults.push(document.wrong_value("access.networks", reason));
    }
    if let Some((one, other)) = same_socket(&config.listen.smtp) {
        let reason = format!(
            "{one} and {other} cannot both listen: one takes the connections to the other; allowed: each port once"
        );
        faults.push(document.wrong_value("listen.smtp", reason));
    }
    if let Some(server) = trusted_from_afar(config) {
        let reason = format!(
            "with `dns.mode = \"trust-ad\"` anyone on the way to {server} could forge its AD bit; allowed: an address on \
             loopback, or \"tls://NAME@ADDRESS\""
        );
        faults.push(document.wrong_value("dns.servers", reason));
    }
    faults
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

/// Two addresses of which one is the other, or all of its family.
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

fn lookup<'a>(table: &'a toml::Table, dotted: &str) -> Option<&'a toml::Value> {
    let (first, rest) = dotted.split_once('.').unwrap_or((dotted, ""));
    let value = table.get(first)?;
    if rest.is_empty() {
        Some(value)
    } else {
        lookup(value.as_table()?, rest)
    }
}

/// In which way a value is nothing.
enum Emptiness {
    Zero,
    Empty,
    Neither,
}

impl Emptiness {
    fn of(value: &toml::Value) -> Self {
        match value {
            toml::Value::String(text) if text == "0" => Self::Zero,
            toml::Value::Integer(0) => Self::Zero,
            toml::Value::Array(values) if values.is_empty() => Self::Empty,
            toml::Value::Array(values) => {
                let has_zero = values.iter().any(|value| matches!(Self::of(value), Self::Zero));
                if has_zero { Self::Zero } else { Self::Neither }
            }
            toml::Value::String(_)
            | toml::Value::Integer(_)
            | toml::Value::Float(_)
            | toml::Value::Boolean(_)
            | toml::Value::Datetime(_)
            | toml::Value::Table(_) => Self::Neither,
        }
    }
}
