//! Further handshakes with a server, each of which offers one version of TLS and perhaps one kind of key, or fewer cipher suites:
//! what it takes, and which certificate it then shows.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use dane::{
    ClientConfigs, DaneVerifier, KeyKind, Offer, RecordingVerifier, TlsVersion, server_name_or_address,
};
use delivery::route::RouteHost;
use mail::DomainPart;
use policy::failure::Failure;
use policy::settings::RouteTls;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::CertificateDer;
use rustls::{CipherSuite, ClientConfig};
use smtp::{Command, Extension, Extensions, Reply, ReplyParser};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;

use super::observation::{KeySeen, OfferResult, OfferSeen, VersionSeen};
use crate::explain::{certificates, published};

/// Makes offers.
pub(super) struct Offers {
    pub(super) configs: ClientConfigs,
    pub(super) hostname: DomainPart,
    /// How TLS begins.
    pub(super) tls: RouteTls,
    /// For one offer, with everything.
    pub(super) patience: Duration,
    /// How many are under way at once.
    pub(super) places: Semaphore,
}

/// What came of an offer, and with which suite.
pub(super) struct Made {
    pub(super) seen: OfferSeen,
    pub(super) suite: Option<CipherSuite>,
}

/// What came of a handshake.
struct Shaken {
    result: OfferResult,
    chain: Vec<CertificateDer<'static>>,
    is_verified: Option<bool>,
    suite: Option<CipherSuite>,
}

impl Offers {
    /// Makes one offer over a new connection, and ends the session.
    pub(super) async fn make(
        &self,
        host: &RouteHost,
        dial: impl Future<Output = Result<TcpStream, Failure>>,
        version: VersionSeen,
        keys: Option<KeySeen>,
    ) -> Made {
        let offer = Offer {
            version: tls_version(version),
            keys: keys.map(|keys| match keys {
                KeySeen::Rsa => KeyKind::Rsa,
                KeySeen::Ecdsa => KeyKind::Ecdsa,
            }),
        };
        let check = Check::new(host, &self.configs);
        let shaken = match self.configs.narrow(check.verifier(), offer) {
            Ok(config) => self.try_to(host, dial, config, &check).await,
            Err(_) => None,
        };
        let Some(shaken) = shaken else {
            return Made::without(version, keys, OfferResult::Unknown);
        };
        Made {
            suite: shaken.suite,
            seen: OfferSeen {
                version,
                keys,
                result: shaken.result,
                certificate: certificates(&shaken.chain).into_iter().next(),
                verified: shaken.is_verified,
                published: match host.tlsa() {
                    Some((_, set)) if !shaken.chain.is_empty() => published(set, &shaken.chain),
                    Some(_) | None => Vec::new(),
                },
            },
        }
    }

    /// Finds which cipher suites of a version the server takes besides those that are `known`: each is left out next time, until
    /// the server declines what is left. Gives whether these are all: not if a connection failed first.
    pub(super) async fn suites<D: Future<Output = Result<TcpStream, Failure>>>(
        &self,
        host: &RouteHost,
        dial: impl Fn() -> D,
        version: VersionSeen,
        known: &mut Vec<CipherSuite>,
    ) -> bool {
        let offer = Offer {
            version: tls_version(version),
            keys: None,
        };
        // Where no configuration can be made, no suite is left to offer.
        while let Ok(configs) = self.configs.without_suites(known) {
            let check = Check::Nothing(RecordingVerifier::new(configs.provider()));
            let Ok(config) = configs.narrow(check.verifier(), offer) else {
                return true;
            };
            let Some(shaken) = self.try_to(host, dial(), config, &check).await else {
                return false;
            };
            match shaken.suite {
                Some(suite) if !known.contains(&suite) => known.push(suite),
                Some(_) | None => return shaken.result == OfferResult::Declined,
            }
        }
        true
    }

    async fn try_to(
        &self,
        host: &RouteHost,
        dial: impl Future<Output = Result<TcpStream, Failure>>,
        config: Arc<ClientConfig>,
        check: &Check,
    ) -> Option<Shaken> {
        // `None` only if the semaphore were closed, which never happens.
        let _place = self.places.acquire().await.ok();
        let stream = dial.await.ok()?;
        self.shake(host, stream, config, check).await.ok()
    }

    async fn shake(
        &self,
        host: &RouteHost,
        stream: TcpStream,
        config: Arc<ClientConfig>,
        check: &Check,
    ) -> io::Result<Shaken> {
        let peer = stream.peer_addr()?;
        let stream = match self.tls {
            RouteTls::Starttls => self.start_tls(stream).await?,
            RouteTls::Implicit => stream,
        };
        let name = host
            .tlsa()
            .map(|(base, _)| base)
            .or(host.name())
            .map_or_else(String::new, ToString::to_string);
        let name = server_name_or_address(&name, peer.ip());
        let connected = TlsConnector::from(config).connect(name, stream).await;
        let shaken = match connected {
            Ok(stream) => {
                let connection = stream.get_ref().1;
                let chain = connection.peer_certificates().unwrap_or_default();
                let shaken = Shaken {
                    result: OfferResult::Taken,
                    chain: chain.iter().map(|one| one.clone().into_owned()).collect(),
                    is_verified: check.dane().map(|dane| dane.proof(connection).is_some()),
                    suite: connection.negotiated_cipher_suite().map(|suite| suite.suite()),
                };
                let mut session = Session::new(stream);
                let is_greeted = match self.tls {
                    RouteTls::Starttls => true,
                    RouteTls::Implicit => session.read().await.is_ok(),
                };
                if is_greeted && session.ehlo(&self.hostname).await.is_ok() {
                    session.quit().await;
                }
                shaken
            }
            Err(error) => check.refused(&error)?,
        };
        Ok(shaken)
    }

    /// As far as the handshake after STARTTLS.
    async fn start_tls(&self, stream: TcpStream) -> io::Result<TcpStream> {
        let mut plain = Session::new(stream);
        let greeting = plain.read().await?;
        let extensions = if greeting.is_positive() {
            plain
                .ehlo(&self.hostname)
                .await
                .unwrap_or_else(|_| Extensions::none())
        } else {
            Extensions::none()
        };
        let is_ready = extensions.offers(Extension::StartTls)
            && plain.say(&Command::StartTls, &extensions).await?.is_positive();
        if !is_ready {
            plain.quit().await;
            return Err(io::ErrorKind::Unsupported.into());
        }
        Ok(plain.stream)
    }
}

impl Made {
    /// Nothing came of it.
    pub(super) fn without(version: VersionSeen, keys: Option<KeySeen>, result: OfferResult) -> Self {
        Self {
            seen: OfferSeen::without(version, keys, result),
            suite: None,
        }
    }
}

fn tls_version(version: VersionSeen) -> TlsVersion {
    match version {
        VersionSeen::Tls12 => TlsVersion::Tls12,
        VersionSeen::Tls13 => TlsVersion::Tls13,
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
                suite: None,
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
                suite: None,
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
        if reply.is_positive() {
            Ok(Extensions::from_ehlo(&reply))
        } else {
            Err(io::Error::other("refused"))
        }
    }

    /// Whether the server hears it or not, the session is over.
    async fn quit(&mut self) {
        let _ = self.say(&Command::Quit, &Extensions::none()).await;
        let _ = self.stream.shutdown().await;
    }
}
