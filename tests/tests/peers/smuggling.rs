use danerelay_tests::arena;
use danerelay_tests::make::Make;
use danerelay_tests::process::{command, run};
use danerelay_tests::relay::{DnsMode, HOST, PORT};
use danerelay_tests::server::FRONT;
use danerelay_tests::stage::{Cast, Stage};
use danerelay_tests::wait;
use danerelay_tests::world::GOOD;
use std::fs;
use std::path::Path;

/// Every end of data that some server has believed in, with a second message behind it; then the true end in a chunk, where
/// it is content. Only the last message may be taken, and be one. Of a relay that rewrites line feeds the same is asked about
/// those that consist of such.
const SMUGGLER: &str = r#"
import socket, sys
front, host, port, recipient = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4].encode()
second = b"MAIL FROM:<evil@example.test>\r\nRCPT TO:<" + recipient + b">\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n.\r\n"
rewritten = sys.argv[5] == "rewritten"
ends = [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r.\r\n", b"\r.\n", b"\r\n.\n", b"\r\n.\r", b"\r\n\0.\r\n", b"\r\n.\0\r\n"]
client = socket.create_connection((host, port), source_address=(front, 0))
replies = client.makefile("rb")
def reply():
    while True:
        line = replies.readline()
        if line[3:4] == b" ":
            return line
def say(octets, code):
    client.sendall(octets)
    said = reply()
    assert said.startswith(code), (octets, said)
def begin():
    say(b"MAIL FROM:<a@example.test>\r\n", b"250")
    say(b"RCPT TO:<" + recipient + b">\r\n", b"250")
assert reply().startswith(b"220")
say(b"EHLO front.test\r\n", b"250")
for end in ends[:2] + ends[5:6] if rewritten else ends:
    begin()
    say(b"DATA\r\n", b"354")
    say(b"Subject: first\r\n\r\nx" + end + second, b"250" if rewritten else b"550")
    say(b"NOOP\r\n", b"250")
if rewritten:
    sys.exit()
begin()
content = b"Subject: chunk\r\n\r\nx\r\n.\r\n" + second + b"..\r\n"
client.sendall(b"BDAT %d LAST\r\n" % len(content) + content)
assert reply().startswith(b"250 2.0.0 Ok: queued")
say(b"QUIT\r\n", b"221")
"#;

#[test]
fn no_second_message_reaches_a_postfix() {
    arena::run("smuggling::no_second_message_reaches_a_postfix", |directory| {
        smuggle(directory, Make::Postfix);
    });
}

#[test]
fn no_second_message_reaches_an_exim() {
    arena::run("smuggling::no_second_message_reaches_an_exim", |directory| {
        smuggle(directory, Make::Exim);
    });
}

fn smuggle(directory: &Path, back: Make) {
    let mut stage = Stage::set(
        directory,
        Cast {
            front: Make::Exim,
            back,
            mode: DnsMode::TrustAd,
        },
    );
    let recipient = format!("bob@{GOOD}");
    let script = directory.join("smuggler.py");
    fs::write(&script, SMUGGLER).unwrap();
    let port = PORT.to_string();
    let smuggle = |what: &str| {
        run(command("python3")
            .arg(&script)
            .args([FRONT, HOST, &port, &recipient, what]));
    };
    smuggle("refused");
    stage.relay.delivery(&recipient, "sent");
    let first = arrived(&stage.world.back.maildir());
    assert_eq!(first.len(), 1, "{:?}", stage.world.back.log());
    let text = String::from_utf8_lossy(&first[0]).replace("\r\n", "\n");
    assert!(text.contains("\nSubject: chunk\n"), "{text}");
    assert!(
        text.trim_end().ends_with("\nSubject: smuggled\n\nx\n.\n.."),
        "{text}"
    );
    // Where line feeds are rewritten, what hides behind one is taken, and stays a part of its message.
    stage
        .relay
        .change(&[("[limits]\n", "[limits]\nallow_bare_lf = true\n")]);
    smuggle("rewritten");
    wait::until("three more deliveries", || {
        (stage.relay.deliveries(&recipient).len() >= 4).then_some(())
    });
    let all = wait::until("three more messages", || {
        let all = arrived(&stage.world.back.maildir());
        (all.len() >= 4).then_some(all)
    });
    assert_eq!(all.len(), 4, "{:?}", stage.world.back.log());
    for message in all {
        let text = String::from_utf8_lossy(&message).replace("\r\n", "\n");
        let (header, body) = text.split_once("\n\n").unwrap();
        assert!(!header.contains("smuggled"), "{text}");
        assert!(body.contains("\n.\n"), "{text}");
        assert!(body.contains("MAIL FROM:<evil@example.test>\n"), "{text}");
    }
}

/// What is in the mailbox, once there is anything: a server says 250 before it has put a message there.
fn arrived(maildir: &Path) -> Vec<Vec<u8>> {
    wait::until("mail in the mailbox", || {
        let entries = fs::read_dir(maildir.join("new")).ok()?;
        let arrived: Vec<_> = entries
            .map(|entry| fs::read(entry.unwrap().path()).unwrap())
            .collect();
        (!arrived.is_empty()).then_some(arrived)
    })
}
