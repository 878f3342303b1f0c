//! `danerelay tlsa guard`: refuses the deployment of a certificate that senders would refuse.
//!
//! [`memory`]: since when each record has been seen. [`report`]: what was found for each host, and the verdict.

mod memory;
mod report;

use std::num::NonZeroU16;
use std::path::{Path, PathBuf};

use clap::Args;
use dane::{ReferenceIdentifiers, TlsaSet};
use dns::Resolver;
use futures_util::future::join_all;
use jiff::Timestamp;
use mail::Domain;
use rustls::pki_types::{CertificateDer, UnixTime};

use self::memory::{Known, Memory, Ripeness};
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
    /// A PEM file with the chain that is to be deployed, the server's own certificate first, such as certbot's fullchain.pem.
    #[arg(long, value_name = "FILE")]
    chain: PathBuf,

    /// A host that will present it, by the name in MX records; may be given more than once.
    #[arg(long = "name", value_name = "NAME", required = true, value_parser = values::formed::<DomainName>)]
    names: Vec<Domain>,

    /// A port at which each of the hosts will present it; may be given more than once.
    #[arg(long = "port", default_value = "25", value_parser = values::port)]
    ports: Vec<NonZeroU16>,

    /// A mail domain that the hosts serve: under a trust anchor (usage 2) its name in the certificate will do, too; may be given
    /// more than once.
    #[arg(long = "domain", value_name = "DOMAIN", value_parser = values::formed::<DomainName>)]
    domains: Vec<Domain>,

    /// Keep in this file when each published record was first seen, and refuse for twice the TTL after a change: until then,
    /// senders may still have the old records in their caches.
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
    let mut hosts = Vec::with_capacity(places.len());
    let mut question = Question {
        chain: &chain,
        domains: &arguments.domains,
        memory: memory.as_mut(),
        now: Timestamp::now(),
    };
    for place in &places {
        hosts.push(question.judge(place)?);
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

/// What is asked of each place: the chain, and what is known of before.
struct Question<'a> {
    chain: &'a [CertificateDer<'a>],
    domains: &'a [Domain],
    memory: Option<&'a mut Memory>,
    now: Timestamp,
}

impl Question<'_> {
    fn judge(&mut self, place: &Place<'_>) -> Result<HostReport, Failure> {
        let report = HostReport::new(place.host, place.port);
        // By what was asked for: the records of before may stand at another name than those of now, or none.
        let asked = zone::owner(place.port, Some(place.host));
        match &place.published {
            Published::Failed(failure) => {
                Ok(report.undecided(&format!("the look-up of the TLSA records failed: {failure}")))
            }
            Published::NoHost => Ok(report.undecided("there is no such host; is --name right?")),
            Published::None(reason, _) => {
                let known = self
                    .memory
                    .as_mut()
                    .map(|memory| memory.note_absence(&asked, self.now));
                let references = deployment::references(place.host, self.domains)?;
                Ok(self.ripened(report.free(reason), known.as_ref(), &references))
            }
            Published::Secure(records) => {
                let references = deployment::references(&records.base, self.domains)?;
                let owner = zone::owner(place.port, Some(&records.base));
                let report = report.with_records(&records.set, records.ttl);
                let known = self
                    .memory
                    .as_mut()
                    .map(|memory| memory.note(&asked, &records.set, records.ttl, self.now));
                Ok(self.decide(report, (&owner, records), known.as_ref(), &references))
            }
        }
    }

    fn decide(
        &self,
        report: HostReport,
        (owner, records): (&str, &Records),
        known: Option<&Known>,
        references: &ReferenceIdentifiers,
    ) -> HostReport {
        let terms = terms(references);
        match deployment::advise(&records.set, self.chain, &terms) {
            Advice::Free => self.ripened(
                report.free("no published record can be used: senders require TLS and verify nobody"),
                known,
                references,
            ),
            Advice::Unfit(reason) => report.unfit(reason),
            Advice::PublishFirst { reason, records } => report.publish_first(&reason, owner, &records),
            Advice::Fits(found) => {
                let report = self.ripened(report.fits(&found), known, references);
                // Nobody knows what there was before.
                let is_known = known.is_some_and(|known| {
                    known.ripeness(self.now, |set| terms.check(set, self.chain).is_ok()) != Ripeness::Unknown
                });
                if is_known {
                    report
                } else {
                    report.perhaps_too_early()
                }
            }
        }
    }

    /// Also where nothing stands in the way now, senders may still have the records of before.
    fn ripened(
        &self,
        report: HostReport,
        known: Option<&Known>,
        references: &ReferenceIdentifiers,
    ) -> HostReport {
        let terms = terms(references);
        let is_fit = |set: &TlsaSet| terms.check(set, self.chain).is_ok();
        match known.map(|known| known.ripeness(self.now, is_fit)) {
            Some(Ripeness::Unripe(at)) => report.too_early(at, self.now),
            Some(Ripeness::Ripe | Ripeness::Unknown) | None => report,
        }
    }
}

fn terms(references: &ReferenceIdentifiers) -> Terms<'_> {
    Terms {
        references,
        now: UnixTime::now(),
    }
}
