//! Content between DATA and the final dot.

use bytes::BytesMut;
use smtp::data::TEXT_LINE_LENGTH;
use smtp::{ContentFault, DataDecoder, DotStuffer, LoneLf, LoneLineEnding, LongLines};

use super::input::{Input, pieces};

/// The first octet says how the rest is split into pieces, the second how large the content may be. The rest is read twice:
/// as data on the wire, and as content to be sent.
pub fn smtp_data(octets: &[u8]) {
    let mut input = Input::new(octets);
    let sizes = input.octet();
    let limit = match input.octet() {
        limit @ 0..=63 => u64::from(limit),
        _ => u64::MAX,
    };
    let octets = input.rest();
    from_wire(octets, sizes, limit);
    to_wire_and_back(octets, sizes);
}

#[derive(Debug)]
struct Decoded {
    content: BytesMut,
    fault: Option<ContentFault>,
    eight_bit: bool,
    size: u64,
    /// Where the end of data was.
    end: Option<usize>,
}

fn decode(pieces: &[&[u8]], limit: u64) -> Decoded {
    decode_with(DataDecoder::new(limit, LongLines::Refuse), pieces)
}

fn decode_with(mut decoder: DataDecoder, pieces: &[&[u8]]) -> Decoded {
    let mut content = BytesMut::new();
    let mut end = None;
    let mut offset = 0;
    for piece in pieces {
        end = decoder.push(piece, &mut content).map(|within| offset + within);
        if end.is_some() {
            break;
        }
        offset += piece.len();
    }
    Decoded {
        content,
        fault: decoder.fault(),
        eight_bit: decoder.is_eight_bit(),
        size: decoder.size(),
        end,
    }
}

/// The end of data is the first CRLF.CRLF and nothing else; pieces make no difference; content is what stands there
/// without the stuffed dots, or has a fault.
fn from_wire(wire: &[u8], sizes: u8, limit: u64) {
    let whole = decode(&[wire], limit);
    let pieced = decode(&pieces(wire, sizes), limit);
    assert_eq!(whole.end, pieced.end);
    // If one line has two faults, either may be found first.
    assert_eq!(whole.fault.is_some(), pieced.fault.is_some());
    assert_eq!(whole.size, pieced.size);
    assert_eq!(whole.eight_bit, pieced.eight_bit);
    if whole.fault.is_none() {
        assert_eq!(whole.content, pieced.content);
    }
    // DATA's own CRLF precedes the first line.
    let behind_data = [b"\r\n", wire].concat();
    let found = behind_data.windows(5).position(|window| window == b"\r\n.\r\n");
    assert_eq!(whole.end, found.map(|start| start + 3));
    lone_lf_rewritten(wire, sizes, &whole);
    if let Some(end) = whole.end {
        content_as_expected(&wire[..end - 3], &whole, limit);
    }
}

/// Where lone LFs are rewritten the data end at the same place, and no line end is left that could end them elsewhere.
fn lone_lf_rewritten(wire: &[u8], sizes: u8, strict: &Decoded) {
    let decoder = || DataDecoder::new(u64::MAX, LongLines::Refuse).with_lone_lf(LoneLf::Rewrite);
    let whole = decode_with(decoder(), &[wire]);
    let pieced = decode_with(decoder(), &pieces(wire, sizes));
    assert_eq!(whole.end, strict.end);
    assert_eq!((whole.end, whole.size), (pieced.end, pieced.size));
    assert_eq!(whole.fault.is_some(), pieced.fault.is_some());
    if whole.fault.is_none() {
        assert_eq!(whole.content, pieced.content);
    }
    if whole.fault.is_none() && whole.end.is_some() {
        assert!(!lines(&whole.content).iter().any(|line| has_lone_ending(line)));
    }
}

fn content_as_expected(stuffed: &[u8], decoded: &Decoded, limit: u64) {
    let lines: Vec<&[u8]> = lines(stuffed)
        .into_iter()
        .map(|line| line.strip_prefix(b".").unwrap_or(line))
        .collect();
    let expected = lines.join(&b"\r\n"[..]);
    let too_long = |line: &&[u8]| line.len() as u64 > TEXT_LINE_LENGTH;
    let faulty = lines.iter().any(too_long)
        || lines.iter().any(|line| has_lone_ending(line))
        || expected.contains(&0)
        || expected.len() as u64 > limit;
    assert_eq!(decoded.fault.is_some(), faulty, "{decoded:?}");
    if !faulty {
        assert_eq!(decoded.content, expected);
        assert_eq!(decoded.size, expected.len() as u64);
        assert_eq!(decoded.eight_bit, !expected.is_ascii());
    }
}

/// Stuffed content decodes to itself; content with a lone line end is never sent.
fn to_wire_and_back(content: &[u8], sizes: u8) {
    let wire = stuff(&[content]);
    assert_eq!(wire, stuff(&pieces(content, sizes)));
    let lone = lines(content).iter().any(|line| has_lone_ending(line));
    let Ok(wire) = wire else {
        assert!(lone);
        return;
    };
    assert!(!lone);
    let decoded = decode(&[&wire], u64::MAX);
    assert_eq!(decoded.end, Some(wire.len()));
    match decoded.fault {
        None => {
            let mut expected = content.to_vec();
            if !content.is_empty() && !content.ends_with(b"\r\n") {
                expected.extend_from_slice(b"\r\n");
            }
            assert_eq!(decoded.content, expected);
        }
        Some(ContentFault::Nul | ContentFault::LineTooLong) => {}
        Some(fault @ (ContentFault::LoneLineEnding | ContentFault::TooLarge)) => panic!("{fault:?}"),
    }
}

fn stuff(pieces: &[&[u8]]) -> Result<BytesMut, LoneLineEnding> {
    let mut stuffer = DotStuffer::new();
    let mut wire = BytesMut::new();
    for piece in pieces {
        stuffer.push(piece, &mut wire)?;
    }
    stuffer.finish(&mut wire)?;
    Ok(wire)
}

/// What stands between CRLFs.
fn lines(octets: &[u8]) -> Vec<&[u8]> {
    let mut lines = Vec::new();
    let mut rest = octets;
    while let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
        lines.push(&rest[..end]);
        rest = &rest[end + 2..];
    }
    lines.push(rest);
    lines
}

fn has_lone_ending(line: &[u8]) -> bool {
    line.iter().any(|octet| matches!(octet, b'\r' | b'\n'))
}
