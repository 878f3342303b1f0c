//! The relay of the demonstration: this very program as `danerelay serve`, with files of its own.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use super::error::DemoError;
use super::line::DeliveryLine;
use super::scenes::{Rule, Scene};
use super::stage::Stage;

/// How often a log file or a port is looked at.
const GLANCE: Duration = Duration::from_millis(20);
/// How long the relay may take to start and to stop.
const START: Duration = Duration::from_secs(10);

/// A running relay; it ends with this value.
pub(super) struct Relay {
    directory: TempDir,
    address: SocketAddr,
    process: Child,
}

impl Relay {
    pub(super) async fn start(stage: &Stage, scenes: &[Scene]) -> Result<Self, DemoError> {
        let directory = tempfile::Builder::new()
            .prefix("danerelay-demo-")
            .tempdir()
            .map_err(DemoError::System)?;
        let port = testworld::mail::free_port_on(&[Ipv4Addr::LOCALHOST.into()]).map_err(DemoError::System)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        write_files(directory.path(), address, stage, scenes)?;
        let program = std::env::current_exe().map_err(DemoError::System)?;
        let log = fs::File::create(directory.path().join("stderr")).map_err(DemoError::System)?;
        let process = Command::new(program)
            .arg("--config")
            .arg(directory.path().join("danerelay.toml"))
            .arg("serve")
            .env_remove("NOTIFY_SOCKET")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .map_err(DemoError::System)?;
        let mut relay = Self {
            directory,
            address,
            process,
        };
        relay.wait_until_it_listens().await?;
        Ok(relay)
    }

    async fn wait_until_it_listens(&mut self) -> Result<(), DemoError> {
        let began = Instant::now();
        while TcpStream::connect(self.address).await.is_err() {
            let ended = self.process.try_wait().map_err(DemoError::System)?.is_some();
            if ended || began.elapsed() > START {
                return Err(DemoError::NoRelay(self.log()));
            }
            sleep(GLANCE).await;
        }
        Ok(())
    }

    /// Where it accepts mail.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its configuration file.
    pub(super) fn configuration(&self) -> PathBuf {
        self.directory.path().join("danerelay.toml")
    }

    /// Its log file.
    pub(super) fn log_file(&self) -> PathBuf {
        self.directory.path().join("relay.log")
    }

    fn log(&self) -> String {
        let read = |path: PathBuf| fs::read_to_string(path).unwrap_or_default();
        read(self.directory.path().join("stderr")) + &read(self.log_file())
    }

    /// The first delivery line for `recipient`.
    pub(super) async fn first_line_to(
        &self,
        recipient: &str,
        limit: Duration,
    ) -> Result<DeliveryLine, DemoError> {
        let began = Instant::now();
        loop {
            let log = fs::read_to_string(self.log_file()).unwrap_or_default();
            // A line counts once it is whole.
            let whole = log.rsplit_once('\n').map_or("", |(whole, _)| whole);
            if let Some(line) = whole.lines().find_map(|line| DeliveryLine::find(line, recipient)) {
                return Ok(line);
            }
            if began.elapsed() > limit {
                return Err(DemoError::NoLine {
                    recipient: recipient.to_owned(),
                    log: self.log(),
                });
            }
            sleep(GLANCE).await;
        }
    }

    /// Stops it as systemd would, and waits for its end.
    pub(super) async fn stop(mut self) -> Result<(), DemoError> {
        let pid = self
            .process
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            // It may have ended by itself; then there is nobody to tell.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        if timeout(START, self.process.wait()).await.is_err() {
            self.process.kill().await.map_err(DemoError::System)?;
        }
        Ok(())
    }
}

fn write_files(
    directory: &Path,
    address: SocketAddr,
    stage: &Stage,
    scenes: &[Scene],
) -> Result<(), DemoError> {
    let write = |name: &str, text: String| fs::write(directory.join(name), text).map_err(DemoError::System);
    write("danerelay.toml", configuration(address, stage))?;
    write("policy.toml", policy(scenes))?;
    write("danefail.list", list(scenes, Rule::Danefail))?;
    write("root.key", stage.world.trust_anchor_ds()? + "\n")
}

fn configuration(address: SocketAddr, stage: &Stage) -> String {
    format!(
        r#"# The configuration of this demonstration. Everything that is not here is at its default.
version = 1
hostname = "relay.origin.demo"
state_directory = "state"

[listen]
smtp = ["{address}"]

[limits]
spool_free = "1 MiB"

[spool]
path = "spool"

[dns]
mode = "validate"
servers = ["{server}"]
trust_anchor = "root.key"

[delivery]
port = {port}

[policy]
file = "policy.toml"

[log]
target = "relay.log"

[admin]
socket = "admin.sock"
"#,
        server = stage.world.address(),
        port = stage.port,
    )
}

fn policy(scenes: &[Scene]) -> String {
    let soft_fail: Vec<String> = scenes
        .iter()
        .filter(|scene| scene.policy == Rule::SoftFail)
        .map(|scene| format!("\"{}\"", scene.domain()))
        .collect();
    format!(
        r#"# The sender's policy in this demonstration.
version = 1

[default]
dane = "opportunistic"

[[domain]]
match = [{}]
dane = "soft-fail"

[[list]]
kind = "danefail"
file = "danefail.list"
"#,
        soft_fail.join(", ")
    )
}

fn list(scenes: &[Scene], rule: Rule) -> String {
    let mut list = "# Domains whose operators know and cannot mend it yet.\n".to_owned();
    for scene in scenes.iter().filter(|scene| scene.policy == rule) {
        list.push_str(&scene.domain());
        list.push_str(" # stale record since the last renewal\n");
    }
    list
}
