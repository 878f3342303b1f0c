//! MTA-STS policies of others (RFC 8461).

use crate::Domain;
use crate::record::{Level, Put, Record, Value};
use crate::source::Source;

/// A policy could not be had or kept.
#[derive(Debug, Clone, PartialEq)]
pub enum MtaSts {
    /// A domain publishes a policy, and it could not be fetched. Without an earlier one, mail goes on as if it had none.
    NotFetched {
        /// The domain.
        domain: Domain,
        /// The id that it publishes.
        id: String,
        /// Why.
        reason: String,
    },
    /// A policy that is in force could not be fetched again.
    NotRefreshed {
        /// The domain.
        domain: Domain,
        /// When it ends, if that goes on (RFC 3339).
        ends: String,
        /// Why.
        reason: String,
    },
    /// Policies could not be written to disk: after a restart they are fetched again. The system's words.
    NotKept(String),
}

impl Record for MtaSts {
    fn level(&self) -> Level {
        Level::Warning
    }

    fn name(&self) -> &'static str {
        "mta-sts"
    }

    fn source(&self) -> Option<Source> {
        match self {
            // Anybody can publish as many as they like.
            Self::NotFetched { .. } | Self::NotRefreshed { .. } => Some(Source::Trouble("mta-sts")),
            Self::NotKept(_) => None,
        }
    }

    fn fields(&self, put: &mut Put<'_>) {
        match self {
            Self::NotFetched { domain, id, reason } => {
                put("status", Value::Word("not-fetched"));
                put("domain", Value::Word(domain.as_str()));
                put("id", Value::Word(id));
                put("reason", Value::Quoted(reason));
            }
            Self::NotRefreshed { domain, ends, reason } => {
                put("status", Value::Word("not-refreshed"));
                put("domain", Value::Word(domain.as_str()));
                put("ends", Value::Word(ends));
                put("reason", Value::Quoted(reason));
            }
            Self::NotKept(reason) => {
                put("status", Value::Word("not-kept"));
                put("reason", Value::Quoted(reason));
            }
        }
    }
}
