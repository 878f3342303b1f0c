//! What a test may ask of a mail server, whichever it is.

use crate::letter::{Letter, SENDER};
use crate::wait;
use std::path::PathBuf;

/// The address the front server sends from.
pub const FRONT: &str = "127.0.0.2";
/// The address the receiving server listens on, port 25. Not on loopback, where no stranger's mail server is.
pub const BACK: &str = "192.0.2.25";

/// An account without rights, which owns the mailboxes.
pub const NOBODY: u32 = 65534;

/// A server to which a local user gives mail.
pub trait Submit {
    /// Gives the letter to this server's `sendmail` interface.
    fn submit(&self, letter: &Letter) {
        self.submit_from(letter, SENDER, &[]);
    }

    /// The same from this sender, with further options of `sendmail`.
    fn submit_from(&self, letter: &Letter, sender: &str, options: &[&str]);
}

/// A server that has mailboxes.
pub trait Receive {
    /// Everything logged so far.
    fn log(&self) -> String;

    /// The Maildir of all recipients.
    fn maildir(&self) -> PathBuf;

    /// How many connections have been made to it.
    fn connections(&self) -> usize;

    /// Whether any client has begun a mail transaction.
    fn has_seen_mail(&self) -> bool;

    /// Waits for the letter in the Maildir and returns it as it arrived.
    fn receive(&self, letter: &Letter) -> Vec<u8> {
        let maildir = self.maildir();
        wait::until(&format!("the letter to {}", letter.recipient), || {
            letter.find_in(&maildir)
        })
    }
}
