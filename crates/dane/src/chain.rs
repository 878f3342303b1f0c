//! A server's certificate chain: its maximum length, how its certificates are read, and what authenticated it.

use rustls::pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;

use crate::failure::{PkixFailure, Untrusted};
use crate::tlsa::TlsaRecord;

/// The longest chain, leaf included, that path building considers. Real chains have two to five certificates; the limit
/// keeps a hostile server from making the search long.
pub(crate) const MAX_CHAIN: usize = 16;

/// The record that authenticated a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// The record.
    pub record: TlsaRecord,
    /// Position on the verified path: 0 is the leaf, 1 its issuer, and so on. For a trust anchor that was not sent it is the
    /// number of certificates below it.
    pub depth: usize,
    /// The first reference identifier that the certificate has, under DANE-TA(2): the TLSA base domain if it has that one.
    /// `None` under DANE-EE(3), where names are not checked.
    pub name: Option<String>,
}

/// The chain as sent in the handshake, leaf first.
pub(crate) fn whole_chain<'a>(
    end_entity: &'a CertificateDer<'_>,
    intermediates: &'a [CertificateDer<'_>],
) -> Vec<CertificateDer<'a>> {
    std::iter::once(end_entity)
        .chain(intermediates)
        .map(|certificate| CertificateDer::from(certificate.as_ref()))
        .collect()
}

/// Reads a whole certificate.
pub(crate) fn parse(der: &[u8]) -> Result<X509Certificate<'_>, PkixFailure> {
    match x509_parser::parse_x509_certificate(der) {
        Ok(([], certificate)) => Ok(certificate),
        Ok(_) | Err(_) => Err(PkixFailure::Untrusted(Untrusted::Malformed)),
    }
}
