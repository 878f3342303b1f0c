//! Results, given to a tlsrpt-collectd: the program that collects those of Postfix.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;

use danerelay_tests::process::{Daemon, run};
use danerelay_tests::wait;
use mail::{TlsPolicy, TlsResult};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tlsrpt::collectd::{End, PolicyResult, datagram};

use crate::cases::{RESULTS, domain, failure};
use crate::judge::{PYTHON, packages};

const RECORD: &str = "v=TLSRPTv1;rua=mailto:reports@example.org";

/// One of the programs of the package, with its database in this directory.
fn program(packages: &Path, name: &str, directory: &Path) -> Command {
    let mut command = Command::new(PYTHON);
    command
        .env("PYTHONPATH", packages)
        .arg("-m")
        .arg(format!("tlsrpt_reporter.{name}"))
        .arg("--storage")
        .arg(format!("sqlite://{}", directory.join("results.sqlite").display()));
    command
}

#[test]
fn a_collector_counts_what_it_is_given() {
    let Some(packages) = packages() else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("socket");
    let log = directory.path().join("log");
    let mut collectd = program(&packages, "tlsrpt_collectd", directory.path());
    collectd
        .arg("--socketname")
        .arg(&socket)
        .args(["--sockettimeout", "1", "--log_level", "debug"]);
    let collectd = Daemon::start(&mut collectd, &log);
    let client = UnixDatagram::unbound().unwrap();
    wait::until("the collector", || client.connect(&socket).ok());

    let destination = domain("bücher.example");
    let tlsa = TlsPolicy::tlsa(domain("mx1.bücher.example"), ["3 1 1 ab".to_owned()]);
    let sts = TlsPolicy::sts(
        destination.clone(),
        ["version: STSv1".to_owned()],
        ["*.bücher.example".to_owned()],
    );
    let none = TlsPolicy::None {
        domain: destination.clone(),
    };
    let all = RESULTS.map(failure);
    let once = [failure(TlsResult::ValidationFailure)];
    let result = |policy, failures, end| PolicyResult {
        policy,
        failures,
        end,
    };
    for results in [
        vec![
            result(&tlsa, &all[..], End::Failed),
            result(&sts, &[][..], End::Met),
        ],
        vec![result(&tlsa, &once[..], End::Met)],
        vec![result(&none, &[][..], End::Met)],
    ] {
        let octets = datagram(&destination, RECORD, &results).unwrap();
        client.send(&octets).unwrap();
    }

    // It takes the end of the day as come when it is told so; what it has is then that of the day before.
    let committed = || {
        std::fs::read_to_string(&log)
            .unwrap()
            .contains("(3 total)")
            .then_some(())
    };
    wait::until("the collector to store it", committed);
    let pid = Pid::from_raw(i32::try_from(collectd.id()).unwrap()).unwrap();
    kill_process(pid, Signal::USR2).unwrap();
    let yesterdays = directory.path().join("results.sqlite.yesterday");
    wait::until("the end of the day", || yesterdays.exists().then_some(()));
    let yesterday = jiff::Timestamp::now()
        .to_zoned(jiff::tz::TimeZone::UTC)
        .date()
        .yesterday()
        .unwrap();
    let mut fetcher = program(&packages, "tlsrpt_fetcher", directory.path());
    let found = run(fetcher.arg(yesterday.to_string()).arg("xn--bcher-kva.example"));
    let found: Value = serde_json::from_str(&found).unwrap();
    let policies = found["policies"][RECORD].as_object().unwrap();
    let of = |kind: u64| {
        let is_it = |(name, _): &(&String, &Value)| {
            let policy: Value = serde_json::from_str(name).unwrap();
            policy["policy-type"] == kind
        };
        policies.iter().find(is_it).unwrap()
    };
    let (policy, counted) = of(1);
    let policy: Value = serde_json::from_str(policy).unwrap();
    assert_eq!(policy["policy-domain"], "mx1.xn--bcher-kva.example");
    assert_eq!(policy["policy-string"], serde_json::json!(["3 1 1 ab"]));
    assert_eq!(
        (&counted["cntrtotal"], &counted["cntrfailure"]),
        (&2.into(), &1.into())
    );
    let failures = counted["failures"].as_object().unwrap();
    assert_eq!(failures.len(), RESULTS.len());
    assert_eq!(
        failures
            .values()
            .map(|count| count.as_u64().unwrap())
            .sum::<u64>(),
        12
    );
    for kind in [2, 9] {
        let (_, counted) = of(kind);
        assert_eq!(
            (&counted["cntrtotal"], &counted["cntrfailure"]),
            (&1.into(), &0.into())
        );
    }
    let said = std::fs::read_to_string(&log).unwrap();
    for trouble in ["ERROR", "WARNING"] {
        assert!(!said.contains(trouble), "{said}");
    }
}
