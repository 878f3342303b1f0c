//! Whether port 25 of another machine answers, and whether STARTTLS gets through.
//!
//! Many providers block port 25, and some firewalls take STARTTLS out of what servers offer. What is tried is the route that
//! the policy has for everything; else what `--probe` names; else [`USUAL`]. At most two addresses of each family are connected
//! to, as a delivery would but without sending anything, with 30 seconds at most for each step.

use std::net::{IpAddr, SocketAddr};

use delivery::probe::{Look, Prober};
use delivery::route::{self, Means, RouteHost, Sought};
use futures_util::future::join_all;
use jiff::Zoned;
use mail::Domain;
use mail::cause::{Cause, TlsFault};

use super::finding::{Finding, Level, Subject};
use super::patient::Patient;
use crate::check::has_route;

/// Whose MX hosts are tried if nobody is named: hardly a relay sends no mail there anyway, it answers over both IPv4 and IPv6, and one
/// more connection that says goodbye means nothing to it.
pub(crate) const USUAL: &str = "gmail.com";
/// How many addresses of each family are tried.
const ADDRESSES: usize = 2;

/// The findings, and the servers that answered.
pub(super) struct Outward {
    pub(super) findings: Vec<Finding>,
    pub(super) seen: Vec<Look>,
}

/// What came of one address.
struct Tried {
    host: Domain,
    socket: SocketAddr,
    look: Look,
}

pub(super) async fn examine(patient: &Patient<'_>, prober: &Prober, dns_works: bool) -> Outward {
    let nothing = |finding| Outward {
        findings: vec![finding],
        seen: Vec::new(),
    };
    let Some(next_hop) = &patient.probe else {
        let found = "not tried: below a trust anchor of one's own there is no server that is known to answer";
        return nothing(unknown(found.to_owned()));
    };
    if !dns_works {
        let found = format!("{next_hop} was not tried, because the resolver fails");
        return nothing(unknown(found));
    }
    let means = Means {
        policy: patient.policy,
        resolver: patient.resolver,
        mta_sts: None,
        config: patient.delivery,
        today: Zoned::now().date(),
    };
    let route = route::find(Sought::usual(next_hop), means).await;
    let hosts: Vec<&RouteHost> = route.decision.hosts().map(|(host, _)| host).collect();
    let targets = targets(&hosts, route.port);
    if targets.is_empty() {
        let reason = route.decision.failure().map(|failure| failure.reason.to_string());
        let reason =
            reason.unwrap_or_else(|| "it has no addresses that this machine has a way to".to_owned());
        return nothing(unknown(format!("{next_hop} could not be tried: {reason}")));
    }
    let under_way = targets.into_iter().map(async |(host, socket)| Tried {
        look: prober.look(&host, socket, route.tls).await,
        host,
        socket,
    });
    let tried = join_all(under_way).await;
    let families = [
        tried.iter().filter(of(true)).collect(),
        tried.iter().filter(of(false)).collect(),
    ];
    let [ipv4, ipv6]: [Vec<&Tried>; 2] = families;
    let findings = [judge(&ipv4, true), judge(&ipv6, ipv4.is_empty())];
    Outward {
        findings: findings.into_iter().flatten().collect(),
        seen: tried.into_iter().map(|tried| tried.look).collect(),
    }
}

fn of(is_ipv4: bool) -> impl Fn(&&Tried) -> bool {
    move |tried| tried.socket.is_ipv4() == is_ipv4
}

fn targets(hosts: &[&RouteHost], port: u16) -> Vec<(Domain, SocketAddr)> {
    let all: Vec<(Domain, IpAddr)> = hosts
        .iter()
        .filter_map(|host| Some((host.name()?.clone(), host)))
        .flat_map(|(name, host)| {
            let addresses = host.addresses().iter();
            addresses.map(move |address| (name.clone(), *address))
        })
        // A family without a way outward has a finding of its own.
        .filter(|(_, address)| has_route(*address))
        .collect();
    let some = |is_ipv4: bool| {
        let family = all
            .iter()
            .filter(move |(_, address)| address.is_ipv4() == is_ipv4);
        family.take(ADDRESSES).cloned()
    };
    some(true)
        .chain(some(false))
        .map(|(name, address)| (name, SocketAddr::new(address, port)))
        .collect()
}

/// One address that answers is enough. A family that mail does not depend on is not needed.
fn judge(tried: &[&Tried], is_needed: bool) -> Option<Finding> {
    let last = tried.last()?;
    let answered = |tried: &&&Tried| tried.look.failure.is_none();
    if let Some(Tried { host, socket, look }) = tried.iter().find(answered) {
        let tls = look.session.as_deref().unwrap_or("no TLS");
        return Some(Finding::ok(
            Subject::Port25,
            format!(
                "{host} [{}] port {} answers, with STARTTLS ({tls})",
                socket.ip(),
                socket.port()
            ),
        ));
    }
    let spoke = tried.iter().find(|tried| {
        let cause = tried.look.failure.as_ref().map(|failure| &failure.cause);
        matches!(cause, Some(Cause::Tls(_) | Cause::Smtp(_)))
    });
    let shown = spoke.unwrap_or(last);
    let failure = shown.look.failure.as_ref()?;
    let found = format!(
        "{} [{}] port {}: {}",
        shown.host,
        shown.socket.ip(),
        shown.socket.port(),
        failure.reason
    );
    let stripped = matches!(failure.cause, Cause::Tls(TlsFault::NotOffered));
    let mend = match (&failure.cause, is_needed) {
        (Cause::Tls(_), _) if stripped => {
            "a server that others reach over TLS offers none here: look for a firewall that takes STARTTLS out (\"SMTP fixup\", \
             \"ESMTP inspection\"), and switch that off"
        }
        (Cause::Tls(_) | Cause::Smtp(_), _) => {
            "port 25 is open; the server itself refuses, so try another: --probe DOMAIN"
        }
        (_, true) => {
            "port 25 is probably blocked: ask the provider of this machine to open it, or send through a smarthost (`route` in \
             [default] of the policy)"
        }
        (_, false) => {
            "mail to servers with IPv6 waits for this to time out: mend IPv6, or set delivery.address_family = \"ipv4\""
        }
    };
    let level = match &failure.cause {
        Cause::Smtp(_) => Level::Warn,
        Cause::Tls(_) => Level::Bad,
        _ if is_needed => Level::Bad,
        _ => Level::Warn,
    };
    Some(Finding::new(Subject::Port25, level, found, mend))
}

fn unknown(found: String) -> Finding {
    Finding::new(
        Subject::Port25,
        Level::Unknown,
        found,
        "--probe DOMAIN names one whose mail servers are tried",
    )
}
