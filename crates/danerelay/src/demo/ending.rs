//! What ends a demonstration early: a signal, or that nobody reads its output any more.

use std::future::pending;
use std::io;

use tokio::io::Interest;
use tokio::net::unix::pipe;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Watches for an early end. Once this exists, the signals no longer end the program by themselves.
pub(super) struct Ending {
    interrupt: Signal,
    terminate: Signal,
    /// Sent when a terminal is closed.
    hang_up: Signal,
    /// Standard output, opened a second time, if it is a pipe. With other outputs only the next write shows that it is
    /// closed.
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

/// Waits until nobody can read any more what is written to the pipe.
async fn closed(output: Option<&pipe::Sender>) {
    if let Some(output) = output
        && output.ready(Interest::ERROR).await.is_ok()
    {
        return;
    }
    pending::<()>().await;
}
