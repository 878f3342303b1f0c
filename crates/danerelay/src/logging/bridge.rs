//! Logs what libraries report through `tracing`: warnings and errors, each of bounded length, and only a limited number
//! from each library, because a stranger may be able to cause them. Events that are not written are not formatted
//! either.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use mail::Source;
use mail::event::Level;
use mail::event::log::Library;
use mail::render::CUT;
use tracing::field::{Field, Visit};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use super::logger::Logger;

/// The maximum length of a library's message, in octets.
const TEXT: usize = 1024;

/// From now on, sends the warnings and errors of libraries to the log.
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

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::WARN)
    }

    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let (level, module) = (level(*metadata.level()), metadata.target());
        let library = crate_of(module);
        let Some(more) = self.0.takes(level, Some(Source::Library(library))) else {
            return;
        };
        let mut words = Words::default();
        event.record(&mut words);
        let library = Library {
            level,
            library,
            module: module.to_owned(),
            message: words.joined(),
        };
        self.0.put_after(&library, more);
    }
}

fn crate_of(target: &str) -> &str {
    target.split("::").next().unwrap_or(target)
}

fn level(level: tracing::Level) -> Level {
    match level {
        tracing::Level::ERROR => Level::Error,
        tracing::Level::WARN => Level::Warning,
        tracing::Level::INFO => Level::Info,
        tracing::Level::DEBUG | tracing::Level::TRACE => Level::Debug,
    }
}

/// Text that is cut off, with a mark, when it becomes too long: the rest is not even formatted.
#[derive(Default)]
struct Bounded(String);

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = TEXT.saturating_sub(self.0.len());
        if text.len() <= room {
            self.0.push_str(text);
            return Ok(());
        }
        let kept = text.get(..text.floor_char_boundary(room)).unwrap_or_default();
        self.0.push_str(kept);
        self.0.push_str(CUT);
        // This stops whatever is formatting.
        Err(fmt::Error)
    }
}

/// The value as formatted by its `Debug`, or as much of it as there is room for.
fn words(value: &dyn fmt::Debug) -> String {
    let mut words = Bounded::default();
    let _ = write!(words, "{value:?}");
    words.0
}

/// The message, followed by the other fields.
#[derive(Default)]
struct Words {
    message: String,
    fields: Bounded,
}

impl Words {
    fn joined(self) -> String {
        let fields = self.fields.0;
        if self.message.is_empty() || fields.is_empty() {
            return self.message + &fields;
        }
        format!("{} {fields}", self.message)
    }
}

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = words(value);
        } else if !self.fields.0.ends_with(CUT) {
            let separator = if self.fields.0.is_empty() { "" } else { " " };
            let _ = write!(self.fields, "{separator}{}={value:?}", field.name());
        }
    }
}
