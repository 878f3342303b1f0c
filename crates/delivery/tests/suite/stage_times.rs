//! How long a server may take at each stage (RFC 5321 §4.5.3.2), and in all. Time is virtual.

use std::sync::Arc;
use std::time::Duration;

use crate::scene::Setting;
use crate::scene::memory::{Attempt, MemorySpool, VirtualClock};
use delivery::{Clock as _, Timeouts};
use mail::Status;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::watch;

const MINUTE: Duration = Duration::from_mins(1);
/// Just within 2, 5 and 10 minutes.
const TWO: Duration = Duration::from_secs(110);
const FIVE: Duration = Duration::from_secs(290);
const TEN: Duration = Duration::from_secs(590);

/// The defaults of the configuration.
fn defaults() -> Timeouts {
    Timeouts {
        connect: MINUTE / 2,
        banner: 5 * MINUTE,
        ehlo: 5 * MINUTE,
        starttls: 2 * MINUTE,
        mail: 5 * MINUTE,
        rcpt: 5 * MINUTE,
        data: 2 * MINUTE,
        body: 3 * MINUTE,
        final_dot: 10 * MINUTE,
        rset: MINUTE / 3,
        quit: Duration::from_secs(5),
    }
}

/// How long a server waits before it says something.
#[derive(Default, Clone, Copy)]
struct Delays {
    greeting: Duration,
    ehlo: Duration,
    mail: Duration,
    rcpt: Duration,
    data: Duration,
    dot: Duration,
}

/// The first attempt at a server in clear that takes such times, and how many messages it has taken.
async fn attempt(delays: Delays) -> (Attempt, usize) {
    let listener = TcpListener::bind("127.0.0.9:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let policy = format!("version = 1\n[[domain]]\nmatch = [\"a.test\"]\nroute = \"[127.0.0.9]:{port}\"\n");
    let taken = Arc::new(parking_lot::Mutex::new(0));
    tokio::spawn(serve(listener, delays, Arc::clone(&taken)));
    let clock = Arc::new(VirtualClock::new());
    let spool = Arc::new(MemorySpool::new(Arc::clone(&clock)));
    let setting = Setting {
        timeouts: Some(defaults()),
        retry: vec![Duration::from_hours(24)],
        ..Setting::default()
    };
    let (_stop, stopped) = watch::channel(false);
    let log = Arc::default();
    let scheduler = crate::scene::start_under(&policy, &spool, &clock, &setting, &log, stopped).await;
    let (id, pending) = spool.put("s@origin.test", "x@a.test", clock.now());
    scheduler.schedule(pending);
    for _ in 0..60 {
        tokio::time::sleep(MINUTE).await;
        if let Some(attempt) = spool.attempts(id).into_iter().next() {
            return (attempt, *taken.lock());
        }
    }
    panic!("no end");
}

async fn serve(listener: TcpListener, delays: Delays, taken: Arc<parking_lot::Mutex<usize>>) {
    let (stream, _) = listener.accept().await.unwrap();
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    tokio::time::sleep(delays.greeting).await;
    let _ = write.write_all(b"220 slow\r\n").await;
    let mut in_content = false;
    while let Ok(Some(line)) = lines.next_line().await {
        let (delay, reply) = match line.get(..4) {
            _ if in_content && line != "." => continue,
            _ if in_content => {
                in_content = false;
                *taken.lock() += 1;
                (delays.dot, "250 2.0.0 taken\r\n")
            }
            Some("EHLO") => (delays.ehlo, "250 slow\r\n"),
            Some("MAIL") => (delays.mail, "250 2.1.0 yes\r\n"),
            Some("RCPT") => (delays.rcpt, "250 2.1.5 yes\r\n"),
            Some("DATA") => {
                in_content = true;
                (delays.data, "354 go\r\n")
            }
            _ => (Duration::ZERO, "221 2.0.0 bye\r\n"),
        };
        tokio::time::sleep(delay).await;
        if write.write_all(reply.as_bytes()).await.is_err() {
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_just_within_the_time_of_a_stage_gets_the_message_once() {
    let none = Delays::default();
    for delays in [
        Delays {
            greeting: FIVE,
            ..none
        },
        Delays { ehlo: FIVE, ..none },
        Delays { mail: FIVE, ..none },
        Delays { rcpt: FIVE, ..none },
        Delays { data: TWO, ..none },
        Delays { dot: TEN, ..none },
    ] {
        let (attempt, taken) = attempt(delays).await;
        assert_eq!(attempt.outcome.status, Status::Sent, "{attempt:?}");
        assert_eq!(taken, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_beyond_the_time_of_a_stage_does_not() {
    let none = Delays::default();
    let long = 11 * MINUTE;
    for (delays, at) in [
        (
            Delays {
                greeting: long,
                ..none
            },
            "the greeting",
        ),
        (Delays { ehlo: long, ..none }, "EHLO"),
        (Delays { mail: long, ..none }, "MAIL"),
        (Delays { rcpt: long, ..none }, "RCPT"),
        (Delays { data: long, ..none }, "DATA"),
        (Delays { dot: long, ..none }, "the end of the content"),
    ] {
        let (attempt, _) = attempt(delays).await;
        assert_eq!(attempt.outcome.status, Status::Deferred);
        let reason = format!("timeout at {at}");
        assert!(attempt.outcome.reason.starts_with(&reason), "{attempt:?}");
    }
}

/// Each stage within its time, and all of them together beyond 10 minutes and 10 seconds: the server is not waited for. The
/// reply to the final dot has its own time, whatever the stages before it took.
#[tokio::test(start_paused = true)]
async fn the_stages_up_to_the_final_dot_have_a_time_limit_together() {
    let slow = Delays {
        mail: 4 * MINUTE,
        rcpt: 4 * MINUTE,
        ..Delays::default()
    };
    let dot = TEN;
    let (sent, taken) = attempt(Delays { dot, ..slow }).await;
    assert_eq!((sent.outcome.status, taken), (Status::Sent, 1));
    let (late, taken) = attempt(Delays {
        mail: 4 * MINUTE + MINUTE / 2,
        rcpt: 4 * MINUTE + MINUTE / 2,
        data: TWO,
        ..Delays::default()
    })
    .await;
    assert_eq!((late.outcome.status, taken), (Status::Deferred, 0));
    assert!(
        late.awake >= Duration::from_secs(610) && late.awake < Duration::from_secs(630),
        "{late:?}"
    );
}
