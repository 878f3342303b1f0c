//! A demonstration, for tests.
#![allow(clippy::disallowed_types, reason = "the time that really passes is meant")]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

use super::{End, PATIENCE};

/// The last thing that a tour says that is kept.
pub(crate) const LAST: &str = "Any mail client may send";

/// A demonstration with a directory of its own for temporary files.
pub(crate) struct Demo {
    pub(crate) child: Child,
    pub(crate) output: Option<BufReader<ChildStdout>>,
    pub(crate) temporary: TempDir,
    /// What was read of its standard output.
    pub(crate) seen: String,
}

impl Demo {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_danerelay"))
            .arg("demo")
            .args(arguments)
            .env("TMPDIR", temporary.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // As a shell starts a job.
            .process_group(0)
            .spawn()
            .unwrap();
        Self {
            output: child.stdout.take().map(BufReader::new),
            child,
            temporary,
            seen: String::new(),
        }
    }

    /// One that is kept, after its tour.
    pub(crate) fn kept() -> Self {
        let mut demo = Self::start(&["--keep"]);
        demo.wait_for(LAST);
        demo
    }

    /// The configuration of its relay.
    pub(crate) fn configuration(&self) -> PathBuf {
        let mut places = fs::read_dir(self.temporary.path()).unwrap();
        places.next().unwrap().unwrap().path().join("danerelay.toml")
    }

    /// Reads until there is a line with this text.
    pub(crate) fn wait_for(&mut self, text: &str) {
        let output = self.output.as_mut().unwrap();
        loop {
            let mut line = String::new();
            assert!(
                output.read_line(&mut line).unwrap() > 0,
                "no {text} in:\n{}",
                self.seen
            );
            self.seen.push_str(&line);
            if line.contains(text) {
                return;
            }
        }
    }

    /// As a terminal does: to the whole job.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process_group(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Ends it as Ctrl-C does.
    pub(crate) fn stop(self) -> End {
        self.signal(Signal::INT);
        self.end()
    }

    /// Waits for its end, after which nothing of it must be left.
    pub(crate) fn end(mut self) -> End {
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(began.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        };
        let left: Vec<_> = fs::read_dir(self.temporary.path()).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
        assert_eq!(processes_of(self.temporary.path()), Vec::<String>::new());
        let mut stderr = String::new();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut stderr)
            .unwrap();
        End {
            status: status.code().expect("no signal ends it unawares"),
            stdout: self.seen,
            stderr,
        }
    }
}

/// The command lines of all processes that name this directory.
fn processes_of(directory: &Path) -> Vec<String> {
    let directory = directory.to_str().unwrap();
    let processes = fs::read_dir("/proc").unwrap();
    processes
        .filter_map(|process| fs::read(process.unwrap().path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(directory))
        .collect()
}
