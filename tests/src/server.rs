//! What a test may ask of a mail server, whichever it is.

use crate::certificates::Certificates;
use crate::exim::Exim;
use crate::letter::{Letter, SENDER};
use crate::postfix::Postfix;
use crate::wait;
use std::path::{Path, PathBuf};

/// The address the front server sends from.
pub const FRONT: &str = "127.0.0.2";
/// The address the receiving server listens on, port 25. Not on loopback, where no stranger's mail server is.
pub const BACK: &str = "192.0.2.25";

/// An account without rights, which owns the mailboxes.
pub const NOBODY: u32 = 65534;

/// The mail servers that can stand in front of the relay and behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Make {
    /// Postfix, installed.
    Postfix,
    /// Exim, installed or unpacked.
    Exim,
}

impl Make {
    /// A server that hands everything to the SMTP server at this address and port.
    pub fn front(self, directory: &Path, host: &str, port: u16) -> Box<dyn Submit> {
        match self {
            Self::Postfix => Box::new(Postfix::front(directory, &format!("relayhost = [{host}]:{port}"))),
            Self::Exim => Box::new(Exim::front(directory, host, port)),
        }
    }

    /// A server on [`BACK`], port 25, with STARTTLS, that keeps what comes for these domains in one Maildir.
    pub fn back(self, directory: &Path, domains: &[&str], certificates: &Certificates) -> Box<dyn Receive> {
        let chain = &certificates.key_and_chain;
        match self {
            Self::Postfix => Box::new(Postfix::back(directory, domains, chain)),
            Self::Exim => Box::new(Exim::back(directory, domains, chain)),
        }
    }

    /// What stands before the queue's name in the reply to a message that was taken.
    pub fn taken(self) -> &'static str {
        match self {
            Self::Postfix => "250 2.0.0 Ok: queued as ",
            Self::Exim => "250 OK id=",
        }
    }
}

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
