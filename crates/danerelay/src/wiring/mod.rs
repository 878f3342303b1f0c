//! Sets up what the settings ask for, for the daemon and the commands alike.
//!
//! * [`settings`]: the settings of each crate, and our own name.
//! * [`resolver`]: who validates, and with which servers: those of the configuration or of [`resolv_conf`].
//!   [`unvalidated`]: below which names signatures are not required today.
//! * [`tls`]: which authorities the WebPKI trusts, and what all handshakes share.
//! * [`mta_sts`]: the policies of others, and how they are fetched.
//! * [`tlsrpt`]: who reports to others, and the key that signs reports.
//! * [`clients`]: the certificate and the users with which clients are served.
//! * [`policy`]: the policy with its lists and exceptions. [`standing`]: what is not as it should be with it.
//!   [`store`]: the spool.
//! * [`stamps`]: by what is noticed that files have changed.
//! * [`descriptors`]: how the limit of file descriptors is divided.

pub(crate) mod clients;
pub(crate) mod descriptors;
mod error;
pub(crate) mod mta_sts;
pub(crate) mod policy;
pub(crate) mod resolv_conf;
pub(crate) mod resolver;
pub(crate) mod settings;
pub(crate) mod stamps;
pub(crate) mod standing;
pub(crate) mod store;
pub(crate) mod tls;
pub(crate) mod tlsrpt;
pub(crate) mod unvalidated;

use crate::config::Config;
pub(crate) use error::WiringError;

/// Checks whether all of it can be set up from these settings, without changing or occupying anything.
pub(crate) fn check(config: &Config) -> Result<(), WiringError> {
    let hostname = settings::hostname(config)?;
    settings::listener(config, &hostname)?;
    dns::Resolver::new(resolver::plan(config, &config.dns.domain_insecure)?.config)?;
    tls::client(&config.tls)?;
    tlsrpt::check(config, &hostname)?;
    Ok(())
}
