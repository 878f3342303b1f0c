//! TLS towards clients: one certificate, TLS 1.2 and 1.3, and the keys of clients that present a certificate.

use std::fmt;
use std::io;
use std::sync::Arc;

use dane::TlsVersion;
use mail::event::client::HandshakeFault;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoClientAuth, ServerConnection};
use rustls::{CipherSuite, DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::key_digest::KeyDigest;

/// Certificate and key presented to clients.
#[derive(Clone)]
pub struct ServerTls(TlsAcceptor);

/// Whether clients are asked for a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientCertificates {
    /// They are not asked: some clients cannot handle the request.
    NotAsked,
    /// They are asked, but need not have one. Any certificate is accepted; which keys may relay is decided later.
    Asked,
}

/// What is known about a TLS connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TlsFacts {
    /// `TLSv1.3`.
    pub(crate) version: &'static str,
    /// OpenSSL's name of the cipher.
    pub(crate) cipher: &'static str,
    /// The registered name of the cipher suite (RFC 8446 §B.4).
    pub(crate) suite: String,
    /// The key that the client has proved to own.
    pub(crate) client_key: Option<KeyDigest>,
}

impl ServerTls {
    /// Serves with this certificate, followed by those of its issuers, and this key. Fails if they do not match.
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        provider: &Arc<CryptoProvider>,
        clients: ClientCertificates,
    ) -> Result<Self, rustls::Error> {
        let verifier: Arc<dyn ClientCertVerifier> = match clients {
            ClientCertificates::NotAsked => Arc::new(NoClientAuth),
            ClientCertificates::Asked => Arc::new(AnyKey(Arc::clone(provider))),
        };
        let config = ServerConfig::builder_with_provider(Arc::clone(provider))
            .with_protocol_versions(TlsVersion::Tls12.and_later())?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)?;
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }

    /// Does the handshake.
    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.0.accept(stream).await
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").finish_non_exhaustive()
    }
}

impl TlsFacts {
    /// The facts of a connection whose handshake is complete.
    pub(crate) fn of(connection: &ServerConnection) -> Self {
        let version = connection.protocol_version().and_then(TlsVersion::of);
        let suite = connection.negotiated_cipher_suite().map(|suite| suite.suite());
        let shown = connection.peer_certificates().and_then(|chain| chain.first());
        Self {
            version: version.map_or("TLS", TlsVersion::as_str),
            suite: suite.map(registered_name).unwrap_or_default(),
            cipher: suite.and_then(dane::openssl_cipher_name).unwrap_or("unknown"),
            client_key: shown.and_then(KeyDigest::of),
        }
    }
}

/// rustls writes `TLS13_` before the names of TLS 1.3.
fn registered_name(suite: CipherSuite) -> String {
    let name = suite.as_str().unwrap_or("unknown");
    match name.strip_prefix("TLS13_") {
        Some(rest) => format!("TLS_{rest}"),
        None => name.to_owned(),
    }
}

/// Accepts any certificate if the client proves that it has the key: only the key counts, and whether it may relay is
/// looked up when a message arrives.
#[derive(Debug)]
struct AnyKey(Arc<CryptoProvider>);

impl ClientCertVerifier for AnyKey {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Why a handshake failed.
pub(crate) fn failed(error: &io::Error) -> HandshakeFault {
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    HandshakeFault::Failed(match inner {
        Some(error) => error.to_string(),
        None => error.kind().to_string(),
    })
}
