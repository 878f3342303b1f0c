//! How handshakes with receiving servers ended, counted for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use mail::Cause;
use mail::cause::TlsFault;
use rustls::ProtocolVersion;

use super::clearance::Achieved;
use crate::failure::SessionFailure;

/// The version of TLS that was agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShakenVersion {
    /// TLS 1.3.
    Tls13,
    /// TLS 1.2.
    Tls12,
    /// None: the handshake did not end well.
    None,
}

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

impl ShakenVersion {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::Tls13, Self::Tls12, Self::None];

    /// The value of the label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tls13 => "TLSv1.3",
            Self::Tls12 => "TLSv1.2",
            Self::None => "none",
        }
    }

    fn of(agreed: Option<ProtocolVersion>) -> Self {
        match agreed {
            Some(ProtocolVersion::TLSv1_3) => Self::Tls13,
            Some(ProtocolVersion::TLSv1_2) => Self::Tls12,
            _ => Self::None,
        }
    }
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

/// The number of handshakes for each version and result.
#[derive(Debug, Default)]
pub struct Handshakes([[AtomicU64; ShakenResult::ALL.len()]; ShakenVersion::ALL.len()]);

/// One handshake in progress; if nobody says how it ended, it was given up.
pub(super) struct Shaking<'a> {
    counts: Option<&'a Handshakes>,
}

impl Handshakes {
    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = (ShakenVersion, ShakenResult, u64)> {
        ShakenVersion::ALL
            .into_iter()
            .zip(&self.0)
            .flat_map(|(version, row)| {
                let counts = ShakenResult::ALL.into_iter().zip(row);
                counts.map(move |(result, count)| (version, result, count.load(Ordering::Relaxed)))
            })
    }

    fn count(&self, version: ShakenVersion, result: ShakenResult) {
        let row = self.0.get(version as usize);
        if let Some(count) = row.and_then(|row| row.get(result as usize)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl<'a> Shaking<'a> {
    pub(super) fn begun(counts: Option<&'a Handshakes>) -> Self {
        Self { counts }
    }

    pub(super) fn ended(&mut self, version: Option<ProtocolVersion>, achieved: &Achieved) {
        if let Some(counts) = self.counts.take() {
            counts.count(ShakenVersion::of(version), ShakenResult::achieved(achieved));
        }
    }

    pub(super) fn failed(&mut self, failure: &SessionFailure) {
        if let Some(counts) = self.counts.take() {
            counts.count(ShakenVersion::None, ShakenResult::failed(&failure.cause));
        }
    }
}

impl Drop for Shaking<'_> {
    fn drop(&mut self) {
        if let Some(counts) = self.counts {
            counts.count(ShakenVersion::None, ShakenResult::GivenUp);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_handshake_is_counted_once_and_one_that_is_dropped_was_given_up() {
        let counts = Handshakes::default();
        Shaking::begun(Some(&counts)).ended(Some(ProtocolVersion::TLSv1_2), &Achieved::Encrypted);
        drop(Shaking::begun(Some(&counts)));
        drop(Shaking::begun(None));
        let counted: Vec<_> = counts.all().filter(|(_, _, count)| *count > 0).collect();
        assert_eq!(
            counted,
            [
                (ShakenVersion::Tls12, ShakenResult::Unauthenticated, 1),
                (ShakenVersion::None, ShakenResult::GivenUp, 1)
            ]
        );
        for (position, (version, result)) in ShakenVersion::ALL
            .iter()
            .flat_map(|version| ShakenResult::ALL.iter().map(move |result| (*version, *result)))
            .enumerate()
        {
            assert_eq!(
                version as usize * ShakenResult::ALL.len() + result as usize,
                position
            );
        }
    }
}
