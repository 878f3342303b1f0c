//! A client's session without I/O: octets in, replies and decisions out.
//!
//! Whoever drives a session calls [`Session::step`] with what has come, does what the [`Step`] asks for, and sends what
//! [`Session::output`] holds. A session knows no socket, clock or disk; `P` is a place in the spool, of which it only
//! knows which message it belongs to.

mod arrival;
mod envelope;
mod header;
mod received;
mod recipients;
mod refusals;
pub(crate) mod replies;
mod step;

use std::sync::Arc;

use bytes::BytesMut;
use jiff::Timestamp;
use mail::event::Event;
use mail::{QueueId, Recipient, ReversePath};
use smtp::{
    ForwardPath, Hello, Line, LineReader, MailFrom, Protocol, RcptTo, Refusal, Request, ServerState,
    Transaction,
};
use spool::SpoolError;

use self::arrival::{Arrival, Rejection};
use self::received::Received;
use self::refusals::{Refusals, Subject};
pub(crate) use self::step::{End, Finished, Step};
use crate::client::Client;
use crate::config::ListenerConfig;

/// So many refused commands since the last accepted message end a session (RFC 5321 §7.8).
const ERROR_LIMIT: u32 = 100;

/// When the log is told what was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Telling {
    /// At once, each for itself: somebody will ask what became of this mail.
    AtOnce,
    /// All of a session together: clients that may not relay are counted only.
    Together,
}

/// One client's session.
#[derive(Debug)]
pub(crate) struct Session<P> {
    config: Arc<ListenerConfig>,
    client: Client,
    state: ServerState,
    lines: LineReader,
    /// The message whose content is coming in. Boxed, so that idle sessions do not carry its size.
    arrival: Option<Box<Arrival<P>>>,
    output: BytesMut,
    errors: u32,
    refusals: Refusals,
    /// The last MAIL was refused for want of room: what is pipelined behind it fails through no fault of its own.
    mail_refused: bool,
    /// What the recipients of the transaction take.
    recipient_octets: usize,
}

impl<P> Session<P> {
    /// A session that begins with our greeting. Input that comes before it is tolerated.
    pub(crate) fn new(config: Arc<ListenerConfig>, client: Client) -> Self {
        let mut session = Self {
            config,
            client,
            state: ServerState::new(),
            lines: LineReader::new(),
            arrival: None,
            output: BytesMut::new(),
            errors: 0,
            refusals: Refusals::default(),
            mail_refused: false,
            recipient_octets: 0,
        };
        let greeting = replies::greeting(&session.config.hostname);
        session.reply(&greeting);
        session
    }

    /// Goes one step on with what has come, and takes what it used from the front of `input`.
    pub(crate) fn step(&mut self, input: &mut BytesMut) -> Step<P> {
        if self.errors >= ERROR_LIMIT {
            return Step::Close(End::TooManyErrors);
        }
        if let Some(arrival) = &mut self.arrival {
            arrival.push(input);
            return if arrival.to_store().is_some() {
                Step::Store
            } else if arrival.has_ended() {
                self.finish()
            } else {
                Step::ReadContent
            };
        }
        match self.lines.next_line(input) {
            Some(line) => self.command(&line),
            None => Step::Read,
        }
    }

    /// New settings; between transactions only.
    pub(crate) fn configure(&mut self, config: Arc<ListenerConfig>) {
        self.config = config;
    }

    /// The replies that wait to leave, to be taken out.
    pub(crate) fn output(&mut self) -> &mut BytesMut {
        &mut self.output
    }

    /// Whether a transaction is under way.
    pub(crate) fn is_in_transaction(&self) -> bool {
        self.arrival.is_some() || self.state.is_in_transaction()
    }

    /// What is to be stored now, and where; it is to be taken out of the buffer.
    pub(crate) fn to_store(&mut self) -> Option<(&mut P, &mut BytesMut)> {
        self.arrival.as_mut()?.to_store()
    }

    /// What [`Session::to_store`] gave could not be stored: the message is refused at its end.
    pub(crate) fn store_failed(&mut self, error: SpoolError) {
        if let Some(arrival) = &mut self.arrival {
            arrival.fail(error);
        }
    }

    /// The octets that the client declares for its message (RFC 1870 §6.1 (1)), as far as they are to be believed.
    pub(crate) fn declared(&self, mail: &MailFrom) -> u64 {
        let declared = mail.size.filter(|_| self.client.may_relay(&self.config));
        declared.unwrap_or(0)
    }

    /// Whether something was refused that [`Session::take_refusals`] tells, and when it is to be told.
    pub(crate) fn refused(&self) -> Option<Telling> {
        let telling = if self.client.may_relay(&self.config) {
            Telling::AtOnce
        } else {
            Telling::Together
        };
        (!self.refusals.is_empty()).then_some(telling)
    }

    /// What was refused since this was last asked.
    pub(crate) fn take_refusals(&mut self) -> Option<Event> {
        self.refusals.take(self.client.address)
    }

    /// Adds the last words of a session.
    pub(crate) fn farewell(&mut self, end: End) {
        let hostname = &self.config.hostname;
        let words = match end {
            End::Lost | End::Said => return,
            End::TimedOut => replies::timed_out(hostname),
            End::TooManyErrors => replies::too_many_errors(hostname),
            End::Shutdown => replies::shutting_down(hostname),
        };
        self.reply(&words);
    }

    /// Puts a reply, without its CRLF, behind those that wait to leave.
    fn reply(&mut self, text: &str) {
        self.output.extend_from_slice(text.as_bytes());
        self.output.extend_from_slice(b"\r\n");
    }

    fn answer(&mut self, text: &str, next: Step<P>) -> Step<P> {
        self.reply(text);
        next
    }

    /// Counts an error and answers it; the last one allowed gets the session's farewell instead.
    fn refuse(&mut self, subject: Subject, reply: &str) {
        self.refusals.add(subject, reply);
        self.errors = self.errors.saturating_add(1);
        if self.errors < ERROR_LIMIT {
            self.reply(reply);
        }
    }

    /// Tells the client that the spool does not take its message now. The refusals do not count it: the log gets a summary
    /// of all clients.
    pub(crate) fn refuse_for_spool(&mut self, error: &SpoolError) -> Step<P> {
        self.answer(replies::spool_error(error), Step::Pause)
    }

    fn command(&mut self, line: &Line) -> Step<P> {
        let request = match line {
            Line::Complete(line) => Request::parse(line),
            Line::TooLong => Err(Refusal::LineTooLong),
        };
        let answered = match request {
            Ok(Request::Ehlo(name)) => Ok(self.hello(Protocol::Esmtp, name)),
            Ok(Request::Helo(name)) => Ok(self.hello(Protocol::Smtp, name)),
            Ok(Request::MailFrom(mail)) => self.mail_from(mail),
            Ok(Request::RcptTo(rcpt)) => self.rcpt_to(rcpt),
            Ok(Request::Data) => self.state.take_for_data().map(Step::Open),
            Ok(Request::Rset) => {
                self.state.reset();
                Ok(self.answer(replies::OK, Step::Go))
            }
            Ok(Request::Noop) => Ok(self.answer(replies::OK, Step::Flush)),
            Ok(Request::Vrfy) => Ok(self.answer(replies::CANNOT_VERIFY, Step::Flush)),
            Ok(Request::Help) => Ok(self.answer(replies::HELP, Step::Flush)),
            Ok(Request::Quit) => Ok(self.answer(replies::BYE, Step::Close(End::Said))),
            Err(refusal) => Err(refusal),
        };
        answered.unwrap_or_else(|refusal| self.refuse_command(line, refusal))
    }

    /// The reply to a command that is refused for its form or its place.
    fn refuse_command(&mut self, line: &Line, refusal: Refusal) -> Step<P> {
        let reply = refusal.to_string();
        if refusal == Refusal::OtherProtocol {
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
        let config = &self.config;
        let text = match protocol {
            Protocol::Esmtp => replies::extended_hello(&config.hostname, config.limits.message_size),
            Protocol::Smtp => replies::hello(&config.hostname),
        };
        self.state.hello(Hello { protocol, name });
        self.answer(&text, Step::Flush)
    }

    fn mail_from(&mut self, mail: MailFrom) -> Result<Step<P>, Refusal> {
        self.state.may_begin()?;
        self.mail_refused = false;
        // Of a client that may not relay nothing is declared: RCPT refuses it, whatever it has to send.
        if self.declared(&mail) > self.config.limits.message_size {
            self.mail_refused = true;
            self.refuse(Subject::message(Some(mail.reverse_path)), replies::TOO_LARGE);
            return Ok(Step::Go);
        }
        // Asked before the client sends its content in vain; a place is only needed at DATA.
        Ok(Step::Begin(mail))
    }

    /// Begins a transaction, if there is room for its message.
    pub(crate) fn begin(&mut self, mail: MailFrom, room: Result<(), SpoolError>) -> Step<P> {
        if let Err(error) = room {
            self.mail_refused = true;
            return self.refuse_for_spool(&error);
        }
        match self.state.begin(mail) {
            Ok(()) => {
                self.recipient_octets = 0;
                self.answer(replies::SENDER_OK, Step::Go)
            }
            Err(refusal) => self.answer(&refusal.to_string(), Step::Flush),
        }
    }

    fn rcpt_to(&mut self, rcpt: RcptTo) -> Result<Step<P>, Refusal> {
        let may_relay = self.client.may_relay(&self.config);
        let limits = &self.config.limits;
        let (transaction, rcpt) = self.state.transaction_for(rcpt)?;
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
            return Ok(Step::Flush);
        }
        let recipient = Recipient {
            address,
            parameters: rcpt.parameters,
        };
        let held = self.recipient_octets + recipients::weight(&recipient);
        if transaction.recipients.len() >= limits.recipients || held > recipients::room(limits) {
            return Ok(self.answer(replies::TOO_MANY_RECIPIENTS, Step::Go));
        }
        self.recipient_octets = held;
        transaction.recipients.push(recipient);
        Ok(self.answer(replies::RECIPIENT_OK, Step::Go))
    }

    /// Takes the place for the content of a message, or learns that there is none. The client may send it then.
    pub(crate) fn open(
        &mut self,
        transaction: Transaction,
        place: Result<P, SpoolError>,
        birth: (QueueId, Timestamp),
    ) -> Step<P> {
        let place = match place {
            Ok(place) => place,
            Err(error) => return self.refuse_for_spool(&error),
        };
        let field = self.state.introduced().map(|hello| {
            let received = Received {
                hello,
                client: self.client.address,
                hostname: &self.config.hostname,
                id: birth.0,
                smtputf8: transaction.mail.smtputf8,
                recipients: &transaction.recipients,
                at: birth.1,
            };
            received.to_field()
        });
        let limits = &self.config.limits;
        let mut arrival = Box::new(Arrival::new(transaction, birth, place, limits));
        arrival.trace(&field.unwrap_or_default());
        self.arrival = Some(arrival);
        self.answer(replies::GO_ON, Step::Flush)
    }

    /// The end of data has come.
    fn finish(&mut self) -> Step<P> {
        let Some(arrival) = self.arrival.take() else {
            return Step::Read;
        };
        let from = arrival.transaction().mail.reverse_path.clone();
        match arrival.finish() {
            Ok(finished) => Step::Commit(Box::new(finished)),
            Err(rejection) => self.reject(from, &rejection),
        }
    }

    fn reject(&mut self, from: ReversePath, rejection: &Rejection) -> Step<P> {
        let reply = match rejection {
            Rejection::Fault(fault) => replies::content_fault(*fault),
            Rejection::Looping => replies::LOOPING,
            Rejection::Spool(error) => return self.refuse_for_spool(error),
        };
        self.refuse(Subject::message(Some(from)), reply);
        Step::Flush
    }

    /// A message is durable.
    pub(crate) fn accepted(&mut self, id: QueueId) -> Step<P> {
        self.errors = 0;
        self.answer(&replies::queued(id), Step::Flush)
    }
}
