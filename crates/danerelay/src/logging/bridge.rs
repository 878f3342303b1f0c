//! What libraries report through `tracing`, as events of the log: warnings and errors, each of bounded length, and only so
//! many of each library, since what they report may be a stranger's doing. What is not written is not put into words either.

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

/// The longest text that is made of what a library has to say, in octets.
const TEXT: usize = 1024;

/// Sends the warnings and errors of libraries to the log from now on.
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

/// Text that ends, with a mark, where it becomes too long: what is not wanted is not written out first.
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
        // This ends the writing, whoever writes.
        Err(fmt::Error)
    }
}

/// The value in the words of its `Debug`, or as much as there is room for.
fn words(value: &dyn fmt::Debug) -> String {
    let mut words = Bounded::default();
    let _ = write!(words, "{value:?}");
    words.0
}

/// The message, and the other fields behind it.
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
