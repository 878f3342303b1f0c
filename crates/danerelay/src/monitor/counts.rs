//! Numbers by the values of a label. The values are a closed set: no stranger can add one.

use std::sync::atomic::{AtomicU64, Ordering};

use mail::event::delivery::ReportKind;
use mail::{DaneResult, DeliverySecurity, Status};

/// The values of a label.
pub(super) trait Label: Copy + PartialEq + Sized + 'static {
    /// All of them.
    const ALL: &'static [Self];

    /// As it is written.
    fn word(self) -> &'static str;
}

/// A counter for each value.
#[derive(Debug)]
pub(super) struct Counts<L: Label>(Box<[(L, AtomicU64)]>);

impl<L: Label> Default for Counts<L> {
    fn default() -> Self {
        Self(L::ALL.iter().map(|label| (*label, AtomicU64::new(0))).collect())
    }
}

impl<L: Label> Counts<L> {
    /// Counts one more.
    pub(super) fn count(&self, label: L) {
        // The sets are small.
        if let Some((_, count)) = self.0.iter().find(|(known, _)| *known == label) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.0
            .iter()
            .map(|(label, count)| (label.word(), count.load(Ordering::Relaxed)))
    }
}

impl Label for DeliverySecurity {
    const ALL: &'static [Self] = &[
        Self::Dane,
        Self::DaneHostOnly,
        Self::MtaSts,
        Self::Verified,
        Self::Encrypted,
        Self::Clear,
        Self::None,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::Dane => "dane",
            Self::DaneHostOnly => "dane-host-only",
            Self::MtaSts => "mta-sts",
            Self::Verified => "verified",
            Self::Encrypted => "encrypted",
            Self::Clear => "clear",
            Self::None => "none",
        }
    }
}

impl Label for Status {
    const ALL: &'static [Self] = &[Self::Sent, Self::Deferred, Self::Bounced, Self::Expired];

    fn word(self) -> &'static str {
        self.as_str()
    }
}

impl Label for DaneResult {
    const ALL: &'static [Self] = &[
        Self::NotReached,
        Self::Verify,
        Self::VerifyHostOnly,
        Self::Encrypt,
        Self::Skip,
        Self::Waived,
        Self::Softfail,
        Self::Fail,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::NotReached => "not-reached",
            Self::Verify => "verify",
            Self::VerifyHostOnly => "verify-host-only",
            Self::Encrypt => "encrypt",
            Self::Skip => "skip",
            Self::Waived => "waived",
            Self::Softfail => "softfail",
            Self::Fail => "fail",
        }
    }
}

impl Label for ReportKind {
    const ALL: &'static [Self] = &[Self::Failed, Self::Delayed, Self::Relayed, Self::Mixed];

    fn word(self) -> &'static str {
        self.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_counted_under_its_own_word() {
        let counts = Counts::<Status>::default();
        counts.count(Status::Bounced);
        counts.count(Status::Bounced);
        let all: Vec<_> = counts.all().collect();
        assert_eq!(
            all,
            [("sent", 0), ("deferred", 0), ("bounced", 2), ("expired", 0)]
        );
    }
}
