//! DANE (RFC 6698, 7671, 7672) verification for rustls clients.
