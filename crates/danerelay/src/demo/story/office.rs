//! The relay of the story: the very parts that `danerelay serve` connects, in this process, by a calendar that can be turned.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use delivery::{Clock, Forget, SchedulerHandle, Surroundings};
use dns::Resolver;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use mail::event::{Event, EventLog};
use mail::{BodyType, DaneVerdict, Envelope, MailParameters, Mailbox, QueueId, ReversePath, Status};
use parking_lot::Mutex;
use policy::{Missing, Policy};
use report::incidents::news::{self, News};
use report::incidents::ours::Ours;
use report::incidents::{Incident, Terms, compose};
use spool::{Action, NewMessage, RecipientState, Selected, Store};
use tokio::process::Command;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::super::error::DemoError;
use super::super::stage::Stage;
use crate::config::{self, Config};
use crate::failure::Failure;
use crate::wiring::{self, WiringError, settings, tls};

/// How long any delivery of the story may take.
const PATIENCE: Duration = Duration::from_mins(1);
/// Between two looks at what has come of messages, and between two rounds of tries.
const MOMENT: Duration = Duration::from_millis(10);
const ROUND: Duration = Duration::from_secs(1);
/// The sender of all mail.
const SENDER: &str = "sender@origin.demo";

/// A calendar that goes with the time that passes, and can be turned.
pub(super) struct Calendar(Mutex<SignedDuration>);

impl Clock for Calendar {
    fn now(&self) -> Timestamp {
        Timestamp::now() + *self.0.lock()
    }
}

/// The outcomes of attempts, in their order.
#[derive(Default)]
struct Diary(Mutex<Vec<Outcome>>);

/// One outcome.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    id: QueueId,
    pub(super) status: Status,
    pub(super) dane: DaneVerdict,
    /// The line of the log.
    pub(super) line: String,
}

impl EventLog for Diary {
    fn write(&self, event: &Event) {
        if let Event::Delivery(delivery) = event {
            self.0.lock().push(Outcome {
                id: delivery.id,
                status: delivery.outcome.status,
                dane: delivery.dane.clone(),
                line: event.to_text(),
            });
        }
    }
}

/// The relay.
pub(super) struct Office<S> {
    directory: tempfile::TempDir,
    spool: Arc<S>,
    scheduler: SchedulerHandle,
    resolver: Resolver,
    policy: Arc<ArcSwap<Policy>>,
    calendar: Arc<Calendar>,
    diary: Arc<Diary>,
    config: Config,
    stop: watch::Sender<bool>,
}

/// What is said of an incident.
pub(super) struct Said {
    pub(super) news: News,
    pub(super) incident: Incident,
}

/// Opens the relay for this world.
pub(super) async fn open(stage: &Stage) -> Result<Office<impl Store>, Failure> {
    let directory = tempfile::tempdir().map_err(DemoError::System)?;
    let config = configuration(directory.path(), stage)?;
    let diary = Arc::new(Diary::default());
    let events: Arc<dyn EventLog> = Arc::<Diary>::clone(&diary);
    let spool = wiring::store::open(&config, Arc::clone(&events)).await?;
    let plan = wiring::resolver::plan(&config, &[]).map_err(WiringError::from)?;
    let resolver = Resolver::new(plan.config).map_err(WiringError::from)?;
    let calendar = Arc::new(Calendar(Mutex::new(SignedDuration::ZERO)));
    let policy = Arc::new(ArcSwap::from_pointee(Policy::builtin()));
    let (stop, stopped) = watch::channel(false);
    let surroundings = Surroundings {
        spool: Arc::clone(&spool),
        resolver: resolver.clone(),
        mta_sts: None,
        policy: Arc::clone(&policy),
        tls: tls::client(&config.tls).map_err(WiringError::from)?,
        events,
        clock: Arc::<Calendar>::clone(&calendar) as Arc<dyn Clock>,
        incidents: Arc::default(),
        sessions: Arc::new(()),
        traces: Arc::default(),
    };
    let hostname = settings::hostname(&config)?;
    let delivery = settings::delivery(&config, &hostname, Vec::new());
    let (scheduler, _) = delivery::start(delivery, surroundings, stopped).map_err(WiringError::Ehlo)?;
    Ok(Office {
        directory,
        spool,
        scheduler,
        resolver,
        policy,
        calendar,
        diary,
        config,
        stop,
    })
}

fn configuration(directory: &Path, stage: &Stage) -> Result<Config, Failure> {
    let file = directory.join("danerelay.toml");
    let text = format!(
        "version = 1\nhostname = \"relay.demo\"\nstate_directory = \"state\"\n[spool]\npath = \"spool\"\n[admin]\nsocket = \"\"\n[limits]\nspool_free = \"1 MiB\"\n\
         [delivery]\nport = {}\nignore_addresses = []\ndelay_warning = \"0s\"\n\
         [dns]\nmode = \"validate\"\nservers = [\"{}\"]\ntrust_anchor = \"anchor\"\n",
        stage.port,
        stage.world.address()
    );
    let anchor = stage.world.trust_anchor_ds().map_err(DemoError::from)?;
    std::fs::write(directory.join("anchor"), anchor).map_err(DemoError::System)?;
    std::fs::write(&file, text).map_err(DemoError::System)?;
    std::fs::write(directory.join("policy.toml"), "version = 1\n").map_err(DemoError::System)?;
    Ok(config::load(Some(&file))?.config)
}

impl<S: Store> Office<S> {
    /// The day of the story.
    pub(super) fn now(&self) -> Timestamp {
        self.calendar.now()
    }

    /// Turns the calendar. What was kept of hosts and names does not last so long, but for the one clock that is not turned.
    pub(super) fn turn(&self, hours: i64) {
        *self.calendar.0.lock() += SignedDuration::from_hours(hours);
        self.scheduler.forget(Forget::All);
        self.resolver.flush_all();
    }

    /// Writes the policy file and has it read.
    pub(super) fn set_policy(&self, text: &str) -> Result<(), Failure> {
        let file = self.directory.path().join("policy.toml");
        std::fs::write(file, format!("version = 1\n{text}")).map_err(DemoError::System)?;
        self.read_policy()
    }

    /// Has the policy file and the exceptions read that commands have added.
    pub(super) fn read_policy(&self) -> Result<(), Failure> {
        let loaded = config::load(Some(&self.directory.path().join("danerelay.toml")))?;
        self.policy
            .store(Arc::new(wiring::policy::load(&loaded, Missing::Refused)?.policy));
        Ok(())
    }

    /// Sends a message to each of these, and waits for the first outcome of each.
    pub(super) async fn send(&self, recipients: &[String]) -> Result<Vec<Outcome>, Failure> {
        let mut ids = HashSet::new();
        for recipient in recipients {
            let mut incoming = self.spool.create()?;
            incoming.append(b"Subject: a month\r\n\r\nhello\r\n").await?;
            let message = message(recipient, self.now());
            ids.insert(message.id);
            let accepted = self.spool.commit(incoming, message).await?;
            self.scheduler.schedule(accepted.pending);
        }
        let began = Instant::now();
        loop {
            let outcomes = self.last_outcomes(&ids);
            if outcomes.len() == ids.len() {
                return Ok(outcomes);
            }
            if began.elapsed() > PATIENCE {
                return Err(self.too_late(ids.len()));
            }
            sleep(MOMENT).await;
        }
    }

    /// Tries all that waits, as `danerelay queue retry --all` does, until nothing waits any more. The last outcome of each
    /// message.
    pub(super) async fn retry(&self) -> Result<Vec<Outcome>, Failure> {
        let (began, mut ids) = (Instant::now(), HashSet::new());
        loop {
            let waiting = self.waiting().await?;
            ids.extend(waiting.iter().map(|one| one.id));
            if waiting.is_empty() {
                return Ok(self.last_outcomes(&ids));
            }
            if began.elapsed() > PATIENCE {
                return Err(self.too_late(ids.len()));
            }
            self.resolver.flush_all();
            self.scheduler.forget(Forget::All);
            let acted = self.spool.act(Action::Retry, waiting, self.now()).await?;
            self.scheduler.schedule(acted.pending);
            sleep(ROUND).await;
        }
    }

    /// All recipients that wait.
    async fn waiting(&self) -> Result<Vec<Selected>, Failure> {
        let waiting = Arc::new(Mutex::new(Vec::new()));
        let found = Arc::clone(&waiting);
        self.spool
            .list(None, move |message| {
                let waits = message
                    .recipients
                    .iter()
                    .filter(|one| one.state != RecipientState::Sent);
                found.lock().push(Selected {
                    id: message.id,
                    recipients: waits.map(|one| one.index).collect(),
                });
                std::ops::ControlFlow::Continue(())
            })
            .await?;
        Ok(std::mem::take(&mut *waiting.lock()))
    }

    /// The last outcome of each of these messages that has one.
    fn last_outcomes(&self, ids: &HashSet<QueueId>) -> Vec<Outcome> {
        let diary = self.diary.0.lock();
        let of_these = diary.iter().filter(|one| ids.contains(&one.id));
        let last: HashMap<QueueId, Outcome> = of_these.map(|one| (one.id, one.clone())).collect();
        last.into_values().collect()
    }

    fn too_late(&self, count: usize) -> Failure {
        let diary = self.diary.0.lock();
        let log: Vec<String> = diary.iter().map(|one| format!("{}\n", one.line)).collect();
        let log = log.concat();
        let id = format!("{count} of the story");
        DemoError::NoLine { id, log }.into()
    }

    /// The incidents as they stand.
    pub(super) async fn incidents(&self) -> Result<Vec<Incident>, Failure> {
        Ok(self
            .composed()
            .await?
            .into_iter()
            .map(|one| one.incident)
            .collect())
    }

    /// What there is to say of incidents now, which then counts as said.
    pub(super) async fn news(&self) -> Result<Vec<Said>, Failure> {
        let now = self.now();
        let (mut said, mut told) = (Vec::new(), Vec::new());
        for one in self.composed().await? {
            let Some((news, then)) = news::due(&one, now) else {
                continue;
            };
            told.extend(one.records.iter().map(|record| (record.number, then)));
            let incident = one.incident;
            said.extend(news.map(|news| Said { news, incident }));
        }
        self.spool.told(told).await?;
        Ok(said)
    }

    async fn composed(&self) -> Result<Vec<report::incidents::Composed>, Failure> {
        let terms = Terms {
            max_age: self.config.delivery.max_age.0,
            now: self.now(),
        };
        Ok(compose(self.spool.incidents().await?, &Ours::default(), terms))
    }

    /// Has what is known of the DNS looked up again.
    pub(super) fn forget_dns(&self) {
        self.resolver.flush_all();
    }

    /// What `danerelay report` prints of the last so many days, with more options.
    pub(super) async fn report(&self, days: i64, more: &str) -> Result<String, Failure> {
        let to = self.now().to_zoned(TimeZone::UTC).date();
        let from = to.saturating_sub((days - 1).days());
        let (status, printed) = self
            .run(&format!("danerelay report --from {from} --to {to} {more}"))
            .await?;
        match status {
            Some(0) => Ok(printed),
            _ => Err(DemoError::NoRelay(printed).into()),
        }
    }

    /// Runs a command line as an operator types it, by this program itself. Its exit status, and what it prints.
    pub(super) async fn run(&self, line: &str) -> Result<(Option<i32>, String), Failure> {
        let words = line.strip_prefix("danerelay ").unwrap_or(line);
        let output = Command::new("/bin/sh")
            .args(["-c", &format!("\"$0\" --config \"$1\" {words}")])
            .arg(std::env::current_exe().map_err(DemoError::System)?)
            .arg(self.directory.path().join("danerelay.toml"))
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(DemoError::System)?;
        let said = if output.stdout.is_empty() {
            output.stderr
        } else {
            output.stdout
        };
        Ok((output.status.code(), String::from_utf8_lossy(&said).into_owned()))
    }

    /// Ends the relay in order.
    pub(super) async fn close(&self) -> Result<(), Failure> {
        let _ = self.stop.send(true);
        Ok(self.spool.close().await?)
    }
}

fn message(recipient: &str, created: Timestamp) -> NewMessage {
    // Names of the story.
    let recipients = Mailbox::parse(recipient).into_iter().map(Into::into).collect();
    NewMessage {
        id: QueueId::generate(),
        envelope: Envelope {
            reverse_path: ReversePath::parse(SENDER).unwrap_or(ReversePath::Null),
            recipients,
            parameters: MailParameters::of(BodyType::SevenBit),
        },
        created,
    }
}

/// `u@dNUMBER.customers.demo`.
pub(super) fn customer(number: usize) -> String {
    format!("u@d{number}.customers.demo")
}
