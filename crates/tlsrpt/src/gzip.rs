//! gzip (RFC 1952), with a bound on what comes out.

use std::io::{self, Read as _, Write as _};

use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;

/// By what gzip files begin.
const MAGIC: [u8; 2] = [0x1F, 0x8B];

/// Why there is no content.
#[derive(Debug, thiserror::Error)]
pub enum GzipFault {
    /// The stream is damaged.
    #[error("the gzip stream is damaged: {0}")]
    Damaged(io::Error),
    /// More would come out than is taken.
    #[error("it unpacks to more than {0} octets")]
    TooLarge(usize),
}

/// The octets, compressed. Neither a time nor a name stands in it, so that the same octets give the same result.
pub(crate) fn compress(octets: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // Writing to memory does not fail.
    let written = encoder.write_all(octets).and_then(|()| encoder.finish());
    written.unwrap_or_default()
}

/// Whether it is a gzip file.
pub(crate) fn is_gzip(octets: &[u8]) -> bool {
    octets.starts_with(&MAGIC)
}

/// What is packed in it, in one member or several, if that is at most so many octets: no more is ever kept. What follows the
/// last member is no fault: some mailers pad files.
pub(crate) fn unpack(packed: &[u8], most: usize) -> Result<Vec<u8>, GzipFault> {
    let mut octets = Vec::new();
    let mut rest = packed;
    loop {
        let left = most.saturating_sub(octets.len()).saturating_add(1);
        let left = u64::try_from(left).unwrap_or(u64::MAX);
        let mut member = GzDecoder::new(rest);
        let read = member.by_ref().take(left).read_to_end(&mut octets);
        read.map_err(GzipFault::Damaged)?;
        if octets.len() > most {
            return Err(GzipFault::TooLarge(most));
        }
        rest = member.into_inner();
        if !is_gzip(rest) {
            return Ok(octets);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_was_packed_comes_back() {
        let text = b"{\"a\": 1}".repeat(1000);
        let packed = compress(&text);
        assert!(is_gzip(&packed) && packed.len() < text.len() / 10);
        assert_eq!(unpack(&packed, text.len()).unwrap(), text);
        assert_eq!(compress(&text), packed);
    }

    #[test]
    fn what_follows_is_read_or_passed_over() {
        let packed = [compress(b"{\"a\": "), compress(b"1}")].concat();
        for padding in [&b""[..], b"\n", &[0; 20]] {
            let padded = [packed.as_slice(), padding].concat();
            assert_eq!(unpack(&padded, 100).unwrap(), b"{\"a\": 1}");
        }
        let cut = packed.get(..packed.len() - 1).unwrap();
        assert!(matches!(unpack(cut, 100), Err(GzipFault::Damaged(_))));
        assert!(matches!(unpack(&packed, 7), Err(GzipFault::TooLarge(7))));
    }

    #[test]
    fn a_bomb_does_not_go_off() {
        let bomb = compress(&vec![b' '; 20 << 20]);
        assert!(bomb.len() < 100_000);
        assert!(matches!(unpack(&bomb, 1 << 20), Err(GzipFault::TooLarge(_))));
    }

    #[test]
    fn damage_is_noticed() {
        let packed = compress(b"{\"a\": 1}");
        let half = packed.get(..packed.len() - 6).unwrap();
        assert!(matches!(unpack(half, 100), Err(GzipFault::Damaged(_))));
        let mut changed = packed.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert!(matches!(unpack(&changed, 100), Err(GzipFault::Damaged(_))));
    }
}
