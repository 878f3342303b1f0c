//! How far a long command is, on one line of a terminal.

use std::io::{self, IsTerminal as _, Write as _};

/// The width of the bar.
const WIDTH: usize = 30;

/// Shows progress on standard error, if that is a terminal.
pub(super) struct Progress {
    done: usize,
    all: usize,
    is_shown: bool,
}

impl Progress {
    pub(super) fn of(all: usize) -> Self {
        let progress = Self {
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

    fn show(&self) {
        if self.is_shown {
            // If nobody sees it, that is no loss.
            let _ = write!(io::stderr(), "\r{}", bar(self.done, self.all));
        }
    }
}

impl Drop for Progress {
    /// The line is gone when the answer is there.
    fn drop(&mut self) {
        if self.is_shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
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
    use super::bar;

    #[test]
    fn the_bar_fills() {
        assert_eq!(bar(0, 10), format!("[{}] 0/10", " ".repeat(30)));
        assert_eq!(bar(5, 10), format!("[{}{}] 5/10", "#".repeat(15), " ".repeat(15)));
        assert_eq!(bar(10, 10), format!("[{}] 10/10", "#".repeat(30)));
    }
}
