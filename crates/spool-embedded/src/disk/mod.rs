//! The files beside the database.
//!
//! * [`lock`]: one daemon per spool.
//! * [`bodies`]: large contents.
//! * [`space`]: whether the disk has room for more. [`reserve`]: space kept for when it does not.
//! * [`commits`]: how many transactions must be in the database.
//! * [`doubts`]: deliveries that may or may not have taken place when the process crashed.

pub(crate) mod bodies;
pub(crate) mod commits;
pub(crate) mod doubts;
pub(crate) mod lock;
pub(crate) mod reserve;
pub(crate) mod space;
