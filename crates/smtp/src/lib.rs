//! SMTP grammar and protocol state, without I/O.
