//! A server that answers each question with as much as fits.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

/// What one message can hold.
const MESSAGE: usize = 65_535;
const A: u16 = 1;
const SOA: u16 = 6;
const MX: u16 = 15;
const AAAA: u16 = 28;
const TLSA: u16 = 52;

/// A resolver that says of everything that it is secure. Over UDP it has an answer for the root only, and sends everybody else to
/// TCP; there it gives as many different records as one message holds, of `tlsa` TLSA records each as long as `octets` for all of them
/// allow.
pub async fn hostile(tlsa: usize, octets: usize) -> SocketAddr {
    let (udp, tcp) = sockets().await;
    let address = udp.local_addr().unwrap();
    tokio::spawn(async move {
        let mut query = [0; 512];
        while let Ok((length, from)) = udp.recv_from(&mut query).await {
            let question = Question::read(&query[..length]);
            let answer = match question.record_type {
                SOA => question.answer(&[root_soa()]),
                _ => question.truncated(),
            };
            let _ = udp.send_to(&answer, from).await;
        }
    });
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = tcp.accept().await {
            tokio::spawn(async move {
                let length = stream.read_u16().await.unwrap();
                let mut query = vec![0; usize::from(length)];
                stream.read_exact(&mut query).await.unwrap();
                let question = Question::read(&query);
                let answer = question.answer(&question.plenty(tlsa, octets));
                let _ = stream.write_u16(u16::try_from(answer.len()).unwrap()).await;
                let _ = stream.write_all(&answer).await;
            });
        }
    });
    address
}

/// Both at one port, which others may take from us in between.
async fn sockets() -> (UdpSocket, TcpListener) {
    for _ in 0..100 {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()).await {
            return (udp, tcp);
        }
    }
    panic!("no port is free for both UDP and TCP");
}

/// A resolver that says of the root that it is secure, and nothing about anything else.
pub async fn silent() -> SocketAddr {
    let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = udp.local_addr().unwrap();
    tokio::spawn(async move {
        let mut query = [0; 512];
        while let Ok((length, from)) = udp.recv_from(&mut query).await {
            let question = Question::read(&query[..length]);
            if question.record_type == SOA {
                let _ = udp.send_to(&question.answer(&[root_soa()]), from).await;
            }
        }
    });
    address
}

fn root_soa() -> Vec<u8> {
    [&[0, 0][..], &1_u32.to_be_bytes().repeat(5)].concat()
}

/// The question of a query.
struct Question<'a> {
    id: &'a [u8],
    /// Name, type and class as they came.
    octets: &'a [u8],
    record_type: u16,
}

impl<'a> Question<'a> {
    fn read(query: &'a [u8]) -> Self {
        let mut end = 12;
        while query[end] != 0 {
            end += usize::from(query[end]) + 1;
        }
        Self {
            id: &query[..2],
            octets: &query[12..end + 5],
            record_type: u16::from_be_bytes([query[end + 1], query[end + 2]]),
        }
    }

    /// QR, RD, RA and AD, and one question.
    fn header(&self, flags: u8, answers: usize) -> Vec<u8> {
        let mut message = self.id.to_vec();
        message.extend([0x81 | flags, 0xa0, 0, 1]);
        message.extend(u16::try_from(answers).unwrap().to_be_bytes());
        message.extend([0; 4]);
        message.extend(self.octets);
        message
    }

    fn truncated(&self) -> Vec<u8> {
        self.header(0x02, 0)
    }

    fn answer(&self, records: &[Vec<u8>]) -> Vec<u8> {
        let mut message = self.header(0, records.len());
        for data in records {
            message.extend([0xc0, 12]);
            message.extend(self.record_type.to_be_bytes());
            message.extend([0, 1]);
            message.extend(3600_u32.to_be_bytes());
            message.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
            message.extend(data);
        }
        assert!(message.len() <= MESSAGE);
        message
    }

    fn plenty(&self, tlsa: usize, octets: usize) -> Vec<Vec<u8>> {
        let most = MESSAGE - 12 - self.octets.len();
        let room = match self.record_type {
            TLSA => most.min(octets),
            _ => most,
        };
        let length = match self.record_type {
            A => 4,
            AAAA => 16,
            MX => 10,
            TLSA => room / tlsa - 12,
            _ => return Vec::new(),
        };
        let count = room / (length + 12);
        let record = |number: usize| {
            let number = u32::try_from(number).unwrap();
            match self.record_type {
                // Equal preferences, names of five digits below the one asked for.
                MX => [&[0, 10, 5][..], format!("{number:05}").as_bytes(), &[0xc0, 12]].concat(),
                TLSA => [&[3, 1, 0][..], &number.to_be_bytes(), &vec![7; length - 7]].concat(),
                // Addresses that are not ignored: 10.0.0.0/8 and 0a00::/8.
                _ => {
                    let mut data = (0x0a00_0000 + number).to_be_bytes().to_vec();
                    data.resize(length, 0);
                    data
                }
            }
        };
        (0..count).map(record).collect()
    }
}
