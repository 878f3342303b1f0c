//! What follows from what was seen: each thing that is wrong, will be wrong, or could be better, and how to mend it. Pure: the
//! same observation on the same day gives the same findings.
//!
//! [`finding`]: one of them, and [`code`], the closed list of them. [`all`] makes them: [`mx`]: the domain and its MX records;
//! [`host`]: addresses, names and name servers of its hosts; [`records`]: their TLSA records; [`session`]: what their servers
//! did; [`policies`]: MTA-STS and TLSRPT; each adds to what was [`gathered`].

mod all;
mod code;
mod finding;
mod gathered;
mod host;
mod mx;
mod policies;
mod records;
mod session;

pub(crate) use all::findings;
pub(crate) use code::{Code, Severity};
pub(crate) use finding::Finding;

#[cfg(test)]
mod tests;
