//! What the log and the ledger say about the host that an outcome comes from.

use std::net::IpAddr;
use std::sync::Arc;

use dane::{TlsaRecord, TlsaSet, VerifyCode};
use mail::sighting::Spot;
use mail::{AddressFamily, Cause, DaneVerdict, DeliverySecurity, Domain, DomainPart, Security};
use policy::decision::Requirement;
use policy::facts::MtaSts;
use policy::settings::DaneMode;
use tokio::time::Instant;

use crate::connections::{DanePeer, TlsOutcome};
use crate::route::{Route, RouteHost};

/// The maximum number of TLSA records shown in a line if none of them matched.
const RECORDS: usize = 4;

/// What the log says about one host and the connection to it.
#[derive(Debug, Clone)]
pub(crate) struct HostRecord {
    pub(crate) mode: DaneMode,
    pub(crate) mx: Option<Security>,
    pub(crate) port: u16,
    name: Option<Domain>,
    pub(crate) base: Option<Domain>,
    pub(crate) tlsa: Option<Arc<str>>,
    mta_sts: Option<MtaSts>,
    /// The word for the destination's MTA-STS policy.
    pub(crate) sts: Option<&'static str>,
    pub(crate) connection: Option<Connection>,
    /// What mail that failed here waits for, if it is a security failure.
    pub(crate) held_up: Option<Spot>,
}

/// One connection, for the log and for TLS reports.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    pub(crate) address: IpAddr,
    pub(crate) tls: TlsOutcome,
    /// OpenSSL's number and text for the result of the check, if there was one.
    pub(crate) valid: Option<VerifyCode>,
    /// What it had to achieve.
    pub(crate) requirement: Requirement,
    pub(crate) verdict: DaneVerdict,
    /// The TLSA records of the host, if there are secure ones.
    pub(crate) published: Option<Arc<TlsaSet>>,
    /// The 3 1 1 record that would match the server's certificate, whatever the check found. Not the certificate
    /// itself: whoever made it decides how large it is.
    pub(crate) presented: Option<TlsaRecord>,
    /// Why it did not meet its requirement.
    pub(crate) failed: Option<Cause>,
    /// When the connection was started.
    pub(crate) began: Instant,
    /// When the connection could send, or had failed.
    pub(crate) ready: Instant,
}

impl HostRecord {
    /// No host.
    pub(crate) fn none(route: &Route) -> Self {
        Self {
            mx: route.mx,
            sts: route.sts.word(),
            ..Self::without_route(route.policy.dane, route.port)
        }
    }

    /// No look-up was made: only what is known without one.
    pub(crate) fn without_route(mode: DaneMode, port: u16) -> Self {
        Self {
            mode,
            mx: None,
            port,
            name: None,
            base: None,
            tlsa: None,
            mta_sts: None,
            sts: None,
            connection: None,
            held_up: None,
        }
    }

    /// A host of this or an earlier route that was not connected to. If it is not one of this route, the mode is that of the
    /// destination.
    pub(crate) fn left_out(route: &Route, host: &RouteHost) -> Self {
        match route.current(host) {
            Some(host) => Self::passed_over(route, host),
            None => Self {
                mode: route.policy.dane,
                ..Self::passed_over(route, host)
            },
        }
    }

    /// A host of the route that was not connected to.
    pub(crate) fn passed_over(route: &Route, host: &RouteHost) -> Self {
        Self {
            tlsa: host.dane.as_ref().map(published),
            ..Self::tried(route, host)
        }
    }

    /// A host of the route, without its records.
    fn tried(route: &Route, host: &RouteHost) -> Self {
        Self {
            mode: host.facts.policy.dane,
            name: host.name.clone(),
            base: host.dane.as_ref().map(|dane| dane.base.clone()),
            mta_sts: host.facts.mta_sts,
            ..Self::none(route)
        }
    }

    /// A host that was connected to.
    pub(crate) fn connected(route: &Route, host: &RouteHost, connection: Connection) -> Self {
        let session = connection.tls.session();
        let matched = session.and_then(|session| session.matched.clone());
        Self {
            tlsa: matched.or_else(|| host.dane.as_ref().map(published)),
            connection: Some(connection),
            ..Self::tried(route, host)
        }
    }

    /// The same host, without a connection to it.
    pub(crate) fn without_connection(&self) -> Self {
        Self {
            name: self.name.clone(),
            base: self.base.clone(),
            tlsa: self.tlsa.clone(),
            connection: None,
            held_up: self.held_up.clone(),
            ..*self
        }
    }

    /// The same, with what mail waits for because of it.
    pub(crate) fn held_up_at(self, spot: Spot) -> Self {
        Self {
            held_up: Some(spot),
            ..self
        }
    }

    /// When the connection was started and when it could send.
    pub(crate) fn times(&self) -> Option<(Instant, Instant)> {
        self.connection
            .as_ref()
            .map(|connection| (connection.began, connection.ready))
    }

    /// The host that was connected to, as a report names it.
    pub(crate) fn remote_mta(&self) -> Option<DomainPart> {
        let connection = self.connection.as_ref()?;
        let literal = DomainPart::Literal(connection.address);
        Some(self.name.clone().map_or(literal, DomainPart::Name))
    }

    /// The TLSA base domain, if there are secure records.
    pub(crate) fn base(&self) -> Option<&Domain> {
        self.base.as_ref()
    }

    /// What the log says if the message was delivered.
    pub(crate) fn verdict(&self) -> DaneVerdict {
        self.connection
            .as_ref()
            .map_or(DaneVerdict::NotReached, |connection| connection.verdict.clone())
    }

    /// The host's name, if it has one.
    pub(crate) fn host(&self) -> Option<&Domain> {
        self.name.as_ref()
    }

    /// The host that decided, by its address if it has no name; `None` if none was tried.
    pub(crate) fn decided(&self) -> Option<DomainPart> {
        let name = self.name.clone().map(DomainPart::Name);
        name.or_else(|| self.remote_mta())
    }

    /// The address family of the connection.
    pub(crate) fn family(&self) -> AddressFamily {
        self.connection
            .as_ref()
            .map_or(AddressFamily::None, |connection| connection.address.into())
    }

    /// What secured mail sent over the connection: what it had to achieve, otherwise what was available.
    pub(crate) fn security(&self) -> DeliverySecurity {
        let Some(connection) = &self.connection else {
            return DeliverySecurity::None;
        };
        match connection.requirement {
            Requirement::Dane | Requirement::DaneAndPkix => match connection.verdict {
                DaneVerdict::VerifyHostOnly => DeliverySecurity::DaneHostOnly,
                DaneVerdict::NotReached
                | DaneVerdict::Verify
                | DaneVerdict::EncryptNoUsable
                | DaneVerdict::Skip(_)
                | DaneVerdict::Softfail(_)
                | DaneVerdict::Fail(_) => DeliverySecurity::Dane,
            },
            Requirement::Pkix => match self.mta_sts {
                Some(MtaSts::EnforceMatch) => DeliverySecurity::MtaSts,
                Some(MtaSts::Testing | MtaSts::EnforceMismatch) | None => DeliverySecurity::Verified,
            },
            Requirement::Clear | Requirement::Opportunistic | Requirement::Encrypted => {
                match connection.tls {
                    TlsOutcome::Session(_) => DeliverySecurity::Encrypted,
                    TlsOutcome::NotTried | TlsOutcome::Missing(_) => DeliverySecurity::Clear,
                }
            }
        }
    }
}

/// The records of a host, shortened: the usable ones, or all if none is usable.
fn published(dane: &DanePeer) -> Arc<str> {
    let usable = dane.set.usable().iter();
    let unusable = dane.set.unusable().iter().map(|(record, _)| record);
    let records: Vec<&TlsaRecord> = if dane.set.is_usable() {
        usable.collect()
    } else {
        unusable.collect()
    };
    let shown: Vec<String> = records
        .iter()
        .take(RECORDS)
        .map(|record| record.fingerprint().to_string())
        .collect();
    let list = shown.join(", ");
    match records.len().saturating_sub(RECORDS) {
        0 => list.into(),
        more => format!("{list} and {more} more").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What secured mail sent over a connection with this requirement and verdict.
    fn security(
        requirement: Requirement,
        verdict: DaneVerdict,
        tls: TlsOutcome,
        mta_sts: Option<MtaSts>,
    ) -> DeliverySecurity {
        let now = Instant::now();
        let record = HostRecord {
            mode: DaneMode::Opportunistic,
            mx: None,
            port: 25,
            name: None,
            base: None,
            tlsa: None,
            mta_sts,
            sts: None,
            connection: Some(Connection {
                address: IpAddr::from([192, 0, 2, 1]),
                tls,
                valid: None,
                requirement,
                verdict,
                published: None,
                presented: None,
                failed: None,
                began: now,
                ready: now,
            }),
            held_up: None,
        };
        assert_eq!(record.family(), AddressFamily::Ipv4);
        record.security()
    }

    fn outcome(has_tls: bool) -> TlsOutcome {
        if has_tls {
            TlsOutcome::Session(crate::connections::TlsFacts::example())
        } else {
            TlsOutcome::NotTried
        }
    }

    #[test]
    fn security_is_what_was_demanded_or_what_was_there() {
        use DeliverySecurity as Is;
        use Requirement::{Dane, DaneAndPkix, Encrypted, Opportunistic, Pkix};
        let skip = || DaneVerdict::Skip(mail::SkipReason::InsecureHost);
        let enforced = Some(MtaSts::EnforceMatch);
        for (requirement, verdict, has_tls, mta_sts, expected) in [
            (Dane, DaneVerdict::Verify, true, None, Is::Dane),
            (Dane, DaneVerdict::VerifyHostOnly, true, None, Is::DaneHostOnly),
            (DaneAndPkix, DaneVerdict::Verify, true, enforced, Is::Dane),
            (
                DaneAndPkix,
                DaneVerdict::VerifyHostOnly,
                true,
                enforced,
                Is::DaneHostOnly,
            ),
            (Pkix, skip(), true, None, Is::Verified),
            (Pkix, skip(), true, Some(MtaSts::Testing), Is::Verified),
            (Pkix, skip(), true, enforced, Is::MtaSts),
            (Encrypted, DaneVerdict::EncryptNoUsable, true, None, Is::Encrypted),
            (Opportunistic, skip(), true, None, Is::Encrypted),
            (Opportunistic, skip(), false, None, Is::Clear),
        ] {
            assert_eq!(
                security(requirement, verdict, outcome(has_tls), mta_sts),
                expected,
                "{requirement:?}"
            );
        }
    }
}
