//! How handshakes with receiving servers ended, counted for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use dane::TlsVersion;
use mail::Cause;
use mail::cause::TlsFault;

use super::clearance::Achieved;
use crate::failure::SessionFailure;

/// How a handshake ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShakenResult {
    /// A TLSA record authenticated the server.
    Dane,
    /// A WebPKI certificate for its name did.
    Name,
    /// Nothing was to authenticate it.
    Unauthenticated,
    /// What it presented proves nothing that was demanded.
    Unproven,
    /// There was no session.
    Broken,
    /// It was not over in time, or was given up.
    GivenUp,
    /// For a reason on our own side.
    Ours,
}

impl ShakenResult {
    /// Each of them.
    pub const ALL: [Self; 7] = [
        Self::Dane,
        Self::Name,
        Self::Unauthenticated,
        Self::Unproven,
        Self::Broken,
        Self::GivenUp,
        Self::Ours,
    ];

    /// The value of the label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dane => "dane",
            Self::Name => "name",
            Self::Unauthenticated => "unauthenticated",
            Self::Unproven => "unproven",
            Self::Broken => "broken",
            Self::GivenUp => "given-up",
            Self::Ours => "ours",
        }
    }

    fn achieved(achieved: &Achieved) -> Self {
        match achieved {
            Achieved::ByDane(_) => Self::Dane,
            Achieved::ByName(_) => Self::Name,
            Achieved::Encrypted | Achieved::Clear | Achieved::ClearForNow => Self::Unauthenticated,
        }
    }

    fn failed(cause: &Cause) -> Self {
        match cause {
            Cause::Tls(TlsFault::Unproven(_)) | Cause::Policy(_) => Self::Unproven,
            Cause::Tls(_) | Cause::Connection(_) | Cause::Smtp(_) => Self::Broken,
            Cause::Ours(_) | Cause::Dns(..) | Cause::Destination(_) | Cause::Login(_) => Self::Ours,
        }
    }
}

/// The versions that can be agreed on, and none where a handshake did not end well.
const VERSIONS: [Option<TlsVersion>; 3] = [Some(TlsVersion::Tls13), Some(TlsVersion::Tls12), None];

/// The number of handshakes for each version and result.
#[derive(Debug, Default)]
pub struct Handshakes([[AtomicU64; ShakenResult::ALL.len()]; VERSIONS.len()]);

/// One handshake in progress; if nobody says how it ended, it was given up.
pub(super) struct Shaking<'a> {
    counts: Option<&'a Handshakes>,
}

impl Handshakes {
    /// All of them; the version is `None` where a handshake did not end well.
    pub fn all(&self) -> impl Iterator<Item = (Option<TlsVersion>, ShakenResult, u64)> {
        VERSIONS.into_iter().zip(&self.0).flat_map(|(version, row)| {
            let counts = ShakenResult::ALL.into_iter().zip(row);
            counts.map(move |(result, count)| (version, result, count.load(Ordering::Relaxed)))
        })
    }

    fn count(&self, agreed: Option<TlsVersion>, result: ShakenResult) {
        let mut rows = VERSIONS.into_iter().zip(&self.0);
        let row = rows.find(|(version, _)| *version == agreed);
        if let Some(count) = row.and_then(|(_, row)| row.get(result as usize)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl<'a> Shaking<'a> {
    pub(super) fn begun(counts: Option<&'a Handshakes>) -> Self {
        Self { counts }
    }

    pub(super) fn ended(&mut self, version: Option<TlsVersion>, achieved: &Achieved) {
        if let Some(counts) = self.counts.take() {
            counts.count(version, ShakenResult::achieved(achieved));
        }
    }

    pub(super) fn failed(&mut self, failure: &SessionFailure) {
        if let Some(counts) = self.counts.take() {
            counts.count(None, ShakenResult::failed(&failure.cause));
        }
    }
}

impl Drop for Shaking<'_> {
    fn drop(&mut self) {
        if let Some(counts) = self.counts {
            counts.count(None, ShakenResult::GivenUp);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_handshake_is_counted_once_and_one_that_is_dropped_was_given_up() {
        let counts = Handshakes::default();
        Shaking::begun(Some(&counts)).ended(Some(TlsVersion::Tls12), &Achieved::Encrypted);
        drop(Shaking::begun(Some(&counts)));
        drop(Shaking::begun(None));
        let counted: Vec<_> = counts.all().filter(|(_, _, count)| *count > 0).collect();
        assert_eq!(
            counted,
            [
                (Some(TlsVersion::Tls12), ShakenResult::Unauthenticated, 1),
                (None, ShakenResult::GivenUp, 1)
            ]
        );
        for (position, result) in ShakenResult::ALL.into_iter().enumerate() {
            assert_eq!(result as usize, position);
        }
    }
}
