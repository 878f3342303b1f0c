//! The relay, one life after another.
#![allow(clippy::disallowed_types, reason = "the time that really passes is meant")]

use super::ledger::Life;
use super::letter::DOMAINS;
use super::sink::name_of;
use crate::process::{Daemon, command};
use crate::relay::program;
use crate::wait;
use rustix::process::Pid;
use std::fmt::Write;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Deliveries that may be under way to one domain at once.
pub const PER_DESTINATION: u64 = 10;

/// The relay, alive or dead.
pub struct Relay {
    place: PathBuf,
    address: SocketAddr,
    life: Life,
    daemon: Option<Daemon>,
}

impl Relay {
    /// A relay with its files in `place`, which listens on `address` and sends the mail of each domain to its sink.
    pub fn new(place: &Path, address: SocketAddr, sinks: [SocketAddr; 2]) -> Self {
        let mut policy = "version = 1\n".to_owned();
        for (domain, sink) in DOMAINS.iter().zip(sinks) {
            write!(
                policy,
                "[[domain]]\nmatch = [\"{domain}\"]\ndane = \"off\"\ntls = \"may\"\nroute = \"[{}]:{}\"\n",
                sink.ip(),
                sink.port()
            )
            .expect("a string takes everything");
        }
        fs::write(place.join("policy.toml"), policy).unwrap();
        fs::create_dir(place.join("spool")).unwrap();
        Self {
            place: place.to_owned(),
            address,
            life: 0,
            daemon: None,
        }
    }

    /// The directory of the spool.
    pub fn spool(&self) -> PathBuf {
        self.place.join("spool")
    }

    /// Begins the next life, without waiting for anything.
    pub fn start(&mut self) {
        assert!(self.daemon.is_none(), "one life after another");
        self.life += 1;
        let configuration = self.place.join("danerelay.toml");
        let text = format!(
            "version = 1\nhostname = \"{name}\"\nstate_directory = \"state\"\n\
             [listen]\nsmtp = [\"{address}\"]\n[limits]\nspool_free = \"1 MiB\"\n[spool]\npath = \"spool\"\n\
             [dns]\nmode = \"trust-ad\"\nservers = [\"127.0.0.1:9\"]\n\
             [delivery]\nretry = [\"1s\"]\nconnections_per_destination = {PER_DESTINATION}\n\
             [policy]\nfile = \"policy.toml\"\n[log]\ntarget = \"relay.log\"\n[admin]\nsocket = \"admin.sock\"\n",
            name = name_of(self.life),
            address = self.address,
        );
        fs::write(&configuration, text).unwrap();
        let mut serve = command(program());
        serve.arg("serve").arg("-c").arg(&configuration);
        self.daemon = Some(Daemon::start(&mut serve, &self.place.join("stderr.log")));
    }

    /// Ends this life by SIGKILL, if there is one.
    pub fn kill(&mut self) {
        // A daemon ends with its value.
        self.daemon = None;
    }

    /// Ends this life by SIGKILL; panics if it has ended before.
    pub fn kill_alive(&mut self) {
        self.assert_alive();
        self.kill();
    }

    /// Panics if this life has ended by itself.
    pub fn assert_alive(&mut self) {
        let daemon = self.daemon.as_mut().expect("a life");
        let ended = daemon.has_ended();
        assert!(!ended, "the relay has ended by itself\n{}", self.last_words());
    }

    /// The process.
    pub fn pid(&self) -> Pid {
        let id = self.daemon.as_ref().expect("a life").id();
        Pid::from_raw(i32::try_from(id).unwrap()).expect("a process id")
    }

    /// Waits until this life listens; panics if it ends before that.
    pub fn wait_until_ready(&mut self) {
        let start = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            self.assert_alive();
            assert!(
                start.elapsed() < wait::LIMIT,
                "the relay does not listen\n{}",
                self.last_words()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until this life ends by itself.
    pub fn wait_until_ended(&mut self) {
        let daemon = self.daemon.as_mut().expect("a life");
        wait::until("the end of the relay", || daemon.has_ended().then_some(()));
        self.daemon = None;
    }

    /// Everything that it wrote to its log during all its lives.
    pub fn log(&self) -> String {
        fs::read_to_string(self.place.join("relay.log")).unwrap_or_default()
    }

    /// What it said at last.
    pub fn last_words(&self) -> String {
        let said = self.log() + &fs::read_to_string(self.place.join("stderr.log")).unwrap_or_default();
        let lines: Vec<&str> = said.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}
