//! `danerelay tlsrpt preview`: the report about the running day as it would be sent now.

use std::path::Path;

use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use mail::{Domain, QueueId, count};
use tlsrpt::Report;

use super::show::collected;
use crate::commands::output::{notice, write};
use crate::commands::values::formed;
use crate::config::{self, units::DomainName};
use crate::exit::Verdict;
use crate::failure::Failure;
use crate::wiring::{WiringError, settings, tlsrpt as wiring};

/// For which report.
#[derive(Debug, Args)]
pub(crate) struct PreviewArguments {
    /// The next-hop domain or TLSA base domain that would get the report.
    #[arg(value_parser = formed::<DomainName>)]
    domain: Domain,
}

/// Prints the report.
pub(super) fn run(arguments: &PreviewArguments, named: Option<&Path>) -> Result<Verdict, Failure> {
    let config = config::load(named)?.config;
    let hostname = settings::hostname(&config)?;
    let (reporter, is_meant) = wiring::reporter_or_some(&config, &hostname).map_err(WiringError::from)?;
    let domain = &arguments.domain;
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let (found, _) = collected(&config, Some(domain))?;
    let Some(collected) = found.into_iter().find(|one| one.day == today) else {
        notice(&format!("nothing is collected for {domain} today (UTC)"));
        return Ok(Verdict::Bad);
    };
    if !is_meant {
        notice("`tlsrpt.organization` and `tlsrpt.contact` are not set: the report names this relay instead");
    }
    let report = Report {
        reporter: &reporter,
        domain,
        day: today,
        id: QueueId::generate(),
        tallies: &collected.policies,
    };
    let written = report.write();
    if written.left_out > 0 {
        notice(&format!(
            "the report would be too large, and is without {}",
            count(written.left_out, "entry")
        ));
    }
    let mut text = String::from_utf8_lossy(&written.json).into_owned();
    text.push('\n');
    write(&text)?;
    Ok(Verdict::Good)
}
