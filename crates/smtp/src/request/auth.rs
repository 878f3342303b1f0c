//! `AUTH` by PLAIN (RFC 4616) and LOGIN, the older form that many clients prefer: who says what, without I/O.

use std::fmt;

use data_encoding::BASE64;

use crate::refusal::Refusal;

/// How a client authenticates. Both mechanisms send the password itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// User and password in one response.
    Plain,
    /// One after the other.
    Login,
}

/// `AUTH` as a client begins it.
#[derive(Clone, PartialEq, Eq)]
pub struct Auth {
    /// By which mechanism.
    pub mechanism: Mechanism,
    /// The initial response, decoded, if there is one.
    pub initial: Option<Vec<u8>>,
}

/// An exchange in which it is the client's turn.
#[derive(Clone, PartialEq, Eq)]
pub enum Exchange {
    /// All that PLAIN needs is to come.
    Plain,
    /// The user's name is to come.
    LoginUser,
    /// The password of this user is expected next.
    LoginPassword(String),
}

/// What comes of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The client is to say more.
    Ask(Exchange),
    /// It has said all.
    Complete(Credentials),
}

/// A user's name and password as sent by a client; the password is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The name: not empty, without control characters, and not to be trusted yet.
    pub user: String,
    /// The password.
    pub password: String,
}

impl Mechanism {
    /// Its name (RFC 4616 §2).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
        }
    }
}

impl Auth {
    pub(super) fn parse(argument: &str) -> Result<Self, Refusal> {
        let mut words = argument.split(' ').filter(|word| !word.is_empty());
        let mechanism = match words.next() {
            Some(word) => [Mechanism::Plain, Mechanism::Login]
                .into_iter()
                .find(|known| word.eq_ignore_ascii_case(known.as_str()))
                .ok_or(Refusal::Mechanism)?,
            None => return Err(Refusal::Arguments),
        };
        let initial = match (words.next(), words.next()) {
            (None, _) => None,
            // RFC 4954 §4: a response without octets.
            (Some("="), None) => Some(Vec::new()),
            (Some(word), None) => Some(decode(word.as_bytes())?),
            (Some(_), Some(_)) => return Err(Refusal::Arguments),
        };
        Ok(Self { mechanism, initial })
    }

    /// Begins the exchange.
    pub fn begin(self) -> Result<Answer, Refusal> {
        let exchange = match self.mechanism {
            Mechanism::Plain => Exchange::Plain,
            Mechanism::Login => Exchange::LoginUser,
        };
        match self.initial {
            None => Ok(Answer::Ask(exchange)),
            Some(response) => exchange.response(&response),
        }
    }
}

impl Exchange {
    /// The reply that asks the client to go on.
    pub fn challenge(&self) -> &'static str {
        match self {
            Self::Plain => "334 ",
            // "Username:" and "Password:", which some clients look for.
            Self::LoginUser => "334 VXNlcm5hbWU6",
            Self::LoginPassword(_) => "334 UGFzc3dvcmQ6",
        }
    }

    /// Takes the client's next line; `*` ends the exchange (RFC 4954 §4).
    pub fn line(self, line: &[u8]) -> Result<Answer, Refusal> {
        if line == b"*" {
            return Err(Refusal::AuthCancelled);
        }
        let response = decode(line)?;
        self.response(&response)
    }

    fn response(self, response: &[u8]) -> Result<Answer, Refusal> {
        let text = std::str::from_utf8(response).map_err(|_| Refusal::Credentials)?;
        match self {
            Self::Plain => plain(text).map(Answer::Complete),
            Self::LoginUser => Ok(Answer::Ask(Self::LoginPassword(user(text)?))),
            Self::LoginPassword(user) => Ok(Answer::Complete(Credentials {
                user,
                password: text.to_owned(),
            })),
        }
    }
}

/// `[authzid] NUL authcid NUL passwd`. Nobody may act for others here: the first is empty, or the same as the second.
fn plain(text: &str) -> Result<Credentials, Refusal> {
    let mut parts = text.split('\0');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(acts_for), Some(name), Some(password), None) if acts_for.is_empty() || acts_for == name => {
            Ok(Credentials {
                user: user(name)?,
                password: password.to_owned(),
            })
        }
        _ => Err(Refusal::Credentials),
    }
}

fn user(name: &str) -> Result<String, Refusal> {
    if name.is_empty() || name.contains(char::is_control) {
        return Err(Refusal::Credentials);
    }
    Ok(name.to_owned())
}

/// Strict: padding where it belongs, with no data in it (RFC 4954 §4).
fn decode(text: &[u8]) -> Result<Vec<u8>, Refusal> {
    BASE64.decode(text).map_err(|_| Refusal::Base64)
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth")
            .field("mechanism", &self.mechanism)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "Plain",
            Self::LoginUser => "LoginUser",
            Self::LoginPassword(_) => "LoginPassword",
        })
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn credentials(user: &str, password: &str) -> Answer {
        Answer::Complete(Credentials {
            user: user.to_owned(),
            password: password.to_owned(),
        })
    }

    #[test]
    fn plain_in_one_line_or_two() {
        let response = BASE64.encode(b"\0user\0pass word");
        let auth = Auth::parse(&format!("plain {response}")).unwrap();
        assert_eq!(auth.begin(), Ok(credentials("user", "pass word")));
        let asked = Auth::parse("PLAIN").unwrap().begin();
        assert_eq!(asked, Ok(Answer::Ask(Exchange::Plain)));
        let same = BASE64.encode(b"user\0user\0");
        assert_eq!(Exchange::Plain.line(same.as_bytes()), Ok(credentials("user", "")));
    }

    #[test]
    fn login_asks_for_one_after_the_other() {
        let Ok(Answer::Ask(first)) = Auth::parse("LOGIN").unwrap().begin() else {
            unreachable!()
        };
        let Ok(Answer::Ask(second)) = first.line(b"dXNlcg==") else {
            unreachable!()
        };
        assert_eq!(second.challenge(), "334 UGFzc3dvcmQ6");
        assert_eq!(second.line(b"cGFzcw=="), Ok(credentials("user", "pass")));
        let named = Auth::parse("LOGIN dXNlcg==").unwrap().begin();
        assert_eq!(named, Ok(Answer::Ask(Exchange::LoginPassword("user".to_owned()))));
    }

    #[test]
    fn what_is_no_exchange_is_refused() {
        for (argument, refusal) in [
            ("", Refusal::Arguments),
            ("CRAM-MD5", Refusal::Mechanism),
            ("PLAIN AA== x", Refusal::Arguments),
            ("PLAIN =AAA", Refusal::Base64),
            ("PLAIN AAA", Refusal::Base64),
            ("PLAIN AB==", Refusal::Base64),
            ("PLAIN A A==", Refusal::Arguments),
        ] {
            assert_eq!(Auth::parse(argument), Err(refusal), "{argument}");
        }
        assert_eq!(Auth::parse("PLAIN =").unwrap().begin(), Err(Refusal::Credentials));
        for response in [
            &b"user\0pass"[..],
            b"other\0user\0pass",
            b"\0user\0pass\0more",
            b"\0\0pass",
            b"\0us\ner\0pass",
            b"\0\xff\0pass",
        ] {
            assert_eq!(
                Exchange::Plain.response(response),
                Err(Refusal::Credentials),
                "{response:?}"
            );
        }
        assert_eq!(Exchange::LoginUser.line(b"*"), Err(Refusal::AuthCancelled));
        assert_eq!(Exchange::LoginUser.line(b"dXNlcg== "), Err(Refusal::Base64));
    }

    #[test]
    fn nothing_shows_a_password() {
        let Ok(Answer::Complete(said)) = Exchange::LoginPassword("user".into()).line(b"c2VjcmV0") else {
            unreachable!()
        };
        let auth = Auth::parse("PLAIN AHVzZXIAc2VjcmV0").unwrap();
        for shown in [
            format!("{said:?}"),
            format!("{auth:?}"),
            format!("{:?}", Exchange::LoginUser),
        ] {
            assert!(!shown.contains("secret") && !shown.contains("115"), "{shown}");
        }
    }
}
