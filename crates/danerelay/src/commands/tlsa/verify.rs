//! `danerelay tlsa verify`: does a chain satisfy given or published records?

use std::fmt::Write as _;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};

use clap::Args;
use dane::{
    CertificateSummary, Match, MatchingType, ReferenceIdentifiers, TlsaRecord, TlsaSet, Usage, VerifyFailure,
};
use dns::NoAnswer;
use mail::{Domain, LookupStatus};
use rustls::pki_types::{CertificateDer, UnixTime};
use serde::Serialize;

use super::deployment::{self, Advice, Terms};
use super::published::{self, Published};
use super::zone::{self, ZoneRecord};
use super::{InputError, certificates, time};
use crate::commands::dns::verdict_of;
use crate::commands::look_up::{DnsOptions, block_on, resolver_of};
use crate::commands::{output, values};
use crate::config::units::DomainName;
use crate::exit::Verdict;
use crate::failure::Failure;
use crate::tlsa_records::{self, RecordReport};

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
        Some(host) => {
            let resolver = resolver_of(&arguments.dns, named)?;
            match block_on(published::look_up(&resolver, arguments.port, host))? {
                Published::Secure(records) => arguments.check_published(&records, &chain)?,
                Published::None(reason, records) => Report {
                    install: Some(Install::Now),
                    ..Report::without_records(reason, records)
                },
                Published::NoHost => Report::without_records("there is no such host", 0),
                Published::Failed(failure) => Report::of_failure(&failure),
            }
        }
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

impl VerifyArguments {
    fn now(&self) -> UnixTime {
        self.at.unwrap_or_else(UnixTime::now)
    }

    fn check(&self, set: &TlsaSet, chain: &[CertificateDer<'_>]) -> Result<Report, InputError> {
        let needs_name = set.usable().iter().any(|record| record.usage == Usage::DaneTa);
        let references = match self.names.split_first() {
            Some((base, others)) => deployment::references(base, others)?,
            None if needs_name => return Err(InputError::NoName),
            None => ReferenceIdentifiers::new(NO_NAME)?,
        };
        let terms = Terms {
            references: &references,
            now: self.now(),
        };
        Ok(Report::of_check(set, chain, &terms))
    }

    /// With what there is to do before the chain is installed. The base domain is that of the records, unless another one
    /// is given.
    fn check_published(
        &self,
        records: &published::Records,
        chain: &[CertificateDer<'_>],
    ) -> Result<Report, InputError> {
        let (base, others) = match self.names.split_first() {
            Some((base, others)) => (base, others),
            None => (&records.base, [].as_slice()),
        };
        let references = deployment::references(base, others)?;
        let terms = Terms {
            references: &references,
            now: self.now(),
        };
        let report = Report::of_check(&records.set, chain, &terms);
        let (install, publish) = match deployment::advise(&records.set, chain, &terms) {
            Advice::Fits(_) | Advice::Free => (Install::Now, Vec::new()),
            Advice::PublishFirst { records, .. } => (Install::PublishFirst, records),
            Advice::Unfit(_) => (Install::Never, Vec::new()),
        };
        let owner = zone::owner(self.port, Some(&records.base));
        Ok(Report {
            publish: ZoneRecord::all(&owner, Some(records.ttl), &publish),
            wait: (install == Install::PublishFirst).then_some(tlsa_records::wait(records.ttl)),
            install: Some(install),
            ttl: Some(records.ttl),
            ..report
        })
    }
}

/// Whether the chain can be installed on the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Install {
    /// No sender will refuse it.
    Now,
    /// Once further records have been published for twice the TTL.
    PublishFirst,
    /// No record would help.
    Never,
}

/// What was found, for people and for programs.
#[derive(Debug, Serialize)]
struct Report {
    verified: bool,
    matched: Option<String>,
    depth: Option<usize>,
    reason: String,
    /// How many records are usable, those that digest agility passes over included.
    usable: usize,
    /// How many there are in all.
    records: usize,
    /// Each record, and whether it is usable.
    details: Vec<RecordReport>,
    /// With `--host`: whether the chain can be installed there.
    install: Option<Install>,
    /// What has to be published before, beside what is there.
    publish: Vec<ZoneRecord>,
    /// How many seconds to wait after that.
    wait: Option<u32>,
    /// The TTL of the published records, in seconds.
    ttl: Option<u32>,
    #[serde(skip)]
    verdict: Verdict,
}

impl Report {
    fn of_check(set: &TlsaSet, chain: &[CertificateDer<'_>], terms: &Terms<'_>) -> Self {
        let checked = terms.check(set, chain);
        let reason = match &checked {
            Ok(found) => words(found).to_owned(),
            Err(VerifyFailure::NoMatch) if !set.is_usable() => {
                "no usable TLSA records: SMTP clients demand TLS and authenticate nobody".to_owned()
            }
            Err(failure @ VerifyFailure::NoMatch) => match issuer_not_sent(set, chain) {
                Some(words) => format!("{failure}: {words}"),
                None => failure.to_string(),
            },
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
            usable: set.usable().len() + set.outranked().len(),
            records: set.len(),
            details: tlsa_records::reports(set),
            install: None,
            publish: Vec::new(),
            wait: None,
            ttl: None,
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
            install: None,
            publish: Vec::new(),
            wait: None,
            ttl: None,
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
        self.write_advice(&mut table);
        table
    }
}

impl Report {
    /// What to do before the chain is installed, and when it can be.
    fn write_advice(&self, table: &mut String) {
        let wait = tlsa_records::wait(self.ttl.unwrap_or(0));
        let _ = match self.install {
            None => Ok(()),
            Some(Install::Now) if self.matched.is_some() => writeln!(
                table,
                "install:  now, if the matching record was published more than {wait} s ago, which is twice its TTL"
            ),
            Some(Install::Now) => writeln!(table, "install:  now: senders verify nobody here"),
            Some(Install::Never) => {
                writeln!(table, "install:  not this certificate, whatever is published")
            }
            Some(Install::PublishFirst) => {
                let _ = writeln!(
                    table,
                    "install:  not yet: publish this first, beside what is there"
                );
                for line in &self.publish {
                    let _ = writeln!(table, "  {line}");
                }
                writeln!(table, "          and wait {wait} s once all name servers have it")
            }
        };
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

/// If only digests of trust anchors are published, and the chain ends below an issuer that is not in it.
fn issuer_not_sent(set: &TlsaSet, chain: &[CertificateDer<'_>]) -> Option<String> {
    let is_anchor = |record: &TlsaRecord| record.usage == Usage::DaneTa;
    let digest = set
        .usable()
        .iter()
        .find(|record| record.matching != MatchingType::Full)?;
    let last = CertificateSummary::of(chain.last()?)?;
    let is_missing = set.usable().iter().all(is_anchor) && !last.is_self_issued;
    is_missing.then(|| tlsa_records::issuer_not_sent(&digest.fingerprint().to_string(), &last.issuer))
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
