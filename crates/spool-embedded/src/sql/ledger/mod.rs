//! The ledger's tables: outcomes counted by day, and what they are counted under.
//!
//! * [`columns`]: how the fields of a key are stored.
//! * [`counting`]: what a group of settlements adds. [`packed`]: the rows of days that are over. [`reading`]: what reports are
//!   made from, with [`names`] and [`sums`]. [`tidying`]: what is old goes.
//!
//! A day's row has two numbers for what it counts, because there are so many: the key stands once in `ledger_key`, the names
//! of domains and hosts once in `ledger_name`.

mod columns;
pub(crate) mod counting;
mod names;
mod packed;
pub(crate) mod reading;
mod sums;
pub(crate) mod tidying;

use jiff::Timestamp;
use jiff::civil::Date;

const SECONDS_A_DAY: i64 = 86_400;

/// Days from 1970-01-01 to the day in UTC.
pub(crate) fn day_of(time: Timestamp) -> i64 {
    time.as_second().div_euclid(SECONDS_A_DAY)
}

/// Days from 1970-01-01 to this one.
pub(crate) fn day_number(day: Date) -> i64 {
    const FIRST: Date = jiff::civil::date(1970, 1, 1);
    day.duration_since(FIRST).as_secs().div_euclid(SECONDS_A_DAY)
}

/// Back from [`day_number`].
pub(crate) fn date(day: i64) -> Option<Date> {
    let time = Timestamp::from_second(day.checked_mul(SECONDS_A_DAY)?).ok()?;
    Some(time.to_zoned(jiff::tz::TimeZone::UTC).date())
}

/// A time within a day, which is kept in seconds.
fn time(day: i64, second: i64) -> Option<Timestamp> {
    Timestamp::from_second(day.checked_mul(SECONDS_A_DAY)?.checked_add(second)?).ok()
}
