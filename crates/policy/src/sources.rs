//! Where a policy comes from.

use std::io;
use std::path::Path;

use jiff::civil::Date;

use crate::notes::Text;
use crate::remote::Fetched;

/// What a policy is compiled from. The caller reads the files: this crate never accesses the disk itself.
pub struct Sources<'a> {
    /// The policy file.
    pub policy: Text<'a>,
    /// The exceptions added by commands: `[[exception]]` tables only.
    pub added: Option<Text<'a>>,
    /// Reads a list; the caller resolves a relative path against the policy file.
    pub read: &'a dyn Fn(&Path) -> io::Result<String>,
    /// Gives the last good copy of a list with this URL.
    pub fetched: &'a dyn Fn(&str) -> Fetched,
    /// Reads a login, which nobody else may be able to read.
    pub read_login: &'a dyn Fn(&Path) -> io::Result<String>,
    /// The day on which exceptions must be of use; the compiled policy itself can be asked about any day.
    pub today: Date,
}
