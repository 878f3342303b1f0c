//! Many domains: one connection to each host, results as they come, runs that go on, and what is made of them.

use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::time::Instant;

use super::*;

/// A town in which many domains use the servers of one provider.
fn provider(domains: usize) -> (Town, Vec<Receiver>, String) {
    let mut town = Town::new();
    let first = town.identity("mx1.provider.test");
    let second = town.identity("mx2.provider.test");
    let receivers = vec![
        town.serve(1, Some(&first), &[]),
        town.serve(2, Some(&second), &[]),
    ];
    let zone = town.stage.world.domain("provider.test").signed();
    let zone = zone
        .host("mx1.provider.test", town.address(1))
        .tlsa(first.tlsa_3_1_1());
    // A trust anchor: names count, and each domain has its own.
    let zone = zone
        .host("mx2.provider.test", town.address(2))
        .tlsa(second.tlsa_2_1_1());
    zone.add().unwrap();
    let mut list = "# ours\n".to_owned();
    // In small zones: the world makes the denials of a zone from all of its names.
    for first in (0..domains).step_by(50) {
        let zone = format!("z{first}.test");
        let mut described = town.stage.world.domain(&zone).signed();
        for number in first..(first + 50).min(domains) {
            let name = format!("d{number}.{zone}");
            for record in ["10 mx1.provider.test.", "20 mx2.provider.test."] {
                described = described.record(&name, RecordType::MX, record);
            }
            let _ = writeln!(list, "{name}");
        }
        described.add().unwrap();
    }
    (town, receivers, list)
}

#[test]
fn a_thousand_domains_of_a_provider_connect_once_to_each_host() {
    let (town, receivers, list) = provider(1000);
    let list = town.stage.write("list", &list);
    let end = town.check(&["--file", &list, "--json"]);
    assert_eq!(
        (end.status, end.stdout.lines().count()),
        (0, 1000),
        "{}{:#?}",
        end.stderr,
        end.stdout
            .lines()
            .filter(|line| !line.contains("\"verdict\":\"secure\""))
            .collect::<Vec<_>>()
    );
    for line in end.stdout.lines() {
        let seen: Value = serde_json::from_str(line).unwrap();
        assert_eq!(seen["verdict"], "secure", "{seen:#}");
        assert_eq!(seen["hosts"].as_array().unwrap().len(), 2);
    }
    for receiver in receivers {
        let connections = receiver.connections();
        assert_eq!((connections.len(), receiver.count_of("QUIT")), (1, 1));
    }
}

#[test]
fn an_interrupted_run_goes_on_where_it_ended() {
    let (mut town, receivers, mut list) = provider(12);
    town.usual("stale.test", 3, &[MailFault::NoStartTls]);
    list.push_str("stale.test\nno domain\n");
    let list = town.stage.write("list", &list);
    let results = text_of(&town, "results.json");
    let whole = town.check(&["--file", &list, "--resume", &results]);
    assert_eq!(whole.status, 1, "{}", whole.stderr);
    assert!(whole.stderr.contains("list:15: skipped"), "{}", whole.stderr);
    assert!(
        whole
            .stdout
            .contains("13 domains\n  secure            12  92.3 %\n"),
        "{}",
        whole.stdout
    );
    assert!(
        whole
            .stdout
            .contains("provider.test                         12  100.0 %     0.0 %   0.0 %\n"),
        "{}",
        whole.stdout
    );
    let before = receivers[0].connections().len();
    // It was torn in the middle of a line.
    let text = std::fs::read_to_string(&results).unwrap();
    std::fs::write(&results, text.get(..text.len() - 100).unwrap()).unwrap();
    let again = town.check(&["--file", &list, "--resume", &results]);
    let checked = again.stdout.lines().take_while(|line| !line.is_empty()).count();
    assert_eq!(checked, 1, "{}", again.stdout);
    assert!(again.stdout.contains("13 domains\n"), "{}", again.stdout);
    // A look at one of them, with its further handshakes.
    assert!(receivers[0].connections().len() <= before + 10);
    let domains: Vec<Value> = std::fs::read_to_string(&results)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["domain"].clone())
        .collect();
    assert_eq!(domains.len(), 13, "{domains:?}");
}

fn text_of(town: &Town, name: &str) -> String {
    crate::text_of(&town.stage.path(name))
}

#[test]
fn what_has_changed_is_told_to_people_browsers_and_monitors() {
    let mut town = Town::new();
    let (receiver, _) = town.usual("own.test", 1, &[]);
    town.domain("plain.test", 1, &[]);
    let old = town
        .check(&["own.test", "plain.test", "gone.test", "--json"])
        .stdout;
    let old = town.stage.write("old.json", &old);
    let good = town.check(&["own.test", "--nagios"]);
    assert_eq!(
        (good.status, good.stdout.as_str()),
        (
            0,
            "DANE OK - 1 domain as it should be|secure=1 insecure=0 broken=0 unreachable=0 no-mail=0\n"
        )
    );
    receiver.set_faults(vec![MailFault::NoStartTls]);
    let (page, figures) = (text_of(&town, "page.html"), text_of(&town, "dane.prom"));
    let end = town.check(&[
        "own.test",
        "plain.test",
        "--compare",
        &old,
        "--html",
        &page,
        "--openmetrics",
        &figures,
        "--quiet",
    ]);
    assert_eq!(end.status, 1, "{}", end.stderr);
    assert!(
        end.stdout
            .contains("own.test: secure -> broken\n  + no-starttls at mx.own.test\n"),
        "{}",
        end.stdout
    );
    assert!(
        end.stdout.contains("gone.test: not checked any more\n"),
        "{}",
        end.stdout
    );
    let page = std::fs::read_to_string(page).unwrap();
    for words in [
        "<span class=\"v secure\">secure</span> → <span class=\"v broken\">broken</span>",
        "<td>plain.test</td><td><span class=\"v insecure\">insecure</span></td>",
        "+ no-starttls",
    ] {
        assert!(page.contains(words), "{words}\n{page}");
    }
    assert!(!page.contains("http"), "{page}");
    let figures = std::fs::read_to_string(figures).unwrap();
    for words in [
        "danerelay_check_verdict{domain=\"own.test\",verdict=\"broken\"} 1\n",
        "danerelay_check_verdict{domain=\"own.test\",verdict=\"secure\"} 0\n",
        "danerelay_check_findings{domain=\"own.test\",severity=\"error\"} 1\n",
        "danerelay_check_signature_expiry_timestamp_seconds{domain=\"own.test\"} ",
        "# EOF\n",
    ] {
        assert!(figures.contains(words), "{words}\n{figures}");
    }
    let bad = town.check(&["own.test", "--nagios"]);
    assert_eq!(bad.status, 2);
    assert!(
        bad.stdout
            .starts_with("DANE CRITICAL - own.test is broken: mx.own.test: STARTTLS is not offered"),
        "{}",
        bad.stdout
    );
    assert_eq!(town.check(&["plain.test", "--nagios"]).status, 1);
    let wrong = town.check(&["own.test", "--compare", &text_of(&town, "danerelay.toml")]);
    assert_eq!(wrong.status, 2);
    assert!(
        wrong
            .stderr
            .contains("danerelay.toml:1: not a line that `danerelay check --json` printed")
    );
}

#[test]
fn a_file_of_somebody_else_is_left_as_it_is() {
    let mut town = Town::new();
    town.usual("good.test", 1, &[]);
    let precious = town.stage.write("precious", "my only copy");
    let end = town.check(&["good.test", "--resume", &precious]);
    assert_eq!(end.status, 2, "{}", end.stdout);
    assert!(end.stderr.contains("it is left as it is"), "{}", end.stderr);
    assert_eq!(std::fs::read_to_string(&precious).unwrap(), "my only copy");
    // A tear may also be in the middle of a character.
    std::fs::write(&precious, b"{\"version\":1,\"text\":\"\xe2\x80").unwrap();
    assert_eq!(town.check(&["good.test", "--resume", &precious]).status, 0);
    let results = std::fs::read_to_string(&precious).unwrap();
    assert!(
        results.starts_with("{\"version\":1,\"domain\":\"good.test\""),
        "{results}"
    );
}

#[test]
fn what_was_not_checked_is_not_good() {
    let mut town = Town::new();
    town.usual("good.test", 1, &[]);
    let none = town.stage.write("none", "no domain\n");
    assert_eq!(town.check(&["--file", &none]).status, 2);
    let some = town.stage.write("some", "good.test\nno domain\n");
    assert_eq!(town.check(&["--file", &some]).status, 2);
    let nagios = town.check(&["--file", &some, "--nagios"]);
    assert_eq!(
        (nagios.status, nagios.stdout.starts_with("DANE UNKNOWN")),
        (3, true)
    );
    // What did not exist before the interruption does not exist after it.
    let results = text_of(&town, "results.json");
    for _ in 0..2 {
        let end = town.check(&["missing.test", "good.test", "--resume", &results]);
        assert_eq!(end.status, 1, "{}", end.stdout);
    }
}

#[test]
fn results_of_another_manner_are_not_taken_over_and_not_compared() {
    let mut town = Town::new();
    let own = town.identity("mx.wrong.test");
    town.serve(1, Some(&own), &[]);
    town.domain("wrong.test", 1, &[format!("3 1 1 {}", "29c8601c".repeat(8))]);
    town.usual("good.test", 2, &[]);
    let results = text_of(&town, "results.json");
    let by_dns = town.check(&["wrong.test", "--no-connect", "--resume", &results]);
    assert_eq!(by_dns.status, 0, "{}", by_dns.stdout);
    let unlike = town.check(&["wrong.test", "--compare", &results, "--quiet"]);
    assert!(
        unlike.stdout.contains("1 domain not compared"),
        "{}",
        unlike.stdout
    );
    assert!(!unlike.stdout.contains("->"), "{}", unlike.stdout);
    let end = town.check(&["wrong.test", "--resume", &results]);
    assert_eq!(end.status, 1, "{}", end.stdout);
    // Of another number of days other warnings are made.
    let end = town.check(&["wrong.test", "--resume", &results, "--days", "30"]);
    assert!(!end.stderr.contains("are taken from there"), "{}", end.stderr);
    // What is known of others is nobody's business now.
    let end = town.check(&["good.test", "--resume", &results]);
    assert_eq!(end.status, 0, "{}", end.stdout);
    let again = town.check(&["good.test", "--resume", &results, "--nagios"]);
    assert_eq!(again.status, 0, "{}", again.stdout);
    assert!(
        again.stderr.contains("1 results are taken from there"),
        "{}",
        again.stderr
    );
}

#[test]
fn monitors_are_told_in_their_way_that_nothing_is_known() {
    let town = Town::new();
    let missing = text_of(&town, "missing");
    let end = town.check(&["--file", &missing, "--nagios"]);
    assert_eq!(end.status, 3);
    assert!(end.stdout.starts_with("DANE UNKNOWN - "), "{}", end.stdout);
    let page = text_of(&town, "no/directory/page.html");
    let end = town.check(&["good.test", "--html", &page]);
    assert_eq!((end.status, end.stdout.as_str()), (1, ""), "{}", end.stderr);
}

#[test]
fn monitors_are_told_of_a_wrong_command_line_and_of_the_end_of_the_time() {
    let town = Town::new();
    for (wrong, words) in [
        (
            &["good.test", "--bogus"][..],
            "unexpected argument '--bogus' found",
        ),
        (&["not..a.domain"], "'not..a.domain' for '[DOMAIN]...'"),
        (&[], "not provided: <DOMAIN>..."),
    ] {
        let end = town.check(&[wrong, &["--nagios"]].concat());
        assert_eq!((end.status, end.stderr.as_str()), (3, ""), "{}", end.stdout);
        assert!(end.stdout.starts_with("DANE UNKNOWN - "), "{}", end.stdout);
        assert!(end.stdout.contains(words), "{}", end.stdout);
        assert_eq!(end.stdout.lines().count(), 1, "{}", end.stdout);
    }
    // For people it is as with every command.
    let end = town.check(&["good.test", "--bogus"]);
    assert_eq!((end.status, end.stdout.as_str()), (2, ""), "{}", end.stderr);
    assert!(end.stderr.contains("Usage: "), "{}", end.stderr);
    let end = town.check(&["--nagios", "--help"]);
    assert_eq!(end.status, 0, "{}", end.stderr);
    // A resolver that never answers.
    let all = Questions::Below(".".to_owned());
    town.stage.world.break_dns(&all, DnsFault::Silence).unwrap();
    let end = town.check(&["good.test", "--nagios", "--deadline", "1"]);
    assert_eq!(
        (end.status, end.stdout.as_str()),
        (3, "DANE UNKNOWN - not all of the list could be checked\n"),
        "{}",
        end.stderr
    );
    assert!(
        end.stderr.contains("not all could be checked within 1 s"),
        "{}",
        end.stderr
    );
}

#[test]
fn two_runs_do_not_write_to_the_same_results() {
    let mut town = Town::new();
    town.usual("good.test", 1, &[]);
    let results = text_of(&town, "results.json");
    let held = std::fs::File::create(&results).unwrap();
    held.lock().unwrap();
    let end = town.check(&["good.test", "--resume", &results]);
    assert_eq!((end.status, end.stdout.as_str()), (1, ""), "{}", end.stderr);
    assert!(
        end.stderr.contains("another check writes to it"),
        "{}",
        end.stderr
    );
    assert_eq!(std::fs::read_to_string(&results).unwrap(), "");
    held.unlock().unwrap();
    let end = town.check(&["good.test", "--resume", &results]);
    assert_eq!(end.status, 0, "{}", end.stderr);
}

/// Providers that have a host name for each of their customers.
#[test]
fn host_names_at_one_address_share_a_connection() {
    let mut town = Town::new();
    let shared = town.ca.issue(&["*.provider.test"]).unwrap();
    let receiver = town.serve(1, Some(&shared), &[]);
    let mut zone = town.stage.world.domain("provider.test").signed();
    for number in 0..12 {
        zone = zone.host(&format!("c{number}.provider.test"), town.address(1));
    }
    zone.add().unwrap();
    let mut list = String::new();
    for number in 0..120 {
        let (name, host) = (
            format!("d{number}.test"),
            format!("10 c{}.provider.test.", number % 12),
        );
        town.stage.world.add(&name, RecordType::MX, &host).unwrap();
        let _ = writeln!(list, "{name}");
    }
    let list = town.stage.write("list", &list);
    let end = town.check(&["--file", &list, "--json"]);
    assert_eq!(
        (end.status, end.stdout.lines().count()),
        (1, 120),
        "{}",
        end.stderr
    );
    assert_eq!(receiver.connections().len(), 1);
}

/// A world for [`a_hundred_thousand_domains`]: so many domains, a hundred in a zone, at so many hosts.
struct Country {
    stage: Stage,
    receivers: Vec<Receiver>,
    list: String,
}

impl Country {
    fn new(domains: usize, hosts: usize) -> Self {
        let addresses: Vec<IpAddr> = (0..hosts)
            .map(|host| {
                IpAddr::from([
                    127,
                    0,
                    5 + u8::try_from(host / 200).unwrap(),
                    u8::try_from(host % 200).unwrap() + 1,
                ])
            })
            .collect();
        let port = free_port_on(&addresses).unwrap();
        let stage = Stage::new(&format!("port = {port}\n"));
        stage.world.set_ttl(3600);
        let ca = Ca::new("Test CA").unwrap();
        let mut receivers = Vec::new();
        for (number, address) in addresses.iter().enumerate() {
            let (zone, name) = (format!("p{number}.test"), format!("mx.p{number}.test"));
            let identity = ca.issue(&[&*name]).unwrap();
            let socket = SocketAddr::new(*address, port);
            let builder = Receiver::builder(&name).address(socket).identity(&identity);
            receivers.push(stage.runtime.block_on(builder.start()).unwrap());
            let zone = stage.world.domain(&zone).signed();
            zone.host(&name, socket)
                .tlsa(identity.tlsa_3_1_1())
                .add()
                .unwrap();
        }
        let mut list = String::new();
        for first in (0..domains).step_by(100) {
            let zone = format!("z{first}.test");
            let mut described = stage.world.domain(&zone).signed();
            for number in first..(first + 100).min(domains) {
                let name = format!("d{number}.{zone}");
                for (preference, host) in [(10, number % hosts), (20, (number / 7) % hosts)] {
                    let record = format!("{preference} mx.p{host}.test.");
                    described = described.record(&name, RecordType::MX, &record);
                }
                let _ = writeln!(list, "{name}");
            }
            described.add().unwrap();
        }
        Self {
            stage,
            receivers,
            list,
        }
    }
}

/// Prints domains a second, connections for each host, questions for each domain, and the memory of the program while it runs. In
/// release: `cargo test --release -p danerelay --test looking a_hundred_thousand_domains -- --ignored --nocapture`; DOMAINS, HOSTS
/// and RATE change the numbers.
#[test]
#[ignore = "measures for minutes"]
fn a_hundred_thousand_domains() {
    let number = |name: &str, usual: usize| std::env::var(name).map_or(usual, |text| text.parse().unwrap());
    let (domains, hosts, rate) = (
        number("DOMAINS", 100_000),
        number("HOSTS", 300),
        number("RATE", 1000),
    );
    let country = Country::new(domains, hosts);
    let stage = &country.stage;
    let (list, results) = (stage.write("list", &country.list), stage.path("results.json"));
    let begun = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_danerelay"))
        .args([
            "--config",
            &crate::text_of(&stage.path("danerelay.toml")),
            "check",
        ])
        .args(["--file", &list, "--resume", &crate::text_of(&results)])
        .args([
            "--html",
            &crate::text_of(&stage.path("page.html")),
            "--rate",
            &rate.to_string(),
        ])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let (mut questions, mut most) = (0, 0);
    let ended = loop {
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        std::thread::sleep(Duration::from_secs(1));
        questions += stage.world.queries().len();
        stage.world.clear_queries();
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let size = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let size: usize = size.map_or(0, |size| size.trim().trim_end_matches(" kB").parse().unwrap());
        most = most.max(size);
        let seconds = begun.elapsed().as_secs();
        if seconds.is_multiple_of(20) {
            println!("{seconds} s: {} MB", size / 1024);
        }
    };
    let millis = usize::try_from(begun.elapsed().as_millis()).unwrap();
    let connections: Vec<usize> = country
        .receivers
        .iter()
        .map(|one| one.connections().len())
        .collect();
    println!(
        "{domains} domains in {} s, {} a second",
        millis / 1000,
        domains * 1000 / millis
    );
    println!(
        "connections for each of {hosts} hosts: {} to {}",
        connections.iter().min().unwrap(),
        connections.iter().max().unwrap()
    );
    println!("questions for each ten domains: {}", questions * 10 / domains);
    println!("memory: {} MB at most", most / 1024);
    let lines = std::fs::read_to_string(&results).unwrap().lines().count();
    assert_eq!((ended.code(), lines), (Some(0), domains));
    assert_eq!(connections.iter().max(), Some(&1));
}
