#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use bytes::BytesMut;
use proptest::prelude::*;

#[derive(Debug, PartialEq)]
struct Decoded {
    content: Vec<u8>,
    fault: Option<ContentFault>,
    eight_bit: bool,
    /// What followed the end of data; `None` if the end never came.
    rest: Option<Vec<u8>>,
}

fn decode(wire: &[u8], chunk: usize) -> Decoded {
    decode_limited(wire, chunk, u64::MAX)
}

fn decode_limited(wire: &[u8], chunk: usize, limit: u64) -> Decoded {
    let mut decoder = DataDecoder::new(limit, LongLines::Refuse);
    let mut content = BytesMut::new();
    let mut rest = None;
    let mut offset = 0;
    for piece in wire.chunks(chunk) {
        if let Some(end) = decoder.push(piece, &mut content) {
            rest = Some(wire[offset + end..].to_vec());
            break;
        }
        offset += piece.len();
    }
    Decoded {
        content: content.to_vec(),
        fault: decoder.fault(),
        eight_bit: decoder.is_eight_bit(),
        rest,
    }
}

#[test]
fn dots_come_off_and_the_end_is_found() {
    for (wire, content) in [
        (&b".\r\n"[..], &b""[..]),
        (b"a\r\n.\r\n", b"a\r\n"),
        (b"..\r\n.\r\n", b".\r\n"),
        (b".a\r\n...\r\nb.c.\r\n\r\n.\r\n", b"a\r\n..\r\nb.c.\r\n\r\n"),
    ] {
        let wire = [wire, b"QUIT\r\n"].concat();
        for chunk in 1..=wire.len() {
            let decoded = decode(&wire, chunk);
            assert_eq!(decoded.content, content, "{} by {chunk}", wire.escape_ascii());
            assert_eq!(decoded.fault, None);
            assert_eq!(decoded.rest.unwrap(), b"QUIT\r\n");
        }
    }
}

/// False ends of data, each of which some server somewhere has accepted.
const SMUGGLED_ENDS: &[&[u8]] = &[
    b"\n.\n",
    b"\n.\r\n",
    b"\n.\r",
    b"\r.\r",
    b"\r.\n",
    b"\r.\r\n",
    b"\r\n.\n",
    b"\r\n.\r",
    b"\r\n.\r\r\n",
    b"\r\r\n.\r\r\n",
    b"\r\n\x00.\r\n",
    b"\r\n.\x00\r\n",
    b"\n\n.\r\n",
    b"\r\n.\n\r\n",
    b"\r\n\r.\r\n",
];

#[test]
fn no_variant_of_the_end_of_data_ends_the_message() {
    for end in SMUGGLED_ENDS {
        let wire = [
            b"first",
            *end,
            b"MAIL FROM:<x@y.example>\r\nsecond\r\n.\r\nNOOP\r\n",
        ]
        .concat();
        for chunk in 1..=wire.len() {
            let decoded = decode(&wire, chunk);
            assert!(decoded.fault.is_some(), "{} by {chunk}", wire.escape_ascii());
            assert_eq!(
                decoded.rest.unwrap(),
                b"NOOP\r\n",
                "{} by {chunk}",
                wire.escape_ascii()
            );
        }
    }
}

#[test]
fn blanks_around_the_dot_make_it_content() {
    let decoded = decode(b"a\r\n .\r\n. \r\n.\t\r\n.\r\n", 64);
    assert_eq!(decoded.content, b"a\r\n .\r\n \r\n\t\r\n");
    assert_eq!(decoded.fault, None);
}

#[test]
fn lines_may_have_998_octets() {
    let line = |octets: usize| [&vec![b'x'; octets][..], b"\r\n.\r\n"].concat();
    for chunk in [1, 7, 997, 998, 999, 2000] {
        assert_eq!(decode(&line(998), chunk).fault, None);
        assert_eq!(decode(&line(999), chunk).fault, Some(ContentFault::LineTooLong));
        // A stuffed dot does not count.
        assert_eq!(decode(&[b".", &line(998)[..]].concat(), chunk).fault, None);
    }
}

#[test]
fn the_limit_is_exact_and_the_session_stays_in_sync() {
    let wire = b"12345678\r\nDATA\r\n.\r\nRSET\r\n";
    assert_eq!(decode_limited(wire, 5, 16).fault, None);
    let over = decode_limited(wire, 5, 15);
    assert_eq!(over.fault, Some(ContentFault::TooLarge));
    assert_eq!(over.rest.unwrap(), b"RSET\r\n");
    assert!(over.content.len() <= 15);
}

#[test]
fn eight_bit_and_nul_are_noticed() {
    assert!(decode(b"\xc3\xa9\r\n.\r\n", 1).eight_bit);
    assert!(!decode(b"e\r\n.\r\n", 1).eight_bit);
    assert_eq!(decode(b"a\x00b\r\n.\r\n", 2).fault, Some(ContentFault::Nul));
}

#[test]
fn without_an_end_there_is_none() {
    for wire in [&b"a\r\n"[..], b"a\r\n.", b"a\r\n.\r", b""] {
        assert_eq!(decode(wire, 3).rest, None);
    }
}

/// Content in which dots and line ends are frequent: pieces with CRLF as the only line ending.
fn crlf_content() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        3 => Just(b"\r\n".to_vec()),
        3 => Just(b".".to_vec()),
        1 => Just(b"\xc3\xa9".to_vec()),
        2 => "[a-z ]{1,6}".prop_map(String::into_bytes),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn what_was_stuffed_decodes_to_itself(content in crlf_content(), out_chunk in 1_usize..9, in_chunk in 1_usize..9) {
        let mut stuffer = DotStuffer::new();
        let mut wire = BytesMut::new();
        for piece in content.chunks(out_chunk) {
            stuffer.push(piece, &mut wire).unwrap();
        }
        stuffer.finish(&mut wire).unwrap();
        let decoded = decode(&[&wire[..], b"QUIT"].concat(), in_chunk);
        let mut expected = content.clone();
        if !expected.is_empty() && !expected.ends_with(b"\r\n") {
            expected.extend_from_slice(b"\r\n");
        }
        prop_assert_eq!(decoded.content, expected);
        prop_assert_eq!(decoded.fault, None);
        prop_assert_eq!(decoded.rest.as_deref(), Some(&b"QUIT"[..]));
    }

    #[test]
    fn any_octets_decode_alike_in_every_chunking(
        wire in proptest::collection::vec(
            prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'.'), Just(0), any::<u8>()], 0..60),
        chunk in 1_usize..9,
    ) {
        let whole = decode(&wire, wire.len().max(1));
        let pieced = decode(&wire, chunk);
        prop_assert_eq!(&whole.rest, &pieced.rest);
        prop_assert_eq!(whole.fault, pieced.fault);
        if whole.fault.is_none() {
            prop_assert_eq!(&whole.content, &pieced.content);
            // What was accepted can always be sent on.
            let mut out = BytesMut::new();
            let mut stuffer = DotStuffer::new();
            if whole.rest.is_some() {
                prop_assert!(stuffer.push(&whole.content, &mut out).is_ok());
                prop_assert!(stuffer.finish(&mut out).is_ok());
            }
        }
    }
}

fn folded(wire: &[u8], chunk: usize) -> Vec<u8> {
    let mut decoder = DataDecoder::new(u64::MAX, LongLines::Fold);
    let mut content = BytesMut::new();
    for piece in wire.chunks(chunk) {
        decoder.push(piece, &mut content);
    }
    assert_eq!(decoder.fault(), None);
    assert_eq!(decoder.size(), content.len() as u64);
    content.to_vec()
}

#[test]
fn long_lines_are_folded_in_every_chunking() {
    let x = |octets: usize| "x".repeat(octets);
    for (line, expected) in [
        (x(998), x(998)),
        (x(999), format!("{}\r\n x", x(998))),
        (x(998 + 997), format!("{}\r\n {}", x(998), x(997))),
        (x(998 + 998), format!("{}\r\n {}\r\n x", x(998), x(997))),
        // A dot after the break is not a stuffed one.
        (format!("{}.y", x(998)), format!("{}\r\n .y", x(998))),
    ] {
        let wire = format!("a\r\n{line}\r\n{line}\r\n.\r\n");
        let expected = format!("a\r\n{expected}\r\n{expected}\r\n");
        for chunk in [wire.len(), 1, 7, 997, 998, 999, 1000] {
            let content = folded(wire.as_bytes(), chunk);
            assert_eq!(
                content.escape_ascii().to_string(),
                expected.as_bytes().escape_ascii().to_string()
            );
            let lines = content.split(|octet| *octet == b'\n');
            assert!(lines.into_iter().all(|line| line.len() <= 999), "by {chunk}");
        }
    }
}

#[test]
fn a_fold_breaks_no_character_and_leaves_no_blank_line() {
    let x = |octets: usize| "x".repeat(octets);
    for (line, expected) in [
        (format!("{}éz", x(997)), format!("{}\r\n éz", x(997))),
        (
            format!("{}\u{1f600}z", x(995)),
            format!("{}\r\n \u{1f600}z", x(995)),
        ),
        (format!("{}éz", x(996)), format!("{}é\r\n z", x(996))),
        (
            format!("{}{}", x(996), " ".repeat(20)),
            format!("{}\r\n x{}", x(995), " ".repeat(20)),
        ),
        (
            format!("{}é{}", x(996), " ".repeat(20)),
            format!("{}\r\n é{}", x(996), " ".repeat(20)),
        ),
    ] {
        let wire = format!("{line}\r\n.\r\n");
        let content = folded(wire.as_bytes(), wire.len());
        assert_eq!(String::from_utf8(content).unwrap(), format!("{expected}\r\n"));
    }
}

#[test]
fn octets_that_are_no_utf8_are_folded_too() {
    let content = folded(&[&[0x80; 3000][..], b"\r\n.\r\n"].concat(), 5000);
    let kept: Vec<u8> = content.iter().copied().filter(|octet| *octet == 0x80).collect();
    assert_eq!(kept.len(), 3000);
    assert!(
        content
            .split(|octet| *octet == b'\n')
            .all(|line| line.len() <= 999)
    );
}

#[test]
fn chunks_hold_content_as_it_is() {
    for (chunks, expected) in [
        (&[&b""[..]][..], Ok(&b""[..])),
        (
            &[b".\r\n..\r\n", b".\r\nMAIL FROM:<a@b>\r\n"],
            Ok(b".\r\n..\r\n.\r\nMAIL FROM:<a@b>\r\n"),
        ),
        (&[b"a\r", b"\nb"], Ok(b"a\r\nb\r\n")),
        (&[b"a\r"], Err(ContentFault::LoneLineEnding)),
        (&[b"a\r", b"b"], Err(ContentFault::LoneLineEnding)),
        (&[b"a\n.\nb"], Err(ContentFault::LoneLineEnding)),
        (&[b"a\0"], Err(ContentFault::Nul)),
    ] {
        let mut decoder = DataDecoder::for_chunks(u64::MAX, LongLines::Refuse);
        let mut content = BytesMut::new();
        for chunk in chunks {
            assert_eq!(decoder.push(chunk, &mut content), None);
        }
        decoder.end(&mut content);
        let held = decoder.fault().map_or(Ok(&*content), Err);
        assert_eq!(held, expected);
    }
}

/// A false end of data is content where lone LFs are rewritten, and its dot is stuffed again on the way out.
#[test]
fn rewritten_line_ends_never_end_the_data() {
    for (wire, content) in [
        (&b"a\nb\r\n"[..], &b"a\r\nb\r\n"[..]),
        (b"a\n.\nb\r\n", b"a\r\n.\r\nb\r\n"),
        (b"a\n.\r\nb\r\n", b"a\r\n.\r\nb\r\n"),
        (b"a\r\n.\nb\r\n", b"a\r\n.\r\nb\r\n"),
        (b".\nb\r\n", b".\r\nb\r\n"),
        (b"a\n..\n.b\r\n", b"a\r\n.\r\nb\r\n"),
        (b"\n\n\r\n", b"\r\n\r\n\r\n"),
    ] {
        let whole = [wire, b".\r\nQUIT\r\n"].concat();
        for chunk in 1..=whole.len() {
            let mut decoder = DataDecoder::new(u64::MAX, LongLines::Refuse).with_lone_lf(LoneLf::Rewrite);
            let mut output = BytesMut::new();
            let mut offset = 0;
            for piece in whole.chunks(chunk) {
                if let Some(end) = decoder.push(piece, &mut output) {
                    offset += end;
                    break;
                }
                offset += piece.len();
            }
            assert_eq!(decoder.fault(), None, "{}", wire.escape_ascii());
            assert_eq!(
                output.escape_ascii().to_string(),
                content.escape_ascii().to_string(),
                "{} by {chunk}",
                wire.escape_ascii()
            );
            assert_eq!(&whole[offset..], b"QUIT\r\n");
            assert_eq!(decoder.size(), content.len() as u64);
        }
    }
    // A CR alone is refused all the same, and so is content that the rewriting makes too large.
    for (wire, limit, fault) in [
        (&b"a\r.\r\n.\r\n"[..], u64::MAX, ContentFault::LoneLineEnding),
        (b"a\r\r\n.\r\n", u64::MAX, ContentFault::LoneLineEnding),
        (b"\n\n\n\r\n.\r\n", 7, ContentFault::TooLarge),
    ] {
        let mut decoder = DataDecoder::new(limit, LongLines::Refuse).with_lone_lf(LoneLf::Rewrite);
        assert_eq!(decoder.push(wire, &mut BytesMut::new()), Some(wire.len()));
        assert_eq!(decoder.fault(), Some(fault));
    }
}
