//! Commands of a client.

use bytes::BytesMut;
use data_encoding::BASE64;
use mail::{BodyType, encode_xtext};
use smtp::line::COMMAND_LINE_LENGTH;
use smtp::request::Mechanism;
use smtp::{Attribute, Attributes, Auth, ForwardPath, Line, LineReader, MailFrom, RcptTo, Request};

use super::input::{Input, pieces};

/// The first octet says how the rest is split into pieces, which must make no difference. A command parses to the same when
/// it is written again, and a refusal is one reply.
pub fn smtp_request(octets: &[u8]) {
    let mut input = Input::new(octets);
    let sizes = input.octet();
    let wire = input.rest();
    let lines = read(&[wire]);
    assert_eq!(lines, read(&pieces(wire, sizes)));
    for line in lines {
        match line {
            Line::Complete(line) => command(&line),
            Line::TooLong => assert!(wire.len() > COMMAND_LINE_LENGTH),
        }
    }
}

fn read(pieces: &[&[u8]]) -> Vec<Line> {
    let mut reader = LineReader::new();
    let mut buffer = BytesMut::new();
    let mut lines = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        while let Some(line) = reader.next_line(&mut buffer) {
            lines.push(line);
        }
        assert!(buffer.len() <= COMMAND_LINE_LENGTH);
    }
    lines
}

fn command(line: &[u8]) {
    assert!(!line.windows(2).any(|pair| pair == b"\r\n"));
    let parsed = Request::parse(line);
    assert_eq!(parsed, Request::parse(&[line, b" \t"].concat()));
    match parsed {
        Ok(request) => {
            let written = written(&request);
            assert!(!written.contains(char::is_control), "{written:?}");
            assert_eq!(Request::parse(written.as_bytes()), Ok(request));
        }
        Err(refusal) => {
            let reply = refusal.to_string();
            assert!(
                reply.starts_with(['4', '5']) && reply.as_bytes()[3] == b' ',
                "{reply}"
            );
            assert!(reply.bytes().all(|octet| matches!(octet, b' '..=b'~')), "{reply}");
        }
    }
}

/// The command as a client would send it.
fn written(request: &Request) -> String {
    match request {
        Request::Ehlo(name) => format!("ehlo {name}"),
        Request::Helo(name) => format!("helo {name}"),
        Request::MailFrom(mail) => mail_from(mail),
        Request::RcptTo(rcpt) => rcpt_to(rcpt),
        Request::Data => "data".to_owned(),
        Request::Rset => "rset".to_owned(),
        Request::Noop => "noop".to_owned(),
        Request::Quit => "quit".to_owned(),
        Request::Vrfy => "vrfy x".to_owned(),
        Request::Help => "help".to_owned(),
        Request::StartTls => "starttls".to_owned(),
        Request::Auth(auth) => authentication(auth),
        Request::Bdat(chunk) => {
            let last = if chunk.last { " last" } else { "" };
            format!("bdat {}{last}", chunk.octets)
        }
        Request::XClient(said) => format!("xclient{}", attributes(said)),
        Request::XForward(said) => format!("xforward{}", attributes(said)),
    }
}

fn authentication(auth: &Auth) -> String {
    let mechanism = match auth.mechanism {
        Mechanism::Plain => "plain",
        Mechanism::Login => "login",
    };
    match auth.initial.as_deref() {
        None => format!("auth {mechanism}"),
        Some([]) => format!("auth {mechanism} ="),
        Some(response) => format!("auth {mechanism} {}", BASE64.encode(response)),
    }
}

fn attributes(said: &Attributes) -> String {
    let written = said.0.iter().map(|(attribute, value)| {
        let name = match attribute {
            Attribute::Name => "name",
            Attribute::Address => "addr",
            Attribute::Helo => "helo",
            Attribute::Login => "login",
            Attribute::Other => "port",
        };
        let value = value.as_deref().map_or("[UNAVAILABLE]".to_owned(), |value| {
            encode_xtext(value).expect("attributes are ASCII")
        });
        format!(" {name}={value}")
    });
    written.collect()
}

fn mail_from(mail: &MailFrom) -> String {
    let path = mail.reverse_path.as_str();
    let size = mail.size.map(|size| format!(" size={size}")).unwrap_or_default();
    let body = match mail.body {
        Some(BodyType::SevenBit) => " body=7bit",
        Some(BodyType::EightBitMime) => " body=8bitmime",
        None => "",
    };
    let utf8 = if mail.smtputf8 { " smtputf8" } else { "" };
    let ret = mail.ret.map(|ret| format!(" ret={ret}")).unwrap_or_default();
    let id = mail.envelope_id.as_ref();
    let id = id.map(|id| format!(" envid={}", id.as_str())).unwrap_or_default();
    let submitter = mail.submitter.as_deref();
    let submitter = submitter.map(|text| format!(" auth={}", encode_xtext(text).expect("ASCII")));
    let submitter = submitter.unwrap_or_default();
    format!("mail from:<{path}>{size}{body}{utf8}{ret}{id}{submitter}")
}

fn rcpt_to(rcpt: &RcptTo) -> String {
    let path = match &rcpt.path {
        ForwardPath::Postmaster => "postmaster",
        ForwardPath::Mailbox(mailbox) => mailbox.as_str(),
    };
    let notify = rcpt.parameters.notify.as_ref();
    let notify = notify.map(|notify| format!(" notify={}", notify.as_str()));
    let original = rcpt.parameters.original.as_ref();
    let original = original.map(|original| format!(" orcpt={}", original.as_str()));
    format!(
        "rcpt to:<{path}>{}{}",
        notify.unwrap_or_default(),
        original.unwrap_or_default()
    )
}
