//! What is needed to serve clients and is kept in separate files: certificate and key, and the users.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use listener::users::UsersError;
use listener::{ClientCertificates, ServerTls, Users};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::tls;
use crate::access::{self, Use, explain_pem, is_lasting};
use crate::config::Config;

/// Why clients cannot be served as configured: the administrator has to fix it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientsError {
    /// The certificate or the key cannot be read.
    #[error("`{key}`: {}: {}", path.display(), explain_pem(path, cause))]
    Unreadable {
        /// The key of the setting.
        key: &'static str,
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        cause: pem::Error,
    },
    /// There is no certificate.
    #[error("`listen.tls_certificate`: {}: there is no CERTIFICATE block in the file", .0.display())]
    NoCertificate(PathBuf),
    /// The key is of an unsupported kind, or does not match the certificate.
    #[error("`listen.tls_certificate` and `listen.tls_key` do not fit together: {0}")]
    Unfit(rustls::Error),
    /// The users cannot be read.
    #[error("`access.users_file`: {}: {}; `danerelay user add` makes it", path.display(), access::explain(path, Use::Read, cause))]
    UsersUnreadable {
        /// Their file.
        path: PathBuf,
        /// The system's error.
        cause: io::Error,
    },
    /// A line does not define a user.
    #[error("`access.users_file`: {}: {cause}", path.display())]
    Users {
        /// The file.
        path: PathBuf,
        /// Where, and what is wrong.
        cause: UsersError,
    },
}

impl ClientsError {
    /// Whether the error lasts until somebody acts.
    pub(crate) fn is_lasting(&self) -> bool {
        match self {
            Self::Unreadable {
                cause: pem::Error::Io(cause),
                ..
            }
            | Self::UsersUnreadable { cause, .. } => is_lasting(cause),
            Self::Unreadable { .. } | Self::NoCertificate(_) | Self::Unfit(_) | Self::Users { .. } => true,
        }
    }
}

/// Certificate and key, if there are any. Clients are asked for a certificate if some of them may relay by it.
pub(crate) fn server_tls(config: &Config) -> Result<Option<ServerTls>, ClientsError> {
    let (certificate, key) = (&config.listen.tls_certificate, &config.listen.tls_key);
    if certificate.as_os_str().is_empty() {
        return Ok(None);
    }
    let unreadable = |key, path: &Path| {
        let path = path.to_owned();
        move |cause| ClientsError::Unreadable { key, path, cause }
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(unreadable("listen.tls_certificate", certificate))?;
    if chain.is_empty() {
        return Err(ClientsError::NoCertificate(certificate.clone()));
    }
    let key = PrivateKeyDer::from_pem_file(key).map_err(unreadable("listen.tls_key", key))?;
    let clients = if config.access.client_certificates.is_empty() {
        ClientCertificates::NotAsked
    } else {
        ClientCertificates::Asked
    };
    let tls = ServerTls::new(chain, key, &tls::provider(&config.tls), clients);
    tls.map(Some).map_err(ClientsError::Unfit)
}

/// The users, if any are configured.
pub(crate) fn users(config: &Config) -> Result<Option<Arc<Users>>, ClientsError> {
    let path = &config.access.users_file;
    if path.as_os_str().is_empty() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(path).map_err(|cause| ClientsError::UsersUnreadable {
        path: path.clone(),
        cause,
    })?;
    let users = Users::parse(&text).map_err(|cause| ClientsError::Users {
        path: path.clone(),
        cause,
    })?;
    Ok(Some(Arc::new(users)))
}

/// The files that are read to serve clients.
pub(crate) fn files(config: &Config) -> [&Path; 3] {
    [
        &config.listen.tls_certificate,
        &config.listen.tls_key,
        &config.access.users_file,
    ]
}
