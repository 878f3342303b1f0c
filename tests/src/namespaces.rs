//! Runs one test in its own namespaces.
//!
//! The test function calls [`run`] with its own name. That starts the same test program again below `unshare`, for this one
//! test; the second time [`run`] finds itself inside and runs the story. [`again`] and [`directory`] are the parts, for a
//! program that is no test.

use crate::process::command;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const DIRECTORY: &str = "DANERELAY_ARENA";
const FINISHED: &str = "finished";

/// Whether this program was started by [`run`].
pub fn are_own() -> bool {
    directory().is_some()
}

/// The directory of a program that was started in its own namespaces.
pub fn directory() -> Option<PathBuf> {
    std::env::var_os(DIRECTORY).map(PathBuf::from)
}

/// This program again, still without arguments, in new namespaces and with this directory.
pub fn again(options: &[&str], directory: &Path) -> Command {
    let mut again = command("unshare");
    again
        .args(options)
        .args(["--propagation", "private", "--"])
        .arg(std::env::current_exe().unwrap())
        .env(DIRECTORY, directory);
    again
}

/// A directory for a program in its own namespaces, gone when this value is.
pub fn make_directory() -> TempDir {
    let directory = tempfile::Builder::new()
        .prefix("danerelay-test-")
        .tempdir()
        .unwrap();
    // Servers that give up root must still be able to pass through.
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    directory
}

/// Plays `story` with a directory of its own in new namespaces, chosen by these options of unshare(1); `test` is the
/// name of the calling test function. Mounts that are made there are seen nowhere else.
///
/// # Panics
/// When the story fails; what its programs logged (`*.log` in the directory) is printed then.
pub fn run(test: &str, options: &[&str], story: impl FnOnce(&Path)) {
    let Some(directory) = directory() else {
        return play(test, options);
    };
    story(&directory);
    fs::write(directory.join(FINISHED), "").unwrap();
}

fn play(test: &str, options: &[&str]) {
    let directory = make_directory();
    let status = again(options, directory.path())
        .args([test, "--exact", "--nocapture"])
        .status()
        .expect("unshare starts");
    let finished = directory.path().join(FINISHED).exists();
    if !status.success() {
        print_logs(directory.path());
    }
    if std::env::var_os("DANERELAY_KEEP").is_some() {
        eprintln!("{test}: files kept in {}", directory.keep().display());
    }
    assert!(
        status.success(),
        "{test} failed in its namespaces ({status}); the logs are above"
    );
    assert!(finished, "no test is called {test}: nothing was played");
}

/// What the programs of a failed story had to say.
fn print_logs(directory: &Path) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "log") {
            let text = fs::read(&path).unwrap();
            eprintln!("--- {}\n{}", path.display(), String::from_utf8_lossy(&text));
        }
    }
}
