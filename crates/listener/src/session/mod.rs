//! A client's session without I/O: octets in, replies and decisions out.
//!
//! The driver calls [`Session::step`] with the input, does what the [`Step`] asks for, and sends what is in
//! [`Session::output`]. A session has no access to sockets, clock or disk; `P` is a place in the spool, of which the
//! session knows only which message it belongs to.

mod additions;
mod arrival;
mod content;
mod ehlo;
mod envelope;
mod header;
mod received;
mod recipients;
mod refusals;
pub(crate) mod replies;
mod security;
mod stamp;
mod step;
mod transaction;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use mail::event::Event;
use smtp::{Chunk, Exchange, Hello, Line, LineReader, Protocol, Refusal, Request, ServerState};
use spool::SpoolError;

use self::arrival::Arrival;
use self::refusals::{Refusals, Subject};
pub(crate) use self::stamp::Stamp;
pub(crate) use self::step::{End, Finished, Renamed, Step};
use crate::client::Client;
use crate::config::ListenerConfig;

/// This many refused commands since the last accepted message end a session (RFC 5321 §7.8).
const ERROR_LIMIT: u32 = 100;
/// This many wrong passwords end a session (RFC 4954 §9 asks for at least three attempts).
const WRONG_LIMIT: u32 = 4;

/// The number of commands allowed to a client that may not relay.
const STRANGERS_COMMANDS: u32 = 100;

/// How long the reply to a message for which the spool has no room is delayed, so that a client that retries at once
/// does not spin. Only its own session waits.
const REFUSAL_PAUSE: Duration = Duration::from_secs(1);

/// When to log what was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Telling {
    /// At once, each refusal by itself: somebody will ask what happened to this mail.
    AtOnce,
    /// All refusals of a session together: clients that may not relay are only counted.
    Together,
}

/// What the next octets are.
#[derive(Debug)]
enum Reading {
    Commands,
    /// A response within AUTH.
    Response(Exchange),
    /// Content after DATA.
    Data,
    /// The rest of this chunk.
    Chunk(Chunk),
    /// This many octets of a chunk that is discarded, and why.
    Swallow(u64, Swallowed),
}

/// Why a chunk is discarded.
#[derive(Debug, Clone, Copy)]
enum Swallowed {
    Refused(Refusal),
    /// The spool does not accept the message; the reply says why.
    NoRoom(&'static str),
}

/// The origin of a message, as named by a filter in front of us (XFORWARD).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) name: Option<String>,
    pub(crate) address: Option<IpAddr>,
}

impl fmt::Display for Origin {
    /// In the form in which the log shows a client.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name.as_deref().unwrap_or("unknown");
        match self.address {
            Some(address) => write!(f, "{name} [{address}]"),
            None => write!(f, "{name} [unknown]"),
        }
    }
}

/// One client's session.
#[derive(Debug)]
pub(crate) struct Session<P> {
    config: Arc<ListenerConfig>,
    client: Client,
    state: ServerState,
    lines: LineReader,
    reading: Reading,
    /// The message whose content is being received. Boxed, so that idle sessions do not carry its size.
    arrival: Option<Box<Arrival<P>>>,
    /// Where the next message came from.
    origin: Option<Box<Origin>>,
    output: BytesMut,
    errors: u32,
    /// The number of commands while the client may not relay.
    idle_commands: u32,
    wrong_logins: u32,
    /// The octets of refused chunks while the client may not relay.
    unwanted: u64,
    refusals: Refusals,
    /// The last MAIL was refused: commands pipelined after it fail through no fault of their own.
    mail_refused: bool,
    /// The memory taken by the recipients of the transaction.
    recipient_octets: usize,
}

impl<P> Session<P> {
    /// A session, which begins with our greeting. Input that arrives before the greeting is tolerated.
    pub(crate) fn new(config: Arc<ListenerConfig>, client: Client) -> Self {
        let mut session = Self {
            config,
            client,
            state: ServerState::new(),
            lines: LineReader::new(),
            reading: Reading::Commands,
            arrival: None,
            origin: None,
            output: BytesMut::new(),
            errors: 0,
            idle_commands: 0,
            wrong_logins: 0,
            unwanted: 0,
            refusals: Refusals::default(),
            mail_refused: false,
            recipient_octets: 0,
        };
        let greeting = replies::greeting(&session.config.hostname);
        session.reply(&greeting);
        session
    }

    /// Processes the input by one step, and removes what it used from the front of `input`.
    pub(crate) fn step(&mut self, input: &mut BytesMut) -> Step<P> {
        if self.errors >= ERROR_LIMIT || self.wrong_logins >= WRONG_LIMIT {
            return Step::Close(End::TooManyErrors);
        }
        match self.reading {
            Reading::Commands => match self.lines.next_line(input) {
                Some(line) => self.command(&line),
                None => Step::Read,
            },
            Reading::Response(_) => self.response(input),
            Reading::Data => self.content(input),
            Reading::Chunk(chunk) => self.chunk(chunk, input),
            Reading::Swallow(left, why) => self.swallow(left, why, input),
        }
    }

    /// Sets new settings; only between transactions.
    pub(crate) fn configure(&mut self, config: Arc<ListenerConfig>) {
        self.config = config;
    }

    /// The settings in force.
    pub(crate) fn config(&self) -> &Arc<ListenerConfig> {
        &self.config
    }

    /// Who the client is.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Where the current message came from, if a filter said so.
    pub(crate) fn origin(&self) -> Option<&Origin> {
        self.origin.as_deref()
    }

    /// The pending replies; the caller removes them.
    pub(crate) fn output(&mut self) -> &mut BytesMut {
        &mut self.output
    }

    /// Whether a transaction is in progress.
    pub(crate) fn is_in_transaction(&self) -> bool {
        self.arrival.is_some() || self.state.is_in_transaction()
    }

    /// Whether content is coming in.
    pub(crate) fn is_receiving(&self) -> bool {
        self.arrival.is_some()
    }

    /// What is to be stored now, and where; the caller removes it from the buffer.
    pub(crate) fn unstored(&mut self) -> Option<(&mut P, &mut BytesMut)> {
        self.arrival.as_mut()?.unstored()
    }

    /// What [`Session::unstored`] returned could not be stored: the message is refused at its end.
    pub(crate) fn store_failed(&mut self, error: SpoolError) {
        if let Some(arrival) = &mut self.arrival {
            arrival.fail(error);
        }
    }

    /// Whether [`Session::take_refusals`] has refusals to log, and when to log them.
    pub(crate) fn refused(&self) -> Option<Telling> {
        let telling = if self.client.may_relay(&self.config) {
            Telling::AtOnce
        } else {
            Telling::Together
        };
        (!self.refusals.is_empty()).then_some(telling)
    }

    /// What was refused since the last call.
    pub(crate) fn take_refusals(&mut self) -> Option<Event> {
        self.refusals.take(&self.client, &self.config)
    }

    /// Adds the final reply of a session.
    pub(crate) fn farewell(&mut self, end: End) {
        let hostname = &self.config.hostname;
        let words = match end {
            End::Lost | End::Said => return,
            End::TimedOut => replies::timed_out(hostname),
            End::TooManyErrors => replies::too_many_errors(hostname),
            End::TooManyConnections => replies::too_many_connections(hostname),
            End::Shutdown => replies::shutting_down(hostname),
        };
        self.reply(&words);
    }

    /// Appends a reply, given without its CRLF, to the pending ones.
    fn reply(&mut self, text: &str) {
        self.output.extend_from_slice(text.as_bytes());
        self.output.extend_from_slice(b"\r\n");
    }

    fn answer(&mut self, text: &str, next: Step<P>) -> Step<P> {
        self.reply(text);
        next
    }

    /// Counts an error and replies to it; at the last one allowed, the session's farewell is sent instead.
    fn refuse(&mut self, subject: Subject, reply: &str) {
        self.refusals.add(subject, reply);
        self.errors = self.errors.saturating_add(1);
        if self.errors < ERROR_LIMIT {
            self.reply(reply);
        }
    }

    /// Tells the client that the spool does not accept its message now. The refusals do not count it: the log gets one
    /// summary for all clients.
    pub(crate) fn refuse_for_spool(&mut self, error: &SpoolError) -> Step<P> {
        self.origin = None;
        self.answer(replies::spool_error(error), Step::Pause(REFUSAL_PAUSE))
    }

    fn command(&mut self, line: &Line) -> Step<P> {
        if !self.client.may_relay(&self.config) {
            self.idle_commands = self.idle_commands.saturating_add(1);
            if self.idle_commands > STRANGERS_COMMANDS {
                return Step::Close(End::TooManyErrors);
            }
        }
        let request = match line {
            Line::Complete(line) => Request::parse(line),
            Line::TooLong => Err(Refusal::LineTooLong),
        };
        let answered = match request {
            Ok(Request::Ehlo(name)) => Ok(self.hello(Protocol::Esmtp, name)),
            Ok(Request::Helo(name)) => Ok(self.hello(Protocol::Smtp, name)),
            Ok(Request::MailFrom(mail)) => self.mail_from(mail),
            Ok(Request::RcptTo(rcpt)) => self.rcpt_to(rcpt),
            Ok(Request::Data) => self.data(),
            Ok(Request::Bdat(chunk)) => Ok(self.bdat(chunk)),
            Ok(Request::Rset) => {
                self.end_transaction();
                Ok(self.answer(replies::OK, Step::Go))
            }
            Ok(Request::Noop) => Ok(self.answer(replies::OK, Step::Flush)),
            Ok(Request::Vrfy) => Ok(self.answer(replies::CANNOT_VERIFY, Step::Flush)),
            Ok(Request::Help) => Ok(self.answer(replies::HELP, Step::Flush)),
            Ok(Request::Quit) => Ok(self.answer(replies::BYE, Step::Close(End::Said))),
            Ok(Request::StartTls) => self.start_tls(),
            Ok(Request::Auth(auth)) => self.auth(auth),
            Ok(Request::XClient(said)) => self.xclient(&said),
            Ok(Request::XForward(said)) => self.xforward(&said),
            Err(refusal) => Err(refusal),
        };
        answered.unwrap_or_else(|refusal| self.refuse_command(line, refusal))
    }

    /// The reply to a command refused for its syntax or because it is out of sequence.
    fn refuse_command(&mut self, line: &Line, refusal: Refusal) -> Step<P> {
        let reply = refusal.to_string();
        if matches!(refusal, Refusal::OtherProtocol | Refusal::Chunk) {
            // What follows may not be commands of this client.
            self.refusals.add(Subject::default(), &reply);
            return self.answer(&reply, Step::Close(End::Said));
        }
        if refusal == Refusal::NoMail && self.mail_refused {
            return self.answer(&reply, Step::Go);
        }
        let octets = match line {
            Line::Complete(line) => line,
            Line::TooLong => &[][..],
        };
        let open = self.state.transaction();
        let from = open.map(|open| open.mail.reverse_path.clone());
        self.refuse(Subject::command(octets, from), &reply);
        Step::Flush
    }

    fn hello(&mut self, protocol: Protocol, name: String) -> Step<P> {
        let text = match protocol {
            Protocol::Esmtp => ehlo::reply(&self.config, &self.client),
            Protocol::Smtp => replies::hello(&self.config.hostname),
        };
        self.end_transaction();
        self.state.hello(Hello { protocol, name });
        self.answer(&text, Step::Flush)
    }

    fn end_transaction(&mut self) {
        self.state.reset();
        self.arrival = None;
        self.origin = None;
    }
}
