//! The three classic trials, with the configuration and the policy of this machine in the place of the demonstration's own: a
//! server that does DANE, one that does not, and one whose TLSA record is wrong.
//!
//! The relay is this very program with these settings, but for where it listens, keeps its files, asks for names and finds the
//! port of the servers. The private world has no names but its own; so what the policy says of everything is what is tried.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;

use jiff::Zoned;
use mail::{Domain, NextHop};
use policy::Policy;
use toml::{Table, Value};

use super::ending::Ending;
use super::error::DemoError;
use super::files::{CONFIGURATION, LOG};
use super::relay::Relay;
use super::report::Performance;
use super::scenes::{Arrival, Scene, classics};
use super::stage::Stage;
use crate::config::{Config, Loaded};
use crate::doctor::{Finding, Level, Subject};
use crate::failure::Failure;

/// The sections that decide what is delivered, and how.
const KEPT: [&str; 4] = ["delivery", "delivery.timeouts", "tls", "mta_sts"];
/// What in them belongs to the real world.
const OF_THE_WORLD: [&str; 6] = [
    "delivery.port",
    "delivery.source_addresses",
    "delivery.own_names",
    "delivery.own_addresses",
    "delivery.ignore_addresses",
    "delivery.address_family",
];

/// Runs the trials; `file` is the policy file, if there is one.
pub(crate) fn run(loaded: &Loaded, file: Option<&Path>, policy: &Policy) -> Result<Vec<Finding>, Failure> {
    if let Some(route) = route(policy) {
        let found = format!("the policy sends all mail to {route}, whatever the recipients' domains publish");
        let mend = format!("danerelay explain --connect {route} tries the route itself");
        return Ok(vec![Finding::new(Subject::Trial, Level::Unknown, found, mend)]);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(DemoError::System)?;
    let found = runtime.block_on(async {
        let ending = pin!(Ending::watch().map_err(DemoError::System)?.come());
        tokio::select! {
            found = try_all(&loaded.config, file) => found,
            () = ending => Ok(vec![Finding::new(Subject::Trial, Level::Unknown, "ended early", "run it again")]),
        }
    });
    Ok(found?)
}

/// Where the policy sends all mail.
fn route(policy: &Policy) -> Option<String> {
    let scene = classics().into_iter().next()?;
    let domain = Domain::parse(&scene.domain()).ok()?;
    let rules = policy.for_destination(&NextHop::Domain { domain, port: None }, Zoned::now().date());
    rules.routed().map(ToString::to_string)
}

async fn try_all(config: &Config, file: Option<&Path>) -> Result<Vec<Finding>, DemoError> {
    let stage = Stage::build().await?;
    let scenes: Vec<Scene> = ["good", "insecure", "wrong"]
        .into_iter()
        .filter_map(|label| classics().into_iter().find(|scene| scene.label == label))
        .collect();
    for scene in &scenes {
        stage.set(scene).await?;
    }
    let write = |directory: &Path, address| write_files(directory, address, &stage, config, file);
    let mut relay = Relay::start_with(write)?;
    relay.wait_until_it_listens().await?;
    let mut findings = Vec::new();
    for scene in &scenes {
        let performance = super::perform(scene, &stage, &relay).await?;
        findings.push(judge(scene, &performance));
    }
    relay.stop().await?;
    Ok(findings)
}

/// What came of one trial. Only the wrong server must not get the mail.
fn judge(scene: &Scene, performance: &Performance) -> Finding {
    let field = |key| performance.line.field(key).unwrap_or("-");
    let outcome = format!(
        "{}: {}, {}, dane=\"{}\"",
        scene.title,
        field("status"),
        field("mode"),
        field("dane")
    );
    let arrived = performance.arrival != Arrival::Nowhere;
    let is_meant = scene.expected.arrival != Arrival::Nowhere;
    match (is_meant, arrived) {
        (true, true) => Finding::ok(Subject::Trial, format!("{outcome}; the server got the mail")),
        (false, false) => Finding::ok(
            Subject::Trial,
            format!("{outcome}; refused: the server got nothing"),
        ),
        (false, true) => Finding::new(
            Subject::Trial,
            Level::Bad,
            format!("{outcome}; the wrong server got the mail"),
            "dane = \"opportunistic\" in [default] of the policy refuses it; soft-fail is for the time before that",
        ),
        (true, false) => {
            let reason = field("reason");
            let (level, mend) = if scene.label == "good" {
                (
                    Level::Bad,
                    "mail to servers that do everything right is held up by this configuration",
                )
            } else {
                (
                    Level::Warn,
                    "under this policy mail to domains without DANE waits, and is returned in the end",
                )
            };
            Finding::new(
                Subject::Trial,
                level,
                format!("{outcome}; it was not sent: {reason}"),
                mend,
            )
        }
    }
}

fn write_files(
    directory: &Path,
    address: SocketAddr,
    stage: &Stage,
    config: &Config,
    policy: Option<&Path>,
) -> Result<(), DemoError> {
    let write = |name: &str, text: String| fs::write(directory.join(name), text).map_err(DemoError::System);
    let text = toml::to_string(&configuration(address, stage, config, policy))
        .map_err(|error| DemoError::System(std::io::Error::other(error)))?;
    write(CONFIGURATION, text)?;
    write("root.key", stage.world.trust_anchor_ds()? + "\n")
}

fn configuration(address: SocketAddr, stage: &Stage, config: &Config, policy: Option<&Path>) -> Table {
    let mut table = Table::new();
    for row in config.rows() {
        let dotted = row.dotted();
        if KEPT.contains(&row.place) && !OF_THE_WORLD.contains(&dotted.as_str()) {
            set(&mut table, &dotted, row.value.written());
        }
    }
    let text = |text: &str| Value::String(text.to_owned());
    for (dotted, value) in [
        ("version", Value::Integer(1)),
        ("hostname", text(super::files::HOSTNAME)),
        ("state_directory", text("state")),
        ("listen.smtp", Value::Array(vec![text(&address.to_string())])),
        ("limits.spool_free", text("1 MiB")),
        ("spool.path", text("spool")),
        ("dns.mode", text("validate")),
        (
            "dns.servers",
            Value::Array(vec![text(&stage.world.address().to_string())]),
        ),
        ("dns.trust_anchor", text("root.key")),
        ("delivery.port", Value::Integer(stage.port.into())),
        ("delivery.ignore_addresses", Value::Array(Vec::new())),
        ("log.target", text(LOG)),
        ("admin.socket", text("admin.sock")),
    ] {
        set(&mut table, dotted, value);
    }
    if let Some(policy) = policy {
        set(&mut table, "policy.file", text(&policy.to_string_lossy()));
    }
    table
}

/// Sets a dotted key.
fn set(table: &mut Table, dotted: &str, value: Value) {
    match dotted.split_once('.') {
        None => {
            table.insert(dotted.to_owned(), value);
        }
        Some((section, rest)) => {
            let below = table
                .entry(section.to_owned())
                .or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(below) = below {
                set(below, rest, value);
            }
        }
    }
}
