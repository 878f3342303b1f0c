//! Certificates from PEM files.

use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::InputError;

/// The certificates of a PEM file, in its order; at least one. Other blocks, such as private keys, are passed over.
pub(super) fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, InputError> {
    let broken = |cause| InputError::Pem {
        path: path.to_owned(),
        cause,
    };
    let blocks = CertificateDer::pem_file_iter(path).map_err(broken)?;
    let certificates = blocks.collect::<Result<Vec<_>, _>>().map_err(broken)?;
    if certificates.is_empty() {
        return Err(InputError::NoCertificate {
            path: path.to_owned(),
        });
    }
    Ok(certificates)
}
