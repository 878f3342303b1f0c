//! Validation in this process, up to the trust anchors.
//!
//! The library checks signatures and the chain of keys ([`DnssecDnsHandle`]): it marks each record with what it found. It is given
//! only such keys as are proved to be their zone's ([`keyset`]). What follows from its marks is decided here:
//!
//! * an RRset is secure if every record of it is, and for a wildcard's if it is proved that nothing closer exists;
//! * an absence is secure if the secure denials of one zone prove it ([`denial`]);
//! * everything else is insecure only if the way from the trust anchor down to the name, walked cut by cut, proves an unsigned
//!   delegation ([`Validator::standing`]); otherwise it is bogus (RFC 4035 §4.3), or indeterminate where something on
//!   the way could not be fetched.

mod beneath;
mod denial;
pub mod fuzzing;
mod keyset;
mod nsec3;
mod prune;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hickory_net::dnssec::DnssecDnsHandle;
use hickory_net::xfer::{DnsHandle, FirstAnswer};
use hickory_net::{DnsError, NetError};
use hickory_proto::dnssec::rdata::{DNSSECRData, DS};
use hickory_proto::dnssec::{Proof, TrustAnchors as LibraryAnchors};
use hickory_proto::op::{DnsRequestOptions, Message, Query};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};
use mail::{LookupFailure, Security};
use tokio::time::Instant;

use crate::algorithm;
use crate::anchor::AnchorKey;
use crate::hop::{Finding, Hop, at_owner, read};
use crate::subtrees::Subtrees;
use crate::upstream::Upstream;
use crate::{NoAnswer, TrustAnchors};
use beneath::{Beneath, bounded, out_of_library};
use denial::{Cut, Evidence, Verdict, signature};
pub(crate) use keyset::is_named;

/// How long the keys behind DS anchors are used before they are matched anew: a new key of the set is taken up within this time.
const KEYS_LIFE: Duration = Duration::from_hours(1);
/// How long a good signature is not checked again. Its own end may come in that time, and must be seen (RFC 4035 §5.3.1).
const SIGNATURE_LIFE: Duration = Duration::from_secs(10);
/// The most verdicts on signatures that the library keeps: with its question each takes a few hundred octets.
const SIGNATURES: usize = 4096;

type Library = DnssecDnsHandle<Beneath>;

/// A validating resolver behind any upstream that passes DNSSEC records on.
pub(crate) struct Validator {
    beneath: Beneath,
    library: Mutex<Option<(Instant, Library)>>,
}

/// Where a name stands in the tree of signed zones.
#[derive(Debug, PartialEq, Eq)]
enum Standing {
    /// Below a proven unsigned delegation, or below no trust anchor at all.
    Unsigned,
    /// In this signed zone.
    Signed(Name),
}

/// What stands between a zone and a name below it.
enum Step {
    Signed,
    Unsigned,
    NoCut,
    /// The name does not exist in the zone, so nothing below it does (RFC 8020).
    NoName,
}

/// What a message proves by itself.
#[derive(Debug, PartialEq, Eq)]
enum Proven {
    Status(Security),
    /// Denied with too many NSEC3 iterations by this zone.
    TooCostly(Name),
    Nothing,
}

impl Validator {
    /// At most so many octets of keys and delegations are kept.
    pub(crate) fn new(upstream: Arc<Upstream>, anchors: TrustAnchors, octets: usize) -> Self {
        Self {
            beneath: Beneath::new(upstream, anchors, octets),
            library: Mutex::default(),
        }
    }

    /// What stands at a name, validated.
    pub(crate) async fn hop(&self, name: &Name, record_type: RecordType) -> Result<Hop, NoAnswer> {
        let start = Instant::now();
        let result = self.judge(&Query::query(name.clone(), record_type)).await;
        if !result.as_ref().is_err_and(|failure| failure.cause.is_bogus()) {
            return result;
        }
        self.beneath.forget_way_to(name);
        // RFC 4035 §4.3: without what is needed to decide, the answer is undecided, not wrong.
        match self.beneath.failed_on_the_way(name, start) {
            Some(missing) => Err(missing.called(LookupFailure::Indeterminate)),
            None => result,
        }
    }

    /// What stands at a name below a negative trust anchor (RFC 7646): no signature is looked at.
    pub(crate) async fn unvalidated(&self, name: &Name, record_type: RecordType) -> Result<Hop, NoAnswer> {
        let question = Query::query(name.clone(), record_type);
        let (finding, ttl) = read(&*self.beneath.ask(&question).await?, &question)?;
        Ok(Hop {
            security: Security::Insecure,
            finding,
            ttl,
        })
    }

    /// The key on the way for which a look-up that ran out of time was waiting, if it was for one.
    pub(crate) fn overdue(&self, name: &Name, start: Instant) -> Option<NoAnswer> {
        let missing = self.beneath.failed_on_the_way(name, start)?;
        Some(missing.called(LookupFailure::Indeterminate))
    }

    pub(crate) fn anchors(&self) -> &TrustAnchors {
        self.beneath.anchors()
    }

    /// Whether a name is below a trust anchor.
    pub(crate) fn reaches(&self, name: &Name) -> bool {
        self.anchors().zone_above(name).is_some()
    }

    pub(crate) fn flush(&self, trees: &Subtrees) {
        self.beneath.flush(trees);
        // Verdicts on signatures go with the keys that they were made with.
        *self.library.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    async fn judge(&self, question: &Query) -> Result<Hop, NoAnswer> {
        let message = self.ask(question).await?;
        let (finding, ttl) = read(&message, question)?;
        let security = match proven(&message, question, &finding) {
            Proven::Status(security) => security,
            Proven::TooCostly(zone) => match self.standing(question.name()).await? {
                Standing::Signed(apex) if apex != zone => return Err(LookupFailure::Bogus.into()),
                Standing::Signed(_) | Standing::Unsigned => Security::Insecure,
            },
            Proven::Nothing => match self.standing(question.name()).await? {
                Standing::Signed(_) => return Err(LookupFailure::Bogus.into()),
                // Keys without a proof did not come as far as here.
                Standing::Unsigned if question.query_type() == RecordType::DNSKEY => {
                    return self.unvalidated(question.name(), RecordType::DNSKEY).await;
                }
                Standing::Unsigned => Security::Insecure,
            },
        };
        Ok(Hop {
            security,
            finding,
            ttl,
        })
    }

    /// Walks from the trust anchor down to a name. Each cut is proved by the zone above it, and only by that.
    async fn standing(&self, name: &Name) -> Result<Standing, NoAnswer> {
        // RFC 4033 §5: without an anchor above it a name is neither secure nor bogus.
        let Some(anchored) = self.anchors().zone_above(name) else {
            return Ok(Standing::Unsigned);
        };
        let mut apex = anchored.clone();
        for labels in anchored.iter().count() + 1..=name.iter().count() {
            let below = name.trim_to(labels);
            let step = self.step(&apex, &below).await.map_err(|failure| {
                if failure.cause.is_bogus() {
                    failure
                } else {
                    failure.called(LookupFailure::Indeterminate)
                }
            })?;
            match step {
                Step::Signed => apex = below,
                Step::Unsigned => return Ok(Standing::Unsigned),
                Step::NoCut => {}
                Step::NoName => break,
            }
        }
        Ok(Standing::Signed(apex))
    }

    async fn step(&self, apex: &Name, below: &Name) -> Result<Step, NoAnswer> {
        let question = Query::query(below.clone(), RecordType::DS);
        let message = self.ask(&question).await?;
        let delegation = at_owner(&message, below, RecordType::DS);
        if !delegation.is_empty() {
            if !all_secure(&delegation) {
                return Err(LookupFailure::Bogus.into());
            }
            // RFC 4035 §5.2, RFC 6840 §5.2: a delegation that only uses what we do not know is an unsigned one.
            let known = delegation.iter().any(|record| is_supported(record));
            return Ok(if known { Step::Signed } else { Step::Unsigned });
        }
        if message
            .answers
            .iter()
            .any(|record| record.proof == Proof::Secure && is_alias(record))
        {
            // An alias stands alone, so there is no delegation (RFC 2181 §10.1, RFC 6672 §2.4).
            return Ok(Step::NoCut);
        }
        let evidence = Evidence::collect(&message, below, Some(apex));
        match evidence.map_or(Verdict::Unproven, |evidence| evidence.about(&question)) {
            Verdict::NoType(Cut::UnsignedDelegation) | Verdict::OptOut | Verdict::TooManyIterations => {
                Ok(Step::Unsigned)
            }
            Verdict::NoType(Cut::None) => Ok(Step::NoCut),
            Verdict::NoName => Ok(Step::NoName),
            Verdict::Unproven => Err(LookupFailure::Bogus.into()),
        }
    }

    /// One question through the library. Its opinion on denials is not used, its marks on the records are.
    async fn ask(&self, question: &Query) -> Result<Message, NoAnswer> {
        let library = self.library().await?;
        let mut options = DnsRequestOptions::default();
        options.use_edns = true;
        let task = async { library.lookup(question.clone(), options).first_answer().await };
        match bounded(task).await {
            Ok(response) => Ok(response.into_message()),
            Err(NetError::Dns(DnsError::Nsec { response, .. })) => Ok(response.into_message()),
            Err(error) => Err(out_of_library(&error)),
        }
    }

    async fn library(&self) -> Result<Library, NoAnswer> {
        if let Some((made, library)) = &*self.library.lock().unwrap_or_else(PoisonError::into_inner)
            && made.elapsed() < KEYS_LIFE
        {
            return Ok(library.clone());
        }
        let keys = self.anchored_keys().await?;
        let library = DnssecDnsHandle::with_trust_anchor(self.beneath.clone(), Arc::new(keys))
            .nsec3_iteration_limits(Some(nsec3::ITERATIONS_INSECURE), Some(nsec3::ITERATIONS_BOGUS))
            // What failed may be mended the next moment; how long a failure is kept is ours to say.
            .negative_validation_ttl(Duration::ZERO..=Duration::ZERO)
            .positive_validation_ttl(Duration::ZERO..=SIGNATURE_LIFE)
            .validation_cache_size(SIGNATURES);
        let mut kept = self.library.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = Some((Instant::now(), library.clone()));
        Ok(library)
    }

    /// The keys of the trust anchors. Those known by their digest only are fetched, and matched with it.
    async fn anchored_keys(&self) -> Result<LibraryAnchors, NoAnswer> {
        let mut keys = LibraryAnchors::empty();
        let (mut found, mut unfetched) = (false, false);
        for anchor in self.anchors().iter() {
            match &anchor.key {
                AnchorKey::Dnskey(key) => {
                    found |= keys.insert_with_name(key.public_key(), (&anchor.zone).into());
                }
                AnchorKey::Ds(ds) => {
                    let question = Query::query(anchor.zone.clone(), RecordType::DNSKEY);
                    let Ok(message) = self.beneath.fetch(&question).await else {
                        unfetched = true;
                        continue;
                    };
                    for record in at_owner(&message, &anchor.zone, RecordType::DNSKEY) {
                        found |= insert_matching(&mut keys, &anchor.zone, ds, &record.data);
                    }
                }
            }
        }
        match (found, unfetched) {
            (true, _) => Ok(keys),
            (false, true) => Err(LookupFailure::Indeterminate.into()),
            (false, false) => {
                for anchor in self.anchors().iter() {
                    self.beneath.forget_way_to(&anchor.zone);
                }
                Err(LookupFailure::Bogus.into())
            }
        }
    }
}

fn insert_matching(keys: &mut LibraryAnchors, zone: &Name, ds: &DS, data: &RData) -> bool {
    let RData::DNSSEC(DNSSECRData::DNSKEY(key)) = data else {
        return false;
    };
    let matches = is_named(key, zone, &[ds]);
    if matches {
        // False where another anchor brought the same key already.
        let _ = keys.insert_with_name(key.public_key(), zone.into());
    }
    matches
}

fn proven(message: &Message, question: &Query, finding: &Finding) -> Proven {
    match finding {
        Finding::Records(_) => rrset(message, question.name(), question.query_type()),
        Finding::Alias(target) if by_dname(message, question.name(), target) => {
            Proven::Status(Security::Secure)
        }
        Finding::Alias(_) => rrset(message, question.name(), RecordType::CNAME),
        Finding::NoData => absence(message, question, |verdict| matches!(verdict, Verdict::NoType(_))),
        Finding::NxDomain => absence(message, question, |verdict| verdict == Verdict::NoName),
    }
}

/// `fits`: whether the verdict says the same as the RCODE. A server that gives NXDOMAIN for a name that exists is wrong
/// (RFC 8020 §3.1), and not to be believed.
fn absence(message: &Message, question: &Query, fits: impl Fn(Verdict) -> bool) -> Proven {
    let Some(evidence) = Evidence::collect(message, question.name(), None) else {
        return Proven::Nothing;
    };
    match evidence.about(question) {
        verdict if fits(verdict) => Proven::Status(Security::Secure),
        // RFC 5155 §9.2: under opt-out an absence is not authenticated.
        Verdict::OptOut => Proven::Status(Security::Insecure),
        Verdict::TooManyIterations => Proven::TooCostly(evidence.signer),
        Verdict::NoName | Verdict::NoType(_) | Verdict::Unproven => Proven::Nothing,
    }
}

fn rrset(message: &Message, name: &Name, record_type: RecordType) -> Proven {
    let records = at_owner(message, name, record_type);
    let Some(rrsig) = records
        .first()
        .and_then(|record| signature(&message.answers, record))
    else {
        return Proven::Nothing;
    };
    let (labels, signer) = (rrsig.input().num_labels, &rrsig.input().signer_name);
    if !all_secure(&records) {
        return Proven::Nothing;
    }
    if labels >= name.num_labels() {
        return Proven::Status(Security::Secure);
    }
    // Fewer labels under the signature than in the name: expanded from a wildcard (RFC 4035 §5.3.4).
    let evidence = Evidence::collect(message, name, Some(signer));
    evidence
        .and_then(|evidence| evidence.expansion(name, labels))
        .map_or(Proven::Nothing, Proven::Status)
}

/// Whether an alias follows from a secure DNAME, by which it then counts as signed (RFC 4035 §4.8, RFC 6672 §5.3.1).
fn by_dname(message: &Message, name: &Name, target: &Name) -> bool {
    let redirects = message
        .answers
        .iter()
        .filter(|record| record.record_type() == RecordType::DNAME);
    redirects
        .filter(|record| record.proof == Proof::Secure && record.name != *name)
        .any(|record| {
            let RData::Unknown { rdata, .. } = &record.data else {
                return false;
            };
            let Ok(to) = Name::read(&mut BinDecoder::new(&rdata.anything)) else {
                return false;
            };
            let kept = name.iter().count().saturating_sub(record.name.iter().count());
            let prefix = Name::from_labels(name.iter().take(kept));
            let expanded = signature(&message.answers, record)
                .is_some_and(|rrsig| rrsig.input().num_labels < record.name.num_labels());
            !expanded
                && record.name.zone_of(name)
                && prefix
                    .and_then(|prefix| prefix.append_domain(&to))
                    .is_ok_and(|derived| derived == *target)
        })
}

fn all_secure(records: &[&Record]) -> bool {
    records.iter().all(|record| record.proof == Proof::Secure)
}

fn is_alias(record: &Record) -> bool {
    matches!(record.record_type(), RecordType::CNAME | RecordType::DNAME)
}

fn is_supported(record: &Record) -> bool {
    match &record.data {
        RData::DNSSEC(DNSSECRData::DS(ds)) => {
            algorithm::counts(ds.algorithm()) && ds.digest_type().is_supported()
        }
        _ => false,
    }
}
