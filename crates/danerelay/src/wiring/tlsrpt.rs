//! Who reports to others how TLS went (RFC 8460), and the key that signs reports.

use std::fs;
use std::io;
use std::path::PathBuf;

use mail::{AddressError, Domain, Mailbox};
use tlsrpt::{KeyFault, Reporter, ReporterFault, Signer};

use crate::access::{self, Use, is_lasting};
use crate::config::Config;

/// Why no reports can be sent: the administrator has to fix it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendingError {
    /// There is no sender at this host name.
    #[error("tlsrpt@hostname is no mailbox: {0}; set `tlsrpt.sender`")]
    Sender(AddressError),
    /// The names do not go together.
    #[error("tlsrpt: {0}")]
    Reporter(#[from] ReporterFault),
    /// The key cannot be read.
    #[error("tlsrpt.dkim: {}: {}", path.display(), access::explain(path, Use::Read, cause))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        cause: io::Error,
    },
    /// It is no key that can sign.
    #[error("tlsrpt.dkim: {}: {fault}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: KeyFault,
    },
    /// It signs for another domain.
    #[error(
        "tlsrpt.dkim: its domain is {signed}, and `tlsrpt.contact` is at {submitter}; allowed: the same domain, which \
         receivers compare (RFC 8460 section 3)"
    )]
    Domain {
        /// For which it signs.
        signed: Domain,
        /// That of contact and sender.
        submitter: Domain,
    },
}

impl SendingError {
    /// Whether only the administrator can mend it.
    pub(crate) fn is_lasting(&self) -> bool {
        match self {
            Self::Unreadable { cause, .. } => is_lasting(cause),
            Self::Sender(_) | Self::Reporter(_) | Self::Key { .. } | Self::Domain { .. } => true,
        }
    }
}

/// Finds out whether reports can be sent as configured. Reads the key.
pub(crate) fn check(config: &Config, hostname: &Domain) -> Result<(), SendingError> {
    match reporter(config, hostname)? {
        Some(reporter) => signer(config, &reporter).map(drop),
        None => Ok(()),
    }
}

/// Who reports; `None` if that is not configured, so that nothing can be sent. Reads no key.
pub(crate) fn reporter(config: &Config, hostname: &Domain) -> Result<Option<Reporter>, SendingError> {
    let settings = &config.tlsrpt;
    let Some(contact) = settings
        .contact
        .0
        .as_ref()
        .filter(|_| !settings.organization.is_empty())
    else {
        return Ok(None);
    };
    let sender = match &settings.sender.0 {
        Some(sender) => sender.clone(),
        None => usual_sender(hostname)?,
    };
    Ok(Some(Reporter::new(&settings.organization, contact, &sender)?))
}

/// Who reports, or this relay in their place; and whether it is the former. Reads no key.
pub(crate) fn reporter_or_some(config: &Config, hostname: &Domain) -> Result<(Reporter, bool), SendingError> {
    if let Some(reporter) = reporter(config, hostname)? {
        return Ok((reporter, true));
    }
    let sender = usual_sender(hostname)?;
    Ok((Reporter::new(hostname.as_str(), &sender, &sender)?, false))
}

fn usual_sender(hostname: &Domain) -> Result<Mailbox, SendingError> {
    Mailbox::parse(&format!("tlsrpt@{hostname}")).map_err(SendingError::Sender)
}

/// The key with which this reporter signs mail, if one is configured.
pub(crate) fn signer(config: &Config, reporter: &Reporter) -> Result<Option<Signer>, SendingError> {
    let dkim = &config.tlsrpt.dkim;
    let Some(domain) = &dkim.domain.0 else {
        return Ok(None);
    };
    let path = dkim.key.clone();
    let pem = match fs::read(&path) {
        Ok(pem) => pem,
        Err(cause) => return Err(SendingError::Unreadable { path, cause }),
    };
    let signer = Signer::from_pem(domain, &dkim.selector, &pem);
    let signer = signer.map_err(|fault| SendingError::Key { path, fault })?;
    if signer.domain() != reporter.submitter() {
        return Err(SendingError::Domain {
            signed: signer.domain().clone(),
            submitter: reporter.submitter().clone(),
        });
    }
    Ok(Some(signer))
}
