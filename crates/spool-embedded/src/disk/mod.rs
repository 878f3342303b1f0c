//! The files beside the database.
//!
//! * [`lock`]: one daemon a spool.
//! * [`bodies`]: large contents.
//! * [`space`]: whether the disk has room for more. [`reserve`]: space put aside for when it has not.
//! * [`commits`]: how many transactions must be in the database.
//! * [`doubts`]: deliveries of which a crash leaves open whether they took place.

pub(crate) mod bodies;
pub(crate) mod commits;
pub(crate) mod doubts;
pub(crate) mod lock;
pub(crate) mod reserve;
pub(crate) mod space;
