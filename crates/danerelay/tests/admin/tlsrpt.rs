//! TLS reports: what is collected, as it is shown, previewed and sent.

use data_encoding::BASE64;
use serde_json::Value;
use testworld::RecordType;
use testworld::mail::{Ca, MailFault};
use testworld::web::{Page, WebServer};

use crate::common::{Client, Relay};
use crate::delivery::Scene;

/// Who reports, with a key whose file stands beside the configuration.
const REPORTER: &str = "[tlsrpt]\norganization = \"Example Relay\"\ncontact = \"postmaster@relay.example\"\n\
                        dkim = { domain = \"relay.example\", selector = \"tls\", key = \"KEY\" }\n";

/// An Ed25519 key (RFC 8410 §7) of no secret at all.
fn key() -> tempfile::NamedTempFile {
    let mut der = vec![
        0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20,
    ];
    der.extend([7; 32]);
    let file = tempfile::NamedTempFile::new().unwrap();
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        BASE64.encode(&der)
    );
    std::fs::write(file.path(), pem).unwrap();
    file
}

fn reporter(key: &tempfile::NamedTempFile) -> String {
    REPORTER.replace("KEY", &key.path().display().to_string())
}

fn publish(scene: &Scene, domain: &str, rua: &str) {
    let record = format!("\"v=TLSRPTv1; rua={rua}\"");
    let name = format!("_smtp._tls.{domain}");
    scene.world.set(&name, RecordType::TXT, &[&record]).unwrap();
}

/// Met and failed sessions by domain.
fn sums(relay: &Relay) -> Vec<(String, u64, u64)> {
    let found = relay.objects(&["tlsrpt", "show", "--json"]);
    let number = |one: &Value, key: &str| one[key].as_u64().unwrap();
    let sums = found.iter().map(|one| {
        let domain = one["domain"].as_str().unwrap().to_owned();
        (domain, number(one, "successes"), number(one, "failures"))
    });
    sums.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_previewed_sent_and_does_not_lead_to_another() {
    let scene = Scene::new().await;
    publish(&scene, "good.test", "mailto:reports@good.test");
    let key = key();
    let more = reporter(&key);
    scene
        .play_with(&more, move |scene, mut relay| {
            let nothing = relay.run(&["tlsrpt", "preview", "good.test"]);
            assert_eq!((nothing.status, nothing.stdout.as_str()), (1, ""));
            assert_eq!(relay.print(&["tlsrpt", "show"]), "nothing is collected\n");
            Client::connect(relay.address).send("someone@good.test");
            relay.wait_for("status=sent");
            let both = [("good.test".to_owned(), 1, 0), ("mx.good.test".to_owned(), 1, 0)];
            assert_eq!(sums(&relay), both);
            let shown = relay.print(&["tlsrpt", "show", "good.test"]);
            assert!(
                shown.contains("TLSA records at mx.good.test: 1 session met it, 0 failed\n    3 1 1 "),
                "{shown}"
            );
            let preview = relay.objects(&["tlsrpt", "preview", "good.test"]).remove(0);
            assert_eq!(preview["organization-name"], "Example Relay");
            let policy = &preview["policies"][0];
            assert_eq!(policy["policy"]["policy-type"], "tlsa");
            assert_eq!(policy["policy"]["policy-domain"], "mx.good.test");
            assert_eq!(policy["summary"]["total-successful-session-count"], 1);

            // Across a restart, and without a daemon.
            relay.stop();
            assert_eq!(sums(&relay), both);
            assert_eq!(
                relay.objects(&["tlsrpt", "preview", "good.test"])[0]["policies"],
                preview["policies"]
            );
            relay.start_again();
            let said = relay.print(&["tlsrpt", "send", "good.test"]);
            assert!(
                said.starts_with("the report for good.test is queued as "),
                "{said}"
            );
            relay.wait_for("to=reports@good.test");
            let message = scene.receiver.messages().remove(1);
            let text = String::from_utf8(message.content).unwrap();
            for part in [
                "DKIM-Signature: v=1; ",
                "TLS-Report-Domain: good.test\r\n",
                "TLS-Report-Submitter: relay.example\r\n",
                "report-type=",
                "application/tlsrpt+gzip",
            ] {
                assert!(text.contains(part), "{part} in {text}");
            }
            let line = relay.wait_for("event=tlsrpt");
            assert!(line.contains("status=queued, domain=good.test"), "{line}");
            // What was sent is gone, and the delivery of the report is not counted.
            assert_eq!(sums(&relay), [("mx.good.test".to_owned(), 1, 0)]);
            let again = relay.run(&["tlsrpt", "send", "good.test"]);
            assert_eq!(again.status, 1, "{}", again.stderr);
            assert!(
                again.stderr.contains("nothing is collected for good.test"),
                "{}",
                again.stderr
            );
            // The provider publishes no record.
            let unwanted = relay.run(&["tlsrpt", "send", "mx.good.test"]);
            assert_eq!(unwanted.status, 1);
            assert!(
                unwanted.stderr.contains("_smtp._tls.mx.good.test"),
                "{}",
                unwanted.stderr
            );
            assert_eq!(sums(&relay), [("mx.good.test".to_owned(), 1, 0)]);
        })
        .await;
}

/// RFC 8460 §3: the report arrives where the server is not what DNS says; other mail waits, whatever it looks like.
#[tokio::test(flavor = "multi_thread")]
async fn only_our_own_report_reaches_a_server_that_fails() {
    let scene = Scene::new().await;
    let other = Ca::new("Another CA").unwrap().issue(&["mx.good.test"]).unwrap();
    scene.receiver.set_identity(&other);
    publish(&scene, "good.test", "mailto:reports@good.test");
    let key = key();
    let more = reporter(&key);
    scene
        .play_with(&more, move |scene, relay| {
            let mut client = Client::connect(relay.address);
            client.say("MAIL FROM:<>", "250");
            client.say("RCPT TO:<reports@good.test> NOTIFY=NEVER", "250");
            client.say("DATA", "354");
            let likeness = "From: tlsrpt@relay.example\r\nTLS-Report-Domain: good.test\r\nTLS-Report-Submitter: \
                            relay.example\r\nContent-Type: multipart/report; report-type=tlsrpt; boundary=b\r\n\r\n--b--\r\n.";
            client.say(likeness, "250");
            let deferred = relay.wait_for("status=deferred");
            assert!(deferred.contains("No matching TLSA RRs"), "{deferred}");
            assert!(scene.receiver.messages().is_empty());
            let shown = relay.print(&["tlsrpt", "show", "good.test"]);
            assert!(shown.contains("0 sessions met it, 1 failed"), "{shown}");
            assert!(shown.contains("validation-failure at mx.good.test [127.0.0.1]"), "{shown}");
            relay.print(&["tlsrpt", "send", "good.test"]);
            let sent = relay.wait_for("status=sent");
            assert!(sent.contains("dane=\"Skip (TLS-Required: No)\""), "{sent}");
            assert_eq!(scene.receiver.messages().len(), 1);
            // In clear text as well.
            scene.receiver.set_identity(&scene.identity);
            scene.receiver.set_faults(vec![MailFault::NoStartTls]);
            relay.print(&["queue", "retry", "--all"]);
            relay.wait_for_lines("status=deferred", 2);
            relay.print(&["tlsrpt", "send", "good.test"]);
            let sent = relay.wait_for_lines("status=sent", 2).pop().unwrap();
            assert!(sent.contains("tlsfail=not-offered"), "{sent}");
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_place_that_takes_a_report_is_enough() {
    let scene = Scene::new().await;
    // Whose certificate nobody knows.
    let stranger = testworld::mail::Identity::self_signed(&["elsewhere.test"]).unwrap();
    let server = WebServer::start(&stranger).await.unwrap();
    server.put("/refused", Page::status(500));
    server.put("/taken", Page::status(201));
    let port = server.address().port();
    let place = |path: &str| format!("https://127.0.0.1:{port}/{path}");
    let rua = format!(
        "ftp://a.test/,{},{},mailto:reports@good.test",
        place("refused"),
        place("taken")
    );
    publish(&scene, "good.test", &rua);
    let key = key();
    let more = reporter(&key);
    scene
        .play_with(&more, move |scene, relay| {
            Client::connect(relay.address).send("someone@good.test");
            relay.wait_for("status=sent");
            let said = relay.print(&["tlsrpt", "send", "good.test"]);
            assert!(
                said.contains("was taken by https://127.0.0.1:") && said.contains("/taken"),
                "{said}"
            );
            let asked = server.asked();
            assert_eq!(asked.len(), 2);
            assert!(
                asked[1]
                    .to_lowercase()
                    .contains("content-type: application/tlsrpt+gzip"),
                "{}",
                asked[1]
            );
            assert_eq!(scene.receiver.messages().len(), 1);
            let line = relay.wait_for("event=tlsrpt");
            assert!(line.contains("status=sent"), "{line}");
            assert_eq!(sums(&relay), [("mx.good.test".to_owned(), 1, 0)]);
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_collected_is_not_shown_and_what_nobody_signs_is_not_sent() {
    let scene = Scene::new().await;
    scene
        .play_with("[tlsrpt]\nenabled = false\n", |_, relay| {
            Client::connect(relay.address).send("someone@good.test");
            relay.wait_for("status=sent");
            assert_eq!(relay.print(&["tlsrpt", "show"]), "nothing is collected\n");
            let refused = relay.run(&["tlsrpt", "send", "good.test"]);
            assert_eq!(refused.status, 2, "{}", refused.stderr);
            assert!(
                refused.stderr.contains("`tlsrpt.organization`"),
                "{}",
                refused.stderr
            );
        })
        .await;
}
