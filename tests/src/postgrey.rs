//! postgrey, a greylisting server that a Postfix asks about every recipient.

use crate::process::{Daemon, command, run};
use crate::wait;
use std::fs;
use std::path::{Path, PathBuf};

/// Where it listens.
const ADDRESS: &str = "127.0.0.1:10023";

/// A running server. It ends with the arena.
pub struct Postgrey {
    log: PathBuf,
    _daemon: Daemon,
}

impl Postgrey {
    /// The line of main.cf with which Postfix asks it.
    pub const ASKED: &str = "smtpd_recipient_restrictions = check_policy_service inet:127.0.0.1:10023\n";

    /// Starts a server that knows nobody, and takes mail from strangers so many seconds after their first try.
    pub fn start(directory: &Path, delay: u32) -> Self {
        let database = directory.join("postgrey");
        fs::create_dir(&database).unwrap();
        run(command("chown").arg("postgrey").arg(&database));
        let log = directory.join("postgrey.log");
        let mut serve = command("postgrey");
        serve
            .arg(format!("--inet={ADDRESS}"))
            .arg(format!("--delay={delay}"))
            .arg(format!("--dbdir={}", database.display()))
            .arg(format!("--pidfile={}", directory.join("postgrey.pid").display()));
        let daemon = Daemon::start(&mut serve, &log);
        wait::until_listening("postgrey", ADDRESS.parse().unwrap());
        Self { log, _daemon: daemon }
    }

    /// What it decided so far, a line each.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}
