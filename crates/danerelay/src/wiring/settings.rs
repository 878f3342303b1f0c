//! From the configuration to the settings of each crate.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use delivery::{DeliveryConfig, RetrySchedule, Reuse, Timeouts, Windows};
use dns::host::AddressFamily;
use ipnet::IpNet;
use listener::{ClientInReceived, ListenerConfig, LoneLf, MissingFields};
use mail::{Domain, Mailbox};

use super::clients;
use super::descriptors::Descriptors;
use super::error::WiringError;
use crate::config::Config;
use crate::config::schema;
use crate::config::units::{Network, UserSender};

/// Our own name: the configured one, or the system's.
pub(crate) fn hostname(config: &Config) -> Result<Domain, WiringError> {
    if let Some(name) = &config.hostname.0 {
        return Ok(name.clone());
    }
    let system = hostname::get().map_err(WiringError::NoHostname)?;
    let text = system.to_string_lossy();
    Domain::parse(&text).map_err(|cause| WiringError::Hostname {
        name: text.into_owned(),
        cause,
    })
}

/// The listener's settings. Reads the files that they name.
pub(crate) fn listener(config: &Config, hostname: &Domain) -> Result<ListenerConfig, WiringError> {
    let postmaster = match &config.delivery.postmaster.0 {
        Some(mailbox) => mailbox.clone(),
        None => Mailbox::parse(&format!("postmaster@{hostname}")).map_err(WiringError::Postmaster)?,
    };
    Ok(ListenerConfig {
        networks: networks(&config.access.networks),
        users: clients::users(config)?,
        client_keys: config
            .access
            .client_certificates
            .iter()
            .map(|key| key.0)
            .collect(),
        senders: config.access.senders.clone(),
        user_senders: user_senders(&config.access.user_senders),
        tls: clients::server_tls(config)?,
        proxies: networks(&config.listen.proxy_protocol_from),
        xclient: networks(&config.listen.xclient_from),
        client_in_received: if config.listen.client_in_received {
            ClientInReceived::Named
        } else {
            ClientInReceived::LeftOut
        },
        missing_fields: if config.listen.add_missing_headers {
            MissingFields::Add
        } else {
            MissingFields::Leave
        },
        limits: limits(config),
        ..ListenerConfig::new(hostname.clone(), postmaster)
    })
}

/// How much is accepted from clients.
fn limits(config: &Config) -> listener::Limits {
    let limits = &config.limits;
    listener::Limits {
        message_size: limits.message_size.0,
        recipients: count(limits.recipients),
        connections: Descriptors::of_this_process().for_clients(config),
        connections_per_client: count(limits.connections_per_client),
        timeout: limits.timeout.0,
        long_lines: match limits.long_lines {
            schema::LongLines::Fold => listener::LongLines::Fold,
            schema::LongLines::Refuse => listener::LongLines::Refuse,
        },
        lone_lf: if limits.allow_bare_lf {
            LoneLf::Rewrite
        } else {
            LoneLf::Refuse
        },
    }
}

/// The domains of each user that is listed.
fn user_senders(list: &[UserSender]) -> HashMap<String, Vec<Domain>> {
    let mut senders: HashMap<String, Vec<Domain>> = HashMap::new();
    for one in list {
        senders
            .entry(one.user.clone())
            .or_default()
            .push(one.domain.clone());
    }
    senders
}

/// The settings for deliveries; `listen` is where this relay listens.
pub(crate) fn delivery(config: &Config, hostname: &Domain, listen: Vec<SocketAddr>) -> DeliveryConfig {
    let delivery = &config.delivery;
    let windows = windows(config);
    DeliveryConfig {
        hostname: hostname.to_string(),
        port: delivery.port.get(),
        source_addresses: delivery.source_addresses.clone(),
        connections: windows.connections,
        connections_per_destination: windows.per_destination,
        connections_per_host: windows.per_host,
        reuse: Reuse {
            messages: delivery.reuse,
            time: delivery.reuse_time.0,
            idle: delivery.idle.0,
        },
        own_names: delivery.own_names.clone(),
        own_addresses: delivery.own_addresses.clone(),
        ignore_addresses: networks(&delivery.ignore_addresses),
        listen,
        address_family: match delivery.address_family {
            schema::AddressFamily::Any => AddressFamily::Any,
            schema::AddressFamily::Ipv4 => AddressFamily::Ipv4,
            schema::AddressFamily::Ipv6 => AddressFamily::Ipv6,
        },
        retry: retry(config),
        delay_warning: Some(delivery.delay_warning.0).filter(|age| !age.is_zero()),
        timeouts: timeouts(&delivery.timeouts),
        counts_tls: config.tlsrpt.enabled,
        postmaster: Arc::new(ArcSwapOption::new(postmaster(config))),
    }
}

pub(crate) fn networks(list: &[Network]) -> Vec<IpNet> {
    list.iter().map(|network| network.0).collect()
}

/// How many connections and deliveries may run at once.
pub(crate) fn windows(config: &Config) -> Windows {
    let delivery = &config.delivery;
    Windows {
        connections: Descriptors::of_this_process().for_deliveries(config),
        per_destination: count(delivery.connections_per_destination),
        per_host: count(delivery.connections_per_host),
    }
}

/// When a deferred recipient is tried again, and when it is given up.
pub(crate) fn retry(config: &Config) -> RetrySchedule {
    let delivery = &config.delivery;
    RetrySchedule {
        delays: delivery.retry.iter().map(|step| step.0).collect(),
        max_age: delivery.max_age.0,
        bounce_max_age: delivery.bounce_max_age.0,
    }
}

/// The `From` address of reports to senders.
pub(crate) fn postmaster(config: &Config) -> Option<Arc<Mailbox>> {
    config.delivery.postmaster.0.clone().map(Arc::new)
}

fn timeouts(stages: &schema::Timeouts) -> Timeouts {
    Timeouts {
        connect: stages.connect.0,
        banner: stages.banner.0,
        ehlo: stages.ehlo.0,
        starttls: stages.starttls.0,
        mail: stages.mail.0,
        rcpt: stages.rcpt.0,
        data: stages.data.0,
        body: stages.body.0,
        final_dot: stages.final_dot.0,
        rset: stages.rset.0,
        quit: stages.quit.0,
    }
}

fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
