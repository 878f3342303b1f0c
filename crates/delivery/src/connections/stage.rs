//! The stages of a session, each with a time of its own (RFC 5321 §4.5.3.2).

use std::fmt;

/// Where in a session something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The TCP connection.
    Connect,
    /// The greeting.
    Banner,
    /// EHLO or HELO.
    Ehlo,
    /// STARTTLS and the handshake.
    Starttls,
    /// MAIL.
    Mail,
    /// RCPT.
    Rcpt,
    /// DATA.
    Data,
    /// The content.
    Body,
    /// The final dot.
    FinalDot,
    /// RSET.
    Rset,
    /// QUIT.
    Quit,
}

/// What the reply to EHLO may take in memory, in octets: every keyword counts. It is held while it is read.
const EHLO_KEPT: usize = 16 * 1024;

impl Stage {
    /// How many octets of a reply at this stage are kept.
    pub(super) fn kept(self) -> usize {
        match self {
            Self::Ehlo => EHLO_KEPT,
            Self::Connect
            | Self::Banner
            | Self::Starttls
            | Self::Mail
            | Self::Rcpt
            | Self::Data
            | Self::Body
            | Self::FinalDot
            | Self::Rset
            | Self::Quit => smtp::reply::KEPT,
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connecting",
            Self::Banner => "the greeting",
            Self::Ehlo => "EHLO",
            Self::Starttls => "STARTTLS",
            Self::Mail => "MAIL",
            Self::Rcpt => "RCPT",
            Self::Data => "DATA",
            Self::Body => "the content",
            Self::FinalDot => "the end of the content",
            Self::Rset => "RSET",
            Self::Quit => "QUIT",
        })
    }
}
