//! What the delivery side is given beside its queue.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use delivery::route::StsLookups;
use delivery::{DeliveryConfig, RetrySchedule, Timeouts, TlsClient};
use dns::{Mode, Resolver, ResolverConfig, TrustAnchors};
use mta_sts::{HttpsFetch, Policies};
use policy::{Policy, Sources, Text};
use testworld::dns::World;
use testworld::mail::Ca;

use super::{Log, Setting};

pub fn compile(text: &str) -> Policy {
    let text = Text {
        file: Path::new("policy.toml"),
        text,
    };
    let read = |path: &Path| match path.to_str() {
        Some("danefail.list") => Ok("# broken since spring\nlisted.test # stale record\n".to_owned()),
        _ => Err(std::io::ErrorKind::NotFound.into()),
    };
    Policy::compile(&Sources {
        policy: text,
        added: None,
        read: &read,
        fetched: &|_| policy::Fetched::Never(policy::Missing::Refused),
        read_login: &|path| match path.to_str() {
            Some("smart.login") => Ok("relay\npass word\n".to_owned()),
            _ => Err(std::io::ErrorKind::NotFound.into()),
        },
        today: jiff::civil::date(2026, 11, 22),
    })
    .unwrap()
    .0
}

pub fn resolver(world: &World, mode: Mode) -> Resolver {
    if mode == Mode::TrustAd {
        world.set_role(testworld::dns::Role::Validator);
    }
    let config = ResolverConfig {
        mode,
        servers: vec![world.address().into()],
        trust_anchors: TrustAnchors::parse(&world.trust_anchor_ds().unwrap()).unwrap(),
        domain_insecure: Vec::new(),
        timeout: Duration::from_secs(5),
        cache_entries: 1000,
        sockets: 256,
    };
    Resolver::new(config).unwrap()
}

pub fn tls(webpki: Option<&Ca>, groups: &[dane::Group]) -> TlsClient {
    use dane::{ClientConfigs, TlsVersion, WebPki, provider};
    let provider = Arc::new(provider(groups));
    let webpki = webpki.map(|ca| {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(ca.certificate().clone()).unwrap();
        WebPki::new(Arc::new(roots), &provider).unwrap()
    });
    TlsClient::new(ClientConfigs::new(provider, TlsVersion::Tls12).unwrap(), webpki).unwrap()
}

/// The MTA-STS policies of the world, from hosts at this port that the authority vouches for.
pub fn policies(world: &World, ca: &Ca, port: u16, log: &Arc<Log>) -> Policies {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(ca.certificate().clone()).unwrap();
    let provider = Arc::new(dane::provider(&[dane::Group::X25519]));
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let lookups = Arc::new(StsLookups {
        resolver: resolver(world, Mode::Validate),
        ignored: Vec::new(),
    });
    let sources = mta_sts::Sources {
        txt: Arc::clone(&lookups) as _,
        fetch: Arc::new(HttpsFetch::new(https::Client::new(&client), lookups).at_port(port)),
        clock: Arc::new(mta_sts::SystemClock),
        events: Arc::clone(log) as _,
    };
    let limits = mta_sts::Limits {
        entries: 1000,
        octets: 1 << 24,
    };
    Policies::in_memory(sources, limits)
}

pub fn config(port: u16, setting: &Setting) -> DeliveryConfig {
    let limit = setting.stage_limit;
    DeliveryConfig {
        hostname: "relay.test".to_owned(),
        port,
        source_addresses: setting.source_addresses.clone(),
        connections: setting.connections,
        connections_per_destination: setting.connections_per_destination,
        connections_per_host: setting.connections_per_host,
        reuse: setting.reuse,
        own_names: vec!["own.relay.test".parse().unwrap()],
        own_addresses: Vec::new(),
        ignore_addresses: setting.ignore_addresses.clone(),
        listen: setting.listen.clone(),
        address_family: setting.address_family,
        retry: RetrySchedule {
            delays: setting.retry.clone(),
            max_age: setting.max_age,
            bounce_max_age: setting.bounce_max_age,
        },
        delay_warning: setting.delay_warning,
        timeouts: setting.timeouts.clone().unwrap_or(Timeouts {
            connect: limit,
            banner: limit,
            ehlo: limit,
            starttls: limit,
            mail: limit,
            rcpt: limit,
            data: limit,
            body: limit,
            final_dot: limit,
            rset: limit,
            quit: limit,
        }),
        counts_tls: true,
        postmaster: Arc::default(),
    }
}
