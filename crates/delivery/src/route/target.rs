//! Which next hop the look-ups of an attempt begin with.

use mail::NextHop;
use policy::login::Login;
use policy::settings::{DestinationPolicy, RouteTls, SUBMISSIONS, TlsFloor};

use crate::config::DeliveryConfig;

/// The way that mail for a destination takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// To the destination's own hosts, or along its route.
    Usual,
    /// To its fallback.
    Fallback,
}

/// Where to begin.
pub(super) struct Target<'a> {
    pub(super) next_hop: &'a NextHop,
    /// How TLS begins there.
    pub(super) tls: RouteTls,
    /// With what to log in there.
    pub(super) login: Option<&'a Login>,
    /// Whether the administrator, and not the recipient's address, says where.
    pub(super) is_configured: bool,
}

impl<'a> Target<'a> {
    /// Where mail for `next_hop` goes by this policy.
    pub(super) fn of(
        next_hop: &'a NextHop,
        policy: &'a DestinationPolicy,
        way: Way,
        config: &DeliveryConfig,
    ) -> Self {
        let (configured, tls, login) = match (way, &policy.fallback, &policy.route) {
            (Way::Fallback, Some(fallback), _) => (Some(fallback), RouteTls::Starttls, None),
            (Way::Usual, _, Some(route)) | (Way::Fallback, None, Some(route)) => {
                (Some(&route.next_hop), route.tls, route.login.as_ref())
            }
            (_, _, None) => (None, RouteTls::Starttls, None),
        };
        let own_port = configured.and_then(NextHop::port);
        let tls = match (tls, own_port) {
            (RouteTls::Starttls, None) => RouteTls::at_port(config.port),
            (tls, _) => tls,
        };
        Self {
            next_hop: configured.unwrap_or(next_hop),
            tls,
            login,
            is_configured: configured.is_some(),
        }
    }

    /// The port to connect to.
    pub(super) fn port(&self, config: &DeliveryConfig) -> u16 {
        self.next_hop.port().unwrap_or(match self.tls {
            RouteTls::Starttls => config.port,
            RouteTls::Implicit => SUBMISSIONS,
        })
    }

    /// The floor for its hosts: where TLS begins with the first octet, there is no plain text.
    pub(super) fn floor(&self, policy: &DestinationPolicy) -> TlsFloor {
        match self.tls {
            RouteTls::Starttls => policy.tls,
            RouteTls::Implicit => policy.tls.max(TlsFloor::Encrypt),
        }
    }
}
