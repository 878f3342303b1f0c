//! What is wrong with a server's certificate, in words for people.

use std::fmt;

use rustls::{CertificateError, OtherError};

/// What is wrong with a certificate.
#[derive(Debug, Clone)]
pub struct CertificateFlaw(pub(crate) CertificateError);

impl fmt::Display for CertificateFlaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use CertificateError as C;
        f.write_str(match &self.0 {
            C::Expired | C::ExpiredContext { .. } => "certificate expired",
            C::NotValidYet | C::NotValidYetContext { .. } => "certificate not yet valid",
            C::UnknownIssuer => "the certificate's issuer is not trusted here",
            C::NotValidForName | C::NotValidForNameContext { .. } => "the certificate names another host",
            C::BadSignature => "a certificate's signature is wrong",
            C::BadEncoding => "malformed certificate",
            C::InvalidPurpose | C::InvalidPurposeContext { .. } => "the certificate is not for web servers",
            C::Other(other) if is_of_authority(other) => {
                "the certificate is one of a certificate authority, not of a server, as self-signed ones often are"
            }
            other => return write!(f, "{other}"),
        })
    }
}

fn is_of_authority(error: &OtherError) -> bool {
    let error = error.0.downcast_ref::<webpki::Error>();
    error.is_some_and(|error| *error == webpki::Error::CaUsedAsEndEntity)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn no_words_of_a_library_are_told() {
        let authority = OtherError(Arc::new(webpki::Error::CaUsedAsEndEntity));
        for (cause, words) in [
            (CertificateError::UnknownIssuer, "issuer is not trusted"),
            (
                CertificateError::Other(authority),
                "one of a certificate authority",
            ),
        ] {
            let told = CertificateFlaw(cause).to_string();
            assert!(told.contains(words) && !told.contains("Error"), "{told}");
        }
    }
}
