//! Replaces files whole: a reader sees each as it was or as it is then, also after a power cut.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempPath};

/// A file beside the one whose place it will take; without [`finish`](Replacement::finish) it is removed.
#[derive(Debug)]
pub(crate) struct Replacement {
    file: File,
    temporary: TempPath,
    path: PathBuf,
}

impl Replacement {
    /// An empty one, with this mode as far as the umask allows. Errors do not mention its name, which nobody has chosen.
    pub(crate) fn begin(path: &Path, mode: u32) -> io::Result<Self> {
        let mut options = File::options();
        options.write(true).create_new(true).mode(mode);
        let file = tempfile::Builder::new()
            .prefix(".danerelay-")
            .make_in(directory(path), |path| options.open(path))?;
        let (file, temporary) = NamedTempFile::into_parts(file);
        Ok(Self {
            file,
            temporary,
            path: path.to_owned(),
        })
    }

    /// The file that it will replace.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The new file, to be given its owner and mode.
    pub(crate) const fn file(&self) -> &File {
        &self.file
    }

    /// Puts it in the place of the other.
    pub(crate) fn finish(self) -> io::Result<()> {
        self.file.sync_all()?;
        self.temporary
            .persist(&self.path)
            .map_err(|failed| failed.error)?;
        // Whoever may not list the directory cannot sync it: the file is in its place all the same.
        match File::open(directory(&self.path)) {
            Ok(directory) => directory.sync_all(),
            Err(_) => Ok(()),
        }
    }
}

impl io::Write for Replacement {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.file.write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// The directory of a file.
pub(crate) fn directory(path: &Path) -> &Path {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

/// Writes a file whole or not at all, with this mode as far as the umask allows.
pub(crate) fn write(path: &Path, mode: u32, octets: &[u8]) -> io::Result<()> {
    let mut replacement = Replacement::begin(path, mode)?;
    replacement.write_all(octets)?;
    replacement.finish()
}

/// Writes a file in the state directory, which is made if it does not exist yet.
pub(crate) fn write_state(path: &Path, octets: &[u8]) -> io::Result<()> {
    fs::create_dir_all(directory(path))?;
    write(path, 0o600, octets)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect()
    }

    #[test]
    fn a_file_is_replaced_when_the_new_one_is_whole_and_not_before() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("below").join("file");
        write_state(&path, b"before").unwrap();
        let mut unfinished = Replacement::begin(&path, 0o644).unwrap();
        unfinished.write_all(b"half").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"before");
        drop(unfinished);
        assert_eq!(names(directory(&path)), ["file"]);
        write(&path, 0o644, b"after").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"after");
        assert_eq!(names(directory(&path)), ["file"]);
    }

    #[test]
    fn an_error_names_no_file_that_nobody_knows() {
        let missing = Path::new("/nonexistent-directory/file");
        let error = write(missing, 0o644, b"").unwrap_err().to_string();
        assert_eq!(error, "No such file or directory (os error 2)");
    }
}
