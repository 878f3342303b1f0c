//! The world with a relay in its middle and a mail server that sends through it.

use crate::letter::Letter;
use crate::log::LogLine;
use crate::make::Make;
use crate::relay::{DnsMode, HOST, PORT, Relay};
use crate::resolver::Resolver;
use crate::server::Submit;
use crate::world::{SOFT_FAIL, World};
use std::path::Path;

/// Who stands in front of the relay, who behind it, and how the relay learns what is secure.
#[derive(Clone, Copy)]
pub struct Cast {
    /// The server that sends through the relay.
    pub front: Make,
    /// The server that receives from the relay.
    pub back: Make,
    /// Who validates.
    pub mode: DnsMode,
}

impl Cast {
    /// The same make on both sides. Where it does not matter which: Exim starts faster.
    pub fn both(make: Make, mode: DnsMode) -> Self {
        Self {
            front: make,
            back: make,
            mode,
        }
    }
}

/// Everything, running.
pub struct Stage {
    /// The relay under test.
    pub relay: Relay,
    /// The server in front of it.
    pub front: Box<dyn Submit>,
    /// Everything else.
    pub world: World,
}

impl Stage {
    /// Starts the servers and the relay, with the resolver that the mode asks for.
    pub fn set(directory: &Path, cast: Cast) -> Self {
        let resolver = match cast.mode {
            DnsMode::TrustAd => Resolver::Validating,
            DnsMode::Validate => Resolver::Plain,
        };
        Self::set_with(directory, cast, resolver)
    }

    /// The same with a resolver of another kind.
    pub fn set_with(directory: &Path, cast: Cast, resolver: Resolver) -> Self {
        let world = World::start(directory, resolver, cast.back);
        Self::set_in(world, cast.front, cast.mode)
    }

    /// The relay and the server in front of it, in a world that runs already.
    pub fn set_in(world: World, front: Make, mode: DnsMode) -> Self {
        let directory = &world.directory;
        let relay = Relay::start(directory, mode, &world.tree.trust_anchor(), SOFT_FAIL);
        let front = front.front(directory, HOST, PORT);
        Self { relay, front, world }
    }

    /// Sends a letter to the domain, compares what arrives, and returns the log line.
    pub fn arrives(&self, domain: &str) -> LogLine {
        let letter = letter_to(domain);
        self.front.submit(&letter);
        letter.assert_same(&self.world.back.receive(&letter));
        self.relay.delivery(&letter.recipient, "sent")
    }
}

/// The one letter that a test sends to a domain.
pub fn letter_to(domain: &str) -> Letter {
    Letter::new(&format!("letter-to-{domain}"), &format!("bob@{domain}"))
}
