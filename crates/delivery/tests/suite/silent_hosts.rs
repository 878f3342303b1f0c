//! Servers that take connections and say nothing.
#![allow(clippy::disallowed_types)]

use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use crate::scene::common::{
    DEFERRED, LETTER, OPPORTUNISTIC, SENT, VERIFIED, assert_line, clogged, hosts, plain, reply, single_at,
    unsigned_mx,
};
use crate::scene::{Scene, Setting};
use delivery::{Forget, Names, Reuse};
use jiff::Timestamp;
use testworld::RecordType;
use testworld::mail::{MailFault, Receiver, Stage};

/// A server at 127.0.0.`last` that never greets.
async fn silent(scene: &Scene, last: u8) -> Receiver {
    silent_at(scene, last, Stage::Greeting).await
}

/// One that says nothing from this stage on.
async fn silent_at(scene: &Scene, last: u8, stage: Stage) -> Receiver {
    let identity = scene.identity("mx.test");
    let silence = MailFault::Silence(stage);
    scene.receiver(last, &identity, vec![silence]).await
}

#[tokio::test]
async fn healthy_mail_does_not_wait_for_silent_servers() {
    let setting = Setting {
        connections: 500,
        connections_per_host: 50,
        stage_limit: Duration::from_secs(30),
        ..Setting::default()
    };
    let scene = Scene::with(OPPORTUNISTIC, setting).await;
    let mut servers = Vec::new();
    for number in 0..30 {
        let stage = [Stage::Greeting, Stage::Ehlo, Stage::StartTls][usize::from(number) % 3].clone();
        let server = silent_at(&scene, 20 + number, stage).await;
        plain(&scene, &format!("silent{number}"), server.address());
        servers.push(server);
    }
    let _healthy = single_at(&scene, 3, "healthy").await;
    for _ in 0..20 {
        for number in 0..30 {
            let to = format!("a@silent{number}.test");
            scene.queue(&[&to], LETTER, Timestamp::now()).await;
        }
    }
    // All of them are connected to, once: nobody follows before a session is set up.
    let connections = || {
        servers
            .iter()
            .map(|one| one.connections().len())
            .collect::<Vec<_>>()
    };
    let began = Instant::now();
    while connections().contains(&0) {
        assert!(began.elapsed() < crate::scene::LIMIT);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for _ in 0..5 {
        let began = Instant::now();
        scene.expect("a@healthy.test", &[SENT]).await;
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    }
    assert_eq!(connections(), [1; 30]);
}

#[tokio::test]
async fn a_silent_host_is_passed_over_until_it_is_forgotten() {
    let setting = Setting {
        stage_limit: Duration::from_millis(500),
        ..Setting::default()
    };
    let scene = Scene::with(OPPORTUNISTIC, setting).await;
    let (dead, alive) = (silent(&scene, 2).await, single_at(&scene, 3, "other").await);
    hosts(&scene, "both", &[(10, &dead, None), (20, &alive, None)]);
    plain(&scene, "dead", dead.address());
    scene.expect("a@both.test", &[SENT]).await;
    assert_eq!(dead.connections().len(), 1);
    // The next one goes to the second host at once.
    let began = Instant::now();
    scene.expect("a@both.test", &[SENT]).await;
    assert!(began.elapsed() < Duration::from_millis(500));
    let line = scene
        .expect("a@dead.test", &[DEFERRED, ("enhanced", "4.4.2")])
        .await;
    let reason = "timeout at the greeting (just now); not tried again for 10 min";
    assert_line(&line, &[("reason", reason)]);
    assert_eq!(dead.connections().len(), 1);
    scene.scheduler().forget(Forget::All);
    dead.set_faults(vec![]);
    scene.expect("a@dead.test", &[SENT]).await;
}

#[tokio::test]
async fn what_is_forgotten_of_one_name_is_remembered_of_others() {
    let setting = Setting {
        stage_limit: Duration::from_millis(500),
        reuse: Reuse {
            messages: 100,
            time: Duration::from_mins(5),
            idle: Duration::from_mins(5),
        },
        ..Setting::default()
    };
    let scene = Scene::with(OPPORTUNISTIC, setting).await;
    let (one, other) = (silent(&scene, 2).await, silent(&scene, 3).await);
    let (kept, mine) = (
        single_at(&scene, 4, "kept").await,
        single_at(&scene, 5, "mine").await,
    );
    plain(&scene, "one", one.address());
    plain(&scene, "other", other.address());
    // A domain elsewhere whose mail goes to the first.
    unsigned_mx(&scene, "customer", "mx.one.test");
    let try_all = async || {
        for domain in ["one", "customer", "other"] {
            scene.expect(&format!("a@{domain}.test"), &[DEFERRED]).await;
        }
        for domain in ["kept", "mine"] {
            scene.expect(&format!("a@{domain}.test"), &[SENT]).await;
        }
        [&one, &other, &kept, &mine].map(|server| server.connections().len())
    };
    assert_eq!(try_all().await, [1, 1, 1, 1]);
    let below = |name: &str| {
        let mut names = Names::default();
        names.add(&name.parse().unwrap());
        Forget::Below(names)
    };
    scene.scheduler().forget(below("one.test"));
    assert_eq!(try_all().await, [2, 1, 1, 1]);
    scene.scheduler().forget(below("customer.test"));
    assert_eq!(try_all().await, [3, 1, 1, 1]);
    scene.scheduler().forget(below("mx.mine.test"));
    assert_eq!(try_all().await, [3, 1, 1, 2]);
    scene.scheduler().forget(below("unknown.test"));
    assert_eq!(try_all().await, [3, 1, 1, 2]);
    scene.scheduler().forget(Forget::All);
    assert_eq!(try_all().await, [4, 2, 2, 3]);
}

#[tokio::test]
async fn a_host_that_refuses_everybody_is_not_asked_by_each_of_its_domains() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let busy = reply(Stage::Greeting, "421 4.3.2 not now");
    let server = scene.receiver(2, &scene.identity("mx.test"), vec![busy]).await;
    for number in 0..8 {
        let name = format!("d{number}");
        plain(&scene, &name, server.address());
        let line = scene
            .expect(&format!("a@{name}.test"), &[DEFERRED, ("enhanced", "4.3.2")])
            .await;
        let left_alone = "421 4.3.2 not now (just now); not tried again for 1 min";
        assert_line(
            &line,
            &if number < 5 {
                [("dsn", "421"), ("reply", "421 4.3.2 not now")]
            } else {
                [("dsn", "-"), ("reason", left_alone)]
            },
        );
    }
    assert_eq!(server.connections().len(), 5);
    scene.scheduler().forget(Forget::All);
    server.set_faults(vec![]);
    scene.expect("a@d0.test", &[SENT]).await;
}

#[tokio::test]
async fn a_port_at_which_nobody_listens_keeps_no_mail_from_another() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let works = single_at(&scene, 3, "works").await;
    let route = |domain: &str, port: u16| {
        format!("[[domain]]\nmatch = \"{domain}.test\"\nroute = \"[127.0.0.3]:{port}\"\n")
    };
    let closed = std::net::TcpListener::bind("127.0.0.3:0").unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let routes = route("closed", port) + &route("open", scene.port);
    scene.set_policy(&format!("{OPPORTUNISTIC}{routes}"));
    for _ in 0..6 {
        scene.expect("a@closed.test", &[DEFERRED]).await;
    }
    scene.expect("a@open.test", &[SENT]).await;
    assert_eq!(works.messages().len(), 1);
}

#[tokio::test]
async fn a_server_that_takes_few_connections_gets_few() {
    let setting = Setting {
        connections: 50,
        connections_per_host: 20,
        ..Setting::default()
    };
    let scene = Scene::asleep(OPPORTUNISTIC, setting).await;
    let server = single_at(&scene, 2, "small").await;
    let full = MailFault::Reply(Stage::Greeting, "421 4.7.0 too many connections".to_owned());
    server.set_faults(vec![MailFault::Beyond(2, Box::new(full))]);
    let mut ids = Vec::new();
    for _ in 0..40 {
        ids.push(scene.queue(&["a@small.test"], LETTER, Timestamp::now()).await);
    }
    scene.start();
    // Not one of them has to wait for its next attempt.
    for id in ids {
        assert_line(&scene.lines(id, 1).await[0], &[SENT, ("attempt", "1")]);
    }
    let refused = server
        .connections()
        .iter()
        .filter(|one| one.tls.is_none())
        .count();
    assert!(refused <= 10, "{refused}");
}

#[tokio::test]
async fn mail_does_not_wait_for_a_family_that_is_broken() {
    let setting = Setting {
        // Longer than the test may take.
        stage_limit: crate::scene::LIMIT * 2,
        ..Setting::default()
    };
    let scene = Scene::with(OPPORTUNISTIC, setting).await;
    let ipv6 = IpAddr::V6(Ipv6Addr::LOCALHOST);
    let (listener, first) = clogged(&scene, ipv6).await;
    let receiver = single_at(&scene, 2, "both").await;
    let world = &scene.world;
    world.add("mx.both.test", RecordType::AAAA, "::1").unwrap();
    let by_ipv4 = ("relay", "mx.both.test [127.0.0.2]");
    scene.expect("a@both.test", &[SENT, VERIFIED, by_ipv4]).await;
    drop((listener.accept().await.unwrap(), first));
    // It is remembered: nobody has tried the other one again, which now takes connections.
    for _ in 0..3 {
        scene.expect("a@both.test", &[SENT, VERIFIED, by_ipv4]).await;
    }
    let more = tokio::time::timeout(Duration::from_millis(100), listener.accept());
    assert!(more.await.is_err(), "the broken family was tried again");
    assert_eq!(receiver.connections().len(), 4);
    // If all else fails it is tried as well.
    drop(receiver);
    let line = tokio::spawn(async move { scene.send_to("a@both.test").await });
    listener.accept().await.unwrap();
    let line = line.await.unwrap();
    assert_line(&line, &[DEFERRED, ("relay", "mx.both.test [::1]")]);
}
