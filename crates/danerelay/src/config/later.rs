//! Keys that the file may have although what they ask for does not exist yet.
//!
//! Such a key is accepted with a warning, so that one file serves several versions, unless leaving out what it asks
//! for would lower security or lose data: then it is an error.

use settings_file::{Document, FileError};

use super::schema::{Config, Store};

/// What leaving a key's function out would do.
#[derive(Clone, Copy)]
enum Without {
    /// Nothing worse than its absence.
    Warn,
    /// Harm, in these words.
    Refuse(&'static str),
}

const NOT_AVAILABLE: &str = "not available in this version";

const LATER: [(&str, Without); 20] = [
    ("listen.smtps", Without::Warn),
    (
        "listen.tls_certificate",
        Without::Refuse("clients would be served in clear text"),
    ),
    (
        "listen.tls_key",
        Without::Refuse("clients would be served in clear text"),
    ),
    (
        "listen.proxy_protocol_from",
        Without::Refuse("every client would be judged by the proxy's address"),
    ),
    (
        "listen.xclient_from",
        Without::Refuse("every client would be judged by the proxy's address"),
    ),
    ("access.users_file", Without::Warn),
    ("access.client_certificates", Without::Warn),
    (
        "access.senders",
        Without::Refuse("any sender domain would be let through"),
    ),
    ("spool.url", Without::Warn),
    ("delivery.reuse", Without::Warn),
    ("delivery.reuse_time", Without::Warn),
    ("delivery.idle", Without::Warn),
    ("tlsrpt.enabled", Without::Warn),
    (
        "tlsrpt.send",
        Without::Refuse("the reports that it promises would not be sent"),
    ),
    ("tlsrpt.dkim", Without::Warn),
    ("report.internal_domains", Without::Warn),
    ("report.keep", Without::Warn),
    ("mta_sts.enabled", Without::Warn),
    ("mta_sts.cache_entries", Without::Warn),
    ("admin.http", Without::Warn),
];

/// The warnings and the errors for what the file asks for and this version does not have.
pub(super) fn review(
    document: &Document<'_>,
    config: &Config,
    effective: &toml::Table,
) -> (Vec<FileError>, Vec<FileError>) {
    let (mut warnings, mut errors) = (Vec::new(), Vec::new());
    for (key, without) in LATER {
        if !document.has(key) || value_of(effective, key).is_none_or(asks_for_nothing) {
            continue;
        }
        match without {
            Without::Warn => warnings.push(document.remark_at(key, format!("`{key}`: {NOT_AVAILABLE}"))),
            Without::Refuse(harm) => {
                errors.push(
                    document.remark_at(key, format!("`{key}`: {NOT_AVAILABLE}, and without it {harm}")),
                );
            }
        }
    }
    match config.spool.store {
        Store::Embedded => {}
        Store::Postgres => errors.push(document.remark_at(
            "spool.store",
            format!("`spool.store = \"postgres\"`: {NOT_AVAILABLE}; allowed: embedded"),
        )),
    }
    (warnings, errors)
}

fn value_of<'a>(table: &'a toml::Table, dotted: &str) -> Option<&'a toml::Value> {
    let (section, key) = dotted.split_once('.')?;
    table.get(section)?.get(key)
}

/// Whether a value is the one that leaves the function unused anyway.
fn asks_for_nothing(value: &toml::Value) -> bool {
    match value {
        toml::Value::String(text) => text.is_empty() || text == "0",
        toml::Value::Boolean(on) => !on,
        toml::Value::Array(values) => values.is_empty(),
        toml::Value::Integer(number) => *number == 0,
        toml::Value::Table(table) => table.values().all(asks_for_nothing),
        toml::Value::Float(_) | toml::Value::Datetime(_) => false,
    }
}
