//! The commands that we accept as a server, parsed strictly (RFC 5321 §4.1.1).

use mail::{RecipientParameters, ReversePath, TlsTag};

use crate::path::{self, Path};
use crate::refusal::Refusal;

mod attributes;
mod auth;
mod chunk;
mod named;
mod parameters;

pub use self::attributes::{Attribute, Attributes};
pub use self::auth::{Answer, Auth, Credentials, Exchange, Mechanism};
pub use self::chunk::Chunk;
pub use self::named::{ForwardPath, MailFrom, RcptTo};

/// One command of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// `EHLO` with the client's name for itself: printable ASCII, never empty, and not to be trusted. Octets above 127 have
    /// become `?`.
    Ehlo(String),
    /// `HELO`, likewise.
    Helo(String),
    /// `MAIL FROM:`.
    MailFrom(MailFrom),
    /// `RCPT TO:`.
    RcptTo(RcptTo),
    /// `DATA`.
    Data,
    /// `RSET`.
    Rset,
    /// `NOOP`; its argument is ignored (RFC 5321 §4.1.1.9).
    Noop,
    /// `QUIT`.
    Quit,
    /// `VRFY`, whose argument is ignored: every address gets the same answer.
    Vrfy,
    /// `HELP`.
    Help,
    /// `STARTTLS` (RFC 3207 §4).
    StartTls,
    /// `AUTH` (RFC 4954 §4).
    Auth(Auth),
    /// `BDAT` (RFC 3030 §2).
    Bdat(Chunk),
    /// `XCLIENT` (Postfix's `XCLIENT_README`): a proxy in front of us says who the client is.
    XClient(Attributes),
    /// `XFORWARD` (Postfix's `XFORWARD_README`): a filter in front of us says who sent a message.
    XForward(Attributes),
}

impl Request {
    /// Parses a command line without its CRLF. Verbs are case-insensitive; blanks and tabs at the end are accepted (RFC 5321
    /// §4.1.1), other control characters nowhere.
    pub fn parse(line: &[u8]) -> Result<Self, Refusal> {
        let line = without_blanks_at_end(line);
        let verb = line.iter().take_while(|octet| **octet != b' ').count();
        let (verb, rest) = line.split_at_checked(verb).unwrap_or((line, b""));
        if METHODS.iter().any(|method| verb.eq_ignore_ascii_case(method)) {
            return Err(Refusal::OtherProtocol);
        }
        let verb = Verb::find(verb).ok_or(Refusal::UnknownCommand)?;
        let text = argument(verb, rest);
        match verb {
            Verb::Ehlo => hello(rest).map(Self::Ehlo),
            Verb::Helo => hello(rest).map(Self::Helo),
            Verb::Mail => mail_from(text?).map(Self::MailFrom),
            Verb::Rcpt => rcpt_to(text?).map(Self::RcptTo),
            Verb::Data => alone(text?, Self::Data),
            Verb::Rset => alone(text?, Self::Rset),
            Verb::Quit => alone(text?, Self::Quit),
            Verb::Noop => text.map(|_| Self::Noop),
            Verb::Help => text.map(|_| Self::Help),
            Verb::Vrfy if text?.is_empty() => Err(Refusal::Arguments),
            Verb::Vrfy => Ok(Self::Vrfy),
            Verb::StartTls => alone(text?, Self::StartTls),
            Verb::Auth => Auth::parse(text?).map(Self::Auth),
            Verb::Bdat => Chunk::parse(text.map_err(|_| Refusal::Chunk)?).map(Self::Bdat),
            Verb::XClient => Attributes::parse(text?).map(Self::XClient),
            Verb::XForward => Attributes::parse(text?).map(Self::XForward),
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
    StartTls,
    Auth,
    Bdat,
    XClient,
    XForward,
    NotImplemented,
}

const VERBS: [(&str, Verb); 23] = [
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
    ("STARTTLS", Verb::StartTls),
    ("AUTH", Verb::Auth),
    ("BDAT", Verb::Bdat),
    ("XCLIENT", Verb::XClient),
    ("XFORWARD", Verb::XForward),
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

fn without_blanks_at_end(line: &[u8]) -> &[u8] {
    let last = line.iter().rposition(|octet| !matches!(octet, b' ' | b'\t'));
    line.get(..last.map_or(0, |last| last + 1)).unwrap_or_default()
}

/// The argument as text without control characters, and without leading blanks. It may contain non-ASCII characters where an
/// address is expected (RFC 6531 §3.2); the command checks whether the transaction has SMTPUTF8.
fn argument(verb: Verb, rest: &[u8]) -> Result<&str, Refusal> {
    let has_address = matches!(verb, Verb::Mail | Verb::Rcpt | Verb::Vrfy);
    match std::str::from_utf8(rest) {
        Ok(text) if text.contains(char::is_control) => Err(Refusal::ControlCharacter),
        Err(_) if rest.iter().any(u8::is_ascii_control) => Err(Refusal::ControlCharacter),
        Err(_) if has_address => Err(Refusal::NotUtf8),
        Ok(text) if has_address || text.is_ascii() => Ok(text.trim_start_matches(' ')),
        Ok(_) | Err(_) => Err(Refusal::Arguments),
    }
}

fn alone(argument: &str, request: Request) -> Result<Request, Refusal> {
    if argument.is_empty() {
        Ok(request)
    } else {
        Err(Refusal::Arguments)
    }
}

/// Anything but control characters is accepted: a wrong name is no reason to refuse mail (RFC 5321 §4.1.4). Machines whose
/// names have umlauts give them in whatever encoding they use.
fn hello(argument: &[u8]) -> Result<String, Refusal> {
    let name = argument.trim_ascii_start();
    if name.is_empty() || name.iter().any(u8::is_ascii_control) {
        return Err(Refusal::HelloName);
    }
    let printable = |octet: &u8| if octet.is_ascii() { char::from(*octet) } else { '?' };
    Ok(name.iter().map(printable).collect())
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
        smtputf8: false,
        ret: None,
        envelope_id: None,
        tls: TlsTag::Usual,
        submitter: None,
    };
    for (keyword, value) in parameters::split(parameters) {
        mail.parameter(keyword, value)?;
    }
    // The parameter that permits such a path comes after it.
    if let ReversePath::Mailbox(mailbox) = &mail.reverse_path
        && !mail.smtputf8
    {
        let ascii = mailbox.to_ascii().ok_or(Refusal::InternationalizedSender)?;
        mail.reverse_path = ReversePath::Mailbox(ascii);
    }
    Ok(mail)
}

fn rcpt_to(argument: &str) -> Result<RcptTo, Refusal> {
    let (path, parameters) = path::split(argument, "TO:").ok_or(Refusal::Arguments)?;
    let path = match path::parse(path).map_err(|_| Refusal::ForwardPath)? {
        Path::Postmaster => ForwardPath::Postmaster,
        Path::Mailbox(mailbox) if mailbox.domain().is_bare_address() => return Err(Refusal::BareAddress),
        Path::Mailbox(mailbox) => ForwardPath::Mailbox(mailbox),
        Path::Null => return Err(Refusal::ForwardPath),
    };
    let mut recipient = RcptTo {
        path,
        parameters: RecipientParameters::default(),
    };
    for (keyword, value) in parameters::split(parameters) {
        recipient.parameter(keyword, value)?;
    }
    Ok(recipient)
}

#[cfg(test)]
mod tests;
