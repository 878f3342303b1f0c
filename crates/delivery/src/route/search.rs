//! The search: all look-ups of one destination, and the resulting facts.

use std::net::IpAddr;

use dns::host::{self, HostSecurity, TlsaQuestion};
use dns::mx::{self, MxFinding};
use dns::{Exchange, MxRecord, Resolver};
use futures_util::stream::{self, StreamExt};
use jiff::civil::Date;
use mail::{Culprit, Domain, FailedLookup, LookupFailure, NextHop, ReversePath, Security, TlsTag};
use mta_sts::Policies;
use policy::Policy;
use policy::decision::decide;
use policy::facts::{Addresses, Destination, Facts, Host, HostFindings, MessageTls, Tlsa, Wanted};
use policy::settings::{DaneMode, DestinationPolicy, HostPolicy, InsecureMx, Limits};
use rand::seq::SliceRandom;
use tokio::time::Instant;

use super::forms::forms;
use super::found::Route;
use super::hosts::{self, RouteHost};
use super::ignored;
use super::mta_sts::Sts;
use super::origin::{Origin, reference_identifiers};
use super::own::{known, listens_at};
use super::target::{Target, Way};
use crate::config::DeliveryConfig;
use crate::connections::DanePeer;

/// The maximum number of MX hosts; the rest of a longer list is ignored (RFC 5321 §5.1 asks for at least two).
const HOSTS: usize = 32;
/// Hosts looked up at once: two look-ups each, and all destinations together have a limited number of look-ups. Longer
/// lists more often contain useless names than servers that are needed.
const HOSTS_AT_ONCE: usize = 8;
/// The maximum number of addresses tried per host.
const ADDRESSES: usize = 16;

/// For which mail a way is sought.
#[derive(Debug, Clone, Copy)]
pub struct Sought<'a> {
    /// Where it goes.
    pub next_hop: &'a NextHop,
    /// Along which way.
    pub way: Way,
    /// What it asks of TLS.
    pub tag: TlsTag,
    /// Its sender.
    pub sender: &'a ReversePath,
}

impl<'a> Sought<'a> {
    /// Mail of which nothing is known but where it goes.
    pub fn usual(next_hop: &'a NextHop) -> Self {
        Self {
            next_hop,
            way: Way::Usual,
            tag: TlsTag::Usual,
            sender: &ReversePath::Null,
        }
    }
}

/// With what look-ups are made.
#[derive(Clone, Copy)]
pub struct Means<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// DNS.
    pub resolver: &'a Resolver,
    /// The MTA-STS policies of others; `None` if nothing is made of them.
    pub mta_sts: Option<&'a Policies>,
    /// The settings of deliveries.
    pub config: &'a DeliveryConfig,
    /// The date, for exceptions.
    pub today: Date,
}

impl<'a> Means<'a> {
    /// These, to look at a destination without what it says about MTA-STS.
    pub const fn without_sts(
        policy: &'a Policy,
        resolver: &'a Resolver,
        config: &'a DeliveryConfig,
        today: Date,
    ) -> Self {
        Self {
            policy,
            resolver,
            mta_sts: None,
            config,
            today,
        }
    }
}

/// Gathers the facts and decides.
pub async fn find(sought: Sought<'_>, means: Means<'_>) -> Route {
    find_again(sought, means, None).await
}

/// The same, with the MTA-STS policy that was found before.
pub(super) async fn find_again(sought: Sought<'_>, means: Means<'_>, earlier: Option<&Sts>) -> Route {
    let begun = Instant::now();
    let policy = means.policy.for_destination(sought.next_hop, means.today);
    let message = MessageTls::of(sought.tag, sought.sender, &policy);
    let target = Target::of(sought.next_hop, &policy, sought.way, means.config);
    let (port, tls, login) = (target.port(means.config), target.tls, target.login.cloned());
    let search = Search {
        means,
        destination_policy: &policy,
        message,
        is_configured: target.is_configured,
        resolver: &means.resolver.for_one_destination(),
        port,
    };
    let policies = means.mta_sts.filter(|_| !message.is_waived());
    let (mut destination, sts) = tokio::join!(
        search.destination(target.next_hop),
        Sts::find(target.next_hop, policy.mta_sts, policies, earlier)
    );
    sts.tell(&mut destination);
    let (next_hop, mx) = (target.next_hop.clone(), destination.mx());
    let wanted = Wanted {
        dane: policy.dane,
        insecure_mx: policy.insecure_mx,
        tls: target.floor(&policy),
        is_route: target.is_configured,
    };
    let decision = decide(Facts {
        wanted,
        message,
        mta_sts: sts.for_decision(),
        destination,
    });
    Route {
        policy,
        decision,
        mx,
        sts,
        next_hop,
        port,
        message,
        tls,
        login,
        begun,
    }
}

/// What the steps of one search share.
struct Search<'a> {
    means: Means<'a>,
    destination_policy: &'a DestinationPolicy,
    message: MessageTls,
    /// Whether the administrator, and not the recipient's address, says where the mail goes.
    is_configured: bool,
    /// For this destination alone.
    resolver: &'a Resolver,
    port: u16,
}

/// The host that an MX record names.
struct Exchanged {
    preference: u16,
    host: RouteHost,
}

impl Search<'_> {
    async fn destination(&self, target: &NextHop) -> Destination<RouteHost> {
        match target {
            NextHop::Address { address, .. } if !self.is_configured && self.is_own_address(*address) => {
                Destination::OwnAddress
            }
            NextHop::Address { address, .. } => {
                let host = RouteHost::address(*address, self.unnamed(HostFindings::AddressLiteral));
                Destination::AddressLiteral(self.reachable(host, Security::Secure))
            }
            NextHop::Host { host, .. } if hosts::is_localhost(host) => self.this_machine(host),
            NextHop::Host { host, .. } => {
                Destination::Configured(self.host(host, &Origin::Itself(Security::Secure)).await)
            }
            NextHop::Domain { domain, .. } => self.by_mx(domain).await,
        }
    }

    /// A route to `localhost` leads to this machine, without any look-up (RFC 6761 §6.3). What is not in DNS is not
    /// secure.
    fn this_machine(&self, name: &Domain) -> Destination<RouteHost> {
        let facts = Host {
            policy: self
                .means
                .policy
                .for_mx_host(self.destination_policy, name, self.means.today),
            findings: HostFindings::Named {
                addresses: Addresses::Insecure,
                tlsa: Tlsa::NotAsked,
            },
            mta_sts: None,
        };
        Destination::Configured(RouteHost {
            name: Some(name.clone()),
            addresses: hosts::loopback(self.means.config.address_family),
            ..RouteHost::unknown(facts)
        })
    }

    async fn by_mx(&self, domain: &Domain) -> Destination<RouteHost> {
        match mx::discover(self.resolver, domain).await {
            MxFinding::Failed(failure) => Destination::MxFailed(failure.into()),
            MxFinding::NullMx(security) => Destination::NullMx(security),
            MxFinding::NxDomain { security, missing } => Destination::NoSuchDomain {
                security,
                missing: Some(missing).filter(|missing| missing != domain),
            },
            MxFinding::NoData { security } => {
                let host = self.host(domain, &Origin::Itself(security)).await;
                match self.own(&host) {
                    Some(host) => Destination::OwnMx { mx: security, host },
                    None => Destination::ImplicitMx {
                        security,
                        host: self.reachable(host, security),
                    },
                }
            }
            MxFinding::Records {
                security,
                expanded,
                exchanges,
            } => {
                self.by_exchanges(&exchanges, &Origin::Mx(security, domain, &expanded))
                    .await
            }
        }
    }

    async fn by_exchanges(&self, exchanges: &[MxRecord], origin: &Origin<'_>) -> Destination<RouteHost> {
        let security = origin.security();
        let mut exchanges: Vec<&MxRecord> = exchanges.iter().collect();
        // Equal preferences in random order (RFC 5321 §5.1).
        exchanges.shuffle(&mut rand::rng());
        exchanges.sort_by_key(|exchange| exchange.preference);
        exchanges.truncate(HOSTS);
        let searches = exchanges.iter().map(|exchange| self.exchange(exchange, origin));
        let searches: Vec<_> = searches.collect();
        let mut room = hosts::ROOM_FOR_TLSA;
        let found = stream::iter(searches).buffered(HOSTS_AT_ONCE);
        let found = found.map(|mut one: Exchanged| {
            one.host.fit_into(&mut room);
            one
        });
        let mut found: Vec<Exchanged> = found.collect().await;
        // This relay and all hosts of equal or worse preference must not be used (RFC 5321 §5.1).
        let own = found
            .iter()
            .find_map(|one| Some((one.preference, self.own(&one.host)?)));
        if let Some((preference, host)) = own {
            found.retain(|one| one.preference < preference);
            if found.is_empty() {
                return Destination::OwnMx { mx: security, host };
            }
        }
        let hosts = found.into_iter().map(|one| self.reachable(one.host, security));
        Destination::Mx {
            security,
            hosts: hosts.collect(),
        }
    }

    async fn exchange(&self, record: &MxRecord, origin: &Origin<'_>) -> Exchanged {
        let host = match &record.exchange {
            Exchange::Name(name) => self.host(name, origin).await,
            Exchange::Address(address) => {
                RouteHost::address(*address, self.unnamed(HostFindings::AddressName))
            }
            Exchange::Root => self.no_host("."),
            Exchange::Invalid(text) => self.no_host(text),
        };
        Exchanged {
            preference: record.preference,
            host,
        }
    }

    /// A name that cannot be looked up. Only DNS can say that a host has no addresses (RFC 7672 §2.1.1), and it was not asked.
    fn no_host(&self, text: &str) -> RouteHost {
        let words = format!("malformed: the MX record names {text}, which is no host name");
        let failure = FailedLookup::new(LookupFailure::Malformed, Culprit::Elsewhere, &words);
        let facts = self.unnamed(HostFindings::Named {
            addresses: Addresses::Unresolvable(failure),
            tlsa: Tlsa::NotAsked,
        });
        RouteHost {
            no_name: Some(text.to_owned()),
            ..RouteHost::unknown(facts)
        }
    }

    /// The facts about a host without a name: the destination's policy applies to it.
    fn unnamed(&self, findings: HostFindings) -> Host {
        Host {
            policy: HostPolicy {
                dane: self.destination_policy.dane,
                dane_source: self.destination_policy.dane_source.clone(),
                limits: Limits::default(),
            },
            findings,
            mta_sts: None,
        }
    }

    async fn host(&self, name: &Domain, origin: &Origin<'_>) -> RouteHost {
        let policy = self
            .means
            .policy
            .for_mx_host(self.destination_policy, name, self.means.today);
        let ignored =
            origin.security() == Security::Insecure && self.destination_policy.insecure_mx == InsecureMx::May;
        let mode = self.message.mode(policy.dane);
        let question = if mode == DaneMode::Off || (ignored && mode != DaneMode::Strict) {
            TlsaQuestion::DoNotAsk
        } else {
            TlsaQuestion::Ask
        };
        let found = host::discover(
            self.resolver,
            name,
            self.port,
            question,
            self.means.config.address_family,
        )
        .await;
        let expanded = match &found.addresses {
            host::Addresses::Found { expanded, .. } => Some(expanded),
            host::Addresses::Unresolvable(_)
            | host::Addresses::Absent(_)
            | host::Addresses::OtherFamily(_) => None,
        };
        let (tlsa, dane) = match found.tlsa {
            host::Tlsa::NotAsked => (Tlsa::NotAsked, None),
            host::Tlsa::Failed(failure) => (Tlsa::LookupFailed(failure.into()), None),
            host::Tlsa::Absent => (Tlsa::Absent, None),
            host::Tlsa::Found { base, set } => {
                let tlsa = if set.is_usable() {
                    Tlsa::Usable
                } else {
                    Tlsa::Unusable
                };
                let references = reference_identifiers(&base, name, expanded, origin);
                let peer = DanePeer {
                    base,
                    set,
                    references,
                };
                (tlsa, Some(peer))
            }
        };
        let mut other_family = Vec::new();
        let (addresses, usable) = match found.addresses {
            host::Addresses::Unresolvable(failure) => (Addresses::Unresolvable(failure.into()), Vec::new()),
            host::Addresses::Absent(security) => (Addresses::Absent(security), Vec::new()),
            host::Addresses::OtherFamily(others) => {
                other_family = others;
                other_family.truncate(ADDRESSES);
                (Addresses::OtherFamily, Vec::new())
            }
            host::Addresses::Found {
                mut addresses,
                security,
                ..
            } => {
                addresses.truncate(ADDRESSES);
                (address_security(security), addresses)
            }
        };
        RouteHost {
            name: Some(name.clone()),
            addresses: usable,
            other_family,
            dane,
            answers: found.answers,
            ..RouteHost::unknown(Host {
                policy,
                findings: HostFindings::Named { addresses, tlsa },
                mta_sts: None,
            })
        }
    }

    /// D8a: a host that a stranger names, in DNS or by an address literal, without the addresses at which no stranger receives
    /// mail.
    fn reachable(&self, host: RouteHost, named: Security) -> RouteHost {
        if self.is_configured {
            return host;
        }
        ignored::without(&self.means.config.ignore_addresses, host, named)
    }

    fn is_own_address(&self, address: IpAddr) -> bool {
        let config = self.means.config;
        let is_ours = |form| {
            let mut own = config.own_addresses.iter();
            let mut listen = config.listen.iter();
            own.any(|own| own.to_canonical() == form)
                || listen.any(|listen| listens_at(*listen, form, self.port))
        };
        forms(address).any(is_ours)
    }

    /// D11: one of our names, one of our addresses, or an address *and port* at which we listen; and how securely the
    /// host was identified as us.
    fn own(&self, host: &RouteHost) -> Option<Security> {
        let config = self.means.config;
        let by_name = host
            .name
            .as_ref()
            .is_some_and(|name| config.own_names.contains(name));
        let by_address = || host.addresses.iter().any(|address| self.is_own_address(*address));
        if by_name {
            Some(Security::Secure)
        } else {
            by_address().then(|| known(&host.facts.findings))
        }
    }
}

fn address_security(security: HostSecurity) -> Addresses {
    match security {
        HostSecurity::Insecure => Addresses::Insecure,
        HostSecurity::SecureAlias => Addresses::SecureAlias,
        HostSecurity::Secure => Addresses::Secure,
    }
}
