//! Counts the signatures that the library checks, by what it writes of each.
#![allow(dead_code, unreachable_pub)]

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{DefaultGuard, set_default};
use tracing::{Event, Metadata, Subscriber};

/// Counts on this thread as long as it lives.
pub struct Checks {
    made: Arc<AtomicUsize>,
    _listening: DefaultGuard,
}

impl Checks {
    pub fn count() -> Self {
        let made = Arc::new(AtomicUsize::new(0));
        let listener = Listener(Arc::clone(&made));
        Self {
            made,
            _listening: set_default(listener),
        }
    }

    pub fn made(&self) -> usize {
        self.made.load(Ordering::Relaxed)
    }
}

struct Listener(Arc<AtomicUsize>);

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("hickory_net::dnssec")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn event(&self, event: &Event<'_>) {
        let mut check = IsCheck(false);
        event.record(&mut check);
        if check.0 {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// Whether an event tells of a signature that was found good or wrong.
struct IsCheck(bool);

impl Visit for IsCheck {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            let told = format!("{value:?}");
            self.0 = ["validated rrset with dnskey", "failed rrset validation"].contains(&told.as_str());
        }
    }
}
