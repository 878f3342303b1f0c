//! The certificates that records are made for: the server's own, and those of its issuers.

use std::path::{Path, PathBuf};

use dane::is_issued_by;
use rustls::pki_types::CertificateDer;

use super::{InputError, certificates};

/// A certificate, and where it was found.
#[derive(Debug)]
pub(super) struct Given {
    /// Its file, or the server that showed it.
    pub(super) path: PathBuf,
    /// Its place there, from 1.
    pub(super) number: usize,
    /// The certificate itself.
    pub(super) certificate: CertificateDer<'static>,
}

impl Given {
    /// All certificates of one place, in their order.
    pub(super) fn numbered(path: &Path, certificates: Vec<CertificateDer<'static>>) -> Vec<Self> {
        let numbered = (1..).zip(certificates);
        let given = numbered.map(|(number, certificate)| Self {
            path: path.to_owned(),
            number,
            certificate,
        });
        given.collect()
    }

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
    Ok(Given::numbered(path, certificates::read(path)?))
}

/// Whether a path leads from the server's own certificate to each of the others, possibly through others among them.
pub(super) fn check_path(own: &Given, others: &[Given]) -> Result<(), InputError> {
    let reached = reached(own, others);
    let astray = |other: &&Given| !is_among(&reached, other);
    match others.iter().find(astray) {
        None => Ok(()),
        Some(other) => Err(InputError::NoPath {
            path: other.path.clone(),
            number: other.number,
        }),
    }
}

/// A chain as a server sent it: its own certificate, and those others that a path leads to.
pub(super) fn of_server(chain: Vec<Given>) -> Option<(Given, Vec<Given>)> {
    let mut all = chain.into_iter();
    let own = all.next()?;
    let others: Vec<Given> = all.collect();
    let kept: Vec<bool> = {
        let reached = reached(&own, &others);
        let is_kept = |other: &Given| other.certificate != own.certificate && is_among(&reached, other);
        others.iter().map(is_kept).collect()
    };
    let others = others.into_iter().zip(kept).filter(|(_, kept)| *kept);
    Some((own, others.map(|(other, _)| other).collect()))
}

fn is_among(reached: &[&Given], other: &Given) -> bool {
    reached
        .iter()
        .any(|reached| reached.certificate == other.certificate)
}

/// The server's own certificate, and those that a path leads to from it.
fn reached<'a>(own: &'a Given, others: &'a [Given]) -> Vec<&'a Given> {
    let mut reached = vec![own];
    let mut next = 0;
    while let Some(&below) = reached.get(next) {
        next = next.saturating_add(1);
        for other in others {
            if !is_among(&reached, other) && below.is_issued_by(other) {
                reached.push(other);
            }
        }
    }
    reached
}
