//! The handshake: takes one requirement, returns a clearance or a failure.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use dane::{
    ClientConfigs, DaneVerifier, PkixVerifier, RecordingVerifier, ReferenceIdentifiers, Refusal, SetupError,
    TlsaRecord, TlsaSet, VerifyCode, WebPki, WebPkiVerdict, server_name, server_name_or_address,
};
use mail::Domain;
use mail::cause::{BrokenHandshake, Cause, Demand, OurFault, TlsFault, Unproven};
use parking_lot::Mutex;
use policy::decision::Requirement;
use policy::settings::RouteTls;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{AlertDescription, ClientConfig, ClientConnection, InvalidMessage};
use smtp::Reply;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::clearance::Achieved;
use super::handshakes::{Handshakes, Shaking};
use super::tls_outcome::TlsFacts;
use crate::failure::SessionFailure;
use crate::trace::{End, RecordStanding, Step, Trace};

/// A check that passed must leave a proof.
const NO_PROOF: Cause = Cause::Ours(OurFault::NoProof);
/// Records without a host that they belong to prove nothing.
const NO_REFERENCE: Cause = Cause::Tls(TlsFault::Unproven(Unproven::NoReference));

/// What all handshakes share.
#[derive(Clone)]
pub struct TlsClient {
    configs: ClientConfigs,
    /// With a hello that fits into one segment.
    small: ClientConfigs,
    webpki: Option<WebPki>,
    counts: Option<Arc<Handshakes>>,
}

/// The first message of a handshake. Neither weakens what is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hello {
    /// With all groups, and with SNI.
    Full,
    /// For servers that cannot take that: with classical groups alone, and without SNI where nothing is authenticated.
    Small,
}

impl Hello {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Full => Self::Small,
            Self::Small => Self::Full,
        }
    }
}

/// The peer of a handshake.
pub(crate) struct Peer<'a> {
    /// The MX host; `None` if only the address of the peer is known.
    pub(crate) host: Option<&'a Domain>,
    pub(crate) socket: SocketAddr,
    /// How TLS begins.
    pub(crate) tls: RouteTls,
    /// What DNS says about its keys, if anything.
    pub(crate) dane: Option<&'a DanePeer>,
    /// Records its certificates, if they are wanted.
    pub(crate) witness: Option<&'a Witness>,
    /// Is told what happens, if somebody listens.
    pub(crate) trace: Trace,
}

/// What is seen of a server while a session with it is set up, whatever the result.
#[derive(Debug, Default)]
pub(crate) struct Witness(Mutex<Seen>);

/// What was seen of a server.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// The certificates that it presented in a handshake, leaf first; none if that did not get so far.
    pub(crate) chain: Vec<CertificateDer<'static>>,
    /// Between whom the connection is.
    pub(crate) ends: Ends,
}

/// Between whom a connection is.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    /// The address from which the server was connected to.
    pub(crate) from: Option<IpAddr>,
    /// The name in its greeting, if that begins with one.
    pub(crate) greeted_as: Option<Domain>,
}

impl Witness {
    /// What was seen.
    pub(crate) fn into_seen(self) -> Seen {
        self.0.into_inner()
    }

    fn note(&self, chain: Vec<CertificateDer<'static>>) {
        self.0.lock().chain = chain;
    }
}

impl Peer<'_> {
    pub(super) fn address(&self) -> IpAddr {
        self.socket.ip()
    }

    /// Records from where the connection was made.
    pub(super) fn connected(&self, stream: &TcpStream) {
        if let Some(witness) = self.witness {
            witness.0.lock().ends.from = stream.local_addr().ok().map(|local| local.ip().to_canonical());
        }
    }

    /// Records the name in the greeting.
    pub(super) fn greeted(&self, greeting: &Reply) {
        let word = greeting
            .lines
            .first()
            .and_then(|line| line.split_whitespace().next());
        if let (Some(witness), Some(word)) = (self.witness, word) {
            witness.0.lock().ends.greeted_as = Domain::parse(word).ok();
        }
    }

    /// Records the certificates of a server that was refused.
    fn refused(&self, chain: impl FnOnce() -> Vec<CertificateDer<'static>>) {
        if self.witness.is_some() || self.trace.is_on() {
            let chain = chain();
            self.tell_of(&chain, None);
            if let Some(witness) = self.witness {
                witness.note(chain);
            }
        }
    }

    /// Records the certificates of a server with which the handshake is complete.
    fn shown(&self, connection: &ClientConnection, matched: Option<&TlsaRecord>) {
        let Some(chain) = connection.peer_certificates() else {
            return;
        };
        self.tell_of(chain, matched);
        if let Some(witness) = self.witness {
            witness.note(chain.iter().map(|one| one.clone().into_owned()).collect());
        }
    }

    /// Tells that the handshake failed, and who ended the connection with it.
    pub(super) fn handshake_failed(&self, failure: &SessionFailure) {
        let is_by_server = matches!(
            failure.cause,
            Cause::Tls(
                TlsFault::Closed | TlsFault::Handshake(BrokenHandshake::Closed | BrokenHandshake::Alert(_))
            )
        );
        let end = if is_by_server { End::ByServer } else { End::ByUs };
        self.trace.tell(|| Step::TlsFailed(&failure.reason));
        self.trace.tell(|| Step::Closed(end));
    }

    /// Tells which certificates the server presented, and which TLSA records match them.
    fn tell_of(&self, chain: &[CertificateDer<'_>], matched: Option<&TlsaRecord>) {
        if !self.trace.is_on() {
            return;
        }
        for (depth, certificate) in chain.iter().enumerate() {
            self.trace.tell(|| Step::Certificate { depth, certificate });
        }
        let Some(set) = self.dane.map(|dane| &*dane.set) else {
            return;
        };
        let usable = set.usable().iter().map(|one| (one, RecordStanding::Usable));
        let outranked = set.outranked().iter().map(|one| (one, RecordStanding::Outranked));
        let unusable = set.unusable().iter();
        let unusable = unusable.map(|(one, why)| (one, RecordStanding::Unusable(*why)));
        for (record, standing) in usable.chain(outranked).chain(unusable) {
            self.trace.tell(|| Step::Tlsa {
                record,
                standing,
                matches: record.place_in(chain),
                is_anchor: matched == Some(record),
            });
        }
    }
}

/// What DNS says about the keys of a host.
#[derive(Debug, Clone)]
pub(crate) struct DanePeer {
    /// The TLSA base domain, sent as SNI (RFC 7672 §8.1).
    pub(crate) base: Domain,
    /// Shared with all other routes to this host.
    pub(crate) set: Arc<TlsaSet>,
    pub(crate) references: ReferenceIdentifiers,
}

/// A completed handshake: the stream, and what was achieved on it.
pub(super) struct Handshaken {
    pub(super) stream: TlsStream<TcpStream>,
    pub(super) facts: TlsFacts,
    pub(super) achieved: Achieved,
}

impl TlsClient {
    /// `webpki` is `None` if the machine trusts no certification authority: then nothing can be verified by name.
    /// Fails if no client can be made of the settings.
    pub fn new(configs: ClientConfigs, webpki: Option<WebPki>) -> Result<Self, SetupError> {
        Ok(Self {
            small: configs.with_small_hello()?,
            configs,
            webpki,
            counts: None,
        })
    }

    /// The same, with its handshakes counted here.
    #[must_use]
    pub fn counted_by(self, counts: Arc<Handshakes>) -> Self {
        Self {
            counts: Some(counts),
            ..self
        }
    }

    /// What the WebPKI says about a chain and a host's name.
    pub(crate) fn web_pki_verdict(&self, chain: &[CertificateDer<'_>], host: &Domain) -> WebPkiVerdict {
        match (&self.webpki, server_name(host.as_str())) {
            (Some(webpki), Ok(name)) => webpki.verify_chain(chain, &name, UnixTime::now()).into(),
            (None, _) | (_, Err(_)) => WebPkiVerdict::NotAsked,
        }
    }

    fn configs(&self, hello: Hello) -> &ClientConfigs {
        match hello {
            Hello::Full => &self.configs,
            Hello::Small => &self.small,
        }
    }

    /// Does the handshake and meets `requirement` with it, or fails.
    pub(super) async fn handshake(
        &self,
        stream: TcpStream,
        peer: &Peer<'_>,
        requirement: Requirement,
        hello: Hello,
    ) -> Result<Handshaken, SessionFailure> {
        let mut shaking = Shaking::begun(self.counts.as_deref());
        let handshaken = self.meet(stream, peer, requirement, hello).await;
        match &handshaken {
            Ok(done) => {
                let connection = done.stream.get_ref().1;
                shaking.ended(done.facts.version, &done.achieved);
                peer.trace.tell(|| Step::TlsDone {
                    session: &done.facts,
                    group: done.facts.group,
                });
                peer.shown(connection, done.achieved.matched().map(|matched| &matched.record));
            }
            Err(failure) => {
                shaking.failed(failure);
                peer.handshake_failed(failure);
            }
        }
        handshaken
    }

    async fn meet(
        &self,
        stream: TcpStream,
        peer: &Peer<'_>,
        requirement: Requirement,
        hello: Hello,
    ) -> Result<Handshaken, SessionFailure> {
        match requirement {
            Requirement::Clear | Requirement::Opportunistic | Requirement::Encrypted => {
                self.record(stream, peer, hello).await
            }
            Requirement::Pkix => self.authenticate_by_name(stream, peer, hello).await,
            Requirement::Dane | Requirement::DaneAndPkix => {
                let verifier = self.dane_verifier(peer, requirement)?;
                self.authenticate_by_dane(stream, peer, &verifier, hello).await
            }
        }
    }

    async fn record(
        &self,
        stream: TcpStream,
        peer: &Peer<'_>,
        hello: Hello,
    ) -> Result<Handshaken, SessionFailure> {
        let name = sni(peer);
        let sent = match hello {
            Hello::Full => name.clone(),
            // With an address no SNI is sent (RFC 6066 §3).
            Hello::Small => ServerName::IpAddress(peer.address().into()),
        };
        let verifier = match &self.webpki {
            Some(webpki) => RecordingVerifier::with_webpki(self.configs.provider(), webpki, name),
            None => RecordingVerifier::new(self.configs.provider()),
        };
        let stream = connect(
            stream,
            self.configs(hello).recording(&verifier),
            sent,
            &peer.trace,
        )
        .await
        .map_err(broken)?;
        let valid = verifier.observed().and_then(|observed| observed.webpki.code());
        Ok(Handshaken {
            facts: TlsFacts::of(stream.get_ref().1, valid),
            stream,
            achieved: Achieved::Encrypted,
        })
    }

    async fn authenticate_by_name(
        &self,
        stream: TcpStream,
        peer: &Peer<'_>,
        hello: Hello,
    ) -> Result<Handshaken, SessionFailure> {
        let webpki = self.webpki.as_ref().ok_or(Cause::Ours(OurFault::NoRoots))?;
        let name = name_to_verify(peer)?;
        let verifier = PkixVerifier::new(webpki, name.clone());
        let stream = connect(stream, self.configs(hello).pkix(&verifier), name, &peer.trace)
            .await
            .inspect_err(|_| peer.refused(|| verifier.refused()))
            .map_err(|error| refused_or_broken(verifier.refusal(), error))?;
        let proof = verifier.proof(stream.get_ref().1).ok_or(NO_PROOF)?;
        Ok(Handshaken {
            facts: TlsFacts::of(stream.get_ref().1, Some(VerifyCode::OK)),
            stream,
            achieved: Achieved::ByName(proof),
        })
    }

    async fn authenticate_by_dane(
        &self,
        stream: TcpStream,
        peer: &Peer<'_>,
        verifier: &Arc<DaneVerifier>,
        hello: Hello,
    ) -> Result<Handshaken, SessionFailure> {
        let dane = peer.dane.ok_or(NO_REFERENCE)?;
        let name = server_name_or_address(dane.base.as_str(), peer.address());
        let stream = connect(stream, self.configs(hello).dane(verifier), name, &peer.trace)
            .await
            .inspect_err(|_| peer.refused(|| verifier.refused()))
            .map_err(|error| refused_or_broken(verifier.refusal(), error))?;
        let proof = verifier.proof(stream.get_ref().1).ok_or(NO_PROOF)?;
        let matched = proof.matched().record.fingerprint().to_string();
        let mut facts = TlsFacts::of(stream.get_ref().1, Some(VerifyCode::OK));
        facts.matched = Some(matched.into());
        Ok(Handshaken {
            facts,
            stream,
            achieved: Achieved::ByDane(proof),
        })
    }

    fn dane_verifier(
        &self,
        peer: &Peer<'_>,
        requirement: Requirement,
    ) -> Result<Arc<DaneVerifier>, SessionFailure> {
        let dane = peer.dane.ok_or(NO_REFERENCE)?;
        let (set, references) = (dane.set.clone(), dane.references.clone());
        if requirement != Requirement::DaneAndPkix {
            return Ok(DaneVerifier::new(set, references, self.configs.provider()));
        }
        let webpki = self.webpki.as_ref().ok_or(Cause::Ours(OurFault::NoRoots))?;
        Ok(DaneVerifier::and_webpki(
            set,
            references,
            webpki,
            name_to_verify(peer)?,
        ))
    }
}

/// Without authentication SNI is a courtesy; a name that cannot be sent is no reason for plain text.
fn sni(peer: &Peer<'_>) -> ServerName<'static> {
    let name = peer.dane.map(|dane| &dane.base).or(peer.host);
    match name {
        Some(name) => server_name_or_address(name.as_str(), peer.address()),
        None => ServerName::IpAddress(peer.address().into()),
    }
}

/// The name that a WebPKI certificate must have.
fn name_to_verify(peer: &Peer<'_>) -> Result<ServerName<'static>, Cause> {
    let name = peer.host.and_then(|host| server_name(host.as_str()).ok());
    name.ok_or(Cause::Policy(Demand::NoName))
}

async fn connect(
    stream: TcpStream,
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    trace: &Trace,
) -> Result<TlsStream<TcpStream>, io::Error> {
    trace.tell(|| Step::TlsBegun {
        sni: match &name {
            ServerName::DnsName(name) => Some(name.as_ref()),
            _ => None,
        },
    });
    TlsConnector::from(config).connect(name, stream).await
}

fn refused_or_broken(refusal: Option<Refusal>, error: io::Error) -> SessionFailure {
    refusal.map_or_else(|| broken(error), SessionFailure::unproven)
}

/// The alert, or the error in a few words of our own.
#[expect(clippy::needless_pass_by_value, reason = "the error ends here")]
pub(super) fn broken(error: io::Error) -> SessionFailure {
    let broken = match error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>())
    {
        Some(rustls::Error::AlertReceived(alert)) => BrokenHandshake::Alert(alert_name(*alert)),
        Some(rustls::Error::PeerIncompatible(_)) => BrokenHandshake::NothingInCommon,
        Some(rustls::Error::InvalidMessage(
            InvalidMessage::CertificatePayloadTooLarge
            | InvalidMessage::HandshakePayloadTooLarge
            | InvalidMessage::MessageTooLarge,
        )) => BrokenHandshake::Other("handshake message too large".to_owned()),
        Some(rustls::Error::InvalidMessage(_)) => BrokenHandshake::NotTls,
        Some(rustls::Error::PeerMisbehaved(_)) => BrokenHandshake::Misbehaved,
        Some(_) => BrokenHandshake::Other("handshake error".to_owned()),
        None => match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                BrokenHandshake::Closed
            }
            kind => BrokenHandshake::Other(kind.to_string()),
        },
    };
    TlsFault::Handshake(broken).into()
}

/// The alert's name in TLS (RFC 8446 §6): `HandshakeFailure` becomes `handshake_failure`.
fn alert_name(alert: AlertDescription) -> String {
    let camel = match alert {
        AlertDescription::UnknownCA => "UnknownCa",
        AlertDescription::UnrecognisedName => "UnrecognizedName",
        AlertDescription::UnknownPSKIdentity => "UnknownPskIdentity",
        other => match other.as_str() {
            Some(name) => name,
            None => return format!("unknown alert {}", u8::from(other)),
        },
    };
    let mut name = String::with_capacity(camel.len() + 4);
    for (position, c) in camel.chars().enumerate() {
        if c.is_ascii_uppercase() && position > 0 {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_have_the_names_of_the_rfc() {
        for (number, name) in [
            (0, "close_notify"),
            (40, "handshake_failure"),
            (42, "bad_certificate"),
            (48, "unknown_ca"),
            (70, "protocol_version"),
            (109, "missing_extension"),
            (112, "unrecognized_name"),
            (113, "bad_certificate_status_response"),
            (115, "unknown_psk_identity"),
            (116, "certificate_required"),
            (120, "no_application_protocol"),
            (255, "unknown alert 255"),
        ] {
            assert_eq!(alert_name(AlertDescription::from(number)), name);
        }
    }
}
