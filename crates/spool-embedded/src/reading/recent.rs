//! Messages just accepted: most are delivered at once, and need not be read from the disk for that.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use mail::{MailParameters, NextHop, QueueId, ReversePath};
use parking_lot::Mutex;
use spool::leases::LeaseGuard;
use spool::{Content, Lease, LeasedRecipient, RecipientIndex};

use crate::sql::new_message::{MessageRows, Stored};

/// The octets kept; beyond that the oldest are dropped.
const LIMIT: usize = 8 << 20;
/// Roughly what an entry and each recipient take beside the content.
const OVERHEAD: usize = 256;

/// Small messages to a single next hop that have not been leased yet, oldest first: ids sort by time.
///
/// An entry is added before its message is durable, while nobody knows of it, and handed out at the first lease. So it is
/// never older than the tables, and afterwards only the tables are used.
#[derive(Debug, Default)]
pub(crate) struct Recent(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    messages: BTreeMap<QueueId, Entry>,
    weight: usize,
}

#[derive(Debug)]
struct Entry {
    created: Timestamp,
    reverse_path: ReversePath,
    parameters: MailParameters,
    recipients: Vec<LeasedRecipient>,
    next_hop: NextHop,
    content: Bytes,
}

impl Recent {
    /// Keeps a message that is about to be made durable.
    pub(crate) fn keep(&self, message: &MessageRows) {
        let ([next_hop], Stored::Inline(content)) = (&message.next_hops[..], &message.body.stored) else {
            return;
        };
        let recipients = (0_u32..)
            .zip(&message.recipients)
            .map(|(index, (recipient, _))| LeasedRecipient {
                index: RecipientIndex(index),
                address: recipient.address.clone(),
                parameters: recipient.parameters.clone(),
                attempts: 0,
                due: message.created,
                delay_noticed: false,
            });
        let entry = Entry {
            created: message.created,
            reverse_path: message.reverse_path.clone(),
            parameters: message.parameters.clone(),
            recipients: recipients.collect(),
            next_hop: next_hop.clone(),
            content: content.clone(),
        };
        self.0.lock().insert(message.id, entry);
    }

    /// Forgets a message that did not become durable, or that the administrator has acted on.
    pub(crate) fn forget(&self, id: QueueId) {
        self.0.lock().remove(id);
    }

    /// The first lease of a message; or the guard back, if the message must be read from the disk.
    pub(crate) fn lease(
        &self,
        id: QueueId,
        next_hop: &NextHop,
        guard: LeaseGuard,
    ) -> Result<Lease, LeaseGuard> {
        let taken = self.0.lock().take(id, next_hop);
        let Some(entry) = taken else {
            return Err(guard);
        };
        Ok(Lease {
            id,
            next_hop: entry.next_hop,
            created: entry.created,
            reverse_path: entry.reverse_path,
            parameters: entry.parameters,
            size: entry.content.len() as u64,
            accepted_recipients: u32::try_from(entry.recipients.len()).unwrap_or(u32::MAX),
            recipients: entry.recipients,
            content: Content::Inline(entry.content),
            guard,
        })
    }
}

impl Kept {
    fn insert(&mut self, id: QueueId, entry: Entry) {
        self.remove(id);
        self.weight = self.weight.saturating_add(entry.weight());
        self.messages.insert(id, entry);
        while self.weight > LIMIT
            && let Some((_, oldest)) = self.messages.pop_first()
        {
            self.weight = self.weight.saturating_sub(oldest.weight());
        }
    }

    fn take(&mut self, id: QueueId, next_hop: &NextHop) -> Option<Entry> {
        let there = self
            .messages
            .get(&id)
            .is_some_and(|entry| entry.next_hop == *next_hop);
        there.then(|| self.remove(id)).flatten()
    }

    fn remove(&mut self, id: QueueId) -> Option<Entry> {
        let entry = self.messages.remove(&id)?;
        self.weight = self.weight.saturating_sub(entry.weight());
        Some(entry)
    }
}

impl Entry {
    fn weight(&self) -> usize {
        let rows = self.recipients.len().saturating_add(1);
        rows.saturating_mul(OVERHEAD).saturating_add(self.content.len())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use spool::contract::message;
    use spool::leases::LeaseTable;

    use super::*;
    use crate::sql::new_message::{Body, plan};

    fn rows(length: usize) -> MessageRows {
        let body = Body::inline(vec![b'x'; length].into());
        plan(message(&["a@b.example"]), body).unwrap().0
    }

    fn leased(recent: &Recent, id: QueueId, next_hop: &str) -> bool {
        let next_hop = next_hop.parse().unwrap();
        let guard = LeaseTable::default().take(id, &next_hop).unwrap();
        recent.lease(id, &next_hop, guard).is_ok()
    }

    #[test]
    fn an_entry_is_given_away_once_and_only_for_its_next_hop() {
        let recent = Recent::default();
        let kept = rows(10);
        recent.keep(&kept);
        assert!(!leased(&recent, kept.id, "c.example"));
        assert!(leased(&recent, kept.id, "b.example"));
        assert!(!leased(&recent, kept.id, "b.example"));
        recent.keep(&kept);
        recent.forget(kept.id);
        assert!(!leased(&recent, kept.id, "b.example"));
        assert_eq!(recent.0.lock().weight, 0);
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many() {
        let recent = Recent::default();
        let (mut first, second) = (rows(LIMIT / 2), rows(LIMIT / 2));
        first.id = QueueId::from_bytes([0; 16]);
        recent.keep(&second);
        recent.keep(&first);
        assert!(!leased(&recent, first.id, "b.example"));
        assert!(leased(&recent, second.id, "b.example"));
    }
}
