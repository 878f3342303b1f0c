//! Takes notices to those who want to know: each way with a pace and patience of its own, and never in the way of mail.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::{SignedDuration, Timestamp};
use mail::event::incident::NotTold;
use mail::event::{Event, EventLog};
use spool::{Spool, Way};
use tokio::time::sleep;

use super::command;
use super::notice::Notice;
use super::webhook::Web;
use crate::config::schema::Incidents;
use crate::own_mail::{Mail, Post};
use crate::rate_limit::{Bucket, RateLimit};

/// Ten notices at once on each way, and one more each hour: what comes in between is told together.
const NOTICES: RateLimit = RateLimit::new(10, Duration::from_hours(1));
/// The pauses between the tries; after the last one the way rests.
const PAUSES: [Duration; 3] = [
    Duration::from_secs(10),
    Duration::from_mins(1),
    Duration::from_mins(10),
];
/// How long a way rests on which a notice could not be handed over.
const REST: SignedDuration = SignedDuration::from_hours(1);

/// Takes notices to where they are wanted.
pub(crate) struct Courier<S> {
    settings: Arc<ArcSwap<Incidents>>,
    web: Web,
    post: Arc<Post<S>>,
    events: Arc<dyn EventLog>,
    pauses: [Duration; 3],
}

/// A notice as it goes on a way.
pub(super) enum Parcel {
    Mail(Mail),
    Command(Vec<u8>),
    Webhook(Arc<[u8]>),
}

/// Whether a notice may be sent on a way now.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// One is on its way.
    pub(super) is_busy: bool,
    /// Until then there is none.
    rests: Option<Timestamp>,
    /// For what is ours, so that strangers cannot delay it.
    ours: Bucket<Timestamp>,
    others: Bucket<Timestamp>,
}

impl Turn {
    /// Whether a notice may be sent now; it counts. `is_ours`: something of our own is news.
    pub(super) fn take(&mut self, is_ours: bool, now: Timestamp) -> bool {
        // It is never further ahead, unless the clock has gone back.
        let rests = |until: Timestamp| until > now && until.duration_since(now) <= REST;
        if self.is_busy || self.rests.is_some_and(rests) {
            return false;
        }
        (is_ours && self.ours.take(NOTICES, now)) || self.others.take(NOTICES, now)
    }

    /// The last one could not be handed over.
    pub(super) fn rest(&mut self, now: Timestamp) {
        self.rests = now.checked_add(REST).ok();
    }
}

impl Parcel {
    /// The setting that names its way.
    const fn key(&self) -> &'static str {
        match self {
            Self::Mail(_) => "incidents.mail",
            Self::Command(_) => "incidents.command",
            Self::Webhook(_) => "incidents.webhook",
        }
    }
}

impl<S: Spool> Courier<S> {
    /// Hands notices over as these settings say.
    pub(crate) fn new(
        settings: Arc<ArcSwap<Incidents>>,
        web: Web,
        post: Arc<Post<S>>,
        events: Arc<dyn EventLog>,
    ) -> Self {
        Self {
            settings,
            web,
            post,
            events,
            pauses: PAUSES,
        }
    }

    /// The same with these pauses between the tries.
    #[cfg(test)]
    pub(super) fn pausing(self, pauses: [Duration; 3]) -> Self {
        Self { pauses, ..self }
    }

    pub(super) fn relay(&self) -> &str {
        &self.post.relay
    }

    /// Whether anybody wants to know on this way.
    pub(super) fn is_wanted(&self, way: Way) -> bool {
        let settings = self.settings.load();
        match way {
            Way::Mail => settings.mail.0.is_some(),
            Way::Command => !settings.command.is_empty(),
            Way::Webhook => settings.webhook.0.is_some(),
        }
    }

    /// A notice as it goes on this way; `None` if nobody wants it there.
    pub(super) fn pack(&self, way: Way, notice: &Notice<'_>, now: Timestamp) -> Option<Parcel> {
        Some(match way {
            Way::Mail => {
                let settings = self.settings.load();
                let to = settings.mail.0.as_ref()?;
                Parcel::Mail(notice.letter(now).mail(to, &self.post.relay, now))
            }
            Way::Command => Parcel::Command(notice.json()),
            Way::Webhook => Parcel::Webhook(notice.json().into()),
        })
    }

    /// Hands it over, with patience. Returns whether it was taken; the log says what went wrong.
    pub(super) async fn hand_over(&self, parcel: &Parcel) -> bool {
        let mut pauses = self.pauses.iter();
        while let Err(error) = self.once(parcel).await {
            let pause = pauses.next();
            let (key, again) = (parcel.key(), pause.is_some());
            self.events.write(&Event::NotTold(NotTold { key, error, again }));
            match pause {
                Some(pause) => sleep(*pause).await,
                None => return false,
            }
        }
        true
    }

    /// One try. An error is what went wrong, in words. What was taken out of the configuration meanwhile is done.
    async fn once(&self, parcel: &Parcel) -> Result<(), String> {
        let settings = self.settings.load_full();
        match parcel {
            Parcel::Mail(mail) => match self.post.mail(mail).await {
                Ok(_) => Ok(()),
                Err(error) => Err(error.to_string()),
            },
            Parcel::Command(line) => command::run(&settings.command, line, command::PATIENCE).await,
            Parcel::Webhook(line) => match &settings.webhook.0 {
                Some(url) => self.web.post(url, line).await,
                None => Ok(()),
            },
        }
    }
}
