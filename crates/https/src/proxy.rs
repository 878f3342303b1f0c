//! The way through a proxy: a tunnel made by CONNECT (RFC 9110 §9.3.6).

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use hyper::Uri;
use hyper::http::uri::Scheme;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::failure::Failure;

/// The most octets of a proxy's answer.
const ANSWER: usize = 16 << 10;

/// A proxy that makes tunnels, `http://NAME:PORT`.
///
/// It is told the names of servers, because the rules of proxies are written for names, and looks them up itself. Where a
/// stranger has chosen the server and its certificate is not verified, it is told the addresses that were looked up and judged
/// here: what a name is to the proxy may be something else. Servers of MTA-STS policies must have a certificate for their name
/// before they are asked anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    host: String,
    port: u16,
}

/// Why a text is no address of a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// It has another form.
    #[error("this is no address of a proxy")]
    Form,
    /// It has another scheme. A tunnel is secured from end to end, whatever the proxy speaks.
    #[error("only http:// is spoken with a proxy; the servers behind it are verified all the same")]
    NotHttp,
    /// It has a user name.
    #[error("it has a user name or a password in it, which no proxy is told")]
    Login,
    /// There is no port.
    #[error("it has no port, and proxies have different ones")]
    Port,
    /// It has a path.
    #[error("a proxy has no path")]
    Path,
}

impl Proxy {
    /// The name or address, an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A tunnel to this server, by its name or its address. What is written into it reaches the server as it is.
    ///
    /// The proxy itself is found as any host of the own network is, by the system's resolver and its hosts file; a look-up
    /// there goes on by itself when the caller has given up.
    pub(crate) async fn tunnel(&self, host: &str, port: u16) -> Result<TcpStream, Failure> {
        let unreachable = |cause| Failure::Proxy {
            proxy: self.to_string(),
            cause,
        };
        let connecting = TcpStream::connect((self.host.as_str(), self.port)).await;
        let mut stream = connecting.map_err(unreachable)?;
        let server = authority(host, port);
        let request = format!("CONNECT {server} HTTP/1.1\r\nHost: {server}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.map_err(unreachable)?;
        match read_status(&mut stream).await.map_err(unreachable)? {
            Some(200..=299) => Ok(stream),
            Some(status) => Err(Failure::ProxyStatus {
                proxy: self.to_string(),
                status,
            }),
            None => Err(unreachable(io::Error::new(
                io::ErrorKind::InvalidData,
                "what it answers is not HTTP",
            ))),
        }
    }
}

/// The status of the answer, whose head is read to its end and no further: the server speaks only when it is spoken to, so
/// that nothing may follow. `None` if it is not HTTP.
async fn read_status(stream: &mut TcpStream) -> io::Result<Option<u16>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= ANSWER {
            return Ok(None);
        }
        head.push(stream.read_u8().await?);
    }
    let status = std::str::from_utf8(&head).ok().and_then(|head| {
        let line = head.strip_prefix("HTTP/1.")?.lines().next()?;
        let status = line.split(' ').nth(1)?;
        status.parse().ok().filter(|status| (100..600).contains(status))
    });
    Ok(status)
}

/// Host and port as a request names them (RFC 3986 §3.2).
fn authority(host: &str, port: u16) -> String {
    if host.parse::<Ipv6Addr>().is_ok() {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

impl FromStr for Proxy {
    type Err = ProxyError;

    fn from_str(text: &str) -> Result<Self, ProxyError> {
        let uri: Uri = text.parse().map_err(|_| ProxyError::Form)?;
        match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => {}
            Some(_) => return Err(ProxyError::NotHttp),
            None => return Err(ProxyError::Form),
        }
        let authority = uri.authority().ok_or(ProxyError::Form)?;
        if authority.as_str().contains('@') {
            return Err(ProxyError::Login);
        }
        if uri.path_and_query().is_some_and(|path| path.as_str() != "/") {
            return Err(ProxyError::Path);
        }
        let port = authority.port_u16().filter(|port| *port != 0);
        let host = authority.host();
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let host = match bare {
            Some(six) => six.parse::<Ipv6Addr>().map_err(|_| ProxyError::Form)?.to_string(),
            None if host.is_empty() => return Err(ProxyError::Form),
            None => host.to_owned(),
        };
        Ok(Self {
            host,
            port: port.ok_or(ProxyError::Port)?,
        })
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.parse::<IpAddr>() {
            Ok(address) => write!(f, "http://{}", std::net::SocketAddr::new(address, self.port)),
            Err(_) => write!(f, "http://{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn addresses_of_proxies() {
        for (text, host, port) in [
            ("http://proxy.example:3128", "proxy.example", 3128),
            ("http://192.0.2.1:8080/", "192.0.2.1", 8080),
            ("http://[2001:db8::1]:3128", "2001:db8::1", 3128),
        ] {
            let proxy: Proxy = text.parse().unwrap();
            assert_eq!((proxy.host(), proxy.port()), (host, port), "{text}");
            assert_eq!(proxy.to_string(), text.trim_end_matches('/'));
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for (text, error) in [
            ("", ProxyError::Form),
            ("proxy.example:3128", ProxyError::Form),
            ("https://proxy.example:3128", ProxyError::NotHttp),
            ("socks5://proxy.example:1080", ProxyError::NotHttp),
            ("http://me:secret@proxy.example:3128", ProxyError::Login),
            ("http://proxy.example", ProxyError::Port),
            ("http://proxy.example:0", ProxyError::Port),
            ("http://proxy.example:3128/path", ProxyError::Path),
        ] {
            assert_eq!(text.parse::<Proxy>(), Err(error), "{text}");
        }
    }
}
