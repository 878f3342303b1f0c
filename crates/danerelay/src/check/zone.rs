//! The zone that a name lies in, its name servers, and what each of them says of the TLSA records: asked directly, because one
//! broken server among several is hidden by the resolvers that ask another.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use dns::direct::{self, Direct, Said};
use dns::{NoAnswer, QuestionError, Resolver};
use futures_util::future::join_all;
use ipnet::IpNet;
use mail::{Domain, LookupFailure};
use tokio::sync::Semaphore;

use super::observation::{ServerAnswer, ServerSaid, ServerSeen, ZoneSeen};
use super::ways::has_route;

/// The most name servers of a zone that are looked at; hardly any zone has more.
const SERVERS: usize = 8;
/// How far above a name its zone is looked for.
const LEVELS: usize = 6;
/// How long a name server has for one answer: resolvers ask the next one much earlier.
const PATIENCE: Duration = Duration::from_secs(5);

/// How name servers are asked.
pub(super) struct Asking<'a> {
    pub(super) resolver: &'a Resolver,
    /// Addresses that are not theirs.
    pub(super) ignored: &'a [IpNet],
    /// Their port: 53, except in tests.
    pub(super) port: u16,
    /// How many are asked at once.
    pub(super) places: &'a Semaphore,
}

impl Asking<'_> {
    /// The zone of a name and its servers.
    pub(super) async fn zone(&self, name: &Domain) -> Option<ZoneSeen> {
        let mut apex = name.clone();
        for _ in 0..LEVELS {
            let found = self.resolver.text(apex.as_str(), "NS").await.ok()?;
            let answer = found.ok()?;
            // An alias is no zone, whatever stands where it leads.
            let names: BTreeSet<&String> = answer.records().iter().collect();
            if !names.is_empty() && answer.aliases.is_empty() {
                let names = names.into_iter().filter_map(|name| Domain::parse(name).ok());
                let names: Vec<Domain> = names.take(SERVERS).collect();
                return Some(ZoneSeen {
                    name: apex.to_string(),
                    servers: join_all(names.iter().map(|name| self.server(name))).await,
                });
            }
            apex = apex.parent()?;
        }
        None
    }

    async fn server(&self, name: &Domain) -> ServerSeen {
        let (ipv6, ipv4) = tokio::join!(self.resolver.aaaa(name), self.resolver.a(name));
        let found = [ipv6, ipv4].into_iter().flatten();
        let addresses = found.flat_map(|answer| answer.records().to_vec()).collect();
        ServerSeen {
            name: name.to_string(),
            addresses,
            answers: Vec::new(),
        }
    }

    /// The same with what each server says of the TLSA records of a base domain.
    pub(super) async fn zone_with_tlsa(&self, port: u16, base: &Domain) -> Option<ZoneSeen> {
        let zone = self.zone(base).await?;
        let asked = zone.servers.into_iter().map(|server| async {
            let addresses = server.addresses.iter().copied();
            let allowed = addresses.filter(|address| !self.is_ignored(*address) && has_route(*address));
            let allowed: Vec<IpAddr> = allowed.collect();
            // One of each family that this machine has a way to.
            let each = [
                allowed.iter().find(|address| address.is_ipv6()),
                allowed.iter().find(|address| address.is_ipv4()),
            ];
            let answers = each
                .into_iter()
                .flatten()
                .map(|address| self.answer(*address, port, base));
            ServerSeen {
                answers: join_all(answers).await,
                ..server
            }
        });
        Some(ZoneSeen {
            servers: join_all(asked).await,
            ..zone
        })
    }

    fn is_ignored(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.ignored.iter().any(|network| network.contains(&address))
    }

    async fn answer(&self, address: IpAddr, port: u16, base: &Domain) -> ServerAnswer {
        let server = SocketAddr::new(address, self.port);
        let (owner, parent) = (format!("_{port}._tcp.{base}"), format!("_tcp.{base}"));
        // `None` only if the semaphore were closed, which never happens.
        let _place = self.places.acquire().await.ok();
        let records = ask_twice(server, &owner, "TLSA").await;
        let parent = ask_twice(server, &parent, "A").await;
        let parent = match parent {
            Ok(Ok(direct)) => said(&direct.said).0,
            Ok(Err(_)) | Err(_) => ServerSaid::Silence,
        };
        match records {
            Ok(Ok(direct)) => {
                let (said, mut records, reason) = said(&direct.said);
                records.sort();
                ServerAnswer {
                    address,
                    said,
                    records,
                    parent,
                    is_signed: direct.is_signed,
                    is_authoritative: direct.is_authoritative,
                    reason,
                }
            }
            Ok(Err(failure)) => silent(address, parent, failure.to_string()),
            Err(error) => silent(address, parent, error.to_string()),
        }
    }
}

/// A lost packet is nobody's fault: a server that is silent is asked once more.
async fn ask_twice(
    server: SocketAddr,
    name: &str,
    record_type: &str,
) -> Result<Result<Direct, NoAnswer>, QuestionError> {
    match direct::ask(server, name, record_type, PATIENCE).await {
        Ok(Err(failure)) if failure.cause == LookupFailure::Timeout => {
            direct::ask(server, name, record_type, PATIENCE).await
        }
        answered => answered,
    }
}

fn silent(address: IpAddr, parent: ServerSaid, reason: String) -> ServerAnswer {
    ServerAnswer {
        address,
        said: ServerSaid::Silence,
        records: Vec::new(),
        parent,
        is_signed: false,
        is_authoritative: true,
        reason: Some(reason),
    }
}

fn said(said: &Said) -> (ServerSaid, Vec<String>, Option<String>) {
    match said {
        Said::Records(records, _) => (ServerSaid::Records, records.clone(), None),
        Said::Alias => (ServerSaid::Alias, Vec::new(), None),
        Said::NoData => (ServerSaid::Nodata, Vec::new(), None),
        Said::NxDomain => (ServerSaid::Nxdomain, Vec::new(), None),
        Said::Refused(failure) => (ServerSaid::Refused, Vec::new(), Some(failure.to_string())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use std::net::Ipv4Addr;

    use testworld::RecordType;
    use testworld::dns::{DnsFault, Questions, World};

    use super::*;
    use crate::fixtures::resolver;

    /// Besides the name that every zone of the world has for its server, and that leads nowhere.
    #[tokio::test]
    async fn the_one_broken_server_of_a_zone_is_named() {
        let world = World::start_on(Ipv4Addr::LOCALHOST.into()).await.unwrap();
        let record = format!("3 1 1 {}", "29c8601c".repeat(8));
        let port = world.address().port();
        world.domain("test").signed().add().unwrap();
        let zone = world.domain("zone.test").signed();
        let zone = zone
            .host("mx.zone.test", ([127, 0, 0, 9], 25).into())
            .tlsa(&record);
        zone.add().unwrap();
        world
            .set("zone.test", RecordType::NS, &["ns1.zone.test.", "ns2.zone.test."])
            .unwrap();
        world.set("ns1.zone.test", RecordType::A, &["127.0.0.1"]).unwrap();
        world.set("ns2.zone.test", RecordType::A, &["127.9.9.9"]).unwrap();
        let resolver = resolver(&world);
        let places = Semaphore::new(4);
        let asking = Asking {
            resolver: &resolver,
            ignored: &[],
            port,
            places: &places,
        };
        let base = Domain::parse("mx.zone.test").unwrap();
        let zone = asking.zone_with_tlsa(25, &base).await.unwrap();
        assert_eq!(zone.name, "zone.test");
        let answers = zone.servers.iter().flat_map(|server| {
            server
                .answers
                .iter()
                .map(move |answer| (server.name.as_str(), answer.said))
        });
        let said: Vec<(&str, ServerSaid)> = answers.collect();
        assert_eq!(
            said,
            [
                ("ns1.zone.test", ServerSaid::Records),
                ("ns2.zone.test", ServerSaid::Silence)
            ]
        );
        let first = &zone.servers[1].answers[0];
        assert_eq!((first.is_signed, first.parent), (true, ServerSaid::Nodata));
        assert_eq!(first.records.len(), 1);

        let tlsa = "_25._tcp.mx.zone.test".to_owned();
        world
            .break_dns(&Questions::Of(tlsa, RecordType::TLSA), DnsFault::NotImp)
            .unwrap();
        let parent = Questions::At("_tcp.mx.zone.test".to_owned());
        world.break_dns(&parent, DnsFault::NxDomain).unwrap();
        let zone = asking.zone_with_tlsa(25, &base).await.unwrap();
        let first = &zone.servers[1].answers[0];
        assert_eq!(
            (first.said, first.parent),
            (ServerSaid::Refused, ServerSaid::Nxdomain)
        );
        let none: [IpNet; 1] = ["127.0.0.0/8".parse().unwrap()];
        let ignoring = Asking {
            ignored: &none,
            ..asking
        };
        let zone = ignoring.zone_with_tlsa(25, &base).await.unwrap();
        assert!(zone.servers.iter().all(|server| server.answers.is_empty()));
    }
}
