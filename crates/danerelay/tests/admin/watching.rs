//! `admin.http`: metrics, health and the status page, of a relay in a played world.
#![allow(clippy::disallowed_types, reason = "the time that really passes is meant")]

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use testworld::mail::{Ca, MailFault, Stage};

use crate::common::{Client, NO_DNS, PATIENCE, Relay, configuration, prepared};
use crate::delivery::Scene;

/// A relay with these settings that can be watched, and where.
fn watched(settings: &str) -> (Relay, SocketAddr) {
    let directory = prepared("");
    let text = configuration(settings).replace("[admin]", "[admin]\nhttp = \"127.0.0.1:0\"");
    fs::write(directory.path().join("danerelay.toml"), text).unwrap();
    let relay = Relay::start_in(directory, |command| command);
    let address = address(&relay);
    (relay, address)
}

fn address(relay: &Relay) -> SocketAddr {
    let line = relay.wait_for("metrics and status page: http://");
    let (_, rest) = line.split_once("http://").unwrap();
    rest.split('/').next().unwrap().parse().unwrap()
}

/// What comes back for these octets, head and content.
fn exchange(address: SocketAddr, request: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, content) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    (head.to_owned(), content.to_owned())
}

fn ask(address: SocketAddr, method: &str, path: &str, host: &str) -> (String, String) {
    exchange(
        address,
        &format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"),
    )
}

fn get(address: SocketAddr, path: &str) -> String {
    let (head, content) = ask(address, "GET", path, "localhost");
    assert!(head.starts_with("HTTP/1.1 200 "), "{path}: {head}");
    content
}

/// The content of a path once it contains all of these: the figures are taken anew after each question.
fn wait_for(address: SocketAddr, path: &str, texts: &[&str]) -> String {
    let began = Instant::now();
    loop {
        let content = get(address, path);
        let missing: Vec<_> = texts.iter().filter(|text| !content.contains(**text)).collect();
        if missing.is_empty() {
            return content;
        }
        assert!(began.elapsed() < PATIENCE, "{missing:?} in {content}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_in_the_metrics_and_on_the_page() {
    let scene = Scene::new().await;
    let done = tokio::task::spawn_blocking(move || {
        let (relay, address) = watched(&scene.settings(""));
        relay.wait_for("status=fine");
        assert_eq!(get(address, "/healthz"), "ok\n");
        let mut client = Client::connect(relay.address);
        client.send("one@good.test");
        relay.wait_for("status=sent");
        scene
            .receiver
            .set_identity(&Ca::new("Test CA").unwrap().issue(&["mx.good.test"]).unwrap());
        relay.print(&["flush", "--all"]);
        client.send("two@good.test");
        relay.wait_for("status=deferred");
        relay.wait_for("event=incident");
        let metrics = wait_for(
            address,
            "/metrics",
            &[
                "danerelay_messages_accepted_total 2\n",
                "danerelay_deliveries_total{status=\"sent\",security=\"dane\"} 1\n",
                "danerelay_deliveries_total{status=\"deferred\",security=\"none\"} 1\n",
                "danerelay_dane_results_total{result=\"verify\"} 1\n",
                "danerelay_dane_results_total{result=\"fail\"} 1\n",
                "danerelay_tls_handshakes_total{version=\"TLSv1.3\",result=\"dane\"} 1\n",
                "danerelay_tls_handshakes_total{version=\"none\",result=\"unproven\"} 1\n",
                "danerelay_queue_messages{state=\"deferred\"} 1\n",
                "danerelay_incidents 1\n",
                "danerelay_incident_messages 1\n",
                "danerelay_incident_first_return_timestamp_seconds ",
                "danerelay_dns_validation_ok 1\n",
                "danerelay_delivery_delay_seconds_count 1\n",
                "danerelay_spool_commit_seconds_count 2\n",
                "danerelay_spool_accepting 1\n",
                "danerelay_smtp_connections{side=\"client\"} 1\n",
                "danerelay_faults_total 0\n",
                "danerelay_queue_count_age_seconds ",
            ],
        );
        let secure_tlsa = "danerelay_dns_lookups_total{type=\"tlsa\",result=\"secure\"} ";
        let (_, count) = metrics.split_once(secure_tlsa).unwrap();
        assert!(!count.starts_with("0\n"), "{metrics}");
        judged(&metrics);
        for help in metrics.lines().filter(|line| line.starts_with("# HELP ")) {
            let says = ["Healthy:", "Alarm:"].iter().any(|word| help.contains(word));
            assert!(says || help.contains("_build_info "), "what is healthy? {help}");
        }
        let page = wait_for(
            address,
            "/",
            &[
                "<h1>relay.example</h1>",
                "<strong>validated</strong>",
                "<h3>mx.good.test",
                "the server&#39;s key has changed",
                "the first message is returned",
                "No matching TLSA RRs",
                "<td>good.test</td>",
            ],
        );
        assert!(!page.contains("@good.test"), "no addresses of people");
        drop(client);
        let mut relay = relay;
        relay.stop();
        relay.start_again();
        // The ledger is read at the start.
        wait_for(
            self::address(&relay),
            "/",
            &["<svg ", "MX providers", "1 delivery; DANE 100.0"],
        );
    });
    done.await.unwrap();
}

/// `promtool check metrics`, the judge of Prometheus, has nothing to say against them.
fn judged(metrics: &str) {
    let child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => {
            assert!(
                std::env::var_os("DANERELAY_SKIP_PEERS").is_some(),
                "promtool (Debian: prometheus): {error}; DANERELAY_SKIP_PEERS=1 leaves it out"
            );
            return;
        }
    };
    child.stdin.take().unwrap().write_all(metrics.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), said.as_str()), (Some(0), ""));
}

/// A server's words are shown as text, whatever they are.
#[tokio::test(flavor = "multi_thread")]
async fn what_servers_say_is_never_markup() {
    let scene = Scene::new().await;
    let hostile = MailFault::Reply(
        Stage::Greeting,
        "421 4.3.2 <script>alert(1)</script><img src=x onerror=alert(1)>".to_owned(),
    );
    scene.receiver.set_faults(vec![hostile]);
    let done = tokio::task::spawn_blocking(move || {
        let (relay, address) = watched(&scene.settings(""));
        let mut client = Client::connect(relay.address);
        for number in 1..=6 {
            client.send(&format!("{number}@good.test"));
        }
        relay.wait_for_lines("status=deferred", 6);
        let page = wait_for(address, "/", &["&lt;script&gt;alert(1)"]);
        assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
    });
    done.await.unwrap();
}

#[test]
fn it_can_only_be_read_and_only_by_who_means_us() {
    let (relay, address) = watched(NO_DNS);
    for (method, path, host, status) in [
        ("GET", "/", "127.0.0.1:8025", "200 "),
        ("GET", "/metrics", "relay.example:8025", "200 "),
        ("GET", "/", "evil.example", "421 "),
        ("GET", "/nothing", "localhost", "404 "),
        ("POST", "/", "localhost", "405 "),
        ("DELETE", "/metrics", "localhost", "405 "),
    ] {
        let (head, content) = ask(address, method, path, host);
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status}")),
            "{method} {path} {host}: {head}"
        );
        assert!(!content.is_empty(), "{method} {path}");
    }
    let (head, content) = ask(address, "GET", "/", "localhost");
    let head = head.to_ascii_lowercase();
    for field in [
        "content-security-policy: default-src 'none'; style-src 'sha256-",
        "x-content-type-options: nosniff",
        "cache-control: no-store",
        "referrer-policy: no-referrer",
    ] {
        assert!(head.contains(field), "{field} in {head}");
    }
    for foreign in ["<script", "src=", "href=", "style=", "url("] {
        assert!(!content.contains(foreign), "{foreign} in {content}");
    }
    let (head, content) = ask(address, "HEAD", "/metrics", "localhost");
    assert!(head.starts_with("HTTP/1.1 200 ") && content.is_empty(), "{head}");
    drop(relay);
}

#[test]
fn a_request_is_bounded_and_a_silent_crowd_keeps_nobody_out() {
    let (relay, address) = watched(NO_DNS);
    let long = format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n",
        "x".repeat(64 * 1024)
    );
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // It may be closed in the middle.
    let _ = stream.write_all(long.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(
        !answer.starts_with(b"HTTP/1.1 200"),
        "{}",
        String::from_utf8_lossy(&answer)
    );

    // Those who say nothing take all places, and lose them to those who ask, though all of one address.
    let silent: Vec<TcpStream> = (0..32).map(|_| TcpStream::connect(address).unwrap()).collect();
    let (head, _) = ask(address, "GET", "/healthz", "localhost");
    assert!(head.starts_with("HTTP/1.1 "), "{head}");
    // Mail does not care.
    Client::connect(relay.address).send("someone@nowhere.example");
    drop(silent);
}

#[test]
fn a_spool_that_takes_nothing_is_not_healthy() {
    let directory = prepared("");
    let text = configuration(NO_DNS)
        .replace("[admin]", "[admin]\nhttp = \"127.0.0.1:0\"")
        .replace(
            "spool_free = \"1 MiB\"",
            "spool_free = \"1 MiB\"\nqueue_messages = 1",
        );
    fs::write(directory.path().join("danerelay.toml"), text).unwrap();
    let relay = Relay::start_in(directory, |command| command);
    let address = address(&relay);
    Client::connect(relay.address).send("someone@nowhere.example");
    wait_for(address, "/metrics", &["danerelay_spool_accepting 0\n"]);
    let (head, why) = ask(address, "GET", "/healthz", "localhost");
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    assert!(why.starts_with("no mail is accepted: "), "{why}");
}

#[test]
fn an_address_that_cannot_be_had_is_a_warning_and_mail_goes_on() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let directory = prepared("");
    let text = configuration(NO_DNS).replace("[admin]", &format!("[admin]\nhttp = \"{address}\""));
    fs::write(directory.path().join("danerelay.toml"), text).unwrap();
    let relay = Relay::start_in(directory, |command| command);
    let line = relay.wait_for("no status page");
    assert!(line.contains(&address.to_string()), "{line}");
    Client::connect(relay.address).send("someone@nowhere.example");
}

/// Rules and dashboard use no metric that there is not, and each metric that means trouble has a rule.
#[test]
fn the_rules_and_the_dashboard_fit_the_metrics() {
    let (relay, address) = watched(NO_DNS);
    let metrics = wait_for(address, "/metrics", &["danerelay_queue_messages{"]);
    let known: Vec<&str> = metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .filter_map(|rest| rest.split(' ').next())
        .collect();
    let directory = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/monitoring"));
    for file in ["alerts.yml", "grafana-dashboard.json"] {
        let text = fs::read_to_string(directory.join(file)).unwrap();
        let mut used = 0;
        for rest in text.split("danerelay_").skip(1) {
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
            let name = format!("danerelay_{}", &rest[..end.unwrap_or(rest.len())]);
            let name = name.strip_suffix("_bucket").unwrap_or(&name);
            assert!(known.contains(&name), "{name} in {file}");
            used += 1;
        }
        assert!(used > 15, "{used} in {file}");
    }
    drop(relay);
    let output = Command::new("promtool")
        .args(["test", "rules", "alerts_test.yml"])
        .current_dir(directory)
        .output();
    match output {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{said}");
        }
        Err(error) => assert!(
            std::env::var_os("DANERELAY_SKIP_PEERS").is_some(),
            "promtool (Debian: prometheus): {error}; DANERELAY_SKIP_PEERS=1 leaves it out"
        ),
    }
}
