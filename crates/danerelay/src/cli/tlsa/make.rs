//! `danerelay tlsa make`: the records to publish for a certificate.

use std::fmt::Write as _;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use dane::{MatchingType, Selector, TlsaRecord, Usage};
use mail::Domain;
use rustls::pki_types::CertificateDer;
use serde::Serialize;

use super::{InputError, certificates};
use crate::cli::{Verdict, output};
use crate::failure::Failure;

/// Which records, and for whom.
#[derive(Debug, Args)]
pub(crate) struct MakeArguments {
    /// A PEM file with the server's own certificate first, and its issuers after it if they are to have records too.
    #[arg(value_name = "CERT")]
    certificate: PathBuf,

    /// A PEM file all of whose certificates are issuers; may be given more than once.
    #[arg(long = "issuer", value_name = "FILE")]
    issuers: Vec<PathBuf>,

    /// Only records of this certificate usage: 3 for the server's own certificate, 2 for issuers.
    #[arg(long, value_name = "USAGE", value_enum)]
    usage: Option<UsageOption>,

    /// What of an issuer is published: 0 the certificate, 1 its public key.
    #[arg(long, value_name = "SELECTOR", value_enum, default_value = "0")]
    issuer_selector: SelectorOption,

    /// The host that the records are for, which MX records name; may be given more than once.
    #[arg(long = "name", value_name = "NAME")]
    names: Vec<Domain>,

    /// The port that the records are for.
    #[arg(long, default_value = "25")]
    port: NonZeroU16,

    /// The TTL of the records in seconds; without it they have the zone's default.
    #[arg(long, value_name = "SECONDS")]
    ttl: Option<u32>,

    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// `--usage`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum UsageOption {
    /// DANE-TA.
    #[value(name = "2", alias = "DANE-TA")]
    DaneTa,
    /// DANE-EE.
    #[value(name = "3", alias = "DANE-EE")]
    DaneEe,
}

/// `--issuer-selector`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SelectorOption {
    /// The whole certificate.
    #[value(name = "0", alias = "Cert")]
    Cert,
    /// Its public key.
    #[value(name = "1", alias = "SPKI")]
    Spki,
}

impl From<SelectorOption> for Selector {
    fn from(option: SelectorOption) -> Self {
        match option {
            SelectorOption::Cert => Self::Cert,
            SelectorOption::Spki => Self::Spki,
        }
    }
}

/// The answer as JSON.
#[derive(Debug, Serialize)]
struct Answer {
    records: Vec<Published>,
}

/// One record at one place.
#[derive(Debug, Serialize)]
struct Published {
    /// With a final dot; without a name it is relative to the host's.
    owner: String,
    ttl: Option<u32>,
    record: String,
}

/// Prints the records.
pub(super) fn run(arguments: &MakeArguments) -> Result<Verdict, Failure> {
    let records = records(arguments)?;
    let answer = Answer {
        records: published(arguments, &records),
    };
    if arguments.names.is_empty() && !arguments.json {
        output::notice("the names are relative to that of the host; --name writes it out");
    }
    if arguments.json {
        output::write_json(&answer)?;
    } else {
        output::write(&zone_lines(&answer))?;
    }
    Ok(Verdict::Good)
}

/// The records in the order of the certificates, each once.
fn records(arguments: &MakeArguments) -> Result<Vec<TlsaRecord>, InputError> {
    let path = &arguments.certificate;
    let chain = certificates::read(path)?;
    let mut records = Vec::new();
    for (number, certificate) in (1..).zip(&chain) {
        let (usage, selector) = if number == 1 {
            (Usage::DaneEe, Selector::Spki)
        } else {
            (Usage::DaneTa, arguments.issuer_selector.into())
        };
        records.push(record(usage, selector, certificate).ok_or_else(|| malformed(path, number))?);
    }
    for path in &arguments.issuers {
        for (number, certificate) in (1..).zip(&certificates::read(path)?) {
            let selector = arguments.issuer_selector.into();
            let record = record(Usage::DaneTa, selector, certificate);
            records.push(record.ok_or_else(|| malformed(path, number))?);
        }
    }
    if let Some(wanted) = arguments.usage {
        let usage = match wanted {
            UsageOption::DaneTa => Usage::DaneTa,
            UsageOption::DaneEe => Usage::DaneEe,
        };
        records.retain(|record| record.usage == usage);
    }
    if records.is_empty() {
        return Err(InputError::NoIssuer { path: path.clone() });
    }
    let mut seen = Vec::new();
    records.retain(|record| {
        let new = !seen.contains(record);
        seen.push(record.clone());
        new
    });
    Ok(records)
}

/// A record with a SHA-256 digest; `None` if the certificate cannot be read.
fn record(usage: Usage, selector: Selector, certificate: &CertificateDer<'_>) -> Option<TlsaRecord> {
    // Any octets have a digest: only a certificate has a key.
    TlsaRecord::for_certificate(usage, Selector::Spki, MatchingType::Sha256, certificate)?;
    TlsaRecord::for_certificate(usage, selector, MatchingType::Sha256, certificate)
}

fn malformed(path: &Path, number: usize) -> InputError {
    InputError::Certificate {
        path: path.to_owned(),
        number,
    }
}

fn published(arguments: &MakeArguments, records: &[TlsaRecord]) -> Vec<Published> {
    let port = arguments.port;
    let mut owners: Vec<String> = arguments
        .names
        .iter()
        .map(|name| format!("_{port}._tcp.{name}."))
        .collect();
    if owners.is_empty() {
        owners.push(format!("_{port}._tcp"));
    }
    let at = |owner: &String| {
        let owner = owner.clone();
        records.iter().map(move |record| Published {
            owner: owner.clone(),
            ttl: arguments.ttl,
            record: record.to_string(),
        })
    };
    owners.iter().flat_map(at).collect()
}

fn zone_lines(answer: &Answer) -> String {
    let mut lines = String::new();
    for Published { owner, ttl, record } in &answer.records {
        let ttl = ttl.map(|ttl| format!("{ttl} ")).unwrap_or_default();
        let _ = writeln!(lines, "{owner} {ttl}IN TLSA {record}");
    }
    lines
}
