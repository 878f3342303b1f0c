//! Reports from a store that has settled deliveries.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::sync::Arc;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use mail::{AddressFamily, CauseKind, DaneResult, DeliverySecurity, DomainPart, LedgerKey, Status};
use spool::contract::{commit, message, now, settlement, take};
use spool::{Running, Settlement, Spool};
use spool_embedded::{EmbeddedSpool, Options};
use tempfile::TempDir;

use super::*;

/// A delivery: so many days after the first, to this domain, over this host, and how it ended.
type Delivery<'a> = (i64, &'a str, &'a str, End);

#[derive(Clone, Copy)]
enum End {
    Dane,
    Clear,
    Waived,
    SoftFailed,
    Deferred,
    Bounced,
    /// DANE failed, and mail waits.
    Stopped(CauseKind),
    /// DANE failed until mail was given up.
    Returned,
}

struct Scene {
    spool: EmbeddedSpool,
    _directory: TempDir,
}

fn first() -> Date {
    "2026-03-01".parse().unwrap()
}

fn key((_, domain, host, end): Delivery<'_>) -> LedgerKey {
    let delivered = LedgerKey {
        domain: (!domain.is_empty()).then(|| DomainPart::parse(domain).unwrap()),
        host: (!host.is_empty()).then(|| host.parse().unwrap()),
        family: AddressFamily::Ipv4,
        status: Status::Sent,
        security: DeliverySecurity::Dane,
        dane: DaneResult::Verify,
        cause: None,
    };
    match end {
        End::Dane => delivered,
        End::Clear => LedgerKey {
            security: DeliverySecurity::Clear,
            dane: DaneResult::Skip,
            family: AddressFamily::Ipv6,
            ..delivered
        },
        End::Waived => LedgerKey {
            security: DeliverySecurity::Encrypted,
            dane: DaneResult::Waived,
            ..delivered
        },
        End::SoftFailed => LedgerKey {
            security: DeliverySecurity::Encrypted,
            dane: DaneResult::Softfail,
            cause: Some(CauseKind::TlsaNoMatch),
            ..delivered
        },
        End::Deferred => LedgerKey {
            status: Status::Deferred,
            security: DeliverySecurity::None,
            dane: DaneResult::Fail,
            cause: Some(CauseKind::TimedOut),
            ..delivered
        },
        End::Stopped(cause) => LedgerKey {
            status: Status::Deferred,
            security: DeliverySecurity::None,
            dane: DaneResult::Fail,
            cause: Some(cause),
            ..delivered
        },
        End::Returned => LedgerKey {
            status: Status::Expired,
            security: DeliverySecurity::None,
            dane: DaneResult::Fail,
            cause: Some(CauseKind::TlsaNoMatch),
            ..delivered
        },
        End::Bounced => LedgerKey {
            status: Status::Bounced,
            security: DeliverySecurity::None,
            dane: DaneResult::Skip,
            cause: Some(CauseKind::RefusedForGood),
            ..delivered
        },
    }
}

impl Scene {
    async fn new(apart: &[&str], deliveries: &[Delivery<'_>]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options = Options {
            spool_free: 0,
            ledger_apart: apart.iter().map(|domain| domain.parse().unwrap()).collect(),
            ..Options::default()
        };
        let spool = EmbeddedSpool::open(directory.path(), options, Arc::new(()))
            .await
            .unwrap();
        for (number, delivery) in deliveries.iter().enumerate() {
            let accepted = commit(&spool, message(&["a@b.example"]), b"x").await.unwrap();
            let mut sent = settlement(0, Status::Sent, None);
            sent.entry.key = key(*delivery);
            // Each a second after the one before.
            let second = i64::try_from(number).unwrap().seconds();
            sent.entry.at = now() + (24 * delivery.0).hours() + second;
            settle(&spool, &accepted.pending[0], sent).await;
        }
        Self {
            spool,
            _directory: directory,
        }
    }

    async fn ask(&self, question: Question) -> Report {
        make(&self.spool, question).await.unwrap()
    }
}

async fn settle(spool: &EmbeddedSpool, part: &spool::Pending, sent: Settlement) {
    let lease = take(spool, part).await;
    spool.settle(lease, vec![sent], now()).await.unwrap();
}

fn question(days: i64, view: View) -> Question {
    Question {
        period: Period {
            from: first(),
            to: first() + (days - 1).days(),
        },
        view,
        per: None,
        compare: false,
        internal: Internal::Exclude,
        internal_domains: vec!["own.example".parse().unwrap()],
        most: None,
        order: Order::Deliveries,
    }
}

/// Each row as `name: deliveries domains`, and what was before.
fn rows(report: &Report) -> Vec<String> {
    let shown = |traffic: &Traffic| {
        let domains = traffic
            .domains
            .map(|domains| format!(" {domains}"))
            .unwrap_or_default();
        format!("{}{domains}", traffic.deliveries())
    };
    let row = |item: &Item| match item {
        Item::Row(row) => {
            let names = [row.period.as_deref(), row.name.as_deref()];
            let names: Vec<&str> = names.into_iter().flatten().collect();
            let before = row
                .before
                .as_ref()
                .map(|before| format!(" before {}", shown(before)));
            format!(
                "{}: {}{}",
                names.join(" "),
                shown(&row.traffic),
                before.unwrap_or_default()
            )
        }
        Item::SoftFailed(case) => format!(
            "{} {} of {} {:?} healed {}",
            case.domain, case.deliveries, case.of, case.causes, case.healed
        ),
    };
    report.rows.iter().map(row).collect()
}

const TRAFFIC: [Delivery<'_>; 9] = [
    (-1, "old.example", "mx.big.co.uk", End::Dane),
    (0, "a.example", "mx1.big.co.uk", End::Dane),
    (0, "b.example", "mx2.big.co.uk", End::Clear),
    (0, "b.example", "mx.small.example", End::Deferred),
    (0, "b.example", "mx1.big.co.uk", End::Clear),
    (1, "c.example", "mx.small.example", End::Bounced),
    (1, "sub.own.example", "mx.own.example", End::Clear),
    (1, "d.example", "", End::Bounced),
    (40, "late.example", "mx.big.co.uk", End::Dane),
];

#[tokio::test]
async fn shares_are_of_what_came_to_an_end() {
    let scene = Scene::new(&["own.example"], &TRAFFIC).await;
    let report = scene.ask(question(2, View::Overview)).await;
    let total = &report.head.total;
    assert_eq!(
        (
            total.dane,
            total.clear,
            total.failed,
            total.deferred,
            total.octets
        ),
        (1, 2, 2, 1, 600)
    );
    assert_eq!((total.deliveries(), total.domains), (5, Some(4)));
    assert!((total.share(total.clear) - 0.4).abs() < 1e-9);
    assert_eq!(report.head.internal.deliveries(), 1);
    assert_eq!(rows(&report), ["big.co.uk: 3 2", "small.example: 1 1"]);

    let compared = Question {
        compare: true,
        ..question(2, View::Overview)
    };
    let report = scene.ask(compared).await;
    assert_eq!(report.head.total_before.unwrap().dane, 1);
    assert_eq!(
        rows(&report),
        ["big.co.uk: 3 2 before 1 1", "small.example: 1 1 before 0"]
    );
    for (internal, deliveries) in [(Internal::Include, 6), (Internal::Only, 1)] {
        let asked = Question {
            internal,
            ..question(2, View::Overview)
        };
        assert_eq!(scene.ask(asked).await.head.total.deliveries(), deliveries);
    }
    scene.spool.close().await.unwrap();
}

#[tokio::test]
async fn each_view_has_its_rows() {
    let scene = Scene::new(&["own.example"], &TRAFFIC).await;
    let by = |by| question(2, View::By(by));
    let found = rows(&scene.ask(by(By::Domain)).await);
    assert_eq!(
        found,
        ["b.example: 2", "a.example: 1", "c.example: 1", "d.example: 1"]
    );
    let found = rows(&scene.ask(by(By::AddressFamily)).await);
    assert_eq!(found, ["IPv4: 3", "IPv6: 2"]);
    let found = rows(&scene.ask(by(By::Outcome)).await);
    let expected = [
        "bounced: the server refused for good: 2",
        "sent, clear: 2",
        "sent, DANE: 1",
        "deferred: timed out: 0",
    ];
    assert_eq!(found, expected);
    let monthly = Question {
        per: Some(Per::Month),
        compare: true,
        ..question(41, View::Overview)
    };
    let found = rows(&scene.ask(monthly).await);
    assert_eq!(found, ["2026-03: 5 before 1", "2026-04: 1 before 5"]);
    let daily = Question {
        per: Some(Per::Day),
        ..by(By::MxProvider)
    };
    let found = rows(&scene.ask(daily).await);
    let expected = [
        "2026-03-01 big.co.uk: 3 2",
        "2026-03-01 small.example: 0",
        "2026-03-02 small.example: 1 1",
    ];
    assert_eq!(found, expected);
    scene.spool.close().await.unwrap();
}

#[tokio::test]
async fn the_first_rows_in_either_order() {
    let deliveries = [
        (0, "a.example", "mx.busy.example", End::Dane),
        (0, "a.example", "mx.busy.example", End::Dane),
        (0, "a.example", "mx.busy.example", End::Dane),
        (0, "b.example", "mx.broad.example", End::Dane),
        (0, "c.example", "mx.broad.example", End::Clear),
        (0, "d.example", "mx.small.example", End::Clear),
    ];
    let scene = Scene::new(&[], &deliveries).await;
    let asked = |order, most| Question {
        most,
        order,
        ..question(1, View::By(By::MxProvider))
    };
    let (busy, broad) = ("busy.example: 3 1", "broad.example: 2 2");
    for (order, expected) in [
        (Order::Deliveries, [busy, broad]),
        (Order::Domains, [broad, busy]),
    ] {
        let report = scene.ask(asked(order, Some(2))).await;
        assert_eq!(rows(&report), expected);
        assert_eq!((report.head.row_count, report.head.total.deliveries()), (3, 6));
        let whole = scene.ask(asked(order, None)).await;
        assert_eq!(rows(&whole)[..2], expected);
        assert_eq!((whole.rows.len(), whole.head.row_count), (3, 3));
    }
    scene.spool.close().await.unwrap();
}

/// As the store counts what it has no room for.
#[tokio::test]
async fn what_is_counted_without_its_domain_is_in_the_total() {
    let deliveries = [
        (0, "", "", End::Clear),
        (0, "", "", End::Deferred),
        (0, "a.example", "mx.a.example", End::Dane),
    ];
    let scene = Scene::new(&[], &deliveries).await;
    let report = scene.ask(question(1, View::Overview)).await;
    assert_eq!(rows(&report), ["a.example: 1 1"]);
    let head = &report.head;
    assert_eq!(
        (head.total.deliveries(), head.total.domains, head.unnamed),
        (2, Some(1), 1)
    );
    let report = scene.ask(question(1, View::By(By::Domain))).await;
    assert_eq!(rows(&report), ["a.example: 1"]);
    scene.spool.close().await.unwrap();
}

#[tokio::test]
async fn records_that_are_withdrawn_cost_nothing_any_more() {
    let deliveries = [
        (0, "gone.example", "mx.gone.example", End::SoftFailed),
        (0, "gone.example", "mx.gone.example", End::Clear),
        // At another host nothing has changed.
        (0, "half.example", "mx1.half.example", End::SoftFailed),
        (0, "half.example", "mx2.half.example", End::SoftFailed),
        (0, "half.example", "mx1.half.example", End::Clear),
        // Not asked for here, whatever is published there.
        (0, "waived.example", "mx.waived.example", End::SoftFailed),
        (0, "waived.example", "mx.waived.example", End::Waived),
        (0, "again.example", "mx.again.example", End::Clear),
        (0, "again.example", "mx.again.example", End::SoftFailed),
    ];
    let scene = Scene::new(&[], &deliveries).await;
    let report = scene.ask(question(1, View::SoftFail)).await;
    let found: Vec<(&str, bool)> = report
        .rows
        .iter()
        .map(|item| match item {
            Item::SoftFailed(case) => (case.domain.as_str(), case.withdrawn),
            Item::Row(row) => panic!("{row:?}"),
        })
        .collect();
    let expected = [
        ("half.example", false),
        ("again.example", false),
        ("waived.example", false),
        ("gone.example", true),
    ];
    assert_eq!(found, expected);
    scene.spool.close().await.unwrap();
}

#[tokio::test]
async fn internal_domains_added_later_are_told_apart_where_the_details_are() {
    let scene = Scene::new(&[], &TRAFFIC).await;
    let report = scene.ask(question(2, View::Overview)).await;
    assert_eq!(report.head.internal.deliveries(), 1);
    assert_eq!(report.head.total.deliveries(), 5);
    scene.spool.close().await.unwrap();
}

#[tokio::test]
async fn what_enforcing_would_have_cost_and_whether_it_has_healed() {
    let deliveries = [
        (0, "healed.example", "mx.a.example", End::SoftFailed),
        (0, "healed.example", "mx.a.example", End::Dane),
        (0, "broken.example", "mx.b.example", End::Dane),
        (0, "broken.example", "mx.b.example", End::SoftFailed),
        (0, "broken.example", "mx.c.example", End::SoftFailed),
        (0, "good.example", "mx.a.example", End::Dane),
        (0, "own.example", "mx.b.example", End::SoftFailed),
    ];
    let scene = Scene::new(&[], &deliveries).await;
    let report = scene.ask(question(1, View::SoftFail)).await;
    let cause = |deliveries| format!("[CauseCount {{ cause: TlsaNoMatch, deliveries: {deliveries} }}]");
    let expected = [
        format!("broken.example 2 of 3 {} healed false", cause(2)),
        format!("healed.example 1 of 2 {} healed true", cause(1)),
    ];
    assert_eq!(rows(&report), expected);
    let Item::SoftFailed(broken) = &report.rows[0] else {
        panic!("a domain with soft-fails");
    };
    assert_eq!(broken.hosts, ["mx.b.example", "mx.c.example"]);
    let second = |seconds: i64| -> Timestamp { now() + seconds.seconds() };
    assert_eq!((broken.last, broken.last_verified), (second(4), Some(second(2))));
    assert_eq!(report.head.total.soft_failed, 3);
    scene.spool.close().await.unwrap();
}

/// Each as `cause: count`.
fn causes(counts: &[CauseCount]) -> Vec<String> {
    let shown = counts
        .iter()
        .map(|one| format!("{}: {}", one.cause, one.deliveries));
    shown.collect()
}

const PROTECTED: [Delivery<'_>; 12] = [
    (0, "good.example", "mx.good.example", End::Dane),
    (
        0,
        "mended.example",
        "mx.mended.example",
        End::Stopped(CauseKind::TlsaNoMatch),
    ),
    (
        1,
        "mended.example",
        "mx.mended.example",
        End::Stopped(CauseKind::TlsaNoMatch),
    ),
    (1, "mended.example", "mx.mended.example", End::Dane),
    (
        40,
        "stripped.example",
        "mx.stripped.example",
        End::Stopped(CauseKind::StarttlsNotOffered),
    ),
    (41, "lost.example", "mx1.lost.example", End::Returned),
    (41, "lost.example", "mx1.lost.example", End::Dane),
    // Neither is DANE's: nobody could have delivered that, and the second was delivered.
    (41, "away.example", "", End::Stopped(CauseKind::MxLookup)),
    (41, "late.example", "mx.late.example", End::Deferred),
    (41, "soft.example", "mx.soft.example", End::SoftFailed),
    (
        41,
        "own.example",
        "mx.own.example",
        End::Stopped(CauseKind::TlsaNoMatch),
    ),
    (99, "good.example", "mx.good.example", End::Dane),
];

fn scope(from: i64, to: i64) -> Scope {
    Scope {
        period: Period {
            from: first() + from.days(),
            to: first() + to.days(),
        },
        internal: Internal::Exclude,
        internal_domains: vec!["own.example".parse().unwrap()],
    }
}

#[tokio::test]
async fn what_dane_did_month_by_month() {
    let scene = Scene::new(&["own.example"], &PROTECTED).await;
    let found = protection(&scene.spool, scope(0, 60)).await.unwrap();
    let months: Vec<_> = found
        .months
        .iter()
        .map(|month| {
            let (outcomes, dane) = (&month.outcomes, &month.outcomes.dane);
            let counts = (sum(&dane.stopped), sum(&dane.returned), sum(&dane.passed));
            (&*month.name, outcomes.traffic.by_dane(), counts)
        })
        .collect();
    assert_eq!(months, [("2026-03", 2, (2, 0, 0)), ("2026-04", 1, (1, 1, 1))]);
    let dane = &found.total.dane;
    assert_eq!(
        causes(&dane.stopped),
        ["No matching TLSA RRs: 2", "STARTTLS not offered: 1"]
    );
    assert_eq!(causes(&dane.passed), ["No matching TLSA RRs: 1"]);
    assert_eq!((found.total.expired, found.total.bounced), (1, 0));
    let domains = &found.domains;
    assert_eq!(
        (domains.all, domains.verified, domains.stopped, domains.healed),
        (4, 3, 3, 2)
    );
    let worst: Vec<_> = domains
        .worst
        .iter()
        .map(|one| (&*one.domain, one.failures.count(), one.healed, &*one.hosts))
        .collect();
    let host = |name: &str| vec![name.to_owned()];
    assert_eq!(
        worst,
        [
            ("mended.example", 2, true, &*host("mx.mended.example")),
            ("stripped.example", 1, false, &*host("mx.stripped.example")),
            ("lost.example", 1, true, &*host("mx1.lost.example")),
        ]
    );
    // A month without mail is there all the same.
    let found = protection(&scene.spool, scope(60, 99)).await.unwrap();
    let months: Vec<_> = found
        .months
        .iter()
        .map(|month| (&*month.name, month.outcomes.traffic.by_dane()))
        .collect();
    assert_eq!(months, [("2026-04", 0), ("2026-05", 0), ("2026-06", 1)]);
    let text = serde_json::to_string(&found).unwrap();
    assert_eq!(serde_json::from_str::<Protection>(&text).unwrap(), found);
    scene.spool.close().await.unwrap();
}

#[tokio::test]
async fn of_many_domains_only_the_worst_are_named() {
    let names: Vec<String> = (0..100).map(|number| format!("d{number:02}.example")).collect();
    let once = names
        .iter()
        .map(|name| (0, &**name, "mx.example", End::Stopped(CauseKind::TlsaNoMatch)));
    let again = names.iter().skip(30).step_by(3).map(|name| {
        let cause = CauseKind::DaneExpired;
        (0, &**name, "mx.example", End::Stopped(cause))
    });
    let deliveries: Vec<Delivery<'_>> = once.chain(again).collect();
    let scene = Scene::new(&[], &deliveries).await;
    let found = protection(&scene.spool, scope(0, 0)).await.unwrap();
    assert_eq!(found.domains.stopped, 100);
    assert_eq!(found.domains.worst.len(), 20);
    assert!(found.domains.worst.iter().all(|one| one.failures.count() == 2));
    scene.spool.close().await.unwrap();
}

#[tokio::test]
async fn a_day_beside_the_one_before() {
    let scene = Scene::new(&["own.example"], &PROTECTED).await;
    let found = daily(&scene.spool, scope(41, 41)).await.unwrap();
    let (now, before) = (&found.outcomes, &found.before);
    assert_eq!(
        (now.traffic.deliveries(), now.traffic.failed, now.expired),
        (3, 1, 1)
    );
    assert_eq!((before.traffic.deliveries(), before.traffic.deferred), (0, 1));
    assert_eq!(causes(&now.deferred), ["MX lookup: failed: 1", "timed out: 1"]);
    assert_eq!(causes(&now.returned), ["No matching TLSA RRs: 1"]);
    let names =
        |rows: &[DomainTraffic]| -> Vec<String> { rows.iter().map(|row| row.domain.clone()).collect() };
    assert_eq!(names(&found.busiest), ["lost.example", "soft.example"]);
    assert_eq!(names(&found.waiting), ["away.example", "late.example"]);
    assert_eq!(now.traffic.domains, Some(2));
    scene.spool.close().await.unwrap();
}

#[test]
fn a_report_can_be_sent_and_read() {
    let report = Report {
        head: Head {
            period: question(2, View::Overview).period,
            before: None,
            total: Traffic::default(),
            total_before: None,
            internal: Traffic::default(),
            unreadable: 0,
            unnamed: 0,
            row_count: 2,
        },
        rows: vec![
            Item::Row(Row {
                period: None,
                name: Some("a".to_owned()),
                traffic: Traffic::default(),
                before: Some(Traffic::default()),
            }),
            Item::SoftFailed(SoftFailed {
                domain: "a.example".to_owned(),
                deliveries: 1,
                of: 2,
                causes: Vec::new(),
                hosts: Vec::new(),
                last: now(),
                last_verified: None,
                healed: false,
                withdrawn: true,
            }),
        ],
    };
    for item in &report.rows {
        let text = serde_json::to_string(item).unwrap();
        assert_eq!(&serde_json::from_str::<Item>(&text).unwrap(), item);
    }
    let head = serde_json::to_string(&report.head).unwrap();
    assert_eq!(serde_json::from_str::<Head>(&head).unwrap(), report.head);
}
