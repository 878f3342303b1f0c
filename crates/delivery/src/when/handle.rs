//! How others speak to the scheduler.

use mail::QueueId;
use spool::Pending;
use tokio::sync::{mpsc, oneshot};

use super::standing::Standings;
use crate::config::Windows;
use crate::forget::Forget;

/// Announces mail to a scheduler. If there is no scheduler, the daemon is shutting down: the mail is in the spool and
/// is found at the next start.
#[derive(Debug, Clone)]
pub struct SchedulerHandle(pub(super) mpsc::UnboundedSender<Message>);

#[derive(Debug)]
pub(super) enum Message {
    /// Schedule these, each at its time.
    Schedule(Vec<Pending>),
    /// Report what is to be reported about these messages.
    Report(Vec<QueueId>),
    /// Forget what was learned about hosts and destinations.
    Forget(Forget),
    /// The settings were read again: what failed may work under the new ones.
    Reloaded(Windows),
    /// Show that the scheduler runs.
    Answer(oneshot::Sender<()>),
    /// Tell how destinations do; of the busiest, this many.
    Look(usize, oneshot::Sender<Standings>),
}

impl SchedulerHandle {
    /// Schedules what a newly accepted message has to deliver, or what an administrator's action left waiting
    /// ([`spool::Acted::pending`]), whatever the action was: what was retried or released is due now according to the spool,
    /// and everything else when it was due before.
    pub fn schedule(&self, pending: Vec<Pending>) {
        self.tell(Message::Schedule(pending));
    }

    /// Reports to the senders of these messages what is to be reported. For messages of which the administrator held or
    /// deleted a part ([`spool::Acted::messages`]): a report may have been waiting for that.
    pub fn report(&self, messages: Vec<QueueId>) {
        self.tell(Message::Report(messages));
    }

    /// Forgets what was learned about receiving hosts, and which destinations fail or are busy; closes the sessions that are
    /// kept with these hosts.
    pub fn forget(&self, what: Forget) {
        self.tell(Message::Forget(what));
    }

    /// Changes how much may run at once. Deliveries in progress continue. Destinations that fail are probed by the next
    /// message whose time comes: they may not fail under a new policy.
    pub fn reloaded(&self, windows: Windows) {
        self.tell(Message::Reloaded(windows));
    }

    /// Returns when the scheduler has come to this; false if there is none any more.
    pub async fn answers(&self) -> bool {
        let (answer, told) = oneshot::channel();
        self.tell(Message::Answer(answer));
        told.await.is_ok()
    }

    /// How destinations do; of the busiest, at most `most`. `None` if there is no scheduler any more.
    pub async fn look(&self, most: usize) -> Option<Standings> {
        let (answer, told) = oneshot::channel();
        self.tell(Message::Look(most, answer));
        told.await.ok()
    }

    fn tell(&self, message: Message) {
        let _ = self.0.send(message);
    }
}
