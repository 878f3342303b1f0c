//! Has the command run and the webhook called for incidents: each notice in its turn, with patience, and never in the way of
//! mail.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use mail::Mailbox;
use mail::event::incident::NotTold;
use mail::event::{Event, EventLog};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::command;
use super::notice::{Item, json};
use super::webhook::Web;
use crate::config::schema::Incidents;

/// How many notices may wait; what comes then is not told.
const WAITING: usize = 64;
/// The pauses between the tries; after the last one the notice is given up.
const PAUSES: [Duration; 3] = [
    Duration::from_secs(10),
    Duration::from_mins(1),
    Duration::from_mins(10),
];

/// Those who take notices to where they are wanted.
pub(crate) struct Couriers {
    shared: Arc<Shared>,
    command: mpsc::Sender<Arc<[u8]>>,
    webhook: mpsc::Sender<Arc<[u8]>>,
}

/// What they share.
struct Shared {
    pauses: [Duration; 3],
    settings: Arc<ArcSwap<Incidents>>,
    web: Web,
    events: Arc<dyn EventLog>,
}

/// How a notice is taken there.
#[derive(Debug, Clone, Copy)]
enum Way {
    Command,
    Webhook,
}

impl Way {
    const fn key(self) -> &'static str {
        match self {
            Self::Command => "incidents.command",
            Self::Webhook => "incidents.webhook",
        }
    }
}

impl Couriers {
    /// Starts them; they end when this is dropped.
    pub(crate) fn start(settings: Arc<ArcSwap<Incidents>>, web: Web, events: Arc<dyn EventLog>) -> Arc<Self> {
        Self::start_pausing(PAUSES, settings, web, events)
    }

    /// The same with these pauses between the tries.
    pub(super) fn start_pausing(
        pauses: [Duration; 3],
        settings: Arc<ArcSwap<Incidents>>,
        web: Web,
        events: Arc<dyn EventLog>,
    ) -> Arc<Self> {
        let shared = Arc::new(Shared {
            pauses,
            settings,
            web,
            events,
        });
        let start = |way| {
            let (sender, waiting) = mpsc::channel(WAITING);
            tokio::spawn(work(way, waiting, Arc::clone(&shared)));
            sender
        };
        Arc::new(Self {
            command: start(Way::Command),
            webhook: start(Way::Webhook),
            shared,
        })
    }

    /// Who gets mail, if anybody does.
    pub(super) fn mail_to(&self) -> Option<Mailbox> {
        self.shared.settings.load().mail.0.clone()
    }

    /// Sends a notice on its ways, without waiting for it.
    pub(super) fn send(&self, relay: &str, items: &[Item]) {
        let settings = self.shared.settings.load();
        let ways = [
            (Way::Command, &self.command, settings.command.is_empty()),
            (Way::Webhook, &self.webhook, settings.webhook.0.is_none()),
        ];
        let mut wanted = ways.into_iter().filter(|(_, _, unset)| !unset).peekable();
        if wanted.peek().is_none() {
            return;
        }
        let notice: Arc<[u8]> = json(relay, items).into();
        for (way, courier, _) in wanted {
            if courier.try_send(Arc::clone(&notice)).is_err() {
                let error = format!("{WAITING} notices wait already");
                self.shared.not_told(way, error, false);
            }
        }
    }
}

impl Shared {
    fn not_told(&self, way: Way, error: String, again: bool) {
        let key = way.key();
        self.events.write(&Event::NotTold(NotTold { key, error, again }));
    }

    /// One try. An error is what went wrong, in words. What was taken out of the configuration meanwhile is done.
    async fn take(&self, way: Way, notice: &Arc<[u8]>) -> Result<(), String> {
        let settings = self.settings.load_full();
        match way {
            Way::Command => command::run(&settings.command, notice, command::PATIENCE).await,
            Way::Webhook => match &settings.webhook.0 {
                Some(url) => self.web.post(url, notice).await,
                None => Ok(()),
            },
        }
    }
}

/// Takes one notice after the other.
async fn work(way: Way, mut waiting: mpsc::Receiver<Arc<[u8]>>, shared: Arc<Shared>) {
    while let Some(notice) = waiting.recv().await {
        let mut pauses = shared.pauses.iter();
        while let Err(error) = shared.take(way, &notice).await {
            let pause = pauses.next();
            shared.not_told(way, error, pause.is_some());
            match pause {
                Some(pause) => sleep(*pause).await,
                None => break,
            }
        }
    }
}
