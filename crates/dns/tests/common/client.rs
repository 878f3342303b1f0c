//! A resolver that is asked, and what it is expected to tell.

use std::ops::Deref;
use std::panic::Location;

use dns::{Resolver, ResolverConfig};

use super::{parted, told};

/// A resolver, and what tells it from the others of its test.
pub struct Client {
    resolver: Resolver,
    called: String,
}

impl Deref for Client {
    type Target = Resolver;

    fn deref(&self) -> &Resolver {
        &self.resolver
    }
}

impl Client {
    pub fn new(config: ResolverConfig) -> Self {
        let called = format!("{:?}", config.mode);
        let resolver = Resolver::new(config).unwrap();
        Self { resolver, called }
    }

    /// The same, with one limit for all that it is asked.
    pub fn for_one_destination(&self) -> Self {
        Self {
            resolver: self.resolver.for_one_destination(),
            called: self.called.clone(),
        }
    }

    /// The same under a name that says more where a test has several.
    pub fn called(self, called: &str) -> Self {
        let called = format!("{}, {called}", self.called);
        Self { called, ..self }
    }

    pub async fn ask(&self, question: &str) -> String {
        let (name, record_type) = parted(question);
        told(&self.resolver.text(name, &record_type.to_string()).await.unwrap())
    }

    /// Asserts of each line what is told: `mx.bogus.test A -> failed bogus`, or `failed` alone for any failure.
    #[track_caller]
    pub fn tells(&self, lines: &str) -> impl Future<Output = ()> {
        self.compare(lines, async |question| self.ask(question).await)
    }

    /// The same of what `find` makes of each line's first half.
    #[track_caller]
    pub fn compare(&self, lines: &str, find: impl AsyncFn(&str) -> String) -> impl Future<Output = ()> {
        let place = Location::caller();
        async move {
            let (mut wrong, mut compared) = (Vec::new(), 0);
            for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
                let (asked, due) = line.split_once("->").expect("an arrow before what is due");
                let (asked, due) = (asked.trim(), due.trim());
                let found = find(asked).await;
                compared += 1;
                if found != due && !(due == "failed" && found.starts_with("failed ")) {
                    wrong.push(format!("{asked} -> {found}, where it should be {due}"));
                }
            }
            assert!(compared > 0, "{place}: nothing was compared");
            assert!(wrong.is_empty(), "{place} ({}): {wrong:#?}", self.called);
        }
    }
}
