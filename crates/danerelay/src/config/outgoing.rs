//! The sections that say how mail leaves: `[dns]`, `[delivery]`, `[tls]`.

use std::net::IpAddr;
use std::path::PathBuf;

use mail::{Domain, Mailbox};
use serde::{Deserialize, Serialize};
use settings_file::Interval;
use settings_file::forms;

use super::key::{AN_HOUR, Amount, HOUR, RELOAD, RESTART, Value, section};
use super::units::{self, DomainName, MailAddress, Network, Server};
use super::values::{Optional, Port, optional, something};

/// The longest that mail is tried, and between two attempts, in seconds; as Postfix (`maximal_queue_lifetime`).
const HUNDRED_DAYS: u64 = 100 * 24 * HOUR;

section! {
    /// Which resolvers are asked, and who validates.
    pub(crate) struct Dns("dns") {
        /// Who checks DNSSEC signatures:
        ///   trust-ad   the resolver does, and its AD bit is believed. It must run on this machine or be reached over TLS: anyone
        ///              on the way could set the bit. An Unbound on loopback is what a busy relay should have.
        ///   validate   danerelay does, up to trust_anchor, behind any resolver that passes signatures on.
        ///   auto       trust-ad if /etc/resolv.conf has `options trust-ad` and names only servers on loopback, none of them a
        ///              known forwarder (127.0.0.11, 127.0.0.53, 127.0.0.54), and while the self-test shows that they validate;
        ///              otherwise validate. The log says which and why.
        /// In trust-ad mode each server is believed for what it has shown itself, the last time right after the answer in question:
        /// one that does not validate is passed over, and where there is no other, mail waits.
        mode: DnsMode = DnsMode::Auto, "safe behind any resolver" => RESTART;

        /// "ADDRESS" or "ADDRESS:PORT"; "tls://NAME@ADDRESS" or "tls://NAME@ADDRESS:PORT": over TLS, with
        /// that name in its certificate and tls.webpki_roots behind it. Empty: those of /etc/resolv.conf, the first three, and those
        /// that it names later when it changes. While it names none, mail waits.
        #[serde(deserialize_with = "forms::list::<Server, _>")]
        servers: Vec<Server> = Vec::new(), "/etc/resolv.conf" => RESTART;

        /// A file of DS or DNSKEY records. Empty: the root's key-signing keys of 2017 and 2024, which are built in.
        trust_anchor: PathBuf = PathBuf::new(), "IANA's root anchors" => RESTART;

        /// Names below which signatures are not demanded: negative trust anchors (RFC 7646). They apply in validate mode. For one
        /// that ends by itself, use an exception with dnssec = "off" in the policy.
        #[serde(deserialize_with = "forms::list::<DomainName, _>")]
        domain_insecure: Vec<Domain> = Vec::new(), "none" => RELOAD;

        /// Time limit for one look-up, including its sub-queries; waiting for a free slot is not counted. Look-ups have a quarter of
        /// the file descriptors that the daemon may open (LimitNOFILE in the unit), at most 768, three each; further ones wait for
        /// their turn up to 30 s. One message has no more than 48 of them. The rest is shared by clients, deliveries, the spool and
        /// the log, each with a part of its own.
        timeout: Interval = Interval::seconds(5), "resolv.conf(5)" => RESTART.up_to(300, "more than 0, at most 5m");

        /// Room for answers that are remembered, keys and delegations included: 200 octets for each, so 40 MB by default, and at least
        /// 1 MiB. A large answer takes the room of several; one of more than a 256th of it is not kept. 0: nothing is remembered.
        cache_entries: u32 = 200_000, "own choice: the domains of a busy relay" => RESTART;

        /// The resolver is tested at the start, every five minutes, after five failed look-ups in a row, and every ten seconds while
        /// the test fails. The root must be secure, and so must one of the names in `secure`; one of those in `bogus` must be refused.
        /// Without names the root is tested with public ones, unless trust_anchor is set: then alone. A fault is an error in the log;
        /// mail is accepted all the same, and what cannot be looked up waits.
        self_test: SelfTest = SelfTest::default(), "names that are kept up for such tests" => RESTART;
    }
}

/// Who validates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum DnsMode {
    /// The resolver if that is clear from its configuration, otherwise we do.
    Auto,
    /// The resolver.
    TrustAd,
    /// We do.
    Validate,
}

/// Names with which the resolver is tested.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SelfTest {
    #[serde(deserialize_with = "forms::list::<DomainName, _>")]
    pub(crate) secure: Vec<Domain>,
    #[serde(deserialize_with = "forms::list::<DomainName, _>")]
    pub(crate) bogus: Vec<Domain>,
}

impl Value for SelfTest {
    fn amount(&self) -> Amount {
        if *self == Self::default() {
            Amount::Empty
        } else {
            Amount::Some
        }
    }
}

section! {
    /// How mail is sent on.
    pub(crate) struct Delivery("delivery") {
        /// The port of receiving servers.
        #[serde(deserialize_with = "forms::one::<Port, _>")]
        port: Port = Port::MIN.saturating_add(24), "RFC 5321 §2.3.4" => RESTART;

        /// Addresses from which connections are made; empty: the system chooses.
        #[serde(deserialize_with = "forms::list::<IpAddr, _>")]
        source_addresses: Vec<IpAddr> = Vec::new(), "the system's choice" => RESTART;

        /// Connections at a time at most: in all, to one next-hop domain, to one receiving address. A destination begins with five and
        /// gets more as it takes them, fewer when it refuses some; one that fails is probed by one message now and then.
        connections: u32 = 500, "own choice" => RELOAD.at_least_one(u32::MAX);
        connections_per_destination: u32 = 20, "as Postfix (default_destination_concurrency_limit)" => RELOAD.at_least_one(u32::MAX);
        connections_per_host: u32 = 50, "own choice: a provider's host serves many domains" => RELOAD.at_least_one(u32::MAX);

        /// Messages over one connection, for how long at most, and how long it may stand idle.
        reuse: u32 = 100, "own choice" => RESTART.at_least_one(u32::MAX);
        reuse_time: Interval = Interval::minutes(5), "as Postfix (smtp_connection_reuse_time_limit)"
            => RESTART.up_to(HOUR, AN_HOUR);
        idle: Interval = Interval::seconds(5), "own choice" => RESTART;

        /// Other names and addresses of this relay or its cluster: an MX that names one of them is a loop.
        #[serde(deserialize_with = "forms::list::<DomainName, _>")]
        own_names: Vec<Domain> = Vec::new(), "none" => RESTART;
        #[serde(deserialize_with = "forms::list::<IpAddr, _>")]
        own_addresses: Vec<IpAddr> = Vec::new(), "none" => RESTART;

        /// Networks with addresses at which no stranger receives mail: an MX record or an address literal that leads there is
        /// ignored, or mail could go round between this machine and itself. A route or fallback of the policy may lead there.
        #[serde(deserialize_with = "forms::list::<Network, _>")]
        ignore_addresses: Vec<Network> = units::nobodys(), "own choice: RFC 6890 §2.2, RFC 4291 §2.4, RFC 5771" => RESTART;

        /// any, ipv4 or ipv6; mail for hosts that have only addresses of the other family waits
        address_family: AddressFamily = AddressFamily::Any, "RFC 5321 §5.2" => RESTART;

        /// The wait after each failed attempt, lengthened by up to 20 %; the last one repeats.
        #[serde(deserialize_with = "forms::list::<Interval, _>")]
        retry: Vec<Interval> = [5, 10, 20, 40]
            .map(Interval::minutes)
            .into_iter()
            .chain([1, 2, 4].map(Interval::hours))
            .collect(), "own choice; RFC 5321 §4.5.4.1 asks for 30 minutes between attempts as a rule" => RESTART.up_to(HUNDRED_DAYS, "more than 0, at most 100d");

        /// After this the sender gets a report that its message failed (RFC 5321 §4.5.4.1 asks for four to five days).
        max_age: Interval = Interval::days(5), "RFC 5321 §4.5.4.1" => RESTART.up_to(HUNDRED_DAYS, "more than 0, at most 100d");

        /// After this the sender is told that its message is late; "0": never.
        delay_warning: Interval = Interval::hours(4), "as Exim (delay_warning is 24h there) and Sendmail" => RESTART;

        /// The same as max_age for such reports themselves.
        bounce_max_age: Interval = Interval::days(5), "as max_age" => RESTART.up_to(HUNDRED_DAYS, "more than 0, at most 100d");

        /// The From address of reports; empty: postmaster@ the hostname. Their envelope sender is always empty.
        #[serde(deserialize_with = "optional::<MailAddress, _>")]
        postmaster: Optional<Mailbox> = Optional::default(), "RFC 5321 §4.5.1" => RELOAD;
    } with {
        timeouts: Timeouts,
    }
}

section! {
    /// How long each stage may take as a whole: a server that drips octets cannot stretch it (RFC 5321 §4.5.3.2).
    pub(crate) struct Timeouts("delivery.timeouts") {
        connect: Interval = Interval::seconds(30), "as Postfix (smtp_connect_timeout)" => RESTART.up_to(HOUR, AN_HOUR);
        banner: Interval = Interval::minutes(5), "RFC 5321 §4.5.3.2.1" => RESTART.up_to(HOUR, AN_HOUR);
        ehlo: Interval = Interval::minutes(5), "as Postfix (smtp_helo_timeout)" => RESTART.up_to(HOUR, AN_HOUR);
        starttls: Interval = Interval::minutes(2), "own choice: a command and a handshake" => RESTART.up_to(HOUR, AN_HOUR);
        mail: Interval = Interval::minutes(5), "RFC 5321 §4.5.3.2.2" => RESTART.up_to(HOUR, AN_HOUR);
        rcpt: Interval = Interval::minutes(5), "RFC 5321 §4.5.3.2.3" => RESTART.up_to(HOUR, AN_HOUR);
        data: Interval = Interval::minutes(2), "RFC 5321 §4.5.3.2.4" => RESTART.up_to(HOUR, AN_HOUR);

        /// For each block of the content that makes progress; the whole must make 1 KB/s.
        body: Interval = Interval::minutes(3), "RFC 5321 §4.5.3.2.5" => RESTART.up_to(HOUR, AN_HOUR);
        final_dot: Interval = Interval::minutes(10), "RFC 5321 §4.5.3.2.6" => RESTART.up_to(HOUR, AN_HOUR);
        rset: Interval = Interval::seconds(20), "as Postfix (smtp_rset_timeout)" => RESTART.up_to(HOUR, AN_HOUR);
        quit: Interval = Interval::seconds(5), "own choice: nothing depends on it" => RESTART.up_to(HOUR, AN_HOUR);
    }
}

/// Which addresses of a host are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AddressFamily {
    /// All.
    Any,
    /// A records only.
    Ipv4,
    /// AAAA records only.
    Ipv6,
}

section! {
    /// TLS towards receiving servers.
    pub(crate) struct Tls("tls") {
        /// A PEM file of WebPKI roots. Empty: the system's, or built-in ones where the system has none.
        webpki_roots: PathBuf = PathBuf::new(), "the system's" => RESTART;

        /// Key exchange groups in the order of preference.
        groups: Vec<TlsGroup> = vec![
            TlsGroup::X25519MlKem768,
            TlsGroup::X25519,
            TlsGroup::P256,
            TlsGroup::P384,
        ], "as rustls" => RESTART.given("at least one group, like [\"X25519\"]");

        /// TLSv1.2 or TLSv1.3
        minimum: TlsVersion = TlsVersion::V12, "RFC 8996, RFC 9325 §3.1.1" => RESTART;
    }
}

/// A key exchange group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum TlsGroup {
    /// The hybrid of X25519 and ML-KEM-768.
    #[serde(rename = "X25519MLKEM768")]
    X25519MlKem768,
    /// RFC 7748.
    X25519,
    /// NIST P-256.
    #[serde(rename = "P-256")]
    P256,
    /// NIST P-384.
    #[serde(rename = "P-384")]
    P384,
}

/// The oldest version of TLS that is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum TlsVersion {
    /// RFC 5246.
    #[serde(rename = "TLSv1.2")]
    V12,
    /// RFC 8446.
    #[serde(rename = "TLSv1.3")]
    V13,
}

something!(DnsMode, AddressFamily, TlsGroup, TlsVersion);
