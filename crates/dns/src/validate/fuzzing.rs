//! Judges a single message, whatever octets it consists of: an entry point for fuzzers, not part of the interface.
//!
//! The caller supplies the result of checking signatures as marks on the records. So everything that follows from the marks
//! can be tested without keys.

use hickory_proto::dnssec::Proof;
use hickory_proto::op::{Message, Query};
use hickory_proto::rr::Record;
use mail::{LookupFailure, Security};

use super::proof::{Proven, proven};
use super::prune::pruned;
use crate::hop::{is_answer, read};

/// An answer to its own question, pruned to what the question is about.
#[derive(Debug, Clone)]
pub struct Received {
    message: Message,
    question: Query,
}

/// The result for an answer before anything is known about the zones above.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// It cannot be read as an answer to the question.
    Failed(LookupFailure),
    /// It proves its own status.
    Decided(Security),
    /// It proves nothing: the zones above decide whether it is insecure or bogus.
    Open,
}

impl Received {
    /// `None` if the octets are not a message, or one that a look-up would not accept as an answer.
    pub fn read(octets: &[u8]) -> Option<Self> {
        let message = Message::from_vec(octets).ok()?;
        let [question] = message.queries.as_slice() else {
            return None;
        };
        let question = question.clone();
        let usable = is_answer(&message, &question) && !message.metadata.truncation;
        usable.then(|| Self {
            message: pruned(message, &question),
            question,
        })
    }

    /// Marks the records as secure for which `is_secure` returns true, and all others as not secure: answers first, each
    /// section in order.
    pub fn mark(&mut self, mut is_secure: impl FnMut() -> bool) {
        for record in self
            .message
            .answers
            .iter_mut()
            .chain(&mut self.message.authorities)
        {
            record.proof = if is_secure() { Proof::Secure } else { Proof::Bogus };
        }
    }

    /// How many records are marked as secure.
    pub fn marked(&self) -> usize {
        let records = self.message.answers.iter().chain(&self.message.authorities);
        records.filter(|record| is_marked(record)).count()
    }

    /// Drops all unmarked denials and their signatures.
    pub fn drop_unmarked_denials(&mut self) {
        self.message.authorities.retain(is_marked);
    }

    /// What the marks come to.
    pub fn judge(&self) -> Judgement {
        let (finding, _) = match read(&self.message, &self.question) {
            Ok(read) => read,
            Err(failure) => return Judgement::Failed(failure.cause),
        };
        match proven(&self.message, &self.question, &finding) {
            Proven::Status(security) => Judgement::Decided(security),
            Proven::NoName => Judgement::Decided(Security::Secure),
            Proven::TooCostly(_) | Proven::Nothing(_) => Judgement::Open,
        }
    }
}

fn is_marked(record: &Record) -> bool {
    record.proof == Proof::Secure
}
