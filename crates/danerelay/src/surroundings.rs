//! Where a configuration does not fit the machine, although the file itself is valid.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::Path;

use jiff::Zoned;
use mail::NextHop;
use policy::Policy;
use rustix::fs::statvfs;
use settings_file::Size;

use crate::access::words;
use crate::config::remarks::Hello;
use crate::config::schema::DnsMode;
use crate::config::{Config, Loaded, LogTarget};
use crate::ownership::{self, OwnershipError};
use crate::wiring::settings;

/// Sockets and files that the daemon has open in addition to its connections.
const OTHER_DESCRIPTORS: u64 = 300;

/// Everything that does not fit, checked without starting the daemon.
pub(crate) fn remarks(loaded: &Loaded, policy: &Policy) -> Vec<String> {
    let config = &loaded.config;
    let mut remarks = Vec::new();
    let mut add = |key: &str, remark: String| remarks.push(loaded.remark(key, &remark));
    if let Some(remark) = host_name(config) {
        add("hostname", remark);
    }
    if config.listen.smtp.is_empty() && config.listen.smtps.is_empty() {
        let remark =
            "`listen.smtp` is empty: no mail is taken unless systemd passes sockets (danerelay.socket)";
        add("listen.smtp", remark.to_owned());
    }
    let listens = config.listen.smtp.iter().map(SocketAddr::ip);
    let sources = config.delivery.source_addresses.iter().copied();
    for (key, address) in listens
        .map(|address| ("listen.smtp", address))
        .chain(sources.map(|address| ("delivery.source_addresses", address)))
        .filter(|(key, _)| loaded.is_written(key))
    {
        if let Some(remark) = not_ours(key, address) {
            add(key, remark);
        }
    }
    if let Some(remark) = spool(loaded) {
        add("spool.path", remark);
    }
    if let Some(remark) = room(config) {
        add("limits.spool_free", remark);
    }
    if let Some(remark) = log_place(&config.log.target) {
        add("log.target", remark);
    }
    for next_hop in policy.routed_to().filter(|next_hop| is_own(config, next_hop)) {
        let remark = format!(
            "the policy sends mail to {next_hop}, where this relay itself listens: it would go round"
        );
        add("policy.file", remark);
    }
    if config.dns.mode == DnsMode::TrustAd {
        for anchor in policy.negative_trust_anchors(Zoned::now().date()) {
            let remark = format!(
                "the exception from DNSSEC for {:?} has no effect with `dns.mode = \"trust-ad\"`: it belongs into the \
                 resolver's configuration",
                anchor.name.as_str()
            );
            add("policy.file", remark);
        }
    }
    remarks
}

/// Whether this relay listens at the address that a route names. What a name leads to is not looked up here.
fn is_own(config: &Config, next_hop: &NextHop) -> bool {
    let NextHop::Address { address, port } = next_hop else {
        return false;
    };
    let (address, port) = (
        address.to_canonical(),
        port.unwrap_or(config.delivery.port.into()),
    );
    let mut listens = config.listen.smtp.iter().chain(&config.listen.smtps);
    listens.any(|listen| {
        let at = listen.ip().to_canonical();
        listen.port() == port && (at == address || (at.is_unspecified() && address.is_loopback()))
    })
}

/// Why `serve` would not start with this spool, or that a spool that was named does not exist yet. Root, who only
/// checks, is not warned that it belongs to another user: it should.
fn spool(loaded: &Loaded) -> Option<String> {
    let path = &loaded.config.spool.path;
    let shown = path.display();
    match ownership::examine(path) {
        Ok(()) | Err(OwnershipError::Unmade(_)) if path.exists() || !loaded.is_written("spool.path") => None,
        Ok(()) | Err(OwnershipError::Unmade(_)) => Some(format!(
            "`spool.path`: {shown} does not exist; `serve` makes it if its user may"
        )),
        Err(OwnershipError::Foreign { .. }) => None,
        Err(cause @ OwnershipError::NoDirectory) => Some(format!("`spool.path`: {shown}: {cause}")),
        Err(cause @ OwnershipError::Denied(_)) => Some(format!(
            "`spool.path`: run by this user `serve` would end at once: {cause}"
        )),
    }
}

/// What is wrong with the system's host name, if we use it.
pub(crate) fn host_name(config: &Config) -> Option<String> {
    if config.hostname.0.is_some() {
        return None;
    }
    let name = settings::hostname(config).ok()?;
    let fault = Hello::of(name.as_str())?;
    Some(format!(
        "the system's name is {:?}, {fault}; set `hostname`",
        name.as_str()
    ))
}

/// What cannot be served at once with this many open files.
pub(crate) fn descriptors(config: &Config, most: u64) -> Option<String> {
    let connections = u64::from(config.limits.connections) + u64::from(config.delivery.connections);
    let needed = connections + OTHER_DESCRIPTORS;
    (most < needed).then(|| {
        format!(
            "at most {most} files and sockets can be open, and `limits.connections` with `delivery.connections` may need \
             {needed}: raise the limit (LimitNOFILE= in the unit, `ulimit -Hn`), or lower the two"
        )
    })
}

/// The source addresses from which no connection could be made now.
pub(crate) fn source_addresses(config: &Config) -> Vec<String> {
    let sources = config.delivery.source_addresses.iter();
    sources
        .filter_map(|address| not_ours("delivery.source_addresses", *address))
        .collect()
}

fn not_ours(key: &str, address: IpAddr) -> Option<String> {
    let error = UdpSocket::bind((address, 0)).err()?;
    Some(format!(
        "`{key}` has {address}, which is no address of this machine now: {}",
        words(&error)
    ))
}

/// Whether the disk is smaller than the space that must stay free on it, or has less free space now.
fn room(config: &Config) -> Option<String> {
    let disk = statvfs(&config.spool.path).ok()?;
    let octets = |blocks: u64| Size(blocks.saturating_mul(disk.f_frsize));
    let (all, left, kept) = (
        octets(disk.f_blocks),
        octets(disk.f_bavail),
        config.limits.spool_free,
    );
    let path = config.spool.path.display();
    if all < kept {
        Some(format!(
            "`limits.spool_free` is {kept}, and the disk of {path} has {all} in all: no mail will be taken"
        ))
    } else if left < kept {
        Some(format!(
            "`limits.spool_free` is {kept}, and the disk of {path} has {left} left: no mail is taken now"
        ))
    } else {
        None
    }
}

fn log_place(target: &LogTarget) -> Option<String> {
    let (path, what) = match target {
        LogTarget::Stderr => return None,
        LogTarget::Syslog => (
            Path::new("/dev/log"),
            "nothing takes what is sent to syslog: there is no",
        ),
        LogTarget::Journald => (
            Path::new("/run/systemd/journal/socket"),
            "nothing takes what is sent to the journal: there is no",
        ),
        LogTarget::File(file) => (file.parent()?, "`log.target`: there is no directory"),
    };
    (!path.exists()).then(|| format!("{what} {}", path.display()))
}
