//! What libraries report through `tracing`, as events of the log.
//!
//! Our own spool reports in this way, too: `event=spool`, each field by its name. All others are `event=library`.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use mail::event::{Event, EventLog, Level, Value};
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use super::Logger;

/// Sends what libraries report to the log from now on: of the spool all but details, of others warnings and errors.
///
/// A second call has no effect: the first log stays.
pub(crate) fn forward_tracing(log: Arc<Logger>) {
    let _ = tracing_subscriber::registry().with(Bridge(log)).try_init();
}

struct Bridge(Arc<Logger>);

impl<S: tracing::Subscriber> Layer<S> for Bridge {
    fn enabled(&self, metadata: &tracing::Metadata<'_>, _: Context<'_, S>) -> bool {
        *metadata.level() <= finest(metadata.target())
    }

    fn max_level_hint(&self) -> Option<tracing::level_filters::LevelFilter> {
        Some(tracing::level_filters::LevelFilter::INFO)
    }

    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let level = level(*metadata.level());
        if is_spool(metadata.target()) {
            let mut fields = Fields(Event::new(level, "spool"));
            event.record(&mut fields);
            self.0.write(&fields.0);
        } else {
            let mut words = Words::default();
            event.record(&mut words);
            self.0.write(
                &Event::new(level, "library")
                    .with("module", Value::Word(metadata.target().to_owned()))
                    .with("message", Value::Quoted(words.0)),
            );
        }
    }
}

fn finest(target: &str) -> tracing::Level {
    if is_spool(target) {
        tracing::Level::INFO
    } else {
        tracing::Level::WARN
    }
}

/// Whether this is the spool: the crate of its traits, a store, or a module of these.
fn is_spool(target: &str) -> bool {
    matches!(target.split("::").next(), Some("spool" | "spool_embedded"))
}

fn level(level: tracing::Level) -> Level {
    match level {
        tracing::Level::ERROR => Level::Error,
        tracing::Level::WARN => Level::Warning,
        tracing::Level::INFO => Level::Info,
        tracing::Level::DEBUG | tracing::Level::TRACE => Level::Debug,
    }
}

/// Each field as one of the event; the message is the reason.
struct Fields(Event);

impl Fields {
    fn add(&mut self, field: &Field, value: Value) {
        let key = match field.name() {
            "message" => "reason",
            name => name,
        };
        self.0.fields.push((key, value));
    }
}

impl Visit for Fields {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, Value::Integer(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        match u64::try_from(value) {
            Ok(value) => self.record_u64(field, value),
            Err(_) => self.record_debug(field, &value),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, Value::Quoted(value.to_owned()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, Value::Quoted(format!("{value:?}")));
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
