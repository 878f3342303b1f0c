//! Why nothing came of an exchange.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use crate::certificate::CertificateFlaw;

/// Whose fault it is.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The caller knows no address of the server.
    #[error("the server has no address")]
    NoAddress,
    /// Nobody answers at its last address.
    #[error("no connection to {address}: {cause}")]
    Connect {
        /// The address.
        address: IpAddr,
        /// The system's error.
        cause: io::Error,
    },
    /// Ours: the proxy cannot be reached, or breaks off.
    #[error("no connection through the proxy {proxy}: {cause}")]
    Proxy {
        /// The proxy.
        proxy: String,
        /// The system's error.
        cause: io::Error,
    },
    /// The proxy makes no tunnel: its rules forbid it, or it cannot reach the server.
    #[error("the proxy {proxy} makes no connection: it answers with the status {status}{}", hint(*status))]
    ProxyStatus {
        /// The proxy.
        proxy: String,
        /// What it says.
        status: u16,
    },
    /// The certificate does not prove that it is the server.
    #[error("the server's certificate is not accepted: {0}")]
    Certificate(CertificateFlaw),
    /// TLS does not come about for another reason.
    #[error("the TLS handshake failed: {0}")]
    Handshake(io::Error),
    /// The connection breaks, or what comes is not HTTP.
    #[error("the exchange broke off: {0}")]
    Http(#[from] hyper::Error),
    /// It refers to another address, which is not followed.
    #[error("the server refers to another address{}, and redirects are not followed", named(.0.as_deref()))]
    Redirect(Option<String>),
    /// It has nothing to give, or takes nothing.
    #[error("the server answers with the status {0}")]
    Status(u16),
    /// It sends something compressed, which nobody asked for.
    #[error("the server sends content with the coding {0:?}, which was not asked for")]
    Coding(String),
    /// It sends too much.
    #[error("the server sends more than {0} octets")]
    TooLarge(usize),
    /// All of it takes too long.
    #[error("not done within {} seconds", .0.as_secs())]
    Late(Duration),
}

impl Failure {
    pub(crate) fn of_handshake(error: io::Error) -> Self {
        let tls = error
            .get_ref()
            .and_then(|cause| cause.downcast_ref::<rustls::Error>());
        match tls {
            Some(rustls::Error::InvalidCertificate(cause)) => {
                Self::Certificate(CertificateFlaw(cause.clone()))
            }
            Some(_) | None => Self::Handshake(error),
        }
    }
}

/// What a proxy means by a status, where an administrator might search for it.
fn hint(status: u16) -> &'static str {
    match status {
        407 => " (it wants a login, which it is never given)",
        _ => "",
    }
}

fn named(location: Option<&str>) -> String {
    location
        .map(|location| format!(" ({location})"))
        .unwrap_or_default()
}
