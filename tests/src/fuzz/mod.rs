//! Fuzz targets: each takes any octets and asserts what must hold of them, whatever they are.
//!
//! The same bodies serve twice. A fuzzer calls them through `tests/fuzz` (`cargo +nightly fuzz run TARGET`, with
//! cargo-fuzz, in `tests/`); the ordinary tests run them over the corpora in `tests/fuzz/corpus` and over
//! [mutations](mutate) of these. An input that has found a fault joins the corpus of its target.
//!
//! | target | what is given | what must hold |
//! |---|---|---|
//! | [`tlsa_rdata`] | RDATA, or a record as text | fields are kept, the text form comes back, usability is that of RFC 7672 |
//! | [`verifier`] | certificates and TLSA records | what verifies has a record of the set that really matches |
//! | [`dns_answer`] | a DNS message, and which of its records are secure | nothing secure without secure records; what is not secure changes nothing |
//! | [`trust_anchors`] | a file of trust anchors | errors name a line, files join, line ends do not matter |
//! | [`resolv_conf`] | a resolv.conf | what concerns us is found beside anything else, and the rest is told in few printable words |
//! | [`smtp_reply`] | what a server sends | replies do not depend on packets, are one line in the log and come back |
//! | [`smtp_request`] | what a client sends | lines do not depend on packets, commands come back |
//! | [`smtp_session`] | all that a client sends | packets make no difference; mail is taken whole, well formed, and only from whom it may be |
//! | [`smtp_data`] | content on the wire | one end of data, stuffing undone, faults noticed |
//! | [`seven_bit`](fn@seven_bit) | content with octets above 127 | its new form is 7-bit, and none of its own |
//! | [`policy_file`] | a policy file | errors name their place, what compiles answers every question |
//! | [`policy_list`] | a list of domains | exactly the names written are found, each on its line |
//! | [`mta_sts_record`] | TXT records | other records change nothing, one twice is none |
//! | [`mta_sts_policy`] | an MTA-STS policy | line ends make no difference, its lines come back, the star is one label |
//! | [`tlsrpt_record`] | TXT records | other records change nothing, one twice is none, places come back |
//! | [`tlsrpt_report`] | a TLS report in any form | what is kept is bounded, a mark before it changes nothing, every failure has a meaning |
//! | [`mailbox`] | an address, a domain, a next hop | what parses is printed in a form that parses to the same |
//! | [`event`] | values of a log event | one line, nothing forged, everything can be read back |
//! | [`dsn`] | a report and an original | 7-bit lines of bounded length, three parts, one group a recipient |

mod anchors;
mod answer;
mod content;
mod event;
mod input;
mod mailbox;
mod mta_sts;
pub mod mutate;
mod policy;
mod record;
mod reply;
mod report;
mod request;
mod resolv_conf;
mod session;
mod seven_bit;
mod tlsa;
mod tlsrpt;
mod verifier;

pub use anchors::trust_anchors;
pub use answer::dns_answer;
pub use content::smtp_data;
pub use event::event;
pub use mailbox::mailbox;
pub use mta_sts::{mta_sts_policy, mta_sts_record};
pub use policy::{policy_file, policy_list};
pub use reply::smtp_reply;
pub use report::dsn;
pub use request::smtp_request;
pub use resolv_conf::resolv_conf;
pub use session::smtp_session;
pub use seven_bit::{converted, letter, seven_bit};
pub use tlsa::tlsa_rdata;
pub use tlsrpt::{tlsrpt_record, tlsrpt_report};
pub use verifier::{Recipe, verifier, verifies};

/// The body of a target. It panics where something does not hold.
pub type Target = fn(&[u8]);

/// Every target with its name, which is also that of its corpus.
pub const TARGETS: [(&str, Target); 19] = [
    ("tlsa_rdata", tlsa_rdata),
    ("verifier", verifier),
    ("dns_answer", dns_answer),
    ("trust_anchors", trust_anchors),
    ("resolv_conf", resolv_conf),
    ("smtp_reply", smtp_reply),
    ("smtp_request", smtp_request),
    ("smtp_session", smtp_session),
    ("smtp_data", smtp_data),
    ("seven_bit", seven_bit),
    ("policy_file", policy_file),
    ("policy_list", policy_list),
    ("mta_sts_record", mta_sts_record),
    ("mta_sts_policy", mta_sts_policy),
    ("tlsrpt_record", tlsrpt_record),
    ("tlsrpt_report", tlsrpt_report),
    ("mailbox", mailbox),
    ("event", event),
    ("dsn", dsn),
];
