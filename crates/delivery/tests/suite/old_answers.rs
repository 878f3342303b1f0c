//! How long an attempt goes by what its look-ups found.

use std::net::{IpAddr, Ipv6Addr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use crate::scene::common::{
    DEFERRED, NO_MATCH, OPPORTUNISTIC, SENT, SOFT_FAIL, STRICT, VERIFIED, WRONG, assert_deferred,
    assert_line, clogged, unsigned,
};
use crate::scene::memory::{Attempt, MemorySpool, VirtualClock};
use crate::scene::{Line, Scene, Setting};
use jiff::Timestamp;
use mail::Status;
use testworld::RecordType;
use testworld::dns::{DnsFault, Questions};
use testworld::mail::{MailFault, Stage};
use tokio::sync::watch;

const CONTENT: &[u8] = b"Subject: x\r\n\r\nx\r\n";
const HOUR: Duration = Duration::from_hours(1);
const TOO_LATE: &str =
    "no connection could be begun within 10 minutes of the look-ups; they are made again at the next attempt";

/// Mail for two domains whose routes lead to one place, where connections are taken and nothing is ever said, as long as
/// `limit` each. The first attempt of each.
async fn at_a_silent_server(hosts: [&str; 2], port: u16, limit: Duration) -> [Attempt; 2] {
    let policy = |host: &str, domain: &str| {
        format!("[[domain]]\nmatch = [\"{domain}\"]\nroute = \"[{host}]:{port}\"\n")
    };
    let policy = format!(
        "version = 1\n{}{}",
        policy(hosts[0], "a.test"),
        policy(hosts[1], "b.test")
    );
    let clock = Arc::new(VirtualClock::new());
    let spool = Arc::new(MemorySpool::new(Arc::clone(&clock)));
    let setting = Setting {
        connections_per_host: 1,
        stage_limit: limit,
        retry: vec![24 * HOUR],
        ..Setting::default()
    };
    let (_stop, stopped) = watch::channel(false);
    let log = Arc::default();
    let scheduler = crate::scene::start_under(&policy, &spool, &clock, &setting, &log, stopped).await;
    let mut ids = Vec::new();
    for recipient in ["x@a.test", "x@b.test"] {
        let (id, pending) = spool.put("s@origin.test", recipient, clock_now(&clock));
        scheduler.schedule(pending);
        ids.push(id);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    tokio::time::sleep(4 * HOUR).await;
    let first = |at: usize| spool.attempts(ids[at]).into_iter().next().unwrap();
    [first(0), first(1)]
}

fn clock_now(clock: &VirtualClock) -> Timestamp {
    delivery::Clock::now(clock)
}

fn is_about(time: Duration, expected: Duration) -> bool {
    time >= expected && time < expected + Duration::from_secs(5)
}

#[tokio::test(start_paused = true)]
async fn who_finds_no_place_within_ten_minutes_is_deferred() {
    let silent = TcpListener::bind("127.0.0.9:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let [inside, waiting] = at_a_silent_server(["127.0.0.9"; 2], port, HOUR).await;
    assert!(is_about(waiting.awake, Duration::from_mins(10)), "{waiting:?}");
    assert_eq!(waiting.outcome.status, Status::Deferred);
    assert_eq!(waiting.outcome.enhanced.to_string(), "4.4.5");
    assert_eq!(&*waiting.outcome.reason, TOO_LATE);
    // The time is for the beginning of connections: what is under way goes on.
    assert!(is_about(inside.awake, HOUR), "{inside:?}");
    assert_eq!(&*inside.outcome.reason, "timeout at the greeting");
    // Had the one that waited been let in, it would be found here.
    silent.set_nonblocking(true).unwrap();
    silent.accept().unwrap();
    assert!(silent.accept().is_err());
}

#[tokio::test(start_paused = true)]
async fn silent_servers_do_not_make_an_attempt_last() {
    // `localhost` has two addresses.
    let first = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = first.local_addr().unwrap().port();
    let second = TcpListener::bind(("::1", port)).unwrap();
    second.set_nonblocking(true).unwrap();
    for (limit, seconds) in [(HOUR, 0), (Duration::from_mins(9), 1)] {
        let [attempt, _] = at_a_silent_server(["localhost", "127.0.0.9"], port, limit).await;
        let connections = 1 + u32::from(seconds > 0);
        assert!(is_about(attempt.awake, connections * limit), "{attempt:?}");
        // What happened is told, and not what was left undone.
        assert_eq!(&*attempt.outcome.reason, "timeout at the greeting");
        assert_eq!(second.incoming().take_while(Result::is_ok).count(), seconds);
    }
}

/// A reload counts for what already waited for its connection.
#[tokio::test]
async fn who_waits_for_a_place_goes_by_the_policy_in_force_then() {
    let setting = Setting {
        connections_per_host: 1,
        ..Setting::default()
    };
    let scene = Scene::with(OPPORTUNISTIC, setting).await;
    let server = unsigned(&scene, "old").await;
    server.set_faults(vec![MailFault::Pause(Stage::Mail, Duration::from_secs(1))]);
    let first = scene.queue(&["a@old.test"], CONTENT, Timestamp::now()).await;
    while server.count_of("MAIL") == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let second = scene.queue(&["a@old.test"], CONTENT, Timestamp::now()).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(server.messages().len(), 0, "it was not that slow");
    scene.set_policy(STRICT);
    assert_line(&scene.lines(first, 1).await[0], &[SENT]);
    assert_line(
        &scene.lines(second, 1).await[0],
        &[DEFERRED, ("enhanced", "4.7.5"), ("mode", "dane strict")],
    );
    assert_eq!(server.messages().len(), 1);
}

/// The same for the address that is tried at nearly the same time because the first one takes long.
#[tokio::test]
async fn who_waits_for_a_place_at_the_other_family_goes_by_the_policy_in_force_then() {
    let setting = Setting {
        connections_per_host: 1,
        ..Setting::default()
    };
    let scene = Scene::with(OPPORTUNISTIC, setting).await;
    let _clogged = clogged(&scene, IpAddr::V6(Ipv6Addr::LOCALHOST)).await;
    let server = unsigned(&scene, "old").await;
    server.set_faults(vec![MailFault::Pause(Stage::Mail, Duration::from_secs(1))]);
    let both = scene.world.domain("both.test").unsigned();
    both.mx(10, "mx.both.test", server.address())
        .record("mx.both.test", RecordType::AAAA, "::1")
        .add()
        .unwrap();
    let first = scene.queue(&["a@old.test"], CONTENT, Timestamp::now()).await;
    while server.count_of("MAIL") == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let second = scene.queue(&["a@both.test"], CONTENT, Timestamp::now()).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(server.messages().len(), 0, "it was not that slow");
    scene.set_policy(STRICT);
    assert_line(&scene.lines(first, 1).await[0], &[SENT]);
    let strict = [DEFERRED, ("enhanced", "4.7.5"), ("mode", "dane strict")];
    assert_line(&scene.lines(second, 1).await[0], &strict);
    assert_eq!(server.messages().len(), 1);
}

/// So much time passes at once, with all servers at work.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

/// Mail for these domains waits for a place at one host until its answers are a minute old, with a TTL of 10 s; of some
/// the records have changed by then. The lines in the same order, and how many connections the host saw for them.
async fn after_a_minute(policy: &str, names: &[&str]) -> (Vec<Line>, usize) {
    let setting = Setting {
        connections_per_host: 1,
        stage_limit: Duration::from_mins(5),
        ..Setting::default()
    };
    let scene = Scene::with(policy, setting).await;
    scene.world.set_ttl(10);
    let identity = scene.identity("mx.test");
    let pause = MailFault::Pause(Stage::Mail, Duration::from_mins(1));
    let receiver = scene.receiver(3, &identity, vec![pause]).await;
    let (right, port) = (identity.tlsa_3_1_1(), scene.port);
    let owner = |name: &str| format!("_{port}._tcp.mx.{name}.test");
    scene.domain("slow", &receiver, &right);
    for name in names {
        scene.domain(name, &receiver, if *name == "mended" { WRONG } else { &right });
    }
    let slow = scene.queue(&["x@slow.test"], CONTENT, Timestamp::now()).await;
    while receiver.count_of("MAIL") == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    receiver.set_faults(vec![]);
    let mut waiting = Vec::new();
    for name in names {
        let recipient = format!("x@{name}.test");
        waiting.push(scene.queue(&[&recipient], CONTENT, Timestamp::now()).await);
        while scene.world.asked(&owner(name), RecordType::TLSA) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let world = &scene.world;
    for name in names {
        let tlsa = |records: &[&str]| world.set(&owner(name), RecordType::TLSA, records).unwrap();
        match *name {
            "rolled" => tlsa(&[WRONG]),
            "mended" => tlsa(&[&right]),
            "moved" => {
                let host = format!("mx.{name}.test");
                world.set(&host, RecordType::A, &["127.0.0.4"]).unwrap();
            }
            "broken" => {
                let question = Questions::Of(owner(name), RecordType::TLSA);
                world.break_dns(&question, DnsFault::ServFail).unwrap();
            }
            _ => {}
        }
    }
    pass(Duration::from_secs(61)).await;
    assert_line(&scene.lines(slow, 1).await[0], &[SENT]);
    let mut lines = Vec::new();
    for id in waiting {
        lines.push(scene.lines(id, 1).await.remove(0));
    }
    (lines, receiver.connections().len() - 1)
}

#[tokio::test]
async fn what_grew_old_in_waiting_for_a_place_is_looked_up_again() {
    let names = ["same", "rolled", "broken", "moved", "mended"];
    let (lines, connections) = after_a_minute(OPPORTUNISTIC, &names).await;
    let sent = [SENT, VERIFIED];
    assert_line(&lines[0], &sent);
    assert_deferred(&lines[1], NO_MATCH, "4.7.5");
    assert_deferred(&lines[2], "Fail (TLSA lookup: servfail)", "4.4.3");
    assert_line(&lines[2], &[("relay", "mx.broken.test")]);
    assert_deferred(&lines[3], "-", "4.4.4");
    assert_line(&lines[4], &sent);
    // Nobody connected for `broken` and `moved`.
    assert_eq!(connections, 3);
}

#[tokio::test]
async fn soft_fail_goes_by_the_newer_answers() {
    let names = ["rolled", "broken", "mended"];
    let (lines, connections) = after_a_minute(SOFT_FAIL, &names).await;
    for (line, dane) in lines.iter().zip([
        "Softfail (No matching TLSA RRs)",
        "Softfail (TLSA lookup: servfail)",
        "Verify (Secure TLSA RRs found)",
    ]) {
        assert_line(line, &[SENT, ("dane", dane)]);
    }
    // `rolled` in both rounds.
    assert_eq!(connections, 4);
}
