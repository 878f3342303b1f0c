//! The socket in the file system.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

/// Owner and group may talk to the daemon.
const MODE: u32 = 0o660;
/// The directory, where it has to be made: its group may look for the socket.
const DIRECTORY_MODE: u32 = 0o750;
/// Whoever listens on a socket lets a connection in at once.
const PATIENCE: Duration = Duration::from_secs(2);

/// A listening socket; its file goes with this value.
#[derive(Debug)]
pub(crate) struct Door {
    path: PathBuf,
    listener: UnixListener,
    /// Device and inode of the file, by which it is known to be ours still.
    file: (u64, u64),
}

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DoorError {
    /// Another daemon answers there.
    #[error("another daemon listens on {}", .0.display())]
    InUse(PathBuf),
    /// Something else is there, and it is not ours to remove.
    #[error("{} is no socket", .0.display())]
    Foreign(PathBuf),
    /// The system does not allow it.
    #[error("{}: {cause}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
}

impl Door {
    /// Makes the socket, and its directory where that is missing. What a daemon left behind that ended by force is
    /// replaced; the socket of a living one is not.
    pub(crate) async fn open(path: &Path) -> Result<Self, DoorError> {
        let failed = |cause| DoorError::Io {
            path: path.to_owned(),
            cause,
        };
        if let Some(directory) = path.parent().filter(|directory| !directory.exists()) {
            let mut builder = DirBuilder::new();
            builder.recursive(true).mode(DIRECTORY_MODE);
            builder.create(directory).map_err(failed)?;
        }
        if is_socket(path)? && answers(path).await {
            return Err(DoorError::InUse(path.to_owned()));
        }
        // Nobody may come in before the mode is right: so it is set under another name first.
        let mut aside = path.as_os_str().to_owned();
        aside.push(".new");
        let aside = PathBuf::from(aside);
        if is_socket(&aside)? {
            fs::remove_file(&aside).map_err(failed)?;
        }
        let listener = UnixListener::bind(&aside).map_err(failed)?;
        let file = publish(&aside, path).map_err(failed)?;
        Ok(Self {
            path: path.to_owned(),
            listener,
            file,
        })
    }

    /// The next client.
    pub(super) async fn accept(&self) -> io::Result<UnixStream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|found| found == self.file) {
            // One that stays behind is replaced at the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn publish(aside: &Path, path: &Path) -> io::Result<(u64, u64)> {
    fs::set_permissions(aside, Permissions::from_mode(MODE))?;
    let file = identity(aside)?;
    fs::rename(aside, path)?;
    Ok(file)
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let file = fs::symlink_metadata(path)?;
    Ok((file.dev(), file.ino()))
}

/// Whether there is a socket; nothing is `false`, anything else an error.
fn is_socket(path: &Path) -> Result<bool, DoorError> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => Ok(true),
        Ok(_) => Err(DoorError::Foreign(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(cause) => Err(DoorError::Io {
            path: path.to_owned(),
            cause,
        }),
    }
}

/// Whether anybody listens: all but a plain refusal counts as somebody.
async fn answers(path: &Path) -> bool {
    match timeout(PATIENCE, UnixStream::connect(path)).await {
        Ok(Err(error)) => error.kind() != io::ErrorKind::ConnectionRefused,
        Ok(Ok(_)) | Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn it_is_made_with_its_directory_for_owner_and_group_and_goes_with_the_daemon() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run/danerelay/admin.sock");
        let door = Door::open(&path).await.unwrap();
        let mode = |path: &Path| fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o660);
        assert_eq!(mode(path.parent().unwrap()) & 0o027, 0);
        drop(door);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_dead_socket_is_replaced_and_a_living_one_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("admin.sock");
        // Dropped without being removed, as by a kill.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let door = Door::open(&path).await.unwrap();
        assert!(matches!(Door::open(&path).await, Err(DoorError::InUse(_))));
        let (stream, accepted) = tokio::join!(UnixStream::connect(&path), door.accept());
        drop((stream.unwrap(), accepted.unwrap()));
    }

    #[tokio::test]
    async fn what_is_not_ours_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("admin.sock");
        fs::write(&path, "precious").unwrap();
        assert!(matches!(Door::open(&path).await, Err(DoorError::Foreign(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        fs::remove_file(&path).unwrap();
        let door = Door::open(&path).await.unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "precious").unwrap();
        drop(door);
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }
}
