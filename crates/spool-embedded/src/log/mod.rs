//! `SQLite`'s write-ahead log: [`frames`], how long it is, and what of it is on the disk; [`checkpoints`], how it is carried
//! over into the database, or kept.

pub(crate) mod checkpoints;
pub(crate) mod frames;
