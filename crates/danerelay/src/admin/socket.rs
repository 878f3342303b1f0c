//! The socket in the file system.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

use super::protocol::Greeting;
use crate::access::{self, Use};

/// Owner and group may connect to the daemon.
const MODE: u32 = 0o660;
/// The mode of the directory, if it has to be created: its group may access the socket.
const DIRECTORY_MODE: u32 = 0o750;
/// A process that listens on a socket accepts connections at once, and a daemon sends its greeting.
const PATIENCE: Duration = Duration::from_secs(2);
/// The maximum length of a daemon's greeting, in octets.
const GREETING: u64 = 64 << 10;

/// A listening socket; dropping it removes its file.
#[derive(Debug)]
pub(crate) struct AdminSocket {
    path: PathBuf,
    listener: UnixListener,
    /// Device and inode of the file, which show whether it is still ours.
    file: (u64, u64),
    replaced: bool,
}

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdminSocketError {
    /// Another daemon is listening there.
    #[error("another daemon listens on {}", .0.display())]
    InUse(PathBuf),
    /// Another program is listening there.
    #[error("another program listens on {}, and no danerelay: `admin.socket` needs a path of its own", .0.display())]
    OtherProgram(PathBuf),
    /// Something is listening there that sends nothing.
    #[error("whoever listens on {} does not answer: a daemon that hangs, or another program", .0.display())]
    Silent(PathBuf),
    /// Something else is there that we must not remove.
    #[error("{} is {found} and no socket: move it away, or name another path in `admin.socket`", path.display())]
    Foreign {
        /// The path.
        path: PathBuf,
        /// What is there.
        found: &'static str,
    },
    /// The system does not allow it.
    #[error("{}: {}", path.display(), access::explain(path, Use::Write, cause))]
    Io {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
}

impl AdminSocket {
    /// Creates the socket, and its directory if that is missing. The socket left by a daemon that was killed is
    /// replaced; the socket of a running one is not.
    pub(crate) async fn open(path: &Path) -> Result<Self, AdminSocketError> {
        let failed = |cause| AdminSocketError::Io {
            path: path.to_owned(),
            cause,
        };
        if let Some(directory) = path.parent().filter(|directory| !directory.exists()) {
            let mut builder = DirBuilder::new();
            builder.recursive(true).mode(DIRECTORY_MODE);
            builder.create(directory).map_err(failed)?;
        }
        let replaced = is_socket(path)?;
        if replaced {
            is_stale(path).await?;
        }
        // Nobody may connect before the mode is right: so it is created under another name first.
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
            replaced,
        })
    }

    /// Whether there was a socket left by a daemon that had not shut down properly.
    pub(crate) fn has_replaced_another(&self) -> bool {
        self.replaced
    }

    /// The next client.
    pub(super) async fn accept(&self) -> io::Result<UnixStream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|found| found == self.file) {
            // A file left behind is replaced at the next start.
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

/// Whether there is a socket; `false` if there is nothing, an error if there is anything else.
fn is_socket(path: &Path) -> Result<bool, AdminSocketError> {
    let kind = match fs::symlink_metadata(path) {
        Ok(found) => found.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(cause) => {
            let path = path.to_owned();
            return Err(AdminSocketError::Io { path, cause });
        }
    };
    let found = if kind.is_socket() {
        return Ok(true);
    } else if kind.is_dir() {
        "a directory"
    } else if kind.is_symlink() {
        "a symbolic link"
    } else if kind.is_file() {
        "a file"
    } else {
        "a device or a pipe"
    };
    let path = path.to_owned();
    Err(AdminSocketError::Foreign { path, found })
}

/// Succeeds if nobody listens on the socket any more; otherwise says who does.
async fn is_stale(path: &Path) -> Result<(), AdminSocketError> {
    let path = path.to_owned();
    let stream = match timeout(PATIENCE, UnixStream::connect(&path)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => return Ok(()),
        // For example, a datagram socket.
        Ok(Err(error)) if error.raw_os_error() == Some(Errno::PROTOTYPE.raw_os_error()) => {
            return Err(AdminSocketError::OtherProgram(path));
        }
        Ok(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {
            return Err(AdminSocketError::Silent(path));
        }
        Ok(Err(cause)) => return Err(AdminSocketError::Io { path, cause }),
        Err(_) => return Err(AdminSocketError::Silent(path)),
    };
    let mut line = String::new();
    let mut reader = BufReader::new(stream.take(GREETING));
    let greeting = reader.read_line(&mut line);
    Err(match timeout(PATIENCE, greeting).await {
        Err(_) => AdminSocketError::Silent(path),
        Ok(Ok(_)) if serde_json::from_str::<Greeting>(&line).is_ok() => AdminSocketError::InUse(path),
        Ok(Ok(_) | Err(_)) => AdminSocketError::OtherProgram(path),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tokio::io::AsyncWriteExt;
    use tokio::net::UnixDatagram;

    use super::*;
    use crate::admin::protocol::Hello;

    #[tokio::test]
    async fn it_is_made_with_its_directory_for_owner_and_group_and_goes_with_the_daemon() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run/danerelay/admin.sock");
        let admin_socket = AdminSocket::open(&path).await.unwrap();
        let mode = |path: &Path| fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o660);
        assert_eq!(mode(path.parent().unwrap()) & 0o027, 0);
        drop(admin_socket);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_dead_socket_is_replaced_and_a_living_one_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("admin.sock");
        // Dropped without removing the file, as after a kill.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let admin_socket = AdminSocket::open(&path).await.unwrap();
        assert!(admin_socket.has_replaced_another());
        // A process that hangs sends nothing.
        assert!(matches!(
            AdminSocket::open(&path).await,
            Err(AdminSocketError::Silent(_))
        ));
        let greet = async {
            // The previous connection has been closed.
            admin_socket.accept().await.unwrap();
            let mut stream = admin_socket.accept().await.unwrap();
            let greeting = Greeting::Hello(Hello {
                version: "1.0.0".to_owned(),
                spool: "/var/spool/danerelay".to_owned(),
            });
            let line = serde_json::to_string(&greeting).unwrap() + "\n";
            stream.write_all(line.as_bytes()).await.unwrap();
        };
        let (second, ()) = tokio::join!(AdminSocket::open(&path), greet);
        assert!(matches!(second, Err(AdminSocketError::InUse(_))));
    }

    #[tokio::test]
    async fn another_programs_socket_is_told_from_a_daemons() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("admin.sock");
        let other = UnixListener::bind(&path).unwrap();
        let speak = async {
            let (mut stream, _) = other.accept().await.unwrap();
            stream.write_all(b"220 mail.example ESMTP\r\n").await.unwrap();
        };
        let (opened, ()) = tokio::join!(AdminSocket::open(&path), speak);
        assert!(
            matches!(opened, Err(AdminSocketError::OtherProgram(_))),
            "{opened:?}"
        );
        fs::remove_file(&path).unwrap();
        let _datagrams = UnixDatagram::bind(&path).unwrap();
        let opened = AdminSocket::open(&path).await;
        assert!(
            matches!(opened, Err(AdminSocketError::OtherProgram(_))),
            "{opened:?}"
        );
        assert!(path.exists());
    }

    #[tokio::test]
    async fn what_is_not_ours_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("admin.sock");
        fs::write(&path, "precious").unwrap();
        let foreign = AdminSocket::open(&path).await.unwrap_err().to_string();
        assert!(foreign.contains("is a file and no socket"), "{foreign}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        fs::remove_file(&path).unwrap();
        let admin_socket = AdminSocket::open(&path).await.unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "precious").unwrap();
        drop(admin_socket);
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }
}
