//! A mail gateway's part: handing a message to the relay.

use std::net::SocketAddr;

use bytes::BytesMut;
use smtp::{DotStuffer, ReplyParser};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::error::DemoError;
use super::scenes::Scene;

/// The message of a scene, lines ending in CRLF.
pub(super) fn message(scene: &Scene) -> Vec<u8> {
    let text = format!(
        "From: Demo <sender@origin.demo>\r\nTo: {}\r\nSubject: {}\r\n\r\n{}\r\n.\r\nA line that began with a dot is above.\r\n",
        scene.recipient(),
        scene.title,
        scene.explanation,
    );
    text.replace("\r\n", "\n").replace('\n', "\r\n").into_bytes()
}

/// Sends `message` to `recipient` through the relay; the relay has it on disk when this returns.
pub(super) async fn send(relay: SocketAddr, recipient: &str, message: &[u8]) -> Result<(), DemoError> {
    let mut session = Session {
        stream: TcpStream::connect(relay).await.map_err(DemoError::System)?,
        input: BytesMut::new(),
        replies: ReplyParser::new(),
    };
    session.expect(220).await?;
    for (command, code) in [
        ("EHLO gateway.origin.demo\r\n".to_owned(), 250),
        ("MAIL FROM:<sender@origin.demo>\r\n".to_owned(), 250),
        (format!("RCPT TO:<{recipient}>\r\n"), 250),
        ("DATA\r\n".to_owned(), 354),
    ] {
        session.say(command.as_bytes()).await?;
        session.expect(code).await?;
    }
    let mut content = BytesMut::new();
    let mut stuffer = DotStuffer::new();
    let wrong = |_| DemoError::Refused("the message has a lone CR or LF".to_owned());
    stuffer.push(message, &mut content).map_err(wrong)?;
    stuffer.finish(&mut content).map_err(wrong)?;
    session.say(&content).await?;
    session.expect(250).await?;
    session.say(b"QUIT\r\n").await?;
    session.expect(221).await
}

struct Session {
    stream: TcpStream,
    input: BytesMut,
    replies: ReplyParser,
}

impl Session {
    async fn say(&mut self, octets: &[u8]) -> Result<(), DemoError> {
        self.stream.write_all(octets).await.map_err(DemoError::System)
    }

    async fn expect(&mut self, code: u16) -> Result<(), DemoError> {
        loop {
            let parsed = self.replies.parse(&mut self.input);
            match parsed.map_err(|error| DemoError::Refused(error.to_string()))? {
                Some(reply) if reply.code.get() == code => return Ok(()),
                Some(reply) => return Err(DemoError::Refused(reply.to_log())),
                None => {}
            }
            let read = self
                .stream
                .read_buf(&mut self.input)
                .await
                .map_err(DemoError::System)?;
            if read == 0 {
                return Err(DemoError::Refused("the connection was closed".to_owned()));
            }
        }
    }
}
