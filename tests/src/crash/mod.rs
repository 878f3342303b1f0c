//! The relay under load while it is killed, its power is cut, or its disk fails.
//!
//! ```text
//!  clients ──► danerelay, killed and started again ──► two sinks, one for each domain
//!     │        its spool on a disk that may fail              │
//!     └──────────────────► ledger ◄───────────────────────────┘
//! ```
//!
//! 1. [`letter`]: messages that can be recognised, whole, wherever they turn up.
//! 2. [`load`]: the clients. They live on while the relay dies, and note each 250 that they see.
//! 3. [`sink`]: the receiving servers. Some replies are slow, some are 451 or 554, and some connections end without one.
//! 4. [`ledger`]: what was acknowledged and what was delivered, by which life of the relay.
//! 5. [`relay`]: the relay, one life after another, on the same spool.
//! 6. [`trial`]: all of these put together, and the judgement at the end.

pub mod ledger;
pub mod letter;
pub mod load;
pub mod relay;
pub mod sink;
pub mod trial;
