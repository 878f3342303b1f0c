//! TLS, in particular towards receiving servers: groups, versions, and which authorities the WebPKI trusts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dane::{ClientConfigs, Group, SetupError, WebPki, WebPkiSetupError};
use delivery::TlsClient;
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject};

use crate::access::explain_pem;
use crate::config::Config;
use crate::config::schema::{Tls, TlsGroup, TlsVersion};

/// Why TLS cannot be set up: the administrator has to fix it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// The roots cannot be read.
    #[error("`tls.webpki_roots`: {}: {}", path.display(), explain_pem(path, cause))]
    Unreadable {
        /// Their file.
        path: PathBuf,
        /// What is wrong with it.
        cause: pem::Error,
    },
    /// A certificate in the file is not a root.
    #[error("`tls.webpki_roots`: {}: certificate {number} cannot be a root: it is malformed", path.display())]
    Root {
        /// The file.
        path: PathBuf,
        /// Its position in the file, from 1.
        number: usize,
    },
    /// There is no root certificate.
    #[error(
        "`tls.webpki_roots`: there is no certificate in the file; allowed: a PEM file of CERTIFICATE blocks"
    )]
    NoRoots(#[from] WebPkiSetupError),
    /// Groups and versions are inconsistent.
    #[error("[tls]: {0}")]
    Settings(#[from] SetupError),
    /// The same, for name servers.
    #[error("[tls]: {0}")]
    NameServers(rustls::Error),
}

/// The cryptography of every handshake, on both sides.
pub(super) fn provider(settings: &Tls) -> Arc<CryptoProvider> {
    let groups: Vec<Group> = settings.groups.iter().map(|group| group_of(*group)).collect();
    Arc::new(dane::provider(&groups))
}

/// What all handshakes with receiving servers share.
pub(crate) fn client(settings: &Tls) -> Result<TlsClient, TlsError> {
    let (configs, webpki) = parts(settings)?;
    Ok(TlsClient::new(configs, Some(webpki))?)
}

/// The parts of that.
pub(crate) fn parts(settings: &Tls) -> Result<(ClientConfigs, WebPki), TlsError> {
    let provider = provider(settings);
    let webpki = WebPki::new(Arc::new(roots(settings)?), &provider)?;
    Ok((ClientConfigs::new(provider, minimum(settings))?, webpki))
}

fn minimum(settings: &Tls) -> dane::TlsVersion {
    match settings.minimum {
        TlsVersion::V12 => dane::TlsVersion::Tls12,
        TlsVersion::V13 => dane::TlsVersion::Tls13,
    }
}

/// Verifies name servers over TLS, with the same roots and the same settings.
pub(crate) fn name_server_client(settings: &Tls) -> Result<Arc<rustls::ClientConfig>, TlsError> {
    let roots = roots(settings)?;
    let builder = rustls::ClientConfig::builder_with_provider(provider(settings))
        .with_protocol_versions(minimum(settings).and_later())
        .map_err(TlsError::NameServers)?;
    Ok(Arc::new(
        builder.with_root_certificates(roots).with_no_client_auth(),
    ))
}

/// Asks web servers, verified with the same roots and the same settings, through the proxy if there is one.
pub(crate) fn https_client(config: &Config) -> Result<https::Client, TlsError> {
    let client = https::Client::new(&*name_server_client(&config.tls)?);
    Ok(client.through(config.https.proxy.0.clone()))
}

/// Hands TLS reports to web servers, whatever their certificates are: those may be what is reported (RFC 8460 §3).
pub(crate) fn reports_client(config: &Config) -> Result<https::Client, TlsError> {
    let client = https::Client::of_any_server(&*name_server_client(&config.tls)?);
    Ok(client.through(config.https.proxy.0.clone()))
}

fn roots(settings: &Tls) -> Result<RootCertStore, TlsError> {
    if settings.webpki_roots.as_os_str().is_empty() {
        Ok(system_roots())
    } else {
        roots_of_file(&settings.webpki_roots)
    }
}

fn group_of(group: TlsGroup) -> Group {
    match group {
        TlsGroup::X25519MlKem768 => Group::X25519MlKem768,
        TlsGroup::X25519 => Group::X25519,
        TlsGroup::P256 => Group::P256,
        TlsGroup::P384 => Group::P384,
    }
}

fn roots_of_file(path: &Path) -> Result<RootCertStore, TlsError> {
    let unreadable = |cause| TlsError::Unreadable {
        path: path.to_owned(),
        cause,
    };
    let mut roots = RootCertStore::empty();
    for (number, certificate) in (1..).zip(CertificateDer::pem_file_iter(path).map_err(unreadable)?) {
        let added = roots.add(certificate.map_err(unreadable)?);
        added.map_err(|_| TlsError::Root {
            path: path.to_owned(),
            number,
        })?;
    }
    Ok(roots)
}

/// The system's roots; the built-in ones if it has none.
fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!("the system's WebPKI roots: {error}");
    }
    // A system's store may contain certificates that no verifier can use; they are skipped.
    let (usable, _) = roots.add_parsable_certificates(found.certs);
    if usable == 0 {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_make_a_client() {
        assert!(client(&Tls::default()).is_ok());
    }

    #[test]
    fn a_file_without_roots_is_refused() {
        let file = tempfile::NamedTempFile::new().map(tempfile::NamedTempFile::into_temp_path);
        let settings = |path: PathBuf| Tls {
            webpki_roots: path,
            ..Tls::default()
        };
        let empty = file.map(|file| client(&settings(file.to_path_buf())));
        assert!(matches!(empty, Ok(Err(TlsError::NoRoots(_)))));
        let missing = client(&settings("/nonexistent/roots.pem".into()));
        assert!(matches!(missing, Err(TlsError::Unreadable { .. })));
    }
}
