//! What all commands that make DNS look-ups share: the options that override `[dns]`, and the resulting resolver.

use std::future::Future;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use dns::Resolver;
use policy::Policy;
use tokio::runtime::Builder;

use super::readable;
use crate::config;
use crate::config::schema::{Config, Dns, DnsMode};
use crate::config::units::Server;
use crate::failure::Failure;
use crate::wiring::resolver::plan;
use crate::wiring::{WiringError, unvalidated};

/// Whom to ask and whom to believe, in place of what the configuration says.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "DNS options")]
pub(crate) struct DnsOptions {
    /// Ask this server, ADDRESS, ADDRESS:PORT or `tls://NAME@ADDRESS`, instead of `dns.servers`; may be given more than once, and the servers are asked in order.
    #[arg(long = "dns-server", value_name = "SERVER")]
    servers: Vec<Server>,

    /// Who validates, instead of `dns.mode`.
    #[arg(long = "dns-mode", value_name = "MODE", value_enum)]
    mode: Option<ModeOption>,

    /// A file of DS or DNSKEY records at which validation ends, instead of `dns.trust_anchor`.
    #[arg(long = "trust-anchor", value_name = "FILE")]
    trust_anchor: Option<PathBuf>,
}

/// `--dns-mode`.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ModeOption {
    /// Believe the AD bit of a validating resolver on loopback or over TLS.
    TrustAd,
    /// Validate here, up to the trust anchor.
    Validate,
    /// trust-ad where /etc/resolv.conf vouches for a resolver on loopback, else validate.
    Auto,
}

impl DnsOptions {
    /// Whether any of them is given.
    pub(super) fn are_given(&self) -> bool {
        let Self {
            servers,
            mode,
            trust_anchor,
        } = self;
        !servers.is_empty() || mode.is_some() || trust_anchor.is_some()
    }

    /// Replaces the configured settings by those given.
    pub(super) fn apply(&self, settings: &mut Dns) {
        if !self.servers.is_empty() {
            settings.servers.clone_from(&self.servers);
        }
        if let Some(mode) = self.mode {
            settings.mode = match mode {
                ModeOption::TrustAd => DnsMode::TrustAd,
                ModeOption::Validate => DnsMode::Validate,
                ModeOption::Auto => DnsMode::Auto,
            };
        }
        if let Some(file) = &self.trust_anchor {
            settings.trust_anchor.clone_from(file);
        }
    }
}

/// The resolver that a relay with these settings has today, including dated negative trust anchors of the policy (RFC
/// 7646).
pub(super) fn resolver(config: &Config, policy: &Policy) -> Result<Resolver, WiringError> {
    Ok(Resolver::new(
        plan(config, &unvalidated::today(&config.dns, policy))?.config,
    )?)
}

/// The resolver of a command that needs nothing else of the configuration file `named`.
pub(super) fn resolver_of(options: &DnsOptions, named: Option<&Path>) -> Result<Resolver, Failure> {
    let mut loaded = config::load(named)?;
    options.apply(&mut loaded.config.dns);
    let policy = readable::policy(&loaded)?.policy;
    Ok(resolver(&loaded.config, &policy)?)
}

/// Runs a command's single task.
pub(super) fn block_on<F: Future>(task: F) -> Result<F::Output, Failure> {
    block_on_runtime(Builder::new_current_thread(), task)
}

/// The same for work of which there is much.
pub(super) fn block_on_all<F: Future>(task: F) -> Result<F::Output, Failure> {
    block_on_runtime(Builder::new_multi_thread(), task)
}

fn block_on_runtime<F: Future>(mut runtime: Builder, task: F) -> Result<F::Output, Failure> {
    let runtime = runtime.enable_all().build().map_err(WiringError::System)?;
    let output = runtime.block_on(task);
    // Tasks still running no longer matter.
    runtime.shutdown_background();
    Ok(output)
}
