//! What is offered to a client in this state and on this connection: nothing that would be refused.

use crate::client::Client;
use crate::config::ListenerConfig;

/// Whether STARTTLS would be answered with 220 (RFC 3207 §4.2: not twice).
pub(super) fn offers_tls(config: &ListenerConfig, client: &Client) -> bool {
    config.tls.is_some() && client.tls.is_none()
}

/// Whether AUTH would be accepted: there are users, and nobody could read the password (RFC 4954 §4).
pub(super) fn offers_auth(config: &ListenerConfig, client: &Client) -> bool {
    config.users.is_some() && client.is_private() && client.user.is_none()
}

/// Whether REQUIRETLS would be accepted (RFC 8689 §2): only under TLS, and from those whose mail goes on from here.
pub(super) fn offers_require_tls(config: &ListenerConfig, client: &Client) -> bool {
    client.tls.is_some() && client.may_relay(config)
}

/// Whether the other end may name its own clients.
pub(super) fn offers_xclient(config: &ListenerConfig, client: &Client) -> bool {
    client.is_within(&config.xclient)
}

/// The reply to EHLO; every line except the last one has its CRLF.
pub(super) fn reply(config: &ListenerConfig, client: &Client) -> String {
    let limits = &config.limits;
    let mut keywords = vec![
        "PIPELINING".to_owned(),
        format!("SIZE {}", limits.message_size),
        "8BITMIME".to_owned(),
        "SMTPUTF8".to_owned(),
        "DSN".to_owned(),
        "CHUNKING".to_owned(),
        // RFC 9422 §4.2.
        format!("LIMITS RCPTMAX={}", limits.recipients),
    ];
    if offers_tls(config, client) {
        keywords.push("STARTTLS".to_owned());
    }
    if offers_auth(config, client) {
        keywords.push("AUTH PLAIN LOGIN".to_owned());
    }
    if offers_require_tls(config, client) {
        keywords.push("REQUIRETLS".to_owned());
    }
    if offers_xclient(config, client) {
        keywords.push("XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT REVERSE_NAME".to_owned());
        keywords.push("XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE".to_owned());
    }
    let mut reply = format!("250-{}\r\n", config.hostname);
    for keyword in keywords {
        reply.push_str("250-");
        reply.push_str(&keyword);
        reply.push_str("\r\n");
    }
    reply.push_str("250 ENHANCEDSTATUSCODES");
    reply
}
