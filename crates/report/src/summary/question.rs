//! What to report on.

use jiff::ToSpan;
use jiff::civil::Date;
use mail::{Domain, DomainPart};
use serde::{Deserialize, Serialize};

/// What to report on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The days.
    pub period: Period,
    /// What to show of them.
    pub view: View,
    /// Whether to divide them further.
    #[serde(default)]
    pub per: Option<Per>,
    /// Whether to compare each period with the one before, of the same length.
    #[serde(default)]
    pub compare: bool,
    /// What to do with internal traffic.
    pub internal: Internal,
    /// Mail to these domains and those below them is internal.
    #[serde(default)]
    pub internal_domains: Vec<Domain>,
}

/// The most days that a report may be about: ten years, as long as totals are kept. It bounds the parts of a report.
pub const LONGEST_PERIOD: i64 = 3653;

/// Days in UTC, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// The first day.
    pub from: Date,
    /// The last day.
    pub to: Date,
}

/// What to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum View {
    /// The traffic as a whole, and the MX providers.
    Overview,
    /// A row for each of these.
    By(By),
    /// What was delivered although DANE failed.
    SoftFail,
}

/// What a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// The recipient's domain.
    Domain,
    /// Who runs the MX host: the registrable domain of its name.
    MxProvider,
    /// How deliveries ended, and why.
    Outcome,
    /// IPv4 or IPv6.
    AddressFamily,
}

/// How to divide a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Per {
    /// By days.
    Day,
    /// By calendar months.
    Month,
    /// By calendar years.
    Year,
}

/// What to do with internal traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Internal {
    /// Count it with the rest.
    Include,
    /// Leave it out.
    Exclude,
    /// Count nothing else.
    Only,
}

impl Period {
    /// How many days it has.
    pub fn days(self) -> i64 {
        let length = self.to.duration_since(self.from).as_hours() / 24;
        length.saturating_add(1)
    }

    /// As many days as this one has, before it.
    #[must_use]
    pub fn before(self) -> Self {
        let to = self.from.yesterday().unwrap_or(Date::MIN);
        let length = self.days().saturating_sub(1);
        let from = to.checked_sub(length.days()).unwrap_or(Date::MIN);
        Self { from, to }
    }

    /// Its days.
    pub(super) fn range(self) -> std::ops::RangeInclusive<Date> {
        self.from..=self.to
    }
}

impl Per {
    /// The period of this kind with the day in it.
    fn around(self, day: Date) -> Period {
        let (from, to) = match self {
            Self::Day => (day, day),
            Self::Month => (day.first_of_month(), day.last_of_month()),
            Self::Year => (day.first_of_year(), day.last_of_year()),
        };
        Period { from, to }
    }

    /// The period's name: `2026-11-29`, `2026-11`, `2026`.
    pub(super) fn name(self, period: Period) -> String {
        let day = period.from;
        match self {
            Self::Day => day.to_string(),
            Self::Month => day.strftime("%Y-%m").to_string(),
            Self::Year => day.strftime("%Y").to_string(),
        }
    }
}

/// Days that are reported on together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// What the rows call it, if the period is divided.
    pub(super) name: Option<String>,
    pub(super) period: Period,
}

impl Question {
    /// The parts of the period in order; to compare with, one more in front.
    pub(super) fn parts(&self) -> Vec<Part> {
        let Some(per) = self.per else {
            let whole = |period| Part { name: None, period };
            let before = self.compare.then(|| whole(self.period.before()));
            return before.into_iter().chain([whole(self.period)]).collect();
        };
        let mut parts = Vec::new();
        let mut day = self.period.from;
        if self.compare {
            let earlier = per.around(day).from.yesterday().unwrap_or(Date::MIN);
            let period = per.around(earlier);
            parts.push(Part {
                name: Some(per.name(period)),
                period,
            });
        }
        while day <= self.period.to {
            let whole = per.around(day);
            let period = Period {
                from: day,
                to: whole.to.min(self.period.to),
            };
            parts.push(Part {
                name: Some(per.name(period)),
                period,
            });
            match whole.to.tomorrow() {
                Ok(next) => day = next,
                Err(_) => break,
            }
        }
        parts
    }

    /// Whether mail to this domain is internal.
    pub(super) fn is_internal(&self, domain: Option<&DomainPart>) -> bool {
        match domain {
            Some(DomainPart::Name(name)) => self.internal_domains.iter().any(|own| name.is_within(own)),
            Some(DomainPart::Literal(_)) | None => false,
        }
    }

    /// Whether traffic is counted that is internal, or is not.
    pub(super) fn counts(&self, is_internal: bool) -> bool {
        match self.internal {
            Internal::Include => true,
            Internal::Exclude => !is_internal,
            Internal::Only => is_internal,
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn parts(from: Date, to: Date, per: Option<Per>, compare: bool) -> Vec<(Option<String>, i64)> {
        let question = Question {
            period: Period { from, to },
            view: View::Overview,
            per,
            compare,
            internal: Internal::Include,
            internal_domains: Vec::new(),
        };
        let parts = question.parts().into_iter();
        parts.map(|part| (part.name, part.period.days())).collect()
    }

    #[test]
    fn a_period_is_divided_by_the_calendar() {
        let (from, to) = (date(2026, 1, 30), date(2026, 3, 2));
        assert_eq!(parts(from, to, None, true), [(None, 32), (None, 32)]);
        let months = |names: &[(&str, i64)]| -> Vec<_> {
            names
                .iter()
                .map(|(name, days)| (Some((*name).to_owned()), *days))
                .collect()
        };
        assert_eq!(
            parts(from, to, Some(Per::Month), true),
            months(&[("2025-12", 31), ("2026-01", 2), ("2026-02", 28), ("2026-03", 2)])
        );
        assert_eq!(parts(from, to, Some(Per::Year), false), months(&[("2026", 32)]));
        assert_eq!(parts(from, to, Some(Per::Day), false).len(), 32);
        assert!(parts(to, from, Some(Per::Day), false).is_empty());
    }

    #[test]
    fn the_period_before_ends_the_day_before() {
        let month = Period {
            from: date(2026, 11, 1),
            to: date(2026, 11, 30),
        };
        let before = month.before();
        assert_eq!((before.from, before.to), (date(2026, 10, 2), date(2026, 10, 31)));
    }
}
