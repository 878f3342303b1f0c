//! One connection: a session, the wire that it speaks on, and the spool.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use mail::QueueId;
use smtp::MailFrom;
use spool::{Incoming, Spool, SpoolError};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::client::Client;
use crate::config::ListenerConfig;
use crate::log;
use crate::session::{End, Finished, Session, Step, Telling};
use crate::shared::{Shared, stopped};
use crate::wire::{Broken, COMMAND_READ, CONTENT_READ, Wire};

/// How long the reply to a message for which the spool has no place is kept back, so that a client that tries again at
/// once does not spin. Only its own session waits.
const REFUSAL_PAUSE: Duration = Duration::from_secs(1);

/// A session that goes on is told of in the log after so long; what it is refused from then on is another line.
const TOLD_AFTER: Duration = Duration::from_mins(1);

/// A client's connection.
pub(crate) struct Connection<S> {
    shared: Arc<Shared<S>>,
    /// The settings in force; the session has those of its transaction.
    config: watch::Receiver<Arc<ListenerConfig>>,
    client: Client,
    session: Session<Incoming>,
    wire: Wire,
    pace: Pace,
    /// When what the session was refused is to be told, if it was refused anything.
    told_at: Option<Instant>,
    shutdown: watch::Receiver<bool>,
}

/// Until when the client must have said its next command, or sent its next block of content.
#[derive(Debug)]
struct Pace {
    limit: Duration,
    deadline: Instant,
    /// Octets of content since the deadline was set.
    octets: usize,
}

impl Pace {
    fn new(limit: Duration) -> Self {
        Self {
            limit,
            deadline: Instant::now() + limit,
            octets: 0,
        }
    }

    fn renew(&mut self) {
        self.deadline = Instant::now() + self.limit;
        self.octets = 0;
    }

    /// Each block of [`CONTENT_READ`] octets must come within the time, however small its pieces are.
    fn came(&mut self, octets: usize) {
        self.octets = self.octets.saturating_add(octets);
        if self.octets >= CONTENT_READ {
            self.renew();
        }
    }
}

impl From<Broken> for End {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Lost => Self::Lost,
            Broken::TimedOut => Self::TimedOut,
        }
    }
}

impl<S: Spool> Connection<S> {
    pub(crate) fn new(
        shared: Arc<Shared<S>>,
        client: Client,
        wire: Wire,
        shutdown: watch::Receiver<bool>,
    ) -> Self {
        let mut settings = shared.config.clone();
        let config = Arc::clone(&settings.borrow_and_update());
        Self {
            shared,
            config: settings,
            pace: Pace::new(config.limits.timeout),
            session: Session::new(config, client.clone()),
            client,
            wire,
            told_at: None,
            shutdown,
        }
    }

    /// Serves the client until one side ends it.
    pub(crate) async fn run(mut self) {
        let Err(end) = self.converse().await;
        self.tell_refusals();
        if end != End::Lost {
            self.session.farewell(end);
            self.wire.close(self.session.output()).await;
        }
    }

    async fn converse(&mut self) -> Result<Infallible, End> {
        let mut step = Step::Flush;
        loop {
            self.notice_settings();
            if self.session.refused() == Some(Telling::AtOnce) {
                self.tell_refusals();
            }
            if !matches!(step, Step::Read | Step::ReadContent | Step::Store) {
                self.pace.renew();
            }
            let next = match step {
                Step::Go => None,
                Step::Flush => {
                    self.flush().await?;
                    None
                }
                Step::Pause => {
                    self.pause().await;
                    self.flush().await?;
                    None
                }
                Step::Read => {
                    self.flush().await?;
                    self.wait_for_command().await?;
                    None
                }
                Step::ReadContent => {
                    self.read_content().await?;
                    None
                }
                Step::Begin(mail) => {
                    let room = self.place(&mail).map(drop);
                    self.report(room.as_ref().err());
                    Some(self.session.begin(mail, room))
                }
                Step::Open(transaction) => {
                    let place = self.place(&transaction.mail);
                    self.report(place.as_ref().err());
                    let birth = (QueueId::generate(), Timestamp::now());
                    Some(self.session.open(transaction, place, birth))
                }
                Step::Store => {
                    // Boxed, so that idle connections do not carry the size of its state.
                    Box::pin(self.store()).await;
                    None
                }
                Step::Commit(finished) => Some(Box::pin(self.commit(finished)).await),
                Step::Close(end) => return Err(end),
            };
            step = next.unwrap_or_else(|| self.session.step(&mut self.wire.input));
        }
    }

    /// New settings hold from the next transaction on.
    fn notice_settings(&mut self) {
        if self.config.has_changed().unwrap_or_default() && !self.session.is_in_transaction() {
            let config = Arc::clone(&self.config.borrow_and_update());
            self.pace.limit = config.limits.timeout;
            self.session.configure(config);
        }
    }

    /// Sends the replies that wait.
    async fn flush(&mut self) -> Result<(), End> {
        let limit = self.pace.limit;
        Ok(self.wire.write(self.session.output(), limit).await?)
    }

    /// Reads more. Between transactions a shutdown ends the session. What it was refused is told on the way, when that is
    /// due.
    async fn wait_for_command(&mut self) -> Result<(), End> {
        if self.told_at.is_none() && self.session.refused() == Some(Telling::Together) {
            self.told_at = Some(Instant::now() + TOLD_AFTER);
        }
        let due = self.told_at.filter(|due| *due < self.pace.deadline);
        let reading = self.wire.read(COMMAND_READ, due.unwrap_or(self.pace.deadline));
        let read = if self.session.is_in_transaction() {
            reading.await
        } else {
            tokio::select! {
                biased;
                () = stopped(&mut self.shutdown) => return Err(End::Shutdown),
                read = reading => read,
            }
        };
        if due.is_some_and(|due| due <= Instant::now()) {
            self.tell_refusals();
        }
        match read {
            Ok(_) => Ok(()),
            Err(Broken::TimedOut) if due.is_some() => Ok(()),
            Err(broken) => Err(broken.into()),
        }
    }

    async fn read_content(&mut self) -> Result<(), End> {
        let octets = self.wire.read(CONTENT_READ, self.pace.deadline).await?;
        self.pace.came(octets);
        Ok(())
    }

    /// Waits [`REFUSAL_PAUSE`], less if we are stopping.
    async fn pause(&mut self) {
        tokio::select! {
            biased;
            () = stopped(&mut self.shutdown) => {}
            () = sleep(REFUSAL_PAUSE) => {}
        }
    }

    /// A place in the spool for this message, if there is room for as much as its client declares (RFC 1870 §6.1 (1)).
    fn place(&self, mail: &MailFrom) -> Result<Incoming, SpoolError> {
        let incoming = self.shared.spool.create()?;
        incoming.fits(self.session.declared(mail))?;
        Ok(incoming)
    }

    async fn store(&mut self) {
        let Some((incoming, content)) = self.session.to_store() else {
            return;
        };
        let stored = incoming.append(content).await;
        content.clear();
        if let Err(error) = stored {
            self.report(Some(&error));
            self.session.store_failed(error);
        }
    }

    /// Makes a message durable, and tells everybody.
    async fn commit(&mut self, finished: Box<Finished<Incoming>>) -> Step<Incoming> {
        let Finished {
            place,
            message,
            message_id,
        } = *finished;
        let from = message.envelope.reverse_path.clone();
        let recipients = message.envelope.recipients.len();
        match self.shared.spool.commit(place, message).await {
            Ok(accepted) => {
                let id = accepted.id;
                let event = log::accepted(&accepted, self.client.address, &from, recipients, message_id);
                self.shared.log.write(&event);
                self.shared.report_room();
                (self.shared.on_accepted)(accepted);
                self.session.accepted(id)
            }
            Err(error) => {
                self.report(Some(&error));
                self.session.refuse_for_spool(&error)
            }
        }
    }

    fn report(&self, error: Option<&SpoolError>) {
        if let Some(error) = error {
            self.shared.report_spool_error(self.client.address, error);
        }
    }

    /// Writes what the session was refused so far, if anything.
    fn tell_refusals(&mut self) {
        self.told_at = None;
        if let Some(event) = self.session.take_refusals() {
            self.shared.log.write(&event);
        }
    }
}
