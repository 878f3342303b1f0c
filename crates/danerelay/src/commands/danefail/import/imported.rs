//! What a file of another form says.

use policy::pattern::Pattern;

/// What a file says.
#[derive(Debug, Default)]
pub(super) struct Imported {
    /// Names, and the reason of each, if the file has one.
    pub(super) excepted: Vec<(Pattern, Option<String>)>,
    /// Rules for the policy file.
    pub(super) rules: Vec<String>,
    /// Lines that are not understood.
    pub(super) faults: Vec<String>,
    /// Lines that demand more of a server than their rule does.
    pub(super) weakened: Vec<String>,
    /// Attributes that are not taken over and weaken nothing.
    pub(super) ignored: Vec<String>,
}

/// Names and reasons as text.
#[cfg(test)]
pub(super) fn shown(imported: &Imported) -> Vec<(String, &str)> {
    let excepted = imported.excepted.iter();
    excepted
        .map(|(names, reason)| (names.to_string(), reason.as_deref().unwrap_or("-")))
        .collect()
}
