//! How far a long command is, on one line of a terminal.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use tokio::time::Instant;

/// The width of the bar.
const WIDTH: usize = 30;

/// Shows progress on standard error, if that is a terminal.
pub(super) struct Progress {
    begun: Instant,
    done: usize,
    all: usize,
    is_shown: bool,
}

impl Progress {
    pub(super) fn of(all: usize) -> Self {
        let progress = Self {
            begun: Instant::now(),
            done: 0,
            all,
            is_shown: io::stderr().is_terminal() && all > 0,
        };
        progress.show();
        progress
    }

    /// One more is done.
    pub(super) fn step(&mut self) {
        self.done += 1;
        self.show();
    }

    /// Makes room for something else to be said; it shows again with the next step.
    pub(super) fn hide(&self) {
        if self.is_shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }

    fn show(&self) {
        if self.is_shown {
            // If nobody sees it, that is no loss.
            let _ = write!(
                io::stderr(),
                "\r{}{}\x1b[K",
                bar(self.done, self.all),
                pace(self.done, self.all, self.begun.elapsed())
            );
        }
    }
}

impl Drop for Progress {
    /// The line is gone when the answer is there.
    fn drop(&mut self) {
        self.hide();
    }
}

/// How many a second, and how long it still takes; nothing before that can be told.
fn pace(done: usize, all: usize, elapsed: Duration) -> String {
    let millis = usize::try_from(elapsed.as_millis()).unwrap_or(usize::MAX);
    if millis < 1000 || done == 0 {
        return String::new();
    }
    let left = millis.saturating_mul(all.saturating_sub(done)) / done / 1000;
    let tenths = done.saturating_mul(10_000) / millis;
    format!(
        "  {}.{} a second, {}:{:02}:{:02} left",
        tenths / 10,
        tenths % 10,
        left / 3600,
        left / 60 % 60,
        left % 60
    )
}

fn bar(done: usize, all: usize) -> String {
    let filled = WIDTH
        .saturating_mul(done)
        .checked_div(all)
        .unwrap_or(WIDTH)
        .min(WIDTH);
    format!(
        "[{}{}] {done}/{all}",
        "#".repeat(filled),
        " ".repeat(WIDTH - filled)
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{bar, pace};

    #[test]
    fn the_pace_is_told_once_it_is_known() {
        assert_eq!(pace(5, 10, Duration::from_millis(500)), "");
        assert_eq!(pace(0, 10, Duration::from_secs(5)), "");
        assert_eq!(
            pace(500, 100_000, Duration::from_secs(20)),
            "  25.0 a second, 1:06:20 left"
        );
    }

    #[test]
    fn the_bar_fills() {
        assert_eq!(bar(0, 10), format!("[{}] 0/10", " ".repeat(30)));
        assert_eq!(bar(5, 10), format!("[{}{}] 5/10", "#".repeat(15), " ".repeat(15)));
        assert_eq!(bar(10, 10), format!("[{}] 10/10", "#".repeat(30)));
    }
}
