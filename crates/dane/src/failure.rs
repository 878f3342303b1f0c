//! What a check can find wrong, by culprit, and the total mappings to log words and OpenSSL's numbers.

use crate::code::VerifyCode;
use crate::key::UnsupportedKey;

/// Why no TLSA record authenticates the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyFailure {
    /// No usable record matched a certificate to which its usage applies.
    #[error("no matching TLSA records")]
    NoMatch,
    /// No record matched, and the server's own certificate is missing or cannot be parsed.
    #[error("no matching TLSA records: the server's certificate cannot be read")]
    BadCertificate,
    /// A DANE-TA(2) record matched, but the leaf has none of the reference identifiers (RFC 7672 §3.2.2).
    #[error("the certificate under the matching trust anchor names another host")]
    NameMismatch,
    /// A DANE-TA(2) record matched, but a certificate of the path has expired.
    #[error("a certificate under the matching trust anchor has expired")]
    Expired,
    /// A DANE-TA(2) record matched, but a certificate of the path is not valid yet.
    #[error("a certificate under the matching trust anchor is not yet valid")]
    NotYetValid,
    /// A DANE-TA(2) record matched, but the path to it is invalid for another reason.
    #[error("no valid path to the matching trust anchor: {0}")]
    Untrusted(Untrusted),
    /// A record matched, but no handshake can be signed with the key of the server's certificate.
    #[error("a TLSA record matches, but {0}")]
    UnsupportedKey(UnsupportedKey),
}

/// Why a certification path is invalid (RFC 5280 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Untrusted {
    /// The certificates sent do not lead from the leaf to the trust anchor.
    #[error("the issuer is not in the chain")]
    UnknownIssuer,
    /// The leaf is signed by itself.
    #[error("self-signed certificate")]
    SelfSigned,
    /// The chain ends in a self-signed certificate that is not trusted.
    #[error("self-signed certificate in the chain")]
    SelfSignedInChain,
    /// A certificate's signature is wrong.
    #[error("a certificate's signature is wrong")]
    Signature,
    /// An issuer is not a CA, or the leaf is one.
    #[error("a certificate is used against its basic constraints")]
    InvalidCa,
    /// More intermediates than a CA allows below it.
    #[error("path length constraint exceeded")]
    PathLength,
    /// The extended key usage, or the leaf's key usage, excludes a TLS server.
    #[error("a certificate is not for TLS servers")]
    Purpose,
    /// An issuer's key usage excludes signing certificates.
    #[error("an issuer may not sign certificates")]
    KeyCertSign,
    /// A critical extension that is not supported here.
    #[error("unknown critical extension")]
    CriticalExtension,
    /// The leaf's names are outside the name constraints of an issuer.
    #[error("name constraints violated")]
    NameConstraints,
    /// More certificates, or more ways to combine them, than are tried here.
    #[error("the chain is too long")]
    TooLong,
    /// An algorithm, key size or certificate version that is not supported here.
    #[error("unsupported algorithm or certificate version")]
    Unsupported,
    /// A certificate of the path is malformed.
    #[error("malformed certificate")]
    Malformed,
}

/// Why the WebPKI does not authenticate the server for a host name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PkixFailure {
    /// The leaf does not name the host.
    #[error("the certificate names another host")]
    NameMismatch,
    /// A certificate of the path has expired.
    #[error("certificate expired")]
    Expired,
    /// A certificate of the path is not valid yet.
    #[error("certificate not yet valid")]
    NotYetValid,
    /// The path to a trusted root is invalid for another reason.
    #[error("certificate not trusted: {0}")]
    Untrusted(Untrusted),
    /// No handshake can be signed with the leaf's key.
    #[error(transparent)]
    UnsupportedKey(UnsupportedKey),
}

impl VerifyFailure {
    /// The words of the delivery log.
    pub fn log_words(self) -> &'static str {
        match self {
            Self::NoMatch | Self::BadCertificate => "No matching TLSA RRs",
            Self::NameMismatch => "DANE-TA: name mismatch",
            Self::Expired | Self::NotYetValid => "DANE-TA: expired",
            Self::Untrusted(_) => "DANE-TA: untrusted",
            Self::UnsupportedKey(_) => "TLS handshake: unsupported key",
        }
    }

    /// OpenSSL's number and words.
    pub fn code(self) -> VerifyCode {
        match self {
            Self::NoMatch | Self::BadCertificate => VerifyCode::NO_MATCH,
            Self::NameMismatch => VerifyCode::NAME_MISMATCH,
            Self::Expired => VerifyCode::EXPIRED,
            Self::NotYetValid => VerifyCode::NOT_YET_VALID,
            Self::Untrusted(reason) => reason.code(),
            Self::UnsupportedKey(reason) => reason.code(),
        }
    }
}

impl PkixFailure {
    /// OpenSSL's number and words.
    pub fn code(self) -> VerifyCode {
        match self {
            Self::NameMismatch => VerifyCode::NAME_MISMATCH,
            Self::Expired => VerifyCode::EXPIRED,
            Self::NotYetValid => VerifyCode::NOT_YET_VALID,
            Self::Untrusted(reason) => reason.code(),
            Self::UnsupportedKey(reason) => reason.code(),
        }
    }
}

impl Untrusted {
    /// OpenSSL's number and words.
    pub fn code(self) -> VerifyCode {
        match self {
            Self::UnknownIssuer => VerifyCode::UNKNOWN_ISSUER,
            Self::SelfSigned => VerifyCode::SELF_SIGNED,
            Self::SelfSignedInChain => VerifyCode::SELF_SIGNED_IN_CHAIN,
            Self::Signature => VerifyCode::SIGNATURE,
            Self::PathLength => VerifyCode::PATH_LENGTH,
            Self::Purpose => VerifyCode::PURPOSE,
            Self::InvalidCa | Self::KeyCertSign => VerifyCode::INVALID_CA,
            Self::CriticalExtension => VerifyCode::CRITICAL_EXTENSION,
            Self::NameConstraints => VerifyCode::NAME_CONSTRAINTS,
            Self::TooLong => VerifyCode::CHAIN_TOO_LONG,
            Self::Unsupported | Self::Malformed => VerifyCode::UNSPECIFIED,
        }
    }
}

impl UnsupportedKey {
    /// OpenSSL's number and words.
    pub fn code(self) -> VerifyCode {
        match self {
            Self::ShortRsa { .. } => VerifyCode::WEAK_KEY,
            Self::LongRsa { .. } | Self::Kind | Self::Malformed => VerifyCode::UNSPECIFIED,
        }
    }
}

/// What webpki found wrong with a path, in the terms shared by DANE-TA and the WebPKI.
pub(crate) fn path_failure(error: &webpki::Error) -> PkixFailure {
    use webpki::Error as E;
    PkixFailure::Untrusted(match error {
        E::CertExpired { .. } | E::InvalidCertValidity => return PkixFailure::Expired,
        E::CertNotValidYet { .. } => return PkixFailure::NotYetValid,
        E::CertNotValidForName(_) => return PkixFailure::NameMismatch,
        E::UnknownIssuer => Untrusted::UnknownIssuer,
        E::InvalidSignatureForPublicKey | E::SignatureAlgorithmMismatch => Untrusted::Signature,
        E::CaUsedAsEndEntity | E::EndEntityUsedAsCa => Untrusted::InvalidCa,
        E::PathLenConstraintViolated => Untrusted::PathLength,
        E::EmptyEkuExtension | E::RequiredEkuNotFoundContext(_) => Untrusted::Purpose,
        E::UnsupportedCriticalExtension => Untrusted::CriticalExtension,
        E::NameConstraintViolation => Untrusted::NameConstraints,
        E::MaximumNameConstraintComparisonsExceeded
        | E::MaximumPathBuildCallsExceeded
        | E::MaximumPathDepthExceeded
        | E::MaximumSignatureChecksExceeded => Untrusted::TooLong,
        E::UnsupportedCertVersion
        | E::UnsupportedSignatureAlgorithmContext(_)
        | E::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => Untrusted::Unsupported,
        _ => Untrusted::Malformed,
    })
}

impl From<PkixFailure> for VerifyFailure {
    fn from(failure: PkixFailure) -> Self {
        match failure {
            PkixFailure::NameMismatch => Self::NameMismatch,
            PkixFailure::Expired => Self::Expired,
            PkixFailure::NotYetValid => Self::NotYetValid,
            PkixFailure::Untrusted(reason) => Self::Untrusted(reason),
            PkixFailure::UnsupportedKey(reason) => Self::UnsupportedKey(reason),
        }
    }
}
