//! Commands that only read.

use std::sync::Arc;

use delivery::RetrySchedule;
use jiff::Timestamp;
use mail::QueueId;
use mail::event::Event;
use mail::event::admin::Admin;
use spool::{ContentReader, Incidents, Inspect, QueuedMessage, Summary, Unreadable};

use super::answers::Answers;
use super::details::{self, MessageDetails};
use super::peer::Peer;
use super::places::BrokenOff;
use super::protocol::{Contents, Line, Listed, Nothing, Refusal, RefusalKind};
use super::selectors::Selectors;
use super::shared::Shared;
use super::walk::Walk;

/// The number of next hops, and of reasons, in a summary.
pub(crate) const DESTINATIONS: usize = 20;

/// `queue list`.
pub(super) async fn list<S: Inspect>(
    shared: &Shared<S>,
    selectors: Selectors,
    answers: &mut Answers,
) -> Result<(), BrokenOff> {
    let (mut walk, now) = (Walk::new(&selectors), Timestamp::now());
    let selectors = Arc::new(selectors);
    let fitting = move |message| selectors.fit(&message, now).then_some(message);
    loop {
        let turn = if walk.is_by_id() {
            None
        } else {
            shared.lists.acquire().await.ok()
        };
        let page = walk.next(&*shared.context.spool, fitting.clone()).await;
        // The client may read for as long as it likes: meanwhile others get their turn.
        drop(turn);
        match page {
            Ok(Some(page)) => {
                for message in page {
                    answers.add(&Line::<_, Nothing>::Result(message));
                }
                answers.flush().await?;
            }
            Ok(None) => {
                let unreadable = walk.unreadable().clone();
                shared.log_unreadable("list", &unreadable);
                return answers.end(&Listed { unreadable }).await;
            }
            Err(error) => return answers.refuse(error.into()).await,
        }
    }
}

/// `queue show`.
pub(super) async fn show<S: Inspect>(
    shared: &Shared<S>,
    id: QueueId,
    answers: &mut Answers,
) -> Result<(), BrokenOff> {
    let context = &shared.context;
    match details_of(&*context.spool, id, &context.retry).await {
        Ok(details) => answers.end(&details).await,
        Err(refusal) => answers.refuse(refusal).await,
    }
}

/// Everything known about the message with this id.
pub(crate) async fn details_of<S: Inspect>(
    spool: &S,
    id: QueueId,
    retry: &RetrySchedule,
) -> Result<MessageDetails, Refusal> {
    let message = find(spool, id).await?;
    let declared = spool.declared(id).await?.ok_or_else(|| Refusal::unknown(id))?;
    // It may leave the queue at any moment.
    let content = spool.content(id).await.transpose();
    let content = content.ok_or_else(|| Refusal::unknown(id))?;
    let expires = details::expires((&message, declared.tls), retry, Timestamp::now());
    Ok(MessageDetails::read(message, (declared, content), expires).await)
}

/// `queue export`.
pub(super) async fn export<S: Inspect>(
    shared: &Shared<S>,
    id: QueueId,
    peer: &Peer,
    answers: &mut Answers,
) -> Result<(), BrokenOff> {
    // It changes nothing, but it means that somebody reads other people's mail.
    let event = |trouble| {
        let by = peer.to_string();
        Event::Admin(Admin::Export { id, by, trouble })
    };
    let (size, mut reader) = match open(&*shared.context.spool, id).await {
        Ok(opened) => opened,
        Err(refusal) => {
            if refusal.kind == RefusalKind::Spool {
                shared.log(&event(Some(refusal.message.clone())));
            }
            return answers.refuse(refusal).await;
        }
    };
    shared.log(&event(None));
    answers
        .line(&Line::<_, Nothing>::Result(Contents { size }))
        .await?;
    let mut left = size;
    loop {
        match reader.next().await {
            Ok(Some(chunk)) => {
                left = left.saturating_sub(chunk.len() as u64);
                answers.octets(&chunk).await?;
            }
            Ok(None) => return answers.end(&Nothing {}).await,
            Err(error) => {
                shared.log(&event(Some(error.to_string())));
                // An error cannot be reported in the middle of content: the client notices that the rest is missing.
                return match left {
                    0 => answers.refuse(error.into()).await,
                    _ => Ok(()),
                };
            }
        }
    }
}

/// The content of a message, which is what was accepted, and its size in octets.
async fn open<S: Inspect>(spool: &S, id: QueueId) -> Result<(u64, ContentReader), Refusal> {
    let message = find(spool, id).await?;
    let content = spool.content(id).await?.ok_or_else(|| Refusal::unknown(id))?;
    // It is read to its end first: damage cannot be reported in the middle of content.
    let mut reader = content.reader().await?;
    while reader.next().await?.is_some() {}
    Ok((message.size, content.reader().await?))
}

/// `queue summary`.
pub(super) async fn summary<S: Inspect>(shared: &Shared<S>, answers: &mut Answers) -> Result<(), BrokenOff> {
    let now = Timestamp::now();
    match shared.context.spool.summary(DESTINATIONS, now).await {
        Ok(summary) => {
            shared.log_unreadable("summary", &summary.unreadable);
            answers.end(&aged(summary, now)).await
        }
        Err(error) => answers.refuse(error.into()).await,
    }
}

/// `incidents`.
pub(super) async fn incidents<S: Incidents>(
    shared: &Shared<S>,
    answers: &mut Answers,
) -> Result<(), BrokenOff> {
    match shared.context.board.incidents(Timestamp::now()).await {
        Ok(composed) => {
            for one in composed {
                answers.line(&Line::<_, Nothing>::Result(one.incident)).await?;
            }
            answers.end(&Nothing {}).await
        }
        Err(error) => answers.refuse(error.into()).await,
    }
}

/// The summary with the age of the oldest message.
pub(crate) fn aged(summary: Summary, now: Timestamp) -> Summary {
    let age = |oldest: Timestamp| u64::try_from(now.duration_since(oldest).as_secs()).unwrap_or(0);
    Summary {
        oldest_age: summary.oldest.map(age),
        ..summary
    }
}

/// The message with this id.
async fn find<S: Inspect>(spool: &S, id: QueueId) -> Result<QueuedMessage, Refusal> {
    let selectors = Selectors {
        id: vec![id],
        ..Selectors::default()
    };
    let mut walk = Walk::new(&selectors);
    let found = walk.next(spool, Some).await?;
    let message = found.into_iter().flatten().next();
    message.ok_or_else(|| missing(id, walk.unreadable()))
}

/// Why a message cannot be shown: it cannot be read, or there is none.
fn missing(id: QueueId, unreadable: &Unreadable) -> Refusal {
    if unreadable.is_none() {
        Refusal::unknown(id)
    } else {
        Refusal::new(RefusalKind::Spool, unreadable.error.clone())
    }
}
