//! DNS look-ups, each with its DNSSEC status.
//!
//! A relay that enforces DANE must know for every answer whether it is secure, insecure or missing (RFC 7672 §2.1). This
//! crate translates the statuses of the DNS library, or of a validating resolver nearby, into [`Security`](mail::Security)
//! and [`LookupFailure`](mail::LookupFailure) in one place; a [`NoAnswer`] adds what failed and where. A tour:
//!
//! 1. [`config`]: who validates ([`Mode`]), which servers are asked and how ([`server`]), what the system says of them
//!    ([`resolv_conf`]), where validation ends ([`anchor`]).
//! 2. [`Resolver`]: follows aliases hop by hop, keeps answers for their time, sets one deadline for everything.
//! 3. [`answer`]: what a look-up gives: records or the kind of their absence, with the weakest status of all hops;
//!    [`Alias`]: one of those hops.
//! 4. [`mx`] and [`host`]: the two discoveries that a delivery needs, as facts. What follows from them is decided elsewhere.
//! 5. [`self_test`]: whether the resolver validates at all, and if not, what exactly is wrong (`fault`). A server whose AD bit is
//!    to be believed must show it before its first answer counts, and after each that comes without the bit (`belief`).
//! 6. [`direct`]: one question to one server of a zone; it and what a signature says ([`Signed`]) are for people, never for a
//!    decision.
//!
//! Inside, `lookups` makes one look-up with its `cache` and its hops; `state` is what may change meanwhile. `asked` says in
//! which form an answer is wanted and how much of it is used, `weight` how much memory it takes; `counts` what is told to metrics. Each hop is one question:
//! `hop` reads what exists at exactly the name asked for; `validate` decides its status here, `trusting` believes the AD
//! bit; `upstream` asks the servers, those with TLS over a `channel`. `places` limits how much of this is in progress at
//! once, together with the `sockets` of each look-up. `algorithm` says which signatures count, `digest` which key a DS
//! record refers to, `question` which types can be asked for, `presentation` how names and data are written. A `diagnosis`
//! says why there is no answer: a `flaw` of signatures and proofs, or an `outage`, with where it was (`context`) and what
//! the server wrote (`extended`).
//!
//! It never takes a failure for an absence, never uses search lists, and never asks for TLSA records before the addresses.

mod algorithm;
mod alias;
pub mod anchor;
mod anchor_lines;
pub mod answer;
mod asked;
mod belief;
mod budget;
mod cache;
mod channel;
pub mod config;
mod context;
mod counts;
mod diagnosis;
mod digest;
pub mod direct;
mod extended;
mod failure;
mod fault;
mod flaw;
mod flight;
mod hop;
pub mod host;
mod lookups;
pub mod mx;
mod outage;
mod places;
mod presentation;
mod question;
mod record;
pub mod resolv_conf;
mod resolver;
pub mod self_test;
pub mod server;
mod sockets;
mod state;
mod subtrees;
mod trusting;
mod upstream;
mod validate;
mod weight;

pub use alias::Alias;
pub use anchor::{AnchorError, AnchorProblem, TrustAnchors};
pub use answer::{Answer, Data, Exchange, Lookup, MxRecord, Signed};
pub use belief::Expected;
pub use budget::Cost;
pub use config::{Choice, Mode, Reason, ResolverConfig, ResolverError};
pub use counts::{CountedType, LookupCounts};
pub use diagnosis::Diagnosis;
pub use extended::ExtendedError;
pub use failure::NoAnswer;
pub use question::QuestionError;
pub use resolver::Resolver;
pub use server::{Server, TlsServer};
#[doc(hidden)]
pub use validate::fuzzing;
