//! Hands a message to the relay, as a mail gateway would.

use std::net::SocketAddr;

use bytes::BytesMut;
use smtp::{DotStuffer, Reply, ReplyParser};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::error::DemoError;

/// The text before the queue id in the reply to a message.
const QUEUED: &str = "queued as ";

/// A message, with lines ending in CRLF.
pub(super) fn message(recipient: &str, subject: &str, text: &str) -> Vec<u8> {
    let text = format!(
        "From: Demo <sender@origin.demo>\r\nTo: {recipient}\r\nSubject: {subject}\r\n\r\n{text}\r\n.\r\nA line that began with a dot is above.\r\n",
    );
    text.replace("\r\n", "\n").replace('\n', "\r\n").into_bytes()
}

/// Sends `message` to `recipient` through the relay; when this returns its queue id, the relay has it on disk.
pub(super) async fn send(relay: SocketAddr, recipient: &str, message: &[u8]) -> Result<String, DemoError> {
    let stream = TcpStream::connect(relay)
        .await
        .map_err(|cause| DemoError::Ended {
            address: relay,
            cause,
        })?;
    let mut session = Session {
        stream,
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
    let reply = session.expect(250).await?.to_log();
    session.say(b"QUIT\r\n").await?;
    session.expect(221).await?;
    match reply.split_once(QUEUED) {
        Some((_, id)) => Ok(id.to_owned()),
        None => Err(DemoError::Refused(reply)),
    }
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

    async fn expect(&mut self, code: u16) -> Result<Reply, DemoError> {
        loop {
            let parsed = self.replies.parse(&mut self.input);
            match parsed.map_err(|error| DemoError::Refused(error.to_string()))? {
                Some(reply) if reply.code.get() == code => return Ok(reply),
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
