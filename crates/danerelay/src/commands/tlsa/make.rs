//! `danerelay tlsa make`: the records to publish for a certificate.

use std::num::NonZeroU16;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use dane::{MatchingType, Selector, TlsaRecord, Usage, supported_key};
use mail::Domain;
use serde::Serialize;

use super::InputError;
use super::issuers::{self, Given};
use super::live::{self, Seen};
use super::zone::{self, ZoneRecord};
use crate::commands::look_up::DnsOptions;
use crate::commands::{output, values};
use crate::config::units::DomainName;
use crate::exit::Verdict;
use crate::failure::Failure;

/// Which records, and for whom.
#[derive(Debug, Args)]
pub(crate) struct MakeArguments {
    /// A PEM file with the server's own certificate first, and its issuers after it if they are to have records too.
    #[arg(
        value_name = "CERT",
        required_unless_present = "host",
        conflicts_with = "host"
    )]
    certificate: Option<PathBuf>,

    /// Take the certificates that this server shows at --port, at each of its addresses, with STARTTLS (port 465: TLS from the
    /// first octet). Nothing of that is verified: whoever answers may be anybody.
    #[arg(long, value_name = "NAME", value_parser = values::formed::<DomainName>)]
    host: Option<Domain>,

    /// A PEM file all of whose certificates are issuers; may be given more than once.
    #[arg(long = "issuer", value_name = "FILE", conflicts_with = "host")]
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

    // Last: its heading holds for whatever follows.
    #[command(flatten)]
    dns: DnsOptions,
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
    records: Vec<ZoneRecord>,
    /// With `--host`: what each address showed.
    #[serde(skip_serializing_if = "Option::is_none")]
    seen: Option<Vec<Seen>>,
}

/// Prints the records.
pub(super) fn run(arguments: &MakeArguments, named: Option<&Path>) -> Result<Verdict, Failure> {
    let (answer, verdict) = match (&arguments.host, &arguments.certificate) {
        (Some(host), _) => of_server(arguments, host, named)?,
        (None, Some(path)) => (of_files(arguments, path)?, Verdict::Good),
        // Excluded by the command line.
        (None, None) => return Ok(Verdict::Unusable),
    };
    if arguments.names.is_empty() && arguments.host.is_none() && !arguments.json {
        output::notice("the names are relative to that of the host; --name writes it out");
    }
    if arguments.json {
        output::write_json(&answer)?;
    } else {
        let lines: Vec<String> = answer
            .records
            .iter()
            .map(|record| format!("{record}\n"))
            .collect();
        output::write(&lines.concat())?;
    }
    Ok(verdict)
}

/// The records for certificates in files.
fn of_files(arguments: &MakeArguments, path: &Path) -> Result<Answer, InputError> {
    let (own, issuers) = issuers::read(path, &arguments.issuers)?;
    if arguments.usage != Some(UsageOption::DaneEe) {
        issuers::check_path(&own, &issuers)?;
    }
    let mut records = Vec::new();
    add_records(arguments, &own, &issuers, &mut records)?;
    if records.is_empty() {
        return Err(InputError::NoIssuer {
            path: path.to_owned(),
        });
    }
    Ok(Answer {
        records: published(arguments, None, &records),
        seen: None,
    })
}

/// The records for what a server shows, at all its addresses; undecided if some of them did not answer.
fn of_server(
    arguments: &MakeArguments,
    host: &Domain,
    named: Option<&Path>,
) -> Result<(Answer, Verdict), Failure> {
    let mut view = live::look(host, arguments.port, &arguments.dns, named)?;
    view.tell(host);
    let mut records = Vec::new();
    for seen in &mut view.seen {
        if let Some((own, issuers)) = issuers::of_server(std::mem::take(&mut seen.chain)) {
            add_records(arguments, &own, &issuers, &mut records)?;
        }
    }
    let verdict = match (view.is_partial(), records.is_empty()) {
        (true, _) => Verdict::Undecided,
        (false, true) => Verdict::Bad,
        (false, false) => Verdict::Good,
    };
    let answer = Answer {
        records: published(arguments, Some(host), &records),
        seen: Some(view.seen),
    };
    Ok((answer, verdict))
}

/// The records in the order of the certificates, each once.
fn add_records(
    arguments: &MakeArguments,
    own: &Given,
    issuers: &[Given],
    records: &mut Vec<TlsaRecord>,
) -> Result<(), InputError> {
    let mut add = |record: TlsaRecord| {
        if !records.contains(&record) {
            records.push(record);
        }
    };
    if arguments.usage != Some(UsageOption::DaneTa) {
        add(record(Usage::DaneEe, Selector::Spki, own)?);
    }
    if arguments.usage != Some(UsageOption::DaneEe) {
        for issuer in issuers {
            add(record(Usage::DaneTa, arguments.issuer_selector.into(), issuer)?);
        }
    }
    Ok(())
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

/// The records at each host; without a name at the server that showed them.
fn published(arguments: &MakeArguments, server: Option<&Domain>, records: &[TlsaRecord]) -> Vec<ZoneRecord> {
    let names = arguments.names.iter();
    let mut owners: Vec<String> = names
        .map(|name| zone::owner(arguments.port, Some(name)))
        .collect();
    if owners.is_empty() {
        owners.push(zone::owner(arguments.port, server));
    }
    let at = |owner: &String| ZoneRecord::all(owner, arguments.ttl, records);
    owners.iter().flat_map(at).collect()
}
