//! A place, and perhaps the connection in it, over which nothing has been said yet.

use std::net::IpAddr;

use mail::Stage;
use mail::cause::{Cause, ConnectionFault};
use tokio::net::TcpStream;

use super::places::Place;
use super::tls::Peer;
use super::walk::{Connections, NotOpened, Want};
use crate::evidence::Evidence;
use crate::failure::SessionFailure;

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

impl Connections {
    /// Connects. If this is dropped, the connection is closed before anything is said.
    pub(crate) async fn dial(
        &self,
        peer: &Peer<'_>,
        want: &Want,
        place: Place,
    ) -> Result<Dialled, NotOpened> {
        match self.caller.connect(peer.socket, want.source).await {
            Ok(stream) => Ok(Dialled {
                place,
                stream: Some(stream),
            }),
            Err(failure) => Err(not_opened(&place, failure)),
        }
    }

    /// Another address of the host was connected to sooner.
    pub(crate) fn doubt(&self, address: IpAddr) {
        self.places.doubt(address);
    }

    /// These addresses, those that were slower than others of their host lately at the end.
    pub(crate) fn in_order(&self, addresses: &[IpAddr]) -> Vec<IpAddr> {
        let mut addresses = addresses.to_vec();
        if addresses.len() > 1 {
            self.places.doubted_last(&mut addresses);
        }
        addresses
    }
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
