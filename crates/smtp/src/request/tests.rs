#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod refusals;

use super::*;
use crate::{Line, LineReader};
use bytes::BytesMut;
use mail::address::PATH_LENGTH;
use mail::{BodyType, Mailbox, Ret};
use mail::{Notify, OriginalRecipient};
use proptest::prelude::*;

fn parse(line: &str) -> Result<Request, Refusal> {
    Request::parse(line.as_bytes())
}

fn mail(line: &str) -> MailFrom {
    match parse(line) {
        Ok(Request::MailFrom(mail)) => mail,
        other => unreachable!("{line}: {other:?}"),
    }
}

fn rcpt(line: &str) -> RcptTo {
    match parse(line) {
        Ok(Request::RcptTo(rcpt)) => rcpt,
        other => unreachable!("{line}: {other:?}"),
    }
}

fn recipient(path: ForwardPath) -> Request {
    Request::RcptTo(RcptTo {
        path,
        parameters: RecipientParameters::default(),
    })
}

fn mailbox(text: &str) -> Request {
    recipient(ForwardPath::Mailbox(Mailbox::parse(text).unwrap()))
}

#[test]
fn verbs_match_without_case_and_blanks_at_the_end_are_tolerated() {
    for (line, request) in [
        ("ehlo a.example", Request::Ehlo("a.example".into())),
        ("EHLO [IPv6:::1] ", Request::Ehlo("[IPv6:::1]".into())),
        (
            "EHLO b\u{fc}cher.example",
            Request::Ehlo("b??cher.example".into()),
        ),
        ("hELO x", Request::Helo("x".into())),
        ("dAtA", Request::Data),
        ("QUIT ", Request::Quit),
        ("RSET \t ", Request::Rset),
        ("NOOP anything at all", Request::Noop),
        ("vrfy x", Request::Vrfy),
        ("VRFY \u{fc}ber SMTPUTF8", Request::Vrfy),
        ("help", Request::Help),
        ("HELP mail", Request::Help),
        ("rCpT tO:<a@b.example>", mailbox("a@b.example")),
        ("RCPT TO:<a@b.example> ", mailbox("a@b.example")),
        ("RCPT TO: <a@b.example>", mailbox("a@b.example")),
        ("RCPT TO:a@b.example", mailbox("a@b.example")),
        ("RCPT TO:<a..b@c.example>", mailbox("\"a..b\"@c.example")),
        ("RCPT TO: a.@c.example", mailbox("\"a.\"@c.example")),
        ("RCPT TO:<PostMaster>", recipient(ForwardPath::Postmaster)),
        ("RCPT TO:<@x,@y:u@d>", mailbox("u@d")),
        (
            "RCPT TO:<\"A b>\\\"c\"@Example.org>",
            mailbox("\"A b>\\\"c\"@Example.org"),
        ),
        ("RCPT TO:<a@[192.0.2.1]>", mailbox("a@[192.0.2.1]")),
    ] {
        assert_eq!(parse(line), Ok(request), "{line}");
    }
}

#[test]
fn mail_and_its_parameters() {
    assert_eq!(mail("mAiL fRoM:<>").reverse_path, ReversePath::Null);
    assert_eq!(
        mail("MAIL FROM:<a@b.example>").reverse_path,
        ReversePath::parse("a@b.example").unwrap()
    );
    assert_eq!(
        mail("MAIL FROM:<@r.example:a@b.example>").reverse_path.as_str(),
        "a@b.example"
    );
    let full = mail("MAIL FROM:<a@b.example> size=10240  Body=8bitmime ");
    assert_eq!(
        (full.size, full.body),
        (Some(10240), Some(BodyType::EightBitMime))
    );
    assert_eq!(mail("MAIL FROM:<> BODY=7BIT").body, Some(BodyType::SevenBit));
    assert_eq!(
        mail("MAIL FROM:<> SIZE=99999999999999999999").size,
        Some(u64::MAX)
    );
}

#[test]
fn reports_are_asked_for_octet_for_octet() {
    let asked = mail("MAIL FROM:<a@b.example> ret=hdrs smtpUTF8 EnvId=Qq+2B+3D1 SIZE=7 BODY=8BITMIME");
    assert_eq!(asked.ret, Some(Ret::Headers));
    assert_eq!(asked.envelope_id.unwrap().as_str(), "Qq+2B+3D1");
    assert!(asked.smtputf8);
    assert_eq!((asked.size, asked.body), (Some(7), Some(BodyType::EightBitMime)));
    let plain = mail("MAIL FROM:<a@b.example>");
    assert_eq!(
        (plain.smtputf8, plain.ret, plain.envelope_id),
        (false, None, None)
    );
    for (line, notify, original) in [
        ("RCPT TO:<a@b>", None, None),
        ("RCPT TO:<a@b> notify=Success,dELAY", Some("Success,dELAY"), None),
        ("RCPT TO:<a@b> NOTIFY=never", Some("never"), None),
        (
            "RCPT TO:<a@b>  orcpt=RFC822;A+2Bb@C.example  NOTIFY=FAILURE ",
            Some("FAILURE"),
            Some("RFC822;A+2Bb@C.example"),
        ),
        (
            "RCPT TO:<Postmaster> ORCPT=x400;/c+3Dus/",
            None,
            Some("x400;/c+3Dus/"),
        ),
        (
            "RCPT TO:<a@b> ORCPT=utf-8;\\x{E9}t\\x{E9}@b",
            None,
            Some("utf-8;\\x{E9}t\\x{E9}@b"),
        ),
    ] {
        let parameters = rcpt(line).parameters;
        assert_eq!(parameters.notify.as_ref().map(Notify::as_str), notify, "{line}");
        let orcpt = parameters.original.as_ref().map(OriginalRecipient::as_str);
        assert_eq!(orcpt, original, "{line}");
    }
}

#[test]
fn addresses_beyond_ascii() {
    // The parameter comes after the path that it permits.
    let sender = mail("MAIL FROM:<\u{fc}ber@b\u{fc}cher.example> SMTPUTF8");
    assert_eq!(sender.reverse_path.as_str(), "\u{fc}ber@b\u{fc}cher.example");
    assert_eq!(
        mail("MAIL FROM:<a@b\u{fc}cher.example>").reverse_path.as_str(),
        "a@xn--bcher-kva.example"
    );
    let ascii = |line| rcpt(line).into_ascii();
    assert_eq!(ascii("RCPT TO:<\"\u{e9} x\"@xn--bcher-kva.example>"), None);
    assert_eq!(ascii("RCPT TO:<a@b> ORCPT=utf-8;\u{e9}@b"), None);
    for line in ["RCPT TO:<a@b> ORCPT=utf-8;\\x{E9}@b", "RCPT TO:<Postmaster>"] {
        assert_eq!(ascii(line), Some(rcpt(line)));
    }
    let converted = ascii("RCPT TO:<a@b\u{fc}cher.example> NOTIFY=NEVER");
    assert_eq!(
        converted,
        Some(rcpt("RCPT TO:<a@xn--bcher-kva.example> NOTIFY=NEVER"))
    );
    for (line, refusal) in [
        (&b"MAIL FROM:<\xe9@b> SMTPUTF8"[..], Refusal::NotUtf8),
        (b"MAIL FROM:<\xc0\xaf@b> SMTPUTF8", Refusal::NotUtf8),
        (b"RCPT TO:<\xed\xa0\x80@b>", Refusal::NotUtf8),
        (b"RCPT TO:<a\xc3@b>", Refusal::NotUtf8),
        (b"RCPT TO:<\xff\x01@b>", Refusal::ControlCharacter),
        // A control character of ISO 8859 in UTF-8.
        (b"RCPT TO:<\xc2\x85@b>", Refusal::ControlCharacter),
        (b"NOOP \xff", Refusal::Arguments),
    ] {
        assert_eq!(Request::parse(line), Err(refusal), "{line:?}");
    }
    assert_eq!(
        Request::parse(b"HELO B\xdcRO-PC"),
        Ok(Request::Helo("B?RO-PC".into())),
        "a name of a machine, in ISO 8859-1"
    );
}

#[test]
fn the_dot_at_the_end_of_a_domain_is_not_passed_on() {
    assert_eq!(
        mail("MAIL FROM:<a@b.example.>").reverse_path.as_str(),
        "a@b.example"
    );
    let ForwardPath::Mailbox(to) = rcpt("RCPT TO:<a@b\u{fc}cher.example.>").path else {
        unreachable!("it is a mailbox");
    };
    assert_eq!(to.as_str(), "a@b\u{fc}cher.example");
}

#[test]
fn paths_of_the_longest_lengths() {
    let path = |octets: usize| format!("{}@d.example", "l".repeat(octets - "@d.example".len()));
    assert!(parse(&format!("RCPT TO:<{}>", path(PATH_LENGTH))).is_ok());
    assert_eq!(
        parse(&format!("RCPT TO:<{}>", path(PATH_LENGTH + 1))),
        Err(Refusal::ForwardPath)
    );
    let label = "d".repeat(63);
    let domain = format!("{label}.{label}.{}", "d".repeat(61));
    assert!(parse(&format!("RCPT TO:<l@{domain}>")).is_ok());
    assert_eq!(
        parse(&format!("RCPT TO:<l@{domain}{domain}>")),
        Err(Refusal::ForwardPath)
    );
}

#[test]
fn control_characters_are_refused_wherever_they_stand() {
    for line in [
        "NOOP\n",
        "QUIT\r",
        "NOOP \x0c",
        "NOOP a\tb",
        "RSET\x0b",
        "VRFY \0",
        "HELP\x1b[0m",
        "DATA\n \t",
    ] {
        assert!(parse(line).is_err(), "{line:?}");
    }
    for line in ["NOOP\t", "NOOP \t ", "QUIT\t"] {
        assert!(parse(line).is_ok(), "{line:?}");
    }
}

/// RFC 3461 §5.4, RFC 1870 §3, RFC 6152 §2, RFC 6531 §3.1: with all parameters at their longest.
#[test]
fn commands_of_the_longest_lengths() {
    let path = format!("{}@d.example", "l".repeat(PATH_LENGTH - "@d.example".len()));
    let id = "i".repeat(100);
    let from =
        format!("MAIL FROM:<{path}> SIZE=12345678901234567890 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID={id}");
    assert_eq!(mail(&from).envelope_id.unwrap().as_str(), id);
    assert_eq!(parse(&format!("{from}i")), Err(Refusal::Arguments));
    let original = format!("rfc822;{}", "o".repeat(493));
    let to = format!("RCPT TO:<{path}> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT={original}");
    assert_eq!(rcpt(&to).parameters.original.unwrap().as_str(), original);
    assert_eq!(parse(&format!("{to}o")), Err(Refusal::Arguments));
    for line in [from, to, format!("RCPT TO:<{path}>{}", " ".repeat(1036))] {
        let mut input = BytesMut::from(format!("{line}\r\n").as_str());
        let read = LineReader::new().next_line(&mut input);
        assert_eq!(read, Some(Line::Complete(BytesMut::from(line.as_str()))));
    }
}

#[test]
fn every_reply_has_a_code_and_an_enhanced_code_of_its_class() {
    use Refusal as R;
    for refusal in [
        R::LineTooLong,
        R::UnknownCommand,
        R::NotImplemented,
        R::ControlCharacter,
        R::Arguments,
        R::ReversePath,
        R::ForwardPath,
        R::NotUtf8,
        R::InternationalizedSender,
        R::InternationalizedRecipient,
        R::UnknownParameter,
        R::ParameterValue,
        R::NoHello,
        R::NestedMail,
        R::NoMail,
        R::NoRecipients,
    ] {
        let text = refusal.to_string();
        assert!(text.starts_with('5') && text[4..].starts_with("5."), "{text}");
    }
    assert!(R::HelloName.to_string().starts_with("501 Syntax"));
}

proptest! {
    #[test]
    fn what_is_parsed_holds_no_control_character(
        verb in prop_oneof![Just("MAIL FROM:<"), Just("RCPT TO:<"), Just("EHLO "), Just("")],
        rest in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let line = [verb.as_bytes(), &rest].concat();
        let text = match Request::parse(&line) {
            Ok(Request::Ehlo(name) | Request::Helo(name)) => name,
            Ok(Request::MailFrom(mail)) => mail.reverse_path.as_str().to_owned(),
            Ok(Request::RcptTo(RcptTo { path: ForwardPath::Mailbox(mailbox), .. })) => mailbox.as_str().to_owned(),
            Ok(_) | Err(_) => String::new(),
        };
        prop_assert!(!text.contains(char::is_control));
    }
}
