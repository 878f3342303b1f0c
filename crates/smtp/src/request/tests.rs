#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
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

fn recipient(text: &str) -> Request {
    Request::RcptTo(Recipient::Mailbox(Mailbox::parse(text).unwrap()))
}

#[test]
fn verbs_match_without_case_and_blanks_at_the_end_are_tolerated() {
    for (line, request) in [
        ("ehlo a.example", Request::Ehlo("a.example".into())),
        ("EHLO [IPv6:::1] ", Request::Ehlo("[IPv6:::1]".into())),
        ("hELO x", Request::Helo("x".into())),
        ("dAtA", Request::Data),
        ("QUIT ", Request::Quit),
        ("RSET \t ", Request::Rset),
        ("NOOP anything at all", Request::Noop),
        ("vrfy x", Request::Vrfy),
        ("help", Request::Help),
        ("HELP mail", Request::Help),
        ("rCpT tO:<a@b.example>", recipient("a@b.example")),
        ("RCPT TO:<a@b.example> ", recipient("a@b.example")),
        ("RCPT TO: <a@b.example>", recipient("a@b.example")),
        ("RCPT TO:<PostMaster>", Request::RcptTo(Recipient::Postmaster)),
        ("RCPT TO:<@x,@y:u@d>", recipient("u@d")),
        (
            "RCPT TO:<\"A b>\\\"c\"@Example.org>",
            recipient("\"A b>\\\"c\"@Example.org"),
        ),
        ("RCPT TO:<a@[192.0.2.1]>", recipient("a@[192.0.2.1]")),
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
fn refusals() {
    use Refusal as R;
    for (line, refusal) in [
        ("", R::UnknownCommand),
        ("XYZZY", R::UnknownCommand),
        (" NOOP", R::UnknownCommand),
        ("MAILFROM:<a@b>", R::UnknownCommand),
        ("NOOP\u{0}", R::UnknownCommand),
        ("EXPN list", R::NotImplemented),
        ("STARTTLS", R::NotImplemented),
        ("BDAT 10 LAST", R::NotImplemented),
        ("AUTH PLAIN", R::NotImplemented),
        ("GET / HTTP/1.1", R::OtherProtocol),
        ("POST /x HTTP/1.1", R::OtherProtocol),
        ("connect 192.0.2.1:25 HTTP/1.1", R::OtherProtocol),
        ("DATA x", R::Arguments),
        ("RSET x", R::Arguments),
        ("QUIT now", R::Arguments),
        ("VRFY", R::Arguments),
        ("EHLO", R::HelloName),
        ("HELO  ", R::HelloName),
        ("EHLO a)(b\tX: y", R::HelloName),
        ("EHLO bücher", R::HelloName),
        ("MAIL", R::Arguments),
        ("MAIL TO:<a@b>", R::Arguments),
        ("MAIL FROM:a@b", R::Arguments),
        ("MAIL FROM:<a@b", R::Arguments),
        ("MAIL FROM:<a@b>SIZE=1", R::Arguments),
        ("MAIL FROM:<a>", R::ReversePath),
        ("MAIL FROM:<postmaster>", R::ReversePath),
        ("MAIL FROM:<a b@c>", R::ReversePath),
        ("MAIL FROM:<> SIZE=", R::Arguments),
        ("MAIL FROM:<> SIZE", R::Arguments),
        ("MAIL FROM:<> SIZE=-1", R::Arguments),
        ("MAIL FROM:<> SIZE=1x", R::Arguments),
        ("MAIL FROM:<> SIZE=1 SIZE=1", R::Arguments),
        ("MAIL FROM:<> BODY=", R::Arguments),
        ("MAIL FROM:<> BODY=BINARYMIME", R::ParameterValue),
        ("MAIL FROM:<> SMTPUTF8", R::UnknownParameter),
        ("MAIL FROM:<> RET=HDRS", R::UnknownParameter),
        ("MAIL FROM:<\u{e9}@b>", R::EightBitAddress),
        ("RCPT TO:<\u{e9}@b>", R::EightBitAddress),
        ("RCPT TO:<>", R::ForwardPath),
        ("RCPT TO:<a>", R::ForwardPath),
        ("RCPT TO:<a@[2001:db8::1]>", R::ForwardPath),
        ("RCPT TO:<a@b..c>", R::ForwardPath),
        ("RCPT TO:<a@b> NOTIFY=NEVER", R::UnknownParameter),
        ("RCPT TO:<a\u{0}@b>", R::ControlCharacter),
        ("RCPT TO:<a@b>\r\u{1}x", R::ControlCharacter),
        ("RCPT TO:<\"a\nb\"@c>", R::ControlCharacter),
        ("RCPT TO:<a\u{7f}@b>", R::ControlCharacter),
    ] {
        assert_eq!(parse(line), Err(refusal), "{line:?}");
    }
}

#[test]
fn paths_of_the_longest_lengths() {
    let local = "l".repeat(64);
    let label = "d".repeat(63);
    let domain = format!("{label}.{label}.{}", "d".repeat(61));
    assert_eq!(local.len() + 1 + domain.len(), 254);
    assert!(parse(&format!("RCPT TO:<{local}@{domain}>")).is_ok());
    assert_eq!(
        parse(&format!("RCPT TO:<{local}@{domain}d>")),
        Err(Refusal::ForwardPath)
    );
    assert_eq!(
        parse(&format!("RCPT TO:<{local}l@d.example>")),
        Err(Refusal::ForwardPath)
    );
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
        R::EightBitAddress,
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
            Ok(Request::RcptTo(Recipient::Mailbox(mailbox))) => mailbox.as_str().to_owned(),
            Ok(_) | Err(_) => String::new(),
        };
        prop_assert!(text.bytes().all(|octet| (b' '..=b'~').contains(&octet)));
    }
}
