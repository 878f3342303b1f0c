//! What libraries report through `tracing`, as events of the log.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use mail::event::{Event, EventLog, Level, Value};
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use super::Logger;

/// Sends what libraries report, warnings and errors only, to the log from now on.
///
/// A second call has no effect: the first log stays.
pub(crate) fn forward_tracing(log: Arc<Logger>) {
    let _ = tracing_subscriber::registry().with(Bridge(log)).try_init();
}

struct Bridge(Arc<Logger>);

impl<S: tracing::Subscriber> Layer<S> for Bridge {
    fn enabled(&self, metadata: &tracing::Metadata<'_>, _: Context<'_, S>) -> bool {
        *metadata.level() <= tracing::Level::WARN
    }

    fn max_level_hint(&self) -> Option<tracing::level_filters::LevelFilter> {
        Some(tracing::level_filters::LevelFilter::WARN)
    }

    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let level = if *event.metadata().level() == tracing::Level::ERROR {
            Level::Error
        } else {
            Level::Warning
        };
        let mut words = Words::default();
        event.record(&mut words);
        self.0.write(
            &Event::new(level, "library")
                .with("module", Value::Word(event.metadata().target().to_owned()))
                .with("message", Value::Quoted(words.0)),
        );
    }
}

/// The message, and the other fields behind it.
#[derive(Default)]
struct Words(String);

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0.insert_str(0, &format!("{value:?}"));
        } else {
            let separator = if self.0.is_empty() { "" } else { " " };
            let _ = write!(self.0, "{separator}{}={value:?}", field.name());
        }
    }
}
