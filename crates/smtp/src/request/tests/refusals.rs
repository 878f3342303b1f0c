//! What is refused, and as what.

use super::*;
use Refusal as R;

/// Each of these lines is refused like this.
fn refused(refusal: Refusal, lines: &[&str]) {
    for line in lines {
        assert_eq!(parse(line), Err(refusal), "{line:?}");
    }
}

#[test]
fn what_is_no_command() {
    refused(
        R::UnknownCommand,
        &["", "XYZZY", " NOOP", "MAILFROM:<a@b>", "NOOP\u{0}"],
    );
}

#[test]
fn commands_that_are_not_offered() {
    refused(R::NotImplemented, &["EXPN list", "ETRN x", "BURL x", "TURN"]);
}

#[test]
fn requests_of_another_protocol() {
    refused(
        R::OtherProtocol,
        &[
            "GET / HTTP/1.1",
            "POST /x HTTP/1.1",
            "connect 192.0.2.1:25 HTTP/1.1",
        ],
    );
}

#[test]
fn arguments_where_none_belong_and_none_where_one_does() {
    refused(
        R::Arguments,
        &[
            "DATA x",
            "RSET x",
            "QUIT now",
            "VRFY",
            "STARTTLS x",
            "AUTH",
            "XCLIENT",
            "XFORWARD X",
        ],
    );
}

#[test]
fn names_that_a_client_cannot_have() {
    refused(R::HelloName, &["EHLO", "HELO  ", "EHLO a)(b\tX: y"]);
}

#[test]
fn mail_without_a_whole_path() {
    refused(
        R::Arguments,
        &[
            "MAIL",
            "MAIL TO:<a@b>",
            "MAIL FROM:",
            "MAIL FROM:a@b>",
            "MAIL FROM:<a@b",
            "MAIL FROM:<a@b>SIZE=1",
        ],
    );
}

#[test]
fn reverse_paths_that_are_no_address() {
    refused(
        R::ReversePath,
        &["MAIL FROM:<a>", "MAIL FROM:<postmaster>", "MAIL FROM:<a b@c>"],
    );
}

/// They would be looked up as names; a sender's domain only matters for reports.
#[test]
fn recipients_at_a_bare_address() {
    refused(
        R::BareAddress,
        &["RCPT TO:<u@192.0.2.1>", "RCPT TO:<@a:u@192.0.2.1.>"],
    );
    assert!(parse("RCPT TO:<u@192.0.2.1.example>").is_ok());
    assert!(parse("RCPT TO:<u@[192.0.2.1]>").is_ok());
    assert!(parse("MAIL FROM:<u@192.0.2.1>").is_ok());
}

/// RFC 1870 §3: digits; the parameter comes once (§6).
#[test]
fn sizes_that_are_no_number() {
    refused(
        R::Arguments,
        &[
            "MAIL FROM:<> SIZE=",
            "MAIL FROM:<> SIZE",
            "MAIL FROM:<> SIZE=-1",
            "MAIL FROM:<> SIZE=1x",
            "MAIL FROM:<> SIZE=1 SIZE=1",
        ],
    );
}

/// RFC 6152 §2; the third value is that of RFC 3030, which is not offered.
#[test]
fn bodies_of_no_known_kind() {
    refused(R::Arguments, &["MAIL FROM:<> BODY="]);
    refused(R::ParameterValue, &["MAIL FROM:<> BODY=BINARYMIME"]);
}

/// RFC 6531 §3.4: without a value, once.
#[test]
fn smtputf8_with_a_value_or_twice() {
    refused(
        R::Arguments,
        &[
            "MAIL FROM:<> SMTPUTF8=1",
            "MAIL FROM:<> SMTPUTF8=",
            "MAIL FROM:<> SMTPUTF8 SMTPUTF8",
        ],
    );
}

/// RFC 3461 §4.3: FULL or HDRS, once.
#[test]
fn ret_of_no_known_kind_or_twice() {
    refused(
        R::Arguments,
        &[
            "MAIL FROM:<> RET",
            "MAIL FROM:<> RET=BODY",
            "MAIL FROM:<> RET=FULL RET=FULL",
        ],
    );
}

/// RFC 3461 §4.4: printable ASCII in xtext, once.
#[test]
fn envelope_ids_that_are_no_xtext_or_not_printable() {
    refused(
        R::Arguments,
        &[
            "MAIL FROM:<> ENVID",
            "MAIL FROM:<> ENVID=",
            "MAIL FROM:<> ENVID=a+zz",
            "MAIL FROM:<> ENVID=a+2b",
            "MAIL FROM:<> ENVID=+0D",
            "MAIL FROM:<> ENVID=a=b",
            "MAIL FROM:<> SMTPUTF8 ENVID=\u{e9}",
            "MAIL FROM:<> ENVID=a ENVID=a",
        ],
    );
}

#[test]
fn parameters_that_are_not_offered_or_belong_to_the_other_command() {
    refused(
        R::UnknownParameter,
        &[
            "MAIL FROM:<> NOTIFY=NEVER",
            "MAIL FROM:<> \u{e9}",
            "RCPT TO:<a@b> RET=FULL",
            "RCPT TO:<a@b> SMTPUTF8",
        ],
    );
}

/// RFC 6531 §3.5.
#[test]
fn reverse_paths_beyond_ascii_without_smtputf8() {
    refused(
        R::InternationalizedSender,
        &["MAIL FROM:<\u{e9}@b>", "MAIL FROM:<\u{e9}@b> BODY=8BITMIME"],
    );
}

#[test]
fn forward_paths_that_are_no_address() {
    refused(
        R::ForwardPath,
        &[
            "RCPT TO:<>",
            "RCPT TO:<a>",
            "RCPT TO:<a@[2001:db8::1]>",
            "RCPT TO:<a@b..c>",
            "RCPT TO:<@\u{fc}.example:a@b>",
        ],
    );
}

/// RFC 3461 §4.1: NEVER by itself, or each of the others once.
#[test]
fn notify_that_contradicts_or_repeats_itself() {
    refused(
        R::Arguments,
        &[
            "RCPT TO:<a@b> NOTIFY",
            "RCPT TO:<a@b> NOTIFY=",
            "RCPT TO:<a@b> NOTIFY=NEVER,SUCCESS",
            "RCPT TO:<a@b> NOTIFY=DELAY,DELAY",
            "RCPT TO:<a@b> NOTIFY=FAILURE, DELAY",
            "RCPT TO:<a@b> NOTIFY=MAYBE",
            "RCPT TO:<a@b> NOTIFY=NEVER NOTIFY=NEVER",
        ],
    );
}

/// RFC 3461 §4.2: a type and an address in xtext, once.
#[test]
fn original_recipients_without_type_or_address_or_not_printable() {
    refused(
        R::Arguments,
        &[
            "RCPT TO:<a@b> ORCPT",
            "RCPT TO:<a@b> ORCPT=",
            "RCPT TO:<a@b> ORCPT=a@b",
            "RCPT TO:<a@b> ORCPT=rfc822;",
            "RCPT TO:<a@b> ORCPT=rfc822;a+0Ab",
            "RCPT TO:<a@b> ORCPT=rfc822;a+00",
            "RCPT TO:<a@b> ORCPT=rfc822;\u{e9}",
            "RCPT TO:<a@b> ORCPT=rfc822;a ORCPT=rfc822;a",
        ],
    );
}

#[test]
fn control_characters_anywhere() {
    refused(
        R::ControlCharacter,
        &[
            "RCPT TO:<a\u{0}@b>",
            "RCPT TO:<a@b>\r\u{1}x",
            "RCPT TO:<\"a\nb\"@c>",
            "RCPT TO:<a\u{7f}@b>",
        ],
    );
}

/// RFC 4954 §5: xtext or `<>`, once.
#[test]
fn submitters_that_are_no_xtext_or_twice() {
    refused(
        R::Arguments,
        &[
            "MAIL FROM:<> AUTH",
            "MAIL FROM:<> AUTH=",
            "MAIL FROM:<> AUTH=a+zz",
            "MAIL FROM:<> AUTH=a+0Ab",
            "MAIL FROM:<> AUTH=<> AUTH=<>",
        ],
    );
    assert!(parse("MAIL FROM:<> AUTH=<>").is_ok());
    assert!(parse("MAIL FROM:<> AUTH=a+3Db@c.example").is_ok());
}
