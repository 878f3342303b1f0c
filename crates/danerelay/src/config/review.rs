//! Checks values against what their keys declare besides the type: what the value must satisfy, and whether this
//! version supports the key.
//!
//! A key that is not supported yet is accepted with a warning, so that one file serves several versions. Where ignoring it
//! would lower security or lose data, it is an error: today that is `spool.store` alone.

use settings_file::{Document, FileError};

use super::key::{Amount, Demand, Function, Row};
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
            findings.errors.push(document.other_form(&dotted, allowed));
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
fn demanded(row: &Row<'_>) -> Option<&'static str> {
    match (row.key.rule.demand, row.value.amount()) {
        (Demand::UpTo(most, _), Amount::Some) if row.value.quantity() <= most => None,
        (Demand::UpTo(_, allowed), Amount::Some | Amount::Zero) | (Demand::Given(allowed), Amount::Empty) => {
            Some(allowed)
        }
        (Demand::Anything, _) | (_, Amount::Some) | (Demand::Given(_), Amount::Zero) => None,
        (Demand::NotZero, Amount::Zero) => Some("more than 0"),
        (Demand::NotZero | Demand::UpTo(..), Amount::Empty) => Some("at least one"),
    }
}
