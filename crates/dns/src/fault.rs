//! What can be wrong with our own resolver.

use mail::{Domain, LookupFailure};
use thiserror::Error;

/// What is wrong, worded as in the alarm.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    /// No servers are configured.
    #[error("no DNS server is known")]
    NoServers,
    /// No server answers.
    #[error("no DNS server answers ({0})")]
    Unreachable(LookupFailure),
    /// No server answers, because of this server's certificate or handshake.
    #[error("no secure channel to the DNS server {0}")]
    NoChannel(String),
    /// The servers answer, but without the signatures that were requested.
    #[error(
        "the DNS servers leave out DNSSEC signatures: nothing can be validated behind them; use other servers"
    )]
    NoSignatures,
    /// The root is not secure for the resolver that is to be believed.
    #[error("the resolver does not validate: it answers for the signed root without the AD bit")]
    NotValidating,
    /// The root's signatures are there, but do not validate up to the trust anchor.
    #[error(
        "the root does not validate up to the trust anchor ({0}): wrong anchor, wrong clock, or somebody in between"
    )]
    Root(LookupFailure),
    /// A name that should be secure is answered as insecure.
    #[error("{0} should be secure and is insecure")]
    Insecure(Domain),
    /// A name that should be secure is not answered.
    #[error("{name} should be secure and cannot be looked up ({cause})")]
    Failed {
        /// The name tested.
        name: Domain,
        /// How its look-up ended.
        cause: LookupFailure,
    },
    /// A name that must be refused is answered.
    #[error("{0} is broken on purpose, and yet was answered: validation is not at work")]
    BogusAnswered(Domain),
    /// One of several servers that are to be believed has a fault.
    #[error("{server}: {fault}; its answers are not used")]
    OfOne {
        /// The server.
        server: String,
        /// What is wrong with it.
        fault: Box<Fault>,
    },
}

impl Fault {
    /// Whether every look-up fails because of it.
    pub fn stops_everything(&self) -> bool {
        match self {
            Self::NoServers
            | Self::Unreachable(_)
            | Self::NoChannel(_)
            | Self::NoSignatures
            | Self::NotValidating
            | Self::Root(_)
            | Self::Insecure(_)
            | Self::BogusAnswered(_) => true,
            // The names themselves may be at fault, and other servers are asked.
            Self::Failed { .. } | Self::OfOne { .. } => false,
        }
    }

    /// Whether we get answers that a validator would have refused or marked. If another host validates, none of its answers
    /// can be used; if we validate, the status of each answer already reflects this.
    pub fn refutes(&self) -> bool {
        match self {
            Self::NotValidating | Self::Insecure(_) | Self::BogusAnswered(_) => true,
            Self::OfOne { fault, .. } => fault.refutes(),
            Self::NoServers
            | Self::Unreachable(_)
            | Self::NoChannel(_)
            | Self::NoSignatures
            | Self::Root(_)
            | Self::Failed { .. } => false,
        }
    }
}
