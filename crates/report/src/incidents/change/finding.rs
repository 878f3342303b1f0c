//! What an incident's evidence says.

use mail::incident::Likely;
use serde::{Deserialize, Serialize};

/// What has changed, and what that speaks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What it most likely is.
    pub likely: Likely,
    /// What was seen, and how it differs from before.
    pub changes: Vec<String>,
    /// What speaks for a mistake of those who run it.
    pub for_mistake: Vec<String>,
    /// What speaks for somebody in between.
    pub for_attack: Vec<String>,
}

impl Finding {
    pub(crate) fn ours(reason: &str) -> Self {
        Self {
            likely: Likely::Ours,
            changes: vec![reason.to_owned()],
            for_mistake: Vec::new(),
            for_attack: Vec::new(),
        }
    }

    pub(super) fn new(likely: Likely) -> Self {
        Self {
            likely,
            changes: Vec::new(),
            for_mistake: Vec::new(),
            for_attack: Vec::new(),
        }
    }
}
