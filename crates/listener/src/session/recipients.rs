//! How much memory the recipients of one transaction may take.

use std::mem::size_of;

use mail::Recipient;

use crate::config::Limits;

/// The memory in octets that the recipients of a transaction may take, whatever their number. A hundred of the longest
/// paths, each with the longest ORCPT that fits a command line, take less (RFC 5321 §4.5.3.1.8 asks for a hundred).
const OCTETS: usize = 256 * 1024;
/// Octets per recipient if more recipients than usual are allowed.
const EACH: usize = 256;

/// The octets that the recipients of one transaction may take.
pub(super) fn room(limits: &Limits) -> usize {
    OCTETS.max(limits.recipients.saturating_mul(EACH))
}

/// The octets that one recipient takes.
pub(super) fn weight(recipient: &Recipient) -> usize {
    let original = recipient.parameters.original.as_ref();
    let original = original.map_or(0, |original| original.as_str().len() + original.decoded().len());
    size_of::<Recipient>() + recipient.address.as_str().len() + original
}
