//! `SQLite`'s write-ahead log: [`frames`], how long it is, and how much of it is on the disk; [`checkpoints`], how it is
//! copied into the database, or kept.

pub(crate) mod checkpoints;
pub(crate) mod frames;
