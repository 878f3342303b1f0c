//! Incidents as they are composed from records.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::time::Duration;

use jiff::{Timestamp, ToSpan};
use mail::Domain;
use mail::event::delivery::ClockWentBack;
use mail::event::resolver::{Finding as Test, Resolver};
use mail::event::settings::{ListNews, ListState, Mended, PolicyLoaded, Refused, Subject};
use mail::event::{Event, spool as spool_event};
use mail::sighting::{Ending, Evidence, Place, PresentedCertificate, Spot, Starttls, Trouble};
use spool::{Before, IncidentNumber, KnownIncident, Noticed, Shared, Step, Told, Waiting, Way};

use super::news::{self, News};
use super::ours::Ours;
use super::{Composed, Incident, Kind, Terms, compose, letter, page, remedy};
use mail::incident::Likely;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn began() -> Timestamp {
    at("2026-11-28T06:00:00Z")
}

fn terms(now: Timestamp) -> Terms {
    Terms {
        max_age: Duration::from_hours(120),
        now,
    }
}

/// What a host with this key, made by this issuer, shows.
fn evidence(key: &str, issuer: &str, at: Timestamp) -> Evidence {
    let certificate = PresentedCertificate {
        subject: "CN=mx.provider.example".to_owned(),
        issuer: issuer.to_owned(),
        authority: None,
        record: Some(format!("3 1 1 {key}")),
        not_before: Some(at - 2.hours()),
        not_after: Some(at + 2000.hours()),
    };
    Evidence {
        address: Some([192, 0, 2, 1].into()),
        port: Some(25),
        base: Domain::parse("mx.provider.example").ok(),
        published: vec!["3 1 1 aaaaaaaaaaaaaaaa".to_owned()],
        starttls: Starttls::Offered,
        presented: vec![certificate],
        ..Evidence::of_words(at, "no matching TLSA records")
    }
}

fn known(number: u64, host: &str, trouble: Trouble) -> KnownIncident {
    let until = began() - 1.hours();
    KnownIncident {
        number: IncidentNumber(number),
        spot: Spot {
            place: Place::Host(Domain::parse(host).unwrap()),
            trouble,
        },
        first_seen: began(),
        last_seen: began() + 2.hours(),
        evidence: evidence("bbbbbbbbbbbbbbbb", "CN=CA", began()),
        before: Some(Before {
            evidence: evidence("aaaaaaaaaaaaaaaa", "CN=CA", until),
            since: began() - 2000.hours(),
            until,
        }),
        ended: None,
        reopened: 0,
        domains: (0..300)
            .map(|at| Domain::parse(&format!("d{at}.example")).unwrap())
            .collect(),
        waiting: Waiting {
            messages: 420,
            recipients: 430,
            shared: Vec::new(),
            oldest: Some(began() - 1.minutes()),
            oldest_report: Some(began() - 5.hours()),
        },
        stands_for_more: false,
        has_more_domains: false,
        told: Told::default(),
        noticed: Noticed::default(),
    }
}

/// A message to recipients at several hosts of one provider waits once.
#[test]
fn a_message_that_waits_for_several_hosts_counts_once() {
    let host = |number: u64, name: &str, with: &[u64]| {
        let mut one = known(number, name, Trouble::NoMatchingTlsa);
        one.waiting.shared.extend((!with.is_empty()).then(|| Shared {
            with: with.iter().copied().map(IncidentNumber).collect(),
            messages: 20,
        }));
        one
    };
    let all = vec![
        host(1, "a.provider.example", &[2, 3, 4]),
        host(2, "mx.other.example", &[4]),
        host(3, "b.provider.example", &[4]),
        host(4, "c.provider.example", &[]),
    ];
    let composed = compose(all, &Ours::default(), terms(began() + 3.hours()));
    let mut counts: Vec<_> = composed.iter().map(|one| one.incident.messages).collect();
    counts.sort_unstable();
    // Of the first twenty three are the same at the provider, of the others two.
    assert_eq!(counts, [420, 3 * 420 - 2 * 20 - 20]);
}

fn rollover() -> KnownIncident {
    known(17, "mx.provider.example", Trouble::NoMatchingTlsa)
}

fn one(known: Vec<KnownIncident>, now: Timestamp) -> Composed {
    let mut composed = compose(known, &Ours::default(), terms(now));
    assert_eq!(composed.len(), 1, "{composed:#?}");
    composed.remove(0)
}

fn incident(known: KnownIncident) -> Incident {
    one(vec![known], began() + 3.hours()).incident
}

#[test]
fn a_key_that_changed_without_its_record_is_a_forgotten_roll_over() {
    let incident = incident(rollover());
    assert_eq!(incident.finding.likely, Likely::ForgottenRollover);
    assert_eq!((incident.kind, incident.id.as_str()), (Kind::Host, "17"));
    assert_eq!((incident.domains, incident.messages), (300, 420));
    assert_eq!(incident.some_domains.len(), 20);
    // A report that nobody gets is not returned.
    assert_eq!(incident.oldest, Some(began() - 5.hours()));
    assert_eq!(incident.oldest_age, Some(8 * 3600));
    assert_eq!(incident.first_return, Some(began() - 1.minutes() + 120.hours()));
    let changes = incident.finding.changes.join("\n");
    assert!(
        changes.contains("key has changed: 3 1 1 aaaaaaaa… until 2026-11-28 05:00 UTC, 3 1 1 bbbbbbbb… since 2026-11-28 06:00 UTC"),
        "{changes}"
    );
    assert!(
        changes.contains("the TLSA records are the same as before"),
        "{changes}"
    );
    // Nobody has verified who issued it.
    assert_eq!(incident.finding.for_mistake.len(), 1, "{:?}", incident.finding);
    assert!(
        changes.contains("it names the same issuer as before: CN=CA"),
        "{changes}"
    );
    assert!(incident.finding.for_attack.is_empty());
}

#[test]
fn what_differs_otherwise_is_something_else() {
    let likely = |change: &dyn Fn(&mut KnownIncident)| {
        let mut known = rollover();
        change(&mut known);
        incident(known).finding.likely
    };
    // Authorities are changed: that alone is no attack.
    let stranger = |known: &mut KnownIncident| known.evidence = evidence("bb", "CN=other", began());
    assert_eq!(likely(&stranger), Likely::ForgottenRollover);
    let records = |known: &mut KnownIncident| {
        known.evidence = evidence("aaaaaaaaaaaaaaaa", "CN=CA", began());
        known.evidence.published = vec!["3 1 1 cc".to_owned()];
    };
    assert_eq!(likely(&records), Likely::WrongRecords);
    assert_eq!(likely(&|known| known.before = None), Likely::WrongRecords);
    let stripped = |known: &mut KnownIncident| {
        known.spot.trouble = Trouble::StarttlsNotOffered;
        known.evidence.starttls = Starttls::NotOffered;
    };
    assert_eq!(likely(&stripped), Likely::PossibleAttack);
    let never = |known: &mut KnownIncident| {
        stripped(known);
        known.before = None;
    };
    assert_eq!(likely(&never), Likely::Unknown);
    assert_eq!(
        likely(&|known| known.spot.trouble = Trouble::WrongSignature),
        Likely::PossibleAttack
    );
    assert_eq!(
        likely(&|known| known.spot.trouble = Trouble::TlsaBogus),
        Likely::BrokenDnssec
    );
    let strict = |known: &mut KnownIncident| {
        known.spot.trouble = Trouble::NoSecureTlsa;
        known.before = None;
    };
    assert_eq!(likely(&strict), Likely::PolicyDemand);
}

#[test]
fn an_ordinary_renewal_is_a_forgotten_roll_over_whoever_signs_it() {
    let found = |before: (&str, &str, Option<&str>), after: (&str, &str, Option<&str>)| {
        let mut known = rollover();
        let of = |evidence: &mut Evidence, (subject, issuer, authority): (&str, &str, Option<&str>)| {
            let leaf = evidence.presented.first_mut().unwrap();
            (leaf.subject, leaf.issuer) = (subject.to_owned(), issuer.to_owned());
            leaf.authority = authority.map(str::to_owned);
        };
        of(&mut known.before.as_mut().unwrap().evidence, before);
        of(&mut known.evidence, after);
        incident(known).finding
    };
    let lets_encrypt = Some("Let's Encrypt");
    let renewed = found(
        ("CN=mx", "C=US, O=Let's Encrypt, CN=R10", lets_encrypt),
        ("CN=mx", "C=US, O=Let's Encrypt, CN=R11", lets_encrypt),
    );
    assert_eq!(
        (renewed.likely, renewed.for_attack.len()),
        (Likely::ForgottenRollover, 0)
    );
    assert!(
        renewed
            .changes
            .iter()
            .any(|change| change.starts_with("it names the same authority as before: Let's Encrypt")),
        "{renewed:?}"
    );
    let self_signed = found(("CN=mx", "CN=mx", None), ("CN=mx", "CN=mx", None));
    assert_eq!(
        (self_signed.likely, self_signed.for_attack.len()),
        (Likely::ForgottenRollover, 0)
    );
    assert!(
        self_signed
            .changes
            .iter()
            .any(|change| change.starts_with("it names itself as its issuer, as before")),
        "{self_signed:?}"
    );
    let moved = found(
        ("CN=mx", "CN=mx", None),
        ("CN=mx", "C=US, O=Let's Encrypt, CN=R11", lets_encrypt),
    );
    assert_eq!(
        (moved.likely, moved.for_attack.len()),
        (Likely::ForgottenRollover, 1)
    );
}

#[test]
fn where_no_mail_waits_the_letter_says_so() {
    let mut known = rollover();
    known.waiting = Waiting::default();
    let letter = letter::write(&incident(known), "relay.example").unwrap();
    assert!(
        letter.subject.contains("fails our checks since"),
        "{}",
        letter.subject
    );
    for words in [
        "waits in our queue",
        "cannot be delivered",
        "tries again",
        "0 messages",
        // Perhaps it was returned, or went to another host.
        "delivered all the same",
    ] {
        assert!(!letter.text.contains(words), "{words}\n{}", letter.text);
    }
    assert!(
        letter.text.contains("No mail waits here because of it"),
        "{}",
        letter.text
    );
}

#[test]
fn the_letter_and_the_remedy_are_about_what_fails_still() {
    let hosts = ["mx1.provider.example", "mx2.provider.example"];
    let [mut healed, failing] = hosts.map(|host| known(17, host, Trouble::NoMatchingTlsa));
    healed.ended = Some((began() + 1.hours(), Ending::Verified));
    let incident = one(vec![healed, failing], began() + 3.hours()).incident;
    let letter = letter::write(&incident, "relay.example").unwrap();
    assert!(
        letter.text.contains("mx2.provider.example [192.0.2.1]"),
        "{}",
        letter.text
    );
    assert!(!letter.text.contains("mx1.provider.example ["), "{}", letter.text);
    let remedy = remedy::propose(&incident, began());
    assert_eq!(remedy.commands.len(), 1);
    let page = page::write(&incident, "relay.example", began() + 3.hours());
    assert!(
        page.contains("mx1.provider.example, as it failed until 2026-11-28 07:00 UTC"),
        "{page}"
    );
}

#[test]
fn the_test_for_them_has_all_records_or_none() {
    let command = |published: &[&str]| {
        let mut known = rollover();
        known.evidence.published = published.iter().map(|record| (*record).to_owned()).collect();
        let letter = letter::write(&incident(known), "relay.example").unwrap();
        let line = letter.text.lines().find(|line| line.contains("openssl")).unwrap();
        line.trim().split_once(":25 ").unwrap().1.to_owned()
    };
    assert_eq!(
        command(&["2 1 1 bb", "3 1 1 aa"]),
        "-dane_tlsa_domain mx.provider.example -dane_tlsa_rrdata '2 1 1 bb' -dane_tlsa_rrdata '3 1 1 aa'"
    );
    assert_eq!(
        command(&[]),
        "-verify_hostname mx.provider.example -verify_return_error"
    );
}

#[test]
fn hosts_of_one_provider_are_one_incident_and_those_of_others_are_not() {
    let hosts = [
        "mx1.provider.example",
        "mx2.mail.provider.example",
        "mx.other.example",
    ];
    let all = (1..)
        .zip(hosts)
        .map(|(number, host)| known(number, host, Trouble::NoMatchingTlsa));
    let composed = compose(all.collect(), &Ours::default(), terms(began()));
    let names: Vec<_> = composed
        .iter()
        .map(|one| (one.incident.kind, one.incident.name.as_str()))
        .collect();
    assert_eq!(
        names,
        [
            (Kind::Provider, "provider.example"),
            (Kind::Host, "mx.other.example")
        ]
    );
    // The same domains are served by both hosts.
    assert_eq!(
        (composed[0].incident.domains, composed[0].incident.messages),
        (300, 840)
    );
    assert!(composed[0].incident.is_known_as("2") && !composed[0].incident.is_known_as("3"));
    let healed = |mut known: KnownIncident, end: Timestamp| {
        known.ended = Some((end, Ending::Verified));
        known
    };
    // One that has healed first stays with the other; what failed a month ago does not.
    let mut past = known(1, "mx1.provider.example", Trouble::NoMatchingTlsa);
    (past.first_seen, past.ended) = (
        began() - 700.hours(),
        Some((began() - 600.hours(), Ending::Verified)),
    );
    let now = [
        past,
        healed(
            known(2, "mx2.provider.example", Trouble::NoMatchingTlsa),
            began() + 1.hours(),
        ),
        known(3, "mx3.provider.example", Trouble::NoMatchingTlsa),
        known(4, "mx3.provider.example", Trouble::StarttlsNotOffered),
    ];
    let composed = compose(now.to_vec(), &Ours::default(), terms(began()));
    let ids: Vec<_> = composed
        .iter()
        .map(|one| (one.incident.id.as_str(), one.records.len()))
        .collect();
    assert_eq!(ids, [("2", 2), ("4", 1), ("1", 1)]);
    let ended = healed(
        known(2, "mx2.provider.example", Trouble::NoMatchingTlsa),
        began() + 1.hours(),
    );
    let other = healed(
        known(3, "mx3.provider.example", Trouble::NoMatchingTlsa),
        began() + 3.hours(),
    );
    // It keeps its id when the first host fails again while another one goes on.
    let mut again = known(5, "mx2.provider.example", Trouble::NoMatchingTlsa);
    again.first_seen = began() + 4.hours();
    let goes_on = known(3, "mx3.provider.example", Trouble::NoMatchingTlsa);
    let same = one(vec![ended.clone(), goes_on, again], began() + 5.hours()).incident;
    assert_eq!((same.id.as_str(), same.is_open()), ("2", true));
    assert!(
        same.finding
            .for_mistake
            .iter()
            .any(|line| line.starts_with("2 hosts of the same provider")),
        "{:?}",
        same.finding
    );
    let over = one(vec![ended, other], began() + 9.hours()).incident;
    assert_eq!((over.ended, over.is_open()), (Some(began() + 3.hours()), false));
}

#[test]
fn what_begins_at_several_providers_at_once_is_near_us() {
    let hosts = ["mx.a.example", "mx.b.example", "mx.c.example", "mx.d.example"];
    let all = (1..)
        .zip(hosts)
        .map(|(number, host)| known(number, host, Trouble::StarttlsNotOffered));
    let mut all: Vec<_> = all.collect();
    let composed = compose(all.clone(), &Ours::default(), terms(began()));
    assert!(
        composed
            .iter()
            .all(|one| one.incident.finding.likely == Likely::OurNetwork)
    );
    all.truncate(3);
    let composed = compose(all, &Ours::default(), terms(began()));
    assert!(
        composed
            .iter()
            .all(|one| one.incident.finding.likely == Likely::PossibleAttack)
    );
}

#[test]
fn what_is_ours_is_one_incident_of_its_own_kind() {
    let mut ours = Ours::default();
    let tested = |finding| {
        Event::Resolver(Resolver::Tested {
            dns: "validate",
            finding,
            servers: String::new(),
        })
    };
    let refused = Event::Refused(Refused {
        about: Subject::Policy,
        reason: "policy.toml:3: no such key".to_owned(),
    });
    let full = Event::Spool(spool_event::Spool::Full {
        client: [127, 0, 0, 1].into(),
        error: "no room".to_owned(),
    });
    let failing = tested(Test::Failing("no DNS server answers".to_owned()));
    for event in [&failing, &refused, &full] {
        assert!(ours.note(event, began()));
        assert!(!ours.note(event, began() + 1.minutes()));
    }
    let composed = compose(vec![rollover()], &ours, terms(began()));
    let ids: Vec<_> = composed.iter().map(|one| one.incident.id.as_str()).collect();
    assert_eq!(ids, ["our-resolver", "our-spool-full", "our-policy", "17"]);
    // Mail that waits for the resolver is the same incident.
    let mut waiting = rollover();
    waiting.spot = Spot {
        place: Place::Resolver,
        trouble: Trouble::ResolverFails,
    };
    let composed = compose(vec![waiting], &ours, terms(began()));
    assert_eq!(
        composed
            .iter()
            .filter(|one| one.incident.name == "our resolver")
            .count(),
        1
    );
    assert!(composed[0].incident.is_ours() && composed[0].incident.messages > 0);
    assert!(letter::write(&composed[0].incident, "relay.example").is_none());
    for event in [tested(Test::Fine(String::new())), loaded(Mended::Everything)] {
        assert!(ours.note(&event, began()));
    }
    assert_eq!(ours.standing(began()).count(), 1);
}

#[test]
fn people_are_told_at_the_beginning_hourly_daily_at_half_and_at_the_end() {
    let mut known = rollover();
    let mut told = Vec::new();
    let mut now = began();
    while now < began() + 130.hours() {
        if now == began() + 100.hours() {
            known.ended = Some((now, Ending::Verified));
        }
        let composed = one(vec![known.clone()], now);
        if let Some((news, then)) = news::due(&composed, now) {
            known.told = then;
            told.extend(news.map(|news| (now.duration_since(began()).as_hours(), news)));
        }
        now += 10.minutes();
    }
    let of = |wanted| {
        told.iter()
            .filter(|(_, news)| *news == wanted)
            .map(|(hour, _)| *hour)
            .collect::<Vec<_>>()
    };
    assert_eq!((of(News::Opened), of(News::Closed)), (vec![0], vec![100]));
    assert_eq!(
        of(News::Half),
        [60],
        "half of 120 hours, by a look every ten minutes"
    );
    assert_eq!(of(News::Open), [(1..24).collect(), vec![47, 84]].concat());
}

#[test]
fn what_comes_and_goes_is_over_only_after_an_hour() {
    let mut known = rollover();
    known.told.open = Some(began());
    known.reopened = 1;
    known.ended = Some((began(), Ending::Verified));
    let news = |known: &KnownIncident, now| {
        let composed = one(vec![known.clone()], now);
        news::due(&composed, now).and_then(|(news, _)| news)
    };
    assert_eq!(news(&known, began() + 59.minutes()), None);
    assert_eq!(news(&known, began() + 60.minutes()), Some(News::Closed));
    // What was over before anybody was told is no news, and not looked at again.
    known.told.open = None;
    let composed = one(vec![known.clone()], began() + 60.minutes());
    let (news, told) = news::due(&composed, began() + 60.minutes()).unwrap();
    assert_eq!((news, told.ended), (None, true));
}

#[test]
fn what_was_told_while_the_clock_was_ahead_is_told_again() {
    let mut known = rollover();
    let now = began() + 3.hours();
    let told = |open: Timestamp| Told {
        open: Some(open),
        ..Told::default()
    };
    known.told = told(now + 100.hours());
    let news = news::due(&one(vec![known.clone()], now), now);
    assert_eq!(news, Some((Some(News::Open), told(now))));
    known.told = told(now);
    assert_eq!(news::due(&one(vec![known], now), now), None);
}

#[test]
fn on_each_way_people_are_told_once_of_each_step_however_late() {
    let mut known = rollover();
    let notice = |known: &KnownIncident, hours: i64| {
        let now = began() + hours.hours();
        news::notice(&one(vec![known.clone()], now), Way::Mail, now)
    };
    let opened = Some((Some(News::Opened), Step::Opened));
    assert_eq!(notice(&known, 0), opened);
    // What is told late says how it stands.
    assert_eq!(notice(&known, 61), Some((Some(News::Opened), Step::Half)));
    known.noticed.note(Way::Command, Step::Opened);
    assert_eq!(notice(&known, 0), opened, "the other way has its own");
    known.noticed.note(Way::Mail, Step::Opened);
    assert_eq!(notice(&known, 59), None);
    let half = Some((Some(News::Half), Step::Half));
    assert_eq!(notice(&known, 61), half);
    known.noticed.note(Way::Mail, Step::Half);
    assert_eq!(notice(&known, 119), None);
    known.ended = Some((began() + 120.hours(), Ending::Verified));
    let closed = Some((Some(News::Closed), Step::Closed));
    assert_eq!(notice(&known, 120), closed);
    known.noticed.note(Way::Mail, Step::Closed);
    assert_eq!(notice(&known, 121), None);
    // It has ended before they were told of it: that is news if the log has it.
    known.noticed = Noticed::default();
    assert_eq!(notice(&known, 120), Some((None, Step::Closed)));
    known.told.open = Some(began());
    assert_eq!(notice(&known, 120), closed);
}

#[test]
fn a_host_that_fails_again_is_told_anew_beside_another_that_has_healed() {
    let hosts = ["mx1.provider.example", "mx2.provider.example"];
    let [mut again, mut healed] = hosts.map(|host| known(17, host, Trouble::NoMatchingTlsa));
    healed.number = IncidentNumber(18);
    healed.ended = Some((began() + 1.hours(), Ending::Verified));
    healed.told = Told {
        open: Some(began()),
        half: false,
        ended: true,
    };
    healed.noticed.note(Way::Mail, Step::Closed);
    again.reopened = 1;
    let now = began() + 90.minutes();
    let composed = one(vec![again, healed], now);
    assert!(composed.incident.is_open());
    let (news, _) = news::due(&composed, now).unwrap();
    assert_eq!(news, Some(News::Opened));
    // The log has said so in the moment in which it failed again.
    let mut over = composed.clone();
    for record in &mut over.records {
        record.told = Told {
            open: Some(began()),
            half: false,
            ended: true,
        };
    }
    let (news, told) = news::due(&over, now).unwrap();
    assert_eq!((news, told.ended), (Some(News::Opened), false));
    let (news, _) = news::notice(&composed, Way::Mail, now).unwrap();
    assert_eq!(news, Some(News::Opened));
}

#[test]
fn what_stands_for_more_says_at_least() {
    let mut more = rollover();
    more.stands_for_more = true;
    let now = began() + 3.hours();
    let shown = page::write(&one(vec![more.clone()], now).incident, "relay.example", now);
    assert!(shown.contains("at least 300 domains"), "{shown}");
    let first = "mx.provider.example and others below provider.example: ";
    assert!(shown.contains(first), "{shown}");
    let mut second = known(18, "mx2.provider.example", Trouble::NoMatchingTlsa);
    second.domains.clear();
    let shown = page::write(&one(vec![more, second], now).incident, "relay.example", now);
    assert!(shown.contains("at least 2 hosts of the same provider"), "{shown}");
    assert!(shown.contains("hosts of provider.example: "), "{shown}");
}

#[test]
fn the_exception_is_for_the_host_the_provider_or_the_domain() {
    let now = at("2026-11-29T12:00:00Z");
    let host = remedy::propose(&incident(rollover()), now);
    assert_eq!(
        host.exception.unwrap(),
        "[[exception]]\nmx = \"mx.provider.example\"\ndane = \"soft-fail\"\nuntil = 2026-12-29\nreason = \"its certificate \
         matches none of its TLSA records since 2026-11-28\"\n"
    );
    assert_eq!(host.commands.len(), 1);
    // Another issuer decides nothing, but it is a reason to ask first.
    let mut stranger = rollover();
    stranger.evidence.presented[0].issuer = "CN=other".to_owned();
    let stranger = incident(stranger);
    assert_eq!(stranger.finding.likely, Likely::ForgottenRollover);
    for (advice, is_cautious) in [
        (remedy::propose(&stranger, now).advice, true),
        (host.advice, false),
    ] {
        assert_eq!(
            advice.contains("ask the other side first"),
            is_cautious,
            "{advice}"
        );
    }
    let hosts = ["mx1.provider.example", "mx2.provider.example"];
    let all = (1..)
        .zip(hosts)
        .map(|(number, host)| known(number, host, Trouble::NoMatchingTlsa));
    let provider = remedy::propose(&one(all.collect(), began()).incident, now);
    assert_eq!(provider.commands.len(), 2, "hosts that are fine are not excepted");
    let many = (1..=9).map(|number| {
        known(
            number,
            &format!("mx{number}.provider.example"),
            Trouble::NoMatchingTlsa,
        )
    });
    let many = many.chain([known(10, "provider.example", Trouble::NoMatchingTlsa)]);
    let provider = remedy::propose(&one(many.collect(), began()).incident, now);
    assert!(provider.exception.unwrap().contains("mx = \".provider.example\""));
    let mut bogus = rollover();
    bogus.spot = Spot {
        place: Place::Domain(Domain::parse("a.example").unwrap()),
        trouble: Trouble::MxBogus,
    };
    let domain = remedy::propose(&incident(bogus), now).exception.unwrap();
    assert!(
        domain.contains("domain = \"a.example\"\ndnssec = \"off\""),
        "{domain}"
    );
    let mut strict = rollover();
    strict.spot.trouble = Trouble::InsecureMx;
    assert_eq!(remedy::propose(&incident(strict), now).exception, None);
}

#[test]
fn where_no_mail_waits_an_exception_is_for_enforcing() {
    let mut passed = rollover();
    passed.waiting = Waiting::default();
    let remedy = remedy::propose(&incident(passed), began());
    assert!(remedy.exception.is_some());
    assert!(remedy.advice.contains("no mail waits"), "{}", remedy.advice);
}

#[test]
fn hosts_beyond_those_that_are_named_are_counted() {
    let hosts = |count: u64| {
        let of = |number| {
            known(
                number,
                &format!("mx{number}.provider.example"),
                Trouble::AddressBogus,
            )
        };
        let incident = one((1..=count).map(of).collect(), began()).incident;
        remedy::propose(&incident, began())
    };
    let some = hosts(8);
    assert_eq!(some.commands.len(), 8);
    assert!(!some.advice.contains("more host"), "{}", some.advice);
    let many = hosts(11);
    assert_eq!(many.commands.len(), 8);
    assert!(
        many.advice.contains("and 3 more hosts that fail in the same way"),
        "{}",
        many.advice
    );
}

#[test]
fn the_letter_has_the_facts_and_a_way_to_its_reader() {
    let mut known = rollover();
    known
        .domains
        .insert(0, Domain::parse("provider.example").unwrap());
    let incident = incident(known);
    let letter = letter::write(&incident, "relay.example").unwrap();
    assert_eq!(letter.to, "postmaster@provider.example");
    // Since the oldest message, not since the first failure.
    assert!(
        letter.subject.contains("waits since 2026-11-28 01:00 UTC"),
        "{}",
        letter.subject
    );
    for fact in [
        "mx.provider.example [192.0.2.1]",
        "since 2026-11-28 06:00 UTC",
        "would match  3 1 1 bbbbbbbbbbbbbbbb",
        "_25._tcp.mx.provider.example. IN TLSA 3 1 1 aaaaaaaaaaaaaaaa",
        "420 messages of 301 domains",
        "2026-12-03 05:59 UTC",
        "-dane_tlsa_domain mx.provider.example -dane_tlsa_rrdata '3 1 1 aaaaaaaaaaaaaaaa'",
    ] {
        assert!(letter.text.contains(fact), "{fact}\n{}", letter.text);
    }
    assert!(
        letter.ways[0].contains("would wait here with the rest"),
        "{:?}",
        letter.ways
    );
    let page = page::write(&incident, "relay.example", began() + 3.hours());
    for part in [
        "most likely",
        "What was seen",
        "[[exception]]",
        "danefail add --mx",
        "Dear postmaster,",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    let text = serde_json::to_string(&incident).unwrap();
    assert_eq!(serde_json::from_str::<Incident>(&text).unwrap(), incident);
}

#[test]
fn each_list_in_trouble_is_an_incident_until_it_is_mended() {
    let mut ours = Ours::default();
    let told = |url: &str, news| {
        Event::List(ListNews {
            url: url.to_owned(),
            news,
        })
    };
    let (one, other) = ("https://lists.example/one", "https://lists.example/other");
    let html = || ListState::HeldBack("it is an HTML page".to_owned());
    assert!(ours.note(&told(one, html()), began()));
    assert!(!ours.note(&told(one, html()), began()));
    assert!(ours.note(&told(other, ListState::TooOld("503".to_owned())), began()));
    // Alone that is no incident: the copy holds.
    assert!(!ours.note(&told(other, ListState::NotFetched("503".to_owned())), began()));
    let shown = |ours: &Ours| -> Vec<String> {
        let composed = compose(Vec::new(), ours, terms(began()));
        let shown = composed
            .iter()
            .map(|one| format!("{} {}", one.incident.id, one.incident.name));
        shown.collect()
    };
    let of_other = "our-list-too-old/lists.example/other our copy of the list https://lists.example/other";
    assert_eq!(
        shown(&ours),
        [
            "our-list-held-back/lists.example/one our copy of the list https://lists.example/one",
            of_other
        ]
    );
    assert!(ours.note(&told(one, ListState::Recovered), began()));
    // A policy that is read again mends no list.
    assert!(!ours.note(&loaded(Mended::Everything), began()));
    assert_eq!(shown(&ours), [of_other]);
    assert!(ours.note(&told(other, ListState::NotNamed), began()));
    assert_eq!(ours.standing(began()).count(), 0);
}

#[test]
fn what_the_other_side_says_cannot_write_to_the_terminal() {
    let mut known = rollover();
    known.evidence.presented[0].subject = "CN=\u{1b}[2Jmx\u{202e}".to_owned();
    known.evidence.reason = "no\u{7} bell".into();
    if let Some(before) = &mut known.before {
        before.evidence.presented[0].subject = "CN=\u{9b}1m".to_owned();
    }
    let incident = incident(known);
    let letter = letter::write(&incident, "relay.example").unwrap().text;
    let page = page::write(&incident, "relay.example", began());
    for text in [&letter, &page] {
        assert!(text.contains("CN=\\x1B[2Jmx\\xE2\\x80\\xAE"), "{text}");
        assert!(
            text.chars()
                .all(|c| c == '\n' || !mail::printable::is_unprintable(c)),
            "{text}"
        );
    }
    assert!(page.contains("CN=\\xC2\\x9B1m"), "{page}");
}

fn loaded(mended: Mended) -> Event {
    Event::PolicyLoaded(PolicyLoaded {
        file: String::new(),
        mended,
    })
}

#[test]
fn only_what_was_read_again_is_mended() {
    let mut ours = Ours::default();
    let refused = |about, reason: &str| {
        Event::Refused(Refused {
            about,
            reason: reason.to_owned(),
        })
    };
    ours.note(&refused(Subject::Config, "danerelay.toml:1: no"), began());
    ours.note(&refused(Subject::Policy, "policy.toml:1: first"), began());
    ours.note(&refused(Subject::Policy, "policy.toml:2: second"), began());
    let composed = compose(Vec::new(), &ours, terms(began()));
    let page = page::write(&composed[0].incident, "relay.example", began());
    assert!(page.contains("first") && page.contains("second"), "{page}");
    assert!(!ours.note(&loaded(Mended::Nothing), began()));
    assert!(ours.note(&loaded(Mended::Policy), began()));
    assert_eq!(ours.standing(began()).count(), 1);
    assert!(ours.note(&loaded(Mended::Everything), began()));
    assert_eq!(ours.standing(began()).count(), 0);
}

#[test]
fn a_clock_that_goes_back_is_an_incident_until_it_has_not_for_an_hour() {
    let mut ours = Ours::default();
    let back = Event::ClockWentBack(ClockWentBack { messages: 1 });
    assert!(ours.note(&back, began()));
    let composed = compose(Vec::new(), &ours, terms(began() + 59.minutes()));
    assert_eq!(composed[0].incident.id, "our-clock");
    assert!(compose(Vec::new(), &ours, terms(began() + 61.minutes())).is_empty());
    assert!(ours.note(&back, began() + 2.hours()), "it is another one");
}

#[test]
fn where_dane_demands_nothing_neither_words_nor_remedy_speak_of_it() {
    let stripped = known(1, "mx.provider.example", Trouble::StarttlsNotOffered);
    let by_records = incident(stripped.clone());
    assert!(
        by_records.summary.ends_with("although it publishes TLSA records"),
        "{}",
        by_records.summary
    );
    assert!(remedy::propose(&by_records, began()).exception.is_some());
    let mut bare = stripped;
    bare.evidence.base = None;
    bare.evidence.published.clear();
    let by_rule = incident(bare);
    assert!(by_rule.summary.ends_with("demands TLS"), "{}", by_rule.summary);
    let remedy = remedy::propose(&by_rule, began());
    assert_eq!(remedy.exception, None);
    assert!(
        remedy.advice.contains("tls of the domain's rule"),
        "{}",
        remedy.advice
    );
}
