//! Times and ages in words.

use jiff::Timestamp;

/// The age of something, in words.
pub(super) fn ago(time: Timestamp, now: Timestamp) -> String {
    span(now.duration_since(time).as_secs())
}

/// A number of seconds, in words.
pub(super) fn span(seconds: i64) -> String {
    report::incidents::words::span(u64::try_from(seconds).unwrap_or(0))
}

/// `2026-11-29 14:05 UTC`.
pub(super) fn moment(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}
