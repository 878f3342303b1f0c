//! Many small messages that reach the relay at once.

use crate::letter::SENDER;
use crate::process::{command, run};
use crate::relay::{HOST, PORT};
use crate::server::FRONT;
use std::fs;
use std::path::Path;

const CLIENT: &str = r#"
import socket, sys
front, host, port, sender = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
client = socket.create_connection((host, port), source_address=(front, 0))
replies = client.makefile("rb")
def say(text, code):
    client.sendall(text.encode())
    while True:
        line = replies.readline()
        if line[3:4] == b" ":
            break
    assert line.startswith(code), (text, line)
say("", b"220")
say("EHLO front.test\r\n", b"250")
for number, recipients in enumerate(sys.argv[5:]):
    say(f"MAIL FROM:<{sender}>\r\n", b"250")
    for recipient in recipients.split(","):
        say(f"RCPT TO:<{recipient}>\r\n", b"250")
    say("DATA\r\n", b"354")
    say(f"Subject: number {number}\r\n\r\nx\r\n.\r\n", b"250")
say("QUIT\r\n", b"221")
"#;

/// Hands the relay a message for each of these lists of recipients, in one session.
pub fn submit(directory: &Path, messages: &[Vec<String>]) {
    let script = directory.join("burst.py");
    fs::write(&script, CLIENT).unwrap();
    run(command("python3")
        .arg(script)
        .args([FRONT, HOST, &PORT.to_string(), SENDER])
        .args(messages.iter().map(|recipients| recipients.join(","))));
}
