//! The parameters passed on with a recipient: those it came with, in a form that the transaction can carry.

use std::borrow::Cow;
use std::fmt::Write as _;

use mail::{OriginalRecipient, RecipientParameters};
use smtp::Extension;
use spool::LeasedRecipient;

use crate::connections::ClearedSession;

/// The parameters as received (RFC 3461 §5.2.1). The one exception is an `ORCPT` with characters beyond ASCII in a
/// transaction without SMTPUTF8: it is converted to its other form, `utf-8-addr-xtext` (RFC 6533 §3).
pub(super) fn parameters(parameters: &RecipientParameters, smtputf8: bool) -> Cow<'_, RecipientParameters> {
    match &parameters.original {
        Some(original) if !smtputf8 && !original.as_str().is_ascii() => Cow::Owned(RecipientParameters {
            notify: parameters.notify.clone(),
            original: in_ascii(original),
        }),
        Some(_) | None => Cow::Borrowed(parameters),
    }
}

/// Whether a recipient needs a transaction with SMTPUTF8. ORCPT is sent only to servers with DSN.
pub(super) fn needs_smtputf8(session: &ClearedSession, recipient: &LeasedRecipient) -> bool {
    !recipient.address.is_ascii()
        || session.offers(Extension::Dsn) && has_no_ascii_form(&recipient.parameters)
}

/// Whether there is a parameter that requires a transaction with SMTPUTF8.
fn has_no_ascii_form(parameters: &RecipientParameters) -> bool {
    let original = parameters.original.as_ref();
    original.is_some_and(|original| !original.as_str().is_ascii() && in_ascii(original).is_none())
}

/// Characters beyond ASCII are written as they are in one form and as `\x{HEX}` in the other; everything else is the
/// same. `None` if the result is longer than the parameter may be.
fn in_ascii(original: &OriginalRecipient) -> Option<OriginalRecipient> {
    let mut text = String::with_capacity(original.as_str().len().saturating_mul(2));
    for character in original.as_str().chars() {
        if character.is_ascii() {
            text.push(character);
        } else {
            write!(text, "\\x{{{:X}}}", u32::from(character)).ok()?;
        }
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn with(original: &str) -> RecipientParameters {
        RecipientParameters {
            notify: Some("FAILURE".parse().unwrap()),
            original: Some(original.parse().unwrap()),
        }
    }

    #[test]
    fn changed_only_where_the_transaction_cannot_carry_it() {
        let unicode = with("utf-8;d\u{e9}j\u{e0}-x@\u{1f4ee}.example");
        let ascii = with("rfc822;A+2Bb@c.example");
        assert_eq!(*parameters(&unicode, true), unicode);
        assert_eq!(*parameters(&ascii, false), ascii);
        let changed = parameters(&unicode, false).into_owned();
        assert_eq!(changed.notify, unicode.notify);
        let (changed, before) = (changed.original.unwrap(), unicode.original.unwrap());
        assert_eq!(changed.as_str(), r"utf-8;d\x{E9}j\x{E0}-x@\x{1F4EE}.example");
        assert_eq!(changed.decoded(), before.decoded());
    }

    #[test]
    fn smtputf8_is_needed_where_the_other_form_would_be_too_long() {
        let long = "\u{e9}".repeat(100);
        for (original, needed) in [
            (format!("utf-8;{long}@c"), true),
            ("utf-8;\u{e9}@c".to_owned(), false),
            ("rfc822;a@c".to_owned(), false),
        ] {
            assert_eq!(has_no_ascii_form(&with(&original)), needed, "{original}");
        }
        assert!(!has_no_ascii_form(&RecipientParameters::default()));
    }
}
