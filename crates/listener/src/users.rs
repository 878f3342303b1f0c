//! Users and the hashes of their passwords.

use std::collections::HashMap;
use std::fmt;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};

/// The longest name of a user, in octets.
const NAME_LENGTH: usize = 255;

/// Everybody who may authenticate.
pub struct Users {
    hashes: HashMap<Box<str>, Box<str>>,
}

/// Why a line does not define a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UserProblem {
    /// There is no colon, or the name is invalid.
    #[error(
        "a line is NAME:HASH, and a name has no colon, blank or control character and at most 255 octets"
    )]
    Form,
    /// The hash is not one that can be checked.
    #[error("the hash is no PHC string of argon2id, as `danerelay user add` writes it")]
    Hash,
    /// The name is already defined.
    #[error("the name stands there twice")]
    Twice,
}

/// A line that does not define a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct UsersError {
    /// Its line number, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: UserProblem,
}

/// The system did not provide a random salt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the password cannot be hashed")]
pub struct HashError;

impl Users {
    /// Reads lines `name:PHC-hash`; empty lines and those that begin with `#` are skipped.
    pub fn parse(text: &str) -> Result<Self, UsersError> {
        let mut hashes = HashMap::new();
        for (line, user) in (1..).zip(text.lines()) {
            let user = user.trim_end();
            if user.is_empty() || user.starts_with('#') {
                continue;
            }
            let wrong = |problem| UsersError { line, problem };
            let (name, hash) = user.split_once(':').ok_or(wrong(UserProblem::Form))?;
            if !is_name(name) {
                return Err(wrong(UserProblem::Form));
            }
            if !is_hash(hash) {
                return Err(wrong(UserProblem::Hash));
            }
            if hashes.insert(name.into(), hash.into()).is_some() {
                return Err(wrong(UserProblem::Twice));
            }
        }
        Ok(Self { hashes })
    }

    /// Whether there are no users.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Whether there is a user with this name.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.hashes.contains_key(name)
    }

    /// Whether this is the password of this user. Takes tens of milliseconds of processor time, even for users who do
    /// not exist, so that nobody can find out which users exist.
    pub(crate) fn verify(&self, name: &str, password: &str) -> bool {
        let found = self.hashes.get(name);
        let Some(hash) = found.or_else(|| self.hashes.values().next()) else {
            return false;
        };
        let Ok(hash) = PasswordHash::new(hash) else {
            return false;
        };
        let matches = Argon2::default()
            .verify_password(password.as_bytes(), &hash)
            .is_ok();
        matches && found.is_some()
    }
}

/// Whether a user can have this name.
pub fn is_name(name: &str) -> bool {
    let forbidden = |c: char| c == ':' || c.is_whitespace() || c.is_control();
    (1..=NAME_LENGTH).contains(&name.len()) && !name.starts_with('#') && !name.contains(forbidden)
}

fn is_hash(text: &str) -> bool {
    PasswordHash::new(text).is_ok_and(|hash| hash.algorithm.as_str() == "argon2id" && hash.hash.is_some())
}

/// The hash of a password as written in the file: argon2id with a random salt.
pub fn hash_password(password: &str) -> Result<String, HashError> {
    let hash = Argon2::default().hash_password(password.as_bytes());
    hash.map(|hash| hash.to_string()).map_err(|_| HashError)
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Users")
            .field("count", &self.hashes.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_the_right_password_of_the_right_user_counts() {
        let hash = hash_password("secret").unwrap();
        assert_ne!(
            hash,
            hash_password("secret").unwrap(),
            "each has a salt of its own"
        );
        let users = Users::parse(&format!("# users\n\na@b.example:{hash}\r\n")).unwrap();
        assert!(users.verify("a@b.example", "secret"));
        for (name, password) in [
            ("a@b.example", "Secret"),
            ("a@b.example", ""),
            ("b", "secret"),
            ("", "secret"),
        ] {
            assert!(!users.verify(name, password), "{name} {password}");
        }
        assert!(!Users::parse("").unwrap().verify("a", "secret"));
    }

    /// Whoever does not exist takes as long as a wrong password: without the hash it would be thousands of times less.
    #[test]
    fn unknown_users_cost_as_much_as_wrong_passwords() {
        #![allow(clippy::disallowed_types, reason = "processor time is meant")]
        let users = Users::parse(&format!("user:{}", hash_password("secret").unwrap())).unwrap();
        let fastest = |name| {
            let once = |_| {
                let began = std::time::Instant::now();
                assert!(!users.verify(name, "wrong"));
                began.elapsed()
            };
            (0..3).map(once).min().unwrap()
        };
        let (known, unknown) = (fastest("user"), fastest("nobody"));
        assert!(unknown > known / 10, "{unknown:?} and {known:?}");
    }

    #[test]
    fn wrong_lines_are_named() {
        let hash = hash_password("x").unwrap();
        for (text, line, problem) in [
            ("a", 1, UserProblem::Form),
            (&format!("\n:{hash}"), 2, UserProblem::Form),
            (&format!("a b:{hash}"), 1, UserProblem::Form),
            ("a:secret", 1, UserProblem::Hash),
            ("a:$argon2id$v=19$m=19456,t=2,p=1", 1, UserProblem::Hash),
            (&hash.replacen("$argon2id", "a:$argon2i", 1), 1, UserProblem::Hash),
            (&format!("a:{hash}\na:{hash}\n"), 2, UserProblem::Twice),
        ] {
            assert_eq!(
                Users::parse(text).unwrap_err(),
                UsersError { line, problem },
                "{text}"
            );
        }
    }
}
