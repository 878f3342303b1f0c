//! The relay under test, as an administrator sees it: configuration files, log, queue.

use crate::process::{Daemon, command, run};
use crate::resolver;
use crate::server::FRONT;
use crate::wait;
use serde_json::Value;
use std::fs;
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
    log: PathBuf,
    daemon: Daemon,
}

impl Relay {
    /// Starts the relay with two seconds between attempts and waits until it listens.
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
             [delivery]\nretry = [\"2s\"]\n[policy]\nfile = \"{POLICY}\"\n\
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
            log,
        }
    }

    /// Kills the relay and starts it anew.
    pub fn restart(&mut self) {
        self.daemon.kill();
        self.daemon = serve(&self.configuration);
    }

    /// The first delivery line for this recipient with this status.
    pub fn delivery(&self, recipient: &str, status: &str) -> LogLine {
        let what = format!("a log line with to={recipient} and status={status}");
        wait::until(&what, || {
            self.deliveries(recipient)
                .into_iter()
                .find(|line| line.get("status") == status)
        })
    }

    /// All delivery lines for this recipient so far.
    pub fn deliveries(&self, recipient: &str) -> Vec<LogLine> {
        self.lines(&format!(" to={recipient}, mode="))
    }

    /// The first line of this event with this status.
    pub fn event(&self, event: &str, status: &str) -> LogLine {
        let end = format!(", event={event}\n");
        let found = format!(" status={status},");
        wait::until(&format!("event={event} with status={status}"), || {
            let mut lines = self.lines(&end).into_iter();
            lines.find(|line| line.text.contains(&found))
        })
    }

    /// Puts a file beside the configuration: the policy, or a list that it names.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.configuration.with_file_name(name), text).unwrap();
    }

    /// Has everything read again.
    pub fn hang_up(&self) {
        run(command("kill").args(["-HUP", &self.daemon.id().to_string()]));
    }

    /// All complete lines so far that contain this; their newlines can be matched too.
    fn lines(&self, text: &str) -> Vec<LogLine> {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let complete = log
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n') && line.contains(text));
        complete
            .map(|line| LogLine {
                text: line.trim_end().to_owned(),
            })
            .collect()
    }

    /// What `queue list --json` says about the message for this recipient, if it is still in the queue.
    pub fn queued(&self, recipient: &str) -> Option<Value> {
        let list = run(command(program())
            .args(["queue", "list", "--json", "-c"])
            .arg(&self.configuration));
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

/// One line of the log in text form.
#[derive(Debug)]
pub struct LogLine {
    text: String,
}

impl LogLine {
    /// The value of a field, without its quotes; panics where the line has none of this name.
    pub fn get(&self, name: &str) -> &str {
        let start = format!(" {name}=");
        let (_, rest) = self
            .text
            .split_once(&start)
            .unwrap_or_else(|| panic!("no {name} in {}", self.text));
        match rest.strip_prefix('"') {
            Some(quoted) => &quoted[..closing_quote(quoted)],
            None => rest.split(", ").next().unwrap_or_default(),
        }
    }
}

/// Where the quoted value ends: at the first quote without a backslash before it.
fn closing_quote(quoted: &str) -> usize {
    let mut escaped = false;
    let end = quoted.find(|character| {
        let ends = character == '"' && !escaped;
        escaped = character == '\\' && !escaped;
        ends
    });
    end.unwrap_or(quoted.len())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_from_a_line() {
        let line = LogLine {
            text: "2026-11-22T10:00:00Z danerelay[7]: id=01JDB3, from=<a@example.org>, to=b@example.test, mode=dane strict, \
                   dane=\"Fail (No matching TLSA RRs)\", tls=-, dsn=250, reply=\"250 2.0.0 \\\"Ok\\\", queued\", size=1"
                .to_owned(),
        };
        assert_eq!(line.get("id"), "01JDB3");
        assert_eq!(line.get("mode"), "dane strict");
        assert_eq!(line.get("dane"), "Fail (No matching TLSA RRs)");
        assert_eq!(line.get("reply"), r#"250 2.0.0 \"Ok\", queued"#);
        assert_eq!(line.get("size"), "1");
    }

    #[test]
    #[should_panic(expected = "no tlsa in")]
    fn a_missing_field_fails_the_test() {
        LogLine {
            text: " id=1, mx=secure".to_owned(),
        }
        .get("tlsa");
    }
}
