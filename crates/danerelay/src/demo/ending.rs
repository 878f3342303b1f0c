//! What ends a demonstration before its end: a signal, or that nobody reads it any more.

use std::future::pending;
use std::io;

use tokio::io::Interest;
use tokio::net::unix::pipe;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Watches for the end. From its making on, the signals do not end the program by themselves.
pub(super) struct Ending {
    interrupt: Signal,
    terminate: Signal,
    /// A terminal that is closed sends it.
    hang_up: Signal,
    /// Standard output, opened a second time, if it is a pipe. Of other outputs only the next write tells.
    output: Option<pipe::Sender>,
}

impl Ending {
    pub(super) fn watch() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            output: pipe::OpenOptions::new().open_sender("/proc/self/fd/1").ok(),
        })
    }

    /// Waits for the end.
    pub(super) async fn come(mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
            () = closed(self.output.as_ref()) => {}
        }
    }
}

/// Waits until nobody can read any more what is written there.
async fn closed(output: Option<&pipe::Sender>) {
    if let Some(output) = output
        && output.ready(Interest::ERROR).await.is_ok()
    {
        return;
    }
    pending::<()>().await;
}
