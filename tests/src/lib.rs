//! A small internet of real programs, to test the relay with its real peers.
//!
//! ```text
//!  sendmail ─► Postfix ─► danerelay ─────────────► Postfix ─► Maildir
//!             or Exim     127.0.0.1:2525           or Exim
//!             127.0.0.2                            192.0.2.25:25
//!                             │ DNS
//!                             ▼
//!                          Unbound ─────► Knot, zones signed by BIND's tools
//!                          127.0.0.1:53   127.0.0.53:53
//! ```
//!
//! The rooms, in the order in which a test walks through them:
//!
//! 1. [`arena`]: every test runs in network, mount and process [`namespaces`] of its own, so port 25 and port 53
//!    are free to use, `/etc/resolv.conf` can be replaced, and nothing outlives the test.
//! 2. [`certificates`]: a private authority, the receiving server's certificate, and TLSA records for both.
//! 3. [`zones`]: a signed tree from a private root down, served by Knot; a zone can be changed while it runs.
//! 4. [`resolver`]: Unbound, validating up to the private root, or a plain one that vouches for nothing.
//! 5. [`server`]: what a test asks of a mail server; [`postfix`], [`exim`] and [`opensmtpd`]: complete instances,
//!    configured from nothing, some of them [`unpacked`] and with [`accounts`] of the arena; [`make`]: any of them;
//!    [`postgrey`]: a greylisting server for Postfix. What leads Postfix and Exim to the relay is taken from the [`manual`].
//! 6. [`relay`]: the relay under test: its configuration, its queue, and its [`log`].
//! 7. [`letter`]: a message with everything that transport likes to spoil, and the comparison on arrival; [`burst`]: many
//!    small ones at once.
//! 8. [`report`]: a delivery status notification as a mail client's parser reads it.
//! 9. [`world`]: all of these put together, before any relay; [`stage`]: with the relay in the middle.
//! 10. [`system`]: a system on which the relay was just installed, to run it by its defaults or as its [`unit`] says.
//!
//! [`crash`] is another world: the relay under load, killed, without power, with a disk that fails; [`powerloss`] is that
//! disk.
//!
//! [`fuzz`] stands apart: what must hold of any octets, for a fuzzer and for the ordinary tests.
//!
//! [`namespaces`], [`process`] and [`wait`] serve them all: no sleep is longer than 50 ms, and no wait is without a limit.
//!
//! The peer tests need root, the programs in [`arena::PROGRAMS`], Exim and OpenSMTPD; `tests/run` brings them. Where something is
//! missing they fail and say what; `DANERELAY_SKIP_PEERS=1` skips them. The relay is taken from `DANERELAY_BIN`, else
//! built first. With `DANERELAY_KEEP=1` the files of a test are kept for reading.

// A harness reports by failing the test that uses it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]
#![allow(clippy::missing_panics_doc)]

pub mod accounts;
pub mod arena;
pub mod burst;
pub mod certificates;
pub mod crash;
pub mod exim;
pub mod fuzz;
pub mod letter;
pub mod log;
pub mod make;
pub mod manual;
pub mod namespaces;
pub mod opensmtpd;
pub mod postfix;
pub mod postgrey;
pub mod powerloss;
pub mod process;
pub mod relay;
pub mod report;
pub mod resolver;
pub mod server;
pub mod stage;
pub mod system;
pub mod unit;
pub mod unpacked;
pub mod wait;
pub mod world;
pub mod zones;
