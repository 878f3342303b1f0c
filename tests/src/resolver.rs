//! Unbound, between the relay and the signed tree.

use crate::process::{Daemon, command};
use crate::wait;
use crate::zones::{BARE_SERVER, Tree};
use std::fs;
use std::path::Path;

/// Where the resolver listens, port 53.
pub const ADDRESS: &str = "127.0.0.1";

/// What the resolver does about DNSSEC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolver {
    /// Validates up to the private root and sets the AD bit.
    Validating,
    /// Passes signatures on and vouches for nothing: what is secure here was validated by who asked.
    Plain,
    /// Vouches for nothing and has no signatures to pass on: whoever it asks has lost them.
    Stripping,
}

impl Resolver {
    /// Starts it above `tree`.
    pub fn start(self, directory: &Path, tree: &Tree) -> Daemon {
        self.start_at(ADDRESS, directory, tree)
    }

    /// The same at another address.
    pub fn start_at(self, address: &str, directory: &Path, tree: &Tree) -> Daemon {
        let modules = match self {
            Self::Validating => "validator iterator",
            Self::Plain | Self::Stripping => "iterator",
        };
        let mut configuration = format!(
            "server:\n  interface: {address}\n  port: 53\n  username: \"\"\n  chroot: \"\"\n  directory: \"{place}\"\n\
             \x20 pidfile: \"{place}/unbound-{address}.pid\"\n  do-daemonize: no\n  use-syslog: no\n  logfile: \"\"\n\
             \x20 verbosity: 1\n  val-log-level: 2\n  num-threads: 1\n  do-ip6: no\n  do-not-query-localhost: no\n\
             \x20 module-config: \"{modules}\"\n  root-hints: \"{hints}\"\n  trust-anchor-file: \"{anchor}\"\n\
             \x20 local-zone: \"test.\" nodefault\nremote-control:\n  control-enable: no\n",
            place = directory.display(),
            hints = tree.root_hints().display(),
            anchor = tree.trust_anchor().display(),
        );
        if self == Self::Stripping {
            tree.serve_bare();
            configuration.push_str("forward-zone:\n  name: \".\"\n  forward-addr: ");
            configuration.push_str(BARE_SERVER);
            configuration.push('\n');
        }
        let file = directory.join(format!("unbound-{address}.conf"));
        fs::write(&file, configuration).unwrap();
        let resolver = Daemon::start(
            command("unbound").arg("-d").arg("-c").arg(file),
            &directory.join(format!("unbound-{address}.log")),
        );
        wait::until_listening("Unbound", format!("{address}:53").parse().unwrap());
        resolver
    }
}
