//! Accepts clients, and serves each of them.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use mail::event::Event;
use mail::event::admin::Admin;
use mail::{Alarm, Pace};
use spool::{Action, Store};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::OwnedReadHalf;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::answers::Answers;
use super::door::Door;
use super::office::{Office, Reading, Surroundings};
use super::peer::Peer;
use super::places::BrokenOff;
use super::places::{Awaited, Place, Places};
use super::protocol::{Greeting, Hello, REQUEST_LIMIT, Refusal, RefusalKind, Request};
use super::{acting, daily, explaining, looking, reporting, tracing};
use crate::json;

/// The maximum number of clients served at once.
const CONNECTIONS: usize = 32;
/// How long a client may take to send its request.
const REQUEST_TIME: Duration = Duration::from_secs(10);
/// The pause after a connection could not be accepted, mostly because there were no file descriptors.
const PAUSE: Duration = Duration::from_secs(1);

/// Logged once; the next command that is served ends it.
const FAILING: Pace = Pace {
    reminder: None,
    pause: Duration::ZERO,
};

/// Serves clients until `stop` turns true, and then until each command in progress has ended.
pub(crate) async fn serve<S: Store>(
    door: Door,
    surroundings: Surroundings<S>,
    mut stop: watch::Receiver<bool>,
) {
    let office = Arc::new(Office::new(surroundings));
    let mut connections = JoinSet::new();
    let mut places = Places::new(CONNECTIONS);
    let mut failing = Alarm::new(FAILING);
    loop {
        let accepted = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            accepted = door.accept() => accepted,
        };
        // A panic in one of them has already been logged.
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok(stream) => {
                let _ = failing.clear(Instant::now().into_std());
                match places.take() {
                    Some(place) => {
                        connections.spawn(attend((stream, place), Arc::clone(&office), stop.clone()));
                    }
                    None => turn_away(&stream),
                }
            }
            Err(error) => {
                if failing.raise((), Instant::now().into_std()) {
                    complain(&office, &error);
                }
                sleep(PAUSE).await;
            }
        }
    }
    drop(door);
    while connections.join_next().await.is_some() {}
}

fn complain<S>(office: &Office<S>, error: &io::Error) {
    office.log(&Event::Admin(Admin::NotAccepting(error.to_string())));
}

/// Tells a client that there are too many. If this does not fit into the connection's buffer at once, it is dropped.
fn turn_away(stream: &UnixStream) {
    let refusal = Refusal::new(RefusalKind::Busy, "too many connections");
    if let Ok(mut line) = json::line(&Greeting::Error(refusal)) {
        line.push('\n');
        let _ = stream.try_write(line.as_bytes());
    }
}

/// Serves one client, which has this place.
async fn attend<S: Store>(
    (stream, place): (UnixStream, Arc<Place>),
    office: Arc<Office<S>>,
    mut stop: watch::Receiver<bool>,
) {
    let peer = Peer::of(&stream);
    let (reader, writer) = stream.into_split();
    let mut answers = Answers::new(writer, Arc::clone(&place), stop.clone());
    let hello = Hello {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        spool: office.surroundings.spool_path.to_string_lossy().into_owned(),
    };
    if answers.line(&Greeting::Hello(hello)).await.is_err() {
        return;
    }
    let asked = tokio::select! {
        asked = read(reader, &place) => asked,
        _ = stop.wait_for(|stop| *stop) => return,
    };
    // A client that does not read the answer does not need it: each command has logged what it changed.
    let _ = match asked {
        Ok(request) => answer(request, &office, &peer.named().await, &mut answers, stop).await,
        Err(BrokenOff::Slow) => refuse(&mut answers, "no request came in time").await,
        Err(BrokenOff::GivenAway) => Err(answers.give_way()),
        Err(why @ (BrokenOff::Gone | BrokenOff::Stopping)) => Err(why),
    };
}

/// Reads the line that a client sends.
async fn read(stream: OwnedReadHalf, place: &Place) -> Result<Vec<u8>, BrokenOff> {
    let mut line = Vec::new();
    let mut stream = BufReader::new(stream.take(REQUEST_LIMIT));
    let asking = stream.read_until(b'\n', &mut line);
    match place.wait((Awaited::Asking, REQUEST_TIME), asking).await? {
        0 => Err(BrokenOff::Gone),
        _ => Ok(line),
    }
}

async fn refuse(answers: &mut Answers, why: &str) -> Result<(), BrokenOff> {
    answers.refuse(Refusal::new(RefusalKind::Request, why)).await
}

async fn answer<S: Store>(
    line: Vec<u8>,
    office: &Office<S>,
    peer: &Peer,
    answers: &mut Answers,
    stop: watch::Receiver<bool>,
) -> Result<(), BrokenOff> {
    if !line.ends_with(b"\n") {
        return refuse(answers, "a request is one line of at most 1 MiB").await;
    }
    let request = match serde_json::from_slice(&line) {
        Ok(request) => request,
        Err(error) => return refuse(answers, &format!("this is no request: {error}")).await,
    };
    drop(line);
    match request {
        Request::List { selectors } => until(stop, looking::list(office, selectors, answers)).await,
        Request::Show { id } => until(stop, looking::show(office, id, answers)).await,
        Request::Export { id } => until(stop, looking::export(office, id, peer, answers)).await,
        Request::Summary => until(stop, looking::summary(office, answers)).await,
        Request::Incidents => until(stop, looking::incidents(office, answers)).await,
        Request::Retry { selectors } => acting::act(office, (Action::Retry, selectors), peer, answers).await,
        Request::RetryTrace { selectors } => tracing::retry(office, &selectors, peer, answers, stop).await,
        Request::Hold { selectors } => acting::act(office, (Action::Hold, selectors), peer, answers).await,
        Request::Release { selectors } => {
            acting::act(office, (Action::Release, selectors), peer, answers).await
        }
        Request::Delete { selectors } => {
            acting::act(office, (Action::Delete, selectors), peer, answers).await
        }
        Request::Explain(inquiry) => until(stop, explaining::explain(office, &inquiry, peer, answers)).await,
        Request::Report(question) => until(stop, reporting::report(office, question, answers)).await,
        Request::Protection(scope) => until(stop, reporting::protection(office, scope, answers)).await,
        Request::Daily { to } => until(stop, daily::daily(office, to, peer, answers)).await,
        Request::Tlsrpt { domain } => until(stop, reporting::tlsrpt(office, domain.as_ref(), answers)).await,
        Request::TlsrptSend { domain } => acting::send_report(office, &domain, peer, answers).await,
        Request::Reload => until(stop, acting::reload(office, Reading::Everything, peer, answers)).await,
        Request::Policy => until(stop, acting::reload(office, Reading::Policy, peer, answers)).await,
        Request::Standing => answers.end(&office.surroundings.standing.all()).await,
        Request::Flush { what } => acting::flush(office, what, peer, answers).await,
    }
}

/// Runs work that can be interrupted without leaving anything half done.
async fn until(
    mut stop: watch::Receiver<bool>,
    work: impl Future<Output = Result<(), BrokenOff>>,
) -> Result<(), BrokenOff> {
    tokio::select! {
        ended = work => ended,
        _ = stop.wait_for(|stop| *stop) => Err(BrokenOff::Stopping),
    }
}
