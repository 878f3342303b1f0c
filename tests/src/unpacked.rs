//! What `tests/run` puts below the target directory: mail servers whose Debian packages exclude Postfix, and packages of the Python Package Index.

use std::path::PathBuf;

/// Exim's program, below the target directory.
pub const EXIM: &str = "peers/exim/usr/sbin/exim4";
/// OpenSMTPD's program, below the target directory.
pub const OPENSMTPD: &str = "peers/opensmtpd/usr/sbin/smtpd";

/// A file of one of the packages for Python that come from the Python Package Index, below the target directory.
pub const PYTHON_PACKAGES: &str = "peers/python/tlsrpt_reporter/tlsrpt.py";

/// Where one of these is, if it has been unpacked.
pub fn find(program: &str) -> Option<PathBuf> {
    // This test program is somewhere below the target directory too.
    let test = std::env::current_exe().unwrap();
    let mut unpacked = test.ancestors().map(|directory| directory.join(program));
    unpacked.find(|path| path.is_file())
}
