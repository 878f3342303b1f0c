//! Whatever comes in through the socket, the daemon lives, and answers the next one.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::Value;

use crate::common::{Client, NO_DNS, PATIENCE, Relay};

/// A client that says what it likes.
pub(crate) struct Rogue(pub(crate) BufReader<UnixStream>);

impl Rogue {
    pub(crate) fn connect(relay: &Relay) -> Self {
        let stream = UnixStream::connect(relay.path("admin.sock")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(stream))
    }

    pub(crate) fn line(&mut self) -> Value {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or(Value::Null)
    }

    /// What comes back beside the greeting.
    fn say(relay: &Relay, octets: &[u8]) -> Value {
        let mut rogue = Self::connect(relay);
        assert!(rogue.line()["hello"]["version"].is_string());
        // The daemon may have closed before all was said.
        let _ = rogue.0.get_mut().write_all(octets);
        let _ = rogue.0.get_mut().shutdown(std::net::Shutdown::Write);
        rogue.line()
    }
}

#[test]
fn garbage_is_answered_with_an_error() {
    let relay = Relay::start(NO_DNS);
    let deep = ["[".repeat(100_000), "\n".to_owned()].concat();
    for octets in [
        &b"\n"[..],
        b"GET / HTTP/1.1\r\n\r\n",
        b"\0\0\0\0\n",
        b"\xff\xfe\xfd\n",
        b"{}\n",
        b"[]\n",
        b"{\"command\":\"shutdown\"}\n",
        b"{\"command\":\"hold\"}\n",
        b"{\"command\":\"hold\",\"selectors\":{}}\n",
        b"{\"command\":\"delete\",\"selectors\":{\"everything\":true}}\n",
        b"{\"command\":\"delete\",\"selectors\":{\"reason\":\"\"}}\n",
        b"{\"command\":\"delete\",\"selectors\":{\"sender\":\"\"}}\n",
        b"{\"command\":\"show\",\"id\":\"\\u0000\"}\n",
        b"{\"command\":\"export\",\"id\":\"../../etc/passwd\"}\n",
        b"{\"command\":\"flush\"}\n",
        b"{\"command\":\"flush\",\"name\":null}\n",
        b"{\"command\":\"summary\"",
        deep.as_bytes(),
    ] {
        let answer = Rogue::say(&relay, octets);
        let shown = String::from_utf8_lossy(octets.get(..60).unwrap_or(octets)).into_owned();
        assert_eq!(answer["error"]["kind"], "request", "{shown:?}: {answer}");
        assert!(answer["error"]["message"].is_string(), "{answer}");
    }
    // Whoever says nothing hears nothing.
    assert_eq!(Rogue::say(&relay, b""), Value::Null);
    assert_eq!(relay.queue().len(), 0);
    assert!(!relay.log().contains("event=fault"), "{}", relay.log());
}

#[test]
fn a_line_without_end_is_cut_off() {
    let relay = Relay::start(NO_DNS);
    let huge = vec![b'a'; 3 << 20];
    let mut rogue = Rogue::connect(&relay);
    rogue.line();
    let written = rogue.0.get_mut().write_all(&huge);
    let answer = rogue.line();
    // It hears why, unless the connection was closed while it still spoke.
    assert!(
        written.is_err() || answer["error"]["kind"] == "request",
        "{answer}"
    );
    assert_eq!(relay.queue().len(), 0);
}

#[test]
fn clients_that_hang_up_at_any_point_do_no_harm() {
    let relay = Relay::start(NO_DNS);
    let mut client = Client::connect(relay.address);
    for number in 0..50 {
        client.send(&format!("x{number}@nowhere.example"));
    }
    for command in ["list", "hold", "release", "retry", "summary"] {
        let line = match command {
            "summary" => "{\"command\":\"summary\"}\n".to_owned(),
            command => format!("{{\"command\":\"{command}\",\"selectors\":{{\"all\":true}}}}\n"),
        };
        for cut in [0, 1, line.len() - 1, line.len()] {
            let mut rogue = Rogue::connect(&relay);
            rogue
                .0
                .get_mut()
                .write_all(line.get(..cut).unwrap().as_bytes())
                .unwrap();
        }
    }
    assert_eq!(relay.queue().len(), 50);
    assert!(!relay.log().contains("event=fault"), "{}", relay.log());
}

#[test]
fn a_client_that_does_not_read_does_not_hold_up_the_end() {
    let mut relay = Relay::start(NO_DNS);
    let mut client = Client::connect(relay.address);
    let reason = "x".repeat(50);
    for number in 0..200 {
        let many: Vec<String> = (0..20)
            .map(|r| format!("{reason}{number}.{r}@nowhere.example"))
            .collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        client.send_from("a@one.example", &many);
    }
    let mut rogue = Rogue::connect(&relay);
    rogue.0.get_mut().write_all(b"{\"command\":\"list\"}\n").unwrap();
    std::thread::sleep(Duration::from_millis(500));
    relay.stop();
    let mut rest = String::new();
    let _ = rogue.0.read_to_string(&mut rest);
    assert!(
        rest.contains("nowhere.example") && !rest.contains("\"end\""),
        "{} octets",
        rest.len()
    );
}
