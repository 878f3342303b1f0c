//! Writes to standard error when there is no log. It may be that nobody reads it.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// A pipe that is ready accepts more than this without waiting (`PIPE_BUF`, pipe(7)).
const PIECE: usize = 1024;

/// Writes to standard error; waits without limit if `patience` is `None`. Errors are ignored, because nobody is reading
/// then.
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
        // Not through `Stderr`: another thread may hold its lock while it waits.
        if rustix::io::write(stderr.as_fd(), piece).is_err() {
            return;
        }
    }
}
