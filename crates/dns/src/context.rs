//! Where a look-up failed: for which question, in which zone, at which server.

use std::sync::Arc;

use hickory_proto::rr::{Name, RecordType};

use crate::presentation::written;

/// The most characters of one name that are shown: its beginning and its end.
const NAME: usize = 100;

/// The question, zone and server of a failure, as far as each is known.
#[derive(Debug, Clone, Default)]
pub(crate) struct Context {
    /// The name and type that were asked for.
    pub(crate) question: Option<(Name, RecordType)>,
    /// The zone whose keys or proofs are concerned.
    pub(crate) zone: Option<Name>,
    /// Who was asked.
    pub(crate) server: Option<Arc<str>>,
}

impl Context {
    /// The name and type asked for.
    pub(crate) fn asked(&self) -> String {
        match &self.question {
            Some((name, record_type)) => format!("{} {record_type}", shown(name)),
            None => "the answer".to_owned(),
        }
    }

    /// Who answered, or did not.
    pub(crate) fn server(&self) -> String {
        let server = self.server.as_deref();
        server.map_or_else(|| "the DNS server".to_owned(), shortened)
    }

    /// The zone, for a sentence that names the question.
    pub(crate) fn zone(&self) -> String {
        match (&self.zone, &self.question) {
            (Some(zone), Some((name, _))) if zone == name => "the zone".to_owned(),
            (Some(zone), _) => named(zone),
            (None, _) => "its zone".to_owned(),
        }
    }

    /// The zone, for a sentence that does not name the question.
    pub(crate) fn zone_alone(&self) -> String {
        match (&self.zone, &self.question) {
            (Some(zone), _) => named(zone),
            (None, Some((name, _))) => format!("the zone of {}", shown(name)),
            (None, None) => "the zone".to_owned(),
        }
    }
}

fn named(zone: &Name) -> String {
    if zone.is_root() {
        "the root zone".to_owned()
    } else {
        format!("the zone {}", shown(zone))
    }
}

/// A name without its final dot; if very long, only its beginning and end.
pub(crate) fn shown(name: &Name) -> String {
    let text = written(name);
    shortened(text.strip_suffix('.').unwrap_or("."))
}

/// Printable ASCII, and not long.
pub(crate) fn shortened(text: &str) -> String {
    let printable: Vec<char> = text
        .chars()
        .map(|c| if matches!(c, ' '..='~') { c } else { '?' })
        .collect();
    let half = NAME / 2;
    match (printable.get(..half), printable.len().checked_sub(half)) {
        (Some(begin), Some(end)) if printable.len() > NAME => begin
            .iter()
            .chain(&['.'; 3])
            .chain(printable.get(end..).unwrap_or_default())
            .collect(),
        _ => printable.iter().collect(),
    }
}
