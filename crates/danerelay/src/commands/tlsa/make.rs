//! `danerelay tlsa make`: the records to publish for a certificate.

use std::fmt::Write as _;
use std::num::NonZeroU16;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use dane::{MatchingType, Selector, TlsaRecord, Usage, supported_key};
use mail::Domain;
use serde::Serialize;

use super::InputError;
use super::issuers::{self, Given};
use crate::commands::{output, values};
use crate::config::units::DomainName;
use crate::exit::Verdict;
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
    #[arg(long = "name", value_name = "NAME", value_parser = values::formed::<DomainName>)]
    names: Vec<Domain>,

    /// The port that the records are for.
    #[arg(long, default_value = "25", value_parser = values::port)]
    port: NonZeroU16,

    /// The TTL of the records in seconds; without it they have the zone's default.
    #[arg(long, value_name = "SECONDS", value_parser = values::ttl)]
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

/// One record at one owner name.
#[derive(Debug, Serialize)]
struct Published {
    /// With a trailing dot; without a host name it is relative to the host's name.
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
    let (own, issuers) = issuers::read(path, &arguments.issuers)?;
    let (servers, of_issuers) = match arguments.usage {
        None => (true, true),
        Some(UsageOption::DaneEe) => (true, false),
        Some(UsageOption::DaneTa) => (false, true),
    };
    let mut records = Vec::new();
    if servers {
        records.push(record(Usage::DaneEe, Selector::Spki, &own)?);
    }
    if of_issuers {
        issuers::check_path(&own, &issuers)?;
        for issuer in &issuers {
            let record = record(Usage::DaneTa, arguments.issuer_selector.into(), issuer)?;
            if !records.contains(&record) {
                records.push(record);
            }
        }
    }
    if records.is_empty() {
        return Err(InputError::NoIssuer { path: path.clone() });
    }
    Ok(records)
}

/// A record with a SHA-256 digest, and a warning if danerelay itself would not deliver by it.
fn record(usage: Usage, selector: Selector, given: &Given) -> Result<TlsaRecord, InputError> {
    let Given {
        path,
        number,
        certificate,
    } = given;
    if let Err(reason) = supported_key(certificate) {
        output::notice(&format!(
            "{}: certificate {number}: {reason}; by its record danerelay delivers nothing",
            path.display()
        ));
    }
    TlsaRecord::for_certificate(usage, selector, MatchingType::Sha256, certificate).ok_or_else(|| {
        InputError::Certificate {
            path: path.clone(),
            number: *number,
        }
    })
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
