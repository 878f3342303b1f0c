//! Selectors: which messages and recipients in the queue a command applies to.

use std::collections::BTreeSet;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use mail::{DomainPart, Mailbox, QueueId};
use serde::{Deserialize, Deserializer, Serialize, de};
use settings_file::Interval;
use spool::{QueuedMessage, QueuedRecipient, Reason, RecipientIndex, RecipientState, Selected};

/// The selectors given: all of them must match. Some look at messages, and then apply to all of their recipients;
/// `recipient`, `recipient_domain` and `reason` look at each recipient.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Selectors {
    /// Everything in the queue, requested explicitly.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) all: bool,
    /// These messages; if empty, any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) id: Vec<QueueId>,
    /// Recipients with this address, ignoring case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) recipient: Option<Mailbox>,
    /// Recipients at this domain or address literal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) recipient_domain: Option<DomainPart>,
    /// Messages with this reverse-path, ignoring case: an address without angle brackets, or [`NULL_PATH`].
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "sender")]
    pub(crate) sender: Option<String>,
    /// Messages accepted longer ago than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) older_than: Option<Interval>,
    /// Recipients whose last attempt's result contains this text, ignoring case: in the host, in the codes, in what DANE
    /// found wrong, or in the reason.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "reason")]
    pub(crate) reason: Option<String>,
}

/// The null reverse-path, used by reports (RFC 5321 §4.5.5).
pub(crate) const NULL_PATH: &str = "<>";

/// A text that would match more than is meant by somebody with an empty variable in a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EmptyText {
    /// As a sender.
    #[error("an empty sender: give an address, or <> for the null reverse-path")]
    Sender,
    /// As a reason.
    #[error("an empty reason, which fits everybody: give a part of the text, or --all")]
    Reason,
}

/// A sender that is not empty.
pub(crate) fn check_sender(text: &str) -> Result<(), EmptyText> {
    filled(text, EmptyText::Sender)
}

/// A reason that is not empty.
pub(crate) fn check_reason(text: &str) -> Result<(), EmptyText> {
    filled(text, EmptyText::Reason)
}

fn filled(text: &str, error: EmptyText) -> Result<(), EmptyText> {
    if text.trim().is_empty() {
        return Err(error);
    }
    Ok(())
}

fn sender<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    checked(from, check_sender)
}

fn reason<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    checked(from, check_reason)
}

fn checked<'de, D: Deserializer<'de>>(
    from: D,
    check: fn(&str) -> Result<(), EmptyText>,
) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    text.as_deref().map_or(Ok(()), check).map_err(de::Error::custom)?;
    Ok(text)
}

impl Selectors {
    /// Whether no selector is given, not even `all`.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether messages are selected by their ids only.
    pub(crate) fn are_ids_alone(&self) -> bool {
        let ids = Self {
            id: self.id.clone(),
            ..Self::default()
        };
        !self.id.is_empty() && *self == ids
    }

    /// The messages to look at: each of these once, or with `None` the whole queue.
    pub(crate) fn sources(&self) -> Vec<Option<QueueId>> {
        if self.id.is_empty() {
            return vec![None];
        }
        let ids: BTreeSet<QueueId> = self.id.iter().copied().collect();
        ids.into_iter().map(Some).collect()
    }

    /// Whether the message is selected.
    pub(crate) fn fit(&self, message: &QueuedMessage, now: Timestamp) -> bool {
        self.fit_message(message, now)
            && (!self.look_at_recipients() || message.recipients.iter().any(|one| self.fit_recipient(one)))
    }

    /// The selected recipients of the message; those whose outcome is final can no longer be selected.
    pub(crate) fn select(&self, message: &QueuedMessage, now: Timestamp) -> Option<Selected> {
        if !self.fit_message(message, now) {
            return None;
        }
        let meant = |one: &&QueuedRecipient| !is_final(one.state) && self.fit_recipient(one);
        let recipients: Vec<RecipientIndex> = message
            .recipients
            .iter()
            .filter(meant)
            .map(|one| one.index)
            .collect();
        (!recipients.is_empty()).then_some(Selected {
            id: message.id,
            recipients,
        })
    }

    fn fit_message(&self, message: &QueuedMessage, now: Timestamp) -> bool {
        (self.id.is_empty() || self.id.contains(&message.id))
            && self
                .sender
                .as_ref()
                .is_none_or(|sender| is_same_path(path(sender), &message.sender))
            && self
                .older_than
                .is_none_or(|interval| is_older(message, interval, now))
    }

    fn look_at_recipients(&self) -> bool {
        self.recipient.is_some() || self.recipient_domain.is_some() || self.reason.is_some()
    }

    fn fit_recipient(&self, recipient: &QueuedRecipient) -> bool {
        self.recipient
            .as_ref()
            .is_none_or(|address| is_to(recipient, address))
            && self
                .recipient_domain
                .as_ref()
                .is_none_or(|domain| is_at(recipient, domain))
            && self
                .reason
                .as_ref()
                .is_none_or(|text| has_reason(recipient, text))
    }
}

/// As they would be written on the command line.
impl fmt::Display for Selectors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = Vec::new();
        if self.all {
            words.push("--all".to_owned());
        }
        words.extend(self.id.iter().map(|id| format!("--id {id}")));
        let rest = [
            self.recipient
                .as_ref()
                .map(|address| format!("--recipient {address}")),
            self.recipient_domain
                .as_ref()
                .map(|domain| format!("--recipient-domain {domain}")),
            self.sender
                .as_ref()
                .map(|sender| format!("--sender <{}>", path(sender))),
            self.older_than.map(|interval| format!("--older-than {interval}")),
            self.reason.as_ref().map(|text| format!("--reason {text:?}")),
        ];
        words.extend(rest.into_iter().flatten());
        f.write_str(&words.join(" "))
    }
}

fn is_final(state: RecipientState) -> bool {
    match state {
        RecipientState::Sent | RecipientState::Failed => true,
        RecipientState::Queued | RecipientState::Leased | RecipientState::Deferred | RecipientState::Held => {
            false
        }
    }
}

/// The reverse-path in the form in which messages have it.
fn path(sender: &str) -> &str {
    if sender == NULL_PATH { "" } else { sender }
}

/// Compares without regard to case. Local parts could differ in case only (RFC 5321 §2.4), but a search for a sender
/// should not miss any.
fn is_same_path(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// Compares the local part without regard to case, as for senders.
fn is_to(recipient: &QueuedRecipient, address: &Mailbox) -> bool {
    Mailbox::parse(&recipient.address).is_ok_and(|found| {
        found.domain() == address.domain() && is_same_path(found.local_part(), address.local_part())
    })
}

fn is_at(recipient: &QueuedRecipient, domain: &DomainPart) -> bool {
    let written = recipient.address.rsplit_once('@').map(|(_, domain)| domain);
    written
        .and_then(|written| DomainPart::parse(written).ok())
        .as_ref()
        == Some(domain)
}

fn is_older(message: &QueuedMessage, interval: Interval, now: Timestamp) -> bool {
    let age = now.duration_since(message.created);
    SignedDuration::try_from(interval.0).is_ok_and(|interval| age > interval)
}

/// Whether the text occurs in the last attempt's result as shown, or in one of its parts.
fn has_reason(recipient: &QueuedRecipient, text: &str) -> bool {
    let text = text.to_lowercase();
    let told = result(recipient);
    let parts = [&recipient.enhanced, &recipient.dane, &recipient.reason];
    std::iter::once(told.as_str())
        .chain(parts.into_iter().filter_map(|part| part.as_deref()))
        .any(|part| part.to_lowercase().contains(&text))
}

/// The host of the last attempt and its result, if there was one, as `queue list` shows them.
pub(crate) fn result(recipient: &QueuedRecipient) -> String {
    let told = told(recipient);
    match &recipient.host {
        Some(host) if told.is_empty() => host.clone(),
        Some(host) => format!("{host}: {told}"),
        None => told,
    }
}

/// The result of the last attempt on one line: the codes, what DANE found wrong, and the reason. If the reason is the
/// server's reply, it already contains the codes.
pub(crate) fn told(recipient: &QueuedRecipient) -> String {
    let code = recipient.reply_code.map(|code| code.to_string());
    let codes = || [code, recipient.enhanced.clone()].into_iter().flatten();
    let (mut words, reason): (Vec<String>, _) = match recipient.result_reason() {
        Some(Reason::Reply(reply)) => (Vec::new(), Some(reply)),
        Some(Reason::Ours(reason)) => (codes().collect(), Some(reason)),
        None => (codes().collect(), None),
    };
    match (&recipient.dane, reason) {
        (Some(dane), Some(_)) => words.push(format!("{dane}:")),
        (Some(dane), None) => words.push(dane.clone()),
        (None, _) => {}
    }
    words.extend(reason.map(str::to_owned));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use mail::CauseKind;

    use super::*;

    fn recipient(index: u32, address: &str, state: RecipientState, reason: &str) -> QueuedRecipient {
        QueuedRecipient {
            index: RecipientIndex(index),
            address: address.to_owned(),
            state,
            next_hop: String::new(),
            attempts: 1,
            host: None,
            cause: None,
            next_attempt: None,
            reply_code: None,
            enhanced: None,
            dane: None,
            reason: Some(reason.to_owned()),
        }
    }

    fn message() -> QueuedMessage {
        QueuedMessage {
            id: QueueId::generate(),
            sender: "a@One.example".to_owned(),
            size: 1,
            created: Timestamp::now() - SignedDuration::from_hours(2),
            attempts: 1,
            next_attempt: None,
            recipients: vec![
                recipient(0, "x@two.example", RecipientState::Sent, "Ok"),
                recipient(
                    1,
                    "y@TWO.example",
                    RecipientState::Deferred,
                    "No matching TLSA RRs",
                ),
                // A recipient between them has been deleted.
                recipient(3, "z@two.example", RecipientState::Held, "greylisted"),
                recipient(
                    4,
                    "y@three.example",
                    RecipientState::Leased,
                    "No matching TLSA RRs",
                ),
            ],
        }
    }

    fn selected(selectors: &str) -> Vec<u32> {
        let selectors: Selectors = serde_json::from_str(selectors).unwrap();
        let selected = selectors.select(&message(), Timestamp::now());
        selected.map_or_else(Vec::new, |selected| {
            selected.recipients.iter().map(|index| index.0).collect()
        })
    }

    #[test]
    fn message_selectors_mean_all_recipients_and_recipient_selectors_those_that_fit() {
        assert_eq!(selected("{}"), [1, 3, 4]);
        assert_eq!(selected(r#"{"sender":"a@one.EXAMPLE"}"#), [1, 3, 4]);
        assert_eq!(selected(r#"{"sender":"A@one.example"}"#), [1, 3, 4]);
        assert_eq!(selected(r#"{"sender":"b@one.example"}"#), [0_u32; 0]);
        assert_eq!(selected(r#"{"older_than":"1h"}"#), [1, 3, 4]);
        assert_eq!(selected(r#"{"older_than":"3h"}"#), [0_u32; 0]);
        assert_eq!(selected(r#"{"recipient_domain":"two.example"}"#), [1, 3]);
        assert_eq!(selected(r#"{"recipient":"Y@two.example"}"#), [1]);
        assert_eq!(selected(r#"{"recipient":"y@four.example"}"#), [0_u32; 0]);
        assert_eq!(selected(r#"{"reason":"MATCHING tlsa"}"#), [1, 4]);
        assert_eq!(
            selected(r#"{"reason":"tlsa","recipient_domain":"two.example"}"#),
            [1]
        );
        assert_eq!(selected(r#"{"reason":"Ok"}"#), [0_u32; 0]);
    }

    #[test]
    fn a_reason_is_found_by_all_that_is_told_of_it() {
        let with = |code, enhanced: &str, dane: Option<&str>, reason: &str| QueuedRecipient {
            reply_code: code,
            enhanced: Some(enhanced.to_owned()),
            dane: dane.map(str::to_owned),
            ..recipient(0, "a@b.example", RecipientState::Deferred, reason)
        };
        let refused = |recipient| QueuedRecipient {
            cause: Some(CauseKind::RefusedForNow),
            ..recipient
        };
        let queue = [
            with(
                None,
                "4.7.5",
                Some("Fail (No matching TLSA RRs)"),
                "the server did not prove its identity",
            ),
            with(
                None,
                "4.7.5",
                Some("Fail (MX lookup: bogus)"),
                "the MX look-up failed: bogus: the signature of a.nl MX expired",
            ),
            refused(with(Some(450), "4.0.0", None, "450 later")),
            refused(with(Some(451), "4.7.5", None, "451 4.7.5 not to you")),
        ];
        let found = |text: &str| {
            let numbered = queue.iter().enumerate();
            let found = numbered.filter(|(_, recipient)| has_reason(recipient, text));
            found.map(|(number, _)| number).collect::<Vec<_>>()
        };
        assert_eq!(found("4.7.5"), [0, 1, 3]);
        assert_eq!(found("tlsa"), [0]);
        assert_eq!(found("no matching TLSA rrs"), [0]);
        assert_eq!(found("BOGUS"), [1]);
        assert_eq!(found("MX lookup: bogus"), [1]);
        assert_eq!(found("expired"), [1]);
        assert_eq!(found("4.0.0"), [2]);
        assert_eq!(found("450"), [2]);
        // Everything printed about a recipient can be searched for as a whole.
        for (number, recipient) in queue.iter().enumerate() {
            assert_eq!(found(&told(recipient)), [number]);
        }
    }

    #[test]
    fn a_list_shows_a_message_of_which_one_recipient_fits_all() {
        let fits = |selectors: &str| {
            let selectors: Selectors = serde_json::from_str(selectors).unwrap();
            selectors.fit(&message(), Timestamp::now())
        };
        assert!(fits(r#"{"reason":"Ok","recipient_domain":"two.example"}"#));
        assert!(!fits(r#"{"reason":"Ok","recipient_domain":"three.example"}"#));
        assert!(!fits(r#"{"sender":"<>"}"#));
    }

    #[test]
    fn empty_texts_fit_nobody_and_are_refused() {
        for text in ["", " ", "\t"] {
            for (field, allowed) in [("sender", "<> for the null reverse-path"), ("reason", "--all")] {
                let selectors = serde_json::json!({ field: text }).to_string();
                let error = serde_json::from_str::<Selectors>(&selectors).unwrap_err();
                assert!(error.to_string().contains(allowed), "{error}");
            }
        }
        let none = serde_json::from_str::<Selectors>(r#"{"sender":null,"reason":null}"#).unwrap();
        assert!(none.is_empty());
    }

    #[test]
    fn a_recipient_domain_may_be_an_address_literal() {
        let at = |address: &str, domain: &str| {
            let one = recipient(0, address, RecipientState::Held, "");
            is_at(&one, &DomainPart::parse(domain).unwrap())
        };
        assert!(at("a@[192.0.2.1]", "[192.0.2.1]"));
        assert!(at("a@[ipv6:2001:DB8::1]", "[IPv6:2001:db8:0::1]"));
        assert!(!at("a@[192.0.2.1]", "[192.0.2.2]"));
    }

    #[test]
    fn each_message_is_looked_at_once() {
        let id = QueueId::generate();
        let twice = Selectors {
            id: vec![id, id],
            ..Selectors::default()
        };
        assert_eq!(twice.sources(), [Some(id)]);
        assert_eq!(Selectors::default().sources(), [None]);
    }

    #[test]
    fn they_are_written_as_on_the_command_line() {
        let text = r#"{"recipient":"b@a.example","recipient_domain":"a.example","sender":"<>","older_than":"90m","reason":"x \"y\""}"#;
        let selectors: Selectors = serde_json::from_str(text).unwrap();
        assert_eq!(
            selectors.to_string(),
            r#"--recipient b@a.example --recipient-domain a.example --sender <> --older-than 90m --reason "x \"y\"""#
        );
    }
}
