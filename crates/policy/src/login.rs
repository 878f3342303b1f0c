//! User name and password for a route's server (RFC 4954).

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

/// A login. Its user name and password are never shown; two logins are the same if both are.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Login {
    file: Arc<str>,
    user: Arc<str>,
    password: Arc<str>,
}

/// Why a file is not a login. What it contains is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LoginError {
    /// One line, or more than two.
    #[error(
        "the file does not have two lines; allowed: the user name on the first line, the password on the second"
    )]
    Lines,
    /// One of the lines is empty.
    #[error("a line is empty; allowed: the user name on the first line, the password on the second")]
    Empty,
    /// A control character; among them NUL, which separates the two in PLAIN (RFC 4616 §2).
    #[error("there is a control character in a line, which neither a user name nor a password can have")]
    Control,
}

impl Login {
    /// Reads the text of a file: the user name on the first line, the password on the second.
    pub fn parse(file: &str, text: &str) -> Result<Self, LoginError> {
        let mut lines = text.lines();
        let (Some(user), Some(password), None) = (lines.next(), lines.next(), lines.next()) else {
            return Err(LoginError::Lines);
        };
        if user.is_empty() || password.is_empty() {
            return Err(LoginError::Empty);
        }
        if user.contains(char::is_control) || password.contains(char::is_control) {
            return Err(LoginError::Control);
        }
        Ok(Self {
            file: file.into(),
            user: user.into(),
            password: password.into(),
        })
    }

    /// The file that it comes from.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The user name.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The password.
    pub fn password(&self) -> &str {
        &self.password
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_lines_are_a_login() {
        for text in ["user\npass word", "user\npass word\n", "user\r\npass word\r\n"] {
            let login = Login::parse("a.login", text);
            let parts = login.as_ref().map(|login| (login.user(), login.password()));
            assert_eq!(parts, Ok(("user", "pass word")), "{text:?}");
        }
        for (text, error) in [
            ("", LoginError::Lines),
            ("user", LoginError::Lines),
            ("user\npassword\nmore", LoginError::Lines),
            ("\npassword", LoginError::Empty),
            ("user\n\n", LoginError::Empty),
            ("user\npass\0word", LoginError::Control),
        ] {
            assert_eq!(Login::parse("a.login", text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn nothing_of_it_is_shown() {
        let shown = format!("{:?}", Login::parse("a.login", "user\nsecret"));
        assert!(!shown.contains("user") && !shown.contains("secret"), "{shown}");
    }
}
