//! Destinations that get so many messages a minute.

use super::*;
use mail::event::delivery::HeldUp;

#[test]
fn a_rate_is_kept_in_any_minute() {
    let mut bench = Bench::with(Share {
        connections: 20,
        interval: Duration::from_secs(20),
    });
    bench.accept("a.example", 10);
    let (mut times, mut told) = (Vec::new(), Vec::new());
    for second in 0..=5 * MINUTE {
        bench.at(second);
        while let Some(summary) = bench.schedule.summary(bench.now) {
            told.push((second, summary.how, summary.waiting));
        }
        while let Some(job) = bench.attempt() {
            times.push(second);
            bench.end(&job, Shown::Works);
        }
        if let Some(until) = bench.schedule.until_next(bench.now) {
            assert!(!until.is_zero(), "it does not wait");
        }
    }
    assert_eq!(times, [0, 20, 40, 60, 80, 100, 120, 140, 160, 180]);
    // When nothing waits any more, there is nothing to tell.
    let expected = [(60, 7), (120, 4), (180, 1)].map(|(second, waiting)| (second, HeldUp::Paced, waiting));
    assert_eq!(told, expected);
}

#[test]
fn a_destination_whose_host_gets_no_more_now_goes_on_at_its_moment() {
    let mut bench = Bench::new();
    let waiting = bench.accept("a.example", 3);
    bench.accept("b.example", 1);
    let begun = bench.attempts();
    let moment = bench.now.awake + Duration::from_secs(30);
    for job in &begun {
        let is_a = job.next_hop.to_string() == "a.example";
        let shown = if is_a { Shown::Early(moment) } else { Shown::Works };
        let (course, _) = bench.schedule.turn_ended(job, shown, bench.now);
        if is_a {
            assert_eq!(course, Course::Again);
            bench.schedule.insert_again(job, job.due, bench.now);
        } else {
            bench.schedule.settled(job, bench.now);
        }
    }
    bench.at(29);
    assert!(bench.attempt().is_none());
    bench.at(30);
    // The first finds out whether others may follow.
    let first = bench.attempts();
    assert_eq!(ids(&first), waiting[..1]);
    bench.end(&first[0], Shown::Works);
    assert_eq!(ids(&bench.attempts()), waiting[1..]);
}

#[test]
fn another_policy_ends_the_wait_for_a_moment() {
    let mut bench = Bench::new();
    bench.accept("a.example", 1);
    let job = bench.attempt().unwrap();
    let moment = bench.now.awake + Duration::from_hours(1);
    bench.schedule.turn_ended(&job, Shown::Early(moment), bench.now);
    bench.schedule.insert_again(&job, job.due, bench.now);
    bench.at(1);
    assert!(bench.attempt().is_none());
    bench.schedule.probe_now(bench.now);
    assert!(bench.attempt().is_some());
}

#[test]
fn a_destination_whose_host_is_crowded_comes_again_and_is_not_told_of_as_paced() {
    let mut bench = Bench::new();
    let waiting = bench.accept("a.example", 3);
    let moment = bench.now.awake + Duration::from_secs(2);
    for job in bench.attempts() {
        let (course, _) = bench.schedule.turn_ended(&job, Shown::Crowded(moment), bench.now);
        assert_eq!(course, Course::Again);
        bench.schedule.insert_again(&job, job.due, bench.now);
    }
    bench.at(1);
    assert!(bench.attempt().is_none());
    bench.at(2);
    let first = bench.attempts();
    assert_eq!(ids(&first), waiting[..1]);
    bench.end(&first[0], Shown::Works);
    assert_eq!(ids(&bench.attempts()), waiting[1..]);
    bench.at(2 * MINUTE);
    assert!(bench.schedule.summary(bench.now).is_none());
}

/// The ids of what a test accepts are of the time at which it runs: the clock here is long before that, and nothing is old.
#[test]
fn what_waits_for_its_turn_is_looked_at_when_it_is_old_and_keeps_its_place() {
    let mut bench = Bench::with(Share {
        connections: 20,
        interval: Duration::from_mins(1),
    });
    let accept = |bench: &mut Bench, second: u64| {
        let one = accepted("a.example", second);
        bench.insert(&one);
        one.id
    };
    let [tried, old, young] = [0, 60, 2 * HOUR].map(|second| accept(&mut bench, second));
    let first = bench.attempt().unwrap();
    assert_eq!(first.id, tried);
    bench.end(&first, Shown::Works);
    // The destination gets nothing more for a minute, which never ends here.
    let moment = bench.now.awake + Duration::from_hours(200);
    bench.insert(&pending("a.example", at(0)));
    let job = {
        bench.at(60);
        bench.attempt().unwrap()
    };
    bench.schedule.turn_ended(&job, Shown::Early(moment), bench.now);
    let steady = bench.now.awake;
    let looked = |bench: &mut Bench| {
        bench.schedule.look_for_overdue(bench.now, steady);
        let next = || bench.schedule.next_overdue(bench.now);
        std::iter::from_fn(next).collect::<Vec<(Job, Limit)>>()
    };
    bench.at(3 * HOUR);
    assert!(looked(&mut bench).is_empty());
    bench.at(4 * HOUR + 5 * MINUTE);
    let [(job, Limit::Pace)] = &looked(&mut bench)[..] else {
        panic!("one");
    };
    assert_eq!((job.id, job.due), (old, at(60).into()));
    bench.insert(&Pending {
        id: old,
        ..pending("a.example", at(60))
    });
    bench.schedule.deferral_ended(job, bench.now);
    bench.at(5 * HOUR);
    assert!(looked(&mut bench).is_empty(), "once is enough");
    bench.at(121 * HOUR);
    let found: Vec<QueueId> = looked(&mut bench).iter().map(|(job, _)| job.id).collect();
    assert_eq!(found, [old, young]);
}
