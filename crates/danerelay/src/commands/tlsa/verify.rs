//! `danerelay tlsa verify`: does a chain satisfy given or published records?

use std::fmt::Write as _;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};

use clap::Args;
use dane::{Match, ReferenceIdentifiers, TlsaRecord, TlsaSet, Usage, VerifyFailure, verify_chain};
use dns::{Data, NoAnswer};
use mail::{Domain, Security};
use policy::Missing;
use rustls::pki_types::{CertificateDer, UnixTime};
use serde::Serialize;

use super::{InputError, certificates, time};
use crate::commands::dns::verdict_of;
use crate::commands::look_up::{DnsOptions, block_on, resolver};
use crate::commands::{output, values};
use crate::config;
use crate::config::units::DomainName;
use crate::exit::Verdict;
use crate::failure::Failure;
use crate::lookup_report::LookupStatus;
use crate::tlsa_records::{self, RecordReport};
use crate::wiring;

/// Used if no name is to be looked for; no certificate has it (RFC 6761 §6.4).
const NO_NAME: &str = "name.invalid";

/// Which chain, and which records.
#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    /// A PEM file with the chain as the server sends it, its own certificate first.
    #[arg(long, value_name = "FILE")]
    chain: PathBuf,

    /// A name that the certificate may bear where a trust anchor (usage 2) matches; the first is the TLSA base domain,
    /// which is the MX host; may be given more than once. With --host that host is the default; where all records have
    /// usage 3, none is needed.
    #[arg(long = "name", value_name = "NAME", value_parser = values::formed::<DomainName>)]
    names: Vec<Domain>,

    /// A TLSA record in zone-file form, "3 1 1 29c8601c…" or that of RFC 3597; may be given more than once.
    #[arg(
        long = "record",
        value_name = "U S M HEX",
        required_unless_present = "host",
        conflicts_with = "host"
    )]
    records: Vec<String>,

    /// Look up the records that are published for this host; only secure ones count.
    #[arg(long, value_name = "NAME", value_parser = values::formed::<DomainName>)]
    host: Option<Domain>,

    /// The port for which records are looked up.
    #[arg(long, default_value = "25", requires = "host", conflicts_with = "records", value_parser = values::port)]
    port: NonZeroU16,

    /// The time at which the chain is to be valid, in RFC 3339 form, for example 2027-01-31T12:00:00Z; without it now.
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    at: Option<UnixTime>,

    /// Print one JSON object.
    #[arg(long)]
    json: bool,

    // Last: its heading holds for whatever follows.
    #[command(flatten)]
    dns: DnsOptions,
}

/// Verifies and prints.
pub(super) fn run(arguments: &VerifyArguments, named: Option<&Path>) -> Result<Verdict, Failure> {
    let chain = certificates::read(&arguments.chain)?;
    let report = match &arguments.host {
        None => {
            let set = TlsaSet::new(parse_records(&arguments.records)?);
            arguments.check(&set, &chain)?
        }
        Some(host) => match look_up(arguments, host, named)? {
            Published::Secure(set) => arguments.check(&set, &chain)?,
            Published::None(reason, records) => Report::without_records(reason, records),
            Published::Failed(failure) => Report::of_failure(&failure),
        },
    };
    if arguments.json {
        output::write_json(&report)?;
    } else {
        output::write(&report.table())?;
    }
    Ok(report.verdict)
}

fn parse_records(texts: &[String]) -> Result<Vec<TlsaRecord>, InputError> {
    let parsed = (1..).zip(texts).map(|(number, text)| {
        rdata(text).parse().map_err(|cause| InputError::Record {
            number,
            text: text.clone(),
            cause,
        })
    });
    parsed.collect()
}

/// The data of a record that may have been copied with its owner, TTL, class and type, and with comments.
fn rdata(text: &str) -> String {
    let lines = text.lines().filter_map(|line| line.split(';').next());
    let words: Vec<&str> = lines.flat_map(str::split_ascii_whitespace).collect();
    let types = ["TLSA", "TYPE52"];
    let mut parts = words.rsplitn(2, |word| types.iter().any(|name| name.eq_ignore_ascii_case(word)));
    parts.next().unwrap_or_default().join(" ")
}

/// What is published for a host.
enum Published {
    /// Records that count.
    Secure(TlsaSet),
    /// No such records: the reason, and how many records there are.
    None(&'static str, usize),
    /// The look-up failed.
    Failed(NoAnswer),
}

fn look_up(arguments: &VerifyArguments, host: &Domain, named: Option<&Path>) -> Result<Published, Failure> {
    let mut loaded = config::load(named)?;
    arguments.dns.apply(&mut loaded.config.dns);
    let resolver = resolver(
        &loaded.config,
        &wiring::policy::load(&loaded, Missing::Warned)?.policy,
    )?;
    let lookup = block_on(resolver.tlsa(arguments.port.get(), host))?;
    Ok(match lookup {
        Err(failure) => Published::Failed(failure),
        Ok(answer) => match (answer.security, answer.data) {
            (Security::Secure, Data::Records(records)) => Published::Secure(TlsaSet::new(records.to_vec())),
            (Security::Insecure, Data::Records(records)) => Published::None(
                "the published TLSA records are insecure and do not count",
                records.len(),
            ),
            (Security::Secure | Security::Insecure, Data::NoData | Data::NxDomain) => {
                Published::None("no TLSA records are published", 0)
            }
        },
    })
}

impl VerifyArguments {
    fn check(&self, set: &TlsaSet, chain: &[CertificateDer<'_>]) -> Result<Report, InputError> {
        let now = self.at.unwrap_or_else(UnixTime::now);
        Ok(Report::of_check(set, chain, &self.references(set)?, now))
    }

    /// The names to look for; the base domain is the host whose records are used, unless another one is given.
    fn references(&self, set: &TlsaSet) -> Result<ReferenceIdentifiers, InputError> {
        let base = match self.names.iter().chain(&self.host).next() {
            Some(base) => base.as_str(),
            None if set.usable().iter().any(|record| record.usage == Usage::DaneTa) => {
                return Err(InputError::NoName);
            }
            None => NO_NAME,
        };
        let mut references = ReferenceIdentifiers::new(base)?;
        for name in self.names.iter().skip(1) {
            references = references.and(name.as_str())?;
        }
        Ok(references)
    }
}

/// What was found, for people and for programs.
#[derive(Debug, Serialize)]
struct Report {
    verified: bool,
    matched: Option<String>,
    depth: Option<usize>,
    reason: String,
    /// How many records are usable, so that one of them must match.
    usable: usize,
    /// How many there are in all.
    records: usize,
    /// Each record, and whether it is usable.
    details: Vec<RecordReport>,
    #[serde(skip)]
    verdict: Verdict,
}

impl Report {
    fn of_check(
        set: &TlsaSet,
        chain: &[CertificateDer<'_>],
        references: &ReferenceIdentifiers,
        now: UnixTime,
    ) -> Self {
        let checked = verify_chain(set, chain, references, now);
        let reason = match &checked {
            Ok(found) => words(found).to_owned(),
            Err(VerifyFailure::NoMatch) if !set.is_usable() => {
                "no usable TLSA records: SMTP clients demand TLS and authenticate nobody".to_owned()
            }
            Err(failure) => failure.to_string(),
        };
        let verified = checked.is_ok();
        let found = checked.ok().or_else(|| own_match(set, chain));
        Self {
            verified,
            verdict: if verified { Verdict::Good } else { Verdict::Bad },
            depth: found.as_ref().map(|found| found.depth),
            matched: found.map(|found| found.record.to_string()),
            reason,
            usable: set.usable_count(),
            records: set.len(),
            details: tlsa_records::reports(set),
        }
    }

    /// There is nothing to verify with.
    fn without_records(reason: &str, records: usize) -> Self {
        Self {
            verified: false,
            matched: None,
            depth: None,
            reason: reason.to_owned(),
            usable: 0,
            records,
            details: Vec::new(),
            verdict: Verdict::Bad,
        }
    }

    /// Bogus records are a finding; an outage is not.
    fn of_failure(failure: &NoAnswer) -> Self {
        let reason = format!("the look-up of the TLSA records failed: {failure}");
        Self {
            verdict: verdict_of(LookupStatus::from(&failure.cause)),
            ..Self::without_records(&reason, 0)
        }
    }

    fn table(&self) -> String {
        let verdict = if self.verified { "verified" } else { "not verified" };
        let mut table = format!("{verdict}: {}\n", self.reason);
        if let (Some(record), Some(depth)) = (&self.matched, self.depth) {
            let _ = writeln!(table, "matched:  {record}\ndepth:    {depth}");
        }
        let _ = writeln!(table, "records:  {}, usable {}", self.records, self.usable);
        for record in &self.details {
            let _ = writeln!(table, "  {record}");
        }
        table
    }
}

/// The record that matches the server's own certificate if the match alone is not sufficient, because its key cannot
/// prove anything.
fn own_match(set: &TlsaSet, chain: &[CertificateDer<'_>]) -> Option<Match> {
    let own = chain.first()?;
    let mut records = set.usable().iter();
    let record = records.find(|record| record.usage == Usage::DaneEe && record.matches(own))?;
    Some(Match {
        record: record.clone(),
        depth: 0,
        name: None,
    })
}

/// Who is authenticated, and by what.
fn words(found: &Match) -> &'static str {
    match found.record.usage {
        Usage::DaneEe => "the server's own certificate matches (DANE-EE)",
        Usage::DaneTa => "a valid path leads to a matching trust anchor (DANE-TA)",
        Usage::PkixTa | Usage::PkixEe | Usage::Other(_) => "a record matches",
    }
}

#[cfg(test)]
mod tests {
    use super::rdata;

    #[test]
    fn a_record_may_be_copied_from_a_zone_file_with_everything_around_it() {
        for text in [
            "3 1 1 29c8 601c",
            "_25._tcp.mx.example. 3600 IN TLSA 3 1 1 29c8 601c",
            "_25._tcp.mx.example. IN TYPE52 3 1 1 29c8 601c",
            "_25._tcp.mx.example. IN tlsa 3 1 1 ; the key\n 29c8 601c ; of 2026",
        ] {
            assert_eq!(rdata(text), "3 1 1 29c8 601c", "{text:?}");
        }
    }
}
