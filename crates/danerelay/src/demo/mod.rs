//! `danerelay demo`: the relay in a private world of its own, and a guided tour.
//!
//! 1. [`stage`]: a private signed DNS tree and receiving servers, in process, on loopback.
//! 2. [`scenes`]: what is shown: for each scene the domain with its faults, and the expected outcome.
//! 3. [`relay`]: the relay itself: this very program, started as `danerelay serve` with [`files`] of its own.
//! 4. [`client`]: hands messages to the relay over SMTP, as a mail gateway would; [`log`] reads the result of each.
//! 5. [`report`]: the tour as text, in the [`layout`] of a terminal, or as JSON.
//! 6. [`ending`]: what ends the demonstration early; the relay and its files are removed in any case.
//! 7. [`story`]: an operator's month instead of the tour.
//! 8. [`trials`]: the first scenes with another's configuration and policy, for `doctor --self-test`.
//! 9. [`send`]: `danerelay demo send`, which hands a message to a demonstration that was kept.
//!
//! Nothing is simulated: each message goes through the relay's listener and spool, its validating resolver, and a TLS
//! handshake with a real server.

pub(crate) mod arguments;
mod client;
mod ending;
mod error;
mod files;
mod layout;
mod log;
mod relay;
mod report;
mod scenes;
mod send;
mod stage;
mod story;
pub(crate) mod trials;

use std::future::pending;
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use tokio::time::timeout;

use crate::exit::Verdict;
use crate::failure::Failure;
use arguments::{DemoArguments, DemoCommand};
use ending::Ending;
pub(crate) use error::DemoError;
use relay::Relay;
use report::{Performance, Report};
use scenes::Scene;
use stage::Stage;

/// How long a report to the sender may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a signal that was sent to all processes of the job may take to arrive.
const MOMENT: Duration = Duration::from_millis(200);

/// Runs the tour, or uses one that was kept.
pub(crate) fn run(arguments: &DemoArguments, named: Option<&Path>) -> Result<Verdict, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(DemoError::System)?;
    match &arguments.command {
        Some(DemoCommand::Send(arguments)) => runtime.block_on(send::run(arguments, named)),
        None if arguments.story => runtime.block_on(story()),
        None => Ok(runtime.block_on(tour(arguments))?),
    }
}

/// Tells the story, unless a signal ends it. A reader who has seen enough ends it as well.
async fn story() -> Result<Verdict, Failure> {
    let ending = pin!(Ending::watch().map_err(DemoError::System)?.come());
    tokio::select! {
        told = story::tell() => match told {
            Err(Failure::Demo(error)) => error.unless_unread().map(|()| Verdict::Undecided).map_err(Failure::from),
            told => told,
        },
        () = ending => Ok(Verdict::Undecided),
    }
}

/// How far the tour has got.
struct Progress {
    relay: Option<Relay>,
    verdict: Verdict,
}

/// Runs the tour. Good if every message had the expected outcome, undecided if the tour was ended early.
async fn tour(arguments: &DemoArguments) -> Result<Verdict, DemoError> {
    let mut ending = pin!(Ending::watch().map_err(DemoError::System)?.come());
    let mut progress = Progress {
        relay: None,
        verdict: Verdict::Undecided,
    };
    let mut end = tokio::select! {
        end = guide(arguments, &mut progress) => end,
        () = &mut ending => Ok(()),
    };
    // A relay that is just being started belongs to the same job, and may have received the signal first.
    if end.is_err() && timeout(MOMENT, ending).await.is_ok() {
        end = Ok(());
    }
    if let Some(relay) = progress.relay {
        relay.stop().await?;
    }
    end.or_else(DemoError::unless_unread)?;
    Ok(progress.verdict)
}

async fn guide(arguments: &DemoArguments, progress: &mut Progress) -> Result<(), DemoError> {
    let report = Report::new(arguments.json);
    let stage = Stage::build().await?;
    let scenes = scenes::all();
    for scene in &scenes {
        stage.set(scene).await?;
    }
    let relay = progress.relay.insert(Relay::start(&stage, &scenes)?);
    relay.wait_until_it_listens().await?;
    report.opening(&stage, relay)?;
    let mut failed = 0;
    for (number, scene) in (1..).zip(&scenes) {
        let performance = perform(scene, &stage, relay).await?;
        if !report.scene(number, scene, &performance)? {
            failed += 1;
        }
    }
    report.closing(scenes.len(), failed)?;
    progress.verdict = if failed == 0 { Verdict::Good } else { Verdict::Bad };
    if arguments.keep {
        report.how_to_talk(&stage, relay)?;
        pending::<()>().await;
    }
    Ok(())
}

async fn perform(scene: &Scene, stage: &Stage, relay: &Relay) -> Result<Performance, DemoError> {
    let recipient = scene.recipient();
    let message = client::message(&recipient, scene.title, scene.explanation);
    let id = client::send(relay.address(), &recipient, &message).await?;
    let line = log::first_line(&relay.file(files::LOG), &id).await?;
    let told = if scene.expected.status == "bounced" {
        stage.sender_was_told(PATIENCE).await
    } else {
        true
    };
    Ok(Performance {
        line,
        arrival: stage.arrival(&recipient, &message),
        told,
    })
}
