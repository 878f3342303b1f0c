//! One connection from the greeting to its end: the commands and what they lead to.

use std::io;
use std::sync::Arc;

use data_encoding::BASE64;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::behaviour::{Behaviour, TlsBegins};
use super::fault::{MailFault, Stage};
use super::record::{Received, Recorder, TlsSeen};
use super::wire::{Next, Wire, handshake};

/// The most content accepted, in octets, and the SIZE that is announced.
const MAX_CONTENT: usize = 52_428_800;

/// Serves one connection to its end. How it ended is in the record; a broken connection is not an error.
pub(super) async fn run(stream: TcpStream, record: Recorder) {
    let _ = serve(stream, record).await;
}

async fn serve(mut stream: TcpStream, record: Recorder) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let behaviour = record.behaviour();
    let tls = behaviour.tls_config().map_err(io::Error::other)?;
    if behaviour.tls == TlsBegins::WhenAsked {
        let mut dialogue = Dialogue::over(Wire::new(&mut stream, &behaviour, &record));
        if !dialogue.greet().await? || dialogue.converse(tls.is_some()).await? == Next::Close {
            return Ok(());
        }
    }
    // Whatever the client sent ahead of the handshake was dropped with the buffer.
    match tls {
        Some(config) => serve_over_tls(stream, config, &behaviour, record).await,
        None => Ok(()),
    }
}

async fn serve_over_tls(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    behaviour: &Behaviour,
    mut record: Recorder,
) -> io::Result<()> {
    let Some(stream) = handshake(stream, config, behaviour).await? else {
        return Ok(());
    };
    let (_, session) = stream.get_ref();
    let parameters = format!(
        "{:?} {:?}",
        session
            .protocol_version()
            .unwrap_or(rustls::ProtocolVersion::Unknown(0)),
        session
            .negotiated_cipher_suite()
            .map_or(rustls::CipherSuite::Unknown(0), |suite| suite.suite()),
    );
    record.tls_is_up(TlsSeen {
        parameters,
        sni: session.server_name().map(str::to_owned),
    });
    let mut dialogue = Dialogue::over(Wire::new(stream, behaviour, &record));
    if behaviour.tls == TlsBegins::AtOnce && !dialogue.greet().await? {
        return Ok(());
    }
    dialogue.converse(false).await?;
    dialogue.wire.shut_down().await
}

#[derive(Default)]
struct Transaction {
    from: Option<(String, String)>,
    recipients: Vec<String>,
    /// What has come in chunks.
    chunks: Vec<u8>,
}

/// The dialogue over one stream, in clear or inside TLS.
struct Dialogue<'a, S> {
    wire: Wire<'a, S>,
    transaction: Transaction,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Dialogue<'a, S> {
    fn over(wire: Wire<'a, S>) -> Self {
        Self {
            wire,
            transaction: Transaction::default(),
        }
    }

    /// Greets; false if that ended the connection.
    async fn greet(&mut self) -> io::Result<bool> {
        let greeting = format!("220 {} ESMTP", self.wire.behaviour.hostname);
        match self.wire.say(&Stage::Greeting, &greeting).await? {
            Next::Accepted | Next::Handshake => Ok(true),
            Next::Refused => self.turn_away().await.map(|()| false),
            Next::Close => Ok(false),
        }
    }

    /// Answers commands until the connection ends or TLS begins.
    async fn converse(&mut self, can_start_tls: bool) -> io::Result<Next> {
        loop {
            if self.wire.has(&MailFault::CloseAfter(self.wire.taken)) {
                return Ok(Next::Close);
            }
            let Some(line) = self.wire.line().await? else {
                return Ok(Next::Close);
            };
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            self.wire.record.command(&line);
            let (verb, argument) = line.split_once(' ').unwrap_or((line.as_str(), ""));
            let next = match verb.to_ascii_uppercase().as_str() {
                "EHLO" => self.ehlo(can_start_tls).await?,
                "HELO" => {
                    self.wire
                        .say(
                            self.wire.ehlo_stage(),
                            &format!("250 {}", self.wire.behaviour.hostname),
                        )
                        .await?
                }
                "STARTTLS" => self.start_tls(can_start_tls).await?,
                "AUTH" => self.auth(argument).await?,
                "MAIL" => self.mail(argument).await?,
                "RCPT" => self.rcpt(argument).await?,
                "DATA" => self.data().await?,
                "BDAT" if self.offers("CHUNKING") => self.bdat(argument).await?,
                "RSET" => {
                    self.transaction = Transaction::default();
                    self.wire.say(&Stage::Rset, "250 2.0.0 Reset").await?
                }
                "NOOP" => self.wire.say(&Stage::Noop, "250 2.0.0 Yes").await?,
                "QUIT" => {
                    self.wire.say(&Stage::Quit, "221 2.0.0 Bye").await?;
                    Next::Close
                }
                _ => self.wire.write("500 5.5.1 Unknown command").await?,
            };
            match next {
                Next::Accepted | Next::Refused => {}
                Next::Handshake | Next::Close => return Ok(next),
            }
        }
    }

    /// After a negative greeting everything but QUIT gets 503 (RFC 5321 §3.1, RFC 7504 §4).
    async fn turn_away(&mut self) -> io::Result<()> {
        while let Some(line) = self.wire.line().await? {
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            self.wire.record.command(&line);
            if line.eq_ignore_ascii_case("QUIT") {
                self.wire.write("221 2.0.0 Bye").await?;
                return Ok(());
            }
            self.wire.write("503 5.5.1 No service here").await?;
        }
        Ok(())
    }

    async fn ehlo(&mut self, can_start_tls: bool) -> io::Result<Next> {
        self.transaction = Transaction::default();
        let size = format!("SIZE {MAX_CONTENT}");
        let mut keywords = vec![self.wire.behaviour.hostname.as_str()];
        if !self.wire.has(&MailFault::NoPipelining) {
            keywords.push("PIPELINING");
        }
        keywords.extend([size.as_str(), "8BITMIME", "ENHANCEDSTATUSCODES"]);
        if can_start_tls && !self.wire.has(&MailFault::NoStartTls) {
            keywords.push("STARTTLS");
        }
        keywords.extend(self.wire.behaviour.extensions.iter().map(String::as_str));
        let last = keywords.pop().unwrap_or_default();
        let mut reply: String = keywords
            .iter()
            .flat_map(|keyword| ["250-", keyword, "\r\n"])
            .collect();
        reply.push_str("250 ");
        reply.push_str(last);
        self.wire.say(self.wire.ehlo_stage(), &reply).await
    }

    async fn start_tls(&mut self, possible: bool) -> io::Result<Next> {
        if !possible || self.wire.has(&MailFault::NoStartTls) {
            return self.wire.say(&Stage::StartTls, "502 5.5.1 Not offered").await;
        }
        let injected = self.wire.behaviour.faults.iter().find_map(|fault| {
            if let MailFault::InjectAfterStartTls(text) = fault {
                Some(text.as_str())
            } else {
                None
            }
        });
        let ready = "220 2.0.0 Ready to start TLS";
        let reply = injected.map_or_else(
            || ready.to_owned(),
            |text| format!("{ready}\r\n{}", text.trim_end()),
        );
        Ok(match self.wire.say(&Stage::StartTls, &reply).await? {
            Next::Accepted => Next::Handshake,
            other @ (Next::Refused | Next::Handshake | Next::Close) => other,
        })
    }

    /// AUTH PLAIN and LOGIN (RFC 4954), for the one user.
    async fn auth(&mut self, argument: &str) -> io::Result<Next> {
        let Some((user, password)) = &self.wire.behaviour.user else {
            return self.wire.write("502 5.5.1 Not offered").await;
        };
        let (mechanism, initial) = argument.split_once(' ').unwrap_or((argument, ""));
        let (questions, expected) = match mechanism {
            "PLAIN" => (vec![""], vec![format!("\0{user}\0{password}")]),
            "LOGIN" => (
                vec!["VXNlcm5hbWU6", "UGFzc3dvcmQ6"],
                vec![user.clone(), password.clone()],
            ),
            _ => return self.wire.write("504 5.5.4 Unknown mechanism").await,
        };
        let mut given: Vec<String> = Some(initial.to_owned())
            .filter(|one| !one.is_empty())
            .into_iter()
            .collect();
        for question in questions.into_iter().skip(given.len()) {
            match self.wire.say(&Stage::Auth, &format!("334 {question}")).await? {
                Next::Accepted => {}
                other @ (Next::Refused | Next::Handshake | Next::Close) => return Ok(other),
            }
            let Some(line) = self.wire.line().await? else {
                return Ok(Next::Close);
            };
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            self.wire.record.command(&line);
            if line == "*" {
                return self.wire.write("501 5.7.0 Cancelled").await;
            }
            given.push(line);
        }
        let expected = expected.iter().map(|one| BASE64.encode(one.as_bytes()));
        let verdict = if expected.eq(given) {
            "235 2.7.0 Welcome"
        } else {
            "535 5.7.8 Wrong"
        };
        self.wire.say(&Stage::Auth, verdict).await
    }

    async fn mail(&mut self, argument: &str) -> io::Result<Next> {
        let next = self.wire.say(&Stage::Mail, "250 2.1.0 Sender fine").await?;
        if next == Next::Accepted {
            let from = path_and_parameters(argument);
            self.transaction = Transaction {
                from: Some(from),
                ..Transaction::default()
            };
        }
        Ok(next)
    }

    async fn rcpt(&mut self, argument: &str) -> io::Result<Next> {
        if self.transaction.from.is_none() {
            return self.wire.write("503 5.5.1 MAIL first").await;
        }
        for fault in &self.wire.behaviour.faults {
            if let MailFault::TooManyRecipients(most, reply) = fault
                && self.transaction.recipients.len() >= *most
            {
                return self.wire.write(reply).await;
            }
        }
        let (recipient, _) = path_and_parameters(argument);
        let next = self
            .wire
            .say(&Stage::RcptFor(recipient.clone()), "250 2.1.5 Recipient fine")
            .await?;
        if next == Next::Accepted {
            self.transaction.recipients.push(recipient);
        }
        Ok(next)
    }

    async fn data(&mut self) -> io::Result<Next> {
        if self.transaction.recipients.is_empty() {
            return self.wire.write("554 5.5.1 No valid recipients").await;
        }
        match self.wire.say(&Stage::Data, "354 Go ahead").await? {
            Next::Accepted => {}
            other @ (Next::Refused | Next::Handshake | Next::Close) => return Ok(other),
        }
        let Some(content) = self.content().await? else {
            return Ok(Next::Close);
        };
        self.take(content).await
    }

    /// One chunk (RFC 3030 §2). Only the last one's reply can be changed by a fault.
    async fn bdat(&mut self, argument: &str) -> io::Result<Next> {
        let mut words = argument.split_ascii_whitespace();
        let size = words.next().and_then(|size| size.parse().ok());
        let size = size.filter(|size| *size <= MAX_CONTENT - self.transaction.chunks.len());
        let Some(size) = size else {
            return Ok(Next::Close);
        };
        let Some(octets) = self.wire.octets(size).await? else {
            return Ok(Next::Close);
        };
        self.transaction.chunks.extend(octets);
        if self.transaction.recipients.is_empty() {
            return self.wire.write("503 5.5.1 No valid recipients").await;
        }
        match words.next() {
            Some(last) if last.eq_ignore_ascii_case("LAST") => {
                let content = std::mem::take(&mut self.transaction.chunks);
                self.take(content).await
            }
            Some(_) => self.wire.write("501 5.5.4 No such end marker").await,
            None => self.wire.write("250 2.0.0 Continue").await,
        }
    }

    fn offers(&self, keyword: &str) -> bool {
        self.wire.behaviour.extensions.iter().any(|one| one == keyword)
    }

    /// The verdict on a whole message.
    async fn take(&mut self, content: Vec<u8>) -> io::Result<Next> {
        self.wire.pause(&Stage::Content).await;
        let plan = self.wire.plan(&Stage::Content, "250 2.0.0 Taken");
        let Transaction { from, recipients, .. } = std::mem::take(&mut self.transaction);
        // Stored before replying, so that whoever reads the 250 finds the message.
        if plan.accepts() {
            let (envelope_from, mail_parameters) = from.unwrap_or_default();
            let tls = self.wire.record.tls.as_ref();
            self.wire.record.message(Received {
                envelope_from,
                mail_parameters,
                recipients,
                content,
                tls: tls.map(|tls| tls.parameters.clone()),
                sni: tls.and_then(|tls| tls.sni.clone()),
            });
        }
        let next = self.wire.perform(plan).await;
        self.wire.taken += 1;
        next
    }

    /// Content up to the final dot, dot-stuffing undone (RFC 5321 §4.5.2); none if the connection ends before.
    async fn content(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut content = Vec::new();
        loop {
            let Some(line) = self.wire.line().await? else {
                return Ok(None);
            };
            if line == b".\r\n" {
                return Ok(Some(content));
            }
            if self.wire.has(&MailFault::CloseInContent) {
                return Ok(None);
            }
            content.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
            if content.len() > MAX_CONTENT {
                return Ok(None);
            }
        }
    }
}

/// `FROM:<a@b> SIZE=1` as path and parameters.
fn path_and_parameters(argument: &str) -> (String, String) {
    let after_colon = argument.split_once(':').map_or(argument, |(_, rest)| rest).trim();
    let (path, parameters) = after_colon.split_once('>').unwrap_or((after_colon, ""));
    (
        path.trim_start_matches('<').to_owned(),
        parameters.trim().to_owned(),
    )
}
