//! The sections of `danerelay.toml`: the whole file, and those for the queue, the administrator and reports.
//! [`incoming`](super::incoming) and [`outgoing`](super::outgoing) have the sections for incoming and outgoing mail.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use mail::{Domain, Mailbox};
use serde::{Deserialize, Serialize};
use settings_file::forms;
use settings_file::{Interval, Version};

pub(crate) use super::incoming::LongLines;
use super::incoming::{Access, Limits, Listen};
use super::key::{self, Amount, RELOAD, RESTART, Row, Value, section};
#[cfg(test)]
pub(crate) use super::log::LogLevel;
pub(crate) use super::log::{Log, LogFacility, LogFormat, LogTarget};
pub(crate) use super::outgoing::{
    AddressFamily, Delivery, Dns, DnsMode, Timeouts, Tls, TlsGroup, TlsVersion,
};
use super::units::{DomainName, MailAddress, ProxyAddress, WebAddress};
use super::values::{Optional, optional, something};

section! {
    /// danerelay.toml: the configuration of danerelay, an SMTP relay that enforces DANE (RFC 7672).
    ///
    /// Every key is shown with its default; take away the # in front of it to change it. `danerelay config check` tells what
    /// is wrong with the file and where, `danerelay config show` what is in force and why.
    ///
    /// Durations are "30s", "5m", "4h", "5d"; sizes are "50 MiB". A relative path begins at the directory of this file.
    /// Without this file the defaults hold.
    /// Keys marked (later) are known, but their function is not available in this version: setting one gives a warning, or
    /// an error where leaving the function out would lower security or lose data.
    pub(crate) struct Config("") {
        version: Version = Version, "the only version" => RELOAD;

        /// The name that danerelay says of itself in EHLO and in Received lines; it should resolve to this machine. An empty name
        /// is the system's. Others want a full name: one without a domain, localhost and addresses are warned of.
        #[serde(deserialize_with = "optional::<DomainName, _>")]
        hostname: Optional<Domain> = Optional::default(), "the system's name" => RESTART;

        /// Copies of lists with a URL, exceptions that commands add, and the MTA-STS policies of others.
        state_directory: PathBuf = "/var/lib/danerelay".into(), "Filesystem Hierarchy Standard" => RESTART;
    } with {
        listen: Listen,
        access: Access,
        limits: Limits,
        spool: Spool,
        dns: Dns,
        delivery: Delivery,
        tls: Tls,
        https: Https,
        policy: Policy,
        incidents: Incidents,
        tlsrpt: Tlsrpt,
        report: Report,
        mta_sts: MtaSts,
        log: Log,
        admin: Admin,
    }
}

impl Config {
    /// Every key with its value, in the order of the template.
    pub(crate) fn rows(&self) -> Vec<Row<'_>> {
        key::rows(self)
    }
}

section! {
    /// Where the queue is kept.
    pub(crate) struct Spool("spool") {
        /// embedded: a local directory. postgres: a database that several nodes share (later).
        store: Store = Store::Embedded, "needs nothing beside the relay" => RESTART;

        /// The directory; it must lie on a local disk that keeps what it has synced, and belong to the user that serves. root does
        /// not serve in the spool of another.
        path: PathBuf = "/var/spool/danerelay".into(), "Filesystem Hierarchy Standard" => RESTART.given("a directory");

        /// postgres://…
        url: String = String::new(), "none" => RESTART.later();
    }
}

section! {
    /// What is fetched and handed over with HTTPS: MTA-STS policies, lists, webhooks, TLS reports.
    pub(crate) struct Https("https") {
        /// A proxy through which all of it goes, except to loopback addresses, for example "http://proxy.example.nl:3128". It is
        /// asked for tunnels (CONNECT) and looks the servers up itself. Environment variables name none. Empty: directly.
        #[serde(deserialize_with = "optional::<ProxyAddress, _>")]
        proxy: Optional<https::Proxy> = Optional::default(), "none" => RESTART;
    }
}

section! {
    /// Where the policy stands.
    pub(crate) struct Policy("policy") {
        /// What is demanded of which destination. If this key is not set, the file may be missing: opportunistic DANE for all.
        file: PathBuf = "policy.toml".into(), "beside this file" => RELOAD.given("a file");
    }
}

section! {
    /// Who is told of incidents beside the log: of mail held up by security failures, and of what is wrong here. They are told when
    /// one begins, when half of the time has passed until the first message is returned, and when it is over.
    pub(crate) struct Incidents("incidents") {
        /// A mailbox that gets mail; better one whose mail does not pass through the hosts that may fail. Empty: none.
        #[serde(deserialize_with = "optional::<MailAddress, _>")]
        mail: Optional<Mailbox> = Optional::default(), "none: nobody is written to unasked" => RELOAD;

        /// A program and its arguments: it gets one JSON object on standard input, has 30 seconds, and is tried again if it fails.
        command: Vec<String> = Vec::new(), "none" => RELOAD;

        /// An https:// address that gets the same object by POST, in the same way.
        #[serde(deserialize_with = "optional::<WebAddress, _>")]
        webhook: Optional<https::Url> = Optional::default(), "none" => RELOAD;
    }
}

section! {
    /// TLS reports to the receiving side (RFC 8460): how many sessions met what it publishes, and what failed.
    pub(crate) struct Tlsrpt("tlsrpt") {
        /// Count sessions. `danerelay tlsrpt show` has what is counted.
        enabled: bool = true, "figures are there when sending is turned on" => RESTART;

        /// Send a report to each domain that wants one, every day in the first hours (UTC). It needs organization and contact, and
        /// dkim for reports by mail.
        send: bool = false, "a report needs a sender whom its receiver can reach" => RESTART;

        /// Who reports: the name of your organization, and a mail address for questions.
        organization: String = String::new(), "none" => RESTART;
        #[serde(deserialize_with = "optional::<MailAddress, _>")]
        contact: Optional<Mailbox> = Optional::default(), "none" => RESTART;

        /// From which address reports are mailed, in the domain of contact. Empty: tlsrpt@ the hostname.
        #[serde(deserialize_with = "optional::<MailAddress, _>")]
        sender: Optional<Mailbox> = Optional::default(), "tlsrpt@ the hostname" => RESTART;

        /// The key that signs mailed reports for the domain of contact: a file with PEM (PKCS#8), RSA of 2048 bits or more, or
        /// Ed25519.
        dkim: Dkim = Dkim::default(), "none" => RESTART;

        /// The datagram socket of a tlsrpt-collectd that the site runs: it is given all results, and reports for all of the
        /// site's mail servers. Then send stays off.
        collectd: PathBuf = PathBuf::new(), "none" => RESTART;
    }
}

section! {
    /// Summaries of the relay's own traffic.
    pub(crate) struct Report("report") {
        /// Mail to these domains and all below them is internal: reports count it apart.
        #[serde(deserialize_with = "forms::list::<DomainName, _>")]
        internal_domains: Vec<Domain> = Vec::new(), "none" => RESTART;

        /// How long figures are kept by domain and host, in whole days; totals are kept for ten years.
        keep: Interval = Interval::days(400), "a year can be compared with the one before" => RESTART.up_to(u64::MAX, "more than 0");
    }
}

section! {
    /// MTA-STS (RFC 8461).
    pub(crate) struct MtaSts("mta_sts") {
        /// Look policies up, and how many are remembered, in state_directory; all together may take 64 MiB. What is made of
        /// them is said in the policy file (mta_sts).
        enabled: bool = true, "it protects destinations without DNSSEC" => RESTART;
        cache_entries: u32 = 50_000, "own choice" => RESTART.at_least_one(u32::MAX);
    }
}

section! {
    /// Access for the administrator and for monitoring.
    pub(crate) struct Admin("admin") {
        /// The socket for commands to the running daemon (`danerelay queue`, `report`, `incidents`, `explain`, `danefail`,
        /// `reload`, `flush`). Its owner and group may connect, and do everything with the queue. Empty: no socket.
        socket: PathBuf = "/run/danerelay/admin.sock".into(), "Filesystem Hierarchy Standard" => RESTART;

        /// Metrics (/metrics), health (/healthz) and a status page (/), for example at "127.0.0.1:8025"; whoever can connect may read
        /// them, and nothing can be changed there.
        #[serde(deserialize_with = "optional::<SocketAddr, _>")]
        http: Optional<SocketAddr> = Optional::default(), "none: nothing listens unasked" => RESTART;
    }
}

/// Which kind of store keeps the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Store {
    /// `SQLite` on a local disk.
    Embedded,
    /// A `PostgreSQL` server that several nodes share.
    Postgres,
}

something!(Store);

/// The key with which mailed reports are signed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Dkim {
    #[serde(deserialize_with = "optional::<DomainName, _>")]
    pub(crate) domain: Optional<Domain>,
    pub(crate) selector: String,
    pub(crate) key: PathBuf,
}

impl Value for Dkim {
    fn amount(&self) -> Amount {
        if *self == Self::default() {
            Amount::Empty
        } else {
            Amount::Some
        }
    }

    fn make_absolute(&mut self, directory: &Path) {
        self.key.make_absolute(directory);
    }
}
