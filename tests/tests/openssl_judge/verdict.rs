//! Comparison of the two verdicts.
//!
//! Where both refuse, their reasons may differ, because a case can have several faults and each side stops at the first
//! that it meets.

use std::time::Duration;

use dane::{
    Match, MatchingType, ReferenceIdentifiers, Selector, TlsaRecord, TlsaSet, VerifyFailure, verify_chain,
};
use rustls::pki_types::UnixTime;

use crate::faults::Fault;
use crate::judge::{Answer, Judge, Question, Verdict};
use crate::scene::Case;

/// What this crate says.
#[derive(Clone, Debug)]
pub(crate) struct Ours {
    /// Number of records that can be used, with those that a stronger digest outranks.
    pub(crate) usable: usize,
    pub(crate) verdict: Result<Match, VerifyFailure>,
}

/// How the two compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Comparison {
    /// Both verify, by the same usage at the same place of the path.
    Verified { usage: u8, depth: usize },
    /// No record can be used, and neither verifies.
    NothingUsable,
    /// Both refuse: OpenSSL for the first reason, this crate for the second.
    Refused(Class, Class),
    /// Only OpenSSL verifies, or only OpenSSL considers a record unusable.
    Stricter(Stricter),
    /// OpenSSL went one way from the leaf and failed there; this crate found another. OpenSSL verifies it too when only
    /// the certificates of that way are sent.
    AnotherPath,
    /// Only this crate verifies: a certificate's last second is a second of its time (RFC 5280 §4.1.2.5).
    LastSecond,
}

/// Why this crate refuses what OpenSSL accepts; the reasons stand in docs/deviations.md. [`crate::stricter`] shows each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stricter {
    /// A leaf of X.509 version 1.
    Version1Leaf,
    /// A leaf marked as CA.
    LeafIsCa,
    /// Critical `certificatePolicies` below the anchor.
    CriticalPolicies,
    /// Names that are equal only after normalisation.
    NameSpelling,
    /// The dates of an anchor that is not self-issued.
    AnchorDates,
    /// A CN below name constraints.
    ConstrainedCommonName,
    /// An anchor without basic constraints, which its key usage would allow to sign certificates.
    NoBasicConstraints,
    /// Self-issued certificates count for the path length, too.
    PathLength,
    /// More certificates sent than are looked at.
    ManyCertificates,
    /// More intermediates than are followed.
    ManyIntermediates,
    /// An issuer's RSA key below 2048 bits.
    ShortKey,
    /// A server's key with which no handshake can be signed here.
    LeafKey,
    /// A CN in `BMPString` or `T61String`.
    CommonNameEncoding,
    /// Octets behind the last of the alternative names, within their extension.
    TrailingOctets,
    /// A bare RSA key whose algorithm has other parameters than NULL (RFC 3279 §2.3.1).
    KeyParameters,
    /// Malformed extensions of a certificate whose bare key is published, or of the leaf that it signed: OpenSSL does
    /// not look at them then; here they count as they do below any other anchor.
    MalformedUnderKey,
    /// Alternative names of which one is no text.
    NameIsNoText,
    /// `nsSGC` in place of `serverAuth`.
    SteppedUp,
    /// A wildcard that also stands for a name that is excluded.
    ExcludedByWildcard,
    /// Full(0) data that is built like a certificate or key, with nonsense in it: usable and matching nothing, so that
    /// the server is not authenticated, instead of unusable.
    NonsenseInFullData,
}

/// Reasons, as finely as the log distinguishes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    NoMatch,
    Name,
    Dates,
    Untrusted,
}

pub(crate) fn ours(question: &Question) -> Ours {
    let set = TlsaSet::new(question.records.clone());
    let (base, others) = question.names.split_first().unwrap();
    let references = others
        .iter()
        .try_fold(ReferenceIdentifiers::new(base).unwrap(), |all, name| {
            all.and(name)
        })
        .unwrap();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(question.at));
    Ours {
        usable: set.usable_count() + set.outranked().len(),
        verdict: verify_chain(&set, &question.chain, &references, now),
    }
}

/// Compares, and describes a result that must not occur.
pub(crate) fn compare(
    judge: &mut Judge,
    case: &Case,
    theirs: Answer,
    ours: &Ours,
) -> Result<Comparison, String> {
    let nonsense = theirs.usable < ours.usable;
    if nonsense && !full_data(&case.question, ours.usable - theirs.usable) || theirs.usable > ours.usable {
        return Err("the number of usable records differs".to_owned());
    }
    match (theirs.verdict, &ours.verdict) {
        (Verdict::NothingUsable, Err(_)) if nonsense => {
            Ok(Comparison::Stricter(Stricter::NonsenseInFullData))
        }
        (Verdict::NothingUsable, Err(_)) => Ok(Comparison::NothingUsable),
        (Verdict::NothingUsable, Ok(_)) => Err("LAXER: no record is usable".to_owned()),
        (Verdict::Verified { usage, depth }, Ok(found)) => {
            let here = Verdict::Verified {
                usage: found.record.usage.into(),
                depth: found.depth - bare_key(&case.question, found),
            };
            if here == theirs.verdict {
                Ok(Comparison::Verified { usage, depth })
            } else if with_less(judge, &case.question, |verdict| verdict == here) {
                Ok(Comparison::AnotherPath)
            } else {
                Err(format!("matched elsewhere: {found:?}"))
            }
        }
        (Verdict::Refused(code), Err(failure)) => Ok(Comparison::Refused(class_of(code), class(*failure))),
        (Verdict::Verified { depth, .. }, Err(failure)) => stricter(case, depth, *failure)
            .map(Comparison::Stricter)
            .ok_or_else(|| format!("stricter without a reason: {failure:?}")),
        (Verdict::Refused(code), Ok(_)) => {
            if with_less(judge, &case.question, |verdict| {
                matches!(verdict, Verdict::Verified { .. })
            }) {
                Ok(Comparison::AnotherPath)
            } else if a_second_before(judge, case) {
                Ok(Comparison::LastSecond)
            } else {
                Err(format!("LAXER: OpenSSL refuses with {code}"))
            }
        }
    }
}

/// Whether a certificate is in the last second of its time, and OpenSSL verifies one second before, on any path.
fn a_second_before(judge: &mut Judge, case: &Case) -> bool {
    let mut before = case.question.clone();
    before.at -= 1;
    let ends = case.faults.iter().any(|(_, fault)| *fault == Fault::ExpiresNow);
    let verified = |verdict| matches!(verdict, Verdict::Verified { .. });
    ends && with_less(judge, &before, verified)
}

/// Whether this many records can be unusable only because of what is inside their full data.
fn full_data(question: &Question, count: usize) -> bool {
    let full =
        |record: &&TlsaRecord| record.matching == MatchingType::Full && dane::usability(record).is_ok();
    question.records.iter().filter(full).count() >= count
}

/// 1 if a bare key was the anchor, else 0: OpenSSL gives the place of the certificate below it.
fn bare_key(question: &Question, found: &Match) -> usize {
    let record = &found.record;
    let mut issuers = question
        .chain
        .iter()
        .filter(|certificate| **certificate != question.chain[0]);
    let sent = issuers.any(|issuer| record.matches(issuer));
    let bare = record.selector == Selector::Spki && record.matching == MatchingType::Full && !sent;
    usize::from(bare && found.depth > 0)
}

/// Whether OpenSSL gives a verdict of this kind on some of the certificates, those that were sent and those in DNS.
/// Leaving out records with full data changes nothing about the digests that count.
fn with_less(judge: &mut Judge, question: &Question, wanted: impl Fn(Verdict) -> bool) -> bool {
    let issuers = &question.chain[1..];
    let in_dns =
        |record: &TlsaRecord| record.selector == Selector::Cert && record.matching == MatchingType::Full;
    let (full, others): (Vec<_>, Vec<_>) = question.records.iter().cloned().partition(in_dns);
    (0..1_u32 << (issuers.len() + full.len())).any(|chosen| {
        let mut less = question.clone();
        less.chain.truncate(1);
        less.chain.extend(subset(issuers, chosen));
        less.records.clone_from(&others);
        less.records.extend(subset(&full, chosen >> issuers.len()));
        wanted(judge.ask(&less).verdict)
    })
}

/// The items whose bits are set.
fn subset<T: Clone>(items: &[T], bits: u32) -> impl Iterator<Item = T> {
    let chosen = items
        .iter()
        .enumerate()
        .filter(move |(place, _)| bits >> place & 1 == 1);
    chosen.map(|(_, item)| item.clone())
}

/// The reason for a refusal where OpenSSL verified with an anchor at `depth`.
fn stricter(case: &Case, depth: usize, failure: VerifyFailure) -> Option<Stricter> {
    let has =
        |wanted: &dyn Fn(usize, Fault) -> bool| case.faults.iter().any(|(tier, fault)| wanted(*tier, *fault));
    let out_of_date = |fault| matches!(fault, Fault::Expired | Fault::JustExpired | Fault::NotYetValid);
    match failure {
        VerifyFailure::Expired | VerifyFailure::NotYetValid => {
            has(&|tier, fault| tier == depth && out_of_date(fault)).then_some(Stricter::AnchorDates)
        }
        VerifyFailure::NameMismatch => {
            has(&|_, fault| matches!(fault, Fault::Permits(_) | Fault::Excludes(_)))
                .then_some(Stricter::ConstrainedCommonName)
        }
        // The words are those of the last path that was tried.
        VerifyFailure::Untrusted(_) | VerifyFailure::NoMatch => [
            (
                Stricter::Version1Leaf,
                has(&|tier, fault| (tier, fault) == (0, Fault::Version1)),
            ),
            (
                Stricter::LeafIsCa,
                has(&|tier, fault| (tier, fault) == (0, Fault::Ca)),
            ),
            (
                Stricter::CriticalPolicies,
                has(&|_, fault| fault == Fault::CriticalPolicies),
            ),
            (
                Stricter::NameSpelling,
                has(&|_, fault| fault == Fault::IssuerSpelling),
            ),
            (
                Stricter::KeyParameters,
                case.question.records.iter().any(odd_parameters),
            ),
            (
                Stricter::MalformedUnderKey,
                has(&|tier, fault| {
                    tier >= depth && matches!(fault, Fault::MalformedIdentifier | Fault::UnknownNameKind)
                }),
            ),
            (
                Stricter::NoBasicConstraints,
                has(&|_, fault| fault == Fault::NoBasicConstraints),
            ),
            (
                Stricter::PathLength,
                has(&|_, fault| fault == Fault::SelfIssued)
                    && has(&|_, fault| matches!(fault, Fault::PathLength(_))),
            ),
        ]
        .into_iter()
        .find_map(|(reason, holds)| holds.then_some(reason)),
        VerifyFailure::BadCertificate | VerifyFailure::UnsupportedKey(_) => None,
    }
}

/// Whether the record has a bare RSA key without NULL behind the algorithm's OID.
fn odd_parameters(record: &TlsaRecord) -> bool {
    let bare = record.selector == Selector::Spki && record.matching == MatchingType::Full;
    let usual = [&RSA_ENCRYPTION[..], &[5, 0]].concat();
    let mut places = record.data.windows(usual.len());
    bare && places.any(|place| place.starts_with(&RSA_ENCRYPTION) && place != usual)
}

/// The OID of RSA keys, RFC 3279 §2.3.1.
const RSA_ENCRYPTION: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];

fn class(failure: VerifyFailure) -> Class {
    match failure {
        VerifyFailure::NoMatch | VerifyFailure::BadCertificate => Class::NoMatch,
        VerifyFailure::NameMismatch => Class::Name,
        VerifyFailure::Expired | VerifyFailure::NotYetValid => Class::Dates,
        VerifyFailure::Untrusted(_) | VerifyFailure::UnsupportedKey(_) => Class::Untrusted,
    }
}

fn class_of(code: u16) -> Class {
    match code {
        65 => Class::NoMatch,
        62 => Class::Name,
        9 | 10 => Class::Dates,
        _ => Class::Untrusted,
    }
}
