//! The relay between real programs. The library's tour shows how they are connected.
//!
//! 1. [`judges`]: Postfix's own DANE client and OpenSSL find in this small internet what the relay is to find.
//! 2. [`secured`]: destinations with TLSA records, right and wrong, with each make of server on each side.
//! 3. [`weaker`]: destinations that DANE protects less or not at all.
//! 4. [`dns`]: forged answers, and a resolver that must not be believed.
//! 5. [`clients`]: who may hand mail to the relay.
//! 6. [`handover`]: real clients, each in its own way.
//! 7. [`reload`]: a policy that changes while mail waits.
//! 8. [`reports`]: what senders are told, read by a mail client's parser.
//! 9. [`receivers`]: servers that take few connections, few recipients, or nothing from strangers at first.
//! 10. [`smtpd`]: the listener's verdicts beside those of Postfix's own server.
//! 11. [`smuggling`]: second messages hidden in the content of a first.
//! 12. [`syslog`]: the log as a real rsyslog gets it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod clients;
mod dns;
mod handover;
mod judges;
mod receivers;
mod reload;
mod reports;
mod secured;
mod smtpd;
mod smuggling;
mod syslog;
mod weaker;

/// Whether the tests with OpenSMTPD are left out: `tests/run` could not bring one.
fn is_opensmtpd_left_out() -> bool {
    let is_left_out = std::env::var_os("DANERELAY_SKIP_OPENSMTPD").is_some_and(|value| value == "1");
    if is_left_out {
        eprintln!("left out: there is no OpenSMTPD");
    }
    is_left_out
}
