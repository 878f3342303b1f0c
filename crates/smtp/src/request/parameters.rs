//! The parameters of `MAIL` and `RCPT`, each given at most once and within the limits of its RFC.

use std::str::FromStr;

use mail::notification::decode_xtext;
use mail::{BodyType, TlsTag};

use super::named::{MailFrom, RcptTo};
use crate::refusal::Refusal;

/// `KEYWORD` or `KEYWORD=value`, separated by blanks (RFC 5321 §4.1.2, `esmtp-param`).
pub(super) fn split(parameters: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    parameters
        .split(' ')
        .filter(|parameter| !parameter.is_empty())
        .map(|parameter| match parameter.split_once('=') {
            Some((keyword, value)) => (keyword, Some(value)),
            None => (parameter, None),
        })
}

impl MailFrom {
    pub(super) fn parameter(&mut self, keyword: &str, value: Option<&str>) -> Result<(), Refusal> {
        match () {
            () if keyword.eq_ignore_ascii_case("SIZE") => {
                let size = value.and_then(declared_size).ok_or(Refusal::Arguments)?;
                set_once(&mut self.size, size)
            }
            () if keyword.eq_ignore_ascii_case("BODY") => set_once(&mut self.body, body(value)?),
            () if keyword.eq_ignore_ascii_case("RET") => set_once(&mut self.ret, parsed(value)?),
            () if keyword.eq_ignore_ascii_case("ENVID") => set_once(&mut self.envelope_id, parsed(value)?),
            () if keyword.eq_ignore_ascii_case("AUTH") => set_once(&mut self.submitter, submitter(value)?),
            () if keyword.eq_ignore_ascii_case("SMTPUTF8") => {
                // RFC 6531 §3.4: it has no value.
                if value.is_some() || self.smtputf8 {
                    return Err(Refusal::Arguments);
                }
                self.smtputf8 = true;
                Ok(())
            }
            () if keyword.eq_ignore_ascii_case("REQUIRETLS") => {
                // RFC 8689 §2: it has no value.
                if value.is_some() || self.tls == TlsTag::Required {
                    return Err(Refusal::Arguments);
                }
                self.tls = TlsTag::Required;
                Ok(())
            }
            () => Err(Refusal::UnknownParameter),
        }
    }
}

impl RcptTo {
    pub(super) fn parameter(&mut self, keyword: &str, value: Option<&str>) -> Result<(), Refusal> {
        let parameters = &mut self.parameters;
        match () {
            () if keyword.eq_ignore_ascii_case("NOTIFY") => set_once(&mut parameters.notify, parsed(value)?),
            () if keyword.eq_ignore_ascii_case("ORCPT") => set_once(&mut parameters.original, parsed(value)?),
            () => Err(Refusal::UnknownParameter),
        }
    }
}

/// A parameter given twice contradicts itself; it is refused (RFC 3461 §4.5).
fn set_once<T>(place: &mut Option<T>, value: T) -> Result<(), Refusal> {
    if place.is_some() {
        return Err(Refusal::Arguments);
    }
    *place = Some(value);
    Ok(())
}

fn parsed<T: FromStr>(value: Option<&str>) -> Result<T, Refusal> {
    value
        .and_then(|value| value.parse().ok())
        .ok_or(Refusal::Arguments)
}

/// 1 to 20 digits (RFC 1870 §3); what does not fit into 64 bits is larger than any limit.
fn declared_size(value: &str) -> Option<u64> {
    let digits = (1..=20).contains(&value.len()) && value.bytes().all(|octet| octet.is_ascii_digit());
    digits.then(|| value.parse().unwrap_or(u64::MAX))
}

/// `<>`, or a mailbox in xtext.
fn submitter(value: Option<&str>) -> Result<String, Refusal> {
    let decoded = value.and_then(decode_xtext);
    decoded
        .filter(|text| !text.is_empty() && !text.contains(char::is_control))
        .ok_or(Refusal::Arguments)
}

fn body(value: Option<&str>) -> Result<BodyType, Refusal> {
    match value {
        Some(value) if value.eq_ignore_ascii_case("7BIT") => Ok(BodyType::SevenBit),
        Some(value) if value.eq_ignore_ascii_case("8BITMIME") => Ok(BodyType::EightBitMime),
        Some(value) if !value.is_empty() => Err(Refusal::ParameterValue),
        Some(_) | None => Err(Refusal::Arguments),
    }
}
