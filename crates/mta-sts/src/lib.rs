//! MTA Strict Transport Security (RFC 8461): what a domain's policy is, for how long, and which hosts it allows.
//!
//! All of it is pure but for the one module that fetches.
