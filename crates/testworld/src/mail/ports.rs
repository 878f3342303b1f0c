//! One port number for several addresses.

use std::io;
use std::net::{IpAddr, TcpListener};

/// The ports to choose from: above those that services have, and below those that the system gives to outgoing
/// connections, any of which could take one before its server starts.
const PORTS: std::ops::Range<u16> = 10_240..32_768;
/// How many are tried.
const ATTEMPTS: usize = 100;

/// A TCP port that is free at this moment on all of the addresses.
pub fn free_port_on(addresses: &[IpAddr]) -> io::Result<u16> {
    let Some(first) = addresses.first() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no address given"));
    };
    let mut last = io::ErrorKind::AddrInUse.into();
    for _ in 0..ATTEMPTS {
        // The system chooses at random.
        let chance = TcpListener::bind((*first, 0))?.local_addr()?.port();
        let port = PORTS.start + chance % (PORTS.end - PORTS.start);
        match addresses
            .iter()
            .try_for_each(|ip| TcpListener::bind((*ip, port)).map(drop))
        {
            Ok(()) => return Ok(port),
            Err(error) => last = error,
        }
    }
    Err(last)
}
