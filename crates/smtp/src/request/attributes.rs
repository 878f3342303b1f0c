//! What `XCLIENT` and `XFORWARD` say: `NAME=value` with the value in xtext.

use mail::notification::decode_xtext;

use crate::refusal::Refusal;

/// What is said of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attribute {
    /// Its name by a reverse look-up.
    Name,
    /// Its address.
    Address,
    /// What it called itself.
    Helo,
    /// The user that it authenticated as.
    Login,
    /// Others, which change nothing here: `PORT`, `PROTO`, `DESTADDR`, `DESTPORT`, `REVERSE_NAME`, `IDENT`, `SOURCE`.
    Other,
}

const ATTRIBUTES: [(&str, Attribute); 11] = [
    ("NAME", Attribute::Name),
    ("ADDR", Attribute::Address),
    ("HELO", Attribute::Helo),
    ("LOGIN", Attribute::Login),
    ("PORT", Attribute::Other),
    ("PROTO", Attribute::Other),
    ("DESTADDR", Attribute::Other),
    ("DESTPORT", Attribute::Other),
    ("REVERSE_NAME", Attribute::Other),
    ("IDENT", Attribute::Other),
    ("SOURCE", Attribute::Other),
];

/// Everything that one command says, in order; no value if the proxy does not know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attributes(pub Vec<(Attribute, Option<String>)>);

impl Attributes {
    pub(super) fn parse(argument: &str) -> Result<Self, Refusal> {
        let words = argument.split(' ').filter(|word| !word.is_empty());
        let attributes: Vec<_> = words.map(attribute).collect::<Result<_, _>>()?;
        if attributes.is_empty() {
            return Err(Refusal::Arguments);
        }
        Ok(Self(attributes))
    }

    /// The value of this attribute; the last one counts. The outer `None` means that it was not given.
    pub fn get(&self, wanted: Attribute) -> Option<Option<&str>> {
        let mut said = self.0.iter().rev();
        let found = said.find(|(attribute, _)| *attribute == wanted)?;
        Some(found.1.as_deref())
    }
}

fn attribute(word: &str) -> Result<(Attribute, Option<String>), Refusal> {
    let (name, value) = word.split_once('=').ok_or(Refusal::Arguments)?;
    let known = ATTRIBUTES
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name));
    let (_, attribute) = known.ok_or(Refusal::Arguments)?;
    if ["[UNAVAILABLE]", "[TEMPUNAVAIL]"]
        .iter()
        .any(|none| value.eq_ignore_ascii_case(none))
    {
        return Ok((*attribute, None));
    }
    let value = decode_xtext(value).filter(|value| !value.is_empty() && !value.contains(char::is_control));
    Ok((*attribute, Some(value.ok_or(Refusal::Arguments)?)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn attributes_are_read_as_postfix_writes_them() {
        let said =
            Attributes::parse("NAME=[UNAVAILABLE] addr=IPV6:2001:db8::1  HELO=a+2Bb PORT=1 LOGIN=u").unwrap();
        assert_eq!(said.get(Attribute::Name), Some(None));
        assert_eq!(said.get(Attribute::Address), Some(Some("IPV6:2001:db8::1")));
        assert_eq!(said.get(Attribute::Helo), Some(Some("a+b")));
        assert_eq!(said.get(Attribute::Login), Some(Some("u")));
        assert_eq!(Attributes::parse("PORT=1").unwrap().get(Attribute::Address), None);
        for argument in ["", "NAME", "NAME=", "WHAT=x", "NAME=a+0Ab", "NAME=a+zz"] {
            assert_eq!(Attributes::parse(argument), Err(Refusal::Arguments), "{argument}");
        }
    }
}
