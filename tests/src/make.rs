//! The mail servers that there are, each complete.

use crate::certificates::Certificates;
use crate::exim::Exim;
use crate::manual;
use crate::opensmtpd::OpenSmtpd;
use crate::postfix::Postfix;
use crate::server::{Receive, Submit};
use std::path::Path;

/// The mail servers that can stand in front of the relay or behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Make {
    /// Postfix, installed.
    Postfix,
    /// Exim, installed or unpacked.
    Exim,
    /// OpenSMTPD, unpacked. It stands behind the relay only.
    OpenSmtpd,
}

impl Make {
    /// A server that hands everything to the SMTP server at this address and port.
    ///
    /// # Panics
    /// For a make that stands behind the relay only.
    pub fn front(self, directory: &Path, host: &str, port: u16) -> Box<dyn Submit> {
        match self {
            Self::Postfix => Box::new(Postfix::front(
                directory,
                &manual::leading_to(manual::postfix(), host, port),
            )),
            Self::Exim => Box::new(Exim::front(directory, host, port)),
            Self::OpenSmtpd => panic!("OpenSMTPD stands behind the relay only"),
        }
    }

    /// A server on [`BACK`](crate::server::BACK), port 25, with STARTTLS, that keeps what comes for these domains in one Maildir.
    pub fn back(self, directory: &Path, domains: &[&str], certificates: &Certificates) -> Box<dyn Receive> {
        let chain = &certificates.key_and_chain;
        match self {
            Self::Postfix => Box::new(Postfix::back(directory, domains, chain)),
            Self::Exim => Box::new(Exim::back(directory, domains, chain, "")),
            Self::OpenSmtpd => Box::new(OpenSmtpd::back(directory, domains, chain, "")),
        }
    }

    /// What stands before the queue's name in the reply to a message that was taken.
    pub fn taken(self) -> &'static str {
        match self {
            Self::Postfix => "250 2.0.0 Ok: queued as ",
            Self::Exim => "250 OK id=",
            Self::OpenSmtpd => "250 2.0.0 ",
        }
    }
}
