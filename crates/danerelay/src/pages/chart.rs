//! Bars divided into parts, as a picture in a page.

use report::summary::{End, Traffic};

use super::html::{Escaped, Html};
use super::words::{grouped, percent};

/// The size of the picture, in its own units.
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 160.0;
/// The part of its place that a bar takes, and the most that it may take.
const BAR: f64 = 0.8;
const WIDEST: f64 = 60.0;

/// A bar for each period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chart {
    /// What it shows, for those who cannot see it.
    pub(crate) label: String,
    /// What is counted: `delivery`, and `deliveries`.
    pub(crate) noun: (&'static str, &'static str),
    pub(crate) scale: Scale,
    pub(crate) bars: Vec<Bar>,
}

/// What the height of a part means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    /// Its share of its own bar: all bars are equally high.
    Shares,
    /// Its count: the bar with most is the highest.
    Counts,
}

/// One period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bar {
    pub(crate) name: String,
    /// From the bottom to the top.
    pub(crate) parts: Vec<Part>,
}

/// A part of a bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    /// Its colour, as the style names it.
    pub(crate) class: &'static str,
    pub(crate) words: &'static str,
    pub(crate) count: u64,
}

impl Bar {
    /// How deliveries were secured, the most secure at the bottom.
    pub(crate) fn of(name: &str, traffic: &Traffic) -> Self {
        let parts = traffic.ends().map(|(end, count)| Part {
            class: class(end),
            words: end.words(),
            count,
        });
        Self {
            name: name.to_owned(),
            parts: parts.into(),
        }
    }

    fn total(&self) -> u64 {
        let counts = self.parts.iter().map(|part| part.count);
        counts.fold(0, u64::saturating_add)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a picture needs no more digits")]
fn share(count: u64, of: u64) -> f64 {
    count as f64 / of.max(1) as f64
}

impl Chart {
    /// Draws it.
    pub(crate) fn write(&self, to: &mut Html) {
        to.raw(format_args!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
            Escaped(&self.label)
        ));
        let most = self.bars.iter().map(Bar::total).max().unwrap_or(0);
        #[expect(clippy::cast_precision_loss, reason = "there are few bars")]
        let place = |number: usize| WIDTH * number as f64 / self.bars.len().max(1) as f64;
        let width = (place(1) * BAR).min(WIDEST);
        for (number, bar) in self.bars.iter().enumerate() {
            let left = place(number);
            self.bar(to, bar, most, (left, width));
        }
        to.raw("</svg>");
        match self.bars.as_slice() {
            [] => {}
            [only] => to.raw(format_args!("<p class=\"axis\">{}</p>", Escaped(&only.name))),
            [first, .., last] => to.raw(format_args!(
                "<p class=\"axis\"><span>{}</span><span>{}</span></p>",
                Escaped(&first.name),
                Escaped(&last.name)
            )),
        }
    }

    fn bar(&self, to: &mut Html, bar: &Bar, most: u64, (left, width): (f64, f64)) {
        let total = bar.total();
        let (one, many) = self.noun;
        to.raw("<g><title>");
        to.text(format_args!(
            "{}: {} {}",
            bar.name,
            grouped(total),
            if total == 1 { one } else { many }
        ));
        for part in bar.parts.iter().filter(|part| part.count > 0) {
            match self.scale {
                Scale::Shares => to.text(format_args!(
                    "; {} {}",
                    part.words,
                    percent(share(part.count, total))
                )),
                Scale::Counts => to.text(format_args!("; {} {}", part.words, grouped(part.count))),
            }
        }
        to.raw("</title>");
        let whole = match self.scale {
            Scale::Shares => total,
            Scale::Counts => most,
        };
        let mut bottom = HEIGHT;
        for part in bar.parts.iter().filter(|part| part.count > 0) {
            let height = HEIGHT * share(part.count, whole);
            bottom -= height;
            to.raw(format_args!(
                "<rect class=\"{}\" x=\"{left:.1}\" y=\"{bottom:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>",
                part.class
            ));
        }
        to.raw("</g>");
    }

    /// What the colours mean that are in the picture.
    pub(crate) fn legend(&self, to: &mut Html) {
        let mut named: Vec<Part> = Vec::new();
        for part in self.bars.iter().flat_map(|bar| &bar.parts) {
            if part.count > 0 && !named.iter().any(|known| known.class == part.class) {
                named.push(*part);
            }
        }
        to.raw("<ul class=\"legend\">");
        for part in named {
            to.raw(format_args!(
                "<li><span class=\"key {}\"></span>{}</li>",
                part.class,
                Escaped(part.words)
            ));
        }
        to.raw("</ul>");
    }
}

/// The colour of deliveries that ended like this.
pub(crate) fn class(end: End) -> &'static str {
    match end {
        End::Dane => "dane",
        End::DaneHostOnly => "host-only",
        End::MtaSts => "mta-sts",
        End::Verified => "verified",
        End::Encrypted => "encrypted",
        End::Clear => "clear",
        End::Failed => "failed",
    }
}
