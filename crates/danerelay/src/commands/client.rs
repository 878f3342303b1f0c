//! The client's side of the admin socket.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::access::words;
use crate::admin::protocol::{Greeting, Line, Refusal, RefusalKind, Request};
use crate::config::Config;
use crate::exit::Verdict;
use crate::wiring::standing::PolicyTrouble;

/// How long the daemon may take for its next line. Searching a million messages takes only a part of that.
const PATIENCE: Duration = Duration::from_mins(5);
/// The maximum length of an answer's line, in octets.
const LINE_LIMIT: u64 = 64 << 20;

/// Why the daemon did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdminError {
    /// For the administrator: no socket is configured.
    #[error("`admin.socket` is empty: the daemon cannot be talked to")]
    NotConfigured,
    /// No daemon is listening.
    #[error("no daemon answers at {}: {}", socket.display(), absence(cause))]
    NoDaemon {
        /// The socket.
        socket: PathBuf,
        /// The system's error.
        cause: io::Error,
    },
    /// For the user: this user may not use the socket.
    #[error("{}: permission denied; run this as the relay's user or as a member of its group", .0.display())]
    Forbidden(PathBuf),
    /// For the administrator: this is the socket of another relay.
    #[error("the daemon at {} has another spool: {spool}", socket.display())]
    OtherSpool {
        /// The socket.
        socket: PathBuf,
        /// The spool of that daemon.
        spool: String,
    },
    /// The connection ended before the answer was complete.
    #[error("the daemon at {} broke off: {cause}", socket.display())]
    BrokenOff {
        /// The socket.
        socket: PathBuf,
        /// The error.
        cause: io::Error,
    },
    /// The answer is invalid; the daemon may be of another version.
    #[error("the daemon at {} says what is not understood here: {cause}", socket.display())]
    Garbled {
        /// The socket.
        socket: PathBuf,
        /// What is wrong with it.
        cause: serde_json::Error,
    },
    /// The daemon refused, and says why.
    #[error("{}", .0.message)]
    Refused(Refusal),
}

impl AdminError {
    /// The exit status for it.
    pub(crate) fn verdict(&self) -> Verdict {
        match self {
            Self::NotConfigured | Self::Forbidden(_) | Self::OtherSpool { .. } | Self::Garbled { .. } => {
                Verdict::Unusable
            }
            Self::NoDaemon { .. } | Self::BrokenOff { .. } => Verdict::Undecided,
            Self::Refused(refusal) => match refusal.kind {
                RefusalKind::Request | RefusalKind::Configuration => Verdict::Unusable,
                RefusalKind::Unknown | RefusalKind::Spool => Verdict::Bad,
                RefusalKind::Busy => Verdict::Undecided,
            },
        }
    }
}

/// A connection to the daemon.
#[derive(Debug)]
pub(super) struct Client {
    socket: PathBuf,
    stream: BufReader<UnixStream>,
}

impl Client {
    /// Connects to the daemon that uses this configuration.
    pub(super) fn connect(config: &Config) -> Result<Self, AdminError> {
        let socket = &config.admin.socket;
        if socket.as_os_str().is_empty() {
            return Err(AdminError::NotConfigured);
        }
        let stream = UnixStream::connect(socket).map_err(|cause| match cause.kind() {
            io::ErrorKind::PermissionDenied => AdminError::Forbidden(socket.clone()),
            _ => AdminError::NoDaemon {
                socket: socket.clone(),
                cause,
            },
        })?;
        let mut client = Self {
            socket: socket.clone(),
            stream: BufReader::new(stream),
        };
        client
            .stream
            .get_ref()
            .set_read_timeout(Some(PATIENCE))
            .map_err(|cause| client.broken_off(cause))?;
        match client.read()? {
            Greeting::Hello(hello) if !is_same(Path::new(&hello.spool), &config.spool.path) => {
                Err(AdminError::OtherSpool {
                    socket: socket.clone(),
                    spool: hello.spool,
                })
            }
            Greeting::Hello(_) => Ok(client),
            Greeting::Error(refusal) => Err(AdminError::Refused(refusal)),
        }
    }

    /// Sends the request.
    pub(super) fn ask(&mut self, request: &Request) -> Result<(), AdminError> {
        let mut line = serde_json::to_vec(request).map_err(|cause| self.garbled(cause))?;
        line.push(b'\n');
        let Err(cause) = self.stream.get_mut().write_all(&line) else {
            return Ok(());
        };
        // The daemon may have said why it stopped listening.
        match self.read::<Line<Value, Value>>() {
            Ok(Line::Error(refusal)) => Err(AdminError::Refused(refusal)),
            Ok(Line::Result(_) | Line::Progress(_) | Line::End(_)) | Err(_) => Err(self.broken_off(cause)),
        }
    }

    /// The next line of the answer.
    pub(super) fn next<R: DeserializeOwned, E: DeserializeOwned>(
        &mut self,
    ) -> Result<Line<R, E>, AdminError> {
        match self.read()? {
            Line::Error(refusal) => Err(AdminError::Refused(refusal)),
            line @ (Line::Result(_) | Line::Progress(_) | Line::End(_)) => Ok(line),
        }
    }

    /// The end of an answer that has no other lines.
    pub(super) fn end<E: DeserializeOwned>(&mut self) -> Result<E, AdminError> {
        loop {
            match self.next::<Value, E>()? {
                Line::End(end) => return Ok(end),
                Line::Result(_) | Line::Progress(_) | Line::Error(_) => {}
            }
        }
    }

    /// Passes on this many octets of content, part by part.
    pub(super) fn octets<F>(
        &mut self,
        size: u64,
        mut take: impl FnMut(&[u8]) -> Result<(), F>,
    ) -> Result<Result<(), F>, AdminError> {
        let mut left = usize::try_from(size).unwrap_or(usize::MAX);
        while left > 0 {
            let found = self.stream.fill_buf().map(|buffer| buffer.len().min(left));
            let length = match found {
                Ok(0) => return Err(self.cut_short("message")),
                Ok(length) => length,
                Err(cause) => return Err(self.broken_off(cause)),
            };
            if let Err(error) = take(self.stream.buffer().get(..length).unwrap_or_default()) {
                return Ok(Err(error));
            }
            self.stream.consume(length);
            left -= length;
        }
        Ok(Ok(()))
    }

    fn read<T: DeserializeOwned>(&mut self) -> Result<T, AdminError> {
        let mut line = Vec::new();
        let read = (&mut self.stream).take(LINE_LIMIT).read_until(b'\n', &mut line);
        read.map_err(|cause| self.broken_off(cause))?;
        if !line.ends_with(b"\n") {
            return Err(self.cut_short("answer"));
        }
        serde_json::from_slice(&line).map_err(|cause| self.garbled(cause))
    }

    /// The connection ended in the middle of this, where the daemon cannot say why.
    fn cut_short(&self, what: &str) -> AdminError {
        let why = format!(
            "the {what} is not whole; the daemon ended, or others needed the place of this client, which was slow"
        );
        self.broken_off(io::Error::new(io::ErrorKind::UnexpectedEof, why))
    }

    fn broken_off(&self, cause: io::Error) -> AdminError {
        AdminError::BrokenOff {
            socket: self.socket.clone(),
            cause,
        }
    }

    fn garbled(&self, cause: serde_json::Error) -> AdminError {
        AdminError::Garbled {
            socket: self.socket.clone(),
            cause,
        }
    }
}

/// What it means if nobody answers.
fn absence(cause: &io::Error) -> String {
    match cause.kind() {
        io::ErrorKind::NotFound => {
            "there is no such socket; the daemon does not run, or has another `admin.socket`".to_owned()
        }
        io::ErrorKind::ConnectionRefused => "the socket is left of a daemon that has ended".to_owned(),
        _ => words(cause),
    }
}

/// Whether two paths lead to the same directory, by whatever names.
fn is_same(one: &Path, other: &Path) -> bool {
    one == other
        || match (one.canonicalize(), other.canonicalize()) {
            (Ok(one), Ok(other)) => one == other,
            _ => false,
        }
}

/// What the running relay says of its policy.
pub(crate) fn standing(config: &Config) -> Result<PolicyTrouble, AdminError> {
    let mut client = Client::connect(config)?;
    client.ask(&Request::Standing)?;
    client.end()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::admin::protocol::Nothing;

    /// A client and the other end of its connection.
    fn client() -> (Client, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let client = Client {
            socket: PathBuf::from("admin.sock"),
            stream: BufReader::new(ours),
        };
        (client, theirs)
    }

    #[test]
    fn a_daemon_that_listens_no_more_has_said_why() {
        let (mut asking, mut daemon) = client();
        let refusal = Refusal::given_away();
        let line = serde_json::to_string(&Line::<Nothing, Nothing>::Error(refusal.clone())).unwrap();
        writeln!(daemon, "{line}").unwrap();
        drop(daemon);
        let refused = asking.ask(&Request::Summary).unwrap_err();
        assert!(
            matches!(&refused, AdminError::Refused(said) if *said == refusal),
            "{refused}"
        );
        assert_eq!(refused.verdict(), Verdict::Undecided);
    }

    #[test]
    fn one_that_is_gone_has_not() {
        let (mut asking, daemon) = client();
        drop(daemon);
        let gone = asking.ask(&Request::Summary).unwrap_err();
        assert!(matches!(gone, AdminError::BrokenOff { .. }), "{gone}");
    }

    #[test]
    fn half_an_answer_is_none() {
        let (mut asking, mut daemon) = client();
        daemon.write_all(b"{\"end\":{").unwrap();
        drop(daemon);
        let half = asking.end::<Nothing>().unwrap_err();
        assert_eq!(half.verdict(), Verdict::Undecided);
        assert!(half.to_string().contains("the answer is not whole"), "{half}");
    }
}
