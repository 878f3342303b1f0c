//! The resolver: aliases followed hop by hop, answers kept for their time, one deadline around everything.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::Query;
use hickory_proto::rr::{Name, RData, RecordType};
use mail::{Domain, LookupFailure, Security};
use thiserror::Error;
use tokio::time::{Instant, timeout_at};

use crate::cache::TimedCache;
use crate::flight::Flights;
use crate::hop::{Finding, Hop};
use crate::record::{absolute, to_address, to_alias, to_domain, to_mx, to_name, to_tlsa};
use crate::trusting::Trusting;
use crate::upstream::{Asking, Upstream};
use crate::validate::Validator;
use crate::{Alias, Answer, Data, Lookup, Mode, MxRecord, ResolverConfig, ResolverError};

/// More aliases than this in a row are taken for a loop (RFC 7672 §2.1.3 asks for a limit and names none).
const MAX_ALIASES: usize = 12;
/// How long a failed look-up is not made again (RFC 2308 §7.1 allows five minutes; a mended zone shall be seen at once).
const FAILURE_LIFE: Duration = Duration::from_secs(5);
/// The longest that an answer is kept, however long its TTL.
const ANSWER_LIFE: Duration = Duration::from_hours(24);

/// Looks things up, each with its DNSSEC status. Clones share everything.
#[derive(Clone)]
pub struct Resolver(Arc<Inner>);

struct Inner {
    upstream: Arc<Upstream>,
    source: Source,
    answers: TimedCache<(Name, RecordType), Lookup<RData>>,
    under_way: Flights<(Name, RecordType), Lookup<RData>>,
    insecure: Vec<Name>,
    timeout: Duration,
}

enum Source {
    Validate(Validator),
    TrustAd(Trusting),
}

/// A question that cannot be asked: the user's mistake.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum QuestionError {
    /// Not a domain name.
    #[error("`{0}` is no domain name")]
    Name(String),
    /// Not a record type.
    #[error("`{0}` is no record type")]
    Type(String),
}

impl Resolver {
    /// Makes no query yet.
    pub fn new(config: ResolverConfig) -> Result<Self, ResolverError> {
        config.check()?;
        let upstream = Arc::new(Upstream::new(config.servers, config.timeout));
        let source = match config.mode {
            Mode::Validate => Source::Validate(Validator::new(
                Arc::clone(&upstream),
                config.trust_anchors,
                config.cache_entries,
            )),
            Mode::TrustAd => Source::TrustAd(Trusting::new(Arc::clone(&upstream))),
        };
        let insecure = config
            .domain_insecure
            .iter()
            .filter_map(|domain| to_name(domain).ok())
            .collect();
        let answers = TimedCache::new(config.cache_entries);
        Ok(Self(Arc::new(Inner {
            upstream,
            source,
            answers,
            under_way: Flights::new(),
            insecure,
            timeout: config.timeout,
        })))
    }

    /// MX records, in the order received.
    pub async fn mx(&self, domain: &Domain) -> Lookup<MxRecord> {
        self.lookup(&to_name(domain)?, RecordType::MX)
            .await?
            .try_map(to_mx)
    }

    /// IPv4 addresses.
    pub async fn a(&self, host: &Domain) -> Lookup<IpAddr> {
        self.lookup(&to_name(host)?, RecordType::A)
            .await?
            .try_map(|data| to_address(&data))
    }

    /// IPv6 addresses.
    pub async fn aaaa(&self, host: &Domain) -> Lookup<IpAddr> {
        self.lookup(&to_name(host)?, RecordType::AAAA)
            .await?
            .try_map(|data| to_address(&data))
    }

    /// The alias at a name, not followed.
    pub async fn cname(&self, name: &Domain) -> Lookup<Domain> {
        self.lookup(&to_name(name)?, RecordType::CNAME)
            .await?
            .try_map(to_alias)
    }

    /// TLSA records for a port of a base domain, at `_<port>._tcp.<base>` (RFC 6698 §3).
    pub async fn tlsa(&self, port: u16, base: &Domain) -> Lookup<dane::TlsaRecord> {
        let Some(owner) = absolute(&format!("_{port}._tcp.{base}")) else {
            // Longer than any name can be: nothing can be published there.
            let (security, data) = (Security::Secure, Data::NxDomain);
            return Ok(Answer {
                security,
                data,
                aliases: Vec::new(),
                ttl: u32::MAX,
            });
        };
        self.lookup(&owner, RecordType::TLSA).await?.try_map(to_tlsa)
    }

    /// Any type at any name, the root (`.`) included, with the records in their presentation form.
    pub async fn text(&self, name: &str, record_type: &str) -> Result<Lookup<String>, QuestionError> {
        let owner = match Domain::parse(name) {
            Ok(domain) => absolute(domain.as_str()),
            Err(_) => absolute(name),
        };
        let owner = owner.ok_or_else(|| QuestionError::Name(name.to_owned()))?;
        let wanted: RecordType = record_type
            .to_ascii_uppercase()
            .parse()
            .map_err(|_| QuestionError::Type(record_type.to_owned()))?;
        let answer = self.lookup(&owner, wanted).await;
        Ok(answer.and_then(|answer| answer.try_map(|data| Ok(data.to_string()))))
    }

    /// Forgets all answers about a name and the names below it, and the keys on the way to it.
    pub fn flush(&self, name: &Domain) {
        let Ok(name) = to_name(name) else { return };
        self.0.answers.retain(|(owner, _)| !name.zone_of(owner));
        match &self.0.source {
            Source::Validate(validator) => validator.flush(&name),
            Source::TrustAd(_) => {}
        }
    }

    /// The SOA at a name, or at the root, past the cache: for the self-test.
    pub(crate) async fn fresh_soa(&self, name: Option<&Domain>) -> Lookup<String> {
        let name = name.map_or(Ok(Name::root()), to_name)?;
        let answer = self.0.ask(&(name, RecordType::SOA)).await?;
        answer.try_map(|data| Ok(data.to_string()))
    }

    /// Whether the servers pass the root's signatures on.
    pub(crate) async fn signatures_arrive(&self) -> Result<bool, LookupFailure> {
        let question = Query::query(Name::root(), RecordType::DNSKEY);
        let message = self.0.upstream.exchange(&question, Asking::Unchecked).await?;
        Ok(message
            .answers
            .iter()
            .any(|record| record.record_type() == RecordType::RRSIG))
    }

    async fn lookup(&self, name: &Name, record_type: RecordType) -> Lookup<RData> {
        let key = (name.clone(), record_type);
        if let Some((mut known, rest)) = self.0.answers.get(&key) {
            if let Ok(answer) = &mut known {
                answer.ttl = u32::try_from(rest.as_secs()).unwrap_or(u32::MAX);
            }
            return known;
        }
        let inner = &self.0;
        inner.under_way.share(&key, || inner.ask(&key)).await
    }
}

impl Inner {
    async fn ask(&self, key: &(Name, RecordType)) -> Lookup<RData> {
        let result = self.follow(&key.0, key.1).await;
        let life = match &result {
            Ok(answer) => Duration::from_secs(answer.ttl.into()).min(ANSWER_LIFE),
            Err(_) => FAILURE_LIFE,
        };
        self.answers.insert(key.clone(), result.clone(), life);
        result
    }

    /// Follows aliases to the end. Each hop is looked up by itself, so each has its own status.
    async fn follow(&self, name: &Name, record_type: RecordType) -> Lookup<RData> {
        let (start, mut here) = (Instant::now(), name.clone());
        let (mut security, mut ttl, mut aliases) = (Security::Secure, u32::MAX, Vec::<Alias>::new());
        while aliases.len() <= MAX_ALIASES {
            let hop = match timeout_at(start + self.timeout, self.hop(&here, record_type)).await {
                Ok(hop) => hop?,
                Err(_) => return Err(self.overdue(&here, start)),
            };
            security = security.and(hop.security);
            ttl = ttl.min(hop.ttl);
            let data = match hop.finding {
                Finding::Alias(target) => {
                    aliases.push(Alias {
                        from: to_domain(&here)?,
                        to: to_domain(&target)?,
                        security: hop.security,
                    });
                    here = target.to_lowercase();
                    continue;
                }
                Finding::Records(records) => Data::Records(records),
                Finding::NoData => Data::NoData,
                Finding::NxDomain => Data::NxDomain,
            };
            return Ok(Answer {
                security,
                data,
                aliases,
                ttl,
            });
        }
        Err(LookupFailure::AliasLoop)
    }

    async fn hop(&self, name: &Name, record_type: RecordType) -> Result<Hop, LookupFailure> {
        if is_onion(name) {
            return Ok(Hop {
                security: Security::Insecure,
                finding: Finding::NxDomain,
                ttl: u32::MAX,
            });
        }
        match &self.source {
            Source::Validate(validator) if self.insecure.iter().any(|zone| zone.zone_of(name)) => {
                validator.unvalidated(name, record_type).await
            }
            Source::Validate(validator) => validator.hop(name, record_type).await,
            Source::TrustAd(trusting) => trusting.hop(name, record_type).await,
        }
    }

    fn overdue(&self, name: &Name, start: Instant) -> LookupFailure {
        match &self.source {
            Source::Validate(validator) => validator.overdue(name, start),
            Source::TrustAd(_) => LookupFailure::Timeout,
        }
    }
}

/// RFC 7686 §2: these names are not DNS names and must not be asked about.
fn is_onion(name: &Name) -> bool {
    name.iter()
        .next_back()
        .is_some_and(|label| label.eq_ignore_ascii_case(b"onion"))
}
