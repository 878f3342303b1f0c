//! The last good copy of each list with a URL.
//!
//! A copy is a file of its own, so that an administrator can look at it; what the server recognises it by is in a second
//! one beside it, with a checksum of the first: if somebody changes the copy, the server is asked for all of it again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use https::{Url, Validators};
use jiff::Timestamp;
use policy::{Fetched, Missing};
use serde::{Deserialize, Serialize};

use crate::access::{self, Use};
use crate::config::Config;
use crate::replace_file::write_state;

/// The copies in a directory.
#[derive(Debug, Clone)]
pub(crate) struct Copies {
    directory: PathBuf,
}

/// What is known about a copy.
#[derive(Debug, Serialize, Deserialize)]
struct Facts {
    url: String,
    /// When the server last said that it is current.
    current: Timestamp,
    etag: Option<String>,
    last_modified: Option<String>,
    /// Of the copy.
    checksum: u32,
}

/// A copy, and what the server recognises it by.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) text: Option<String>,
    pub(super) validators: Validators,
}

impl Copies {
    /// Those of the daemon with this configuration.
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            directory: config.state_directory.join("lists"),
        }
    }

    /// The copy of a list for the policy.
    pub(crate) fn get(&self, url: &str, missing: Missing) -> Fetched {
        if let Err(error) = url.parse::<Url>() {
            return Fetched::NoUrl(error.to_string());
        }
        let path = self.copy(url);
        let text = match read(&path) {
            Ok(Some(text)) => text,
            Ok(None) => return Fetched::Never(missing),
            Err(error) => {
                let words = access::explain(&path, Use::Read, &error);
                return Fetched::Unreadable(path, io::Error::new(error.kind(), words));
            }
        };
        let age = self.age(url, &path);
        Fetched::Copy { path, text, age }
    }

    /// Whether the list could be fetched, and never was.
    pub(crate) fn is_missing(&self, url: &str) -> bool {
        url.parse::<Url>().is_ok() && !self.copy(url).exists()
    }

    /// How old the copy is, if there is one.
    pub(super) fn age_of(&self, url: &str) -> Option<Duration> {
        let path = self.copy(url);
        path.exists().then(|| self.age(url, &path))
    }

    /// How long ago the server said that the copy is current; by the file's own time if nothing is known.
    fn age(&self, url: &str, path: &Path) -> Duration {
        let current = self.facts(url).map(|facts| facts.current);
        let changed = || {
            let changed = fs::metadata(path).ok()?.modified().ok()?;
            Timestamp::try_from(changed).ok()
        };
        let Some(since) = current.or_else(changed) else {
            return Duration::ZERO;
        };
        Timestamp::now()
            .duration_since(since)
            .try_into()
            .unwrap_or_default()
    }

    /// The copy, with what the server recognises it by as long as it is what the server gave.
    pub(super) fn known(&self, url: &str) -> io::Result<Known> {
        let Some(text) = read(&self.copy(url))? else {
            return Ok(Known::default());
        };
        let facts = self.facts(url);
        let facts = facts.filter(|facts| facts.checksum == crc32fast::hash(text.as_bytes()));
        Ok(Known {
            text: Some(text),
            validators: facts.map_or_else(Validators::default, |facts| Validators {
                etag: facts.etag,
                last_modified: facts.last_modified,
            }),
        })
    }

    /// Replaces the copy by what the server gave; a reader sees the one or the other.
    pub(super) fn replace(&self, url: &str, text: &str, validators: &Validators) -> io::Result<()> {
        write_state(&self.copy(url), text.as_bytes())?;
        self.note(url, text, validators)
    }

    /// Notes that what the server has is this text, which is the copy.
    pub(super) fn note(&self, url: &str, text: &str, validators: &Validators) -> io::Result<()> {
        let facts = Facts {
            url: url.to_owned(),
            current: Timestamp::now(),
            etag: validators.etag.clone(),
            last_modified: validators.last_modified.clone(),
            checksum: crc32fast::hash(text.as_bytes()),
        };
        let _ = fs::remove_file(self.held_back(url));
        write_state(&self.path(url, "json"), &serde_json::to_vec(&facts)?)
    }

    /// Keeps what came and is not believed, for the administrator to look at.
    pub(super) fn hold_back(&self, url: &str, octets: &[u8]) -> io::Result<PathBuf> {
        let path = self.held_back(url);
        write_state(&path, octets)?;
        Ok(path)
    }

    /// The file with the copy.
    pub(crate) fn copy(&self, url: &str) -> PathBuf {
        self.path(url, "list")
    }

    /// The file with what is held back.
    fn held_back(&self, url: &str) -> PathBuf {
        self.path(url, "held-back")
    }

    /// A name in which people recognise the address, and which no other address has.
    fn path(&self, url: &str, extension: &str) -> PathBuf {
        /// Of the address; file systems have a limit.
        const SHOWN: usize = 100;
        let shown = url.strip_prefix("https://").unwrap_or(url).chars().take(SHOWN);
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') {
                c
            } else {
                '_'
            }
        };
        let name: String = shown.map(plain).collect();
        let name = name.trim_start_matches('.');
        let checksum = crc32fast::hash(url.as_bytes());
        self.directory.join(format!("{name}-{checksum:08x}.{extension}"))
    }

    fn facts(&self, url: &str) -> Option<Facts> {
        let octets = fs::read(self.path(url, "json")).ok()?;
        let facts: Facts = serde_json::from_slice(&octets).ok()?;
        (facts.url == url).then_some(facts)
    }
}

/// The text of a file, if there is one. An octet that is not UTF-8 makes its line invalid, not the list.
fn read(path: &Path) -> io::Result<Option<String>> {
    match fs::read(path) {
        Ok(octets) => Ok(Some(String::from_utf8_lossy(&octets).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    const URL: &str = "https://lists.example/a/../dane_fail_list.dat?x=y";

    #[test]
    fn a_copy_is_kept_with_what_the_server_recognises_it_by() {
        let directory = tempfile::tempdir().unwrap();
        let copies = Copies {
            directory: directory.path().join("lists"),
        };
        assert!(matches!(
            copies.get(URL, Missing::Refused),
            Fetched::Never(Missing::Refused)
        ));
        assert!(matches!(
            copies.get("http://x/", Missing::Refused),
            Fetched::NoUrl(_)
        ));
        let validators = Validators {
            etag: Some("\"1\"".into()),
            last_modified: None,
        };
        copies.replace(URL, "a.example\n", &validators).unwrap();
        let Fetched::Copy { text, age, path } = copies.get(URL, Missing::Refused) else {
            panic!("there is a copy");
        };
        assert_eq!((text.as_str(), age.as_secs()), ("a.example\n", 0));
        assert_eq!(path.parent(), Some(copies.directory.as_path()));
        assert_eq!(copies.known(URL).unwrap().validators, validators);
        // Somebody changes it: the server does not know that one.
        fs::write(&path, "b.example\n").unwrap();
        let known = copies.known(URL).unwrap();
        assert_eq!(known.text.as_deref(), Some("b.example\n"));
        assert_eq!(known.validators, Validators::default());
        // Another address has another copy.
        assert!(matches!(
            copies.get(
                "https://lists.example/a/.._dane_fail_list.dat?x=y",
                Missing::Warned
            ),
            Fetched::Never(Missing::Warned)
        ));
    }
}
