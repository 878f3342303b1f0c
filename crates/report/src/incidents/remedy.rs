//! What lets mail pass until the other side has healed: an exception, dated and reasoned.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::{ToSpan, tz::TimeZone};
use mail::incident::{Cause, Kind, Likely};
use mail::sighting::Trouble;
use mail::words::day;
use mail::{Domain, count};
use serde::{Deserialize, Serialize};

use super::compose::MEMBERS_SHOWN;
use super::incident::Incident;
use super::words::{TlsBy, said};

const SOFT_FAIL: &str = "dane = \"soft-fail\"";
/// Where that is done which an exception from DNSSEC does here.
const BY_RESOLVER: &str = "behind a resolver that validates (dns.mode = \"trust-ad\") it has no effect: `danerelay explain` prints the line for that \
     resolver";
/// What no exception is for.
const BY_RULE: &str =
    "no exception switches this off: mta_sts or tls of the domain's rule in the policy does";
/// For how many days an exception is proposed to last.
const DAYS: i32 = 30;

/// What can be done until it has healed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remedy {
    /// `[[exception]]` tables for the policy file, ready to paste.
    pub exception: Option<String>,
    /// The commands that do the same.
    pub commands: Vec<String>,
    /// What to know before doing so.
    pub advice: String,
}

/// What kind of exception lets mail pass.
enum Way {
    /// DANE is still tried, and its failure only recorded: so its end is seen.
    SoftFail,
    /// Signatures are not demanded: without a valid answer there is no destination.
    WithoutDnssec,
    /// None: the policy itself has to change, or our own side.
    None(&'static str),
}

/// What can be done about an incident.
pub fn propose(incident: &Incident, now: Timestamp) -> Remedy {
    let trouble = match incident.cause {
        Cause::Mail(trouble) => trouble,
        Cause::Own(_) => return none("mend it here: no exception helps"),
    };
    let (key, what, option, names) = match (way(trouble, incident.tls_by()), incident.kind) {
        (Way::SoftFail, Kind::Host | Kind::Provider) => {
            ("mx", SOFT_FAIL, "--dane soft-fail", hosts(incident))
        }
        (Way::SoftFail, Kind::Domain | Kind::Ours) => {
            ("domain", SOFT_FAIL, "--dane soft-fail", failing(incident))
        }
        // Signatures are those of a zone, whoever's mail goes there.
        (Way::WithoutDnssec, _) => ("domain", "dnssec = \"off\"", "--dnssec-off", failing(incident)),
        (Way::None(advice), _) => return none(advice),
    };
    let until = now.to_zoned(TimeZone::UTC).date().saturating_add(DAYS.days());
    let reason = format!(
        "{} since {}",
        said(trouble, incident.tls_by()),
        day(incident.first_seen)
    );
    if names.is_empty() {
        return none("it is over");
    }
    // Words of ours only: nothing here was chosen by the other side but names that are valid ones.
    let tables = names.iter().map(|name| table(key, name, what, (until, &reason)));
    Remedy {
        exception: Some(tables.collect::<Vec<_>>().join("\n")),
        commands: names
            .iter()
            .map(|name| command(key, name, option, (until, &reason)))
            .collect(),
        advice: match way(trouble, incident.tls_by()) {
            Way::WithoutDnssec => {
                let more = incident.failing.saturating_sub(names.len() as u64);
                let more = match more {
                    0 => String::new(),
                    more => format!(
                        "; and {} that fail in the same way need the same",
                        count(more, "more host")
                    ),
                };
                format!("{}{more}; {BY_RESOLVER}", advice(incident))
            }
            Way::SoftFail | Way::None(_) => advice(incident),
        },
    }
}

fn none(advice: &str) -> Remedy {
    Remedy {
        exception: None,
        commands: Vec::new(),
        advice: advice.to_owned(),
    }
}

fn way(trouble: Trouble, tls_by: TlsBy) -> Way {
    match trouble {
        // DANE demands nothing there.
        Trouble::StarttlsNotOffered | Trouble::StarttlsRefused | Trouble::Injection | Trouble::Handshake
            if tls_by == TlsBy::Rule =>
        {
            Way::None(BY_RULE)
        }
        Trouble::MxBogus | Trouble::AddressBogus => Way::WithoutDnssec,
        Trouble::TlsaBogus
        | Trouble::TlsaLookup
        | Trouble::NoMatchingTlsa
        | Trouble::NameMismatch
        | Trouble::CertificateExpired
        | Trouble::CertificateUntrusted
        | Trouble::UnsupportedKey
        | Trouble::WrongSignature
        | Trouble::StarttlsNotOffered
        | Trouble::StarttlsRefused
        | Trouble::Injection
        | Trouble::Handshake => Way::SoftFail,
        Trouble::InsecureMx
        | Trouble::AddressName
        | Trouble::InsecureHost
        | Trouble::NoSecureTlsa
        | Trouble::NoUsableTlsa => Way::None(
            "our policy is strict here: as long as this holds, all this mail waits and is then returned; \
             dane = \"opportunistic\" for these domains lets it pass",
        ),
        Trouble::WebPki | Trouble::MtaStsMismatch => Way::None(BY_RULE),
        Trouble::ResolverFails => {
            Way::None("mend the resolver: `danerelay config check` and docs/dns.md help")
        }
        Trouble::LoginFails => Way::None("mend the login: the file that `route_login` names, or the server"),
    }
}

/// The hosts or the domain that fail still, as far as they are known.
fn failing(incident: &Incident) -> Vec<String> {
    let open = incident.members.iter().filter(|member| member.ended.is_none());
    open.filter_map(|member| member.place.domain())
        .map(Domain::to_string)
        .collect()
}

/// The hosts that fail; if they are many, all of the provider: hosts that are fine are not to be excepted with them.
fn hosts(incident: &Incident) -> Vec<String> {
    let mut failing = failing(incident);
    if failing.len() >= MEMBERS_SHOWN {
        let all = format!(".{}", incident.name);
        failing.retain(|name| *name == incident.name);
        failing.push(all);
    }
    failing
}

fn table(key: &str, name: &str, what: &str, (until, reason): (Date, &str)) -> String {
    format!("[[exception]]\n{key} = \"{name}\"\n{what}\nuntil = {until}\nreason = \"{reason}\"\n")
}

fn command(key: &str, name: &str, option: &str, (until, reason): (Date, &str)) -> String {
    let mx = if key == "mx" { "--mx " } else { "" };
    format!("danerelay danefail add {mx}{name} {option} --until {until} --reason \"{reason}\"")
}

/// If anything speaks for somebody in between, whatever is most likely, it says so. Where no mail waits, the mail passed under
/// `soft-fail` or by another host: an exception is for enforcing DANE before the other side has healed.
fn advice(incident: &Incident) -> String {
    let finding = &incident.finding;
    let is_suspect = matches!(finding.likely, Likely::PossibleAttack | Likely::OurNetwork);
    let advice = if is_suspect || !finding.for_attack.is_empty() {
        "an exception sends this mail to whoever answers: ask the other side first, by another way than mail"
    } else {
        "an exception lets this mail pass without authentication, ends by itself, and shows when the other side has healed"
    };
    if incident.messages == 0 {
        format!(
            "no mail waits because of it now; where DANE is to be enforced before it has healed, {advice}"
        )
    } else {
        advice.to_owned()
    }
}
