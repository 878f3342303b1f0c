//! Programs in Python, with packages of Debian's or with those that `tests/run` has brought from the Python Package Index.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use danerelay_tests::process::words;
use danerelay_tests::unpacked;

/// Debian's Python, which has the packages of Debian.
pub(crate) const PYTHON: &str = "/usr/bin/python3";

/// Whether tests with programs of others are left out.
pub(crate) fn is_left_out() -> bool {
    let is_left_out = std::env::var_os("DANERELAY_SKIP_PEERS").is_some_and(|value| value == "1");
    if is_left_out {
        eprintln!("left out, because DANERELAY_SKIP_PEERS=1");
    }
    is_left_out
}

/// Where the packages from the Python Package Index are; `None` if these tests are left out, because `tests/run` could not bring them.
pub(crate) fn packages() -> Option<PathBuf> {
    if is_left_out() {
        return None;
    }
    if std::env::var_os("DANERELAY_SKIP_PYPI").is_some_and(|value| value == "1") {
        eprintln!("left out: the packages from PyPI are not to be had");
        return None;
    }
    let module = unpacked::find(unpacked::PYTHON_PACKAGES);
    let module = module
        .expect("this test needs packages from PyPI; tests/run brings them, DANERELAY_SKIP_PYPI=1 skips it");
    Some(module.parent().unwrap().parent().unwrap().to_owned())
}

/// What a script says about this input; `Err` is what it said when it failed.
pub(crate) fn ask(python: &mut Command, script: &str, input: &[u8]) -> Result<String, String> {
    let mut child = python
        .args(["-X", "utf8", "-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("this test needs Debian's python3; tests/run brings it");
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap())
    } else {
        Err(words(&output))
    }
}
