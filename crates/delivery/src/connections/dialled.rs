//! A place, and perhaps the connection in it, over which nothing has been said yet.

use std::net::{IpAddr, SocketAddr};

use mail::Stage;
use mail::cause::{Cause, ConnectionFault};
use tokio::net::TcpStream;

use super::places::Place;
use crate::evidence::Evidence;
use crate::failure::SessionFailure;
use crate::trace::{Step, Trace};

/// A place for a connection, and the connection if there is one.
pub(crate) struct Dialled {
    pub(super) place: Place,
    pub(super) stream: Option<TcpStream>,
}

impl From<Place> for Dialled {
    fn from(place: Place) -> Self {
        Self { place, stream: None }
    }
}

/// A connection that is being made, for the trace. If it is dropped before it has ended, it was given up.
pub(super) struct Dialling<'t> {
    trace: Option<&'t Trace>,
}

impl<'t> Dialling<'t> {
    pub(super) fn begun(trace: &'t Trace, to: SocketAddr, from: Option<IpAddr>) -> Self {
        trace.tell(|| Step::Connect { to, from });
        Self { trace: Some(trace) }
    }

    pub(super) fn ended(mut self, connected: &Result<TcpStream, SessionFailure>) {
        let Some(trace) = self.trace.take() else { return };
        trace.tell(|| match connected {
            Ok(stream) => Step::Connected {
                from: stream.local_addr().ok(),
            },
            Err(failure) => Step::NotConnected(&failure.reason),
        });
    }
}

impl Drop for Dialling<'_> {
    fn drop(&mut self) {
        if let Some(trace) = self.trace {
            trace.tell(|| Step::GivenUp);
        }
    }
}

/// Why there is no session.
pub(crate) enum NotOpened {
    /// It cannot be had.
    Failed(SessionFailure),
    /// The server takes no more connections than it has. One may be set free at any time.
    Full(SessionFailure),
}

/// What a connection that failed shows about its address is remembered there.
pub(super) fn not_opened(place: &Place, failure: SessionFailure) -> NotOpened {
    if is_unanswered(&failure.cause) {
        place.unanswered(failure.clone());
    } else if Evidence::of(&failure.cause) == Evidence::Busy && place.refused(&failure) {
        return NotOpened::Full(failure);
    }
    NotOpened::Failed(failure)
}

/// Whether a server has said nothing in the time that it had, before it could know what is wanted of it. What takes too long
/// after STARTTLS may work without TLS, or with another hello.
fn is_unanswered(cause: &Cause) -> bool {
    matches!(
        cause,
        Cause::Connection(ConnectionFault::TimedOut(
            Stage::Connect | Stage::Banner | Stage::Ehlo
        ))
    )
}
