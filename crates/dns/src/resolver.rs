//! The questions that can be asked, and what can be changed about the resolver while it runs.

use std::net::IpAddr;
use std::sync::Arc;

use hickory_proto::dnssec::Algorithm;
use hickory_proto::rr::{Name, RData, RecordType};
use mail::{Domain, Security};

use crate::algorithm;
use crate::asked::{self, Asked, Found, TlsaFound};
use crate::belief::Expected;
use crate::budget::{Cost, Walk};
use crate::fault::Fault;
use crate::lookups::Lookups;
use crate::presentation::presented;
use crate::question::{QuestionError, to_type};
use crate::record::{absolute, to_domain, to_name, to_names};
use crate::trusting::Trusting;
use crate::{
    Lookup, LookupCounts, Mode, MxRecord, NoAnswer, ResolverConfig, ResolverError, Server, TrustAnchors,
};

/// Looks things up, each with its DNSSEC status. Clones share everything.
///
/// With [`Mode::TrustAd`] each server is believed only for what it has shown itself. Before it is asked anything, and after
/// each answer that comes without AD, it must set AD on the signed root; otherwise answers without AD could not be told from
/// insecure ones. If no server shows that, every look-up fails as [`Indeterminate`](mail::LookupFailure::Indeterminate), and
/// so does a look-up at a server in which a [self-test](crate::self_test) found a fault: mail waits and is not sent
/// unprotected.
///
/// There may be no servers, for example while the system does not name any yet: then all look-ups fail until
/// [`Self::set_servers`] names some.
///
/// The cost of each look-up is limited. Look-ups that belong together, because they are for one destination, should be made
/// with one [`Self::for_one_destination`]: then a common limit applies as well.
#[derive(Clone)]
pub struct Resolver {
    lookups: Arc<Lookups>,
    /// `None` if each look-up stands alone.
    walk: Option<Walk>,
}

impl Resolver {
    /// Makes no query yet.
    pub fn new(config: ResolverConfig) -> Result<Self, ResolverError> {
        config.check()?;
        Ok(Self {
            lookups: Arc::new(Lookups::new(config)),
            walk: None,
        })
    }

    /// The same resolver for all look-ups for one destination: its MX records, and the addresses and TLSA records of each
    /// host. However its zones are set up, no more is asked and checked for all of them than is reasonable for one
    /// destination; what exceeds that fails as [`Indeterminate`](mail::LookupFailure::Indeterminate).
    #[must_use]
    pub fn for_one_destination(&self) -> Self {
        Self {
            lookups: Arc::clone(&self.lookups),
            walk: Some(Walk::default()),
        }
    }

    /// What the look-ups for the destination have cost so far; nothing is counted if each look-up stands alone.
    pub fn cost(&self) -> Cost {
        self.walk.as_ref().map(Walk::cost).unwrap_or_default()
    }

    async fn lookup(&self, asked: Asked) -> Result<Found, NoAnswer> {
        let walk = self.walk.clone().unwrap_or_default();
        self.lookups.lookup(asked, &walk).await
    }

    /// How many look-ups there were, and how they ended.
    pub fn counts(&self) -> &LookupCounts {
        self.lookups.counts()
    }

    /// Who validates at present.
    pub fn mode(&self) -> Mode {
        self.lookups.mode()
    }

    /// Changes who validates. What was learnt from the previous validator is dropped; if nothing changes, nothing is
    /// dropped.
    pub fn set_mode(&self, mode: Mode) -> Result<(), ResolverError> {
        self.lookups.set_mode(mode)
    }

    /// Replaces the negative trust anchors (RFC 7646) of [`ResolverConfig::domain_insecure`]. Answers at or below a name
    /// that was added or removed are dropped, including those that led there through an alias. With [`Mode::TrustAd`] they
    /// only raise a [doubt](Self::doubted) about the mode.
    pub fn set_domain_insecure(&self, names: &[Domain]) {
        self.lookups.set_domain_insecure(&to_names(names));
    }

    /// Replaces the trust anchors of [`ResolverConfig::trust_anchors`], and returns whether they differ from the previous
    /// ones: then everything found with those is dropped; look-ups in progress finish with the old ones and are not cached.
    /// An empty set is refused.
    pub fn set_trust_anchors(&self, anchors: &TrustAnchors) -> Result<bool, ResolverError> {
        if anchors.is_empty() {
            return Err(ResolverError::NoTrustAnchors);
        }
        Ok(self.lookups.set_trust_anchors(anchors))
    }

    /// Uses other servers from now on, in this mode. Everything that the previous ones said or showed is dropped.
    pub fn set_servers(&self, mode: Mode, servers: Vec<Server>) -> Result<(), ResolverError> {
        self.lookups.set_servers(mode, servers)
    }

    /// Makes look-ups wait, each within its deadline, for a self-test that is about to begin, until the value is dropped.
    pub fn expect_self_test(&self) -> Expected {
        self.lookups.expect_self_test()
    }

    /// Whether there are negative trust anchors.
    pub fn has_domain_insecure(&self) -> bool {
        self.lookups.has_domain_insecure()
    }

    /// Returns when many look-ups in a row have failed, or something else calls for a self-test. For a single waiting task.
    pub async fn doubted(&self) {
        self.lookups.doubted().await;
    }

    /// Why the last attempt to reach a server over TLS failed, with its name: for people to read.
    pub fn obstacle(&self) -> Option<String> {
        self.lookups.obstacle()
    }

    /// The servers in use, in their order: for people to read.
    pub fn servers(&self) -> Vec<String> {
        self.lookups.servers()
    }

    /// MX records, by preference, and equal preferences in the order received; the first 100.
    pub async fn mx(&self, domain: &Domain) -> Lookup<MxRecord> {
        self.lookup(Asked::Mx(domain.clone())).await?.mx()
    }

    /// IPv4 addresses, the first 100.
    pub async fn a(&self, host: &Domain) -> Lookup<IpAddr> {
        self.lookup(Asked::A(host.clone())).await?.address()
    }

    /// IPv6 addresses, the first 100.
    pub async fn aaaa(&self, host: &Domain) -> Lookup<IpAddr> {
        self.lookup(Asked::Aaaa(host.clone())).await?.address()
    }

    /// The alias at a name, not followed.
    pub async fn cname(&self, name: &Domain) -> Lookup<Domain> {
        self.lookup(Asked::Cname(name.clone())).await?.alias()
    }

    /// TLSA records for a port of a base domain, at `_<port>._tcp.<base>` (RFC 6698 §3). With more than 100 of them the look-up
    /// fails.
    pub async fn tlsa(&self, port: u16, base: &Domain) -> Lookup<dane::TlsaRecord> {
        Ok(self.tlsa_found(port, base).await?.answer)
    }

    /// The same, with the usability of each record.
    pub(crate) async fn tlsa_found(&self, port: u16, base: &Domain) -> Result<TlsaFound, NoAnswer> {
        self.lookup(Asked::Tlsa(port, base.clone())).await?.tlsa()
    }

    /// TXT records, the first 100; the strings of each are joined.
    pub async fn txt(&self, name: &Domain) -> Lookup<Box<[u8]>> {
        let found = self.lookup(Asked::any(to_name(name)?, RecordType::TXT)).await;
        found.and_then(Found::any)?.try_convert(asked::texts)
    }

    /// Any type at any name, including the root (`.`), with the records in their presentation form. Types are given by their
    /// mnemonics or as `TYPE` with a number (RFC 3597 §5), in any case.
    pub async fn text(&self, name: &str, record_type: &str) -> Result<Lookup<String>, QuestionError> {
        let owner = match Domain::parse(name) {
            Ok(domain) => absolute(domain.as_str()),
            // A text that is not a name must not become the root through the dot that is added.
            Err(_) if name.is_empty() => None,
            Err(_) => absolute(name),
        };
        let owner = owner.ok_or_else(|| QuestionError::Name(name.to_owned()))?;
        let wanted = to_type(record_type)?;
        let found = self.lookup(Asked::any(owner, wanted)).await;
        Ok(found
            .and_then(Found::any)
            .and_then(|answer| answer.try_convert(|data| Ok(data.iter().map(presented).collect()))))
    }

    /// The hosts that the MX records of a name lead to, if they are cached.
    pub fn known_exchangers(&self, name: &Domain) -> Vec<Domain> {
        let found = to_name(name).map(|name| self.lookups.known_exchangers(&name));
        let hosts = found.unwrap_or_default().into_iter();
        hosts.filter_map(|host| to_domain(&host).ok()).collect()
    }

    /// Drops all cached answers about a name and the names below it, those about the hosts that its MX records name, and the
    /// keys on the way to them.
    pub fn flush(&self, name: &Domain) {
        self.flush_each(std::slice::from_ref(name));
    }

    /// The same for many names, at the cost of one.
    pub fn flush_each(&self, names: &[Domain]) {
        self.lookups.flush(&to_names(names));
    }

    /// Forgets all answers and keys.
    pub fn flush_all(&self) {
        self.lookups.flush(&[Name::root()]);
    }

    /// The status of the root if we validate, bypassing the cache. If the only anchor is elsewhere, the root proves nothing,
    /// and counts as secure.
    pub(crate) async fn validated_root(&self) -> Result<Security, NoAnswer> {
        self.lookups.validated_root().await
    }

    /// The SOA at a name if we validate, bypassing the cache.
    pub(crate) async fn validated_soa(&self, name: &Domain) -> Lookup<RData> {
        self.lookups.validated(&to_name(name)?, RecordType::SOA).await
    }

    /// The algorithms with which the zone of this name is signed, according to its secure DS records.
    pub(crate) async fn algorithms(&self, zone: &Domain) -> Result<Vec<Algorithm>, NoAnswer> {
        let answer = self.lookups.validated(&to_name(zone)?, RecordType::DS).await?;
        Ok(match answer.security {
            Security::Secure => algorithm::of_delegation(answer.records()),
            Security::Insecure => Vec::new(),
        })
    }

    /// Whether any server passes the root's signatures on.
    pub(crate) async fn signatures_arrive(&self) -> Result<bool, NoAnswer> {
        self.lookups.signatures_arrive().await
    }

    /// What the last self-test found; `None` if it passed. Failures are attributed to it as long as it stands.
    pub(crate) fn note_fault(&self, fault: Option<&Fault>) {
        self.lookups.note_fault(fault);
    }

    pub(crate) fn has_servers(&self) -> bool {
        self.lookups.has_servers()
    }

    /// The servers as those whose AD bit may be believed.
    pub(crate) fn trusting(&self) -> Trusting {
        self.lookups.trusting()
    }

    /// Drops all answers if a server has lost our trust.
    pub(crate) fn forget_what_the_refuted_said(&self) {
        let _ = self.lookups.forget_what_the_refuted_said();
    }
}
