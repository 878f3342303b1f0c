//! What the settings name, built from them, for the daemon and the commands alike.
//!
//! [`store`]: the spool.

pub(crate) mod store;
