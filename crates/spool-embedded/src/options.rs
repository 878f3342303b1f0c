//! What may be set.

use mail::Domain;

/// What may be set.
#[derive(Debug, Clone)]
pub struct Options {
    /// The most messages in the queue, 0 for as many as fit on the disk; beyond that, nothing is accepted. Our own reports
    /// are queued anyway.
    pub queue_messages: u64,
    /// Octets that must stay free on the disk; below that, nothing is accepted.
    pub spool_free: u64,
    /// Most steps committed together.
    pub group_messages: usize,
    /// Octets of content after which a group is closed.
    pub group_bytes: usize,
    /// Octets of database pages that the writer keeps in memory.
    pub cache_bytes: u32,
    /// For how many days, that of the outcome counted, the ledger keeps figures by domain and host; `None` for ever. Totals
    /// are kept for ten years, or for as long as this if that is longer.
    pub ledger_days: Option<u32>,
    /// The domains that keep totals of their own, with those below them.
    pub ledger_apart: Vec<Domain>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            queue_messages: 0,
            spool_free: 512 << 20,
            group_messages: 256,
            group_bytes: 4 << 20,
            cache_bytes: 8 << 20,
            ledger_days: None,
            ledger_apart: Vec::new(),
        }
    }
}
