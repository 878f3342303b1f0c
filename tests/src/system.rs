//! A system on which the relay was just installed: its own `/etc`, `/run`, `/var/lib`, `/var/log` and `/var/spool`, the relay's
//! account and its spool, as the files in `systemd/` have them made; and then a relay with nothing but its defaults.
//!
//! To be prepared before anything else in the arena.

use crate::log::Log;
use crate::process::{Daemon, command, run};
use crate::relay::{HOST, PORT, program};
use crate::unit::{self, Unit};
use crate::wait;
use std::fs;
use std::ops::Deref;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

/// The relay's account, as a number that Debian gives to no package.
const ACCOUNT: u32 = 64_025;
/// And by its name.
pub const NAME: &str = "danerelay";

/// Where the configuration is looked for.
const CONFIGURATION: &str = "/etc/danerelay";

/// A system with the relay installed and not started.
pub struct System {
    directory: PathBuf,
    program: PathBuf,
}

impl System {
    /// Replaces the directories that a relay by its defaults uses, and installs it there.
    pub fn prepare(directory: &Path) -> Self {
        let etc = directory.join("etc");
        run(command("cp").arg("-a").arg("/etc").arg(&etc));
        run(command("mount").arg("--bind").arg(&etc).arg("/etc"));
        for place in ["/run", "/var/lib", "/var/log", "/var/spool"] {
            run(command("mount").args(["-t", "tmpfs", "-o", "mode=755", "none", place]));
        }
        add_account();
        let (spool, mode) = unit::spool();
        make_directory(&spool, mode);
        fs::create_dir(CONFIGURATION).unwrap();
        let system = Self {
            directory: directory.to_owned(),
            // The account cannot reach where it was built.
            program: directory.join("danerelay"),
        };
        fs::copy(program(), &system.program).unwrap();
        system
    }

    /// Replaces `/etc/resolv.conf` as a DHCP client does: by another file.
    pub fn resolv_conf(&self, text: &str) {
        fs::write("/etc/resolv.conf.new", text).unwrap();
        fs::rename("/etc/resolv.conf.new", "/etc/resolv.conf").unwrap();
    }

    /// Puts a file into `/etc/danerelay`.
    pub fn configure(&self, name: &str, text: &str) {
        fs::write(Path::new(CONFIGURATION).join(name), text).unwrap();
    }

    /// Starts the relay as its account would by hand, without a word about its configuration.
    pub fn serve(&self) -> Installed {
        make_directory(Path::new("/run/danerelay"), 0o750);
        let account = ACCOUNT.to_string();
        let mut serve = command("setpriv");
        serve
            .args(["--reuid", &account, "--regid", &account, "--clear-groups", "--"])
            .arg(&self.program)
            .arg("serve")
            .current_dir("/");
        self.start(&mut serve)
    }

    /// Starts it as systemd would, as far as that can be done without systemd; `notify` is the socket to be told at.
    pub fn serve_by(&self, unit: &Unit, notify: &Path) -> Installed {
        for (place, mode) in unit.directories() {
            make_directory(&place, mode);
        }
        self.start(unit.command(&self.program).env("NOTIFY_SOCKET", notify))
    }

    fn start(&self, serve: &mut std::process::Command) -> Installed {
        let log = self.directory.join("relay.log");
        let daemon = Daemon::start(serve, &log);
        wait::until_listening("the relay", format!("{HOST}:{PORT}").parse().unwrap());
        Installed {
            log: Log::at(&log),
            daemon,
            program: self.program.clone(),
        }
    }
}

/// A relay that runs by its defaults.
pub struct Installed {
    log: Log,
    daemon: Daemon,
    program: PathBuf,
}

impl Deref for Installed {
    type Target = Log;

    fn deref(&self) -> &Log {
        &self.log
    }
}

impl Installed {
    /// Has a command do its work, which may need the running daemon; returns what it prints.
    pub fn command(&self, arguments: &[&str]) -> String {
        run(command(&self.program).args(arguments))
    }

    /// Has everything read again.
    pub fn hang_up(&self) {
        run(command("kill").args(["-HUP", &self.daemon.id().to_string()]));
    }
}

fn add_account() {
    for (file, line) in [
        (
            "/etc/passwd",
            format!("{NAME}:x:{ACCOUNT}:{ACCOUNT}::/:/usr/sbin/nologin\n"),
        ),
        ("/etc/group", format!("{NAME}:x:{ACCOUNT}:\n")),
    ] {
        let text = fs::read_to_string(file).unwrap();
        fs::write(file, text + &line).unwrap();
    }
}

/// A directory of the relay's account.
fn make_directory(path: &Path, mode: u32) {
    fs::create_dir_all(path).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    chown(path, Some(ACCOUNT), Some(ACCOUNT)).unwrap();
}
