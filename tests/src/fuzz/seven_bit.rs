//! Content converted for servers without 8BITMIME.

use bytes::BytesMut;
use smtp::seven_bit::{Converter, Survey, Unconvertible};

use super::input::{Input, pieces};

/// The longest line that may be sent (RFC 5321 §4.5.3.1.6), without its CRLF.
const LINE: usize = 998;

/// The first octet says how the rest is split into pieces, which must make no difference. The new form is 7-bit, has no
/// longer lines than may be sent, and is left alone when it is converted again.
pub fn seven_bit(octets: &[u8]) {
    let (sizes, content) = letter(octets);
    let whole = converted(&[&content]);
    assert_eq!(whole, converted(&pieces(&content, sizes)));
    let Ok(whole) = whole else { return };
    assert!(whole.is_ascii());
    let longest = |octets: &[u8]| octets.split(|octet| *octet == b'\n').map(<[u8]>::len).max();
    assert!(longest(&whole) <= longest(&content).max(Some(LINE + 1)));
    assert_eq!(converted(&[&whole]).as_ref(), Ok(&whole));
}

/// The content of an input, with CRLF for every LF, as a spool has it; and how it is split.
pub fn letter(octets: &[u8]) -> (u8, Vec<u8>) {
    let mut input = Input::new(octets);
    let sizes = input.octet();
    let lines = input.rest().iter().filter(|octet| **octet != b'\r');
    let content = lines.flat_map(|octet| match octet {
        b'\n' => &b"\r\n"[..],
        octet => std::slice::from_ref(octet),
    });
    (sizes, content.copied().collect())
}

/// The new form of content that is given in pieces.
pub fn converted(pieces: &[&[u8]]) -> Result<Vec<u8>, Unconvertible> {
    let mut survey = Survey::new();
    for piece in pieces {
        survey.push(piece)?;
    }
    let plan = survey.finish()?;
    let mut converter = Converter::new(&plan);
    let mut out = BytesMut::new();
    for piece in pieces {
        converter.push(piece, &mut out)?;
    }
    converter.finish(&mut out)?;
    Ok(out.to_vec())
}
