//! What can happen in a delivery, and the words for it.

use std::fmt::{self, Display, Formatter};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use dane::{CertificateSummary, MatchingType, Selector, TlsaRecord, TlsaSet, Unusable, Usage};
use jiff::Timestamp;
use mail::event::trace::StepKind;
use mail::words::list;
use mail::{DaneVerdict, Domain, Event, NextHop, Security, count};
use policy::decision::{Action, HostDecision, Requirement};
use policy::facts::{Addresses, HostFindings, Tlsa};
use policy::failure::Failure;
use policy::settings::DestinationPolicy;
use rustls::pki_types::CertificateDer;
use spool::{Lease, SpoolError};

/// The longest data of a record that is shown as it is, in octets: SHA-512.
const DIGEST: usize = 64;
/// The most recipients that are named.
const NAMED: usize = 3;

/// Something that happens in a delivery.
pub(crate) enum Step<'a> {
    /// An attempt begins.
    Message(&'a Lease),
    /// What the policy says about the destination, and where the mail goes then.
    Policy {
        policy: &'a DestinationPolicy,
        target: &'a NextHop,
    },
    /// The MX records were looked up.
    Mx {
        security: Security,
        hosts: usize,
        /// The value of `sts=`.
        sts: Option<&'static str>,
    },
    /// What is known about a host, and what is decided.
    Host(HostStep<'a>),
    /// A destination, or an address of a host, is not tried.
    NotTried(&'a Failure),
    /// A host is tried once more, without DANE.
    SecondRound(&'a str),
    /// A connection was waited for.
    Waited(Duration),
    /// Why there is a wait, or another connection is needed.
    Waits(&'a str),
    /// The host gets its next message after this time.
    Paced(Duration),
    /// A connection is used over which other messages were sent.
    Reused,
    Connect {
        to: SocketAddr,
        from: Option<IpAddr>,
    },
    Connected {
        from: Option<SocketAddr>,
    },
    NotConnected(&'a str),
    /// The same address is connected to once more, in this way.
    OnceMore(&'a str),
    /// Another address was connected to sooner.
    GivenUp,
    TlsBegun {
        /// The name that is sent, if one is.
        sni: Option<&'a str>,
    },
    TlsDone {
        /// Version and cipher suite.
        session: &'a dyn Display,
        /// The group of the key exchange.
        group: Option<&'a str>,
    },
    TlsFailed(&'a str),
    Certificate {
        /// 0 for the server's own.
        depth: usize,
        certificate: &'a CertificateDer<'a>,
    },
    Tlsa {
        record: &'a TlsaRecord,
        standing: RecordStanding,
        /// The number of the certificate that it matches.
        matches: Option<usize>,
        /// It is a trust anchor that was published in full and not sent.
        is_anchor: bool,
    },
    Client(&'a str),
    Server(&'a str),
    Content {
        octets: u64,
        time: Duration,
    },
    /// The connection met its requirement.
    Verified {
        requirement: Requirement,
        verdict: &'a DaneVerdict,
    },
    Failed(&'a Failure),
    /// A transaction failed without a reply that says so.
    BrokenOff(&'a str),
    Closed(End),
    /// A line of the log.
    Outcome(&'a Event),
    Unsettled(Unsettled<'a>),
    /// Somebody has deleted or held the recipients meanwhile.
    NothingLeft,
    /// Another delivery has put them off until then.
    PutOff(Timestamp),
    LeftOut {
        octets: u64,
    },
    /// Deliveries before this one were not traced.
    Untraced(u64),
}

/// A host, what DNS says about it, and what is decided.
pub(crate) struct HostStep<'a> {
    /// `None` if it is known by its address alone.
    pub(crate) name: Option<&'a str>,
    pub(crate) addresses: &'a [IpAddr],
    /// Those that are not connected to.
    pub(crate) ignored: &'a [IpAddr],
    pub(crate) findings: &'a HostFindings,
    /// Its secure TLSA records.
    pub(crate) records: Option<(&'a Domain, &'a TlsaSet)>,
    /// `None` if the destination itself is the problem.
    pub(crate) decision: Option<&'a HostDecision>,
}

/// Whether a TLSA record counts.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RecordStanding {
    Usable,
    /// There is one with a stronger digest.
    Outranked,
    Unusable(Unusable),
}

/// How a connection ends for a delivery.
#[derive(Debug, Clone, Copy)]
pub(crate) enum End {
    ByServer,
    ByUs,
    /// It stays open for another message.
    Kept,
}

/// Why an attempt settles nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Unsettled<'a> {
    /// Another delivery of the message has the lease.
    Taken,
    /// The server takes no more connections now.
    Busy,
    /// The receiving host gets its next message after this time.
    Paced(Duration),
    /// Too many wait for a connection to the host.
    Crowded,
    /// Trouble with the spool.
    Spool(&'a SpoolError),
}

impl Step<'_> {
    /// What happened, in one word.
    pub(super) fn kind(&self) -> StepKind {
        match self {
            Self::Message(_) => StepKind::Message,
            Self::Policy { .. } => StepKind::Policy,
            Self::Mx { .. } => StepKind::Mx,
            Self::Host(_) | Self::SecondRound(_) => StepKind::Host,
            Self::NotTried(_) | Self::NothingLeft | Self::PutOff(_) => StepKind::NotTried,
            Self::Waited(_) | Self::Waits(_) | Self::Paced(_) => StepKind::Waited,
            Self::Reused => StepKind::Reused,
            Self::Connect { .. } | Self::NotConnected(_) | Self::OnceMore(_) => StepKind::Connect,
            Self::Connected { .. } => StepKind::Connected,
            Self::GivenUp => StepKind::GivenUp,
            Self::TlsBegun { .. } | Self::TlsDone { .. } | Self::TlsFailed(_) => StepKind::Tls,
            Self::Certificate { .. } => StepKind::Certificate,
            Self::Tlsa { .. } => StepKind::Tlsa,
            Self::Client(_) => StepKind::Client,
            Self::Server(_) => StepKind::Server,
            Self::Content { .. } => StepKind::Content,
            Self::Verified { .. } => StepKind::Verified,
            Self::Failed(_) | Self::BrokenOff(_) => StepKind::Failed,
            Self::Closed(_) => StepKind::Closed,
            Self::Outcome(_) => StepKind::Outcome,
            Self::Unsettled(_) => StepKind::Again,
            Self::LeftOut { .. } | Self::Untraced(_) => StepKind::LeftOut,
        }
    }
}

impl Display for Step<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(lease) => message(lease, f),
            Self::Policy { policy, target } => {
                settings(policy, f)?;
                write!(f, "; mail goes to {target}")
            }
            Self::Mx { security, hosts, sts } => {
                write!(f, "{security}, {}", count(*hosts, "host"))?;
                sts.map_or(Ok(()), |sts| write!(f, "; MTA-STS {sts}"))
            }
            Self::Host(host) => host.fmt(f),
            Self::NotTried(failure) | Self::Failed(failure) => self::failure(failure, f),
            Self::SecondRound(host) => write!(f, "{host}, once more without DANE (soft-fail)"),
            Self::Waited(time) => write!(f, "{} for a connection", seconds(*time)),
            Self::Reused => f.write_str("a connection over which other messages were sent"),
            Self::Connect { to, from: None } => write!(f, "to {to}"),
            Self::Connect { to, from: Some(from) } => write!(f, "to {to} from {from}"),
            Self::Connected { from: None } => f.write_str("connected"),
            Self::Connected { from: Some(from) } => write!(f, "from {from}"),
            Self::NotConnected(reason) => write!(f, "not connected: {reason}"),
            Self::OnceMore(how) => write!(f, "once more {how}"),
            Self::BrokenOff(reason) => f.write_str(reason),
            Self::Waits(why) => f.write_str(why),
            Self::Paced(time) => write!(f, "the host gets its next message in {}", seconds(*time)),
            Self::GivenUp => f.write_str("another address answered sooner"),
            Self::TlsBegun { sni: Some(name) } => write!(f, "handshake begun, SNI {name}, no ALPN"),
            Self::TlsBegun { sni: None } => f.write_str("handshake begun, no SNI, no ALPN"),
            Self::TlsDone { session, group: None } => session.fmt(f),
            Self::TlsDone {
                session,
                group: Some(group),
            } => write!(f, "{session}, group {group}"),
            Self::TlsFailed(reason) => write!(f, "handshake failed: {reason}"),
            Self::Certificate { depth, certificate } => self::certificate(*depth, certificate, f),
            Self::Tlsa {
                record,
                standing,
                matches,
                is_anchor,
            } => {
                tlsa(record, *standing, f)?;
                match (matches, is_anchor) {
                    (Some(depth), _) => write!(f, "matches certificate {depth}"),
                    (None, true) => f.write_str("is the trust anchor, which was not sent"),
                    (None, false) => f.write_str("matches no certificate"),
                }
            }
            Self::Client(text) | Self::Server(text) => f.write_str(text),
            Self::Content { octets, time } => write!(f, "{octets} octets sent in {}", seconds(*time)),
            Self::Verified {
                requirement,
                verdict: DaneVerdict::NotReached,
            } => write!(f, "requirement met: {requirement}"),
            Self::Verified { requirement, verdict } => {
                write!(f, "requirement met: {requirement}; dane=\"{verdict}\"")
            }
            Self::Closed(End::ByServer) => f.write_str("by the server"),
            Self::Closed(End::ByUs) => f.write_str("by this relay"),
            Self::Closed(End::Kept) => f.write_str("not yet: kept for another message"),
            Self::Outcome(event) => f.write_str(&event.to_text()),
            Self::Unsettled(why) => why.fmt(f),
            Self::NothingLeft => f.write_str("there is nothing left to deliver"),
            Self::PutOff(until) => write!(f, "another delivery has put it off until {until:.0}"),
            Self::LeftOut { octets } => write!(f, "{octets} octets left out"),
            Self::Untraced(1) => f.write_str("1 delivery before this one was not traced"),
            Self::Untraced(count) => write!(f, "{count} deliveries before this one were not traced"),
        }
    }
}

impl Display for HostStep<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.name {
            Some(name) => f.write_str(name)?,
            None => write!(f, "[{}]", list(self.addresses))?,
        }
        match self.findings {
            HostFindings::AddressLiteral | HostFindings::AddressName => {}
            HostFindings::Named { addresses, tlsa } => {
                match addresses {
                    Addresses::Unresolvable(failure) => write!(f, ", addresses: {failure}")?,
                    Addresses::Absent(security) => write!(f, ", no addresses ({security})")?,
                    Addresses::OtherFamily => {
                        write!(f, ", no address of the family in use {}", list(self.ignored))?;
                    }
                    Addresses::Ignored(_) => write!(f, ", ignored addresses {}", list(self.ignored))?,
                    Addresses::Insecure => write!(f, ", insecure addresses {}", list(self.addresses))?,
                    Addresses::SecureAlias => {
                        write!(
                            f,
                            ", insecure addresses through a secure alias {}",
                            list(self.addresses)
                        )?;
                    }
                    Addresses::Secure => write!(f, ", secure addresses {}", list(self.addresses))?,
                }
                match tlsa {
                    Tlsa::NotAsked => f.write_str("; TLSA not asked")?,
                    Tlsa::LookupFailed(failure) => write!(f, "; TLSA: {failure}")?,
                    Tlsa::Absent => f.write_str("; no secure TLSA records")?,
                    Tlsa::Unusable | Tlsa::Usable => {}
                }
                if let Some((base, set)) = self.records {
                    let records = count(set.len(), "TLSA record");
                    write!(f, "; {records} at {base}, {} usable", set.usable_count())?;
                }
            }
        }
        let Some(decision) = self.decision else {
            return Ok(());
        };
        match &decision.action {
            Action::Connect { requirement, .. } => write!(f, "; requirement: {requirement}"),
            Action::PassOver(failure) => {
                f.write_str("; not tried: ")?;
                self::failure(failure, f)
            }
        }
    }
}

impl Display for Unsettled<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken => f.write_str("the message is being delivered already"),
            Self::Busy => f.write_str("the server takes no more connections now; no attempt is counted"),
            Self::Paced(time) => write!(
                f,
                "the host gets its next message in {} (messages_per_minute)",
                seconds(*time)
            ),
            Self::Crowded => f.write_str("too many deliveries wait for a connection to the host"),
            Self::Spool(error) => write!(f, "the spool reports: {error}"),
        }
    }
}

fn message(lease: &Lease, f: &mut Formatter<'_>) -> fmt::Result {
    write!(f, "from <{}> to ", lease.reverse_path.as_str())?;
    for (number, recipient) in lease.recipients.iter().take(NAMED).enumerate() {
        let comma = if number > 0 { ", " } else { "" };
        write!(f, "{comma}<{}>", recipient.address)?;
    }
    match lease.recipients.len().saturating_sub(NAMED) {
        0 => {}
        more => write!(f, " and {more} more")?,
    }
    let attempts = lease.recipients.iter().map(|one| one.attempts).max();
    let attempt = attempts.unwrap_or_default().saturating_add(1);
    write!(
        f,
        ", {} octets, accepted {:.0}, attempt {attempt}",
        lease.size, lease.created
    )
}

fn settings(policy: &DestinationPolicy, f: &mut Formatter<'_>) -> fmt::Result {
    write!(
        f,
        "dane {} ({}), insecure_mx {}, tls {}, mta_sts {}",
        policy.dane, policy.dane_source, policy.insecure_mx, policy.tls, policy.mta_sts
    )?;
    if let Some(route) = &policy.route {
        write!(f, ", route {}, route_tls {}", route.next_hop, route.tls)?;
    }
    match policy.usable_fallback() {
        Some(fallback) => write!(f, ", fallback {fallback}"),
        None => Ok(()),
    }
}

fn failure(failure: &Failure, f: &mut Formatter<'_>) -> fmt::Result {
    f.write_str(&failure.reason)?;
    match failure.verdict() {
        DaneVerdict::NotReached => Ok(()),
        verdict => write!(f, "; dane=\"{verdict}\""),
    }
}

fn certificate(depth: usize, certificate: &CertificateDer<'_>, f: &mut Formatter<'_>) -> fmt::Result {
    write!(f, "{depth}: ")?;
    match CertificateSummary::of(certificate) {
        Some(summary) => {
            let subject = if summary.subject.is_empty() {
                "no subject"
            } else {
                &summary.subject
            };
            write!(f, "{subject}")?;
            if !summary.names.is_empty() {
                write!(f, " for {}", summary.names.join(", "))?;
            }
            if let Ok(until) = Timestamp::from_second(summary.not_after) {
                write!(f, ", valid until {until}")?;
            }
        }
        None => f.write_str("it cannot be read")?,
    }
    for (label, selector) in [("certificate", Selector::Cert), ("SPKI", Selector::Spki)] {
        let digest = TlsaRecord::for_certificate(Usage::DaneEe, selector, MatchingType::Sha256, certificate);
        if let Some(digest) = digest {
            write!(f, ", {label} SHA-256 ")?;
            digest
                .data
                .iter()
                .try_for_each(|octet| write!(f, "{octet:02x}"))?;
        }
    }
    Ok(())
}

fn tlsa(record: &TlsaRecord, standing: RecordStanding, f: &mut Formatter<'_>) -> fmt::Result {
    // What is published in full takes kilobytes.
    if record.data.len() > DIGEST {
        write!(f, "{}, ", record.fingerprint())?;
    } else {
        write!(f, "{record}, ")?;
    }
    match standing {
        RecordStanding::Usable => Ok(()),
        RecordStanding::Outranked => f.write_str("not used, because there is a stronger digest, "),
        RecordStanding::Unusable(why) => write!(f, "unusable ({why}), "),
    }
}

fn seconds(time: Duration) -> String {
    format!("{}.{:03} s", time.as_secs(), time.subsec_millis())
}
