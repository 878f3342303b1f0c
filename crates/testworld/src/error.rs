//! What can go wrong when a world is set up.

use hickory_proto::rr::RecordType;

/// Why a part of the world could not be made. One variant per culprit; answers to peers never fail with these: a query that
/// cannot be answered gets SERVFAIL.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// The caller gave something that is not a domain name.
    #[error("`{0}` is not a domain name")]
    Name(String),
    /// The caller gave record data that the type does not have.
    #[error("`{text}` is not the data of a {record_type} record")]
    Record {
        /// The type asked for.
        record_type: RecordType,
        /// What was given.
        text: String,
    },
    /// A TLSA record was to be added before any host was named.
    #[error("a TLSA record needs a host: call `host` or `mx` first")]
    NoHost,
    /// A server was to listen where others could reach it.
    #[error("{0} is not a loopback address")]
    NotLoopback(std::net::IpAddr),
    /// The zone is not part of this world.
    #[error("there is no zone `{0}`")]
    NoZone(String),
    /// A zone's key could not be made, or did not sign.
    #[error("signing a zone failed: {0}")]
    Signing(String),
    /// A certificate could not be made.
    #[error("making a certificate failed: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The TLS library refused a key or a configuration.
    #[error("setting up TLS failed: {0}")]
    Tls(#[from] rustls::Error),
    /// The system refused a socket.
    #[error("opening a loopback socket failed: {0}")]
    Socket(#[from] std::io::Error),
}

impl WorldError {
    pub(crate) fn signing(cause: impl std::fmt::Display) -> Self {
        Self::Signing(cause.to_string())
    }
}
