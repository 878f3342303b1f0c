//! Replies of every shape, good and bad.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]
use super::*;
use proptest::prelude::*;

fn parse(text: &[u8]) -> Result<Option<Reply>, ReplyError> {
    ReplyParser::new().parse(&mut BytesMut::from(text))
}

fn reply(text: &[u8]) -> Reply {
    parse(text).unwrap().unwrap()
}

#[test]
fn all_forms_of_a_last_line() {
    assert_eq!(*reply(b"250\r\n").lines, [""]);
    assert_eq!(*reply(b"250 \r\n").lines, [""]);
    assert_eq!(*reply(b"250-a\r\n250-b\r\n250\r\n").lines, ["a", "b", ""]);
    assert_eq!(*reply(b"220 mx.example ESMTP\n").lines, ["mx.example ESMTP"]);
}

#[test]
fn unknown_codes_count_by_their_first_digit() {
    for (text, class) in [("259 x\r\n", 2), ("459 x\r\n", 4), ("559 x\r\n", 5)] {
        assert_eq!(reply(text.as_bytes()).code.class(), class);
    }
}

#[test]
fn what_is_no_reply() {
    for (text, error) in [
        (&b"150 hi\r\n"[..], ReplyError::Code),
        (b"650 no\r\n", ReplyError::Code),
        (b"099\r\n", ReplyError::Code),
        (b"25\r\n", ReplyError::Malformed),
        (b"HTTP/1.1 400\r\n", ReplyError::Malformed),
        (b"250x\r\n", ReplyError::Malformed),
        (b"2500 x\r\n", ReplyError::Malformed),
    ] {
        assert_eq!(parse(text), Err(error), "{}", text.escape_ascii());
    }
}

#[test]
fn a_reply_with_different_codes_is_none_but_all_its_words_are_kept() {
    let mixed = |text: &[u8]| match parse(text) {
        Err(ReplyError::MixedCodes(words)) => words,
        other => panic!("{other:?}"),
    };
    for (text, words) in [
        (&b"250-x\r\n550 y\r\n"[..], "250-x 550 y"),
        (
            b"220-mx.example\r\n220-no spam\r\n521 5.3.2 no mail here\r\n",
            "220-mx.example 220-no spam 521 5.3.2 no mail here",
        ),
        (
            b"250-this\r\n550-that\r\n250 this\r\n",
            "250-this 550-that 250 this",
        ),
        (b"220-\r\n521\r\n", "220- 521"),
    ] {
        assert_eq!(mixed(text), words);
        // It has not ended before its last line.
        let unfinished = text.get(..text.len() - 1).unwrap();
        assert_eq!(parse(unfinished), Ok(None));
    }
    let long = [
        &b"220-hello\r\n521-"[..],
        &b"x".repeat(2000),
        b"\r\n521 never\r\n",
    ]
    .concat();
    let words = mixed(&long);
    assert!(words.len() <= KEPT && words.ends_with("... 521 never"), "{words}");
}

#[test]
fn blank_lines_between_replies_are_read_over_unless_they_could_stand_for_one() {
    let wire = &b"\r\n\n250 a\r\n\r\n250 b\r\n\r\n"[..];
    let mut input = BytesMut::from(wire);
    let mut parser = ReplyParser::new();
    assert_eq!(*parser.parse(&mut input).unwrap().unwrap().lines, ["a"]);
    assert_eq!(*parser.parse(&mut input).unwrap().unwrap().lines, ["b"]);
    assert_eq!(input, "\r\n");
    parser.skip_blank_lines(&mut input);
    assert!(input.is_empty());
    let mut input = BytesMut::from(wire);
    let mut parser = ReplyParser::new();
    parser.blank_lines(BlankLines::Refuse);
    parser.skip_blank_lines(&mut input);
    assert_eq!(parser.parse(&mut input), Err(ReplyError::Malformed));
    // Within a reply a blank line is none of its lines, and an endless row of them ends.
    assert_eq!(parse(b"250-a\r\n\r\n250 b\r\n"), Err(ReplyError::Malformed));
    assert_eq!(parse(&b"\r\n".repeat(LINES + 1)), Err(ReplyError::TooLong));
}

#[test]
fn endless_replies_end_at_the_caps() {
    let mut line = b"250 ".to_vec();
    line.resize(LINE_LENGTH, b'x');
    assert!(parse(&[&line[..], b"\r\n"].concat()).unwrap().is_some());
    line.resize(LINE_LENGTH + 1, b'x');
    assert_eq!(
        parse(&[&line[..], b"\r\n"].concat()),
        Err(ReplyError::LineTooLong)
    );
    assert_eq!(parse(&vec![b'2'; LINE_LENGTH + 2]), Err(ReplyError::LineTooLong));
    assert_eq!(parse(&b"250-x\r\n".repeat(LINES + 1)), Err(ReplyError::TooLong));
    let wide = [&b"250-"[..], &vec![b'x'; 1000], b"\r\n"].concat();
    assert_eq!(parse(&wide.repeat(70)), Err(ReplyError::TooLong));
}

/// What a reply takes in memory.
fn octets(reply: &Reply) -> usize {
    reply
        .lines
        .iter()
        .map(|line| line.capacity() + size_of::<String>())
        .sum()
}

#[test]
fn of_a_long_reply_the_beginning_and_the_last_line_are_kept() {
    let long = |line: &[u8], count: usize, last: &str| {
        let line = [b"550-", line, b"\r\n"].concat();
        reply(&[line.repeat(count), format!("550 {last}\r\n").into_bytes()].concat())
    };
    for (line, count) in [
        (&b"x".repeat(500)[..], 127),
        (&b"\xff".repeat(500), 127),
        (b"", 127),
        (&b"x".repeat(2000), 30),
        (&"\u{e9}".repeat(900).into_bytes(), 2),
    ] {
        let reply = long(line, count, "5.7.1 the point");
        assert!(
            reply.cut == Cut::BeforeLast && octets(&reply) <= KEPT,
            "{} octets",
            octets(&reply)
        );
        assert!(octets(&reply) > KEPT / 2);
        let text = reply.to_log();
        assert!(text.ends_with("... 550 5.7.1 the point"), "{text}");
        assert!(text.starts_with("550-"), "{text}");
    }
    let fits = long(b"5.7.1 a word", 20, "5.7.1 the point");
    assert!(fits.cut == Cut::Nowhere && fits.lines.len() == 21);
    // A last line that is as long as the rest is not kept as the reason.
    let endless = long(b"5.7.1 x", 1, &"y".repeat(2040));
    assert!(
        endless.cut == Cut::AtEnd && endless.to_log().ends_with("yyy..."),
        "{endless}"
    );
    let alone = reply(format!("550 {}\r\n", "z".repeat(2040)).as_bytes());
    assert_eq!((alone.lines.len(), alone.cut), (1, Cut::AtEnd));
    assert!(alone.to_log().ends_with("z...") && octets(&alone) <= KEPT);
}

#[test]
fn more_is_kept_where_that_is_asked_for() {
    let mut parser = ReplyParser::new();
    parser.keep(16 * 1024);
    let mut input = BytesMut::from(&b"250-KEYWORD of many\r\n".repeat(100)[..]);
    input.extend_from_slice(b"250 STARTTLS\r\n");
    let reply = parser.parse(&mut input).unwrap().unwrap();
    assert_eq!((reply.lines.len(), reply.cut), (101, Cut::Nowhere));
}

#[test]
fn pipelined_replies_come_one_by_one() {
    let mut input = BytesMut::from(&b"250 a\r\n550-b\r\n550 c\r\n35"[..]);
    let mut parser = ReplyParser::new();
    assert_eq!(*parser.parse(&mut input).unwrap().unwrap().lines, ["a"]);
    assert_eq!(*parser.parse(&mut input).unwrap().unwrap().lines, ["b", "c"]);
    assert_eq!(parser.parse(&mut input), Ok(None));
    input.extend_from_slice(b"4\r\n");
    assert_eq!(parser.parse(&mut input).unwrap().unwrap().code.get(), 354);
    assert!(input.is_empty());
}

#[test]
fn enhanced_codes_must_agree_with_the_code() {
    let enhanced = |text: &[u8]| reply(text).enhanced().map(|status| status.to_string());
    assert_eq!(enhanced(b"550-5.7.1 no\r\n550 5.7.1 never\r\n").unwrap(), "5.7.1");
    assert_eq!(enhanced(b"550 5.7.999\r\n").unwrap(), "5.7.999");
    assert_eq!(
        enhanced(b"550-see\r\n550-2.0.0\r\n550 5.7.1 never\r\n").unwrap(),
        "5.7.1"
    );
    assert_eq!(enhanced(b"550-a\r\n550-5.1.1\r\n550 5.7.1\r\n").unwrap(), "5.1.1");
    assert_eq!(enhanced(b"550 2.1.5 x\r\n"), None);
    assert_eq!(enhanced(b"550 no such user 5.1.1\r\n"), None);
    assert_eq!(enhanced(b"354 3.0.0 go\r\n"), None);
}

#[test]
fn one_line() {
    let reply = reply(b"550-5.7.1 first\r\n550 5.7.1 sec\x1b[ond\xff\r\n");
    assert_eq!(reply.to_log(), "550-5.7.1 first 550 5.7.1 sec\u{1b}[ond\u{fffd}");
}

proptest! {
    #[test]
    fn never_panics_and_is_the_same_in_every_chunking(
        input in proptest::collection::vec(
            prop_oneof![Just(b'2'), Just(b'5'), Just(b'0'), Just(b'-'), Just(b' '), Just(b'\r'), Just(b'\n'), any::<u8>()],
            0..200,
        ),
        size in 1_usize..9,
    ) {
        let whole = parse(&input);
        let mut parser = ReplyParser::new();
        let mut buffer = BytesMut::new();
        let mut pieced = Ok(None);
        for chunk in input.chunks(size) {
            buffer.extend_from_slice(chunk);
            pieced = parser.parse(&mut buffer);
            if !matches!(pieced, Ok(None)) {
                break;
            }
        }
        prop_assert_eq!(whole, pieced);
    }
}
