//! Commands that look and change nothing.

use std::ops::ControlFlow;

use jiff::Timestamp;
use mail::QueueId;
use mail::event::{Event, Level, Value};
use spool::{Content, Manage, QueuedMessage, SpoolError, Summary};
use tokio::sync::mpsc;

use super::Office;
use super::answers::{Answers, BrokenOff};
use super::letter::{Ages, Letter};
use super::peer::Peer;
use super::protocol::{Contents, Line, Nothing, Refusal};
use super::selectors::Selectors;

/// What was found and waits for the client to read on.
const WAITING: usize = 256;
/// Next hops in a summary.
pub(crate) const DESTINATIONS: usize = 20;

/// Sends what `pick` takes of each message at which the selectors look; ends early when nobody wants more.
pub(super) async fn pick<S: Manage, T: Send + 'static>(
    spool: &S,
    selectors: &Selectors,
    pick: impl Fn(QueuedMessage) -> Option<T> + Clone + Send + 'static,
    found: mpsc::Sender<T>,
) -> Result<(), SpoolError> {
    for source in selectors.sources() {
        let (pick, found) = (pick.clone(), found.clone());
        let visit = move |message| {
            let wanted = match pick(message) {
                Some(one) => found.blocking_send(one).is_ok(),
                None => !found.is_closed(),
            };
            if wanted {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        };
        spool.list(source, visit).await?;
    }
    Ok(())
}

/// A channel for what [`pick`] finds.
pub(super) fn findings<T>() -> (mpsc::Sender<T>, mpsc::Receiver<T>) {
    mpsc::channel(WAITING)
}

/// `queue list`.
pub(super) async fn list<S: Manage>(
    office: &Office<S>,
    selectors: Selectors,
    answers: &mut Answers,
) -> Result<(), BrokenOff> {
    let _turn = office.lists.acquire().await;
    let now = Timestamp::now();
    let (sender, found) = findings();
    let wanted = selectors.clone();
    let fitting = move |message| wanted.fit(&message, now).then_some(message);
    let picking = pick(&office.surroundings.spool, &selectors, fitting, sender);
    let (picked, forwarded) = tokio::join!(picking, forward(found, answers));
    forwarded?;
    match picked {
        Ok(()) => answers.end(&Nothing {}).await,
        Err(error) => answers.refuse(error.into()).await,
    }
}

async fn forward(mut found: mpsc::Receiver<QueuedMessage>, answers: &mut Answers) -> Result<(), BrokenOff> {
    let mut batch = Vec::new();
    while found.recv_many(&mut batch, WAITING).await > 0 {
        for message in batch.drain(..) {
            answers.add(&Line::<_, Nothing>::Result(message));
        }
        answers.flush().await?;
    }
    Ok(())
}

/// `queue show`.
pub(super) async fn show<S: Manage>(
    office: &Office<S>,
    id: QueueId,
    answers: &mut Answers,
) -> Result<(), BrokenOff> {
    let ages = office.surroundings.ages;
    match read(&office.surroundings.spool, id, ages).await {
        Ok(letter) => answers.end(&letter).await,
        Err(refusal) => answers.refuse(refusal).await,
    }
}

async fn read<S: Manage>(spool: &S, id: QueueId, ages: Ages) -> Result<Letter, Refusal> {
    let (message, content) = find(spool, id).await?;
    let declared = spool.declared(id).await?.ok_or_else(|| Refusal::unknown(id))?;
    Ok(Letter::read(message, (declared, &content), ages).await?)
}

/// `queue export`.
pub(super) async fn export<S: Manage>(
    office: &Office<S>,
    id: QueueId,
    peer: &Peer,
    answers: &mut Answers,
) -> Result<(), BrokenOff> {
    let (message, content) = match find(&office.surroundings.spool, id).await {
        Ok(found) => found,
        Err(refusal) => return answers.refuse(refusal).await,
    };
    let mut reader = match content.reader().await {
        Ok(reader) => reader,
        Err(error) => return answers.refuse(error.into()).await,
    };
    // It changes nothing, but somebody reads another's mail.
    let event = Event::new(Level::Info, "admin")
        .with("action", Value::Word("export".to_owned()))
        .with("id", Value::Word(id.to_string()))
        .with("by", Value::Quoted(peer.to_string()));
    office.log(&event);
    let contents = Contents { size: message.size };
    answers.line(&Line::<_, Nothing>::Result(contents)).await?;
    let mut left = message.size;
    loop {
        match reader.next().await {
            Ok(Some(chunk)) => {
                left = left.saturating_sub(chunk.len() as u64);
                answers.octets(&chunk).await?;
            }
            Ok(None) => return answers.end(&Nothing {}).await,
            Err(error) if left == 0 => return answers.refuse(error.into()).await,
            // There is no place in the midst of content to say so: the client misses the rest.
            Err(_) => return Ok(()),
        }
    }
}

/// `queue summary`.
pub(super) async fn summary<S: Manage>(office: &Office<S>, answers: &mut Answers) -> Result<(), BrokenOff> {
    match office.surroundings.spool.summary(DESTINATIONS).await {
        Ok(summary) => answers.end(&aged(summary, Timestamp::now())).await,
        Err(error) => answers.refuse(error.into()).await,
    }
}

/// With the age of the oldest message.
pub(crate) fn aged(summary: Summary, now: Timestamp) -> Summary {
    let age = |oldest: Timestamp| u64::try_from(now.duration_since(oldest).as_secs()).unwrap_or(0);
    Summary {
        oldest_age: summary.oldest.map(age),
        ..summary
    }
}

/// A message and its content.
async fn find<S: Manage>(spool: &S, id: QueueId) -> Result<(QueuedMessage, Content), Refusal> {
    let selectors = Selectors {
        id: vec![id],
        ..Selectors::default()
    };
    let (sender, mut found) = findings();
    pick(spool, &selectors, Some, sender).await?;
    let content = spool.content(id).await?;
    // It may leave the queue at any moment.
    match (found.recv().await, content) {
        (Some(message), Some(content)) => Ok((message, content)),
        (None, _) | (_, None) => Err(Refusal::unknown(id)),
    }
}
