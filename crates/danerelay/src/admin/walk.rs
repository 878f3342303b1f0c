//! Goes through the queue a page at a time: between two pages nothing of the spool is held.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::vec;

use mail::QueueId;
use parking_lot::Mutex;
use spool::{Inspect, QueuedMessage, SpoolError, Unreadable};

use super::selectors::Selectors;

/// The maximum number of messages in a page.
const MESSAGES: usize = 500;
/// The number of recipients after which a page is full, however few messages it has.
const RECIPIENTS: usize = 5000;
/// The number of messages examined for one page: with a selector that seldom matches, it must be noticed now and then
/// that the client has gone.
const LOOKED_AT: usize = 20_000;

/// A position in the queue.
pub(crate) struct Walk {
    sources: vec::IntoIter<Option<QueueId>>,
    /// When going through the whole queue: the last message examined.
    after: Option<QueueId>,
    by_id: bool,
    unreadable: Unreadable,
    damaged: Vec<QueueId>,
}

impl Walk {
    /// At the beginning of the messages that the selectors look at.
    pub(crate) fn new(selectors: &Selectors) -> Self {
        Self {
            sources: selectors.sources().into_iter(),
            after: None,
            by_id: !selectors.id.is_empty(),
            unreadable: Unreadable::default(),
            damaged: Vec::new(),
        }
    }

    /// Messages skipped so far because they cannot be read, whether the selectors would have matched or not.
    pub(crate) fn unreadable(&self) -> &Unreadable {
        &self.unreadable
    }

    /// Those of the skipped messages that were requested by their ids.
    pub(crate) fn damaged(&self) -> &[QueueId] {
        &self.damaged
    }

    /// Whether it visits single messages, which is quick.
    pub(crate) fn is_by_id(&self) -> bool {
        self.by_id
    }

    /// What `pick` selects from the next messages, perhaps nothing; `None` at the end.
    pub(crate) async fn next<S: Inspect, T: Send + 'static>(
        &mut self,
        spool: &S,
        pick: impl Fn(QueuedMessage) -> Option<T> + Clone + Send + 'static,
    ) -> Result<Option<Vec<T>>, SpoolError> {
        let page = Arc::new(Mutex::new(Page::default()));
        let full = loop {
            let (pick, filled) = (pick.clone(), Arc::clone(&page));
            let visit = move |message| lock(&filled, |page| page.visit(message, &pick));
            let whole = if let Some(after) = self.after {
                self.unreadable.add(spool.list_after(after, visit).await?);
                true
            } else if let Some(source) = self.sources.next() {
                let passed_over = spool.list(source, visit).await?;
                if !passed_over.is_none() {
                    self.damaged.extend(source);
                }
                self.unreadable.add(passed_over);
                source.is_none()
            } else {
                break false;
            };
            let (full, last) = lock(&page, |page| (page.is_full(), page.last));
            self.after = last.filter(|_| whole && full);
            if full {
                break true;
            }
        };
        let found = lock(&page, |page| std::mem::take(&mut page.found));
        Ok((full || !found.is_empty()).then_some(found))
    }
}

fn lock<T, R>(page: &Mutex<Page<T>>, work: impl FnOnce(&mut Page<T>) -> R) -> R {
    work(&mut page.lock())
}

/// What was found so far.
struct Page<T> {
    found: Vec<T>,
    recipients: usize,
    looked_at: usize,
    last: Option<QueueId>,
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self {
            found: Vec::new(),
            recipients: 0,
            looked_at: 0,
            last: None,
        }
    }
}

impl<T> Page<T> {
    fn visit(
        &mut self,
        message: QueuedMessage,
        pick: impl Fn(QueuedMessage) -> Option<T>,
    ) -> ControlFlow<()> {
        let recipients = message.recipients.len();
        self.last = Some(message.id);
        self.looked_at = self.looked_at.saturating_add(1);
        if let Some(one) = pick(message) {
            self.recipients = self.recipients.saturating_add(recipients);
            self.found.push(one);
        }
        if self.is_full() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn is_full(&self) -> bool {
        self.found.len() >= MESSAGES || self.recipients >= RECIPIENTS || self.looked_at >= LOOKED_AT
    }
}
