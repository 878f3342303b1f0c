//! `AUTH` as a client (RFC 4954): what is sent, encoded. The passwords in it are never shown.

use std::fmt;

use data_encoding::BASE64;

use crate::Reply;

/// The longest command line, in octets with its end (RFC 5321 §4.5.3.1.4). An initial response that does not fit is sent after
/// the server's challenge (RFC 4954 §4).
const COMMAND_LINE: usize = 512;

/// A response, encoded in base64.
#[derive(Clone, PartialEq, Eq)]
pub struct Response(String);

impl Response {
    /// All that PLAIN needs, in the user's own name (RFC 4616 §2).
    pub fn plain(user: &str, password: &str) -> Self {
        Self(BASE64.encode(format!("\0{user}\0{password}").as_bytes()))
    }

    /// One text, as LOGIN wants user name and password.
    pub fn text(text: &str) -> Self {
        Self(BASE64.encode(text.as_bytes()))
    }

    /// Whether it fits on the line of `AUTH PLAIN`.
    pub fn fits_plain(&self) -> bool {
        "AUTH PLAIN ".len() + self.0.len() + "\r\n".len() <= COMMAND_LINE
    }

    /// A text of the server with `[hidden]` in place of this response, and of the password in it, encoded or not, whole or in parts: some servers repeat what
    /// they were sent.
    pub fn hide_in(&self, text: &str) -> String {
        let decoded = BASE64.decode(self.0.as_bytes()).unwrap_or_default();
        // Of PLAIN the part after the user name.
        let password = decoded.rsplit(|octet| *octet == 0).next().unwrap_or_default();
        let encoded = BASE64.encode(password);
        let password = String::from_utf8_lossy(password);
        let secrets = [&self.0, &encoded, &*password];
        let mut hidden = text.to_owned();
        for secret in secrets {
            if !secret.is_empty() {
                hidden = hidden.replace(secret, HIDDEN);
            }
        }
        without_parts(&hidden, &secrets)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// What stands in the place of a secret.
const HIDDEN: &str = "[hidden]";
/// A word of so many characters that is a part of a secret is hidden, too.
const PART: usize = 4;

/// Servers cut what they repeat, or break it into lines.
fn without_parts(text: &str, secrets: &[&str]) -> String {
    let is_of_word = |c: char| c.is_alphanumeric() || matches!(c, '+' | '/');
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let in_word = is_of_word(first);
        let end = rest.find(|c| is_of_word(c) != in_word).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        let is_part = in_word && run.chars().count() >= PART;
        if is_part && secrets.iter().any(|secret| secret.contains(run)) {
            shown.push_str(HIDDEN);
        } else {
            shown.push_str(run);
        }
        rest = after;
    }
    shown
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Response")
    }
}

/// Whether a reply to AUTH is a challenge that can be decoded: anything else with code 334 must be cancelled (RFC 4954 §4).
pub fn is_challenge(reply: &Reply) -> bool {
    match &*reply.lines {
        [line] => BASE64.decode(line.as_bytes()).is_ok(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ReplyParser;
    use bytes::BytesMut;

    #[test]
    fn responses_are_encoded_and_not_shown() {
        let plain = Response::plain("user", "pass word");
        assert_eq!(plain.as_str(), "AHVzZXIAcGFzcyB3b3Jk");
        assert_eq!(Response::text("user").as_str(), "dXNlcg==");
        assert_eq!(format!("{plain:?}"), "Response");
        assert!(plain.fits_plain());
        // 499 octets are left behind "AUTH PLAIN ", and base64 comes in fours.
        assert!(Response::plain("user", &"x".repeat(366)).fits_plain());
        assert!(!Response::plain("user", &"x".repeat(367)).fits_plain());
    }

    #[test]
    fn what_a_server_repeats_of_a_response_is_hidden() {
        let plain = Response::plain("user", "pass word");
        assert_eq!(
            plain.hide_in("535 AHVzZXIAcGFzcyB3b3Jk of user is no 'pass word', cGFzcyB3b3Jk"),
            "535 [hidden] of user is no '[hidden]', [hidden]"
        );
        assert_eq!(
            Response::text("pass word").hide_in("no cGFzcyB3b3Jk, pass word"),
            "no [hidden], [hidden]"
        );
        assert_eq!(
            plain.hide_in("535-AHVzZXIAcG 535 FzcyB3b3Jk, of 'pass' and cGFzcyB3"),
            "535-[hidden] 535 [hidden], of '[hidden]' and [hidden]"
        );
        assert_eq!(Response::text("").hide_in("535 no"), "535 no");
    }

    #[test]
    fn challenges_are_base64() {
        for (reply, expected) in [
            ("334 \r\n", true),
            ("334 VXNlcm5hbWU6\r\n", true),
            ("334 Username:\r\n", false),
            ("334 VXNlcm5hbWU\r\n", false),
            ("334-VXNlcm5hbWU6\r\n334 VXNlcm5hbWU6\r\n", false),
        ] {
            let reply = ReplyParser::new()
                .parse(&mut BytesMut::from(reply))
                .unwrap()
                .unwrap();
            assert_eq!(is_challenge(&reply), expected, "{reply:?}");
        }
    }
}
