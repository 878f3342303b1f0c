//! The figures of one row.

use mail::{DaneResult, DeliverySecurity, Status};
use serde::{Deserialize, Serialize};
use spool::Tally;

/// Recipients by how their delivery ended. Each recipient of a message is one delivery.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Traffic {
    /// Delivered to a host that DANE authenticated, named by secure MX records.
    pub dane: u64,
    /// The same, named by insecure MX records.
    pub dane_host_only: u64,
    /// Delivered under an MTA-STS policy in mode enforce.
    pub mta_sts: u64,
    /// Delivered to a host with a WebPKI certificate, as the policy here asks.
    pub verified: u64,
    /// Delivered over TLS without authentication.
    pub encrypted: u64,
    /// Delivered in clear.
    pub clear: u64,
    /// Not delivered, for good: bounced or expired.
    pub failed: u64,
    /// How many of those delivered had failed DANE (`soft-fail`).
    pub soft_failed: u64,
    /// Attempts after which a recipient had to wait; not deliveries.
    pub deferred: u64,
    /// Content of what was delivered or failed.
    pub octets: u64,
    /// How many domains the recipients of deliveries had; `None` where only totals are known.
    pub domains: Option<u64>,
}

/// How a delivery can end: the fields of [`Traffic`] that make up all deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// [`Traffic::dane`].
    Dane,
    /// [`Traffic::dane_host_only`].
    DaneHostOnly,
    /// [`Traffic::mta_sts`].
    MtaSts,
    /// [`Traffic::verified`].
    Verified,
    /// [`Traffic::encrypted`].
    Encrypted,
    /// [`Traffic::clear`].
    Clear,
    /// [`Traffic::failed`].
    Failed,
}

impl End {
    /// The name of the field.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dane => "dane",
            Self::DaneHostOnly => "dane_host_only",
            Self::MtaSts => "mta_sts",
            Self::Verified => "verified",
            Self::Encrypted => "encrypted",
            Self::Clear => "clear",
            Self::Failed => "failed",
        }
    }

    /// For people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Dane => "DANE",
            Self::DaneHostOnly => "DANE, host only",
            Self::MtaSts => "MTA-STS",
            Self::Verified => "certificate verified",
            Self::Encrypted => "encrypted",
            Self::Clear => "clear",
            Self::Failed => "failed",
        }
    }
}

impl Traffic {
    /// Adds what a tally counts, but for domains.
    pub(super) fn add(&mut self, tally: &Tally) {
        let ended = match tally.key.status {
            Status::Deferred => None,
            Status::Bounced | Status::Expired => Some(End::Failed),
            Status::Sent => Some(end(tally.key.security)),
        };
        let field = match ended {
            None => &mut self.deferred,
            Some(End::Dane) => &mut self.dane,
            Some(End::DaneHostOnly) => &mut self.dane_host_only,
            Some(End::MtaSts) => &mut self.mta_sts,
            Some(End::Verified) => &mut self.verified,
            Some(End::Encrypted) => &mut self.encrypted,
            Some(End::Clear) => &mut self.clear,
            Some(End::Failed) => &mut self.failed,
        };
        *field = field.saturating_add(tally.count);
        if is_soft_failed(tally) {
            self.soft_failed = self.soft_failed.saturating_add(tally.count);
        }
        self.octets = self.octets.saturating_add(tally.octets);
    }

    /// Adds other traffic, which may have had the same domains.
    pub(super) fn join(&mut self, other: &Self) {
        let fields = [
            (&mut self.dane, other.dane),
            (&mut self.dane_host_only, other.dane_host_only),
            (&mut self.mta_sts, other.mta_sts),
            (&mut self.verified, other.verified),
            (&mut self.encrypted, other.encrypted),
            (&mut self.clear, other.clear),
            (&mut self.failed, other.failed),
            (&mut self.soft_failed, other.soft_failed),
            (&mut self.deferred, other.deferred),
            (&mut self.octets, other.octets),
        ];
        for (sum, count) in fields {
            *sum = sum.saturating_add(count);
        }
        self.domains = None;
    }

    /// All that came to an end, delivered or not.
    pub fn deliveries(&self) -> u64 {
        let ends = self.ends().map(|(_, count)| count);
        ends.into_iter().fold(0, u64::saturating_add)
    }

    /// How many went to a host that DANE authenticated.
    pub fn by_dane(&self) -> u64 {
        self.dane.saturating_add(self.dane_host_only)
    }

    /// How many ended in each way, the most secure one first.
    pub fn ends(&self) -> [(End, u64); 7] {
        [
            (End::Dane, self.dane),
            (End::DaneHostOnly, self.dane_host_only),
            (End::MtaSts, self.mta_sts),
            (End::Verified, self.verified),
            (End::Encrypted, self.encrypted),
            (End::Clear, self.clear),
            (End::Failed, self.failed),
        ]
    }

    /// Which part of all deliveries this is, from 0 to 1; 0 if there were none.
    pub fn share(&self, count: u64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a share needs no more digits")]
        let share = |all: u64| count as f64 / all as f64;
        match self.deliveries() {
            0 => 0.0,
            all => share(all),
        }
    }
}

/// The way in which deliveries with this security ended.
pub(super) fn end(security: DeliverySecurity) -> End {
    match security {
        DeliverySecurity::Dane => End::Dane,
        DeliverySecurity::DaneHostOnly => End::DaneHostOnly,
        DeliverySecurity::MtaSts => End::MtaSts,
        DeliverySecurity::Verified => End::Verified,
        DeliverySecurity::Encrypted => End::Encrypted,
        DeliverySecurity::Clear | DeliverySecurity::None => End::Clear,
    }
}

/// Whether it was delivered although DANE failed.
pub(super) fn is_soft_failed(tally: &Tally) -> bool {
    match (tally.key.status, tally.key.dane) {
        (Status::Sent, DaneResult::Softfail) => true,
        (
            Status::Sent,
            DaneResult::NotReached
            | DaneResult::Verify
            | DaneResult::VerifyHostOnly
            | DaneResult::Encrypt
            | DaneResult::Skip
            | DaneResult::Waived
            | DaneResult::Fail,
        )
        | (Status::Deferred | Status::Bounced | Status::Expired, _) => false,
    }
}

/// Whether it was delivered to a host to which DANE does not apply, by what is published.
pub(super) fn is_without_dane(tally: &Tally) -> bool {
    tally.key.status == Status::Sent && tally.key.dane == DaneResult::Skip
}

/// Whether it was delivered to a host that DANE authenticated.
pub(super) fn is_verified(tally: &Tally) -> bool {
    match (tally.key.status, tally.key.dane) {
        (Status::Sent, DaneResult::Verify | DaneResult::VerifyHostOnly) => true,
        (
            Status::Sent,
            DaneResult::NotReached
            | DaneResult::Encrypt
            | DaneResult::Skip
            | DaneResult::Waived
            | DaneResult::Softfail
            | DaneResult::Fail,
        )
        | (Status::Deferred | Status::Bounced | Status::Expired, _) => false,
    }
}
