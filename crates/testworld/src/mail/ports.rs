//! One port number for several addresses.

use std::io;
use std::net::{IpAddr, TcpListener};

/// A TCP port that is free at this moment on all of the addresses.
pub fn free_port_on(addresses: &[IpAddr]) -> io::Result<u16> {
    let Some((first, others)) = addresses.split_first() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no address given"));
    };
    let mut attempts_left = 100_u8;
    loop {
        let held = TcpListener::bind((*first, 0))?;
        let port = held.local_addr()?.port();
        match others
            .iter()
            .try_for_each(|ip| TcpListener::bind((*ip, port)).map(drop))
        {
            Ok(()) => return Ok(port),
            Err(error) if attempts_left == 0 => return Err(error),
            Err(_) => attempts_left -= 1,
        }
    }
}
