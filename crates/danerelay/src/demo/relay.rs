//! The relay of the demonstration: this very program as `danerelay serve`, with files of its own.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use super::error::DemoError;
use super::files::{CONFIGURATION, LOG, write_files};
use super::scenes::Scene;
use super::stage::Stage;

/// How often the port is checked.
const GLANCE: Duration = Duration::from_millis(20);
/// How long the relay may take to start and to stop.
const START: Duration = Duration::from_secs(10);
/// The file for what the relay prints before it has its log.
const STDERR: &str = "stderr";

/// A running relay.
///
/// [`Relay::stop`] shuts it down in order. Dropping this value without that kills it and removes its files.
pub(super) struct Relay {
    // They are dropped in this order.
    process: Child,
    directory: TempDir,
    program: PathBuf,
    address: SocketAddr,
}

impl Relay {
    /// Starts it with the demonstration's own settings, without waiting for anything.
    pub(super) fn start(stage: &Stage, scenes: &[Scene]) -> Result<Self, DemoError> {
        Self::start_with(|directory, address| write_files(directory, address, stage, scenes))
    }

    /// Starts it with the files that are written into its directory; it is to listen on the address.
    pub(super) fn start_with(
        write: impl FnOnce(&Path, SocketAddr) -> Result<(), DemoError>,
    ) -> Result<Self, DemoError> {
        let directory = tempfile::Builder::new()
            .prefix("danerelay-demo-")
            .tempdir()
            .map_err(DemoError::System)?;
        let port = testworld::mail::free_port_on(&[Ipv4Addr::LOCALHOST.into()]).map_err(DemoError::System)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        write(directory.path(), address)?;
        let program = std::env::current_exe().map_err(DemoError::System)?;
        let log = fs::File::create(directory.path().join(STDERR)).map_err(DemoError::System)?;
        let process = Command::new(&program)
            .arg("--config")
            .arg(directory.path().join(CONFIGURATION))
            .arg("serve")
            .env_remove("NOTIFY_SOCKET")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            // A terminal's Ctrl-C is for the demonstration, which then stops the relay.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(DemoError::System)?;
        Ok(Self {
            process,
            directory,
            program,
            address,
        })
    }

    /// Waits until the relay accepts mail.
    pub(super) async fn wait_until_it_listens(&mut self) -> Result<(), DemoError> {
        let began = Instant::now();
        while TcpStream::connect(self.address).await.is_err() {
            let ended = self.process.try_wait().map_err(DemoError::System)?.is_some();
            if ended || began.elapsed() > START {
                return Err(DemoError::NoRelay(self.words()));
            }
            sleep(GLANCE).await;
        }
        Ok(())
    }

    /// The address at which it accepts mail.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The path of the program.
    pub(super) fn program(&self) -> &Path {
        &self.program
    }

    /// The path of one of its files.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Everything that it printed and logged.
    fn words(&self) -> String {
        let read = |name| fs::read_to_string(self.file(name)).unwrap_or_default();
        read(STDERR) + &read(LOG)
    }

    /// Stops it as systemd would, waits until it has ended, and removes its files.
    pub(super) async fn stop(mut self) -> Result<(), DemoError> {
        let id = self.process.id().and_then(|id| i32::try_from(id).ok());
        if let Some(pid) = id.and_then(Pid::from_raw) {
            // It may have ended by itself; then there is no process to signal.
            let _ = kill_process(pid, Signal::TERM);
        }
        if timeout(START, self.process.wait()).await.is_err() {
            self.process.kill().await.map_err(DemoError::System)?;
        }
        self.directory.close().map_err(DemoError::System)
    }
}
