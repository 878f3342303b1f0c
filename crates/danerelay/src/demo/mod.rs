//! `danerelay demo`: the relay in a world of its own, and a guided tour through it.
//!
//! 1. [`stage`]: a private signed DNS tree and receiving servers, in process, on loopback.
//! 2. [`scenes`]: what is shown: for each scene the domain with its faults, and the end that it must come to.
//! 3. [`relay`]: the relay itself: this very program, started as `danerelay serve` with a configuration of its own.
//! 4. [`client`]: hands messages to the relay over SMTP, as a mail gateway would.
//! 5. [`report`]: the tour as text, or as JSON.
//!
//! Nothing is short-circuited: each message goes through the relay's listener and spool, its validating resolver, and
//! a TLS handshake with a real server.

mod client;
mod error;
mod line;
mod relay;
mod report;
mod scenes;
mod stage;

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use crate::cli::{DemoArguments, Verdict};
use crate::failure::Failure;
pub(crate) use error::DemoError;
use line::DeliveryLine;
use relay::Relay;
use report::Report;
use scenes::Scene;
use stage::{Arrival, Stage};

/// How long the relay may take with one message.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs the tour. Good if every message came to the expected end.
pub(crate) fn run(arguments: &DemoArguments) -> Result<Verdict, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(DemoError::System)?;
    Ok(runtime.block_on(tour(arguments))?)
}

/// What became of one message.
pub(crate) struct Performance {
    /// The delivery line of its first attempt.
    line: DeliveryLine,
    /// What the receiving servers have of it.
    arrival: Arrival,
    /// Whether a sender who is to be told of a failure was told.
    told: bool,
}

async fn tour(arguments: &DemoArguments) -> Result<Verdict, DemoError> {
    let report = Report::new(arguments.json);
    let stage = Stage::build().await?;
    let scenes = scenes::all();
    for scene in &scenes {
        stage.set(scene).await?;
    }
    let relay = Relay::start(&stage, &scenes).await?;
    report.opening(&stage, &relay)?;
    let mut failed = 0;
    for (number, scene) in (1..).zip(&scenes) {
        let performance = perform(scene, &stage, &relay).await?;
        if !report.scene(number, scene, &performance)? {
            failed += 1;
        }
    }
    report.closing(scenes.len(), failed)?;
    if arguments.keep {
        report.how_to_talk(&stage, &relay)?;
        until_told_to_end().await.map_err(DemoError::System)?;
    }
    relay.stop().await?;
    Ok(if failed == 0 { Verdict::Good } else { Verdict::Bad })
}

/// Waits for Ctrl-C or SIGTERM, so that the relay is stopped and its files are removed in either case.
async fn until_told_to_end() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupt = tokio::signal::ctrl_c() => interrupt,
        _ = terminate.recv() => Ok(()),
    }
}

async fn perform(scene: &Scene, stage: &Stage, relay: &Relay) -> Result<Performance, DemoError> {
    let recipient = scene.recipient();
    let message = client::message(scene);
    client::send(relay.address(), &recipient, &message).await?;
    let line = relay.first_line_to(&recipient, PATIENCE).await?;
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
