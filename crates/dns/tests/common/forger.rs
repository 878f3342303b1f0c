//! Servers that stand between a resolver and the world, and what they make of its answers.

use std::net::SocketAddr;
use std::sync::Arc;

use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::Record;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// What we ask for at most in a datagram.
const LARGEST_DATAGRAM: usize = 1232;

/// An address that no zone of the world has.
pub const FORGED: &str = "198.51.100.66";

/// Makes an answer negative, with these records for proof.
pub fn negative(message: &mut Message, code: ResponseCode, proof: &[Record]) {
    fail(message, code);
    message.authorities = proof.to_vec();
}

/// Makes an answer a refusal.
pub fn fail(message: &mut Message, code: ResponseCode) {
    message.metadata.response_code = code;
    message.answers.clear();
    message.authorities.clear();
}

/// Gives out records of another name for the one asked about.
pub fn replay(message: &mut Message, answers: &[Record], proof: &[Record]) {
    message.metadata.response_code = ResponseCode::NoError;
    message.answers = answers.to_vec();
    message.authorities = proof.to_vec();
    let name = message.queries.first().unwrap().name().clone();
    for record in &mut message.answers {
        record.name = name.clone();
    }
}

/// The answer of a server over TCP, where nothing is truncated.
pub async fn over_tcp(server: SocketAddr, octets: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(server).await.unwrap();
    write_framed(&mut stream, octets).await;
    read_framed(&mut stream).await.unwrap()
}

async fn write_framed(stream: &mut TcpStream, octets: &[u8]) {
    let length = u16::try_from(octets.len()).unwrap().to_be_bytes();
    stream.write_all(&[&length, octets].concat()).await.unwrap();
}

async fn read_framed(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut octets = vec![0; stream.read_u16().await.ok()?.into()];
    stream.read_exact(&mut octets).await.ok()?;
    Some(octets)
}

/// A server that passes everything on to another, but for what `forge` changes.
pub async fn forger(
    server: SocketAddr,
    forge: impl Fn(&Query, &mut Message) + Send + Sync + 'static,
) -> SocketAddr {
    let forge = Arc::new(forge);
    let (udp, tcp) = one_port().await;
    let address = udp.local_addr().unwrap();
    let (over_udp, over_connections) = (Arc::clone(&forge), forge);
    tokio::spawn(async move {
        let udp = Arc::new(udp);
        loop {
            let mut buffer = vec![0; 4096];
            let (length, peer) = udp.recv_from(&mut buffer).await.unwrap();
            buffer.truncate(length);
            let (udp, forge) = (Arc::clone(&udp), Arc::clone(&over_udp));
            tokio::spawn(async move {
                let mut octets = forged(server, &buffer, &*forge).await;
                if octets.len() > LARGEST_DATAGRAM {
                    octets = Message::from_vec(&octets).unwrap().truncate().to_vec().unwrap();
                }
                udp.send_to(&octets, peer).await.unwrap();
            });
        }
    });
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = tcp.accept().await.unwrap();
            let forge = Arc::clone(&over_connections);
            tokio::spawn(async move {
                while let Some(octets) = read_framed(&mut stream).await {
                    let octets = forged(server, &octets, &*forge).await;
                    write_framed(&mut stream, &octets).await;
                }
            });
        }
    });
    address
}

async fn forged(
    server: SocketAddr,
    octets: &[u8],
    forge: &(impl Fn(&Query, &mut Message) + Sync),
) -> Vec<u8> {
    let mut message = Message::from_vec(&over_tcp(server, octets).await).unwrap();
    let asked = message.queries.first().unwrap().clone();
    forge(&asked, &mut message);
    message.to_vec().unwrap()
}

async fn one_port() -> (UdpSocket, TcpListener) {
    loop {
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
            return (udp, tcp);
        }
    }
}

/// A server that hears and never answers; it lives as long as the socket.
pub async fn dead_server() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}
