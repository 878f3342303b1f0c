//! Standard error, for what has to be said where there is no log. Nobody may read it.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// What a pipe that is ready takes without waiting (`PIPE_BUF`, pipe(7)) is more than this.
const PIECE: usize = 1024;

/// Says it on standard error; without end where `patience` is `None`. If that fails, nobody listens.
pub(crate) fn say(text: &str, patience: Option<Duration>) {
    let end = patience.map(|patience| Instant::now() + patience);
    let stderr = io::stderr();
    for piece in text.as_bytes().chunks(PIECE) {
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        let Ok(left) = left.map(Timespec::try_from).transpose() else {
            return;
        };
        let mut descriptor = [PollFd::new(&stderr, PollFlags::OUT)];
        match poll(&mut descriptor, left.as_ref()) {
            Ok(ready) if ready > 0 => {}
            Ok(_) | Err(_) => return,
        }
        // Not by way of `Stderr`, whose lock somebody may hold who waits.
        if rustix::io::write(stderr.as_fd(), piece).is_err() {
            return;
        }
    }
}
