//! The text format of Prometheus, version 0.0.4.

use std::fmt::{Display, Write as _};

use mail::Observed;

/// The media type.
pub(super) const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Before the name of each metric.
const PREFIX: &str = "danerelay_";

/// Metrics as text.
#[derive(Default)]
pub(super) struct Exposition(String);

/// A metric, of which samples are written.
pub(super) struct Family<'a> {
    text: &'a mut String,
    name: &'static str,
}

impl Exposition {
    /// What only rises, until the process ends.
    pub(super) fn counter(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "counter", help)
    }

    /// What rises and falls.
    pub(super) fn gauge(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "gauge", help)
    }

    /// Times by their length, in seconds.
    pub(super) fn histogram(&mut self, name: &'static str, help: &str, observed: &Observed) {
        let Family { text, .. } = self.family(name, "histogram", help);
        for (bound, count) in &observed.up_to {
            let _ = writeln!(
                text,
                "{PREFIX}{name}_bucket{{le=\"{}\"}} {count}",
                bound.as_secs_f64()
            );
        }
        let _ = writeln!(text, "{PREFIX}{name}_bucket{{le=\"+Inf\"}} {}", observed.count);
        let _ = writeln!(text, "{PREFIX}{name}_sum {}", observed.sum.as_secs_f64());
        let _ = writeln!(text, "{PREFIX}{name}_count {}", observed.count);
    }

    /// All of it.
    pub(super) fn into_text(self) -> String {
        self.0
    }

    fn family(&mut self, name: &'static str, kind: &str, help: &str) -> Family<'_> {
        let text = &mut self.0;
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        let _ = writeln!(text, "# HELP {PREFIX}{name} {help}");
        let _ = writeln!(text, "# TYPE {PREFIX}{name} {kind}");
        Family { text, name }
    }
}

impl Family<'_> {
    /// The only sample.
    pub(super) fn is(self, value: impl Display) {
        let _ = writeln!(self.text, "{PREFIX}{} {value}", self.name);
    }

    /// The only sample, if there is one.
    pub(super) fn only_if_any(self, value: Option<impl Display>) {
        if let Some(value) = value {
            self.is(value);
        }
    }

    /// The sample with these labels.
    pub(super) fn with(&mut self, labels: &[(&str, &str)], value: impl Display) {
        let _ = write!(self.text, "{PREFIX}{}{{", self.name);
        for (number, (label, word)) in labels.iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            let word = word
                .replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace('\n', "\\n");
            let _ = write!(self.text, "{comma}{label}=\"{word}\"");
        }
        let _ = writeln!(self.text, "}} {value}");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_sample_stands_below_its_help() {
        let mut exposition = Exposition::default();
        exposition.gauge("size", "A help\nwith \\ two lines.").is(3);
        exposition
            .counter("words_total", "b")
            .with(&[("a", "x\"y"), ("b", "z")], 1.5);
        let observed = Observed {
            up_to: vec![(Duration::from_millis(500), 2)],
            count: 3,
            sum: Duration::from_secs(9),
        };
        exposition.histogram("time_seconds", "c", &observed);
        let expected = "# HELP danerelay_size A help\\nwith \\\\ two lines.\n\
            # TYPE danerelay_size gauge\ndanerelay_size 3\n\
            # HELP danerelay_words_total b\n# TYPE danerelay_words_total counter\n\
            danerelay_words_total{a=\"x\\\"y\",b=\"z\"} 1.5\n\
            # HELP danerelay_time_seconds c\n# TYPE danerelay_time_seconds histogram\n\
            danerelay_time_seconds_bucket{le=\"0.5\"} 2\ndanerelay_time_seconds_bucket{le=\"+Inf\"} 3\n\
            danerelay_time_seconds_sum 9\ndanerelay_time_seconds_count 3\n";
        assert_eq!(exposition.into_text(), expected);
    }
}
