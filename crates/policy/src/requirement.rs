//! What a connection must achieve.

/// What a connection must achieve before MAIL FROM may be sent over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Requirement {
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
