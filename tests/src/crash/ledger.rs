//! What was acknowledged, and what was delivered.

use super::letter::{Letter, Recipient};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

/// One life of the relay: it gets a number at each start, and says it in EHLO.
pub type Life = u64;

/// The records of a trial. Clones are the same ledger.
#[derive(Clone, Debug, Default)]
pub struct Ledger(Arc<Mutex<Books>>);

#[derive(Debug, Default)]
struct Books {
    /// Messages for which a client saw 250, with the queue id in it.
    acknowledged: HashMap<u64, String>,
    /// Messages for which a client saw 4yz or 5yz, by reply code.
    refused: BTreeMap<u16, HashSet<u64>>,
    /// For each message and recipient, the last life that delivered it or reported that it cannot.
    delivered: HashMap<(u64, Recipient), Life>,
    /// Acknowledged, and neither delivered nor reported yet.
    waiting: HashSet<(u64, Recipient)>,
    /// Transactions that repeated one of an earlier life, by that life.
    repeated: BTreeMap<Life, u64>,
    /// Transactions that repeated one of the same life.
    repeated_alive: u64,
    /// Contents that were not what was sent.
    damaged: u64,
    transactions: u64,
    reports: u64,
}

impl Ledger {
    /// Records that a client saw 250 and this queue id.
    pub fn acknowledge(&self, letter: &Letter, id: &str) {
        self.with(|books| {
            for recipient in &letter.recipients {
                let key = (letter.number, *recipient);
                if !books.delivered.contains_key(&key) {
                    books.waiting.insert(key);
                }
            }
            books.acknowledged.insert(letter.number, id.to_owned());
        });
    }

    /// A client saw a refusal.
    pub fn refuse(&self, letter: &Letter, code: u16) {
        self.with(|books| books.refused.entry(code).or_default().insert(letter.number));
    }

    /// Records that a sink has accepted a message, or is about to say so; `None` if it was not whole.
    pub fn deliver(&self, number: Option<u64>, recipients: &[Recipient], life: Life) {
        self.with(|books| {
            books.transactions += 1;
            match number {
                Some(number) => books.enter(number, recipients, life),
                None => books.damaged += 1,
            }
        });
    }

    /// Records that a sink has accepted a report that the message was not delivered to these recipients, or is about to say
    /// so.
    pub fn report(&self, number: u64, recipients: &[Recipient], life: Life) {
        self.with(|books| {
            books.transactions += 1;
            books.reports += 1;
            books.enter(number, recipients, life);
        });
    }

    /// How many recipients of acknowledged messages are still waiting for them.
    pub fn waiting(&self) -> usize {
        self.with(|books| books.waiting.len())
    }

    /// How many messages were acknowledged so far.
    pub fn acknowledged(&self) -> usize {
        self.with(|books| books.acknowledged.len())
    }

    /// How many transactions were accepted so far.
    pub fn transactions(&self) -> u64 {
        self.with(|books| books.transactions)
    }

    /// How many messages were refused so far, by reply code.
    pub fn refused(&self) -> BTreeMap<u16, usize> {
        self.with(|books| count(&books.refused))
    }

    /// The balance.
    pub fn balance(&self) -> Balance {
        self.with(|books| {
            let mut lost: Vec<_> = books
                .waiting
                .iter()
                .map(|(number, recipient)| Lost {
                    number: *number,
                    recipient: *recipient,
                    id: books.acknowledged.get(number).cloned().unwrap_or_default(),
                })
                .collect();
            lost.sort_unstable();
            let delivered: HashSet<u64> = books.delivered.keys().map(|(number, _)| *number).collect();
            let refused = books.refused.values().flatten();
            Balance {
                acknowledged: books.acknowledged.len(),
                refused: count(&books.refused),
                refused_but_delivered: refused.filter(|number| delivered.contains(number)).count(),
                transactions: books.transactions,
                reports: books.reports,
                repeated: books.repeated.values().sum(),
                most_repeated: books.repeated.values().copied().max().unwrap_or(0),
                repeated_alive: books.repeated_alive,
                damaged: books.damaged,
                lost,
            }
        })
    }

    /// The records are consistent after each entry, so a panic elsewhere leaves nothing half-done.
    fn with<T>(&self, act: impl FnOnce(&mut Books) -> T) -> T {
        act(&mut self.0.lock())
    }
}

fn count(refused: &BTreeMap<u16, HashSet<u64>>) -> BTreeMap<u16, usize> {
    refused
        .iter()
        .map(|(code, numbers)| (*code, numbers.len()))
        .collect()
}

impl Books {
    /// A message, or the report about it, has arrived where it belongs.
    fn enter(&mut self, number: u64, recipients: &[Recipient], life: Life) {
        // A sink that answers late may be recorded after the next life has repeated its message.
        let mut repeated = None;
        for recipient in recipients {
            let key = (number, *recipient);
            self.waiting.remove(&key);
            if let Some(other) = self.delivered.insert(key, life) {
                self.delivered.insert(key, life.max(other));
                repeated = repeated.max(Some((life.min(other), life == other)));
            }
        }
        match repeated {
            Some((_, true)) => self.repeated_alive += 1,
            Some((first, false)) => *self.repeated.entry(first).or_default() += 1,
            None => {}
        }
    }
}

/// How a trial ended.
#[derive(Debug)]
pub struct Balance {
    /// Messages for which a client saw 250.
    pub acknowledged: usize,
    /// Messages that were refused, by reply code.
    pub refused: BTreeMap<u16, usize>,
    /// Messages that were refused but delivered anyway.
    pub refused_but_delivered: usize,
    /// Transactions that the sinks took.
    pub transactions: u64,
    /// How many of them brought a report of a message that a sink had rejected.
    pub reports: u64,
    /// Transactions that repeated one from an earlier life of the relay.
    pub repeated: u64,
    /// The most transactions that repeated those of a single life.
    pub most_repeated: u64,
    /// Transactions that repeated one of the same life.
    pub repeated_alive: u64,
    /// Contents that were not what was sent.
    pub damaged: u64,
    /// Recipients of acknowledged messages that neither got them nor were reported.
    pub lost: Vec<Lost>,
}

/// A recipient that never got a message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lost {
    /// The message.
    pub number: u64,
    /// The recipient.
    pub recipient: Recipient,
    /// The queue id that the client was told.
    pub id: String,
}

impl fmt::Display for Balance {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "acknowledged {}, refused {:?} (delivered all the same {}), transactions {} (reports {}), repeated {} \
             (at most {} after one life, {} within a life), damaged {}, lost {}",
            self.acknowledged,
            self.refused,
            self.refused_but_delivered,
            self.transactions,
            self.reports,
            self.repeated,
            self.most_repeated,
            self.repeated_alive,
            self.damaged,
            self.lost.len()
        )
    }
}
