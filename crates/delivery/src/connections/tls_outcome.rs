//! What became of TLS on a connection, for the log and for reports.

use std::fmt;
use std::sync::Arc;

use dane::{TlsVersion, VerifyCode, openssl_cipher_name};
use mail::cause::Cause;
use rustls::ClientConnection;

/// What became of TLS on a connection.
#[derive(Debug, Clone)]
pub(crate) enum TlsOutcome {
    /// It was not tried.
    NotTried,
    /// There is none, for this reason.
    Missing(Cause),
    /// There is a session.
    Session(TlsFacts),
}

impl TlsOutcome {
    /// The session, if there is one.
    pub(crate) fn session(&self) -> Option<&TlsFacts> {
        match self {
            Self::Session(facts) => Some(facts),
            Self::NotTried | Self::Missing(_) => None,
        }
    }

    /// Why there is none, if it was tried or was missing.
    pub(crate) fn missing(&self) -> Option<&Cause> {
        match self {
            Self::Missing(cause) => Some(cause),
            Self::NotTried | Self::Session(_) => None,
        }
    }
}

/// What the log says about a session over TLS; as text `TLSv1.3:TLS_AES_256_GCM_SHA384`.
#[derive(Debug, Clone)]
pub(crate) struct TlsFacts {
    pub(super) version: Option<TlsVersion>,
    /// By OpenSSL's name.
    cipher: &'static str,
    /// The group of the key exchange, by its name in TLS.
    pub(crate) group: Option<&'static str>,
    /// The result of the check, if there was one.
    pub(crate) valid: Option<VerifyCode>,
    /// The TLSA record that matched.
    pub(crate) matched: Option<Arc<str>>,
}

impl TlsFacts {
    pub(super) fn of(connection: &ClientConnection, valid: Option<VerifyCode>) -> Self {
        let suite = connection.negotiated_cipher_suite().map(|suite| suite.suite());
        let group = connection.negotiated_key_exchange_group();
        Self {
            version: connection.protocol_version().and_then(TlsVersion::of),
            cipher: suite.and_then(openssl_cipher_name).unwrap_or("unknown"),
            group: group.and_then(|group| group.name().as_str()),
            valid,
            matched: None,
        }
    }
}

#[cfg(test)]
impl TlsFacts {
    /// A session as most are.
    pub(crate) fn example() -> Self {
        Self {
            version: Some(TlsVersion::Tls13),
            cipher: "TLS_AES_256_GCM_SHA384",
            group: None,
            valid: None,
            matched: None,
        }
    }
}

impl fmt::Display for TlsFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}",
            self.version.map_or("TLS", TlsVersion::as_str),
            self.cipher
        )
    }
}
