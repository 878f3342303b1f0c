//! A daemon that has no file descriptor left.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use super::Relay;
use super::common::{NO_DNS, PATIENCE};

/// Nobody is accepted, and the daemon lives on; when there are descriptors again it accepts whoever has waited.
#[test]
fn without_descriptors_clients_wait() {
    let mut relay = Relay::start(NO_DNS);
    let process = Pid::from_child(&relay.child);
    let whole = getrlimit(Resource::Nofile);
    // The first four are in use.
    let few = Rlimit {
        current: Some(4),
        ..whole
    };
    let before = prlimit(Some(process), Resource::Nofile, few).unwrap();
    let client = TcpStream::connect(relay.address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(relay.wait_for("event=accept").contains("reason="));
    prlimit(Some(process), Resource::Nofile, before).unwrap();
    let mut greeting = String::new();
    BufReader::new(client).read_line(&mut greeting).unwrap();
    assert!(greeting.starts_with("220 "), "{greeting}");
    relay.wait_for("status=accepting");
    relay.stop();
}
