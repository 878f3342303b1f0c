//! The header of the PROXY protocol, version 2, in which a proxy says whose connection it forwards (`HAProxy`'s
//! `proxy-protocol.txt`, §2.2).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::client::UNKNOWN;

/// The beginning of every header.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Octets before the addresses.
const FIXED: usize = 16;
/// The longest header accepted; it has room for addresses and all the extensions that proxies send.
const LONGEST: usize = 2048;

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Header {
    /// More octets are needed.
    Incomplete {
        /// At least this many; all of them belong to the header.
        missing: u64,
    },
    /// The connection is the proxy's own, such as a health check.
    Own,
    /// The connection is that of the client at this address: [`UNKNOWN`] if it has come to the proxy in a way that has none,
    /// such as a local socket.
    Client(IpAddr),
    /// There is no header, or it is malformed.
    Invalid,
}

/// Reads a header, or what has come of it.
pub(crate) fn header(input: &[u8]) -> Header {
    let begun = input.get(..SIGNATURE.len()).unwrap_or(input);
    if !SIGNATURE.starts_with(begun) {
        return Header::Invalid;
    }
    let up_to = |end: usize| Header::Incomplete {
        missing: end.saturating_sub(input.len()) as u64,
    };
    let Some(&[version_and_command, family_and_transport, high, low]) = input.get(SIGNATURE.len()..FIXED)
    else {
        return up_to(FIXED);
    };
    let length = FIXED + usize::from(u16::from_be_bytes([high, low]));
    if length > LONGEST {
        return Header::Invalid;
    }
    let Some(addresses) = input.get(FIXED..length) else {
        return up_to(length);
    };
    match (version_and_command, family_and_transport) {
        // LOCAL, whatever addresses it gives.
        (0x20, _) => Header::Own,
        // UNSPEC: somebody else's, who must not have the rights of the proxy.
        (0x21, 0x00) => Header::Client(UNKNOWN),
        // TCP over IPv4: two addresses and two ports.
        (0x21, 0x11) => match addresses
            .first_chunk::<12>()
            .and_then(|all| all.first_chunk::<4>())
        {
            Some(octets) => Header::Client(IpAddr::V4(Ipv4Addr::from(*octets))),
            None => Header::Invalid,
        },
        // TCP over IPv6.
        (0x21, 0x21) => match addresses
            .first_chunk::<36>()
            .and_then(|all| all.first_chunk::<16>())
        {
            Some(octets) => Header::Client(IpAddr::V6(Ipv6Addr::from(*octets)).to_canonical()),
            None => Header::Invalid,
        },
        _ => Header::Invalid,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]
    use super::*;

    fn made(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
        let length = u16::try_from(addresses.len()).unwrap_or_default().to_be_bytes();
        [SIGNATURE, &[command, family][..], &length, addresses].concat()
    }

    #[test]
    fn headers_are_read_whole_or_not_at_all() {
        let four = [192, 0, 2, 1, 10, 0, 0, 1, 0x30, 0x39, 0, 25];
        let mut six = [0; 36];
        six[..4].copy_from_slice(&[0x20, 1, 0xd, 0xb8]);
        six[15] = 1;
        let extended = [&four[..], &[0x20, 0, 3, 1, 2, 3]].concat();
        for (octets, address) in [
            (made(0x21, 0x11, &four), Some("192.0.2.1")),
            (made(0x21, 0x11, &extended), Some("192.0.2.1")),
            (made(0x21, 0x21, &six), Some("2001:db8::1")),
            (made(0x20, 0x00, &[]), None),
            (made(0x20, 0x11, &four), None),
            (made(0x21, 0x00, &[1, 2, 3]), Some("::")),
        ] {
            let length = octets.len();
            for end in 0..length {
                let Header::Incomplete { missing } = header(&octets[..end]) else {
                    unreachable!("{end} octets are not the whole");
                };
                assert!((1..=(length - end) as u64).contains(&missing), "{end}: {missing}");
            }
            let expected = match address.map(str::parse) {
                Some(Ok(address)) => Header::Client(address),
                Some(Err(_)) => Header::Invalid,
                None => Header::Own,
            };
            assert_eq!(header(&octets), expected);
        }
    }

    #[test]
    fn anything_else_is_no_header() {
        for octets in [
            b"EHLO x\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n".to_vec(),
            b"\r\n\r\n\0\r\nQUIT\r\n".to_vec(),
            made(0x11, 0x11, &[0; 12]),
            made(0x22, 0x11, &[0; 12]),
            made(0x21, 0x11, &[0; 11]),
            made(0x21, 0x21, &[0; 35]),
            made(0x21, 0x12, &[0; 12]),
            made(0x21, 0x31, &[0; 216]),
            made(0x21, 0x00, &[0; LONGEST]),
        ] {
            assert_eq!(header(&octets), Header::Invalid, "{}", octets.escape_ascii());
        }
    }
}
