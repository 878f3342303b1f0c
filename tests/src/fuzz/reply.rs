//! Replies of a server.

use bytes::BytesMut;
use mail::render::{Form, whole};
use smtp::reply::{Cut, LINE_LENGTH, LINES, REPLY_LENGTH};
use smtp::{Extensions, Reply, ReplyError, ReplyParser};

use super::input::{Input, pieces};
use super::record::{Field, Fields};

/// The first octet says how the rest is split into pieces, which must make no difference. A reply is bounded, is one line in
/// the log, and parses to itself when it is sent again.
pub fn smtp_reply(octets: &[u8]) {
    let mut input = Input::new(octets);
    let sizes = input.octet();
    let wire = input.rest();
    let whole = read(&[wire]);
    assert_eq!(whole, read(&pieces(wire, sizes)));
    for reply in &whole.replies {
        sound(reply);
    }
}

#[derive(Debug, PartialEq)]
struct Read {
    replies: Vec<Reply>,
    /// Why no more could be read; else what is left of the buffer.
    end: Result<BytesMut, ReplyError>,
}

fn read(pieces: &[&[u8]]) -> Read {
    let mut parser = ReplyParser::new();
    let mut buffer = BytesMut::new();
    let mut replies = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match parser.parse(&mut buffer) {
                Ok(Some(reply)) => replies.push(reply),
                Ok(None) => break,
                Err(error) => {
                    return Read {
                        replies,
                        end: Err(error),
                    };
                }
            }
        }
    }
    assert!(buffer.len() <= LINE_LENGTH + 1);
    Read {
        replies,
        end: Ok(buffer),
    }
}

fn sound(reply: &Reply) {
    assert!((200..600).contains(&reply.code.get()));
    assert!((1..=LINES).contains(&reply.lines.len()));
    let length: usize = reply.lines.iter().map(String::len).sum();
    // An octet that is no UTF-8 becomes three.
    assert!(length <= 3 * REPLY_LENGTH);
    let text = reply.to_log();
    assert!(!text.contains('\n'), "{text:?}");
    let event = Fields {
        name: "delivery",
        fields: vec![("reply", Field::Quoted(text))],
    };
    assert!(!whole(&event, Form::Text).contains(char::is_control), "{event:?}");
    assert!(
        reply
            .enhanced()
            .is_none_or(|status| status.class() == reply.code.class())
    );
    let offered = Extensions::from_ehlo(reply);
    assert_eq!(offered, Extensions::from_ehlo(reply));
    let is_whole = reply.cut == Cut::Nowhere;
    if is_whole && reply.lines.iter().all(|line| line.len() + 4 <= LINE_LENGTH) {
        let again = read(&[sent_again(reply).as_bytes()]);
        assert_eq!(again.replies, std::slice::from_ref(reply));
        assert_eq!(again.end, Ok(BytesMut::new()));
    }
}

fn sent_again(reply: &Reply) -> String {
    let last = reply.lines.len() - 1;
    let lines = reply.lines.iter().enumerate().map(|(position, text)| {
        let separator = if position == last { ' ' } else { '-' };
        format!("{}{separator}{text}\r\n", reply.code)
    });
    lines.collect()
}
