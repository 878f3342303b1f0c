//! `danerelay user`: who may authenticate, in the file that `access.users_file` names.

mod error;
mod terminal;

use std::fs::{File, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use listener::Users;
use listener::users::{hash_password, is_name};
use rustix::termios::isatty;

use super::output::write;
use crate::access::Use;
use crate::config;
use crate::exit::Verdict;
use crate::failure::Failure;
use crate::replace_file::{Replacement, directory};
pub(crate) use error::UserError;
use terminal::unseen;

/// What can be done with the users.
#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Add a user, or set a new password for one.
    ///
    /// If standard input is a terminal the password is asked for, twice; otherwise it is the one line of standard input.
    /// Only its hash is kept (argon2id). A running relay takes up the change within seconds.
    ///
    /// Exit status: 0 done; 2 there is no `access.users_file`, it cannot be used, or the password is empty or longer than
    /// 1,024 octets.
    Add(UserArguments),
    /// Remove a user.
    ///
    /// Exit status: 0 done; 1 there is no such user; 2 there is no `access.users_file`, or it cannot be used.
    Remove(UserArguments),
    /// Print the users' names, one a line.
    ///
    /// Exit status: 0 done; 2 there is no `access.users_file`, or it cannot be used.
    List,
}

/// Whom it is about.
#[derive(Debug, Args)]
pub(crate) struct UserArguments {
    /// The user's name: no colon, no blanks, at most 255 octets. Often it is a mail address.
    #[arg(value_parser = name)]
    name: String,
}

fn name(text: &str) -> Result<String, &'static str> {
    let allowed = "allowed: a name without colon, blank or control character, at most 255 octets";
    is_name(text).then(|| text.to_owned()).ok_or(allowed)
}

/// Runs the command.
pub(crate) fn run(command: &UserCommand, named: Option<&Path>) -> Result<Verdict, Failure> {
    let loaded = config::load(named)?;
    let path = &loaded.config.access.users_file;
    if path.as_os_str().is_empty() {
        return Err(UserError::NoFile.into());
    }
    // What is wrong with it is said before a password is asked for.
    let mut lines = read(path)?;
    match command {
        UserCommand::Add(UserArguments { name }) => {
            let line = format!("{name}:{}", hash_password(&password()?).map_err(UserError::from)?);
            let _lock = lock(path)?;
            lines = read(path)?;
            let mut kept = without(&lines, name);
            let word = if kept.len() == lines.len() {
                "added"
            } else {
                "changed"
            };
            kept.push(&line);
            store(path, &loaded.path, &kept)?;
            write(&format!("{word} {name}\n"))?;
        }
        UserCommand::Remove(UserArguments { name }) => {
            let _lock = lock(path)?;
            lines = read(path)?;
            let kept = without(&lines, name);
            if kept.len() == lines.len() {
                write(&format!("there is no user {name}\n"))?;
                return Ok(Verdict::Bad);
            }
            store(path, &loaded.path, &kept)?;
            write(&format!("removed {name}\n"))?;
        }
        UserCommand::List => {
            let mut sorted: Vec<&str> = lines.iter().filter_map(|line| name_in(line)).collect();
            sorted.sort_unstable();
            sorted.push("");
            write(&sorted.join("\n"))?;
        }
    }
    Ok(Verdict::Good)
}

/// Nobody else who runs this command changes the file until this is dropped. It is the directory that is locked: the file is
/// replaced.
fn lock(path: &Path) -> Result<File, UserError> {
    let path = target(path);
    let locked = File::open(directory(&path)).and_then(|directory| {
        directory.lock()?;
        Ok(directory)
    });
    locked.map_err(|cause| UserError::File {
        path,
        purpose: Use::Write,
        cause,
    })
}

/// The file itself, if the path is a symbolic link.
fn target(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// The lines of the file, all of which are valid; none if the file does not exist yet.
fn read(path: &Path) -> Result<Vec<String>, UserError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(cause) => {
            return Err(UserError::File {
                path: path.to_owned(),
                purpose: Use::Read,
                cause,
            });
        }
    };
    Users::parse(&text).map_err(|cause| UserError::Users {
        path: path.to_owned(),
        cause,
    })?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// The user that a line defines; comments define none.
fn name_in(line: &str) -> Option<&str> {
    let (name, _) = line.split_once(':')?;
    is_name(name).then_some(name)
}

fn without<'a>(lines: &'a [String], name: &str) -> Vec<&'a str> {
    let others = lines.iter().filter(|line| name_in(line) != Some(name));
    others.map(String::as_str).collect()
}

/// Replaces the file by a new one with the same owner and mode; a reader sees one or the other. A new file gets the
/// owner of the configuration: whoever may read that may read this.
fn store(path: &Path, configuration: &Path, lines: &[&str]) -> Result<(), UserError> {
    let path = &target(path);
    let failed = |cause| UserError::File {
        path: path.clone(),
        purpose: Use::Write,
        cause,
    };
    let text = lines.iter().flat_map(|line| [line, "\n"]).collect::<String>();
    let written = (|| {
        let mut replacement = Replacement::begin(path, 0o600)?;
        replacement.write_all(text.as_bytes())?;
        let old = std::fs::metadata(path);
        let mode = old.as_ref().map_or(0o640, |old| old.mode() & 0o7777);
        if let Ok(model) = old.or_else(|_| std::fs::metadata(configuration)) {
            fchown(replacement.file(), Some(model.uid()), Some(model.gid()))?;
        }
        replacement.file().set_permissions(Permissions::from_mode(mode))?;
        replacement.finish()
    })();
    written.map_err(failed)
}

/// From the terminal, without echo and twice; otherwise the one line of standard input.
fn password() -> Result<String, UserError> {
    let input = io::stdin();
    let password = if isatty(&input) {
        let first = unseen("Password: ", MOST)?;
        if first != unseen("Again: ", MOST)? {
            return Err(UserError::Different);
        }
        first
    } else {
        piped(input.lock())?
    };
    if password.len() > MOST {
        return Err(UserError::TooLong);
    }
    if password.is_empty() || password.contains('\0') {
        return Err(UserError::NoPassword);
    }
    Ok(password)
}

/// The longest password, in octets; it is named in `UserError::TooLong`.
const MOST: usize = 1024;

/// The one line of the input. Of what is longer than any password only the beginning is read.
fn piped(input: impl io::Read) -> Result<String, UserError> {
    let mut text = Vec::new();
    let enough = MOST as u64 + 1 + "\r\n".len() as u64;
    input
        .take(enough)
        .read_to_end(&mut text)
        .map_err(UserError::Input)?;
    let first = text.split(|octet| *octet == b'\n').next().unwrap_or_default();
    if first.len() > MOST + 1 {
        return Err(UserError::TooLong);
    }
    let text = String::from_utf8(text).map_err(|error| UserError::Input(io::Error::other(error)))?;
    let mut lines = text.lines();
    match (lines.next(), lines.next()) {
        (Some(line), None) => Ok(line.to_owned()),
        _ => Err(UserError::NoPassword),
    }
}
