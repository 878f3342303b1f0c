//! Who asks.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{self, HeaderName};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::client::Resumption;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;

use crate::any_server::AnyServer;
use crate::failure::Failure;
use crate::proxy::Proxy;
use crate::url::Url;

/// The most that one address may take to answer.
const CONNECT: Duration = Duration::from_secs(10);
/// The most characters of a header field that are shown to people.
const SHOWN: usize = 200;
/// About the most octets that the head of an answer may have: what is read at once may be more.
const HEAD: usize = 64 * 1024;

/// Asks web servers. Clones share everything.
#[derive(Clone)]
pub struct Client {
    tls: TlsConnector,
    /// How long a server may take until it begins to answer; as long as the whole exchange if that is shorter.
    answer: Duration,
    /// Through which all connections go.
    proxy: Option<Arc<Proxy>>,
    /// What a proxy is told.
    told: Told,
}

/// By what a proxy is told where a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// Its name.
    Name,
    /// Each of its addresses, until one answers.
    Addresses,
}

/// How much an exchange may cost.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// In all, from the first connection to the last octet.
    pub time: Duration,
    /// The most octets of content that are taken.
    pub octets: usize,
}

/// With whom, and within which bounds.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// What is meant.
    pub url: &'a Url,
    /// Where its server is; they are tried in this order. A client with a proxy leaves finding the server to the proxy, if it
    /// verifies servers.
    pub addresses: &'a [IpAddr],
    /// How much it may cost.
    pub bounds: Bounds,
}

/// By what a server recognises content that it has given before (RFC 9110 §8.8).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Validators {
    /// `ETag`.
    pub etag: Option<String>,
    /// `Last-Modified`.
    pub last_modified: Option<String>,
}

/// The answer to a question for something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Got {
    /// It is as it was when the server gave these validators.
    NotModified,
    /// This is it.
    Content(Content),
}

/// What a server gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The status code, of the class of success.
    pub status: u16,
    /// The media type with its parameters, as the server says it.
    pub media_type: Option<String>,
    /// By what the server will recognise it.
    pub validators: Validators,
    /// The content.
    pub octets: Bytes,
}

/// Which answers are good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// Any of the class of success.
    Success,
    /// Content, whole and as it is.
    Content,
    /// The same, or that it is as it was.
    News,
}

impl Client {
    /// Verifies servers as `config` says.
    pub fn new(config: &ClientConfig) -> Self {
        let mut config = config.clone();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self {
            tls: TlsConnector::from(Arc::new(config)),
            answer: Duration::MAX,
            proxy: None,
            told: Told::Name,
        }
    }

    /// The same as `config` says, but accepts any certificate: for what is no secret and is to arrive even where the server
    /// cannot prove who it is, which are TLS reports (RFC 8460 §3) and nothing else. Nothing but its address says then where
    /// it goes, so a proxy is told the address as well.
    pub fn of_any_server(config: &ClientConfig) -> Self {
        let mut config = config.clone();
        let provider = Arc::clone(config.crypto_provider());
        let verifier = Arc::new(AnyServer(provider));
        config.dangerous().set_certificate_verifier(verifier);
        // A session with a server that proved nothing must never be resumed by who wants proof.
        config.resumption = Resumption::disabled();
        Self {
            told: Told::Addresses,
            ..Self::new(&config)
        }
    }

    /// Goes through this proxy, if there is one, except to loopback addresses.
    #[must_use]
    pub fn through(self, proxy: Option<Proxy>) -> Self {
        let proxy = proxy.map(Arc::new);
        Self { proxy, ..self }
    }

    /// Gives up a server that has not begun to answer after this time, connection and handshake included.
    #[must_use]
    pub fn answered_within(self, answer: Duration) -> Self {
        Self { answer, ..self }
    }

    /// Fetches something, unless it is what the validators stand for. Only the status 200 is content, and only who sent
    /// validators is answered with 304 (RFC 9110 §15.3.1, §15.4.5).
    pub async fn get(&self, target: &Target<'_>, known: &Validators) -> Result<Got, Failure> {
        let mut request = head(Method::GET, target.url);
        let mut wanted = Wanted::Content;
        for (name, value) in [
            (header::IF_NONE_MATCH, &known.etag),
            (header::IF_MODIFIED_SINCE, &known.last_modified),
        ] {
            // What is no field value was not sent by a server, and means nothing to it.
            if let Some(value) = value.as_ref().and_then(|value| value.parse().ok()) {
                request.headers_mut().insert(name, value);
                wanted = Wanted::News;
            }
        }
        self.exchange(target, request, wanted).await
    }

    /// Hands something over.
    pub async fn post(
        &self,
        target: &Target<'_>,
        media_type: &'static str,
        octets: Bytes,
    ) -> Result<(), Failure> {
        let mut request = head(Method::POST, target.url);
        *request.body_mut() = Full::new(octets);
        request
            .headers_mut()
            .insert(header::CONTENT_TYPE, header::HeaderValue::from_static(media_type));
        self.exchange(target, request, Wanted::Success).await.map(|_| ())
    }

    async fn exchange(
        &self,
        target: &Target<'_>,
        request: Request<Full<Bytes>>,
        wanted: Wanted,
    ) -> Result<Got, Failure> {
        let time = target.bounds.time;
        timeout(time, self.talk(target, request, wanted))
            .await
            .unwrap_or(Err(Failure::Late(time)))
    }

    async fn talk(
        &self,
        target: &Target<'_>,
        request: Request<Full<Bytes>>,
        wanted: Wanted,
    ) -> Result<Got, Failure> {
        let within = self.answer.min(target.bounds.time);
        let last = Instant::now() + within;
        // A loopback address is ours, and not the proxy's.
        let is_here = target.url.address().is_some_and(|address| address.is_loopback());
        let stream = match self.proxy.as_ref().filter(|_| !is_here) {
            None => connect(target.addresses, target.url.port(), last).await?,
            Some(proxy) => timeout_at(last, self.tunnel(proxy, target))
                .await
                .unwrap_or(Err(Failure::Late(within)))?,
        };
        let server = target.url.server().clone();
        let stream = timeout_at(last, self.tls.connect(server, stream)).await;
        let stream = stream.map_err(|_| Failure::Late(within))?;
        let stream = TokioIo::new(stream.map_err(Failure::of_handshake)?);
        let (mut sender, connection) = http1::Builder::new().max_buf_size(HEAD).handshake(stream).await?;
        let answer = async move {
            let head = timeout_at(last, sender.send_request(request)).await;
            read(
                head.map_err(|_| Failure::Late(within))??,
                wanted,
                target.bounds.octets,
            )
            .await
        };
        tokio::pin!(answer);
        tokio::select! {
            biased;
            answer = &mut answer => answer,
            // The connection has ended, and the answer has what there was.
            _ = connection => answer.await,
        }
    }

    /// A tunnel to the server of a target.
    async fn tunnel(&self, proxy: &Proxy, target: &Target<'_>) -> Result<TcpStream, Failure> {
        let port = target.url.port();
        if self.told == Told::Name {
            return proxy.tunnel(&target.url.host(), port).await;
        }
        let mut failure = Failure::NoAddress;
        for address in target.addresses {
            match proxy.tunnel(&address.to_string(), port).await {
                Ok(stream) => return Ok(stream),
                Err(cause) => failure = cause,
            }
        }
        Err(failure)
    }
}

fn head(method: Method, url: &Url) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::default());
    *request.method_mut() = method;
    // Both come from an address that was parsed, of which any path and authority is valid here.
    if let Ok(path) = url.path().parse() {
        *request.uri_mut() = path;
    }
    if let Ok(host) = url.authority().parse() {
        request.headers_mut().insert(header::HOST, host);
    }
    let agent = header::HeaderValue::from_static(concat!("danerelay/", env!("CARGO_PKG_VERSION")));
    request.headers_mut().insert(header::USER_AGENT, agent);
    request
}

/// A connection to the first address that answers. Each may take its share of the time that is left for all, and for what
/// comes after.
async fn connect(addresses: &[IpAddr], port: u16, last: Instant) -> Result<TcpStream, Failure> {
    let mut failure = Failure::NoAddress;
    for (tried, &address) in addresses.iter().enumerate() {
        let left = u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
        let share = last.saturating_duration_since(Instant::now()) / left.saturating_add(1);
        let connecting = timeout(share.min(CONNECT), TcpStream::connect((address, port)));
        let cause = match connecting.await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(cause)) => cause,
            Err(_) => io::ErrorKind::TimedOut.into(),
        };
        failure = Failure::Connect { address, cause };
    }
    Err(failure)
}

/// The answer with its content, of which no more than so many octets are kept in memory.
async fn read(answer: Response<Incoming>, wanted: Wanted, most: usize) -> Result<Got, Failure> {
    let (head, mut body) = answer.into_parts();
    let field = |name: HeaderName| {
        let value = head.headers.get(name)?.to_str().ok()?;
        Some(value.to_owned())
    };
    // These are shown to people.
    let shown = |name: HeaderName| field(name).map(|value| value.chars().take(SHOWN).collect::<String>());
    match head.status {
        StatusCode::NOT_MODIFIED => {
            return match wanted {
                Wanted::News => Ok(Got::NotModified),
                Wanted::Success | Wanted::Content => Err(Failure::Status(304)),
            };
        }
        status if status.is_redirection() => return Err(Failure::Redirect(shown(header::LOCATION))),
        status if !is_good(status, wanted) => return Err(Failure::Status(status.as_u16())),
        _ => {}
    }
    let coding =
        shown(header::CONTENT_ENCODING).filter(|coding| !coding.trim().eq_ignore_ascii_case("identity"));
    if let Some(coding) = coding.filter(|_| wanted != Wanted::Success) {
        return Err(Failure::Coding(coding));
    }
    let mut octets = Vec::new();
    // Of an answer to what was sent the status is enough: what has been taken is not sent again, whatever follows.
    while wanted != Wanted::Success
        && let Some(frame) = body.frame().await
    {
        // Trailers say nothing here.
        let Ok(data) = frame?.into_data() else { continue };
        if data.len() > most.saturating_sub(octets.len()) {
            return Err(Failure::TooLarge(most));
        }
        octets.extend_from_slice(&data);
    }
    Ok(Got::Content(Content {
        status: head.status.as_u16(),
        media_type: field(header::CONTENT_TYPE),
        validators: Validators {
            etag: field(header::ETAG),
            last_modified: field(header::LAST_MODIFIED),
        },
        octets: octets.into(),
    }))
}

fn is_good(status: StatusCode, wanted: Wanted) -> bool {
    match wanted {
        Wanted::Success => status.is_success(),
        Wanted::Content | Wanted::News => status == StatusCode::OK,
    }
}
