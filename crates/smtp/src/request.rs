//! The commands that we take as a server, parsed strictly (RFC 5321 §4.1.1).

use mail::{BodyType, Mailbox, ReversePath};

use crate::path::{self, Path};
use crate::refusal::Refusal;

/// One command of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// `EHLO` with what the client calls itself: printable ASCII, never empty, and not to be believed.
    Ehlo(String),
    /// `HELO`, likewise.
    Helo(String),
    /// `MAIL FROM:`.
    MailFrom(MailFrom),
    /// `RCPT TO:`.
    RcptTo(Recipient),
    /// `DATA`.
    Data,
    /// `RSET`.
    Rset,
    /// `NOOP`; its argument means nothing (RFC 5321 §4.1.1.9).
    Noop,
    /// `QUIT`.
    Quit,
    /// `VRFY`, whose argument nobody needs: every address gets the same answer.
    Vrfy,
    /// `HELP`.
    Help,
}

/// The reverse-path and parameters of `MAIL`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailFrom {
    /// Where reports go.
    pub reverse_path: ReversePath,
    /// `SIZE=`, in octets: what the client believes (RFC 1870 §5).
    pub size: Option<u64>,
    /// `BODY=` (RFC 6152).
    pub body: Option<BodyType>,
}

/// Whom a `RCPT` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipient {
    /// `<Postmaster>` without a domain, in any case (RFC 5321 §4.5.1): whoever looks after this relay.
    Postmaster,
    /// A mailbox; of a source route only the end is left (RFC 5321 §3.3).
    Mailbox(Mailbox),
}

impl Request {
    /// Parses a command line without its CRLF. Verbs match without regard to case; white space at the end is
    /// tolerated (RFC 5321 §4.1.1).
    pub fn parse(line: &[u8]) -> Result<Self, Refusal> {
        let line = line.trim_ascii_end();
        let verb = line.iter().take_while(|octet| **octet != b' ').count();
        let (verb, rest) = line.split_at_checked(verb).unwrap_or((line, b""));
        if METHODS.iter().any(|method| verb.eq_ignore_ascii_case(method)) {
            return Err(Refusal::OtherProtocol);
        }
        let verb = Verb::find(verb).ok_or(Refusal::UnknownCommand)?;
        let argument = argument(verb, rest)?;
        match verb {
            Verb::Ehlo => hello(argument).map(Self::Ehlo),
            Verb::Helo => hello(argument).map(Self::Helo),
            Verb::Mail => mail_from(argument).map(Self::MailFrom),
            Verb::Rcpt => rcpt_to(argument).map(Self::RcptTo),
            Verb::Data => alone(argument, Self::Data),
            Verb::Rset => alone(argument, Self::Rset),
            Verb::Quit => alone(argument, Self::Quit),
            Verb::Noop => Ok(Self::Noop),
            Verb::Help => Ok(Self::Help),
            Verb::Vrfy if argument.is_empty() => Err(Refusal::Arguments),
            Verb::Vrfy => Ok(Self::Vrfy),
            Verb::NotImplemented => Err(Refusal::NotImplemented),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Ehlo,
    Helo,
    Mail,
    Rcpt,
    Data,
    Rset,
    Noop,
    Quit,
    Vrfy,
    Help,
    NotImplemented,
}

const VERBS: [(&str, Verb); 21] = [
    ("MAIL", Verb::Mail),
    ("RCPT", Verb::Rcpt),
    ("DATA", Verb::Data),
    ("EHLO", Verb::Ehlo),
    ("HELO", Verb::Helo),
    ("RSET", Verb::Rset),
    ("NOOP", Verb::Noop),
    ("QUIT", Verb::Quit),
    ("VRFY", Verb::Vrfy),
    ("HELP", Verb::Help),
    ("EXPN", Verb::NotImplemented),
    ("STARTTLS", Verb::NotImplemented),
    ("AUTH", Verb::NotImplemented),
    ("BDAT", Verb::NotImplemented),
    ("BURL", Verb::NotImplemented),
    ("ETRN", Verb::NotImplemented),
    ("ATRN", Verb::NotImplemented),
    ("TURN", Verb::NotImplemented),
    ("SEND", Verb::NotImplemented),
    ("SOML", Verb::NotImplemented),
    ("SAML", Verb::NotImplemented),
];

/// What requests of HTTP begin with.
const METHODS: [&[u8]; 6] = [b"GET", b"HEAD", b"POST", b"PUT", b"OPTIONS", b"CONNECT"];

impl Verb {
    fn find(verb: &[u8]) -> Option<Self> {
        VERBS
            .iter()
            .find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(verb))
            .map(|(_, verb)| *verb)
    }
}

/// The argument as printable ASCII, without the blanks before it.
fn argument(verb: Verb, rest: &[u8]) -> Result<&str, Refusal> {
    let has_control = rest.iter().any(u8::is_ascii_control);
    let text = std::str::from_utf8(rest).ok().filter(|text| text.is_ascii());
    match text {
        Some(text) if !has_control => Ok(text.trim_start_matches(' ')),
        _ if matches!(verb, Verb::Ehlo | Verb::Helo) => Err(Refusal::HelloName),
        _ if has_control => Err(Refusal::ControlCharacter),
        // RFC 6531 §3.3: without SMTPUTF8 no address may have such octets.
        _ if matches!(verb, Verb::Mail | Verb::Rcpt) => Err(Refusal::EightBitAddress),
        _ => Err(Refusal::Arguments),
    }
}

fn alone(argument: &str, request: Request) -> Result<Request, Refusal> {
    if argument.is_empty() {
        Ok(request)
    } else {
        Err(Refusal::Arguments)
    }
}

/// Anything printable will do: a name that does not fit is no reason to refuse mail (RFC 5321 §4.1.4).
fn hello(argument: &str) -> Result<String, Refusal> {
    if argument.is_empty() {
        Err(Refusal::HelloName)
    } else {
        Ok(argument.to_owned())
    }
}

fn mail_from(argument: &str) -> Result<MailFrom, Refusal> {
    let (path, parameters) = path::split(argument, "FROM:").ok_or(Refusal::Arguments)?;
    let reverse_path = match path::parse(path).map_err(|_| Refusal::ReversePath)? {
        Path::Null => ReversePath::Null,
        Path::Mailbox(mailbox) => ReversePath::Mailbox(mailbox),
        Path::Postmaster => return Err(Refusal::ReversePath),
    };
    let mut mail = MailFrom {
        reverse_path,
        size: None,
        body: None,
    };
    for parameter in parameters.split(' ').filter(|parameter| !parameter.is_empty()) {
        mail.parameter(parameter)?;
    }
    Ok(mail)
}

impl MailFrom {
    fn parameter(&mut self, parameter: &str) -> Result<(), Refusal> {
        let (keyword, value) = match parameter.split_once('=') {
            Some((keyword, value)) => (keyword, Some(value)),
            None => (parameter, None),
        };
        if keyword.eq_ignore_ascii_case("SIZE") {
            let size = declared_size(value.unwrap_or_default()).ok_or(Refusal::Arguments)?;
            return set_once(&mut self.size, size);
        }
        if keyword.eq_ignore_ascii_case("BODY") {
            let body = match value {
                Some(value) if value.eq_ignore_ascii_case("7BIT") => BodyType::SevenBit,
                Some(value) if value.eq_ignore_ascii_case("8BITMIME") => BodyType::EightBitMime,
                Some(value) if !value.is_empty() => return Err(Refusal::ParameterValue),
                Some(_) | None => return Err(Refusal::Arguments),
            };
            return set_once(&mut self.body, body);
        }
        Err(Refusal::UnknownParameter)
    }
}

/// A parameter given twice says two things; neither is believed.
fn set_once<T>(place: &mut Option<T>, value: T) -> Result<(), Refusal> {
    if place.is_some() {
        return Err(Refusal::Arguments);
    }
    *place = Some(value);
    Ok(())
}

/// 1 to 20 digits (RFC 1870 §5); what does not fit 64 bits is larger than any limit.
fn declared_size(value: &str) -> Option<u64> {
    let digits = (1..=20).contains(&value.len()) && value.bytes().all(|octet| octet.is_ascii_digit());
    digits.then(|| value.parse().unwrap_or(u64::MAX))
}

fn rcpt_to(argument: &str) -> Result<Recipient, Refusal> {
    let (path, parameters) = path::split(argument, "TO:").ok_or(Refusal::Arguments)?;
    let recipient = match path::parse(path).map_err(|_| Refusal::ForwardPath)? {
        Path::Postmaster => Recipient::Postmaster,
        Path::Mailbox(mailbox) => Recipient::Mailbox(mailbox),
        Path::Null => return Err(Refusal::ForwardPath),
    };
    // No extension that we offer has parameters for RCPT.
    if parameters.trim_matches(' ').is_empty() {
        Ok(recipient)
    } else {
        Err(Refusal::UnknownParameter)
    }
}

#[cfg(test)]
mod tests;
