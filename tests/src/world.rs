//! The whole of it: authority, tree, resolver and receiving server, before any relay.

use crate::certificates::{Certificates, wrong_tlsa};
use crate::make::Make;
use crate::process::Daemon;
use crate::resolver::Resolver;
use crate::server::{BACK, Receive};
use crate::zones::{Tree, Zone};
use std::path::{Path, PathBuf};

/// Signed, `3 1 1` of the server's key.
pub const GOOD: &str = "example.test";
/// Signed, `2 0 1` of the private authority.
pub const AUTHORITY: &str = "ca.test";
/// Signed, a `3 1 1` that matches nothing.
pub const WRONG: &str = "wrong.test";
/// As [`WRONG`], for a relay that is told not to insist.
pub const SOFT_FAIL: &str = "soft.test";
/// Unsigned itself, its mail goes to [`GOOD`]'s host.
pub const INSECURE_MX: &str = "guest.test";
/// Unsigned with a host of its own.
pub const UNSIGNED: &str = "plain.test";
/// Signed with a key that its parent does not vouch for.
pub const BOGUS: &str = "bogus.test";

/// Signed, its mail goes to [`GOOD`]'s host, which does not take it.
pub const REFUSED: &str = "refused.test";

/// What every peer test starts with.
pub struct World {
    /// The test's directory.
    pub directory: PathBuf,
    /// The receiving server of every domain.
    pub back: Box<dyn Receive>,
    /// The certificate that the receiving server shows, and its TLSA records.
    pub certificates: Certificates,
    /// The DNS tree, to be changed by [`World::publish`].
    pub tree: Tree,
    resolver: Daemon,
}

impl World {
    /// Starts it all in the arena's directory, with a receiving server of this make.
    pub fn start(directory: &Path, resolver: Resolver, back: Make) -> Self {
        Self::start_around(directory, resolver, |directory, domains, certificates| {
            back.back(directory, domains, certificates)
        })
    }

    /// The same around the server that `start_back` starts for these domains, with these certificates.
    pub fn start_around(
        directory: &Path,
        resolver: Resolver,
        start_back: impl FnOnce(&Path, &[&str], &Certificates) -> Box<dyn Receive>,
    ) -> Self {
        let certificates = Certificates::new(&["mx.example.test", "mx.ca.test", "mx.wrong.test"]);
        let zones = [
            secured(GOOD, &certificates.end_entity),
            secured(AUTHORITY, &certificates.authority),
            secured(WRONG, &wrong_tlsa()),
            secured(SOFT_FAIL, &wrong_tlsa()),
            Zone::signed(REFUSED, &[format!("@ MX 10 mx.{GOOD}.")]),
            Zone::unsigned(INSECURE_MX, &[format!("@ MX 10 mx.{GOOD}.")]),
            Zone::unsigned(UNSIGNED, &[mx(), address()]),
            Zone::broken(BOGUS, &[mx(), address()]),
        ];
        let tree = Tree::serve(directory, &zones);
        let resolver = resolver.start(directory, &tree);
        let domains = [GOOD, AUTHORITY, WRONG, SOFT_FAIL, INSECURE_MX, UNSIGNED, BOGUS];
        let back = start_back(directory, &domains, &certificates);
        Self {
            directory: directory.to_owned(),
            back,
            certificates,
            tree,
            resolver,
        }
    }

    /// Publishes this TLSA record for the host of a signed domain, in place of the one before.
    pub fn publish(&mut self, domain: &str, tlsa: &str) {
        self.tree.replace(&secured(domain, tlsa));
    }

    /// Ends the resolver.
    pub fn silence_resolver(&mut self) {
        self.resolver.kill();
    }

    /// Puts a resolver of another kind in the place of the one that runs.
    pub fn resolve_by(&mut self, resolver: Resolver) {
        self.resolver.kill();
        self.resolver = resolver.start(&self.directory, &self.tree);
    }
}

fn secured(name: &str, tlsa: &str) -> Zone {
    Zone::signed(name, &[mx(), address(), format!("_25._tcp.mx TLSA {tlsa}")])
}

fn mx() -> String {
    "@ MX 10 mx".to_owned()
}

fn address() -> String {
    format!("mx A {BACK}")
}
