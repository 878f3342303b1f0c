//! One connection: a session, its wire, and the spool.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use mail::QueueId;
use mail::event::client::BeginFault;
use smtp::{Credentials, MailFrom};
use spool::{Incoming, Spool, SpoolError};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::client::Client;
use crate::config::ListenerConfig;
use crate::connections::{ClientClass, Counted};
use crate::log::{self, Arrived};
use crate::logins::Login;
use crate::pace::{Pace, patience};
use crate::session::{End, Finished, Renamed, Session, Stamp, Step, Telling};
use crate::shared::{Shared, stopped};
use crate::wire::{Broken, COMMAND_READ, CONTENT_READ, Wire};

/// Refusals are logged after this long if the session is still open; later refusals get another line.
const TOLD_AFTER: Duration = Duration::from_mins(1);

/// When we are shutting down, a transaction whose client is silent for this long ends, unless its content is coming.
const SILENCE: Duration = Duration::from_millis(if cfg!(test) { 500 } else { 5000 });

/// A client's connection.
pub(crate) struct Connection<S> {
    shared: Arc<Shared<S>>,
    /// The settings in force; the session uses those of its transaction.
    config: watch::Receiver<Arc<ListenerConfig>>,
    session: Session<Incoming>,
    counted: Counted,
    pace: Pace,
    /// When to log the refusals of the session, if there are any.
    told_at: Option<Instant>,
    shutdown: watch::Receiver<bool>,
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
        counted: Counted,
        shutdown: watch::Receiver<bool>,
    ) -> Self {
        let mut settings = shared.config.clone();
        let config = Arc::clone(&settings.borrow_and_update());
        Self {
            shared,
            config: settings,
            pace: Pace::new(patience(&config, &client)),
            session: Session::new(config, client),
            counted,
            told_at: None,
            shutdown,
        }
    }

    /// Serves the client on this wire until one side closes it.
    pub(crate) async fn run(mut self, wire: Wire) {
        // Since it was counted, settings may have changed, and a handshake may have shown a certificate.
        self.settle_class();
        let (end, wire) = self.converse(wire).await;
        self.tell_refusals();
        if let Some(wire) = wire
            && end != End::Lost
        {
            self.session.farewell(end);
            wire.close(self.session.output()).await;
        }
    }

    /// Why the session ended, and the wire, if it can still be used.
    async fn converse(&mut self, mut wire: Wire) -> (End, Option<Wire>) {
        let mut step = Step::Flush;
        loop {
            if self.session.refused() == Some(Telling::AtOnce) {
                self.tell_refusals();
            }
            if !matches!(step, Step::Read | Step::ReadContent | Step::Store) {
                self.pace.renew();
            }
            let next = match step {
                Step::Close(end) => return (end, Some(wire)),
                Step::StartTls => match Box::pin(self.secure(wire)).await {
                    Some(secured) => {
                        wire = secured;
                        Ok(None)
                    }
                    None => return (End::Lost, None),
                },
                step => self.take(step, &mut wire).await,
            };
            step = match next {
                Ok(Some(next)) => next,
                Ok(None) => {
                    // Here alone: what the session has already judged for its next step was judged by the old ones.
                    self.notice_settings();
                    self.session.step(&mut wire.input)
                }
                Err(end) => return (end, Some(wire)),
            };
        }
    }

    /// Does what a step asks for. Returns the step that the session wants next, if it has already said so.
    async fn take(&mut self, step: Step<Incoming>, wire: &mut Wire) -> Result<Option<Step<Incoming>>, End> {
        let next = match step {
            // TLS starts in the caller, which owns the wire.
            Step::Go | Step::StartTls => None,
            Step::Flush => {
                self.flush(wire).await?;
                None
            }
            Step::Pause(pause) => {
                self.pause(pause).await;
                self.flush(wire).await?;
                None
            }
            Step::Read => {
                self.flush(wire).await?;
                self.wait_for_command(wire).await?;
                None
            }
            Step::ReadContent => {
                self.flush(wire).await?;
                let octets = self.read(wire, self.content_read(), self.pace.deadline).await?;
                self.pace.came(octets);
                None
            }
            Step::Begin(_) if *self.shutdown.borrow() => return Err(End::Shutdown),
            Step::Begin(mail) => {
                let room = self.place(&mail).map(drop);
                self.report(room.as_ref().err());
                Some(self.session.begin(mail, room))
            }
            Step::Open(transaction) => {
                let place = self.place(&transaction.mail);
                self.report(place.as_ref().err());
                let stamp = Stamp {
                    id: QueueId::generate(),
                    at: Timestamp::now(),
                };
                Some(self.session.open(transaction, place, stamp))
            }
            // Boxed, so that idle connections do not carry the size of their state.
            Step::Store => {
                Box::pin(self.store()).await;
                None
            }
            Step::Commit(finished) => Some(Box::pin(self.commit(finished)).await),
            Step::Check(credentials) => Some(Box::pin(self.check(credentials)).await),
            Step::Rename(to) => Some(self.rename(*to)),
            Step::Close(end) => return Err(end),
        };
        Ok(next)
    }

    /// Sends the replies, then does the TLS handshake.
    async fn secure(&mut self, mut wire: Wire) -> Option<Wire> {
        self.flush(&mut wire).await.ok()?;
        let tls = self.session.config().tls.clone()?;
        let secured = tokio::select! {
            biased;
            () = stopped(&mut self.shutdown) => return None,
            secured = wire.secure(&tls) => secured,
        };
        match secured {
            Ok((wire, facts)) => {
                self.session.secured(facts);
                self.settle_class();
                Some(wire)
            }
            Err(fault) => {
                let address = self.session.client().address;
                let event = log::not_begun(address, BeginFault::StartTls(fault));
                self.shared.log.write(&event);
                None
            }
        }
    }

    /// Checks the client's credentials.
    async fn check(&mut self, said: Credentials) -> Step<Incoming> {
        let (address, name) = (self.session.client().address, said.user.clone());
        let login = match &self.session.config().users {
            Some(users) => self.shared.logins.check(users, address, said).await,
            None => Login::Wrong,
        };
        let next = self.session.checked(login, name);
        self.settle_class();
        next
    }

    /// Counts the connection as that of the client that a proxy has named. What the proxy was refused is logged first.
    fn rename(&mut self, to: Renamed) -> Step<Incoming> {
        self.tell_refusals();
        let config = self.session.config();
        let (address, class) = (to.client.address, ClientClass::of(&to.client, config));
        if let Err(excess) = self.counted.identify(address, class, &config.limits) {
            self.shared.report_excess(address, excess);
            return Step::Close(End::TooManyConnections);
        }
        let next = self.session.renamed(to);
        self.settle_class();
        next
    }

    /// Applies the limits for the client, given what is known about it.
    fn settle_class(&mut self) {
        let (config, client) = (self.session.config(), self.session.client());
        self.pace.limit = patience(config, client);
        self.counted.settle(ClientClass::of(client, config));
    }

    /// How much content to read at once. That of a client that may not relay is thrown away.
    fn content_read(&self) -> usize {
        match ClientClass::of(self.session.client(), self.session.config()) {
            ClientClass::MayRelay => CONTENT_READ,
            ClientClass::Stranger => COMMAND_READ,
        }
    }

    /// New settings apply from the next transaction.
    fn notice_settings(&mut self) {
        if self.config.has_changed().unwrap_or_default() && !self.session.is_in_transaction() {
            let config = Arc::clone(&self.config.borrow_and_update());
            self.session.configure(config);
            self.settle_class();
        }
    }

    /// Sends the pending replies.
    async fn flush(&mut self, wire: &mut Wire) -> Result<(), End> {
        let limit = self.pace.limit;
        Ok(wire.write(self.session.output(), limit).await?)
    }

    /// Reads more. Meanwhile, refusals are logged when that is due.
    async fn wait_for_command(&mut self, wire: &mut Wire) -> Result<(), End> {
        if self.told_at.is_none() && self.session.refused() == Some(Telling::Together) {
            self.told_at = Some(Instant::now() + TOLD_AFTER);
        }
        let due = self.told_at.filter(|due| *due < self.pace.deadline);
        let read = self
            .read(wire, COMMAND_READ, due.unwrap_or(self.pace.deadline))
            .await;
        if due.is_some_and(|due| due <= Instant::now()) {
            self.tell_refusals();
        }
        match read {
            Ok(_) => Ok(()),
            Err(End::TimedOut) if due.is_some() => Ok(()),
            Err(end) => Err(end),
        }
    }

    /// Reads what the client sends, unless a shutdown ends the session before that.
    async fn read(&mut self, wire: &mut Wire, most: usize, deadline: Instant) -> Result<usize, End> {
        let grace = self.grace();
        let ending = async {
            stopped(&mut self.shutdown).await;
            match grace {
                Some(grace) => sleep(grace).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = ending => Err(End::Shutdown),
            read = wire.read(most, deadline) => Ok(read?),
        }
    }

    /// How long a shutdown waits for the client's next octets; without end for those of content. It does not wait for a client
    /// that may not relay.
    fn grace(&self) -> Option<Duration> {
        match ClientClass::of(self.session.client(), self.session.config()) {
            ClientClass::MayRelay if self.session.is_receiving() => None,
            ClientClass::MayRelay if self.session.is_in_transaction() => Some(SILENCE),
            ClientClass::MayRelay | ClientClass::Stranger => Some(Duration::ZERO),
        }
    }

    /// Waits; less long if we are shutting down.
    async fn pause(&mut self, pause: Duration) {
        tokio::select! {
            biased;
            () = stopped(&mut self.shutdown) => {}
            () = sleep(pause) => {}
        }
    }

    /// A place in the spool for this message, if there is room for the size its client declares (RFC 1870 §6.1 (1)).
    fn place(&self, mail: &MailFrom) -> Result<Incoming, SpoolError> {
        let incoming = self.shared.spool.create()?;
        incoming.fits(self.session.declared(mail))?;
        Ok(incoming)
    }

    async fn store(&mut self) {
        let Some((incoming, content)) = self.session.unstored() else {
            return;
        };
        let stored = incoming.append(content).await;
        content.clear();
        if let Err(error) = stored {
            self.report(Some(&error));
            self.session.store_failed(error);
        }
    }

    /// Makes a message durable, logs it and calls the hook.
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
                let client = self.session.client();
                let arrived = Arrived {
                    client,
                    identity: client.identity(self.session.config()),
                    origin: self.session.origin(),
                    from,
                    recipients,
                    message_id,
                };
                self.shared.log.write(&log::accepted(&accepted, arrived));
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
            self.shared
                .report_spool_error(self.session.client().address, error);
        }
    }

    /// Logs the session's refusals so far, if any.
    fn tell_refusals(&mut self) {
        self.told_at = None;
        if let Some(event) = self.session.take_refusals() {
            self.shared.log.write(&event);
        }
    }
}
