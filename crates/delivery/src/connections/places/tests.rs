#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use mail::cause::SmtpFault;
use mail::{Cause, ReplyCode, Stage};
use policy::decision::Requirement;
use policy::settings::RouteTls;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::super::key::ReuseKey;
use super::super::tls::Peer;
use super::host::{Grant, NotHere};
use super::path::Path;
use super::state::State;
use super::wish::{Destination, Part, Seat, Wish};
use crate::config::Windows;
use crate::failure::SessionFailure;
use crate::trace::Trace;

/// A session with a number.
type Session = usize;
type Granted = oneshot::Receiver<Grant<Session>>;

const MANY: usize = 100;

struct Room {
    state: State<Session>,
    next: Session,
}

fn address(last: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, last])
}

fn path(last: u8, port: u16) -> Path {
    Path {
        socket: SocketAddr::new(address(last), port),
        source: None,
    }
}

/// Terms at this address; those of another port are others.
fn key(last: u8, port: u16) -> ReuseKey {
    let peer = Peer {
        host: None,
        socket: SocketAddr::new(address(last), port),
        tls: RouteTls::Starttls,
        dane: None,
        witness: None,
        trace: Trace::off(),
    };
    ReuseKey::new(&peer, None, Requirement::Opportunistic, None).unwrap()
}

fn wish(last: u8, port: u16, domain: &str) -> Wish {
    Wish {
        path: path(last, port),
        host: None,
        host_limit: None,
        has_others: false,
        comes_again: false,
        key: Some(key(last, port)),
        destination: Some(Destination {
            next_hop: Arc::new(domain.parse().unwrap()),
            limit: 2,
        }),
    }
}

impl Room {
    fn new(connections: usize, per_host: usize) -> Self {
        let limits = Windows {
            connections,
            per_destination: 2,
            per_host,
        };
        let mut state = State::new(limits);
        // These addresses are known to work.
        for last in 1..=4 {
            let seat = wish(last, 25, "a.example").seat();
            state.greeted(&seat, Instant::now());
        }
        Self { state, next: 0 }
    }

    /// Asks, and what had to be closed for it.
    fn ask(&mut self, wish: &Wish) -> (u64, Granted, Vec<Session>) {
        let (grant, granted) = oneshot::channel();
        assert!(self.state.take(wish).is_none());
        let (number, closed) = self.state.wait(wish.clone(), grant);
        (number, granted, closed)
    }

    /// Asks, is granted a place at once, and the server greets.
    fn enter(&mut self, wish: &Wish) {
        let (_, mut granted, closed) = self.ask(wish);
        assert!(closed.is_empty());
        match granted.try_recv() {
            Ok(Grant::Place(seat)) => assert!(self.state.greeted(&seat, Instant::now()).is_empty()),
            Ok(Grant::Kept(_) | Grant::Dead(_) | Grant::NotHere(_)) | Err(_) => panic!("no place"),
        }
    }

    /// A session on the terms of the wish is ready for the next message.
    fn put(&mut self, wish: &Wish) -> Vec<Session> {
        self.next += 1;
        let key = wish.key.clone().unwrap();
        self.state.put(self.next, key, wish.seat(), Instant::now())
    }
}

fn has_place(granted: &mut Granted) -> bool {
    matches!(granted.try_recv(), Ok(Grant::Place(_)))
}

fn session(granted: &mut Granted) -> Option<Session> {
    match granted.try_recv() {
        Ok(Grant::Kept(session)) => Some(session),
        Ok(Grant::Place(_) | Grant::Dead(_) | Grant::NotHere(_)) | Err(_) => None,
    }
}

#[test]
fn what_is_set_free_goes_to_whoever_waited_first_on_equal_terms() {
    let mut room = Room::new(MANY, 1);
    let (mine, theirs) = (wish(1, 25, "a.example"), wish(1, 26, "b.example"));
    room.enter(&mine);
    let (_, mut other, _) = room.ask(&theirs);
    let (_, mut first, _) = room.ask(&mine);
    let (_, mut second, _) = room.ask(&mine);
    assert!(room.put(&mine).is_empty());
    assert_eq!(session(&mut first), Some(1));
    assert!(room.put(&mine).is_empty());
    assert_eq!(session(&mut second), Some(2));
    // Nobody on equal terms waits any more: it gives way, and once it is closed the place is free.
    assert_eq!(room.put(&mine), [3]);
    assert!(!has_place(&mut other));
    room.state.leave(&mine.seat(), Part::Closed);
    assert!(has_place(&mut other));
}

#[test]
fn who_gave_up_leaves_no_turn_behind() {
    let mut room = Room::new(1, MANY);
    let (busy, mine, theirs) = (
        wish(1, 25, "a.example"),
        wish(2, 25, "b.example"),
        wish(3, 25, "c.example"),
    );
    room.enter(&busy);
    for _ in 0..3 {
        let (number, granted, _) = room.ask(&mine);
        drop(granted);
        room.state.cancel(number, mine.path);
    }
    let (_, mut first, _) = room.ask(&mine);
    let (_, mut second, _) = room.ask(&mine);
    let (_, mut other, _) = room.ask(&theirs);
    room.state.leave(&busy.seat(), Part::All);
    assert!(has_place(&mut first));
    room.state.leave(&mine.seat(), Part::All);
    assert!(has_place(&mut other), "the hosts take turns");
    room.state.leave(&theirs.seat(), Part::All);
    assert!(has_place(&mut second));
}

#[test]
fn the_oldest_kept_session_gives_way_to_a_new_connection() {
    let mut room = Room::new(2, MANY);
    let (one, other) = (wish(1, 25, "a.example"), wish(2, 25, "b.example"));
    room.enter(&one);
    room.enter(&other);
    assert!(room.put(&other).is_empty() && room.put(&one).is_empty());
    let (_, mut granted, closed) = room.ask(&wish(3, 25, "c.example"));
    assert_eq!(closed, [1], "the one at the other host is older");
    // It does not wait for the goodbye.
    assert!(has_place(&mut granted));
    assert_eq!(room.state.take(&one), Some(2));
    assert_eq!(room.state.take(&other), None);
}

#[test]
fn a_destination_has_no_more_connections_than_it_may_have() {
    let mut room = Room::new(MANY, MANY);
    let (one, other) = (wish(1, 25, "a.example"), wish(2, 25, "a.example"));
    room.enter(&one);
    room.enter(&other);
    assert!(room.put(&one).is_empty());
    let (_, mut granted, closed) = room.ask(&wish(3, 25, "a.example"));
    assert!(has_place(&mut granted));
    assert_eq!(closed, [1]);
    // A session that went to another destination counts there.
    assert!(room.put(&other).is_empty());
    let foreign = wish(2, 25, "b.example");
    assert_eq!(room.state.take(&foreign), Some(2));
    let (_, mut granted, closed) = room.ask(&wish(4, 25, "a.example"));
    assert!(has_place(&mut granted) && closed.is_empty());
}

#[test]
fn hosts_take_turns() {
    let mut room = Room::new(1, MANY);
    let (busy, quiet) = (wish(1, 25, "a.example"), wish(2, 25, "b.example"));
    room.enter(&busy);
    let mut waiting: Vec<Granted> = (0..3).map(|_| room.ask(&busy).1).collect();
    let (_, mut other, _) = room.ask(&quiet);
    room.state.leave(&busy.seat(), Part::All);
    assert!(has_place(&mut waiting[0]));
    room.state.leave(&busy.seat(), Part::All);
    assert!(has_place(&mut other));
}

#[test]
fn who_leaves_the_queue_is_not_served() {
    let mut room = Room::new(MANY, 1);
    let mine = wish(1, 25, "a.example");
    room.enter(&mine);
    let (number, _gone, _) = room.ask(&mine);
    let (_, mut second, _) = room.ask(&mine);
    assert!(room.state.cancel(number, mine.path));
    room.state.leave(&mine.seat(), Part::All);
    assert!(has_place(&mut second));
    // What has been granted cannot be cancelled.
    assert!(!room.state.cancel(number + 1, mine.path));
    // A grant that nobody receives is not lost.
    let (_, unheard, _) = room.ask(&mine);
    drop(unheard);
    let (_, mut third, _) = room.ask(&mine);
    room.state.leave(&mine.seat(), Part::All);
    assert!(has_place(&mut third));
}

#[test]
fn who_steps_back_keeps_its_place_at_the_host_and_comes_first() {
    let mut room = Room::new(1, 1);
    let (mine, theirs) = (wish(1, 25, "a.example"), wish(2, 25, "b.example"));
    room.enter(&mine);
    let (_, mut other, _) = room.ask(&theirs);
    let (_, mut at_host, _) = room.ask(&mine);
    let (_, mut third, _) = room.ask(&wish(3, 25, "c.example"));
    room.state.leave(&mine.seat(), Part::SteppedBack);
    assert!(has_place(&mut other) && !has_place(&mut at_host));
    let (grant, mut again) = oneshot::channel();
    room.state.wait_again(mine.clone(), grant);
    room.state.leave(&theirs.seat(), Part::All);
    assert!(has_place(&mut again) && !has_place(&mut third));
}

#[test]
fn limits_change_while_places_are_taken() {
    let mut room = Room::new(2, 1);
    let limits = |connections, per_host| Windows {
        connections,
        per_destination: 2,
        per_host,
    };
    let mine = wish(1, 25, "a.example");
    room.enter(&mine);
    let (_, mut second, _) = room.ask(&mine);
    let (_, mut third, _) = room.ask(&mine);
    room.state.resize(limits(2, 3));
    assert!(has_place(&mut second) && !has_place(&mut third));
    room.state.resize(limits(1, 3));
    room.state.leave(&mine.seat(), Part::All);
    assert!(!has_place(&mut third));
    room.state.leave(&mine.seat(), Part::All);
    assert!(has_place(&mut third));
}

#[tokio::test(start_paused = true)]
async fn sessions_grow_old_in_order() {
    let mut room = Room::new(MANY, MANY);
    let mine = wish(1, 25, "a.example");
    for _ in 0..2 {
        room.enter(&mine);
    }
    room.put(&mine);
    let began = Instant::now();
    tokio::time::advance(Duration::from_secs(2)).await;
    room.put(&mine);
    assert!(room.state.needs_watch() && !room.state.needs_watch());
    let (old, next) = room.state.idle_since(began);
    assert_eq!((old, next), (vec![1], Some(Instant::now())));
    let (old, next) = room.state.idle_since(Instant::now());
    assert_eq!((old, next), (vec![2], None));
    assert!(!room.state.needs_watch());
}

/// An address that is not known to work.
fn stranger(network: u8, last: u8) -> Wish {
    Wish {
        path: Path {
            socket: SocketAddr::from(([10, network, 0, last], 25)),
            source: None,
        },
        ..wish(9, 25, "s.example")
    }
}

fn seat(granted: &mut Granted) -> Seat {
    match granted.try_recv() {
        Ok(Grant::Place(seat)) => seat,
        Ok(Grant::Kept(_) | Grant::Dead(_) | Grant::NotHere(_)) | Err(_) => panic!("no place"),
    }
}

fn is_dead(granted: &mut Granted) -> bool {
    matches!(granted.try_recv(), Ok(Grant::Dead(_)))
}

#[tokio::test(start_paused = true)]
async fn an_address_that_does_not_answer_is_left_alone_and_tried_by_one() {
    let mut room = Room::new(MANY, MANY);
    let silent = stranger(1, 1);
    let cause = || Cause::timed_out(Stage::Banner).into();
    let (_, mut first, _) = room.ask(&silent);
    let (_, mut second, _) = room.ask(&silent);
    let first = seat(&mut first);
    // Nobody follows as long as it has said nothing.
    assert!(second.try_recv().is_err());
    room.state.unanswered(&first, cause(), Instant::now());
    room.state.leave(&first, Part::All);
    assert!(is_dead(&mut second));
    for minutes in [10, 20, 40, 60, 60] {
        let almost = Duration::from_mins(minutes).saturating_sub(Duration::from_secs(1));
        tokio::time::advance(almost).await;
        assert!(is_dead(&mut room.ask(&silent).1), "{minutes}");
        tokio::time::advance(Duration::from_secs(1)).await;
        let probe = seat(&mut room.ask(&silent).1);
        assert!(is_dead(&mut room.ask(&silent).1), "{minutes}");
        room.state.unanswered(&probe, cause(), Instant::now());
        room.state.leave(&probe, Part::All);
    }
    room.state.forget();
    let probe = seat(&mut room.ask(&silent).1);
    room.state.greeted(&probe, Instant::now());
    assert!(has_place(&mut room.ask(&silent).1));
}

#[tokio::test(start_paused = true)]
async fn who_is_not_known_to_work_has_a_share_of_the_places() {
    // Half of the places, and a quarter of those for one network.
    let mut room = Room::new(16, MANY);
    let mut taken: Vec<Seat> = (1..=2)
        .map(|last| seat(&mut room.ask(&stranger(1, last)).1))
        .collect();
    let (_, mut third, _) = room.ask(&stranger(1, 3));
    assert!(third.try_recv().is_err());
    for network in 2..=4 {
        for last in 1..=2 {
            taken.push(seat(&mut room.ask(&stranger(network, last)).1));
        }
    }
    let (_, mut ninth, _) = room.ask(&stranger(5, 1));
    assert!(ninth.try_recv().is_err());
    // Those that are known to work have the other places.
    assert!(has_place(&mut room.ask(&wish(1, 25, "a.example")).1));
    // One that greets is no stranger any more.
    let greeted = taken.remove(0);
    room.state.greeted(&greeted, Instant::now());
    assert!(has_place(&mut third) != has_place(&mut ninth));
    room.state.leave(&taken.remove(0), Part::All);
    room.state.leave(&taken.remove(0), Part::All);
    assert!(has_place(&mut room.ask(&stranger(6, 1)).1));
}

#[tokio::test(start_paused = true)]
async fn a_known_address_that_falls_silent_gets_no_further_connection() {
    let mut room = Room::new(MANY, MANY);
    let mine = wish(1, 25, "a.example");
    let waits = seat(&mut room.ask(&mine).1);
    assert!(has_place(&mut room.ask(&mine).1));
    tokio::time::advance(Duration::from_secs(10)).await;
    let (_, mut next, _) = room.ask(&mine);
    assert!(next.try_recv().is_err());
    room.state.greeted(&waits, Instant::now());
    // The second connection is as old.
    assert!(next.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn an_address_that_takes_no_more_gets_no_more_than_it_took() {
    let mut room = Room::new(MANY, MANY);
    let mine = wish(1, 25, "a.example");
    for _ in 0..3 {
        room.enter(&mine);
    }
    let fourth = seat(&mut room.ask(&mine).1);
    room.state.greeted(&fourth, Instant::now());
    assert!(room.state.refused(&fourth, &refusal(), Instant::now()));
    room.state.leave(&fourth, Part::All);
    let (_, mut waits, _) = room.ask(&mine);
    assert!(waits.try_recv().is_err());
    room.state.leave(&mine.seat(), Part::All);
    assert!(has_place(&mut waits));
    // With one connection alone it is not load, but a refusal.
    let lone = seat(&mut room.ask(&wish(2, 25, "b.example")).1);
    assert!(!room.state.refused(&lone, &refusal(), Instant::now()));
}

/// 421 instead of a greeting.
fn refusal() -> SessionFailure {
    Cause::Smtp(SmtpFault::Refused {
        stage: Stage::Banner,
        code: ReplyCode::new(421).unwrap(),
        enhanced: None,
    })
    .into()
}

#[tokio::test(start_paused = true)]
async fn an_address_that_refuses_every_connection_is_probed_by_one_message_for_all_its_domains() {
    let mut room = Room::new(MANY, MANY);
    let domains: Vec<Wish> = (0..9)
        .map(|number| wish(1, 25, &format!("d{number}.example")))
        .collect();
    let refuse = |room: &mut Room, wish: &Wish| {
        let seat = seat(&mut room.ask(wish).1);
        assert!(!room.state.refused(&seat, &refusal(), Instant::now()));
        room.state.leave(&seat, Part::All);
    };
    for wish in &domains[..5] {
        refuse(&mut room, wish);
    }
    for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
        let almost = Duration::from_mins(minutes).saturating_sub(Duration::from_secs(1));
        tokio::time::advance(almost).await;
        for wish in &domains {
            assert!(is_dead(&mut room.ask(wish).1), "{minutes}");
        }
        tokio::time::advance(Duration::from_secs(1)).await;
        refuse(&mut room, &domains[5]);
        assert!(is_dead(&mut room.ask(&domains[6]).1), "{minutes}");
    }
    // One that greets and then refuses has not recovered; one that lets a session be opened has.
    tokio::time::advance(Duration::from_hours(1)).await;
    let probe = seat(&mut room.ask(&domains[0]).1);
    room.state.greeted(&probe, Instant::now());
    room.state.refused(&probe, &refusal(), Instant::now());
    room.state.leave(&probe, Part::All);
    assert!(is_dead(&mut room.ask(&domains[1]).1));
    tokio::time::advance(Duration::from_hours(1)).await;
    room.enter(&domains[0]);
    room.state.opened(&domains[0].seat());
    room.state.leave(&domains[0].seat(), Part::All);
    refuse(&mut room, &domains[2]);
    assert!(has_place(&mut room.ask(&domains[3]).1));
}

/// Wishes at one address: at another port, and from another address of ours.
fn beside(one: &Wish) -> [Wish; 2] {
    let at = |socket, source| Wish {
        path: Path { socket, source },
        key: None,
        ..one.clone()
    };
    let socket = one.path.socket;
    [
        at(SocketAddr::new(socket.ip(), 465), None),
        at(socket, Some(address(99))),
    ]
}

#[test]
fn what_fails_on_one_path_says_nothing_about_another() {
    let mine = wish(1, 25, "a.example");
    let unanswered: fn(&mut Room, &Seat) =
        |room, seat| room.state.unanswered(seat, refusal(), Instant::now());
    let refused: fn(&mut Room, &Seat) = |room, seat| {
        for _ in 0..5 {
            room.state.refused(seat, &refusal(), Instant::now());
        }
    };
    let doubted: fn(&mut Room, &Seat) = |room, seat| room.state.doubt(seat.path, Instant::now());
    for (fails, is_left_alone) in [(unanswered, true), (refused, true), (doubted, false)] {
        let mut room = Room::new(MANY, MANY);
        let seat = seat(&mut room.ask(&mine).1);
        fails(&mut room, &seat);
        room.state.leave(&seat, Part::All);
        assert_eq!(is_dead(&mut room.ask(&mine).1), is_left_alone);
        for other in beside(&mine) {
            assert!(!room.state.is_doubted(other.path, Instant::now()));
            assert!(has_place(&mut room.ask(&other).1), "{other:?}");
        }
    }
}

#[test]
fn a_server_that_takes_few_connections_on_one_path_is_given_more_on_another() {
    let mut room = Room::new(MANY, MANY);
    let mine = wish(1, 25, "a.example");
    let [first, second] = [(); 2].map(|()| seat(&mut room.ask(&mine).1));
    for seat in [&first, &second] {
        room.state.greeted(seat, Instant::now());
    }
    assert!(room.state.refused(&second, &refusal(), Instant::now()));
    room.state.leave(&second, Part::All);
    let (_, mut waits, _) = room.ask(&mine);
    assert!(!has_place(&mut waits), "it takes one");
    for other in beside(&mine) {
        assert!(has_place(&mut room.ask(&other).1), "{other:?}");
    }
}

#[test]
fn the_limit_of_an_address_is_for_all_paths_to_it_and_who_waited_longest_is_first() {
    let mut room = Room::new(MANY, 1);
    let mine = wish(1, 25, "a.example");
    let [port, source] = beside(&mine);
    for path in [&port, &source] {
        room.state.greeted(&path.seat(), Instant::now());
    }
    room.enter(&mine);
    let mut waiting = [&source, &port, &mine, &source].map(|wish| (wish.clone(), room.ask(wish).1));
    let mut open = mine;
    for (number, (wish, granted)) in waiting.iter_mut().enumerate() {
        assert!(!has_place(granted), "{number}");
        room.state.leave(&open.seat(), Part::All);
        let seat = seat(granted);
        room.state.greeted(&seat, Instant::now());
        open = wish.clone();
    }
}

#[tokio::test(start_paused = true)]
async fn who_has_another_address_does_not_wait_at_one_in_doubt() {
    let mut room = Room::new(MANY, 1);
    let (mine, others) = (wish(1, 25, "a.example"), wish(2, 25, "a.example"));
    let flexible = Wish {
        has_others: true,
        ..mine.clone()
    };
    room.enter(&mine);
    let (_, mut stays, _) = room.ask(&mine);
    let (_, mut goes_on, _) = room.ask(&flexible);
    let order = |room: &Room| {
        let mut paths = [mine.path, others.path];
        paths.sort_by_key(|path| room.state.is_doubted(*path, Instant::now()));
        paths
    };
    assert_eq!(order(&room), [mine.path, others.path]);
    room.state.doubt(mine.path, Instant::now());
    let elsewhere = goes_on.try_recv();
    assert!(matches!(elsewhere, Ok(Grant::NotHere(NotHere::Elsewhere))) && stays.try_recv().is_err());
    assert_eq!(order(&room), [others.path, mine.path]);
    // It is not dead: who has no other one is served there.
    room.state.leave(&mine.seat(), Part::All);
    let mut seat = seat(&mut stays);
    tokio::time::advance(Duration::from_mins(10)).await;
    assert_eq!(order(&room), [mine.path, others.path]);
    room.state.doubt(mine.path, Instant::now());
    room.state.greeted(&seat, Instant::now());
    seat.setup = None;
    assert_eq!(order(&room), [mine.path, others.path]);
}

#[tokio::test(start_paused = true)]
async fn who_can_come_again_does_not_wait_where_many_do() {
    let mut room = Room::new(MANY, 1);
    let mine = wish(1, 25, "a.example");
    let flexible = Wish {
        comes_again: true,
        ..mine.clone()
    };
    room.enter(&mine);
    let mut waiting: Vec<Granted> = (0..10).map(|_| room.ask(&flexible).1).collect();
    assert!(waiting.iter_mut().all(|one| one.try_recv().is_err()));
    let is_crowded =
        |mut granted: Granted| matches!(granted.try_recv(), Ok(Grant::NotHere(NotHere::Crowded)));
    assert!(is_crowded(room.ask(&flexible).1));
    // One that has done something stays.
    let (_, mut stays, _) = room.ask(&mine);
    assert!(stays.try_recv().is_err());
    for _ in 0..2 {
        room.state.leave(&mine.seat(), Part::All);
        let seat = seat(&mut waiting.remove(0));
        room.state.greeted(&seat, Instant::now());
    }
    waiting.push(room.ask(&flexible).1);
    assert!(is_crowded(room.ask(&flexible).1));
}

#[tokio::test(start_paused = true)]
async fn a_window_grows_by_messages_and_not_by_sessions_that_are_put_back() {
    let mut room = Room::new(MANY, MANY);
    let mine = wish(1, 25, "a.example");
    let taken = |room: &mut Room| {
        let mut all: Vec<Granted> = (0..9).map(|_| room.ask(&mine).1).collect();
        all.iter_mut()
            .map(has_place)
            .filter(|has_place| *has_place)
            .count()
    };
    for _ in 0..5 {
        room.enter(&mine);
    }
    for _ in 0..20 {
        room.put(&mine);
        assert!(room.state.take(&mine).is_some());
    }
    for sent in 0..10 {
        assert_eq!(taken(&mut room), usize::from(sent == 5), "{sent}");
        room.state.succeeded(&mine.seat(), Instant::now());
    }
}
