//! What is known about a destination before the first connection to it.
//!
//! Facts are plain data: others gather them, in any order, and they are complete when [`crate::decision::decide`] gets
//! them.
//! The row numbers (D1, H3, T2, …) are those of the decision table in `docs/decision-table.md`.

use mail::{Domain, FailedLookup, ReversePath, Security, TlsTag};

use crate::settings::{DaneMode, DestinationPolicy, HostPolicy, InsecureMx, TlsFloor};

/// Everything that the decision for one next hop depends on. `H` is a host: [`Host`] itself, or a type that holds a
/// [`Host`] and more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts<H = Host> {
    /// What the administrator wants for this destination.
    pub wanted: Wanted,
    /// What the message asks for itself.
    pub message: MessageTls,
    /// The destination's MTA-STS policy.
    pub mta_sts: DomainMtaSts,
    /// What DNS says about it.
    pub destination: Destination<H>,
}

/// What a message asks of TLS for itself (RFC 8689), as far as the administrator lets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageTls {
    /// Nothing.
    Usual,
    /// `REQUIRETLS`: only to servers that are authenticated, and whose names are known securely; if none is, it fails.
    Required,
    /// The same for a report, which waits instead: nobody could be told that it failed.
    RequiredOfReport,
    /// `TLS-Required: No`: what the receiver has published does not count.
    Waived,
    /// A TLS report of our own: neither does what the administrator wants of the receiver, `strict` included.
    Exempt,
}

/// A destination's MTA-STS policy, within what the administrator makes of such policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DomainMtaSts {
    /// There is none, or one that says `mode: none`.
    Absent,
    /// Something is published, but it could not be had: it counts as none.
    Unknown,
    /// A policy is published, and it is for our own limits that it was not fetched: what depends on it waits.
    Awaited,
    /// `mode: testing`.
    Testing,
    /// `mode: enforce`.
    Enforce,
}

/// What the administrator wants for this destination: the part of the policy that the decision uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The mode for the rows D1 to D11.
    pub dane: DaneMode,
    /// What TLSA records count for after an insecure MX answer (D8).
    pub insecure_mx: InsecureMx,
    /// The floor where neither DANE nor MTA-STS applies.
    pub tls: TlsFloor,
    /// Whether the administrator has named the next hop, and not the recipient's address (D10).
    pub is_route: bool,
}

/// The destination, by the result of the MX look-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination<H = Host> {
    /// D1: an address literal.
    AddressLiteral(H),
    /// D2: the MX look-up failed.
    MxFailed(FailedLookup),
    /// D3: the domain takes no mail (RFC 7505).
    NullMx(Security),
    /// D4: the domain does not exist.
    NoSuchDomain {
        /// The status of that answer.
        security: Security,
        /// The name that does not exist, where the domain is an alias of another (RFC 6604 §3).
        missing: Option<Domain>,
    },
    /// D5: no MX records; the domain itself is the host.
    ImplicitMx {
        /// The status of the NODATA answer.
        security: Security,
        /// The domain itself.
        host: H,
    },
    /// D6 to D8: MX records.
    Mx {
        /// The status of the MX answer, aliases of the domain included.
        security: Security,
        /// The hosts in the order in which they are to be tried.
        hosts: Vec<H>,
    },
    /// D10: a configured host, without an MX look-up.
    Configured(H),
    /// D11: an address literal at which this relay listens.
    OwnAddress,
    /// D11: no host is left once this relay and all worse preferences are removed from the MX list.
    OwnMx {
        /// The status of the MX (or NODATA) answer.
        mx: Security,
        /// How securely the host was identified as this relay: by its name, or by its addresses.
        host: Security,
    },
}

/// One host that may receive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// What the administrator wants for this host: the H and T rows use it, the D rows use the destination's mode.
    pub policy: HostPolicy,
    /// What DNS says about it.
    pub findings: HostFindings,
    /// What the destination's MTA-STS policy says about it, if there is one.
    pub mta_sts: Option<MtaSts>,
}

/// What DNS says about a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostFindings {
    /// D1: the next hop itself is an address.
    AddressLiteral,
    /// D9: the MX record names an address.
    AddressName,
    /// A name.
    Named {
        /// Its addresses.
        addresses: Addresses,
        /// TLSA records at its base-domain candidates.
        tlsa: Tlsa,
    },
}

/// The addresses of a host (rows H1 to H6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Addresses {
    /// H1: neither address family gave an address, and at least one look-up failed.
    Unresolvable(FailedLookup),
    /// H2: there are no addresses.
    Absent(Security),
    /// D8a: all of them are addresses at which no stranger receives mail; decided as H2.
    Ignored(Security),
    /// H2: there are none of the family that is used here, but some of the other one, or nobody knows.
    OtherFamily,
    /// H3: insecure.
    Insecure,
    /// H5: insecure, but through an alias in a secure zone.
    SecureAlias,
    /// H4 and H6: secure.
    Secure,
}

/// The TLSA records of a host (rows T1 to T4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tlsa {
    /// Not looked up, because nothing depends on them.
    NotAsked,
    /// T1: the look-up at one of the candidates failed.
    LookupFailed(FailedLookup),
    /// T2: there are none, or only insecure ones.
    Absent,
    /// T3: there are secure ones, but none is usable.
    Unusable,
    /// T4: there are secure ones, and at least one is usable.
    Usable,
}

/// What an MTA-STS policy says about a host (RFC 8461 §4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MtaSts {
    /// `mode: testing`: only the report depends on it.
    Testing,
    /// `mode: enforce`, and the host matches one of the `mx` patterns.
    EnforceMatch,
    /// `mode: enforce`, and the host matches none of them.
    EnforceMismatch,
}

impl MessageTls {
    /// What remains of what a message with this tag asks for, under this policy. A waiver never concerns
    /// [`DaneMode::Strict`], nor a route with a login: a login goes only to a server that is authenticated, and that is the
    /// administrator's demand, not the receiver's.
    pub fn of(tag: TlsTag, sender: &ReversePath, policy: &DestinationPolicy) -> Self {
        let has_login = policy.route.as_ref().is_some_and(|route| route.login.is_some());
        match (tag, sender) {
            (TlsTag::Required, ReversePath::Null) => Self::RequiredOfReport,
            (TlsTag::Required, ReversePath::Mailbox(_)) => Self::Required,
            (TlsTag::NotRequired | TlsTag::OwnReport, _) if has_login => Self::Usual,
            (TlsTag::NotRequired, _) if policy.honor_tls_required_no && policy.dane != DaneMode::Strict => {
                Self::Waived
            }
            (TlsTag::OwnReport, _) => Self::Exempt,
            (TlsTag::NotRequired | TlsTag::Usual, _) => Self::Usual,
        }
    }

    /// Whether it may only go to servers that are authenticated.
    pub fn is_required(self) -> bool {
        match self {
            Self::Required | Self::RequiredOfReport => true,
            Self::Usual | Self::Waived | Self::Exempt => false,
        }
    }

    /// Whether what the receiver has published does not count.
    pub fn is_waived(self) -> bool {
        match self {
            Self::Waived | Self::Exempt => true,
            Self::Usual | Self::Required | Self::RequiredOfReport => false,
        }
    }

    /// The mode under which it is decided, where the policy says `mode`: `soft-fail` and `off` are not for messages that
    /// require TLS, and a waiver switches DANE off, but for `strict`; an exemption switches it off in any case.
    pub fn mode(self, mode: DaneMode) -> DaneMode {
        match self {
            Self::Usual => mode,
            Self::Required | Self::RequiredOfReport => mode.max(DaneMode::Opportunistic),
            Self::Waived if mode == DaneMode::Strict => mode,
            Self::Waived | Self::Exempt => DaneMode::Off,
        }
    }
}

impl<H> Destination<H> {
    /// Changes each of its hosts.
    pub fn each_host(&mut self, mut change: impl FnMut(&mut H)) {
        match self {
            Self::AddressLiteral(host) | Self::ImplicitMx { host, .. } | Self::Configured(host) => {
                change(host);
            }
            Self::Mx { hosts, .. } => hosts.iter_mut().for_each(change),
            Self::MxFailed(_)
            | Self::NullMx(_)
            | Self::NoSuchDomain { .. }
            | Self::OwnAddress
            | Self::OwnMx { .. } => {}
        }
    }

    /// The status of the MX (or NODATA) answer, where there was one.
    pub fn mx(&self) -> Option<Security> {
        match self {
            Self::NullMx(security)
            | Self::NoSuchDomain { security, .. }
            | Self::ImplicitMx { security, .. }
            | Self::Mx { security, .. }
            | Self::OwnMx { mx: security, .. } => Some(*security),
            Self::AddressLiteral(_) | Self::MxFailed(_) | Self::Configured(_) | Self::OwnAddress => None,
        }
    }
}

impl AsRef<Host> for Host {
    fn as_ref(&self) -> &Host {
        self
    }
}
