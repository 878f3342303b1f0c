//! Who else wants to know what sessions mean for TLS reports.

use mail::TlsSession;

/// Is shown the results of sessions once they are settled. Implementations neither block nor fail.
pub trait SessionWatch: Send + Sync {
    /// One delivery has had these.
    fn seen(&self, sessions: &[TlsSession]);
}

/// Nobody.
impl SessionWatch for () {
    fn seen(&self, _: &[TlsSession]) {}
}
