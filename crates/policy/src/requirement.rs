//! What a connection must achieve.

/// What a connection must achieve before MAIL FROM may be sent over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
