//! Values of options; errors are worded as for the configuration files.

use std::num::NonZeroU16;
use std::ops::RangeInclusive;

use settings_file::forms::{Form, Unfit};

/// A port that can be connected to.
pub(super) fn port(text: &str) -> Result<NonZeroU16, &'static str> {
    text.parse().map_err(|_| "allowed: a port from 1 to 65535")
}

/// A time to live in seconds (RFC 2181 §8).
pub(super) fn ttl(text: &str) -> Result<u32, &'static str> {
    const MOST: u32 = i32::MAX.unsigned_abs();
    let ttl = text.parse().ok().filter(|ttl| *ttl <= MOST);
    ttl.ok_or("allowed: a whole number of seconds from 0 to 2147483647")
}

/// Ten years, for which totals are kept.
pub(super) const MOST_DAYS: u16 = 3653;

/// A number of days within these bounds.
pub(super) fn days(
    bounds: RangeInclusive<u16>,
) -> impl Fn(&str) -> Result<u16, String> + Clone + Send + Sync + 'static {
    move |text| {
        let days = text.parse().ok().filter(|days| bounds.contains(days));
        days.ok_or_else(|| {
            let (least, most) = (bounds.start(), bounds.end());
            format!("allowed: a whole number of days from {least} to {most}")
        })
    }
}

/// A value with a form of its own, as in the configuration files.
pub(crate) fn formed<F: Form>(text: &str) -> Result<F::Value, String> {
    F::read(text).map_err(|unfit| match unfit {
        Unfit::Form => format!("allowed: {}", F::ALLOWED),
        Unfit::Because(reason) => format!("{reason}; allowed: {}", F::ALLOWED),
    })
}
