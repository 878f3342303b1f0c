//! The relay under test, as an administrator sees it: configuration files, log, queue.

use crate::log::Log;
use crate::process::{Daemon, command, run};
use crate::resolver;
use crate::server::FRONT;
use crate::wait;
use serde_json::Value;
use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The address on which the relay listens.
pub const HOST: &str = "127.0.0.1";
/// The port on which the relay listens.
pub const PORT: u16 = 2525;

/// The policy's file, beside the configuration.
const POLICY: &str = "policy.toml";

/// How the relay learns what is secure.
#[derive(Clone, Copy)]
pub enum DnsMode {
    /// From the AD bit of a validating Unbound.
    TrustAd,
    /// By validating up to the private trust anchor, behind a resolver that vouches for nothing.
    Validate,
}

/// A running relay.
pub struct Relay {
    configuration: PathBuf,
    log: Log,
    daemon: Daemon,
}

impl Deref for Relay {
    type Target = Log;

    fn deref(&self) -> &Log {
        &self.log
    }
}

impl Relay {
    /// Starts the relay with two seconds between attempts and waits until it listens. As by the defaults, no connection
    /// stands idle until the next attempt.
    ///
    /// Only the front Postfix's address may relay. `soft_fail` is a domain with that policy.
    pub fn start(directory: &Path, mode: DnsMode, trust_anchor: &Path, soft_fail: &str) -> Self {
        let place = directory.join("relay");
        fs::create_dir(&place).unwrap();
        let log = directory.join("relay.log");
        let dns = match mode {
            DnsMode::TrustAd => "mode = \"trust-ad\"".to_owned(),
            DnsMode::Validate => {
                format!(
                    "mode = \"validate\"\ntrust_anchor = \"{}\"",
                    trust_anchor.display()
                )
            }
        };
        let configuration = place.join("danerelay.toml");
        let text = format!(
            "version = 1\nhostname = \"relay.test\"\nstate_directory = \"state\"\n\
             [listen]\nsmtp = [\"{HOST}:{PORT}\"]\n[access]\nnetworks = [\"{FRONT}/32\"]\n\
             [limits]\nspool_free = \"1 MiB\"\n[spool]\npath = \"spool\"\n\
             [dns]\nservers = [\"{server}\"]\nself_test = {{ secure = [\"example.test\"], bogus = [] }}\n{dns}\n\
             [delivery]\nretry = [\"2s\"]\nidle = \"1s\"\n[policy]\nfile = \"{POLICY}\"\n\
             [log]\ntarget = \"{log}\"\n[admin]\nsocket = \"admin.sock\"\n",
            server = resolver::ADDRESS,
            log = log.display(),
        );
        fs::write(&configuration, text).unwrap();
        let policy = format!("[[domain]]\nmatch = [\"{soft_fail}\"]\ndane = \"soft-fail\"\n");
        fs::write(place.join(POLICY), format!("version = 1\n{policy}")).unwrap();
        Self {
            daemon: serve(&configuration),
            configuration,
            log: Log::at(&log),
        }
    }

    /// Kills the relay and starts it anew.
    pub fn restart(&mut self) {
        self.daemon.kill();
        self.daemon = serve(&self.configuration);
    }

    /// Replaces parts of the configuration and starts the relay anew.
    pub fn change(&mut self, parts: &[(&str, &str)]) {
        let mut text = fs::read_to_string(&self.configuration).unwrap();
        for (from, to) in parts {
            assert!(text.contains(from), "{from} is not in {text}");
            text = text.replacen(from, to, 1);
        }
        fs::write(&self.configuration, text).unwrap();
        self.restart();
    }

    /// A command with this relay's configuration.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(program());
        command.args(arguments).arg("-c").arg(&self.configuration);
        command
    }

    /// Puts a file beside the configuration: the policy, or a list that it names.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.configuration.with_file_name(name), text).unwrap();
    }

    /// Has everything read again.
    pub fn hang_up(&self) {
        run(command("kill").args(["-HUP", &self.daemon.id().to_string()]));
    }

    /// What `queue list --json` says about the message for this recipient, if it is still in the queue.
    pub fn queued(&self, recipient: &str) -> Option<Value> {
        let list = run(&mut self.command(&["queue", "list", "--json"]));
        let mut messages = list
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        messages.find(|message| {
            let recipients = message["recipients"].as_array().expect("a list of recipients");
            recipients.iter().any(|entry| entry["address"] == recipient)
        })
    }
}

/// Starts the program and waits until it listens.
fn serve(configuration: &Path) -> Daemon {
    let place = configuration.parent().expect("a directory");
    let mut serve = command(program());
    serve.arg("serve").arg("-c").arg(configuration);
    let daemon = Daemon::start(&mut serve, &place.with_file_name("relay-stderr.log"));
    wait::until_listening("the relay", format!("{HOST}:{PORT}").parse().unwrap());
    daemon
}

/// The relay's program: `DANERELAY_BIN`, or what cargo builds beside this test.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| std::env::var_os("DANERELAY_BIN").map_or_else(build, PathBuf::from))
}

fn build() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("a workspace");
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--offline", "--package", "danerelay"])
        .current_dir(workspace)
        .status()
        .expect("cargo starts");
    assert!(status.success(), "the relay does not build");
    // This test program is target/PROFILE/deps/NAME.
    let test = std::env::current_exe().unwrap();
    test.ancestors()
        .nth(2)
        .expect("a target directory")
        .join("danerelay")
}
