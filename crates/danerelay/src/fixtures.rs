//! What tests of several modules need: a resolver of a test world, and a log that can be read.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use dns::{Mode, Resolver, ResolverConfig, TrustAnchors};
use mail::event::{Event, EventLog, Record as _};
use parking_lot::Mutex;
use testworld::dns::World;
use tokio::time::{Instant, sleep};

/// Validates what the servers of this world say, up to its trust anchor.
pub(crate) fn resolver_config(world: &World) -> ResolverConfig {
    ResolverConfig {
        mode: Mode::Validate,
        servers: vec![world.address().into()],
        trust_anchors: TrustAnchors::parse(&world.trust_anchor_ds().unwrap()).unwrap(),
        domain_insecure: Vec::new(),
        timeout: Duration::from_secs(3),
        cache_entries: 1000,
        sockets: 256,
    }
}

/// A resolver of this world.
pub(crate) fn resolver(world: &World) -> Resolver {
    Resolver::new(resolver_config(world)).unwrap()
}

/// Keeps the lines of a log: the level, and the text.
#[derive(Default)]
pub(crate) struct Lines(pub(crate) Mutex<Vec<String>>);

impl EventLog for Lines {
    fn write(&self, event: &Event) {
        let line = format!("{} {}", event.level(), event.to_text());
        self.0.lock().push(line);
    }
}

impl Lines {
    /// Waits for a line with this text.
    pub(crate) async fn wait_for(&self, text: &str) {
        let begun = Instant::now();
        while !self.0.lock().iter().any(|line| line.contains(text)) {
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "{text}: {:?}",
                self.0.lock()
            );
            sleep(Duration::from_millis(10)).await;
        }
    }
}
