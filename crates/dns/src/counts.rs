//! How many look-ups there were, and how they ended, counted for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use hickory_proto::rr::RecordType;
use mail::LookupStatus;

use crate::NoAnswer;
use crate::asked::{Asked, Found};

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountedType {
    /// MX records.
    Mx,
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// An alias.
    Cname,
    /// TLSA records.
    Tlsa,
    /// Text: MTA-STS and TLS reporting.
    Txt,
    /// Anything else.
    Other,
}

impl CountedType {
    /// Each of them.
    pub const ALL: [Self; 7] = [
        Self::Mx,
        Self::A,
        Self::Aaaa,
        Self::Cname,
        Self::Tlsa,
        Self::Txt,
        Self::Other,
    ];

    /// The value of the label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mx => "mx",
            Self::A => "a",
            Self::Aaaa => "aaaa",
            Self::Cname => "cname",
            Self::Tlsa => "tlsa",
            Self::Txt => "txt",
            Self::Other => "other",
        }
    }

    fn of(asked: &Asked) -> Self {
        match asked {
            Asked::Mx(_) => Self::Mx,
            Asked::A(_) => Self::A,
            Asked::Aaaa(_) => Self::Aaaa,
            Asked::Cname(_) => Self::Cname,
            Asked::Tlsa(..) => Self::Tlsa,
            Asked::Any(question) => match question.1 {
                RecordType::MX => Self::Mx,
                RecordType::A => Self::A,
                RecordType::AAAA => Self::Aaaa,
                RecordType::CNAME => Self::Cname,
                RecordType::TLSA => Self::Tlsa,
                RecordType::TXT => Self::Txt,
                _ => Self::Other,
            },
        }
    }
}

/// The number of look-ups that the servers were asked for, and of those that the cache answered.
#[derive(Debug, Default)]
pub struct LookupCounts {
    asked: [[AtomicU64; LookupStatus::ALL.len()]; CountedType::ALL.len()],
    cached: AtomicU64,
}

impl LookupCounts {
    /// Look-ups made, by what was asked for and how they ended.
    pub fn asked(&self) -> impl Iterator<Item = (CountedType, LookupStatus, u64)> {
        CountedType::ALL
            .into_iter()
            .zip(&self.asked)
            .flat_map(|(asked, row)| {
                let counts = LookupStatus::ALL.into_iter().zip(row);
                counts.map(move |(result, count)| (asked, result, count.load(Ordering::Relaxed)))
            })
    }

    /// Look-ups for which nobody had to be asked.
    pub fn cached(&self) -> u64 {
        self.cached.load(Ordering::Relaxed)
    }

    pub(crate) fn count_cached(&self) {
        self.cached.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count(&self, asked: &Asked, answer: &Result<Found, NoAnswer>) {
        let row = self.asked.get(CountedType::of(asked) as usize);
        if let Some(count) = row.and_then(|row| row.get(status(answer) as usize)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn status(answer: &Result<Found, NoAnswer>) -> LookupStatus {
    match answer {
        Ok(found) => found.security().into(),
        Err(failure) => (&failure.cause).into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use mail::{Domain, LookupFailure};

    use super::*;

    #[test]
    fn each_look_up_is_counted_where_it_belongs() {
        let counts = LookupCounts::default();
        let asked = Asked::Tlsa(25, Domain::parse("mx.example").unwrap());
        counts.count(&asked, &Err(LookupFailure::Bogus.into()));
        counts.count_cached();
        let counted: Vec<_> = counts.asked().filter(|(_, _, count)| *count > 0).collect();
        assert_eq!(counted, [(CountedType::Tlsa, LookupStatus::Bogus, 1)]);
        assert_eq!(counts.cached(), 1);
        for (position, one) in CountedType::ALL.into_iter().enumerate() {
            assert_eq!(one as usize, position);
        }
        for (position, one) in LookupStatus::ALL.into_iter().enumerate() {
            assert_eq!(one as usize, position);
        }
    }
}
