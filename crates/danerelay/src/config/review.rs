//! Checks values against what their keys declare besides the type: what the value must satisfy, and whether this
//! version supports the key.
//!
//! A key that is not supported yet is accepted with a warning, so that one file serves several versions. Where ignoring it
//! would lower security or lose data, it is an error: today that is `spool.store` alone.

use settings_file::{Document, FileError};

use super::key::{self, Amount, Demand, Function, Row};
use super::schema::{Config, Store};

const NOT_AVAILABLE: &str = "not available in this version";

/// The findings.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) errors: Vec<FileError>,
    pub(super) warnings: Vec<FileError>,
}

/// Checks every key by itself.
pub(super) fn review(document: &Document<'_>, config: &Config) -> Findings {
    let mut findings = Findings::default();
    for row in config.rows() {
        let dotted = row.dotted();
        if let Some(allowed) = demanded(&row) {
            findings.errors.push(document.other_form(&dotted, &allowed));
        } else if document.has(&dotted) && row.value.amount() == Amount::Some {
            match row.key.rule.function {
                Function::Available => {}
                Function::Later => {
                    let message = format!("`{dotted}`: {NOT_AVAILABLE}");
                    findings.warnings.push(document.remark_at(&dotted, message));
                }
            }
        }
    }
    match config.spool.store {
        Store::Embedded => {}
        Store::Postgres => findings.errors.push(document.remark_at(
            "spool.store",
            format!("`spool.store = \"postgres\"`: {NOT_AVAILABLE}; allowed: embedded"),
        )),
    }
    findings
}

/// What the value should be, if it does not satisfy its key.
fn demanded(row: &Row<'_>) -> Option<String> {
    let (amount, quantity) = (row.value.amount(), row.value.quantity());
    match row.key.rule.demand {
        Demand::Anything => None,
        Demand::FromOne(most) => (amount == Amount::Zero || quantity > most).then(|| key::from_one(most)),
        Demand::UpTo(..) if amount == Amount::Empty => Some("at least one".to_owned()),
        Demand::UpTo(most, allowed) => {
            (amount == Amount::Zero || quantity > most).then(|| allowed.to_owned())
        }
        Demand::Given(allowed) => (amount == Amount::Empty).then(|| allowed.to_owned()),
    }
}
