//! The decision table, enumerated whole into `tests/golden/decision.txt`: one line a case, or a group of cases that are
//! decided alike. A changed line is a changed decision. After a change that is meant, `UPDATE_GOLDEN=1 cargo test -p policy --test decision` writes it anew.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fmt::Write as _;

use mail::{LookupFailure, Security};
use policy::decision::{Action, Decision, HostDecision, decide};
use policy::facts::{
    Addresses, Destination, DomainMtaSts, Facts, Host, HostFindings, MessageTls, MtaSts, Tlsa, Wanted,
};
use policy::failure::{Failure, Finality};
use policy::settings::{DaneMode, ExceptionEntry, HostPolicy, InsecureMx, Limits, ModeSource, TlsFloor};

const MODES: [DaneMode; 4] = [
    DaneMode::Off,
    DaneMode::SoftFail,
    DaneMode::Opportunistic,
    DaneMode::Strict,
];
const FLOORS: [TlsFloor; 4] = [TlsFloor::Off, TlsFloor::May, TlsFloor::Encrypt, TlsFloor::Verify];
const SECURITIES: [Security; 2] = [Security::Secure, Security::Insecure];
const POLICIES: [Option<MtaSts>; 4] = [
    None,
    Some(MtaSts::Testing),
    Some(MtaSts::EnforceMatch),
    Some(MtaSts::EnforceMismatch),
];

fn failures() -> Vec<LookupFailure> {
    vec![LookupFailure::Bogus, LookupFailure::Servfail]
}

/// Every finding about a host, by its row.
fn findings() -> Vec<(String, HostFindings)> {
    let mut rows = vec![("D9 address as a name".to_owned(), HostFindings::AddressName)];
    let mut named = |row: String, addresses: Addresses, tlsa: Tlsa| {
        rows.push((row, HostFindings::Named { addresses, tlsa }));
    };
    for failure in failures() {
        named(
            format!("H1 addresses {failure}"),
            Addresses::Unresolvable(failure.into()),
            Tlsa::NotAsked,
        );
    }
    for security in SECURITIES {
        named(
            format!("H2 no addresses, {security}"),
            Addresses::Absent(security),
            Tlsa::NotAsked,
        );
        named(
            format!("D8a ignored addresses, {security}"),
            Addresses::Ignored(security),
            Tlsa::NotAsked,
        );
    }
    named(
        "H2 other family".to_owned(),
        Addresses::OtherFamily,
        Tlsa::NotAsked,
    );
    named("H3 insecure".to_owned(), Addresses::Insecure, Tlsa::NotAsked);
    for (row, addresses) in [
        ("H4/H6 secure", Addresses::Secure),
        ("H5 secure alias", Addresses::SecureAlias),
    ] {
        for failure in failures() {
            named(
                format!("{row}, T1 TLSA {failure}"),
                addresses.clone(),
                Tlsa::LookupFailed(failure.into()),
            );
        }
        named(format!("{row}, T2 none"), addresses.clone(), Tlsa::Absent);
        named(
            format!("{row}, T3 none usable"),
            addresses.clone(),
            Tlsa::Unusable,
        );
        named(format!("{row}, T4 usable"), addresses.clone(), Tlsa::Usable);
        named(format!("{row}, TLSA not asked"), addresses, Tlsa::NotAsked);
    }
    rows
}

fn host(mode: DaneMode, findings: HostFindings, mta_sts: Option<MtaSts>) -> Host {
    Host {
        policy: HostPolicy {
            dane: mode,
            dane_source: ModeSource::Default,
            limits: Limits::default(),
        },
        findings,
        mta_sts,
    }
}

fn facts(dane: DaneMode, insecure_mx: InsecureMx, tls: TlsFloor, destination: Destination) -> Facts {
    Facts {
        wanted: Wanted {
            dane,
            insecure_mx,
            tls,
            is_route: false,
        },
        message: MessageTls::Usual,
        mta_sts: DomainMtaSts::Absent,
        destination,
    }
}

/// The destination's policy that gives a host this fact.
fn of_domain(mta_sts: Option<MtaSts>) -> DomainMtaSts {
    match mta_sts {
        None => DomainMtaSts::Absent,
        Some(MtaSts::Testing) => DomainMtaSts::Testing,
        Some(MtaSts::EnforceMatch | MtaSts::EnforceMismatch) => DomainMtaSts::Enforce,
    }
}

/// The same case under each floor, joined where the floor changes nothing.
fn under_each_floor(describe: impl Fn(TlsFloor) -> String) -> String {
    let cells = FLOORS.map(describe);
    if cells.iter().all(|cell| *cell == cells[0]) {
        return cells[0].clone();
    }
    FLOORS
        .iter()
        .zip(cells)
        .map(|(floor, cell)| format!("[tls={floor}] {cell}"))
        .collect::<Vec<_>>()
        .join(" ")
}

fn describe(decision: &Decision) -> String {
    match decision {
        Decision::Stop(failure, _) | Decision::PassOver(failure, _) => format!("stop: {}", failed(failure)),
        Decision::Try(hosts) => {
            let hosts = hosts.iter().map(|one| describe_host(&one.decision));
            hosts.collect::<Vec<_>>().join(", ")
        }
    }
}

fn describe_host(host: &HostDecision) -> String {
    let first = match &host.action {
        Action::Connect { requirement, verdict } => format!("{requirement:?} → {verdict}"),
        Action::PassOver(failure) => format!("pass over: {}", failed(failure)),
    };
    match host.soft_fail {
        Some(requirement) => format!("{first}; then {requirement:?}"),
        None => first,
    }
}

fn failed(failure: &Failure) -> String {
    let word = match failure.finality() {
        Finality::Permanent => "fail",
        Finality::Transient | Finality::Security => "defer",
    };
    format!("{word} {} {}", failure.reported_status(), failure.verdict())
}

/// Every destination that is no list of hosts, by its row.
fn ends() -> Vec<(String, Destination)> {
    let mut rows = Vec::new();
    for failure in failures() {
        rows.push((format!("D2 MX {failure}"), Destination::MxFailed(failure.into())));
    }
    for security in SECURITIES {
        rows.push((format!("D3 null MX, {security}"), Destination::NullMx(security)));
        let missing = None;
        rows.push((
            format!("D4 NXDOMAIN, {security}"),
            Destination::NoSuchDomain { security, missing },
        ));
    }
    rows.push((
        "D11 this relay as an address literal".to_owned(),
        Destination::OwnAddress,
    ));
    for mx in SECURITIES {
        for host in SECURITIES {
            rows.push((
                format!("D11 this relay, MX {mx}, host {host}"),
                Destination::OwnMx { mx, host },
            ));
        }
    }
    rows
}

fn destination_rows(table: &mut String) {
    for mode in MODES {
        let literal = Destination::AddressLiteral(host(mode, HostFindings::AddressLiteral, None));
        for (name, destination) in [("D1 address literal".to_owned(), literal)]
            .into_iter()
            .chain(ends())
        {
            let cell = under_each_floor(|tls| {
                describe(&decide(facts(mode, InsecureMx::Dane, tls, destination.clone())))
            });
            writeln!(table, "{mode} | {name} | {cell}").unwrap();
        }
    }
}

/// How the host was found: the text, the value of `insecure_mx`, and the destination around the host.
type Found = (String, InsecureMx, fn(Host) -> Destination);

fn ways() -> Vec<Found> {
    let mut ways: Vec<Found> = vec![
        ("D6 MX secure".to_owned(), InsecureMx::Dane, |host| {
            Destination::Mx {
                security: Security::Secure,
                hosts: vec![host],
            }
        }),
        (
            "D10 configured".to_owned(),
            InsecureMx::Dane,
            Destination::Configured,
        ),
    ];
    for insecure_mx in [InsecureMx::Dane, InsecureMx::Encrypt, InsecureMx::May] {
        ways.push((
            format!("D7/D8 MX insecure, insecure_mx={insecure_mx}"),
            insecure_mx,
            |host| Destination::Mx {
                security: Security::Insecure,
                hosts: vec![host],
            },
        ));
    }
    ways
}

/// Every finding about a host, for each kind of message, mode, way to the host and MTA-STS policy. Values that make no
/// difference share a line, and `*` stands for all of them.
fn host_rows(table: &mut String) {
    for message in [
        MessageTls::Usual,
        MessageTls::Required,
        MessageTls::Waived,
        MessageTls::Exempt,
    ] {
        for (row, findings) in findings() {
            let by_mode = MODES.map(|mode| (mode.to_string(), by_way(message, mode, &findings)));
            for line in folded(by_mode) {
                writeln!(table, "{message:?} | {row} | {line}").unwrap();
            }
        }
    }
}

fn by_way(message: MessageTls, mode: DaneMode, findings: &HostFindings) -> Vec<String> {
    folded(ways().into_iter().map(|(way, insecure_mx, destination)| {
        let by_policy = policies().into_iter().map(|(sts, mta_sts, of_domain)| {
            let cell = |message| {
                under_each_floor(|tls| {
                    let destination = destination(host(mode, findings.clone(), mta_sts));
                    let facts = facts(mode, insecure_mx, tls, destination);
                    let mta_sts = of_domain;
                    describe(&decide(Facts {
                        message,
                        mta_sts,
                        ..facts
                    }))
                })
            };
            // A report waits where other mail fails, and has no rows of its own.
            let waits = cell(MessageTls::Required).replace("fail 5.7.10", "defer 4.7.10");
            assert_eq!(cell(MessageTls::RequiredOfReport), waits);
            (sts, vec![cell(message)])
        });
        let lines = folded(by_policy).into_iter();
        (way, lines.map(|line| format!("sts {line}")).collect())
    }))
}

/// The lines of each value, with the value in front.
fn folded(lines: impl IntoIterator<Item = (String, Vec<String>)>) -> Vec<String> {
    let mut groups: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    for (value, lines) in lines {
        match groups.iter_mut().find(|(_, same)| *same == lines) {
            Some((values, _)) => values.push(value),
            None => groups.push((vec![value], lines)),
        }
    }
    let is_one = groups.len() == 1;
    let lines = groups.into_iter().flat_map(|(values, lines)| {
        let values = if is_one {
            "*".to_owned()
        } else {
            values.join(" or ")
        };
        lines.into_iter().map(move |line| format!("{values} | {line}"))
    });
    lines.collect()
}

/// D rows while an MTA-STS policy is enforced, where they differ from those without one.
fn enforced_rows(table: &mut String) {
    for mode in MODES {
        for (name, destination) in ends() {
            let cell = |mta_sts| {
                under_each_floor(|tls| {
                    let facts = facts(mode, InsecureMx::Dane, tls, destination.clone());
                    describe(&decide(Facts { mta_sts, ..facts }))
                })
            };
            for mta_sts in [DomainMtaSts::Absent, DomainMtaSts::Unknown, DomainMtaSts::Testing] {
                assert_eq!(cell(mta_sts), cell(DomainMtaSts::Absent));
            }
            let enforced = cell(DomainMtaSts::Enforce);
            if enforced != cell(DomainMtaSts::Absent) {
                writeln!(table, "{mode} | {name} | sts Enforce | {enforced}").unwrap();
            }
        }
    }
}

/// What is known about a host, and about its domain.
fn policies() -> Vec<(String, Option<MtaSts>, DomainMtaSts)> {
    let known = POLICIES.map(|mta_sts| {
        let name = mta_sts.map_or("-".to_owned(), |sts| format!("{sts:?}"));
        (name, mta_sts, of_domain(mta_sts))
    });
    let unknown = ("Unknown".to_owned(), None, DomainMtaSts::Unknown);
    known.into_iter().chain([unknown]).collect()
}

#[test]
fn the_whole_table() {
    let mut table = String::new();
    destination_rows(&mut table);
    host_rows(&mut table);
    enforced_rows(&mut table);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/decision.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &table).unwrap();
    }
    let golden = std::fs::read_to_string(path).unwrap_or_default();
    for (line, (golden, now)) in golden.lines().zip(table.lines()).enumerate() {
        assert_eq!(golden, now, "tests/golden/decision.txt:{}", line + 1);
    }
    assert_eq!(golden.lines().count(), table.lines().count());
}

#[test]
fn an_implicit_mx_is_decided_like_an_mx_record() {
    for mode in MODES {
        for security in SECURITIES {
            for (row, findings) in findings() {
                let host = host(mode, findings, None);
                let decide = |destination| decide(facts(mode, InsecureMx::Dane, TlsFloor::May, destination));
                let implicit = decide(Destination::ImplicitMx {
                    security,
                    host: host.clone(),
                });
                let explicit = decide(Destination::Mx {
                    security,
                    hosts: vec![host],
                });
                assert_eq!(implicit, explicit, "{mode} {security} {row}");
            }
        }
    }
}

#[test]
fn strict_delivers_to_proven_hosts_alone() {
    let table =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/decision.txt")).unwrap();
    let is_of_strict = |line: &&str| {
        let mut cells = line.split(" | ");
        let modes = match cells.next() {
            // The relay's own TLS reports are exempt (RFC 8460 §5.3).
            Some("Exempt") | None => return false,
            Some("Usual" | "Required" | "Waived") => cells.nth(1).unwrap(),
            Some(mode) => mode,
        };
        modes == "*" || modes.split(" or ").any(|mode| mode == "strict")
    };
    let strict = table
        .lines()
        .filter(is_of_strict)
        .filter(|line| line.contains('→'));
    let mut seen = 0;
    for line in strict {
        assert!(
            line.contains("T4 usable") && line.contains("Verify (Secure TLSA RRs found)"),
            "{line}"
        );
        seen += 1;
    }
    assert!(seen > 0);
}

#[test]
fn one_outage_among_hosts_defers() {
    let hosts = |second| {
        let absent = HostFindings::Named {
            addresses: Addresses::Absent(Security::Secure),
            tlsa: Tlsa::NotAsked,
        };
        let second = HostFindings::Named {
            addresses: second,
            tlsa: Tlsa::NotAsked,
        };
        let mode = DaneMode::Opportunistic;
        let hosts = vec![host(mode, absent, None), host(mode, second, None)];
        decide(facts(
            mode,
            InsecureMx::Dane,
            TlsFloor::May,
            Destination::Mx {
                security: Security::Secure,
                hosts,
            },
        ))
    };
    let Decision::PassOver(all_absent, _) = hosts(Addresses::Absent(Security::Insecure)) else {
        panic!()
    };
    assert!(all_absent.is_permanent());
    let Decision::PassOver(one_failed, _) = hosts(Addresses::Unresolvable(LookupFailure::Timeout.into()))
    else {
        panic!()
    };
    assert!(!one_failed.is_permanent());
}

#[test]
fn an_exception_for_the_host_is_named_in_the_verdict() {
    let findings = HostFindings::Named {
        addresses: Addresses::Secure,
        tlsa: Tlsa::Usable,
    };
    let entry = ExceptionEntry {
        file: "policy.toml".into(),
        line: 12,
        until: "2027-01-31".parse().unwrap(),
        reason: "told hostmaster".into(),
    };
    let excepted = Host {
        policy: HostPolicy {
            dane: DaneMode::Off,
            dane_source: ModeSource::Exception(entry),
            limits: Limits::default(),
        },
        findings,
        mta_sts: None,
    };
    let destination = Destination::Mx {
        security: Security::Secure,
        hosts: vec![excepted],
    };
    let decision = decide(facts(
        DaneMode::Opportunistic,
        InsecureMx::Dane,
        TlsFloor::May,
        destination,
    ));
    assert_eq!(
        describe(&decision),
        "Opportunistic → Skip (Exception until 2027-01-31)"
    );
}

/// Where a published policy was not fetched for our own limits, mail neither goes on as if there were none nor bounces by
/// what may be forged; where DANE alone decides, it goes on.
#[test]
fn what_depends_on_a_policy_that_is_still_to_be_fetched_waits() {
    let (mut waits, mut goes_on) = (0, 0);
    for (_, insecure_mx, destination) in ways() {
        for (_, findings) in findings() {
            let decide = |message, mta_sts, fact| {
                let destination = destination(host(DaneMode::Opportunistic, findings.clone(), fact));
                let facts = facts(DaneMode::Opportunistic, insecure_mx, TlsFloor::May, destination);
                describe(&decide(Facts {
                    message,
                    mta_sts,
                    ..facts
                }))
            };
            let usual = |mta_sts, fact| decide(MessageTls::Usual, mta_sts, fact);
            let awaited = usual(DomainMtaSts::Awaited, None);
            if awaited == "stop: defer 4.3.2 -" {
                waits += 1;
            } else {
                goes_on += 1;
                assert_eq!(
                    awaited,
                    usual(DomainMtaSts::Enforce, Some(MtaSts::EnforceMismatch))
                );
            }
            let required = decide(MessageTls::Required, DomainMtaSts::Awaited, None);
            if destination(host(DaneMode::Opportunistic, findings.clone(), None)).mx()
                == Some(Security::Insecure)
            {
                assert!(!required.contains("fail 5."), "{required}");
            }
            let waived = decide(MessageTls::Waived, DomainMtaSts::Awaited, None);
            assert_eq!(waived, decide(MessageTls::Waived, DomainMtaSts::Absent, None));
        }
    }
    assert!(waits > 0 && goes_on > 0);
    for (name, end) in ends() {
        let facts = facts(DaneMode::Opportunistic, InsecureMx::Dane, TlsFloor::May, end);
        let cell = describe(&decide(Facts {
            mta_sts: DomainMtaSts::Awaited,
            ..facts
        }));
        assert!(
            !name.ends_with("MX, insecure") || cell.starts_with("stop: defer"),
            "{name}: {cell}"
        );
    }
}

/// A mistake in a route must not return mail that its sender addressed rightly.
#[test]
fn a_route_that_leads_nowhere_keeps_the_mail() {
    for dane in [DaneMode::Off, DaneMode::Opportunistic, DaneMode::Strict] {
        let nowhere = HostFindings::Named {
            addresses: Addresses::Absent(Security::Secure),
            tlsa: Tlsa::NotAsked,
        };
        let by_host = ways()
            .into_iter()
            .map(|(_, _, destination)| destination(host(dane, nowhere.clone(), None)));
        for destination in ends().into_iter().map(|(_, end)| end).chain(by_host) {
            let mut facts = facts(dane, InsecureMx::Dane, TlsFloor::May, destination);
            facts.wanted.is_route = true;
            let cell = describe(&decide(facts.clone()));
            let is_loop = cell == "stop: fail 5.4.6 -";
            assert!(cell.starts_with("stop: defer 4.") || is_loop, "{facts:?}: {cell}");
        }
    }
}
