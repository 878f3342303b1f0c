//! A web server over TLS that gives for each path what it is told, and remembers what it was asked.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use rustls::ServerConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::mail::Identity;
use crate::{ACCEPT_AGAIN, TaskGuard, WorldError, must_be_loopback};

/// The most octets that are read of one request.
const MOST: usize = 1 << 20;

/// What the server does when it is asked for a path.
#[derive(Debug, Clone)]
pub enum Page {
    /// It answers with this status, these fields and this content; to who knows its `ETag` already, with 304 alone.
    Answer {
        /// The status code.
        status: u16,
        /// Names and values.
        fields: Vec<(&'static str, String)>,
        /// The content.
        content: Vec<u8>,
    },
    /// It sends these octets and closes.
    Raw(Vec<u8>),
    /// It says nothing.
    Silence,
}

impl Page {
    /// A text that is there.
    pub fn text(content: impl Into<Vec<u8>>) -> Self {
        Self::Answer {
            status: 200,
            fields: vec![("Content-Type", "text/plain".to_owned())],
            content: content.into(),
        }
    }

    /// No content but this status.
    pub fn status(status: u16) -> Self {
        Self::Answer {
            status,
            fields: Vec::new(),
            content: Vec::new(),
        }
    }

    /// With one more field.
    #[must_use]
    pub fn field(mut self, name: &'static str, value: &str) -> Self {
        if let Self::Answer { fields, .. } = &mut self {
            fields.push((name, value.to_owned()));
        }
        self
    }
}

/// The server. It ends when this is dropped.
pub struct WebServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    _task: TaskGuard,
}

#[derive(Default)]
struct Shared {
    pages: Mutex<HashMap<String, Page>>,
    asked: Mutex<Vec<String>>,
}

impl WebServer {
    /// Starts it on a port of 127.0.0.1 that is free.
    pub async fn start(identity: &Identity) -> Result<Self, WorldError> {
        Self::start_at(([127, 0, 0, 1], 0).into(), identity).await
    }

    /// Starts it on this address, which must be of loopback.
    pub async fn start_at(address: SocketAddr, identity: &Identity) -> Result<Self, WorldError> {
        must_be_loopback(address.ip())?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(identity.chain().to_vec(), identity.private_key())?;
        let listener = TcpListener::bind(address).await?;
        let shared = Arc::new(Shared::default());
        let address = listener.local_addr()?;
        let task = serve(listener, TlsAcceptor::from(Arc::new(config)), Arc::clone(&shared));
        Ok(Self {
            address,
            shared,
            _task: TaskGuard::spawn(task),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it does from now on when it is asked for this path; before that, 404.
    pub fn put(&self, path: &str, page: Page) {
        self.shared.pages.lock().insert(path.to_owned(), page);
    }

    /// Every request so far, with its fields and its content.
    pub fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().clone()
    }
}

async fn serve(listener: TcpListener, tls: TlsAcceptor, shared: Arc<Shared>) {
    let mut connections = Vec::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (tls, shared) = (tls.clone(), Arc::clone(&shared));
                connections.push(TaskGuard::spawn(async move {
                    // A client that breaks off has its reasons.
                    let _ = attend(stream, &tls, &shared).await;
                }));
            }
            Err(_) => tokio::time::sleep(ACCEPT_AGAIN).await,
        }
    }
}

/// One request and its answer.
async fn attend(stream: TcpStream, tls: &TlsAcceptor, shared: &Shared) -> io::Result<()> {
    let mut stream = tls.accept(stream).await?;
    let mut octets = Vec::new();
    while !is_whole(&octets) {
        if octets.len() > MOST || stream.read_buf(&mut octets).await? == 0 {
            return Ok(());
        }
    }
    let request = String::from_utf8_lossy(&octets).into_owned();
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    let page = shared.pages.lock().get(&path).cloned();
    let known = field(&request, "if-none-match").map(str::to_owned);
    shared.asked.lock().push(request);
    let answer = match page {
        Some(Page::Silence) => return std::future::pending().await,
        Some(Page::Raw(octets)) => octets,
        Some(Page::Answer {
            status,
            fields,
            content,
        }) => {
            let etag = fields.iter().find(|(name, _)| *name == "ETag");
            if known.is_some() && etag.map(|(_, value)| value) == known.as_ref() {
                written(304, &fields, &[])
            } else {
                written(status, &fields, &content)
            }
        }
        None => written(404, &[], b"not here"),
    };
    stream.write_all(&answer).await?;
    stream.shutdown().await
}

/// Whether the request has its head, and as much content as that says.
fn is_whole(octets: &[u8]) -> bool {
    let Some(end) = octets.windows(4).position(|four| four == b"\r\n\r\n") else {
        return false;
    };
    let head = String::from_utf8_lossy(octets.get(..end).unwrap_or_default());
    let length = field(&head, "content-length").and_then(|length| length.parse().ok());
    octets.len() >= end + 4 + length.unwrap_or(0)
}

fn field<'a>(head: &'a str, wanted: &str) -> Option<&'a str> {
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    fields
        .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
        .map(|(_, value)| value.trim())
}

fn written(status: u16, fields: &[(&'static str, String)], content: &[u8]) -> Vec<u8> {
    let mut answer = format!("HTTP/1.1 {status} Said\r\nConnection: close\r\n");
    // Writing to a string does not fail.
    if status != 304 {
        let _ = write!(answer, "Content-Length: {}\r\n", content.len());
    }
    for (name, value) in fields {
        let _ = write!(answer, "{name}: {value}\r\n");
    }
    answer.push_str("\r\n");
    let mut answer = answer.into_bytes();
    answer.extend_from_slice(content);
    answer
}
