//! `danerelay tlsa guard`: refuses the deployment of a certificate that senders would refuse.
//!
//! [`memory`]: since when each record has been seen. [`report`]: what was found for each host, and the verdict.

mod memory;
mod report;

use std::num::NonZeroU16;
use std::path::{Path, PathBuf};

use clap::Args;
use dns::Resolver;
use futures_util::future::join_all;
use jiff::Timestamp;
use mail::Domain;
use rustls::pki_types::{CertificateDer, UnixTime};

use self::memory::{Memory, Ripeness};
use self::report::{HostReport, Report};
use super::deployment::{self, Advice, Terms};
use super::published::{self, Published, Records};
use super::{certificates, zone};
use crate::commands::look_up::{DnsOptions, block_on, resolver_of};
use crate::commands::{output, values};
use crate::config::units::DomainName;
use crate::exit::Verdict;
use crate::failure::Failure;

/// What is to be deployed, and where.
#[derive(Debug, Args)]
pub(crate) struct GuardArguments {
    /// A PEM file with the chain that is to be deployed, the server's own certificate first; fullchain.pem of a lineage.
    #[arg(long, value_name = "FILE")]
    chain: PathBuf,

    /// A host that will present it, which MX records name; may be given more than once.
    #[arg(long = "name", value_name = "NAME", required = true, value_parser = values::formed::<DomainName>)]
    names: Vec<Domain>,

    /// A port at which each of the hosts will present it; may be given more than once.
    #[arg(long = "port", default_value = "25", value_parser = values::port)]
    ports: Vec<NonZeroU16>,

    /// A mail domain that the hosts serve: under a trust anchor (usage 2) its name in the certificate will do, too; may be given
    /// more than once.
    #[arg(long = "domain", value_name = "DOMAIN", value_parser = values::formed::<DomainName>)]
    domains: Vec<Domain>,

    /// Remember in this file since when each record has been seen, and refuse while it has been for less than its TTL: until
    /// then there are senders that do not know it yet.
    #[arg(long, value_name = "FILE")]
    memory: Option<PathBuf>,

    /// Print one JSON object.
    #[arg(long)]
    json: bool,

    // Last: its heading holds for whatever follows.
    #[command(flatten)]
    dns: DnsOptions,
}

/// One port of one host, and what is published for it.
struct Place<'a> {
    host: &'a Domain,
    port: NonZeroU16,
    published: Published,
}

/// Looks, decides and prints.
pub(super) fn run(arguments: &GuardArguments, named: Option<&Path>) -> Result<Verdict, Failure> {
    let chain = certificates::read(&arguments.chain)?;
    let mut memory = arguments.memory.as_deref().map(Memory::read).transpose()?;
    let resolver = resolver_of(&arguments.dns, named)?;
    let places = block_on(look_up(arguments, &resolver))?;
    let now = Timestamp::now();
    let mut hosts = Vec::with_capacity(places.len());
    for place in &places {
        hosts.push(judge(arguments, place, &chain, memory.as_mut(), now)?);
    }
    if let (Some(memory), Some(path)) = (&memory, &arguments.memory) {
        memory.write(path)?;
    }
    let report = Report::new(hosts);
    if arguments.json {
        output::write_json(&report)?;
    } else {
        output::write(&report.table())?;
    }
    Ok(report.verdict())
}

async fn look_up<'a>(arguments: &'a GuardArguments, resolver: &Resolver) -> Vec<Place<'a>> {
    let names = arguments.names.iter();
    let places = names.flat_map(|host| arguments.ports.iter().map(move |port| (host, *port)));
    let lookups = places.map(async |(host, port)| Place {
        host,
        port,
        published: published::look_up(resolver, port, host).await,
    });
    join_all(lookups).await
}

fn judge(
    arguments: &GuardArguments,
    place: &Place<'_>,
    chain: &[CertificateDer<'_>],
    memory: Option<&mut Memory>,
    now: Timestamp,
) -> Result<HostReport, Failure> {
    let report = HostReport::new(place.host, place.port);
    match &place.published {
        Published::Failed(failure) => Ok(report.undecided(failure)),
        Published::None(reason, _) => {
            if let Some(memory) = memory {
                memory.note_absence(&zone::owner(place.port, Some(place.host)), now);
            }
            Ok(report.free(reason))
        }
        Published::Secure(records) => {
            let references = deployment::references(&records.base, &arguments.domains)?;
            let terms = Terms {
                references: &references,
                now: UnixTime::now(),
            };
            let owner = zone::owner(place.port, Some(&records.base));
            let report = report.with_records(&records.set, records.ttl);
            let known = memory.map(|memory| memory.note(&owner, &records.set, records.ttl, now));
            Ok(decide(
                report,
                (&owner, records),
                chain,
                &terms,
                known.as_ref(),
                now,
            ))
        }
    }
}

fn decide(
    report: HostReport,
    (owner, records): (&str, &Records),
    chain: &[CertificateDer<'_>],
    terms: &Terms<'_>,
    known: Option<&memory::Known>,
    now: Timestamp,
) -> HostReport {
    match deployment::advise(&records.set, chain, terms) {
        Advice::Free => report.free("no published record can be used: senders require TLS and verify nobody"),
        Advice::Unfit(reason) => report.unfit(reason),
        Advice::PublishFirst { reason, records } => report.publish_first(&reason, owner, &records),
        Advice::Fits(found) => {
            let report = report.fits(&found);
            let is_fit = |set: &dane::TlsaSet| terms.check(set, chain).is_ok();
            match known.map(|known| known.ripeness(now, is_fit)) {
                Some(Ripeness::Ripe) => report,
                Some(Ripeness::Unripe(at)) => report.too_early(at, now),
                None | Some(Ripeness::Unknown) => report.perhaps_too_early(),
            }
        }
    }
}
