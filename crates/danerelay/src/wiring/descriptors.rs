//! How the limit of file descriptors is divided, so that strangers of any kind cannot take what another part needs.
//!
//! A quarter, at most 768, is for the sockets of look-ups. An eighth, at most 256, is kept for the spool, the log, the
//! admin socket and whatever else is opened now and then. The rest is for connections: deliveries get up to half of it,
//! and clients get what deliveries leave; each connection counts as two descriptors, because large content is kept in a
//! file.

use rustix::process::{Resource, getrlimit};

use crate::config::Config;

/// The range for look-ups: more would be of no use, and with less no look-up works.
const DNS: std::ops::RangeInclusive<usize> = 12..=768;
/// The maximum kept for everything except look-ups and connections.
const KEPT: usize = 256;
/// The descriptors of one connection: its socket, and the file of large content.
const OF_CONNECTION: usize = 2;

/// The limit of this process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Descriptors(usize);

impl Descriptors {
    pub(crate) fn of_this_process() -> Self {
        let limit = getrlimit(Resource::Nofile).current;
        Self(limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX)))
    }

    /// Sockets for look-ups.
    pub(crate) fn for_dns(self) -> usize {
        (self.0 / 4).clamp(*DNS.start(), *DNS.end())
    }

    /// Connections to receiving servers: as many as configured, if there are enough descriptors for them.
    pub(crate) fn for_deliveries(self, config: &Config) -> usize {
        let wanted = count(config.delivery.connections);
        wanted.min(self.for_connections() / 2 / OF_CONNECTION).max(1)
    }

    /// Connections of clients, likewise.
    pub(crate) fn for_clients(self, config: &Config) -> usize {
        let wanted = count(config.limits.connections);
        let left = self
            .for_connections()
            .saturating_sub(self.for_deliveries(config) * OF_CONNECTION);
        wanted.min(left / OF_CONNECTION).max(1)
    }

    fn for_connections(self) -> usize {
        let kept = (self.0 / 8).min(KEPT);
        self.0.saturating_sub(self.for_dns() + kept)
    }

    /// What the configuration asks for and the limit does not allow, for the log.
    pub(crate) fn shortages(self, config: &Config) -> Vec<String> {
        let keys = [
            (
                "limits.connections",
                config.limits.connections,
                self.for_clients(config),
            ),
            (
                "delivery.connections",
                config.delivery.connections,
                self.for_deliveries(config),
            ),
        ];
        let short = keys
            .into_iter()
            .filter(|(_, wanted, given)| *given < count(*wanted));
        short
            .map(|(key, wanted, given)| {
                format!(
                    "{key} is {wanted}, and the limit of {} file descriptors leaves room for {given}; a higher limit \
                     (LimitNOFILE in the unit, ulimit -n) allows more",
                    self.0
                )
            })
            .collect()
    }
}

fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_stay_within_the_limit_and_are_as_large_as_configured_where_it_allows() {
        let config = Config::default();
        for limit in [64, 256, 1024, 4096, 65_536, 1_000_000, usize::MAX] {
            let descriptors = Descriptors(limit);
            let [dns, deliveries, clients] = [
                descriptors.for_dns(),
                descriptors.for_deliveries(&config),
                descriptors.for_clients(&config),
            ];
            let most = dns + (deliveries + clients) * OF_CONNECTION;
            assert!(
                most + (limit / 8).min(KEPT) <= limit,
                "{limit}: {dns} {deliveries} {clients}"
            );
            let is_enough = (deliveries, clients) == (500, 2000);
            assert_eq!(is_enough, descriptors.shortages(&config).is_empty(), "{limit}");
            assert_eq!(is_enough, limit >= 65_536, "{limit}: {deliveries} {clients}");
        }
        assert_eq!(
            Descriptors(1024).shortages(&config),
            [
                "limits.connections is 2000, and the limit of 1024 file descriptors leaves room for 160; a higher limit \
                 (LimitNOFILE in the unit, ulimit -n) allows more",
                "delivery.connections is 500, and the limit of 1024 file descriptors leaves room for 160; a higher limit \
                 (LimitNOFILE in the unit, ulimit -n) allows more",
            ]
        );
    }
}
