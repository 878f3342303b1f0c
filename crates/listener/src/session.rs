//! One connection: commands in, replies out.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use mail::Recipient;
use smtp::{
    ForwardPath, Hello, Line, LineReader, MailFrom, Protocol, RcptTo, Refusal, Request, ServerState,
    Transaction,
};
use spool::{Incoming, Spool, SpoolError};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::config::ListenerConfig;
use crate::refusals::{Refusals, Subject};
use crate::shared::{Shared, stopped};
use crate::{recipients, replies};

/// How much is read at once while commands are expected: what an idle connection keeps in memory.
const COMMAND_READ: usize = 2048;

/// So many refused commands since the last accepted message end a session (RFC 5321 §7.8).
const ERROR_LIMIT: u32 = 100;

/// How long the reply to a message for which the spool has no place is kept back, so that a client that tries again at
/// once does not spin. Only its own session waits.
const REFUSAL_PAUSE: Duration = Duration::from_secs(1);

/// How long the last words of a session may take to leave.
const FAREWELL: Duration = Duration::from_secs(5);

/// A client's session. Generic over its transport, so that TLS is a transport like any other.
pub(crate) struct Session<S, T> {
    pub(crate) shared: Arc<Shared<S>>,
    pub(crate) config: Arc<ListenerConfig>,
    pub(crate) client: IpAddr,
    pub(crate) input: BytesMut,
    pub(crate) state: ServerState,
    pub(crate) errors: u32,
    refusals: Refusals,
    /// The last MAIL was refused for want of room: what is pipelined behind it fails through no fault of its own.
    mail_refused: bool,
    /// What the recipients of the transaction take.
    recipient_octets: usize,
    transport: T,
    output: BytesMut,
    lines: LineReader,
    shutdown: watch::Receiver<bool>,
}

/// Why a session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// QUIT was answered.
    Quit,
    /// The client is gone, or does not take our replies.
    Lost,
    /// The client took too long.
    TimedOut,
    /// Too many refused commands.
    TooManyErrors,
    /// We are stopping.
    Shutdown,
}

/// What is due after a command was answered.
enum Next {
    /// Replies may wait for those of the next commands (RFC 2920 §3.2).
    Command,
    /// The client waits for this reply.
    Flush,
    /// The reply is kept back for a while.
    Pause,
    /// Content may come.
    Content(Transaction),
    Quit,
}

impl<S, T> Session<S, T>
where
    S: Spool,
    T: AsyncRead + AsyncWrite + Unpin + Send,
{
    pub(crate) fn new(
        shared: Arc<Shared<S>>,
        config: Arc<ListenerConfig>,
        client: IpAddr,
        transport: T,
        shutdown: watch::Receiver<bool>,
    ) -> Self {
        Self {
            shared,
            config,
            client,
            input: BytesMut::new(),
            state: ServerState::new(),
            errors: 0,
            refusals: Refusals::default(),
            mail_refused: false,
            recipient_octets: 0,
            transport,
            output: BytesMut::new(),
            lines: LineReader::new(),
            shutdown,
        }
    }

    /// Serves the client until one side ends it. Input that comes before our greeting is tolerated.
    pub(crate) async fn run(mut self) {
        let Err(end) = self.converse().await;
        self.tell_refusals();
        let config = Arc::clone(&self.config);
        match end {
            End::Lost => return,
            End::Quit => {}
            End::TimedOut => self.reply(&replies::timed_out(&config.hostname)),
            End::TooManyErrors => self.reply(&replies::too_many_errors(&config.hostname)),
            End::Shutdown => self.reply(&replies::shutting_down(&config.hostname)),
        }
        // RFC 5321 §3.8 wants the words said; whether they arrive changes nothing any more.
        let _ = timeout(FAREWELL, async {
            self.transport.write_all(&self.output).await?;
            self.transport.shutdown().await
        })
        .await;
    }

    async fn converse(&mut self) -> Result<Infallible, End> {
        self.reply(&replies::greeting(&self.config.hostname));
        let mut deadline = self.deadline();
        loop {
            while let Some(line) = self.lines.next_line(&mut self.input) {
                let next = self.command(&line);
                drop(line);
                match next {
                    Next::Command => {}
                    Next::Flush => self.flush().await?,
                    Next::Pause => self.pause().await,
                    // Boxed, so that idle sessions do not carry the size of its state.
                    Next::Content(transaction) => Box::pin(self.take_content(transaction)).await?,
                    Next::Quit => return Err(End::Quit),
                }
                if self.errors >= ERROR_LIMIT {
                    return Err(End::TooManyErrors);
                }
                deadline = self.deadline();
            }
            self.flush().await?;
            self.wait_for_command(deadline).await?;
        }
    }

    /// Reads more. Between transactions a shutdown ends the session. What it was refused is told on the way, when that is
    /// due.
    async fn wait_for_command(&mut self, deadline: Instant) -> Result<(), End> {
        let due = self.refusals.due().filter(|due| *due < deadline);
        let until = due.unwrap_or(deadline);
        let reading = read(&mut self.transport, &mut self.input, COMMAND_READ, until);
        let ended = if self.state.is_in_transaction() {
            reading.await
        } else {
            tokio::select! {
                biased;
                () = stopped(&mut self.shutdown) => Err(End::Shutdown),
                read = reading => read,
            }
        };
        if due.is_some_and(|due| due <= Instant::now()) {
            self.tell_refusals();
        }
        match ended {
            Err(End::TimedOut) if due.is_some() => Ok(()),
            ended => ended,
        }
    }

    /// Waits [`REFUSAL_PAUSE`], less if we are stopping.
    pub(crate) async fn pause(&mut self) {
        tokio::select! {
            biased;
            () = stopped(&mut self.shutdown) => {}
            () = sleep(REFUSAL_PAUSE) => {}
        }
    }

    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.config.limits.timeout
    }

    /// Reads more content.
    pub(crate) async fn read_content(&mut self, room: usize, deadline: Instant) -> Result<(), End> {
        read(&mut self.transport, &mut self.input, room, deadline).await
    }

    /// Puts a reply, without its CRLF, behind those that wait to leave.
    pub(crate) fn reply(&mut self, text: &str) {
        self.output.extend_from_slice(text.as_bytes());
        self.output.extend_from_slice(b"\r\n");
    }

    /// Sends the replies that wait.
    pub(crate) async fn flush(&mut self) -> Result<(), End> {
        if self.output.is_empty() {
            return Ok(());
        }
        let sending = async {
            self.transport.write_all(&self.output).await?;
            self.transport.flush().await
        };
        let sent = timeout(self.config.limits.timeout, sending).await;
        self.output.clear();
        match sent {
            Ok(Ok(())) => Ok(()),
            // A client that does not read cannot be told anything either.
            Ok(Err(_)) | Err(_) => Err(End::Lost),
        }
    }

    /// Counts an error and answers it; the last one allowed gets the session's farewell instead.
    pub(crate) fn refuse(&mut self, subject: Subject, reply: &str) {
        self.refusals.add(subject, reply);
        self.errors = self.errors.saturating_add(1);
        if self.errors < ERROR_LIMIT {
            self.reply(reply);
        }
    }

    fn command(&mut self, line: &Line) -> Next {
        let request = match line {
            Line::Complete(line) => Request::parse(line),
            Line::TooLong => Err(Refusal::LineTooLong),
        };
        let answered = match request {
            Ok(Request::Ehlo(name)) => Ok(self.hello(Protocol::Esmtp, name)),
            Ok(Request::Helo(name)) => Ok(self.hello(Protocol::Smtp, name)),
            Ok(Request::MailFrom(mail)) => self.mail_from(mail),
            Ok(Request::RcptTo(rcpt)) => self.rcpt_to(rcpt),
            Ok(Request::Data) => self.state.take_for_data().map(Next::Content),
            Ok(Request::Rset) => {
                self.state.reset();
                Ok(self.answer(replies::OK, Next::Command))
            }
            Ok(Request::Noop) => Ok(self.answer(replies::OK, Next::Flush)),
            Ok(Request::Vrfy) => Ok(self.answer(replies::CANNOT_VERIFY, Next::Flush)),
            Ok(Request::Help) => Ok(self.answer(replies::HELP, Next::Flush)),
            Ok(Request::Quit) => Ok(self.answer(replies::BYE, Next::Quit)),
            Err(refusal) => Err(refusal),
        };
        match answered {
            Ok(next) => next,
            Err(refusal @ Refusal::OtherProtocol) => {
                self.refusals.add(Subject::default(), &refusal.to_string());
                self.answer(&refusal.to_string(), Next::Quit)
            }
            Err(refusal @ Refusal::NoMail) if self.mail_refused => {
                self.answer(&refusal.to_string(), Next::Command)
            }
            Err(refusal) => {
                let octets = match line {
                    Line::Complete(line) => line,
                    Line::TooLong => &[][..],
                };
                let from = self
                    .state
                    .transaction()
                    .map(|open| open.mail.reverse_path.clone());
                self.refuse(Subject::command(octets, from), &refusal.to_string());
                Next::Flush
            }
        }
    }

    fn answer(&mut self, text: &str, next: Next) -> Next {
        self.reply(text);
        next
    }

    fn hello(&mut self, protocol: Protocol, name: String) -> Next {
        let text = match protocol {
            Protocol::Esmtp => {
                replies::extended_hello(&self.config.hostname, self.config.limits.message_size)
            }
            Protocol::Smtp => replies::hello(&self.config.hostname),
        };
        self.state.hello(Hello { protocol, name });
        self.answer(&text, Next::Flush)
    }

    fn mail_from(&mut self, mail: MailFrom) -> Result<Next, Refusal> {
        self.state.may_begin()?;
        self.mail_refused = false;
        let limit = self.config.limits.message_size;
        // Of a client that may not relay nothing is judged: RCPT refuses it, whatever it has to send.
        if self.config.may_relay(self.client) && mail.size.is_some_and(|size| size > limit) {
            self.mail_refused = true;
            self.refuse(Subject::message(Some(mail.reverse_path)), replies::TOO_LARGE);
            return Ok(Next::Command);
        }
        // Asked before the client sends its content in vain; what it is given is only needed at DATA.
        if let Err(error) = self.open(&mail) {
            self.mail_refused = true;
            self.refuse_for_spool(&error);
            return Ok(Next::Pause);
        }
        self.state.begin(mail)?;
        self.recipient_octets = 0;
        Ok(self.answer(replies::SENDER_OK, Next::Command))
    }

    /// A place in the spool for this message, if there is room for as much as its client declares (RFC 1870 §6.1 (1)).
    pub(crate) fn open(&self, mail: &MailFrom) -> Result<Incoming, SpoolError> {
        let incoming = self.shared.spool.create()?;
        let declared = mail.size.filter(|_| self.config.may_relay(self.client));
        incoming.fits(declared.unwrap_or(0))?;
        Ok(incoming)
    }

    fn rcpt_to(&mut self, rcpt: RcptTo) -> Result<Next, Refusal> {
        let may_relay = self.config.may_relay(self.client);
        let limits = &self.config.limits;
        let transaction = self.state.transaction_for(&rcpt)?;
        let address = match rcpt.path {
            ForwardPath::Postmaster => self.config.postmaster.clone(),
            ForwardPath::Mailbox(mailbox) => mailbox,
        };
        if !may_relay {
            let subject = Subject {
                from: Some(transaction.mail.reverse_path.clone()),
                to: Some(address),
                command: None,
            };
            self.refuse(subject, replies::RELAY_DENIED);
            return Ok(Next::Flush);
        }
        let recipient = Recipient {
            address,
            parameters: rcpt.parameters,
        };
        let held = self.recipient_octets + recipients::weight(&recipient);
        if transaction.recipients.len() >= limits.recipients || held > recipients::room(limits) {
            return Ok(self.answer(replies::TOO_MANY_RECIPIENTS, Next::Command));
        }
        self.recipient_octets = held;
        transaction.recipients.push(recipient);
        Ok(self.answer(replies::RECIPIENT_OK, Next::Command))
    }

    /// Tells the client that the spool does not take its message now. The log gets a summary, not a line for each.
    pub(crate) fn refuse_for_spool(&mut self, error: &SpoolError) {
        self.shared.report_spool_error(self.client, error);
        self.reply(replies::spool_error(error));
    }

    /// Writes what the session was refused so far, if anything.
    fn tell_refusals(&mut self) {
        if let Some(event) = self.refusals.take(self.client) {
            self.shared.log.write(&event);
        }
    }
}

/// Reads what is there, at least one octet, into a buffer with room for `room`.
async fn read(
    transport: &mut (impl AsyncRead + Unpin),
    input: &mut BytesMut,
    room: usize,
    deadline: Instant,
) -> Result<(), End> {
    input.reserve(room);
    match timeout_at(deadline, transport.read_buf(input)).await {
        Err(_) => Err(End::TimedOut),
        Ok(Err(_) | Ok(0)) => Err(End::Lost),
        Ok(Ok(_)) => Ok(()),
    }
}
