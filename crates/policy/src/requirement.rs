//! What a connection must achieve.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a connection must achieve before MAIL FROM may be sent over it: one word for programs, a text for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Requirement {
    /// Nothing, and TLS is not tried.
    Clear,
    /// Nothing: TLS if it is available.
    Opportunistic,
    /// TLS, no matter who answers.
    Encrypted,
    /// TLS and a WebPKI certificate for the host's name.
    Pkix,
    /// TLS and a certificate that matches the secure TLSA records.
    Dane,
    /// Both of the above; one does not replace the other.
    DaneAndPkix,
}

impl Requirement {
    /// Whether only a server that has authenticated itself meets it.
    pub fn authenticates(self) -> bool {
        match self {
            Self::Pkix | Self::Dane | Self::DaneAndPkix => true,
            Self::Clear | Self::Opportunistic | Self::Encrypted => false,
        }
    }

    /// Whether mail may be sent in plain text.
    pub fn allows_plain_text(self) -> bool {
        match self {
            Self::Clear | Self::Opportunistic => true,
            Self::Encrypted | Self::Pkix | Self::Dane | Self::DaneAndPkix => false,
        }
    }
}

/// What the host must do, after the word "must".
impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clear => "nothing, and TLS is not tried",
            Self::Opportunistic => "nothing (TLS if it is offered)",
            Self::Encrypted => "speak TLS, with any certificate",
            Self::Pkix => "prove its name with a certificate of the WebPKI",
            Self::Dane => "match the TLSA records",
            Self::DaneAndPkix => {
                "match the TLSA records, and prove its name with a certificate of the WebPKI"
            }
        })
    }
}
