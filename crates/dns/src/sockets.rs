//! Counted sockets: each holds a permit as long as it is open.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hickory_net::runtime::iocompat::AsyncIoTokioAsStd;
use hickory_net::runtime::{DnsUdpSocket, RuntimeProvider, TokioHandle, TokioRuntimeProvider, TokioTime};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Opens sockets for the library, and waits for a permit before opening each.
#[derive(Clone)]
pub(crate) struct Counted {
    permits: Arc<Semaphore>,
    tokio: TokioRuntimeProvider,
}

/// An open socket.
pub(crate) struct Held<S> {
    socket: S,
    _permit: OwnedSemaphorePermit,
}

type Opening<S> = Pin<Box<dyn Send + Future<Output = Result<S, io::Error>>>>;

impl Counted {
    pub(crate) fn new(permits: Arc<Semaphore>, tokio: TokioRuntimeProvider) -> Self {
        Self { permits, tokio }
    }

    async fn permit(permits: Arc<Semaphore>) -> io::Result<OwnedSemaphorePermit> {
        // This fails only if the semaphore were closed, which never happens.
        permits.acquire_owned().await.map_err(io::Error::other)
    }
}

impl RuntimeProvider for Counted {
    type Handle = TokioHandle;
    type Timer = TokioTime;
    type Udp = Held<UdpSocket>;
    type Tcp = AsyncIoTokioAsStd<Held<TcpStream>>;

    fn create_handle(&self) -> TokioHandle {
        self.tokio.create_handle()
    }

    fn connect_tcp(
        &self,
        server: SocketAddr,
        local: Option<SocketAddr>,
        limit: Option<Duration>,
    ) -> Opening<Self::Tcp> {
        let (permits, tokio) = (Arc::clone(&self.permits), self.tokio.clone());
        Box::pin(async move {
            let permit = Self::permit(permits).await?;
            let stream = tokio.connect_tcp(server, local, limit).await?;
            Ok(AsyncIoTokioAsStd(Held {
                socket: stream.0,
                _permit: permit,
            }))
        })
    }

    fn bind_udp(&self, local: SocketAddr, server: SocketAddr) -> Opening<Self::Udp> {
        let (permits, tokio) = (Arc::clone(&self.permits), self.tokio.clone());
        Box::pin(async move {
            let permit = Self::permit(permits).await?;
            Ok(Held {
                socket: tokio.bind_udp(local, server).await?,
                _permit: permit,
            })
        })
    }
}

impl DnsUdpSocket for Held<UdpSocket> {
    type Time = TokioTime;

    fn poll_recv_from(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        DnsUdpSocket::poll_recv_from(&self.socket, cx, buf)
    }

    fn poll_send_to(&self, cx: &mut Context<'_>, buf: &[u8], target: SocketAddr) -> Poll<io::Result<usize>> {
        DnsUdpSocket::poll_send_to(&self.socket, cx, buf, target)
    }
}

impl AsyncRead for Held<TcpStream> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_read(cx, buf)
    }
}

impl AsyncWrite for Held<TcpStream> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().socket).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}
