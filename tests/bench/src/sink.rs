//! The receiving server of all destinations: SMTP with STARTTLS, which takes every message, checks that it is whole and the
//! one that its envelope says, and forgets it.
//!
//! TLS is as rustls does it by default, session tickets included. In clear nothing is taken.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::thread;

use danerelay_tests::certificates::Certificates;
use parking_lot::Mutex;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime;
use tokio_rustls::TlsAcceptor;

use crate::arrivals::Arrivals;
use crate::letter::{number_of_content, number_of_recipient};
use crate::wire::Wire;

const EXTENSIONS: &[u8] = b"250-sink.test\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n250-8BITMIME\r\n";

/// The running server. It ends with the program.
pub(crate) struct Sink {
    current: Arc<Mutex<Arc<Arrivals>>>,
}

impl Sink {
    /// Listens on port 25 of every address, on a thread of its own.
    pub(crate) fn start(certificates: &Certificates) -> io::Result<Self> {
        let acceptor = TlsAcceptor::from(Arc::new(tls(certificates)?));
        let current = Arc::new(Mutex::new(Arc::new(Arrivals::expect(0, true))));
        let sink = Self {
            current: Arc::clone(&current),
        };
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::UNSPECIFIED, 25)))?;
        thread::Builder::new().name("sink".to_owned()).spawn(move || {
            runtime.block_on(async move {
                loop {
                    // A connection that ended before it was taken.
                    let Ok((stream, _)) = listener.accept().await else {
                        continue;
                    };
                    let arrivals = Arc::clone(&current.lock());
                    let acceptor = acceptor.clone();
                    // A relay is killed in the end, in the middle of anything: what is missing is missing in the arrivals.
                    tokio::spawn(async move { session(stream, acceptor, &arrivals).await.ok() });
                }
            });
        })?;
        Ok(sink)
    }

    /// Enters what later connections bring into these arrivals.
    pub(crate) fn enter_into(&self, arrivals: &Arc<Arrivals>) {
        *self.current.lock() = Arc::clone(arrivals);
    }
}

fn tls(certificates: &Certificates) -> io::Result<ServerConfig> {
    let pem = certificates.key_and_chain.as_bytes();
    // DANE-EE needs no issuer.
    let own = CertificateDer::pem_slice_iter(pem).take(1);
    let own = own.collect::<Result<Vec<_>, _>>().map_err(io::Error::other)?;
    let key = PrivateKeyDer::from_pem_slice(pem).map_err(io::Error::other)?;
    ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(own, key)
        .map_err(io::Error::other)
}

async fn session(stream: TcpStream, acceptor: TlsAcceptor, arrivals: &Arrivals) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut wire = Wire::new(stream);
    if !arrivals.greets() {
        // Until the client gives up.
        return wire.line().await.map(drop);
    }
    wire.say(b"220 sink.test ESMTP\r\n");
    loop {
        let line = wire.line().await?;
        match verb(&line) {
            b"EHLO" => {
                wire.say(EXTENSIONS);
                wire.say(b"250 STARTTLS\r\n");
            }
            b"STAR" => break,
            b"QUIT" => return quit(wire).await,
            _ => wire.say(b"530 5.7.0 Must issue a STARTTLS command first\r\n"),
        }
    }
    wire.say(b"220 2.0.0 Ready\r\n");
    wire.flush().await?;
    let stream = acceptor.accept(wire.into_stream()).await?;
    arrivals.tls_session();
    dialogue(Wire::new(stream), arrivals).await
}

async fn dialogue(
    mut wire: Wire<impl AsyncRead + AsyncWrite + Unpin>,
    arrivals: &Arrivals,
) -> io::Result<()> {
    let mut recipient = None;
    loop {
        let line = wire.line().await?;
        match verb(&line) {
            b"EHLO" => {
                wire.say(EXTENSIONS);
                wire.say(b"250 ENHANCEDSTATUSCODES\r\n");
            }
            b"MAIL" | b"RSET" | b"NOOP" => {
                recipient = None;
                wire.say(b"250 2.0.0 Ok\r\n");
            }
            b"RCPT" => {
                recipient = number_of_recipient(&line);
                wire.say(b"250 2.1.5 Ok\r\n");
            }
            b"DATA" => {
                wire.say(b"354 Go ahead\r\n");
                let content = wire.content().await?;
                let content = content.strip_suffix(b"\r\n.\r\n").unwrap_or_default();
                arrivals.message(recipient.take(), number_of_content(content));
                wire.say(b"250 2.0.0 Taken\r\n");
            }
            b"QUIT" => return quit(wire).await,
            _ => wire.say(b"500 5.5.1 Unknown command\r\n"),
        }
    }
}

/// The first four letters say what it is; senders write them large.
fn verb(line: &[u8]) -> &[u8] {
    line.get(..4).unwrap_or_default()
}

async fn quit(mut wire: Wire<impl AsyncRead + AsyncWrite + Unpin>) -> io::Result<()> {
    wire.say(b"221 2.0.0 Bye\r\n");
    wire.flush().await
}
