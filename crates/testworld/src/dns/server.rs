//! The sockets: one name server for all zones, over UDP, TCP and TLS.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::shared::{Shared, Transport};

/// A TCP client that sends nothing for this long is disconnected.
const IDLE: Duration = Duration::from_secs(30);

/// One port, free for UDP and TCP alike.
pub(crate) async fn bind(ip: IpAddr) -> std::io::Result<(UdpSocket, TcpListener, SocketAddr)> {
    let mut attempts_left = 50_u8;
    loop {
        let udp = UdpSocket::bind((ip, 0)).await?;
        let address = udp.local_addr()?;
        match TcpListener::bind(address).await {
            Ok(tcp) => return Ok((udp, tcp, address)),
            Err(error) if attempts_left == 0 => return Err(error),
            Err(_) => attempts_left -= 1,
        }
    }
}

pub(crate) async fn serve_udp(shared: Arc<Shared>, socket: UdpSocket) {
    let socket = Arc::new(socket);
    let mut answers = JoinSet::new();
    let mut buffer = vec![0; usize::from(u16::MAX)];
    loop {
        while answers.try_join_next().is_some() {}
        // An ICMP error from an earlier answer must not end the server.
        let Ok((length, peer)) = socket.recv_from(&mut buffer).await else {
            continue;
        };
        let Some(reply) = shared.reply(buffer.get(..length).unwrap_or_default(), Transport::Udp) else {
            continue;
        };
        let socket = Arc::clone(&socket);
        let answer = async move {
            reply.wait().await;
            // A client that has gone needs no answer.
            let _ = socket.send_to(&reply.octets, peer).await;
        };
        answers.spawn(answer);
    }
}

pub(crate) async fn serve_tcp(shared: Arc<Shared>, listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                drop(connections.spawn(serve_connection(Arc::clone(&shared), stream, Transport::Tcp)));
            }
            Err(_) => tokio::time::sleep(crate::ACCEPT_AGAIN).await,
        }
    }
}

/// Framed as over TCP, after a handshake (RFC 7858 §3.3).
pub(crate) async fn serve_tls(
    shared: Arc<Shared>,
    listener: TcpListener,
    acceptor: TlsAcceptor,
    hang_up: Arc<Notify>,
) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = hang_up.notified() => {
                connections.abort_all();
                continue;
            }
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(crate::ACCEPT_AGAIN).await;
            continue;
        };
        let (shared, acceptor) = (Arc::clone(&shared), acceptor.clone());
        connections.spawn(async move {
            let stream = acceptor.accept(stream).await?;
            shared.count_handshake();
            serve_connection(shared, stream, Transport::Tls).await
        });
    }
}

async fn serve_connection(
    shared: Arc<Shared>,
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    transport: Transport,
) -> std::io::Result<()> {
    loop {
        let Ok(length) = tokio::time::timeout(IDLE, stream.read_u16()).await else {
            return Ok(());
        };
        let mut query = vec![0; usize::from(length?)];
        stream.read_exact(&mut query).await?;
        let Some(reply) = shared.reply(&query, transport) else {
            continue;
        };
        reply.wait().await;
        let length = u16::try_from(reply.octets.len()).unwrap_or(u16::MAX);
        stream
            .write_all(&[&length.to_be_bytes(), reply.octets.as_slice()].concat())
            .await?;
    }
}
