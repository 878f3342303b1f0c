//! The relay's files: its configuration, its policy, and the trust anchor of the private DNS tree.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use super::error::DemoError;
use super::scenes::{Rule, Scene};
use super::stage::Stage;

/// The configuration file.
pub(super) const CONFIGURATION: &str = "danerelay.toml";
/// The policy file.
pub(super) const POLICY: &str = "policy.toml";
/// The log file.
pub(super) const LOG: &str = "relay.log";
/// The name of the relay, which identifies its configuration as that of a demonstration.
pub(super) const HOSTNAME: &str = "relay.origin.demo";

/// Writes them all into the directory.
pub(super) fn write_files(
    directory: &Path,
    address: SocketAddr,
    stage: &Stage,
    scenes: &[Scene],
) -> Result<(), DemoError> {
    let write = |name: &str, text: String| fs::write(directory.join(name), text).map_err(DemoError::System);
    write(CONFIGURATION, configuration(address, stage))?;
    write(POLICY, policy(scenes))?;
    write("danefail.list", list(scenes, Rule::Danefail))?;
    write("root.key", stage.world.trust_anchor_ds()? + "\n")
}

fn configuration(address: SocketAddr, stage: &Stage) -> String {
    format!(
        r#"# The configuration of this demonstration. Everything that is not here is at its default.
version = 1
hostname = "{HOSTNAME}"
state_directory = "state"

[listen]
smtp = ["{address}"]

[limits]
spool_free = "1 MiB"

[spool]
path = "spool"

[dns]
mode = "validate"
servers = ["{server}"]
trust_anchor = "root.key"

[delivery]
port = {port}
ignore_addresses = []

[policy]
file = "{POLICY}"

[log]
target = "{LOG}"

[admin]
socket = "admin.sock"
"#,
        server = stage.world.address(),
        port = stage.port,
    )
}

fn policy(scenes: &[Scene]) -> String {
    let soft_fail: Vec<String> = scenes
        .iter()
        .filter(|scene| scene.policy == Rule::SoftFail)
        .map(|scene| format!("\"{}\"", scene.domain()))
        .collect();
    format!(
        r#"# The sender's policy in this demonstration.
version = 1

[default]
dane = "opportunistic"

[[domain]]
match = [{}]
dane = "soft-fail"

[[list]]
kind = "danefail"
file = "danefail.list"
"#,
        soft_fail.join(", ")
    )
}

fn list(scenes: &[Scene], rule: Rule) -> String {
    let mut list = "# Domains whose operators know and cannot mend it yet.\n".to_owned();
    for scene in scenes.iter().filter(|scene| scene.policy == rule) {
        list.push_str(&scene.domain());
        list.push_str(" # stale record since the last renewal\n");
    }
    list
}
