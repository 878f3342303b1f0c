//! `danerelay tlsa rollover`: the steps of a key change, in both schemes (RFC 7671 §8.1, §8.4).
//!
//! [`plan`] works them out from both chains and what is published.

mod plan;

use std::fmt::Write as _;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};

use clap::Args;
use dane::supported_key;
use jiff::Timestamp;
use mail::Domain;

use self::plan::{Action, Change, Plan, Scheme, Step};
use super::published::{self, Published};
use super::{InputError, certificates, zone};
use crate::commands::look_up::{DnsOptions, block_on, resolver_of};
use crate::commands::{output, values};
use crate::config::units::DomainName;
use crate::exit::Verdict;
use crate::failure::Failure;
use crate::tlsa_records::wait;

/// The TTL assumed if none is given and nothing is published, in seconds: an hour, within what RFC 7671 §8.1 leaves sensible.
const USUAL_TTL: u32 = 3600;

/// From which certificate to which, and where.
#[derive(Debug, Args)]
pub(crate) struct RolloverArguments {
    /// A PEM file with the chain in use, the server's own certificate first.
    #[arg(long, value_name = "FILE")]
    current: PathBuf,

    /// A PEM file with the chain that is to follow; for the scheme with the issuer both chains must have its certificate.
    #[arg(long, value_name = "FILE")]
    next: PathBuf,

    /// The host, which MX records name. What is published for it is looked up.
    #[arg(long, value_name = "NAME", value_parser = values::formed::<DomainName>)]
    name: Option<Domain>,

    /// The port that the records are for.
    #[arg(long, default_value = "25", value_parser = values::port)]
    port: NonZeroU16,

    /// The TTL of the records in seconds; without it that of the published records, or 3600 where there are none.
    #[arg(long, value_name = "SECONDS", value_parser = values::ttl)]
    ttl: Option<u32>,

    /// Print one JSON object.
    #[arg(long)]
    json: bool,

    // Last: its heading holds for whatever follows.
    #[command(flatten)]
    dns: DnsOptions,
}

/// Plans and prints.
pub(super) fn run(arguments: &RolloverArguments, named: Option<&Path>) -> Result<Verdict, Failure> {
    let current = certificates::read(&arguments.current)?;
    let next = certificates::read(&arguments.next)?;
    if let Some(Err(cause)) = next.first().map(supported_key) {
        return Err(InputError::Key {
            path: arguments.next.clone(),
            cause,
        }
        .into());
    }
    let published = match &arguments.name {
        None => None,
        Some(name) => {
            let resolver = resolver_of(&arguments.dns, named)?;
            Some(block_on(published::look_up(&resolver, arguments.port, name))?)
        }
    };
    let records = match &published {
        Some(Published::Secure(records)) => Some(records),
        Some(Published::Failed(failure)) if arguments.ttl.is_none() => {
            output::notice(&format!(
                "what is published is not known, because the look-up failed: {failure}; --ttl SECONDS plans without it"
            ));
            return Ok(Verdict::Undecided);
        }
        Some(Published::Failed(_) | Published::None(..) | Published::NoHost) | None => None,
    };
    let base = records.map(|records| &records.base).or(arguments.name.as_ref());
    let ttl = arguments
        .ttl
        .or(records.map(|records| records.ttl))
        .unwrap_or(USUAL_TTL);
    let wait = match &published {
        Some(Published::Secure(records)) => wait(records.ttl),
        // Those who know no records verify nobody.
        Some(Published::None(..) | Published::NoHost) => 0,
        // It is not known what is published: as if there were something.
        Some(Published::Failed(_)) | None => wait(ttl),
    };
    let change = Change {
        owner: zone::owner(arguments.port, base),
        base,
        ttl,
        wait,
        current: &current,
        next: &next,
        published: records.map(|records| &records.set),
        now: Timestamp::now(),
    };
    let plan = change.plan()?;
    if arguments.json {
        output::write_json(&plan)?;
    } else {
        output::write(&table(&plan, arguments))?;
    }
    Ok(Verdict::Good)
}

fn table(plan: &Plan, arguments: &RolloverArguments) -> String {
    let mut table = format!("{}  TTL {} s\n", plan.owner, plan.ttl);
    if plan.same_key {
        table.push_str("Both certificates have the same key: its 3 1 1 record stays as it is.\n");
    }
    if arguments.name.is_none() {
        table.push_str(
            "The names in the certificates are not compared with the host's: --name NAME does that.\n",
        );
    }
    for scheme in &plan.schemes {
        write_scheme(&mut table, scheme, arguments);
    }
    table
}

fn write_scheme(table: &mut String, scheme: &Scheme, arguments: &RolloverArguments) {
    let _ = writeln!(table, "\n{}", scheme.title());
    if let Some(reason) = &scheme.reason {
        let _ = writeln!(table, "  not possible: {reason}");
    }
    for (number, step) in (1..).zip(&scheme.steps) {
        let _ = writeln!(
            table,
            "  {number}. {}  {}",
            step.at.strftime("%Y-%m-%d %H:%M UTC"),
            words(step, arguments)
        );
        for line in &step.records {
            let _ = writeln!(table, "       {line}");
        }
    }
}

fn words(step: &Step, arguments: &RolloverArguments) -> String {
    let next = arguments.next.display();
    match step.action {
        Action::Publish if step.done => {
            "this is published already; if not yet for twice its TTL, wait the rest before the next step:"
                .to_owned()
        }
        Action::Publish => "publish this, and nothing else there:".to_owned(),
        Action::Wait => format!(
            "wait {} s from when the last name server has it, so that no sender uses what was there before",
            step.seconds
        ),
        Action::Install => {
            format!("install {next} with its key on every server of the name, and reload them")
        }
        Action::Verify => {
            let host = step.host.as_deref().unwrap_or("HOST");
            let port = match arguments.port.get() {
                25 => String::new(),
                port => format!(" --port {port}"),
            };
            format!("check: danerelay tlsa verify --chain {next} --host {host}{port}")
        }
    }
}
