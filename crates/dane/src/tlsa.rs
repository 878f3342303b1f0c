//! The TLSA record (RFC 6698 §2): its fields, its wire form and its use as data.
//!
//! Unknown field values are kept, not refused: whether a record can be *used* is decided in [`crate::usability`], and a
//! record that cannot be used still has a meaning (RFC 7672 §2.2: TLS is required).

/// Certificate usage, RFC 6698 §2.1.1. Made with `Usage::from(u8)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Usage {
    /// 0, a CA constraint on top of the WebPKI; not defined for SMTP (RFC 7672 §3.1.3).
    PkixTa,
    /// 1, a leaf constraint on top of the WebPKI; not defined for SMTP (RFC 7672 §3.1.3).
    PkixEe,
    /// 2, the record is the trust anchor.
    DaneTa,
    /// 3, the record is the server's own certificate or key.
    DaneEe,
    /// A value without a meaning here.
    Other(u8),
}

/// Selector, RFC 6698 §2.1.2. Made with `Selector::from(u8)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Selector {
    /// 0, the whole certificate in DER.
    Cert,
    /// 1, its `SubjectPublicKeyInfo` in DER.
    Spki,
    /// A value without a meaning here.
    Other(u8),
}

/// Matching type, RFC 6698 §2.1.3. Made with `MatchingType::from(u8)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MatchingType {
    /// 0, the data is the selected object itself.
    Full,
    /// 1, the data is its SHA2-256 digest.
    Sha256,
    /// 2, the data is its SHA2-512 digest.
    Sha512,
    /// A value without a meaning here.
    Other(u8),
}

impl From<u8> for Usage {
    fn from(value: u8) -> Self {
        match value {
            0 => Self::PkixTa,
            1 => Self::PkixEe,
            2 => Self::DaneTa,
            3 => Self::DaneEe,
            other => Self::Other(other),
        }
    }
}

impl From<Usage> for u8 {
    fn from(value: Usage) -> Self {
        match value {
            Usage::PkixTa => 0,
            Usage::PkixEe => 1,
            Usage::DaneTa => 2,
            Usage::DaneEe => 3,
            Usage::Other(other) => other,
        }
    }
}

impl From<u8> for Selector {
    fn from(value: u8) -> Self {
        match value {
            0 => Self::Cert,
            1 => Self::Spki,
            other => Self::Other(other),
        }
    }
}

impl From<Selector> for u8 {
    fn from(value: Selector) -> Self {
        match value {
            Selector::Cert => 0,
            Selector::Spki => 1,
            Selector::Other(other) => other,
        }
    }
}

impl From<u8> for MatchingType {
    fn from(value: u8) -> Self {
        match value {
            0 => Self::Full,
            1 => Self::Sha256,
            2 => Self::Sha512,
            other => Self::Other(other),
        }
    }
}

impl From<MatchingType> for u8 {
    fn from(value: MatchingType) -> Self {
        match value {
            MatchingType::Full => 0,
            MatchingType::Sha256 => 1,
            MatchingType::Sha512 => 2,
            MatchingType::Other(other) => other,
        }
    }
}

/// One TLSA record. Its text form is given by `Display` and `FromStr`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TlsaRecord {
    /// What the record says about the certificate that it matches.
    pub usage: Usage,
    /// Which part of the certificate is compared.
    pub selector: Selector,
    /// How that part is compared.
    pub matching: MatchingType,
    /// The certificate association data, octets as in the RDATA.
    pub data: Vec<u8>,
}

/// Why octets or text are not a TLSA record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsaSyntaxError {
    /// RDATA needs three octets before the association data.
    #[error("TLSA RDATA is shorter than three octets")]
    ShortRdata,
    /// The text ends before usage, selector, matching type and data.
    #[error("a TLSA record has four fields: usage, selector, matching type, data in hex")]
    MissingField,
    /// Neither a number from 0 to 255 nor an acronym of RFC 7218.
    #[error("{0} is neither a number up to 255 nor a name of RFC 7218")]
    UnknownField(TlsaField),
    /// The data is not hexadecimal, or has an odd number of digits.
    #[error("the association data is not an even number of hexadecimal digits")]
    Hex,
    /// In the form of RFC 3597 §5 the length does not match the octets.
    #[error("after \\# come the number of octets and as many octets in hexadecimal digits")]
    GenericLength,
}

/// A field of a TLSA record, as errors name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsaField {
    /// Certificate usage.
    Usage,
    /// Selector.
    Selector,
    /// Matching type.
    MatchingType,
}

impl std::fmt::Display for TlsaField {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Usage => "the certificate usage",
            Self::Selector => "the selector",
            Self::MatchingType => "the matching type",
        })
    }
}

impl TlsaRecord {
    /// A record from its four fields as DNS libraries hand them out.
    pub fn from_parts(usage: u8, selector: u8, matching: u8, data: Vec<u8>) -> Self {
        Self {
            usage: usage.into(),
            selector: selector.into(),
            matching: matching.into(),
            data,
        }
    }

    /// A record from RDATA (RFC 6698 §2.1). Empty association data is accepted: it is well formed on the wire, but unusable.
    pub fn from_rdata(rdata: &[u8]) -> Result<Self, TlsaSyntaxError> {
        let [usage, selector, matching, data @ ..] = rdata else {
            return Err(TlsaSyntaxError::ShortRdata);
        };
        Ok(Self::from_parts(*usage, *selector, *matching, data.to_vec()))
    }
}
