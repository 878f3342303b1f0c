//! Addresses of things on the web.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use hyper::Uri;
use hyper::http::uri::Scheme;
use rustls::pki_types::ServerName;

/// Where HTTPS is spoken (RFC 9110 §4.2.2).
const PORT: u16 = 443;

/// An `https://` address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    text: String,
    uri: Uri,
    server: ServerName<'static>,
    port: u16,
}

/// Why a text is not such an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It has another form.
    #[error("this is no web address; allowed: \"https://NAME/PATH\"")]
    Form,
    /// It has another scheme.
    #[error("only HTTPS is spoken; allowed: \"https://NAME/PATH\"")]
    NotHttps,
    /// It has a user name.
    #[error("it has a user name or a password in it; allowed: \"https://NAME/PATH\"")]
    Login,
    /// The host can have no certificate.
    #[error("its host is neither a name in ASCII (A-labels) nor an address")]
    Host,
    /// The port is not a port.
    #[error("its port is none; allowed: 1 to 65535")]
    Port,
}

impl Url {
    /// The host in lower case, an IPv6 address without its brackets.
    pub fn host(&self) -> String {
        self.server.to_str().to_ascii_lowercase()
    }

    /// The host, if it is an address: then there is nothing to look up.
    pub fn address(&self) -> Option<IpAddr> {
        match &self.server {
            ServerName::IpAddress(address) => Some((*address).into()),
            _ => None,
        }
    }

    /// The port, 443 where none is written.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The whole of it as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn server(&self) -> &ServerName<'static> {
        &self.server
    }

    /// The target of the request: path and query (RFC 9112 §3.2.1).
    pub(crate) fn path(&self) -> &str {
        self.uri
            .path_and_query()
            .map_or("/", |path_and_query| path_and_query.as_str())
    }

    /// What the field `Host` says.
    pub(crate) fn authority(&self) -> &str {
        self.uri.authority().map_or("", |authority| authority.as_str())
    }
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let uri: Uri = text.parse().map_err(|_| UrlError::Form)?;
        match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => {}
            Some(_) => return Err(UrlError::NotHttps),
            None => return Err(UrlError::Form),
        }
        let authority = uri.authority().ok_or(UrlError::Form)?;
        if authority.as_str().contains('@') {
            return Err(UrlError::Login);
        }
        let host = authority.host();
        let port = match authority.as_str().get(host.len()..) {
            None | Some("") => PORT,
            Some(port) => read_port(port).ok_or(UrlError::Port)?,
        };
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let server = ServerName::try_from(bare).map_err(|_| UrlError::Host)?;
        Ok(Self {
            text: text.to_owned(),
            server,
            port,
            uri,
        })
    }
}

fn read_port(text: &str) -> Option<u16> {
    let port = text.strip_prefix(':')?.parse().ok()?;
    (port != 0).then_some(port)
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_parts_are_found() {
        let url: Url = "https://lists.example/a/b.dat?c=d".parse().unwrap();
        assert_eq!((url.host().as_str(), url.port()), ("lists.example", 443));
        assert_eq!((url.path(), url.authority()), ("/a/b.dat?c=d", "lists.example"));
        assert_eq!(url.address(), None);
        assert_eq!(
            "https://Lists.Example/".parse::<Url>().unwrap().host(),
            "lists.example"
        );
        let url: Url = "https://[::1]:8443".parse().unwrap();
        assert_eq!((url.host().as_str(), url.port()), ("::1", 8443));
        assert_eq!((url.path(), url.authority()), ("/", "[::1]:8443"));
        assert_eq!(url.address(), Some("::1".parse().unwrap()));
    }

    #[test]
    fn other_texts_are_refused() {
        for (text, error) in [
            ("", UrlError::Form),
            ("lists.example/list", UrlError::Form),
            ("/list", UrlError::Form),
            ("https://", UrlError::Form),
            ("http://lists.example/", UrlError::NotHttps),
            ("https://me:secret@lists.example/", UrlError::Login),
            ("https://lists.example:0/", UrlError::Port),
            ("https://lists.example:70000/", UrlError::Port),
            ("https://under score/", UrlError::Form),
            ("https://-x-/", UrlError::Host),
        ] {
            assert_eq!(text.parse::<Url>(), Err(error), "{text}");
        }
    }
}
