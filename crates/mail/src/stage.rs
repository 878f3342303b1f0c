//! The stages of a session, each with its own time limit (RFC 5321 §4.5.3.2).

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where in a session something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The TCP connection.
    Connect,
    /// The greeting.
    Banner,
    /// EHLO or HELO.
    Ehlo,
    /// STARTTLS and the handshake.
    Starttls,
    /// AUTH (RFC 4954).
    Auth,
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

/// The part of a session that a stage belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Up to EHLO: the server has not been told anything.
    Greeting,
    /// TLS and the login: it knows of no message yet.
    Securing,
    /// MAIL and RCPT.
    Envelope,
    /// From DATA to the final dot.
    Content,
    /// RSET and QUIT.
    Closing,
}

impl Stage {
    /// The part of the session that it belongs to.
    pub fn phase(self) -> Phase {
        match self {
            Self::Connect | Self::Banner | Self::Ehlo => Phase::Greeting,
            Self::Starttls | Self::Auth => Phase::Securing,
            Self::Mail | Self::Rcpt => Phase::Envelope,
            Self::Data | Self::Body | Self::FinalDot => Phase::Content,
            Self::Rset | Self::Quit => Phase::Closing,
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
            Self::Auth => "AUTH",
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
