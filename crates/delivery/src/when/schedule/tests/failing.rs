//! Destinations that are busy, that fail and that come back.

use super::*;
use crate::forget::Names;

#[test]
fn only_the_destinations_that_are_named_are_reset() {
    let domains = ["a.example", "mail.a.example", "b.example"];
    let mut names = Names::default();
    names.add(&"a.example".parse().unwrap());
    for (what, expected) in [
        (Forget::Below(names.clone()), [true, true, false]),
        (
            Forget::NextHops(vec!["a.example".parse().unwrap()], names),
            [true, false, false],
        ),
        (Forget::All, [true, true, true]),
    ] {
        let mut bench = Bench::new();
        for domain in domains {
            bench.suspend(domain, HOUR);
        }
        bench.schedule.reset(&what, bench.now);
        let tried = domains.map(|domain| {
            bench.accept(domain, 1);
            match bench.next().unwrap() {
                Due::Attempt(_) => true,
                Due::Defer(..) => false,
            }
        });
        assert_eq!(tried, expected, "{what:?}");
    }
}

#[test]
fn a_message_that_was_turned_away_goes_on_in_the_next_free_place_and_not_for_ever() {
    let mut bench = Bench::new();
    let ids = bench.accept("a.example", 20);
    let mut begun = bench.attempts();
    assert_eq!(begun.len(), 5);
    let mut refused = begun.remove(0);
    let mut courses = Vec::new();
    while courses.len() < 4 {
        let (course, _) = bench.schedule.turn_ended(&refused, busy(), bench.now);
        courses.push(course);
        bench.schedule.insert_again(&refused, refused.due, bench.now);
        assert!(bench.attempt().is_none(), "no place is free");
        // Another one ends, and the window has grown again meanwhile: it comes before what was accepted later.
        bench.schedule.reset(&Forget::All, bench.now);
        refused = bench.attempt().unwrap();
        assert_eq!(refused.id, ids[0], "after {courses:?}");
    }
    let again = Course::Again;
    assert_eq!(courses, [again, again, again, Course::Settle]);
}

#[test]
fn a_failing_destination_is_probed_by_one_and_the_others_are_deferred() {
    let mut bench = Bench::new();
    bench.suspend("dead.example", 5 * MINUTE);
    // New mail for it is deferred without an attempt.
    bench.at(30);
    let new = bench.accept("dead.example", 2);
    let deferred = [bench.deferred().unwrap(), bench.deferred().unwrap()];
    assert_eq!(ids(&deferred), new);
    assert!(bench.next().is_none());
    // Nothing happens between the steps.
    let next = bench.schedule.until_next(bench.now).unwrap();
    assert!(next <= Duration::from_mins(1), "the summary");
    bench.at(5 * MINUTE);
    while bench.schedule.summary(bench.now).is_some() {}
    let probe = bench.attempt().unwrap();
    assert!(bench.deferred().is_some());
    bench.fail(&probe, down(), 20 * MINUTE);
    for _ in 0..3 {
        assert!(bench.deferred().is_some());
    }
    assert!(bench.next().is_none());
}

#[test]
fn when_a_probe_succeeds_what_was_held_up_follows_the_oldest_first() {
    let mut bench = Bench::new();
    let mut old = bench.suspend("back.example", 4 * HOUR);
    bench.at(30);
    let untried: Vec<QueueId> = (0..20)
        .map(|_| {
            let id = bench.accept("back.example", 1)[0];
            let job = bench.deferred().unwrap();
            bench.defer(&job, 3 * HOUR);
            id
        })
        .collect();
    // A message that was greylisted just before.
    let greylisted = pending("back.example", at(10 * MINUTE));
    bench.insert(&greylisted);
    bench.at(2 * MINUTE);
    let probe = pending("back.example", at(2 * MINUTE));
    bench.insert(&probe);
    let job = bench.attempt().unwrap();
    assert_eq!(job.id, probe.id);
    bench.end(&job, Shown::Works);
    old.extend(untried);
    old.sort();
    let mut taken = Vec::new();
    loop {
        let jobs = bench.attempts();
        if jobs.is_empty() {
            break;
        }
        assert!(jobs.len() <= 10, "spread out");
        for job in jobs {
            taken.push(job.id);
            bench.end(&job, Shown::Works);
        }
    }
    assert_eq!(taken, old);
    // It keeps its step.
    assert_eq!(bench.entries(), 1);
    bench.at(10 * MINUTE);
    assert_eq!(bench.attempt().map(|job| job.id), Some(greylisted.id));
}

#[test]
fn what_fails_while_the_others_follow_waits_for_its_own_time() {
    let mut bench = Bench::new();
    bench.suspend("flaky.example", HOUR);
    bench.at(2 * MINUTE);
    bench.insert(&pending("flaky.example", at(2 * MINUTE)));
    let probe = bench.attempt().unwrap();
    bench.end(&probe, Shown::Works);
    let mut tried = 0;
    for _ in 0..5 {
        let jobs = bench.attempts();
        for (number, job) in jobs.iter().enumerate() {
            tried += 1;
            if number == 0 {
                bench.fail(job, down(), 2 * HOUR);
            } else {
                bench.end(job, Shown::Works);
            }
        }
    }
    assert_eq!((tried, bench.entries()), (5, 1));
}

/// It takes one message when it is back, and then turns away five others, each of them the only one: it fails again.
#[test]
fn a_destination_that_fails_again_just_after_a_success_is_probed_and_its_mail_deferred() {
    let mut bench = Bench::new();
    bench.suspend("limited.example", HOUR);
    let more = bench.accept("limited.example", 7);
    for _ in &more {
        let job = bench.deferred().unwrap();
        bench.defer(&job, HOUR);
    }
    let mut second = 2 * MINUTE;
    bench.at(second);
    bench.insert(&pending("limited.example", at(second)));
    let probe = bench.attempt().unwrap();
    bench.end(&probe, Shown::Works);
    for refusal in 1..=5 {
        let job = bench.attempt().unwrap();
        let (course, put) = bench.schedule.turn_ended(&job, busy(), bench.now);
        if refusal < 5 {
            assert_eq!(course, Course::Again);
            bench.schedule.insert_again(&job, bench.now.clock, bench.now);
        } else {
            assert_eq!(course, Course::Settle, "it has failed");
            bench.put_off(&job, put, second + 5 * MINUTE);
            bench.schedule.settled(&job, bench.now);
        }
        second += 1;
        bench.at(second);
    }
    // What was turned away is due, and waits for nothing.
    for _ in 0..4 {
        let job = bench.deferred().unwrap();
        bench.defer(&job, second + 5 * MINUTE);
    }
    assert!(bench.next().is_none());
    bench.at(second + 5 * MINUTE);
    assert!(bench.attempt().is_some(), "it is probed");
    assert!(bench.deferred().is_some());
}

#[test]
fn a_reset_and_a_new_policy_let_a_failing_destination_be_tried() {
    let mut bench = Bench::new();
    bench.suspend("dead.example", HOUR);
    bench.schedule.reset(&Forget::All, bench.now);
    let ids = bench.accept("dead.example", 1);
    let job = bench.attempt().unwrap();
    assert_eq!(job.id, ids[0]);
    // It is back, so all that it held up follows.
    bench.end(&job, Shown::Works);
    assert_eq!(bench.attempts().len(), 5);

    let mut bench = Bench::new();
    bench.suspend("dead.example", HOUR);
    bench.schedule.probe_now(bench.now);
    bench.accept("dead.example", 2);
    assert!(bench.attempt().is_some());
    assert!(bench.deferred().is_some());
}

#[test]
fn the_log_is_told_once_a_minute_while_there_is_something_to_tell() {
    let mut bench = Bench::new();
    bench.suspend("dead.example", HOUR);
    bench.accept("dead.example", 70);
    let mut summaries = Vec::new();
    for second in 0..5 * MINUTE {
        bench.at(second);
        while let Some(due) = bench.next() {
            if let Due::Defer(job, _) = due {
                bench.schedule.deferral_ended(&job, bench.now);
            }
        }
        while let Some(summary) = bench.schedule.summary(bench.now) {
            summaries.push((second, summary.not_tried, summary.waiting, summary.next_hop));
        }
    }
    let told = |second, not_tried| (second, not_tried, 5, "dead.example".to_owned());
    assert_eq!(summaries, [told(MINUTE, 70)]);
}

#[test]
fn mail_that_waives_tls_shows_nothing_about_mail_that_failed_for_tls() {
    let tls = || {
        let cause = Cause::Tls(mail::cause::TlsFault::NotOffered);
        let record = crate::attempt::HostRecord::without_route(policy::settings::DaneMode::Opportunistic, 25);
        Shown::Down(Suspension::after(&cause.into(), &record))
    };
    for (why, works) in [(tls(), false), (down(), true)] {
        let mut bench = Bench::new();
        bench.accept("a.example", 5);
        for job in bench.attempts() {
            bench.fail(&job, why.clone(), HOUR);
        }
        bench.at(5 * MINUTE);
        bench.accept("a.example", 1);
        let probe = bench.attempt().unwrap();
        bench.end(&probe, Shown::WorksWaived);
        let next = bench.attempt().map(|job| job.id);
        assert_eq!(next.is_some(), works, "what was held up follows");
    }
}

#[test]
fn whoever_looks_sees_the_busiest_first_then_those_that_fail_and_of_the_others_only_how_many() {
    let mut bench = Bench::new();
    bench.suspend("failing.example", HOUR);
    bench.accept("busy.example", 7);
    assert_eq!(bench.attempts().len(), 5);
    bench.insert(&pending("later.example", at(HOUR)));
    let standings = bench.schedule.look(10);
    let waiting = bench.entries() as u64;
    assert_eq!(
        (standings.destinations, standings.failing, standings.waiting),
        (3, 1, waiting)
    );
    let shown: Vec<_> = standings
        .busiest
        .iter()
        .map(|one| (one.next_hop.as_str(), one.active, one.window, one.is_failing))
        .collect();
    assert_eq!(
        shown,
        [("busy.example", 5, 5, false), ("failing.example", 0, 1, true)]
    );
    assert!(
        standings.busiest[1]
            .reason
            .as_ref()
            .unwrap()
            .contains("not tried")
    );
    assert_eq!(bench.schedule.look(1).busiest.len(), 1);
}
