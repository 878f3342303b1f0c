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
use super::peer::Peer;
use super::places::BrokenOff;
use super::places::{Awaited, Place, Places};
use super::protocol::{Greeting, Hello, REQUEST_LIMIT, Refusal, RefusalKind, Request};
use super::shared::{Context, Reading, Shared};
use super::socket::AdminSocket;
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
    admin_socket: AdminSocket,
    context: Context<S>,
    mut stop: watch::Receiver<bool>,
) {
    let shared = Arc::new(Shared::new(context));
    let mut connections = JoinSet::new();
    let mut places = Places::new(CONNECTIONS);
    let mut failing = Alarm::new(FAILING);
    loop {
        let accepted = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            accepted = admin_socket.accept() => accepted,
        };
        // A panic in one of them has already been logged.
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok(stream) => {
                let _ = failing.clear(Instant::now().into_std());
                match places.take() {
                    Some(place) => {
                        connections.spawn(attend((stream, place), Arc::clone(&shared), stop.clone()));
                    }
                    None => turn_away(&stream),
                }
            }
            Err(error) => {
                if failing.raise((), Instant::now().into_std()) {
                    complain(&shared, &error);
                }
                sleep(PAUSE).await;
            }
        }
    }
    drop(admin_socket);
    while connections.join_next().await.is_some() {}
}

fn complain<S>(shared: &Shared<S>, error: &io::Error) {
    shared.log(&Event::Admin(Admin::NotAccepting(error.to_string())));
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
    shared: Arc<Shared<S>>,
    mut stop: watch::Receiver<bool>,
) {
    let peer = Peer::of(&stream);
    let (reader, writer) = stream.into_split();
    let mut answers = Answers::new(writer, Arc::clone(&place), stop.clone());
    let hello = Hello {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        spool: shared.context.spool_path.to_string_lossy().into_owned(),
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
        Ok(request) => answer(request, &shared, &peer.named().await, &mut answers, stop).await,
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
    shared: &Shared<S>,
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
        Request::List { selectors } => until(stop, looking::list(shared, selectors, answers)).await,
        Request::Show { id } => until(stop, looking::show(shared, id, answers)).await,
        Request::Export { id } => until(stop, looking::export(shared, id, peer, answers)).await,
        Request::Summary => until(stop, looking::summary(shared, answers)).await,
        Request::Incidents => until(stop, looking::incidents(shared, answers)).await,
        Request::Retry { selectors } => acting::act(shared, (Action::Retry, selectors), peer, answers).await,
        Request::RetryTrace { selectors } => tracing::retry(shared, &selectors, peer, answers, stop).await,
        Request::Hold { selectors } => acting::act(shared, (Action::Hold, selectors), peer, answers).await,
        Request::Release { selectors } => {
            acting::act(shared, (Action::Release, selectors), peer, answers).await
        }
        Request::Delete { selectors } => {
            acting::act(shared, (Action::Delete, selectors), peer, answers).await
        }
        Request::Explain(inquiry) => until(stop, explaining::explain(shared, &inquiry, peer, answers)).await,
        Request::Report(question) => until(stop, reporting::report(shared, question, answers)).await,
        Request::Protection(scope) => until(stop, reporting::protection(shared, scope, answers)).await,
        Request::Daily { to } => until(stop, daily::daily(shared, to, peer, answers)).await,
        Request::Tlsrpt { domain } => until(stop, reporting::tlsrpt(shared, domain.as_ref(), answers)).await,
        Request::TlsrptSend { domain } => acting::send_report(shared, &domain, peer, answers).await,
        Request::Reload => until(stop, acting::reload(shared, Reading::Everything, peer, answers)).await,
        Request::Policy => until(stop, acting::reload(shared, Reading::Policy, peer, answers)).await,
        Request::Standing => answers.end(&shared.context.standing.all()).await,
        Request::Flush { what } => acting::flush(shared, what, peer, answers).await,
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
