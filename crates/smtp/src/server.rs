//! The order of commands on the server's side (RFC 5321 §4.1.4).

use mail::Recipient;

use crate::refusal::Refusal;
use crate::request::{MailFrom, RcptTo};

/// The protocol with which the client introduced itself; the `with` clause of Received (RFC 3848).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HELO.
    Smtp,
    /// EHLO.
    Esmtp,
}

/// How the client introduced itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// EHLO or HELO.
    pub protocol: Protocol,
    /// The client's name for itself: printable ASCII, not to be trusted.
    pub name: String,
}

/// A mail transaction under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// What MAIL said.
    pub mail: MailFrom,
    /// The recipients accepted so far, in order.
    pub recipients: Vec<Recipient>,
}

/// The state of a session. A refused command does not change it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerState {
    hello: Option<Hello>,
    transaction: Option<Transaction>,
}

impl ServerState {
    /// A session behind its greeting.
    pub fn new() -> Self {
        Self::default()
    }

    /// EHLO or HELO: also ends a transaction (RFC 5321 §4.1.4).
    pub fn hello(&mut self, hello: Hello) {
        self.hello = Some(hello);
        self.transaction = None;
    }

    /// How the client introduced itself, if it did.
    pub fn introduced(&self) -> Option<&Hello> {
        self.hello.as_ref()
    }

    /// Whether MAIL is allowed now; asked before its parameters are checked.
    pub fn may_begin(&self) -> Result<(), Refusal> {
        match (&self.hello, &self.transaction) {
            (None, _) => Err(Refusal::NoHello),
            (Some(_), Some(_)) => Err(Refusal::NestedMail),
            (Some(_), None) => Ok(()),
        }
    }

    /// MAIL: begins a transaction.
    pub fn begin(&mut self, mail: MailFrom) -> Result<(), Refusal> {
        self.may_begin()?;
        self.transaction = Some(Transaction {
            mail,
            recipients: Vec::new(),
        });
        Ok(())
    }

    /// RCPT: the transaction that this adds to, and what to add: without SMTPUTF8 a domain is in A-labels.
    pub fn transaction_for(&mut self, rcpt: RcptTo) -> Result<(&mut Transaction, RcptTo), Refusal> {
        let transaction = self.transaction.as_mut().ok_or(Refusal::NoMail)?;
        let rcpt = if transaction.mail.smtputf8 {
            rcpt
        } else {
            rcpt.into_ascii().ok_or(Refusal::InternationalizedRecipient)?
        };
        Ok((transaction, rcpt))
    }

    /// The current transaction, if there is one.
    pub fn transaction(&self) -> Option<&Transaction> {
        self.transaction.as_ref()
    }

    /// Whether there is a current transaction.
    pub fn is_in_transaction(&self) -> bool {
        self.transaction.is_some()
    }

    /// DATA: returns the transaction; it is over, whatever becomes of its content (RFC 5321 §4.1.1.4).
    pub fn take_for_data(&mut self) -> Result<Transaction, Refusal> {
        match self.transaction.take() {
            Some(transaction) if transaction.recipients.is_empty() => {
                self.transaction = Some(transaction);
                Err(Refusal::NoRecipients)
            }
            Some(transaction) => Ok(transaction),
            None => Err(Refusal::NoMail),
        }
    }

    /// RSET: ends the transaction, if there is one.
    pub fn reset(&mut self) {
        self.transaction = None;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{ForwardPath, Request};

    fn hello() -> Hello {
        Hello {
            protocol: Protocol::Esmtp,
            name: "client".into(),
        }
    }

    fn mail() -> MailFrom {
        match Request::parse(b"MAIL FROM:<>") {
            Ok(Request::MailFrom(mail)) => mail,
            other => unreachable!("{other:?}"),
        }
    }

    fn rcpt(state: &mut ServerState) -> Result<(), Refusal> {
        rcpt_to(state, "<a@b>")
    }

    fn rcpt_to(state: &mut ServerState, path: &str) -> Result<(), Refusal> {
        match Request::parse(format!("RCPT TO:{path}").as_bytes()) {
            Ok(Request::RcptTo(rcpt)) => {
                let (transaction, rcpt) = state.transaction_for(rcpt)?;
                match rcpt.path {
                    ForwardPath::Mailbox(mailbox) => transaction.recipients.push(mailbox.into()),
                    ForwardPath::Postmaster => unreachable!("{path}"),
                }
                Ok(())
            }
            other => unreachable!("{other:?}"),
        }
    }

    #[test]
    fn beyond_ascii_only_with_smtputf8() {
        let beyond = ["<\u{e9}@b>", "<a@b> ORCPT=utf-8;\u{e9}@b"];
        let mut state = ServerState::new();
        state.hello(hello());
        state.begin(mail()).unwrap();
        for path in beyond {
            assert_eq!(
                rcpt_to(&mut state, path),
                Err(Refusal::InternationalizedRecipient),
                "{path}"
            );
        }
        rcpt_to(&mut state, "<a@xn--bcher-kva.example> ORCPT=utf-8;\\x{E9}@b").unwrap();
        state.reset();
        let with = MailFrom {
            smtputf8: true,
            ..mail()
        };
        state.begin(with).unwrap();
        for path in beyond {
            assert_eq!(rcpt_to(&mut state, path), Ok(()), "{path}");
        }
    }

    #[test]
    fn wrong_order_is_refused_and_changes_nothing() {
        let mut state = ServerState::new();
        assert_eq!(state.begin(mail()), Err(Refusal::NoHello));
        assert_eq!(rcpt(&mut state), Err(Refusal::NoMail));
        assert_eq!(state.take_for_data(), Err(Refusal::NoMail));
        assert_eq!(state, ServerState::new());
        state.hello(hello());
        assert_eq!(rcpt(&mut state), Err(Refusal::NoMail));
        state.begin(mail()).unwrap();
        assert_eq!(state.begin(mail()), Err(Refusal::NestedMail));
        assert_eq!(state.take_for_data(), Err(Refusal::NoRecipients));
        rcpt(&mut state).unwrap();
        assert_eq!(state.begin(mail()), Err(Refusal::NestedMail));
        assert_eq!(state.take_for_data().unwrap().recipients.len(), 1);
        assert_eq!(state.take_for_data(), Err(Refusal::NoMail));
        state.begin(mail()).unwrap();
    }

    #[test]
    fn ehlo_and_rset_end_the_transaction() {
        let mut state = ServerState::new();
        state.hello(hello());
        state.begin(mail()).unwrap();
        state.hello(hello());
        assert_eq!(rcpt(&mut state), Err(Refusal::NoMail));
        state.begin(mail()).unwrap();
        state.reset();
        assert_eq!(rcpt(&mut state), Err(Refusal::NoMail));
        assert!(state.introduced().is_some());
    }
}
