//! One exchange with a web server over HTTPS (RFC 9110, RFC 2818), bounded in time and octets.
//!
//! * [`Url`]: an `https://` address.
//! * [`Client::get`] fetches something, or learns that it has not changed ([`Validators`]); [`Client::post`] hands
//!   something over.
//! * [`Proxy`]: through which a client goes where there is no direct way out.
//! * [`Failure`]: whose fault it is that nothing came of it; [`CertificateFlaw`]: what is wrong with a certificate.
//!
//! The caller says which roots are trusted, and at which addresses the server is: this crate looks nothing up and reads
//! no file and no environment; only a proxy is found by its name, and looks the servers up. Each exchange has a connection
//! of its own. Redirects are not followed: where the content is to come from is decided by who writes the address down.
//! Nothing is decompressed, so what is read is never more than what was sent.

mod any_server;
mod certificate;
mod client;
mod failure;
mod proxy;
mod url;

pub use certificate::CertificateFlaw;
pub use client::{Bounds, Client, Content, Got, Target, Validators};
pub use failure::Failure;
pub use proxy::{Proxy, ProxyError};
pub use url::{Url, UrlError};
