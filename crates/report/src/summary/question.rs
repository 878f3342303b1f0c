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
    /// The most rows of traffic for each part of the period, the first ones in their order; all without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<usize>,
    /// The order of rows of traffic.
    #[serde(default, skip_serializing_if = "Order::is_usual")]
    pub order: Order,
}

/// The order of rows: the most come first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// By deliveries.
    #[default]
    Deliveries,
    /// By different recipient domains, then by deliveries.
    Domains,
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

impl Order {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
    fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

impl Period {
    /// How many days it has.
    pub fn days(self) -> i64 {
        let length = self.to.duration_since(self.from).as_hours() / 24;
        length.saturating_add(1)
    }

    /// As many days as this one has, before it. What is compared if the period is not divided.
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

    /// What a part of the period around it is compared with: the same days of the period before, so that a running month is
    /// compared with as much of the one before.
    fn before(self, part: Period) -> Period {
        let whole = self.around(part.from);
        let earlier = self.around(whole.from.yesterday().unwrap_or(Date::MIN));
        let same = |day: Date| {
            let passed = day.duration_since(whole.from).as_hours() / 24;
            let same = earlier.from.saturating_add(passed.days());
            same.min(earlier.to)
        };
        Period {
            from: same(part.from),
            to: if part.to == whole.to {
                earlier.to
            } else {
                same(part.to)
            },
        }
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
    /// What it is compared with.
    pub(super) before: Option<Period>,
}

impl Question {
    /// The first day that the answer needs.
    pub fn earliest(&self) -> Date {
        let first = self.parts().into_iter().next();
        let before = first.and_then(|part| part.before);
        before.map_or(self.period.from, |before| before.from)
    }

    /// What the first part is compared with.
    pub fn compared_with(&self) -> Option<Period> {
        self.parts().into_iter().next()?.before
    }

    /// The parts of the period in order.
    pub(super) fn parts(&self) -> Vec<Part> {
        let Some(per) = self.per else {
            return vec![Part {
                name: None,
                period: self.period,
                before: self.compare.then(|| self.period.before()),
            }];
        };
        let mut parts = Vec::new();
        let mut day = self.period.from;
        while day <= self.period.to {
            let whole = per.around(day);
            let period = Period {
                from: day,
                to: whole.to.min(self.period.to),
            };
            parts.push(Part {
                name: Some(per.name(period)),
                period,
                before: self.compare.then(|| per.before(period)),
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
    #![allow(clippy::unwrap_used)]
    use jiff::civil::date;

    use super::*;

    fn question(from: Date, to: Date, per: Option<Per>) -> Question {
        Question {
            period: Period { from, to },
            view: View::Overview,
            per,
            compare: true,
            internal: Internal::Include,
            internal_domains: Vec::new(),
            most: None,
            order: Order::default(),
        }
    }

    /// The name of each part, its days, and what it is compared with.
    fn parts(from: Date, to: Date, per: Option<Per>) -> Vec<String> {
        let parts = question(from, to, per).parts().into_iter();
        let shown = parts.map(|part| {
            let (name, before) = (part.name.unwrap_or_default(), part.before.unwrap());
            format!("{name} {}: {} to {}", part.period.days(), before.from, before.to)
        });
        shown.collect()
    }

    #[test]
    fn a_period_is_divided_by_the_calendar_and_each_part_compared_with_the_same_days() {
        let (from, to) = (date(2026, 1, 30), date(2026, 3, 2));
        assert_eq!(parts(from, to, None), [" 32: 2025-12-29 to 2026-01-29"]);
        assert_eq!(
            parts(from, to, Some(Per::Month)),
            [
                "2026-01 2: 2025-12-30 to 2025-12-31",
                "2026-02 28: 2026-01-01 to 2026-01-31",
                "2026-03 2: 2026-02-01 to 2026-02-02"
            ]
        );
        assert_eq!(
            parts(from, to, Some(Per::Year)),
            ["2026 32: 2025-01-30 to 2025-03-02"]
        );
        assert_eq!(parts(from, to, Some(Per::Day)).len(), 32);
        assert!(parts(to, from, Some(Per::Day)).is_empty());
        // A month that is longer than the one before.
        let (from, to) = (date(2026, 3, 1), date(2026, 3, 30));
        assert_eq!(
            parts(from, to, Some(Per::Month)),
            ["2026-03 30: 2026-02-01 to 2026-02-28"]
        );
        assert_eq!(question(from, to, None).earliest(), date(2026, 1, 30));
        let alone = Question {
            compare: false,
            ..question(from, to, Some(Per::Month))
        };
        assert_eq!((alone.earliest(), alone.compared_with()), (from, None));
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
