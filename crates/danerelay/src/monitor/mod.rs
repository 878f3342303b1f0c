//! For whoever watches the relay: metrics, health and a status page, on the address of `admin.http`.
//!
//! * [`metrics`]: what is counted of events, in atomic numbers without a lock; [`metering`] sees the events pass.
//!   [`counts`]: numbers by the values of a label. [`lately`]: how long deliveries to each domain took in the last hour.
//!   [`told`]: the TLS reports that went out.
//! * [`census`]: how the queue, the incidents and the destinations stand, taken now and then; [`month`]: the last 30 days of
//!   the ledger, taken more rarely. Requests read what was taken last, however large the queue is. [`sources`]: where all of
//!   it is taken from, and the task that takes it.
//! * [`exposition`]: the text format of Prometheus; [`render`]: every metric, with its help. [`page`]: the status page.
//! * [`server`]: HTTP, bounded in connections, octets and seconds; [`places`]: who is served at once; [`answers`]: what each path answers, and to whom.
//!
//! Nothing here changes anything, and no request reads the spool.

mod answers;
mod census;
mod counts;
mod exposition;
mod lately;
mod metering;
mod metrics;
mod month;
mod page;
mod places;
mod render;
mod server;
mod sources;
mod told;

pub(crate) use metering::Metering;
pub(crate) use metrics::Metrics;
pub(crate) use server::{bind, serve};
pub(crate) use sources::{Monitor, Sources};
pub(crate) use told::TlsReportEnds;
