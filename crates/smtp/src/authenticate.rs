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

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
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
