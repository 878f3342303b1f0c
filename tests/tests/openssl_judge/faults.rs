//! What can be wrong with a certificate, or merely unusual.

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    KeyUsagePurpose, NameConstraints, SanType, date_time_ymd,
};

use crate::chance::Chance;
use crate::factory::{Draft, named};

/// 2026-09-21, within the validity of every certificate without a fault.
pub(crate) const NOW: u64 = 1_790_000_000;
/// The TLSA base domain of most cases.
pub(crate) const HOST: &str = "mx1.example.com";

/// One deviation from an ordinary certificate. Some are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Expired,
    /// By one second.
    JustExpired,
    /// Now, in the last second of its time.
    ExpiresNow,
    /// In one second.
    ExpiresSoon,
    NotYetValid,
    /// An explicit CA:FALSE.
    NotCa,
    NoBasicConstraints,
    /// CA:TRUE, on the leaf too.
    Ca,
    PathLength(u8),
    NoKeyUsage,
    KeyUsage(KeyUsagePurpose),
    ForClients,
    ForServers,
    /// `nsCertType` with these bits, the first of which is the highest.
    NetscapeType(u8),
    /// The host's name stands in the CN, and beside the DNS names is one of a kind that does not exist.
    UnknownNameKind,
    /// An `authorityKeyIdentifier` that is none.
    MalformedIdentifier,
    UnknownCritical,
    UnknownUncritical,
    CriticalPolicies,
    Version1,
    Permits(&'static str),
    Excludes(&'static str),
    /// Signed by a key that is not the issuer's.
    Forged,
    /// The issuer's name in capitals.
    IssuerSpelling,
    /// An intermediate with the name of its issuer.
    SelfIssued,
}

use Fault::{
    Ca, CriticalPolicies, Excludes, Expired, ExpiresNow, ExpiresSoon, ForClients, ForServers, Forged,
    IssuerSpelling, JustExpired, KeyUsage, MalformedIdentifier, NetscapeType, NoBasicConstraints, NoKeyUsage,
    NotCa, NotYetValid, PathLength, Permits, SelfIssued, UnknownCritical, UnknownNameKind, UnknownUncritical,
    Version1,
};

const NETSCAPE_CLIENT: u8 = 0x80;
const NETSCAPE_SERVER: u8 = 0x40;

const ON_LEAVES: [(usize, Fault); 22] = [
    (10, Expired),
    (3, JustExpired),
    (3, ExpiresNow),
    (3, ExpiresSoon),
    (8, NotYetValid),
    (3, NotCa),
    (6, Ca),
    (4, KeyUsage(KeyUsagePurpose::DigitalSignature)),
    (3, KeyUsage(KeyUsagePurpose::KeyEncipherment)),
    (4, KeyUsage(KeyUsagePurpose::DataEncipherment)),
    (8, ForClients),
    (4, ForServers),
    (4, NetscapeType(NETSCAPE_CLIENT)),
    (2, NetscapeType(NETSCAPE_SERVER)),
    (5, UnknownNameKind),
    (4, MalformedIdentifier),
    (8, UnknownCritical),
    (2, UnknownUncritical),
    (3, CriticalPolicies),
    (4, Version1),
    (8, Forged),
    (3, IssuerSpelling),
];

const ON_ISSUERS: [(usize, Fault); 28] = [
    (10, Expired),
    (3, JustExpired),
    (3, ExpiresNow),
    (3, ExpiresSoon),
    (8, NotYetValid),
    (6, NotCa),
    (4, NoBasicConstraints),
    (10, PathLength(0)),
    (4, PathLength(1)),
    (2, PathLength(2)),
    (4, NoKeyUsage),
    (6, KeyUsage(KeyUsagePurpose::CrlSign)),
    (3, KeyUsage(KeyUsagePurpose::DigitalSignature)),
    (2, KeyUsage(KeyUsagePurpose::KeyCertSign)),
    (7, ForClients),
    (4, ForServers),
    (2, NetscapeType(NETSCAPE_CLIENT)),
    (4, MalformedIdentifier),
    (7, UnknownCritical),
    (2, UnknownUncritical),
    (4, CriticalPolicies),
    (5, Version1),
    (3, Permits("example.com")),
    (3, Permits("example.org")),
    (3, Excludes("example.com")),
    (8, Forged),
    (3, IssuerSpelling),
    (7, SelfIssued),
];

impl Fault {
    /// A fault for the certificate of a tier; tier 0 is the leaf.
    pub(crate) fn any(chance: &mut Chance, tier: usize) -> Self {
        if tier == 0 {
            chance.weighted(&ON_LEAVES)
        } else {
            chance.weighted(&ON_ISSUERS)
        }
    }

    /// Writes into the draft what an extension or a date can say; the rest concerns the whole or its issuing.
    pub(crate) fn apply(self, mut draft: Draft) -> Draft {
        let params = &mut draft.params;
        match self {
            Expired => params.not_after = date_time_ymd(2020, 1, 1),
            JustExpired => params.not_after = date_time_ymd(1970, 1, 1) + Duration::from_secs(NOW - 1),
            ExpiresNow => params.not_after = date_time_ymd(1970, 1, 1) + Duration::from_secs(NOW),
            ExpiresSoon => params.not_after = date_time_ymd(1970, 1, 1) + Duration::from_secs(NOW + 1),
            NotYetValid => params.not_before = date_time_ymd(2090, 1, 1),
            NotCa => params.is_ca = IsCa::ExplicitNoCa,
            NoBasicConstraints => params.is_ca = IsCa::NoCa,
            Ca => params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained),
            PathLength(most) => params.is_ca = IsCa::Ca(BasicConstraints::Constrained(most)),
            NoKeyUsage => params.key_usages = Vec::new(),
            KeyUsage(purpose) => params.key_usages = vec![purpose],
            ForClients => params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth],
            ForServers => params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth],
            NetscapeType(bits) => params.custom_extensions.push(netscape_type(bits)),
            UnknownNameKind => name_of_unknown_kind(params),
            MalformedIdentifier => malformed_identifier(params),
            UnknownCritical => params.custom_extensions.push(unknown_extension(true)),
            UnknownUncritical => params.custom_extensions.push(unknown_extension(false)),
            CriticalPolicies => params.custom_extensions.push(critical_policies()),
            Permits(name) => params.name_constraints = Some(constraints(&[name], &[])),
            Excludes(name) => params.name_constraints = Some(constraints(&[], &[name])),
            Version1 | Forged | IssuerSpelling | SelfIssued => {}
        }
        draft
    }
}

fn unknown_extension(critical: bool) -> CustomExtension {
    let mut extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999, 1], vec![5, 0]);
    extension.set_criticality(critical);
    extension
}

fn netscape_type(bits: u8) -> CustomExtension {
    CustomExtension::from_oid_content(&[2, 16, 840, 1, 113_730, 1, 1], vec![3, 2, 0, bits])
}

/// The context tag is 12; a `GeneralName` has no more than 8 (RFC 5280 §4.2.1.6).
fn name_of_unknown_kind(params: &mut CertificateParams) {
    let element =
        |tag: u8, contents: &[u8]| [&[tag, u8::try_from(contents.len()).unwrap()], contents].concat();
    let mut names = element(0x8c, HOST.as_bytes());
    for name in params.subject_alt_names.drain(..) {
        if let SanType::DnsName(name) = name {
            names.extend(element(0x82, name.as_str().as_bytes()));
        }
    }
    let extension = CustomExtension::from_oid_content(&[2, 5, 29, 17], element(0x30, &names));
    params.custom_extensions.push(extension);
    params.distinguished_name = named(HOST);
}

fn malformed_identifier(params: &mut CertificateParams) {
    params.use_authority_key_identifier_extension = false;
    let extension = CustomExtension::from_oid_content(&[2, 5, 29, 35], vec![4, 0]);
    params.custom_extensions.push(extension);
}

/// `certificatePolicies` with the one policy anyPolicy (RFC 5280 §4.2.1.4).
fn critical_policies() -> CustomExtension {
    let any_policy = vec![0x30, 8, 0x30, 6, 6, 4, 0x55, 0x1d, 0x20, 0];
    let mut extension = CustomExtension::from_oid_content(&[2, 5, 29, 32], any_policy);
    extension.set_criticality(true);
    extension
}

fn constraints(permitted: &[&str], excluded: &[&str]) -> NameConstraints {
    let subtrees = |names: &[&str]| {
        names
            .iter()
            .map(|name| GeneralSubtree::DnsName((*name).to_owned()))
            .collect()
    };
    NameConstraints {
        permitted_subtrees: subtrees(permitted),
        excluded_subtrees: subtrees(excluded),
    }
}
