//! Further handshakes with a server, each of which offers one version of TLS and perhaps one kind of key: what it takes, and
//! which certificate it then shows.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use dane::{
    ClientConfigs, DaneVerifier, KeyKind, Offer, RecordingVerifier, TlsVersion, opportunistic_server_name,
};
use delivery::route::RouteHost;
use mail::DomainPart;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::CertificateDer;
use smtp::{Command, Extension, Extensions, Reply, ReplyParser};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::observation::{KeySeen, OfferResult, OfferSeen, VersionSeen};
use crate::explain::certificates;

/// Makes offers.
pub(super) struct Offers {
    pub(super) configs: ClientConfigs,
    pub(super) hostname: DomainPart,
    /// For one offer, with everything.
    pub(super) patience: Duration,
    /// How many are under way at once.
    pub(super) places: Semaphore,
}

/// What came of a handshake.
struct Shaken {
    result: OfferResult,
    chain: Vec<CertificateDer<'static>>,
    is_verified: Option<bool>,
}

impl Offers {
    /// Makes one offer, and ends the session.
    pub(super) async fn make(
        &self,
        host: &RouteHost,
        socket: SocketAddr,
        version: VersionSeen,
        keys: Option<KeySeen>,
    ) -> OfferSeen {
        let offer = Offer {
            version: match version {
                VersionSeen::Tls12 => TlsVersion::Tls12,
                VersionSeen::Tls13 => TlsVersion::Tls13,
            },
            keys: keys.map(|keys| match keys {
                KeySeen::Rsa => KeyKind::Rsa,
                KeySeen::Ecdsa => KeyKind::Ecdsa,
            }),
        };
        // `None` only if the semaphore were closed, which never happens.
        let _place = self.places.acquire().await.ok();
        let shaken = timeout(self.patience, self.shake(host, socket, offer)).await;
        let shaken = shaken.ok().and_then(Result::ok).unwrap_or(Shaken {
            result: OfferResult::Unknown,
            chain: Vec::new(),
            is_verified: None,
        });
        OfferSeen {
            version,
            keys,
            result: shaken.result,
            certificate: certificates(&shaken.chain).into_iter().next(),
            verified: shaken.is_verified,
        }
    }

    async fn shake(&self, host: &RouteHost, socket: SocketAddr, offer: Offer) -> io::Result<Shaken> {
        let mut plain = Session::new(TcpStream::connect(socket).await?);
        plain.read().await?.accepted()?;
        let extensions = plain.ehlo(&self.hostname).await?;
        if !extensions.offers(Extension::StartTls) {
            plain.quit().await;
            return Err(io::ErrorKind::Unsupported.into());
        }
        plain.say(&Command::StartTls, &extensions).await?.accepted()?;
        let check = Check::new(host, &self.configs);
        let name = host
            .tlsa()
            .map(|(base, _)| base)
            .or(host.name())
            .map_or_else(String::new, ToString::to_string);
        let name = opportunistic_server_name(&name, socket.ip());
        let config = self
            .configs
            .narrow(check.verifier(), offer)
            .map_err(io::Error::other)?;
        let connected = TlsConnector::from(config).connect(name, plain.stream).await;
        let shaken = match connected {
            Ok(stream) => {
                let connection = stream.get_ref().1;
                let chain = connection.peer_certificates().unwrap_or_default();
                let shaken = Shaken {
                    result: OfferResult::Taken,
                    chain: chain.iter().map(|one| one.clone().into_owned()).collect(),
                    is_verified: check.dane().map(|dane| dane.proof(connection).is_some()),
                };
                let mut session = Session::new(stream);
                if session.ehlo(&self.hostname).await.is_ok() {
                    session.quit().await;
                }
                shaken
            }
            Err(error) => check.refused(&error)?,
        };
        Ok(shaken)
    }
}

/// What checks the certificate.
enum Check {
    Dane(Arc<DaneVerifier>),
    Nothing(Arc<RecordingVerifier>),
}

impl Check {
    fn new(host: &RouteHost, configs: &ClientConfigs) -> Self {
        match (host.tlsa(), host.references()) {
            (Some((_, set)), Some(references)) if set.is_usable() => Self::Dane(DaneVerifier::new(
                set.clone(),
                references.clone(),
                configs.provider(),
            )),
            _ => Self::Nothing(RecordingVerifier::new(configs.provider())),
        }
    }

    fn verifier(&self) -> Arc<dyn ServerCertVerifier> {
        match self {
            Self::Dane(verifier) => Arc::<DaneVerifier>::clone(verifier),
            Self::Nothing(verifier) => Arc::<RecordingVerifier>::clone(verifier),
        }
    }

    fn dane(&self) -> Option<&DaneVerifier> {
        match self {
            Self::Dane(verifier) => Some(verifier),
            Self::Nothing(_) => None,
        }
    }

    /// A handshake that came as far as the certificate was taken; an alert before that declines it. Anything else says
    /// nothing.
    fn refused(&self, error: &io::Error) -> io::Result<Shaken> {
        if let Some(dane) = self.dane()
            && dane.refusal().is_some()
        {
            return Ok(Shaken {
                result: OfferResult::Taken,
                chain: dane.refused(),
                is_verified: Some(false),
            });
        }
        let inner = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match inner {
            Some(rustls::Error::AlertReceived(_) | rustls::Error::PeerIncompatible(_)) => Ok(Shaken {
                result: OfferResult::Declined,
                chain: Vec::new(),
                is_verified: None,
            }),
            Some(_) | None => Err(error.kind().into()),
        }
    }
}

/// An SMTP session, in which little is said.
struct Session<S> {
    stream: S,
    input: BytesMut,
    replies: ReplyParser,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    fn new(stream: S) -> Self {
        Self {
            stream,
            input: BytesMut::with_capacity(1024),
            replies: ReplyParser::new(),
        }
    }

    async fn read(&mut self) -> io::Result<Reply> {
        loop {
            if let Some(reply) = self.replies.parse(&mut self.input).map_err(io::Error::other)? {
                return Ok(reply);
            }
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    async fn say(&mut self, command: &Command<'_>, extensions: &Extensions) -> io::Result<Reply> {
        let mut output = BytesMut::new();
        command.write_to(extensions, &mut output);
        self.stream.write_all(&output).await?;
        self.stream.flush().await?;
        self.read().await
    }

    async fn ehlo(&mut self, hostname: &DomainPart) -> io::Result<Extensions> {
        let reply = self.say(&Command::Ehlo(hostname), &Extensions::none()).await?;
        Ok(Extensions::from_ehlo(reply.accepted()?))
    }

    /// Whether the server hears it or not, the session is over.
    async fn quit(&mut self) {
        let _ = self.say(&Command::Quit, &Extensions::none()).await;
        let _ = self.stream.shutdown().await;
    }
}

/// Whether a reply goes on.
trait Accepted {
    fn accepted(&self) -> io::Result<&Self>;
}

impl Accepted for Reply {
    fn accepted(&self) -> io::Result<&Self> {
        if self.is_positive() {
            Ok(self)
        } else {
            Err(io::Error::other("refused"))
        }
    }
}
