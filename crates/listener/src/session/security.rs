//! Who the client is: STARTTLS, AUTH, and what proxies say about their clients.

use std::time::Duration;

use smtp::line::AUTH_LINE_LENGTH;
use smtp::{Answer, Attribute, Attributes, Auth, Hello, Line, LineReader, Protocol, Refusal, ServerState};

use super::ehlo::{offers_auth, offers_tls, offers_xclient};
use super::refusals::Subject;
use super::step::{Renamed, Step};
use super::{Reading, Session, replies};
use crate::client::{UNKNOWN, User};
use crate::logins::Login;
use crate::tls::TlsFacts;

/// How long the reply to the first wrong password is delayed; the delay doubles with each further one.
const WRONG_PAUSE: Duration = Duration::from_secs(1);

impl<P> Session<P> {
    /// STARTTLS is allowed anywhere: everything said before it is void afterwards (RFC 3207 §4.2).
    pub(super) fn start_tls(&mut self) -> Result<Step<P>, Refusal> {
        if offers_tls(&self.config, &self.client) {
            Ok(self.answer(replies::READY_FOR_TLS, Step::StartTls))
        } else if self.client.tls.is_some() {
            Err(Refusal::AlreadySecure)
        } else {
            Err(Refusal::NotImplemented)
        }
    }

    /// TLS has started: nothing that was said in plain text counts any more (RFC 3207 §4.2).
    pub(crate) fn secured(&mut self, facts: TlsFacts) {
        self.client.tls = Some(facts);
        self.client.user = None;
        self.forget();
    }

    /// Resets the session to its state after the greeting.
    fn forget(&mut self) {
        self.end_transaction();
        self.state = ServerState::new();
        self.lines = LineReader::new();
        self.mail_refused = false;
    }

    pub(super) fn auth(&mut self, auth: Auth) -> Result<Step<P>, Refusal> {
        if self.is_in_transaction() {
            return Err(Refusal::WithinTransaction);
        }
        if !offers_auth(&self.config, &self.client) {
            return Err(match &self.config.users {
                None => Refusal::NotImplemented,
                Some(_) if self.client.user.is_some() => Refusal::AlreadyAuthenticated,
                Some(_) => Refusal::EncryptionNeeded,
            });
        }
        if self.state.introduced().is_none() {
            return Err(Refusal::NoHello);
        }
        auth.begin().map(|answer| self.go_on(answer))
    }

    fn go_on(&mut self, answer: Answer) -> Step<P> {
        match answer {
            Answer::Ask(exchange) => {
                let challenge = exchange.challenge();
                self.reading = Reading::Response(exchange);
                self.answer(challenge, Step::Flush)
            }
            Answer::Complete(credentials) => Step::Check(credentials),
        }
    }

    /// The client's next line during AUTH.
    pub(super) fn response(&mut self, input: &mut bytes::BytesMut) -> Step<P> {
        let Some(line) = self.lines.next_line_within(input, AUTH_LINE_LENGTH) else {
            return Step::Read;
        };
        let Reading::Response(exchange) = std::mem::replace(&mut self.reading, Reading::Commands) else {
            return Step::Go;
        };
        let answer = match line {
            Line::Complete(line) => exchange.line(&line),
            Line::TooLong => Err(Refusal::AuthLineTooLong),
        };
        match answer {
            Ok(answer) => self.go_on(answer),
            Err(refusal) => {
                self.refuse(Subject::default(), &refusal.to_string());
                Step::Flush
            }
        }
    }

    /// Handles the result of checking this name's password.
    pub(crate) fn checked(&mut self, login: Login, name: String) -> Step<P> {
        let reply = match login {
            Login::User(user) => {
                self.client.user = Some(User::Authenticated(user));
                return self.answer(replies::AUTHENTICATED, Step::Flush);
            }
            Login::TooMany => replies::TOO_MANY_LOGINS,
            Login::Busy => replies::LOGIN_BUSY,
            Login::Wrong => replies::WRONG_LOGIN,
        };
        self.refuse(Subject::user(name), reply);
        self.wrong_logins = self.wrong_logins.saturating_add(1);
        Step::Pause(WRONG_PAUSE * 2_u32.saturating_pow(self.wrong_logins.saturating_sub(1)))
    }

    /// A proxy says who the client is. Nothing changes before that client has been counted.
    pub(super) fn xclient(&mut self, said: &Attributes) -> Result<Step<P>, Refusal> {
        self.may_speak_for_others()?;
        let mut client = self.client.clone();
        match said.get(Attribute::Address) {
            Some(Some(address)) => client.address = address_of(address).ok_or(Refusal::Arguments)?,
            Some(None) => client.address = UNKNOWN,
            None => {}
        }
        if let Some(name) = said.get(Attribute::Name) {
            client.name = name.map(str::to_owned);
        }
        // What the proxy itself has proved, or said of the client before, is not this client's.
        client.user = said
            .get(Attribute::Login)
            .flatten()
            .map(|name| User::Named(name.into()));
        if let Some(tls) = &mut client.tls {
            tls.client_key = None;
        }
        let helo = said.get(Attribute::Helo).flatten().map(str::to_owned);
        Ok(Step::Rename(Box::new(Renamed { client, helo })))
    }

    /// The session restarts with the client that a proxy has named.
    pub(crate) fn renamed(&mut self, to: Renamed) -> Step<P> {
        self.client = to.client;
        self.forget();
        (self.errors, self.idle_commands, self.wrong_logins) = (0, 0, 0);
        if let Some(name) = to.helo {
            self.state.hello(Hello {
                protocol: Protocol::Smtp,
                name,
            });
        }
        let greeting = replies::greeting(&self.config.hostname);
        self.answer(&greeting, Step::Flush)
    }

    /// A filter says where the next message came from, for the log.
    pub(super) fn xforward(&mut self, said: &Attributes) -> Result<Step<P>, Refusal> {
        self.may_speak_for_others()?;
        let origin = self.origin.get_or_insert_default();
        if let Some(name) = said.get(Attribute::Name) {
            origin.name = name.map(str::to_owned);
        }
        if let Some(address) = said.get(Attribute::Address) {
            origin.address = address.and_then(address_of);
        }
        Ok(self.answer(replies::OK, Step::Go))
    }

    fn may_speak_for_others(&self) -> Result<(), Refusal> {
        if !offers_xclient(&self.config, &self.client) {
            Err(Refusal::NotImplemented)
        } else if self.is_in_transaction() {
            Err(Refusal::WithinTransaction)
        } else {
            Ok(())
        }
    }
}

/// An address in Postfix's notation: IPv6 addresses have a tag.
fn address_of(text: &str) -> Option<std::net::IpAddr> {
    let tagged = text.get(..5).is_some_and(|tag| tag.eq_ignore_ascii_case("IPV6:"));
    let address: std::net::IpAddr = text.get(if tagged { 5 } else { 0 }..)?.parse().ok()?;
    Some(address.to_canonical())
}
