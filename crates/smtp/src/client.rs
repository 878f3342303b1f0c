//! The commands that we send as a client, octet for octet.

use std::fmt;
use std::fmt::Write as _;

use bytes::BytesMut;
use mail::{BodyType, DomainPart, MailParameters, Mailbox, RecipientParameters, ReversePath, TlsTag};

use crate::authenticate::Response;
use crate::request::Mechanism;
use crate::{Extension, Extensions};

/// A command to a server. Its parts are parsed values: none of them can contain a line ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command<'a> {
    /// `EHLO` with our name or address literal (RFC 5321 §4.1.1.1).
    Ehlo(&'a DomainPart),
    /// `HELO`, for servers that refuse EHLO as unknown (RFC 5321 §3.2).
    Helo(&'a DomainPart),
    /// `STARTTLS` (RFC 3207 §4).
    StartTls,
    /// `AUTH` with a mechanism and, where it fits on the line, the initial response (RFC 4954 §4).
    Auth(Mechanism, Option<&'a Response>),
    /// The response to a challenge of AUTH.
    Response(&'a Response),
    /// `*`, which cancels AUTH.
    CancelAuth,
    /// `MAIL FROM:<…>`, with the parameters whose extensions the server offers.
    MailFrom {
        /// Where reports go.
        reverse_path: &'a ReversePath,
        /// The octets of the content without dot-stuffing (RFC 1870 §5).
        size: u64,
        /// `BODY`, `SMTPUTF8`, `REQUIRETLS`, `RET` and `ENVID`.
        parameters: &'a MailParameters,
    },
    /// `RCPT TO:<…>`, with `NOTIFY` and `ORCPT` where the server offers DSN; [`Command::recipient`] is one without.
    RcptTo(&'a Mailbox, &'a RecipientParameters),
    /// `DATA`.
    Data,
    /// `RSET`.
    Rset,
    /// `NOOP`.
    Noop,
    /// `QUIT`.
    Quit,
}

/// The parameters of a recipient without requests.
const NOTHING_ASKED: &RecipientParameters = &RecipientParameters {
    notify: None,
    original: None,
};

impl<'a> Command<'a> {
    /// `RCPT TO:<…>` without parameters.
    pub fn recipient(mailbox: &'a Mailbox) -> Self {
        Self::RcptTo(mailbox, NOTHING_ASKED)
    }

    /// Appends the command with its CRLF; `extensions` are those of the latest EHLO.
    pub fn write_to(&self, extensions: &Extensions, out: &mut BytesMut) {
        // Writing into a buffer in memory that grows cannot fail.
        let _ = self.format(extensions, out);
    }

    fn format(&self, extensions: &Extensions, out: &mut BytesMut) -> fmt::Result {
        match self {
            Self::Ehlo(name) => write!(out, "EHLO {name}\r\n"),
            Self::Helo(name) => write!(out, "HELO {name}\r\n"),
            Self::StartTls => out.write_str("STARTTLS\r\n"),
            Self::Auth(mechanism, None) => write!(out, "AUTH {}\r\n", mechanism.as_str()),
            Self::Auth(mechanism, Some(initial)) => {
                write!(out, "AUTH {} {}\r\n", mechanism.as_str(), initial.as_str())
            }
            Self::Response(response) => write!(out, "{}\r\n", response.as_str()),
            Self::CancelAuth => out.write_str("*\r\n"),
            Self::MailFrom {
                reverse_path,
                size,
                parameters,
            } => {
                write!(out, "MAIL FROM:<{}>", reverse_path.as_str())?;
                if extensions.offers(Extension::Size) {
                    write!(out, " SIZE={size}")?;
                }
                mail_parameters(parameters, extensions, out)?;
                // The submitter is not known (RFC 4954 §5).
                if extensions.is_logged_in() {
                    out.write_str(" AUTH=<>")?;
                }
                out.write_str("\r\n")
            }
            Self::RcptTo(mailbox, parameters) => {
                write!(out, "RCPT TO:<{mailbox}>")?;
                if extensions.offers(Extension::Dsn) {
                    recipient_parameters(parameters, out)?;
                }
                out.write_str("\r\n")
            }
            Self::Data => out.write_str("DATA\r\n"),
            Self::Rset => out.write_str("RSET\r\n"),
            Self::Noop => out.write_str("NOOP\r\n"),
            Self::Quit => out.write_str("QUIT\r\n"),
        }
    }
}

fn mail_parameters(parameters: &MailParameters, extensions: &Extensions, out: &mut BytesMut) -> fmt::Result {
    // 7BIT is a server's default (RFC 6152 §2).
    if parameters.body == BodyType::EightBitMime && extensions.offers(Extension::EightBitMime) {
        out.write_str(" BODY=8BITMIME")?;
    }
    if parameters.smtputf8 && extensions.offers(Extension::SmtpUtf8) {
        out.write_str(" SMTPUTF8")?;
    }
    if parameters.tls == TlsTag::Required && extensions.offers(Extension::RequireTls) {
        out.write_str(" REQUIRETLS")?;
    }
    if !extensions.offers(Extension::Dsn) {
        return Ok(());
    }
    if let Some(ret) = parameters.ret {
        write!(out, " RET={ret}")?;
    }
    match &parameters.envelope_id {
        Some(id) => write!(out, " ENVID={}", id.as_str()),
        None => Ok(()),
    }
}

fn recipient_parameters(parameters: &RecipientParameters, out: &mut BytesMut) -> fmt::Result {
    if let Some(notify) = &parameters.notify {
        write!(out, " NOTIFY={}", notify.as_str())?;
    }
    match &parameters.original {
        Some(original) => write!(out, " ORCPT={}", original.as_str()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ReplyParser;
    use mail::Ret;

    fn line(command: Command<'_>, keywords: &str) -> String {
        let mut input = BytesMut::from(format!("250-mx\r\n{keywords}250 X\r\n").as_str());
        let reply = ReplyParser::new().parse(&mut input).unwrap().unwrap();
        let mut out = BytesMut::new();
        command.write_to(&Extensions::from_ehlo(&reply), &mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn parameters_only_of_offered_extensions() {
        let sender = ReversePath::parse("\"A b\"@Example.org").unwrap();
        let mail = Command::MailFrom {
            reverse_path: &sender,
            size: 12,
            parameters: &MailParameters::of(BodyType::EightBitMime),
        };
        assert_eq!(line(mail, ""), "MAIL FROM:<\"A b\"@Example.org>\r\n");
        assert_eq!(
            line(mail, "250-SIZE 9\r\n250-8BITMIME\r\n"),
            "MAIL FROM:<\"A b\"@Example.org> SIZE=12 BODY=8BITMIME\r\n"
        );
        let seven = Command::MailFrom {
            reverse_path: &ReversePath::Null,
            size: 12,
            parameters: &MailParameters::of(BodyType::SevenBit),
        };
        assert_eq!(line(seven, "250-8BITMIME\r\n"), "MAIL FROM:<>\r\n");
    }

    #[test]
    fn what_is_asked_of_reports_goes_on_as_it_was_received() {
        let parameters = MailParameters {
            body: BodyType::EightBitMime,
            smtputf8: true,
            ret: Some(Ret::Headers),
            envelope_id: Some("Qq+2B+3D1".parse().unwrap()),
            tls: TlsTag::Required,
        };
        let mail = Command::MailFrom {
            reverse_path: &ReversePath::Null,
            size: 7,
            parameters: &parameters,
        };
        assert_eq!(line(mail, "250-SIZE\r\n"), "MAIL FROM:<> SIZE=7\r\n");
        assert_eq!(
            line(mail, "250-DSN\r\n"),
            "MAIL FROM:<> RET=HDRS ENVID=Qq+2B+3D1\r\n"
        );
        assert_eq!(line(mail, "250-SMTPUTF8\r\n"), "MAIL FROM:<> SMTPUTF8\r\n");
        assert_eq!(line(mail, "250-REQUIRETLS\r\n"), "MAIL FROM:<> REQUIRETLS\r\n");
        assert_eq!(
            line(mail, "250-DSN\r\n250-SMTPUTF8 x\r\n250-8BITMIME\r\n"),
            "MAIL FROM:<> BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=Qq+2B+3D1\r\n"
        );
        let to = Mailbox::parse("a@b.example").unwrap();
        let asked = RecipientParameters {
            notify: Some("success,Failure".parse().unwrap()),
            original: Some("Rfc822;A+2Bb@c.example".parse().unwrap()),
        };
        assert_eq!(
            line(Command::RcptTo(&to, &asked), "250-SIZE\r\n"),
            "RCPT TO:<a@b.example>\r\n"
        );
        assert_eq!(
            line(Command::RcptTo(&to, &asked), "250-DSN\r\n"),
            "RCPT TO:<a@b.example> NOTIFY=success,Failure ORCPT=Rfc822;A+2Bb@c.example\r\n"
        );
        // None is invented.
        assert_eq!(
            line(Command::recipient(&to), "250-DSN\r\n"),
            "RCPT TO:<a@b.example>\r\n"
        );
    }

    #[test]
    fn after_a_login_mail_says_that_the_submitter_is_not_known() {
        let command = Command::MailFrom {
            reverse_path: &ReversePath::Null,
            size: 7,
            parameters: &MailParameters::of(BodyType::SevenBit),
        };
        let mut out = BytesMut::new();
        command.write_to(&Extensions::none().logged_in(), &mut out);
        assert_eq!(&*out, b"MAIL FROM:<> AUTH=<>\r\n");
    }

    #[test]
    fn the_plain_commands() {
        let name = DomainPart::parse("relay.example").unwrap();
        let literal = DomainPart::parse("[IPv6:2001:db8::1]").unwrap();
        let to = Mailbox::parse("a+B@example.org").unwrap();
        for (command, text) in [
            (Command::Ehlo(&name), "EHLO relay.example\r\n"),
            (Command::Helo(&literal), "HELO [IPv6:2001:db8::1]\r\n"),
            (Command::StartTls, "STARTTLS\r\n"),
            (Command::recipient(&to), "RCPT TO:<a+B@example.org>\r\n"),
            (Command::Auth(Mechanism::Login, None), "AUTH LOGIN\r\n"),
            (
                Command::Auth(Mechanism::Plain, Some(&Response::plain("a", "b"))),
                "AUTH PLAIN AGEAYg==\r\n",
            ),
            (Command::Response(&Response::text("a")), "YQ==\r\n"),
            (Command::CancelAuth, "*\r\n"),
            (Command::Data, "DATA\r\n"),
            (Command::Rset, "RSET\r\n"),
            (Command::Noop, "NOOP\r\n"),
            (Command::Quit, "QUIT\r\n"),
        ] {
            assert_eq!(line(command, "250-SIZE\r\n"), text);
        }
    }
}
