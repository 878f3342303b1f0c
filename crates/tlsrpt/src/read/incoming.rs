//! What a report says, as plain data.

use std::fmt;

use mail::TlsResult;
use serde::Serialize;

/// A report of another relay about us. Everything in it was written by others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Incoming {
    /// Who reports.
    pub organization: Option<String>,
    /// Whom to ask.
    pub contact: Option<String>,
    /// By which it is known.
    pub id: Option<String>,
    /// The beginning of its time, as it is written.
    pub start: Option<String>,
    /// The end.
    pub end: Option<String>,
    /// What was counted.
    pub policies: Vec<Policy>,
    /// How many policies more there are, which were not read.
    pub unread: usize,
}

/// Sessions that were judged by one policy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Policy {
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: PolicyType,
    /// Its domain.
    pub domain: Option<String>,
    /// The policy itself: TLSA records, or lines.
    pub strings: Vec<String>,
    /// Which hosts it allows.
    pub mx: Vec<String>,
    /// Sessions that met it.
    pub successful: u64,
    /// Sessions that did not.
    pub failed: u64,
    /// What was wrong.
    pub failures: Vec<Detail>,
    /// How many entries more there are, which were not read.
    pub unread: usize,
}

/// Failures that agree in everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Detail {
    /// The kind, as it is written.
    pub result: String,
    /// How many there were.
    pub count: u64,
    /// From where.
    pub sending_ip: Option<String>,
    /// The name of our host.
    pub mx_host: Option<String>,
    /// The name by which it greeted.
    pub mx_helo: Option<String>,
    /// Its address.
    pub receiving_ip: Option<String>,
    /// More about it.
    pub reason: Option<String>,
    /// Where still more is.
    pub information: Option<String>,
}

/// The mail that brought a report. Nothing of it was verified.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Carrier {
    /// The address in From.
    pub from: Option<String>,
    /// `TLS-Report-Submitter`.
    pub submitter: Option<String>,
    /// The domains (`d=`) of its DKIM signatures.
    pub signed_by: Vec<String>,
}

/// The kind of a policy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyType {
    /// DANE.
    Tlsa,
    /// MTA-STS.
    Sts,
    /// There was none.
    NoPolicyFound,
    /// It is not said.
    #[default]
    Missing,
    /// Something that did not exist when this was written.
    Other(String),
}

/// What is remarkable about a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Remark {
    /// The mail is not signed, and anybody can have written it.
    NotSigned,
    /// The mail was submitted by another domain than that of the contact in the report.
    Submitter {
        /// What the mail says.
        mail: String,
        /// What the report says.
        report: String,
    },
    /// There are so many more reports beside it.
    MoreReports(usize),
    /// There is more in it than was read.
    Unread(usize),
    /// It has no numbers at all.
    NothingCounted,
}

impl Incoming {
    /// Sessions that met their policy, and sessions that did not. Where details are told of more failures than are counted,
    /// the larger number holds: some reporters leave the sum at 0.
    pub fn sessions(&self) -> (u64, u64) {
        self.policies.iter().fold((0, 0), |(met, failed), policy| {
            (
                met.saturating_add(policy.successful),
                failed.saturating_add(policy.failures()),
            )
        })
    }
}

impl Policy {
    /// Sessions that failed. One session can have several details, so their sum counts only where no other number is there.
    pub fn failures(&self) -> u64 {
        if self.failed > 0 {
            return self.failed;
        }
        self.failures
            .iter()
            .fold(0, |sum: u64, detail| sum.saturating_add(detail.count))
    }
}

impl Detail {
    /// The kind, if it is one of those of RFC 8460.
    pub fn known(&self) -> Option<TlsResult> {
        use serde::Deserialize as _;
        use serde::de::value::{Error, StrDeserializer};
        let name = self.result.trim().to_ascii_lowercase();
        TlsResult::deserialize(StrDeserializer::<Error>::new(&name)).ok()
    }
}

impl fmt::Display for PolicyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tlsa => "DANE (TLSA records)",
            Self::Sts => "MTA-STS policy",
            Self::NoPolicyFound => "no policy found",
            Self::Missing => "policy of no kind",
            Self::Other(kind) => return write!(f, "policy of the kind {kind}"),
        })
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSigned => f.write_str(
                "the mail has no DKIM signature: anybody can have written it, and RFC 8460 section 3 says to ignore it",
            ),
            Self::Submitter { mail, report } => write!(
                f,
                "the mail says that {mail} submits it, but the contact in the report is at {report}; the report counts (RFC \
                 8460 section 5.6)"
            ),
            Self::MoreReports(1) => {
                f.write_str("only the first report was read, and there is 1 more: give each of them by itself")
            }
            Self::MoreReports(more) => write!(
                f,
                "only the first report was read, and there are {more} more: give each of them by itself"
            ),
            Self::Unread(1) => f.write_str("there is 1 entry more in it than were read"),
            Self::Unread(entries) => write!(f, "there are {entries} entries more in it than were read"),
            Self::NothingCounted => f.write_str("no session is counted in it"),
        }
    }
}

/// The longest domain that is told, in octets.
const DOMAIN: usize = 256;

pub(super) fn remarks(report: &Incoming, carrier: Option<&Carrier>, more: usize) -> Vec<Remark> {
    let mut remarks = Vec::new();
    if more > 0 {
        remarks.push(Remark::MoreReports(more));
    }
    if let Some(carrier) = carrier {
        if carrier.signed_by.is_empty() {
            remarks.push(Remark::NotSigned);
        }
        let contact = report.contact.as_deref();
        let contact = contact.and_then(|contact| contact.rsplit_once('@'));
        if let (Some(mail), Some((_, domain))) = (&carrier.submitter, contact)
            && !mail.eq_ignore_ascii_case(domain.trim())
        {
            let domain = domain.trim();
            let domain = domain.get(..domain.floor_char_boundary(DOMAIN));
            remarks.push(Remark::Submitter {
                mail: mail.clone(),
                report: domain.unwrap_or_default().to_owned(),
            });
        }
    }
    let inner: usize = report.policies.iter().map(|policy| policy.unread).sum();
    match report.unread.saturating_add(inner) {
        0 => {}
        unread => remarks.push(Remark::Unread(unread)),
    }
    if report.sessions() == (0, 0) {
        remarks.push(Remark::NothingCounted);
    }
    remarks
}
