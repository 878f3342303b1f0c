//! Whole sessions of a client.

use listener::fuzzing::{Played, play};
use listener::users::hash_password;
use listener::{ListenerConfig, LoneLf, MissingFields, Users};
use mail::{Domain, Mailbox};
use smtp::line::{AUTH_LINE_LENGTH, COMMAND_LINE_LENGTH};
use std::sync::{Arc, LazyLock};

use super::input::{Input, pieces};

/// The first octet says in which pieces the rest comes, the second what the client may do: bit 0 relay by its address, bit 1
/// authenticate, bit 2 speak for others, bit 3 send large messages only up to 100 octets; bit 4 whether lone LFs are rewritten
/// and missing fields added. The rest is what it sends.
///
/// Pieces make no difference; each reply is one; what is accepted had a recipient, is one message of well-formed lines
/// behind our Received field, and came from a client that may relay.
pub fn smtp_session(octets: &[u8]) {
    let mut input = Input::new(octets);
    let (sizes, rights) = (input.octet(), input.octet());
    let wire = input.rest();
    let whole = play(settings(rights), &[wire]);
    let pieced = play(settings(rights), &pieces(wire, sizes));
    assert_eq!(
        whole.replies.escape_ascii().to_string(),
        pieced.replies.escape_ascii().to_string()
    );
    assert_eq!(whole.messages, pieced.messages);
    assert!(
        pieced.kept <= AUTH_LINE_LENGTH.max(COMMAND_LINE_LENGTH),
        "{}",
        pieced.kept
    );
    replies(&whole.replies, wire);
    messages(&whole, rights);
}

fn settings(rights: u8) -> ListenerConfig {
    static USERS: LazyLock<Arc<Users>> = LazyLock::new(|| {
        let hash = hash_password("secret").unwrap();
        Arc::new(Users::parse(&format!("user:{hash}")).unwrap())
    });
    let hostname = Domain::parse("relay.example").unwrap();
    let mut settings = ListenerConfig::new(hostname, Mailbox::parse("p@relay.example").unwrap());
    if rights & 1 != 0 {
        settings.networks = vec!["127.0.0.0/8".parse().unwrap()];
    }
    if rights & 2 != 0 {
        settings.users = Some(Arc::clone(&USERS));
    }
    if rights & 4 != 0 {
        settings.xclient = vec!["127.0.0.0/8".parse().unwrap()];
    }
    if rights & 8 != 0 {
        settings.limits.message_size = 100;
    }
    if rights & 16 != 0 {
        settings.limits.lone_lf = LoneLf::Rewrite;
        settings.missing_fields = MissingFields::Add;
    }
    settings
}

/// Complete lines of printable ASCII, each a code that SMTP has; no more whole replies than there was asked for.
fn replies(octets: &[u8], wire: &[u8]) {
    let text = std::str::from_utf8(octets).unwrap();
    assert!(text.ends_with("\r\n"), "{text:?}");
    let mut whole = 0;
    for line in text.split_terminator("\r\n") {
        let octets = line.as_bytes();
        assert!(
            octets.len() >= 4 && octets[..3].iter().all(u8::is_ascii_digit),
            "{line:?}"
        );
        assert!(
            matches!(octets[0], b'2'..=b'5') && matches!(octets[3], b' ' | b'-'),
            "{line:?}"
        );
        assert!(
            octets.iter().all(|octet| matches!(octet, b' '..=b'~')),
            "{line:?}"
        );
        whole += usize::from(octets[3] == b' ');
    }
    let lines = wire.windows(2).filter(|pair| pair == b"\r\n").count();
    // The greeting, and at most the reply and the farewell to the last line; a chunk without a line end has its own.
    let chunks = wire
        .windows(4)
        .filter(|word| word.eq_ignore_ascii_case(b"BDAT"))
        .count();
    assert!(
        whole <= lines + chunks + 2,
        "{whole} replies to {lines} lines: {text}"
    );
}

fn messages(played: &Played, rights: u8) {
    // A client without the right to relay, and without a way to get it, relays nothing.
    assert!(rights & 7 != 0 || played.messages.is_empty());
    for (envelope, content) in &played.messages {
        assert!(!envelope.recipients.is_empty());
        let text = content.escape_ascii().to_string();
        assert!(content.starts_with(b"Received: from "), "{text}");
        assert!(content.ends_with(b"\r\n") && !content.contains(&0), "{text}");
        let lines: Vec<&[u8]> = content.split(|octet| *octet == b'\n').collect();
        let (last, lines) = lines.split_last().unwrap();
        assert!(last.is_empty(), "{text}");
        for line in lines {
            let line = line.strip_suffix(b"\r").expect(&text);
            assert!(!line.contains(&b'\r') && line.len() <= 998, "{text}");
        }
        // Whatever the content begins with does not become part of our field.
        let below = lines.iter().skip(1).find(|line| !line.starts_with(b"\t"));
        assert!(below.is_none_or(|line| !line.starts_with(b" ")), "{text}");
    }
}
