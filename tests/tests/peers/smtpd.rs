//! What the relay says to random dialogues, beside what Postfix's smtpd says. `docs/conformance/listener.md` has the
//! differences in words.

use danerelay_tests::arena;
use danerelay_tests::fuzz::mutate::Chance;
use danerelay_tests::postfix::Postfix;
use danerelay_tests::relay::{DnsMode, HOST, PORT, Relay};
use danerelay_tests::server::FRONT;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

const DIALOGUES: u64 = 400;
const COMMANDS: usize = 14;

/// What is said. Each is drawn as often as it stands here.
const SAID: &[&str] = &[
    "EHLO client.example",
    "EHLO client.example",
    "EHLO client.example",
    "EHLO client.example",
    "HELO client.example",
    "EHLO [127.0.0.1]",
    "EHLO",
    "HELO",
    "EHLO two words",
    "ehlo client.example ",
    "MAIL FROM:<a@example.test>",
    "MAIL FROM:<a@example.test>",
    "MAIL FROM:<a@example.test>",
    "MAIL FROM:<a@example.test>",
    "MAIL FROM:<a@example.test>",
    "mail from:<a@example.test>",
    "MAIL FROM:<>",
    "MAIL FROM: <a@example.test>",
    "MAIL FROM:a@example.test",
    "MAIL FROM:<a@example.test> SIZE=100",
    "MAIL FROM:<a@example.test> SIZE=99999999999",
    "MAIL FROM:<a@example.test> SIZE=x",
    "MAIL FROM:<a@example.test> BODY=8BITMIME SMTPUTF8",
    "MAIL FROM:<a@example.test> BODY=7BIT",
    "MAIL FROM:<a@example.test> BODY=WHAT",
    "MAIL FROM:<a@example.test> RET=HDRS ENVID=x+2By",
    "MAIL FROM:<a@example.test> RET=WHAT",
    "MAIL FROM:<a@example.test> ENVID=+zz",
    "MAIL FROM:<a@example.test> WHAT=ever",
    "MAIL FROM:<a@example.test",
    "MAIL FROM:a b@example.test",
    "MAIL FROM",
    "MAIL",
    "MAIL TO:<a@example.test>",
    "RCPT TO:<b@example.test>",
    "RCPT TO:<b@example.test>",
    "RCPT TO:<b@example.test>",
    "RCPT TO:<b@example.test>",
    "RCPT TO:<b@example.test>",
    "rcpt to:<c@example.test>",
    "RCPT TO: <b@example.test>",
    "RCPT TO:b@example.test",
    "RCPT TO:<\"b c\"@example.test>",
    "RCPT TO:<b..c@example.test>",
    "RCPT TO:<b.@example.test>",
    "RCPT TO:<@route.test:b@example.test>",
    "RCPT TO:<Postmaster>",
    "RCPT TO:<b@[192.0.2.1]>",
    "RCPT TO:<b@[not.an.address]>",
    "RCPT TO:<b@-example.test>",
    "RCPT TO:<b@example..test>",
    "RCPT TO:<@example.test>",
    "RCPT TO:<b@>",
    "RCPT TO:<b>",
    "RCPT TO:<>",
    "RCPT TO:<b@example.test> NOTIFY=NEVER",
    "RCPT TO:<b@example.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;b@example.test",
    "RCPT TO:<b@example.test> NOTIFY=NEVER,DELAY",
    "RCPT TO:<b@example.test> ORCPT=b@example.test",
    "RCPT TO:<b@example.test> WHAT",
    "RCPT TO:<\u{fc}@example.test>",
    "RCPT",
    "DATA",
    "DATA",
    "DATA",
    "DATA",
    "DATA x",
    "BDAT 21 LAST",
    "BDAT 0 LAST",
    "BDAT 21",
    "RSET",
    "RSET x",
    "NOOP",
    "NOOP x",
    "VRFY b@example.test",
    "VRFY",
    "EXPN list",
    "HELP",
    "ETRN example.test",
    "STARTTLS",
    "AUTH PLAIN AGEAYg==",
    "WHAT",
    "",
    " NOOP",
    "NOOP\u{1}",
    "MAIL FROM:<a\u{7}@example.test>",
];

/// Content, up to and including its end.
const CONTENTS: &[&str] = &[
    "Subject: x\r\n\r\nx\r\n.\r\n",
    "Subject: x\r\n\r\nx\r\n.\r\n",
    ".\r\n",
    "no header\r\n.\r\n",
    "..\r\n.x\r\n.\r\n",
    "Subject: x\r\n\r\n\u{fc}\r\n.\r\n",
    "a\nb\r\n.\r\n",
    "a\rb\r\n.\r\n",
    "a\u{0}b\r\n.\r\n",
];

/// Of `BDAT 21`.
const CHUNK: &str = "Subject: x\r\n\r\nx\r\nyz\r\n";

/// What is said, the first digit of Postfix's reply, that of ours, and why.
const DIFFERENCES: &[(&str, u8, u8, &str)] = &[
    (" NOOP", 2, 5, "the verb begins the line (RFC 5321 §2.4)"),
    ("HELP", 5, 2, "Postfix has no HELP"),
    ("ETRN example.test", 4, 5, "not offered here"),
    (
        "MAIL FROM:<a\u{7}@example.test>",
        2,
        5,
        "no control character in a command",
    ),
    ("RCPT TO:<@example.test>", 2, 5, "a mailbox has a local part"),
    (
        "RCPT TO:<b>",
        2,
        5,
        "Postfix adds its own domain; nobody has a mailbox here",
    ),
    (
        "RCPT TO:<b@-example.test>",
        5,
        2,
        "what DNS has is seen at delivery",
    ),
    (
        "RCPT TO:<\u{fc}@example.test>",
        2,
        5,
        "only with SMTPUTF8 (RFC 6531 §3.3)",
    ),
    ("a\\0b\\r\\n.\\r\\n", 2, 5, "no NUL in content"),
    (
        "a\\rb\\r\\n.\\r\\n",
        2,
        5,
        "no CR alone in content (RFC 5321 §2.3.8)",
    ),
];

/// What was said, and the first digits of both replies, Postfix's first; with them the replies, the first time.
type Seen = BTreeMap<(String, u8, u8), [String; 2]>;

#[test]
fn verdicts_are_those_of_postfix() {
    arena::run("smtpd::verdicts_are_those_of_postfix", |directory| {
        let mut relay = Relay::start(directory, DnsMode::TrustAd, Path::new(""), "soft.test");
        relay.change(&[(&format!("[\"{FRONT}/32\"]"), "[\"127.0.0.0/8\"]")]);
        let _postfix = Postfix::taking(directory, "mynetworks = 127.0.0.0/8\ndefault_transport = discard");
        let mut seen = Seen::new();
        for seed in 0..DIALOGUES {
            let mut chance = Chance::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            dialogue(&mut chance, &mut seen);
        }
        for (said, theirs, ours, _) in DIFFERENCES {
            let known = seen.remove(&((*said).to_owned(), *theirs, *ours));
            assert!(known.is_some(), "no difference any more: {said}");
        }
        assert!(seen.is_empty(), "differences without a reason: {seen:#?}");
    });
}

/// Says the same to both until their verdicts differ, or one of them ends the session.
fn dialogue(chance: &mut Chance, seen: &mut Seen) {
    let mut peers = [Peer::at(FRONT, 25), Peer::at(HOST, PORT)];
    for _ in 0..COMMANDS {
        let said = SAID[chance.below(SAID.len())];
        let mut octets = format!("{said}\r\n");
        if said.starts_with("BDAT 21") {
            octets += CHUNK;
        }
        let replies = peers.each_mut().map(|peer| peer.say(&octets));
        let is_content_next = replies[1].starts_with("354");
        // Postfix insists on RSET behind a refused chunk (RFC 3030 §2), and remembers a refused size until then.
        let is_reset_next =
            (said.starts_with("BDAT") || said.contains("SIZE")) && replies[1].starts_with('5');
        if !agree(said, replies, seen) {
            return;
        }
        if is_reset_next {
            for peer in &mut peers {
                peer.say("RSET\r\n");
            }
        }
        if is_content_next {
            let content = CONTENTS[chance.below(CONTENTS.len())];
            let replies = peers.each_mut().map(|peer| peer.say(content));
            if !agree(&content.escape_debug().to_string(), replies, seen) {
                return;
            }
        }
    }
}

/// Whether both replies are of one class; if not, that is noted.
fn agree(said: &str, replies: [String; 2], seen: &mut Seen) -> bool {
    let [theirs, ours] = replies.each_ref().map(|reply| reply.as_bytes()[0] - b'0');
    if theirs != ours {
        seen.entry((said.to_owned(), theirs, ours)).or_insert(replies);
    }
    theirs == ours
}

/// A server at the other end of a connection.
struct Peer(BufReader<TcpStream>);

impl Peer {
    fn at(host: &str, port: u16) -> Self {
        let stream = TcpStream::connect((host, port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut peer = Self(BufReader::new(stream));
        assert!(peer.reply().starts_with("220"));
        peer
    }

    fn say(&mut self, octets: &str) -> String {
        self.0.get_mut().write_all(octets.as_bytes()).unwrap();
        self.reply()
    }

    /// The last line of the reply.
    fn reply(&mut self) -> String {
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).expect("a reply in time");
            assert!(line.len() > 4, "no reply: {line:?}");
            if line.as_bytes()[3] == b' ' {
                return line;
            }
        }
    }
}
