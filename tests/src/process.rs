//! Running programs, to completion or in the background of a test.

use std::ffi::OsStr;
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// A command of this name with the system's administration directories on its path.
///
/// Commands start with a locale of their own: their messages are compared with English ones.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command
        .env("LC_ALL", "C")
        .env("PATH", search_path())
        .stdin(Stdio::null());
    command
}

/// Where a program of this name would be found.
pub fn find(program: &str) -> Option<std::path::PathBuf> {
    std::env::split_paths(&search_path())
        .map(|directory| directory.join(program))
        .find(|path| path.is_file())
}

/// Runs to the end and returns standard output; panics with everything it said when it fails.
pub fn run(command: &mut Command) -> String {
    let output = output(command);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}",
        output.status,
        words(&output)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs to the end, whatever that is.
pub fn output(command: &mut Command) -> Output {
    command
        .output()
        .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"))
}

/// Everything a program said, standard output first.
pub fn words(output: &Output) -> String {
    [&output.stdout, &output.stderr]
        .map(|bytes| String::from_utf8_lossy(bytes))
        .concat()
}

/// A program that runs beside the test and ends with this value.
pub struct Daemon {
    child: Child,
}

impl Daemon {
    /// Starts the program; what it says goes to the file `log`.
    pub fn start(command: &mut Command, log: &Path) -> Self {
        let log = File::create(log).unwrap();
        command.stdout(log.try_clone().unwrap()).stderr(log);
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        Self { child }
    }

    /// The process id, to send signals to.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether the program has ended already.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Ends the program at once, without a chance to tidy up.
    pub fn kill(&mut self) {
        // It may have ended by itself; then there is nothing left to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

fn search_path() -> String {
    let inherited = std::env::var("PATH").unwrap_or_default();
    format!("{inherited}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin")
}
