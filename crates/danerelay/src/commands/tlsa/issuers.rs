//! The certificates that records are made for: the server's own, and those of its issuers.

use std::path::{Path, PathBuf};

use dane::is_issued_by;
use rustls::pki_types::CertificateDer;

use super::{InputError, certificates};

/// A certificate, and where it was found.
pub(super) struct Given {
    /// Its file.
    pub(super) path: PathBuf,
    /// Its place there, from 1.
    pub(super) number: usize,
    /// The certificate itself.
    pub(super) certificate: CertificateDer<'static>,
}

impl Given {
    /// Whether `issuer` issued this one. If the algorithm of the named issuer's key is not supported here, the name is
    /// trusted.
    fn is_issued_by(&self, issuer: &Self) -> bool {
        is_issued_by(&self.certificate, &issuer.certificate).unwrap_or(true)
    }
}

/// The server's own certificate, which is the first in `path`, and all others except copies of it.
pub(super) fn read(path: &Path, issuers: &[PathBuf]) -> Result<(Given, Vec<Given>), InputError> {
    let mut all = all_of(path)?.into_iter();
    let own = all.next().ok_or_else(|| InputError::NoCertificate {
        path: path.to_owned(),
    })?;
    let mut others: Vec<Given> = all.collect();
    for issuer in issuers {
        others.extend(all_of(issuer)?);
    }
    others.retain(|other| other.certificate != own.certificate);
    match others.iter().find(|other| other.is_issued_by(&own)) {
        None => Ok((own, others)),
        Some(below) => Err(InputError::Order {
            path: own.path,
            issued: below.path.clone(),
            number: below.number,
        }),
    }
}

fn all_of(path: &Path) -> Result<Vec<Given>, InputError> {
    let numbered = (1..).zip(certificates::read(path)?);
    let given = numbered.map(|(number, certificate)| Given {
        path: path.to_owned(),
        number,
        certificate,
    });
    Ok(given.collect())
}

/// Whether a path leads from the server's own certificate to each of the others, possibly through others among them.
pub(super) fn check_path(own: &Given, others: &[Given]) -> Result<(), InputError> {
    let mut reached = vec![own];
    let mut next = 0;
    while let Some(&below) = reached.get(next) {
        next = next.saturating_add(1);
        for other in others {
            let known = reached
                .iter()
                .any(|reached| reached.certificate == other.certificate);
            if !known && below.is_issued_by(other) {
                reached.push(other);
            }
        }
    }
    let astray = |other: &&Given| {
        !reached
            .iter()
            .any(|reached| reached.certificate == other.certificate)
    };
    match others.iter().find(astray) {
        None => Ok(()),
        Some(other) => Err(InputError::NoPath {
            path: other.path.clone(),
            number: other.number,
        }),
    }
}
