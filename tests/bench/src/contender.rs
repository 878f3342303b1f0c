//! The relays that are measured, each configured as its documentation says for DANE, with its defaults otherwise.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use danerelay_tests::exim::{self, Exim};
use danerelay_tests::postfix::Postfix;
use danerelay_tests::process::{Daemon, command, run};
use danerelay_tests::{relay, resolver, wait};

use crate::letter::zone;
use crate::work::Manner;

/// Where each of them listens.
pub(crate) const ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), PORT);
const PORT: u16 = 2525;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Contender {
    /// Postfix by its defaults: one TLS session a message
    Postfix,
    /// Postfix with `smtp_tls_connection_reuse`: the yardstick
    PostfixReuse,
    /// Exim, which delivers each message at once
    Exim,
    /// danerelay by its defaults
    Danerelay,
}

/// One of them that runs. Its processes end when the group that it was started in is killed.
pub(crate) struct Running {
    /// Where it says what became of each message.
    pub(crate) log: PathBuf,
    _program: Program,
}

/// What must be kept as long as it runs.
enum Program {
    Postfix { _instance: Postfix },
    Exim { _instance: Exim },
    Danerelay { _daemon: Daemon },
}

impl Contender {
    pub(crate) const ALL: [Self; 4] = [Self::Postfix, Self::PostfixReuse, Self::Exim, Self::Danerelay];

    /// Whether it can be given such work. Exim has a process for each message that it delivers: held, they would be thousands.
    pub(crate) fn can(self, manner: Manner) -> bool {
        match (self, manner) {
            (Self::Exim, Manner::Held) => false,
            (Self::Exim, Manner::Through | Manner::OneByOne)
            | (Self::Postfix | Self::PostfixReuse | Self::Danerelay, _) => true,
        }
    }

    /// As tables call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Postfix => "Postfix",
            Self::PostfixReuse => "Postfix, TLS reuse",
            Self::Exim => "Exim",
            Self::Danerelay => "danerelay",
        }
    }

    /// The version that is installed; `directory` is the arena's.
    pub(crate) fn version(self, directory: &Path) -> String {
        let said = match self {
            Self::Postfix | Self::PostfixReuse => run(command("postconf").args(["-hd", "mail_version"])),
            Self::Exim => exim::version(directory),
            Self::Danerelay => run(command(relay::program()).arg("--version")),
        };
        // "3.7.11", "Exim version 4.96 #2 built …", "danerelay 0.1.0".
        let mut words = said.split_whitespace();
        let version = words.find(|word| word.starts_with(|first: char| first.is_ascii_digit()));
        version.unwrap_or("?").to_owned()
    }

    /// Starts it with an empty queue in this directory, and waits until it listens.
    pub(crate) fn start(self, directory: &Path) -> Running {
        let (program, log) = match self {
            Self::Postfix => (postfix(directory, ""), "relay.log"),
            Self::PostfixReuse => (postfix(directory, "smtp_tls_connection_reuse = yes"), "relay.log"),
            Self::Exim => {
                let instance = Exim::relay(directory, PORT);
                (Program::Exim { _instance: instance }, "relay-main.log")
            }
            Self::Danerelay => (danerelay(directory), "relay.log"),
        };
        Running {
            log: directory.join(log),
            _program: program,
        }
    }
}

fn postfix(directory: &Path, settings: &str) -> Program {
    Program::Postfix {
        _instance: Postfix::relay(directory, PORT, settings),
    }
}

fn danerelay(directory: &Path) -> Program {
    let configuration = directory.join("danerelay.toml");
    let text = format!(
        "version = 1\nhostname = \"relay.test\"\nstate_directory = \"state\"\n[listen]\nsmtp = [\"{ADDRESS}\"]\n\
         [limits]\nspool_free = \"1 MiB\"\n[spool]\npath = \"spool\"\n\
         [dns]\nmode = \"trust-ad\"\nservers = [\"{server}\"]\nself_test = {{ secure = [\"{secure}\"], bogus = [] }}\n\
         [log]\ntarget = \"relay.log\"\n[admin]\nsocket = \"admin.sock\"\n",
        server = resolver::ADDRESS,
        secure = zone(0),
    );
    fs::write(&configuration, text).unwrap();
    let mut serve = command(relay::program());
    serve.arg("serve").arg("-c").arg(configuration);
    let daemon = Daemon::start(&mut serve, &directory.join("relay-stderr.log"));
    wait::until_listening("danerelay", ADDRESS);
    Program::Danerelay { _daemon: daemon }
}
