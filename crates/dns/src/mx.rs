//! The hosts of a next-hop domain: rows D2–D6 of the decision, as facts (RFC 5321 §5.1, RFC 7505, RFC 7672 §2.2.1).

use std::sync::Arc;

use mail::{Domain, Security};

use crate::{Data, Exchange, MxRecord, NoAnswer, Resolver};

/// The result of the MX look-up of a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MxFinding {
    /// There was no answer: the hosts are not known, and nothing else is tried instead (RFC 7672 §2.1.2).
    Failed(NoAnswer),
    /// The domain says that it accepts no mail (RFC 7505).
    NullMx(Security),
    /// The domain, or the name that its aliases lead to, does not exist (RFC 6604 §3).
    NxDomain {
        /// The status of that absence.
        security: Security,
        /// The name that does not exist.
        missing: Domain,
    },
    /// There are no MX records: the domain itself, unexpanded, is the host (RFC 5321 §5.1).
    NoData {
        /// The status of that absence.
        security: Security,
    },
    /// At least one host.
    Records {
        /// The status of the records and of all aliases on the way.
        security: Security,
        /// The next-hop domain with all aliases followed, which is a reference identifier too (RFC 7672 §3.2.2).
        expanded: Domain,
        /// By preference; equal preferences in the order received. Shared with all others who asked.
        exchanges: Arc<[MxRecord]>,
    },
}

/// Looks up the MX records of a next-hop domain.
pub async fn discover(resolver: &Resolver, domain: &Domain) -> MxFinding {
    let answer = match resolver.mx(domain).await {
        Ok(answer) => answer,
        Err(cause) => return MxFinding::Failed(cause),
    };
    let (security, expanded) = (answer.security, answer.expanded(domain));
    let exchanges = match answer.data {
        Data::Records(records) => records,
        Data::NoData => return MxFinding::NoData { security },
        Data::NxDomain => {
            return MxFinding::NxDomain {
                security,
                missing: expanded,
            };
        }
    };
    match hosts(exchanges) {
        Some(exchanges) => MxFinding::Records {
            security,
            expanded,
            exchanges,
        },
        None => MxFinding::NullMx(security),
    }
}

/// The records that name a host, if there are any. A "." beside real hosts violates RFC 7505 §3; the domain must mean the
/// hosts.
fn hosts(exchanges: Arc<[MxRecord]>) -> Option<Arc<[MxRecord]>> {
    let is_host = |record: &&MxRecord| record.exchange != Exchange::Root;
    match exchanges.iter().filter(is_host).count() {
        0 => None,
        all if all == exchanges.len() => Some(exchanges),
        _ => Some(exchanges.iter().filter(is_host).cloned().collect()),
    }
}
