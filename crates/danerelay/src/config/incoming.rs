//! The sections that say how mail comes: `[listen]`, `[access]`, `[limits]`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use ipnet::{IpNet, Ipv4Net};
use mail::Domain;
use serde::{Deserialize, Serialize};
use settings_file::forms;
use settings_file::{Interval, Size};

use super::key::{AN_HOUR, HOUR, RELOAD, RESTART, section};
use super::units::{ClientKey, DomainName, Network, UserSender};
use super::values::something;

section! {
    /// Where mail comes in.
    pub(crate) struct Listen("listen") {
        /// Where clients connect, your Postfix or Exim for example: "ADDRESS:PORT". For all addresses of the machine write both
        /// "0.0.0.0:25" and "[::]:25": each is of one family alone. Sockets that systemd passes take the place of these and of
        /// smtps; one is for TLS from the first octet if its unit says FileDescriptorName=smtps.
        #[serde(deserialize_with = "forms::list::<SocketAddr, _>")]
        smtp: Vec<SocketAddr> = vec![
            SocketAddr::from((Ipv4Addr::LOCALHOST, 2525)),
            SocketAddr::from((Ipv6Addr::LOCALHOST, 2525)),
        ], "a mail server on the same machine, which has port 25 itself" => RESTART;

        /// The same with TLS from the first octet (RFC 8314), port 465 for example.
        #[serde(deserialize_with = "forms::list::<SocketAddr, _>")]
        smtps: Vec<SocketAddr> = Vec::new(), "none" => RESTART;

        /// PEM files: the certificate with its issuers behind it, and its key. With both, STARTTLS is offered (TLS 1.2 and 1.3).
        /// They are read again when they change.
        tls_certificate: PathBuf = PathBuf::new(), "none" => RELOAD;
        tls_key: PathBuf = PathBuf::new(), "none" => RELOAD;

        /// Networks whose connections start with a header of the PROXY protocol, version 2 (HAProxy's send-proxy-v2). The client
        /// that it names is the one that [access] and [limits] are about; a connection without the header is closed.
        #[serde(deserialize_with = "forms::list::<Network, _>")]
        proxy_protocol_from: Vec<Network> = Vec::new(), "none" => RELOAD;

        /// Networks that may use XCLIENT and XFORWARD, Postfix's extensions by which a proxy or filter says
        /// whose mail it passes on. With XCLIENT it can claim to be any client or user.
        #[serde(deserialize_with = "forms::list::<Network, _>")]
        xclient_from: Vec<Network> = Vec::new(), "none" => RELOAD;

        /// Whether Received says where a message came from: name and address of the client, and what it called itself. false
        /// leaves that out for all clients, so that receivers do not see from where somebody sends; the log has it.
        client_in_received: bool = true, "RFC 5321 §4.4" => RELOAD;

        /// Whether a message without Date or Message-ID gets them (RFC 6409 §8); nothing else in it changes.
        add_missing_headers: bool = false, "as Postfix (always_add_missing_headers)" => RELOAD;
    }
}

section! {
    /// Who may relay.
    pub(crate) struct Access("access") {
        /// Who may relay without authentication. By default nobody else may: an open relay is listed within hours. Networks that
        /// together are all of the public IPv4 or IPv6 are refused, and public ones shorter than /16 or /32 (IPv6) are warned of.
        #[serde(deserialize_with = "forms::list::<Network, _>")]
        networks: Vec<Network> = vec![
            Network(IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8))),
            Network(IpNet::from(IpAddr::V6(Ipv6Addr::LOCALHOST))),
        ], "this machine alone" => RELOAD;

        /// SMTP AUTH (PLAIN and LOGIN), under TLS or from loopback: a file of lines NAME:HASH, which `danerelay user add NAME`
        /// writes. Whoever is in it may relay. It is read again when it changes.
        users_file: PathBuf = PathBuf::new(), "none" => RELOAD;

        /// SHA-256 of the public keys of client certificates that may relay, in hexadecimal digits, colons allowed:
        ///   openssl x509 -in client.pem -noout -pubkey | openssl pkey -pubin -outform DER | openssl dgst -sha256
        #[serde(deserialize_with = "forms::list::<ClientKey, _>")]
        client_certificates: Vec<ClientKey> = Vec::new(), "none" => RELOAD;

        /// The only domains that senders may have; empty means any. The null sender of reports (<>) is always taken.
        #[serde(deserialize_with = "forms::list::<DomainName, _>")]
        senders: Vec<Domain> = Vec::new(), "any" => RELOAD;

        /// For these users it is these domains, in place of senders: "USER:DOMAIN", one entry for each domain of a user.
        #[serde(deserialize_with = "forms::list::<UserSender, _>")]
        user_senders: Vec<UserSender> = Vec::new(), "none" => RELOAD;
    }
}

section! {
    /// Limits for incoming mail.
    pub(crate) struct Limits("limits") {
        /// The largest message; announced as SIZE (RFC 1870).
        message_size: Size = Size(50 << 20), "what large providers take"
            => RELOAD.up_to(4 << 30, "more than 0, at most 4 GiB");

        /// Recipients of one message; RFC 5321 §4.5.3.1.8 asks for at least 100.
        recipients: u32 = 1000, "as Postfix (smtpd_recipient_limit)"
            => RELOAD.at_least_one(100_000);

        /// Client connections, in all and from one address. Where the limit of file descriptors does not allow as many, the log says so
        /// at the start, and how many are taken.
        connections: u32 = 2000, "own choice" => RELOAD.at_least_one(u32::MAX);
        connections_per_client: u32 = 500, "own choice: the one mail server in front may use many" => RELOAD.at_least_one(u32::MAX);

        /// How long a client may take for its next command; RFC 5321 §4.5.3.2.7 asks for at least five minutes.
        timeout: Interval = Interval::minutes(5), "RFC 5321 §4.5.3.2.7" => RELOAD.up_to(HOUR, AN_HOUR);

        /// A line of more than 998 octets, which SMTP does not allow (RFC 5321 §4.5.3.1.6): "fold" breaks it by a line end and a
        /// blank, as Postfix does, which also breaks a DKIM signature over it; "refuse" refuses the message, 550.
        long_lines: LongLines = LongLines::Fold, "as Postfix (smtp_line_length_limit)" => RELOAD;

        /// A line feed in content that does not end a line with CRLF: false refuses the message, 550, because servers that take
        /// it for a line end can be made to see a second message in it; true rewrites it to CRLF, for old clients. The end of
        /// a message is CRLF.CRLF in any case.
        allow_bare_lf: bool = false, "RFC 5321 §2.3.8" => RELOAD;

        /// Beyond so many queued messages clients are told to come back (452); 0: only the disk is the limit.
        queue_messages: u64 = 0, "the disk is the limit" => RESTART;

        /// With less free space than this on the spool's disk clients are told to come back (452); so is one that declares a
        /// message (SIZE) which does not fit above it.
        spool_free: Size = Size(512 << 20), "own choice: room for what is queued to be settled" => RESTART;
    }
}

/// What to do with lines that are longer than SMTP allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LongLines {
    /// They are broken.
    Fold,
    /// The message is refused.
    Refuse,
}

something!(LongLines);
