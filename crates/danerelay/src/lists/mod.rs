//! Lists of domains with a URL: fetched over HTTPS, with a copy of each on disk.
//!
//! * [`copies`]: the last good copy of each list, in the state directory, with what the server recognises it by.
//! * [`fetcher`]: fetches a list, and decides whether what came may replace the copy.
//!
//! The daemon fetches in the background; deliveries only ever see copies.

mod copies;
mod fetcher;

pub(crate) use copies::Copies;
pub(crate) use fetcher::{FetchError, Fetcher, News};
