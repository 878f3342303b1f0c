//! An alias on the way to an answer.

use mail::{Domain, Security};

/// One alias followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// Where the alias stands.
    pub from: Domain,
    /// Where it leads.
    pub to: Domain,
    /// The status of this alias alone: the result of the extra CNAME query of RFC 7672 §2.2.2.
    pub security: Security,
}
