//! SMTP TLS reports (RFC 8460): what the operators of receiving servers are told about sessions that met their policies
//! and sessions that did not.
//!
//! A tour, in the order in which a report comes about:
//!
//! * [`record`]: [`Record`] and [`Place`]: who wants reports about a domain, and where.
//! * [`reporter`]: [`Reporter`]: who reports; [`dkim`]: [`Signer`]: the key that signs mailed reports.
//! * [`report`]: [`Report`]: what was counted in one day ([`mail::tls_results`]), written down as JSON and packed.
//! * [`message`]: [`ReportMail`]: a report as mail; [`post`]: a report handed to a web server.
//! * [`collectd`]: the results of one message as a datagram for a `tlsrpt-collectd` that a site already runs.
//! * [`read`](mod@read): [`Reading`]: a report of others, taken out of its mail and its compression, and what it means in words;
//!   [`meaning`]: what each kind of failure says and what to do about it.
//!
//! This crate makes no decisions, looks nothing up, and counts nothing. It reads the clock only for the time of a DKIM
//! signature. What comes from others is bounded before it is taken.

pub mod collectd;
pub mod dkim;
mod gzip;
pub mod meaning;
pub mod message;
pub mod post;
pub mod read;
pub mod record;
pub mod report;
pub mod reporter;

pub use dkim::{KeyFault, SignFault, Signer};
pub use gzip::GzipFault;
pub use message::ReportMail;
pub use read::{ReadFault, Reading};
pub use record::{Place, PlaceFault, Record, RecordFault, is_about_reports, published, record_name};
pub use report::{Packed, Report, Written};
pub use reporter::{Reporter, ReporterFault};
