//! `danerelay reload`: makes the daemon read configuration and policy again.

use std::path::Path;

use super::client::Client;
use super::output::{notice, write};
use crate::admin::protocol::{Reloaded, Request};
use crate::config;
use crate::exit::Verdict;
use crate::failure::Failure;

/// Makes the daemon read everything again, and prints the result.
pub(crate) fn run(named: Option<&Path>) -> Result<Verdict, Failure> {
    let loaded = config::load(named)?;
    let mut client = Client::connect(&loaded.config)?;
    client.ask(&Request::Reload)?;
    let reloaded: Reloaded = client.end()?;
    for warning in &reloaded.warnings {
        notice(warning);
    }
    if !reloaded.waiting.is_empty() {
        notice(&format!(
            "takes effect at the next start: {}",
            reloaded.waiting.join(", ")
        ));
    }
    write("configuration and policy are loaded\n")?;
    Ok(Verdict::Good)
}
