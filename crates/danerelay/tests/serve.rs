//! The daemon as its surroundings see it: mail in, log and queue, signals, mail out.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod common;

use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixDatagram;

use rustix::process::Signal;
use serde_json::Value;
use testworld::dns::{Bogus, DnsFault, Questions, Role, World};
use testworld::mail::{Ca, Receiver};

use common::{Client, NO_DNS, PATIENCE, Relay, asking, configuration, prepared, serve};

#[test]
fn a_message_is_accepted_queued_and_still_there_after_a_restart() {
    let mut relay = Relay::start(NO_DNS);
    let id = Client::connect(relay.address).send("someone@nowhere.example");
    let accepted = relay.wait_for("event=accepted");
    assert!(accepted.contains(&format!(" id={id}, ")), "{accepted}");
    assert!(
        accepted.contains("from=<sender@client.example>, nrcpt=1, "),
        "{accepted}"
    );
    let deferred = relay.wait_for("status=deferred");
    assert!(deferred.contains(" to=someone@nowhere.example, "), "{deferred}");
    // Beside the running daemon first, then in the spool of the stopped one.
    assert_deferred(&relay.queue(), &id);
    relay.signal(Signal::TERM);
    assert_eq!(relay.wait().code(), Some(0));
    assert_deferred(&relay.queue(), &id);

    relay.start_again();
    assert_deferred(&relay.queue(), &id);
}

fn assert_deferred(queue: &[Value], id: &str) {
    let [message] = queue else { panic!("{queue:?}") };
    assert_eq!(message.get("id").unwrap(), id);
    assert_eq!(message.pointer("/recipients/0/state").unwrap(), "deferred");
    assert!(message.pointer("/recipients/0/next_attempt").unwrap().is_string());
}

#[test]
fn beyond_queue_messages_clients_are_told_to_come_back() {
    let directory = prepared("");
    let text = configuration(NO_DNS)
        .replace("[limits]", "[limits]\nqueue_messages = 1")
        .replace("[delivery]", "[delivery]\nsource_addresses = [\"192.0.2.1\"]");
    std::fs::write(directory.path().join("danerelay.toml"), text).unwrap();
    let relay = Relay::start_in(directory, |command| command);
    // Mail is taken, whatever is wrong with its further way.
    relay.wait_for("`delivery.source_addresses` has 192.0.2.1, which is no address of this machine now");
    let mut client = Client::connect(relay.address);
    let id = client.send("one@nowhere.example");
    relay.wait_for("status=deferred");
    let mut refused = Client::connect(relay.address);
    refused.say("MAIL FROM:<sender@client.example>", "452");
    assert_eq!(relay.queue().len(), 1);
    // Room is made.
    relay.print(&["queue", "delete", &id]);
    Client::connect(relay.address).send("three@nowhere.example");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_is_told_after_delay_warning_that_its_mail_waits() {
    let world = World::start().await.unwrap();
    let identity = Ca::new("Test CA").unwrap().issue(&["mx.client.test"]).unwrap();
    let builder = Receiver::builder("mx.client.test").identity(&identity);
    let receiver = builder.start().await.unwrap();
    world.domain("test").signed().add().unwrap();
    let client = world.domain("client.test").signed();
    let client = client.mx(10, "mx.client.test", receiver.address());
    client.tlsa(identity.tlsa_3_1_1()).add().unwrap();
    world.domain("late.test").bogus(Bogus::WrongKey).add().unwrap();
    let anchor = tempfile::NamedTempFile::new().unwrap();
    let more = asking(&world, "validate", anchor.path()).replace("\"1h\"", "\"1s\"")
        + &format!("delay_warning = \"1s\"\nport = {}\n", receiver.address().port());
    let done = tokio::task::spawn_blocking(move || {
        let relay = Relay::start(&more);
        let changed = format!("{more}postmaster = \"help@client.test\"\n");
        std::fs::write(relay.path("danerelay.toml"), configuration(&changed)).unwrap();
        relay.print(&["reload"]);
        let mut client = Client::connect(relay.address);
        client.send_from("sender@client.test", &["someone@late.test"]);
        relay.wait_for("to=sender@client.test, kind=delayed, event=dsn");
        let sent = relay.wait_for("from=<>, to=sender@client.test, ");
        assert!(sent.contains("status=sent"), "{sent}");
    });
    done.await.unwrap();
    let report = String::from_utf8_lossy(&receiver.messages()[0].content).into_owned();
    assert!(report.contains("Action: delayed"), "{report}");
    let from = report.lines().find(|line| line.starts_with("From:")).unwrap();
    assert!(from.contains("help@client.test"), "a reload changes it: {from}");
}

#[test]
fn systemd_is_told_of_each_step() {
    let directory = prepared(NO_DNS);
    let path = directory.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    // The self-test may change the status alone at any time.
    let told = || loop {
        let mut words = [0; 1024];
        let length = socket.recv(&mut words).unwrap();
        let words = String::from_utf8_lossy(words.get(..length).unwrap()).into_owned();
        if !words.starts_with("STATUS=") {
            return words;
        }
    };
    let mut relay = Relay::start_in(directory, |command| command.env("NOTIFY_SOCKET", path));
    let ready = told();
    assert!(
        ready.contains("READY=1\n") && ready.contains("STATUS="),
        "{ready}"
    );
    relay.signal(Signal::HUP);
    let reloading = told();
    assert!(
        reloading.contains("RELOADING=1\n") && reloading.contains("MONOTONIC_USEC="),
        "{reloading}"
    );
    let ready = told();
    assert!(
        ready.contains("READY=1\n") && !ready.contains("refused"),
        "{ready}"
    );
    // A fault in the files, and its end.
    let good = std::fs::read_to_string(relay.path("danerelay.toml")).unwrap();
    for (text, is_refused) in [("version = 1\nunknown = 1\n", true), (&*good, false)] {
        std::fs::write(relay.path("danerelay.toml"), text).unwrap();
        relay.signal(Signal::HUP);
        assert!(told().contains("RELOADING=1\n"));
        let ready = told();
        let refused = "; configuration refused: the earlier one is in force";
        assert!(
            ready.contains("READY=1\n") && ready.contains(refused) == is_refused,
            "{ready}"
        );
    }
    relay.signal(Signal::TERM);
    assert!(told().contains("STOPPING=1\n"));
    assert_eq!(relay.wait().code(), Some(0));
}

#[test]
fn a_second_daemon_on_the_same_spool_is_refused() {
    let relay = Relay::start(NO_DNS);
    let second = serve(relay.directory.path()).output().unwrap();
    assert_eq!(second.status.code(), Some(2));
    assert!(
        relay.log().contains("in use by another daemon"),
        "{}",
        relay.log()
    );
}

#[test]
fn the_log_says_who_validates_and_why() {
    let relay = Relay::start(NO_DNS);
    let started = relay.wait_for("event=started");
    assert!(
        started.contains(&format!("version={}, ", env!("CARGO_PKG_VERSION"))),
        "{started}"
    );
    assert!(
        started.contains("dns=validate, reason=\"dns.servers names servers"),
        "{started}"
    );
    assert!(started.contains("policy=\"built-in\""), "{started}");
}

#[test]
fn a_signal_ends_the_daemon_after_the_transaction_and_with_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut relay = Relay::start(NO_DNS);
        let mut client = Client::connect(relay.address);
        client.say("MAIL FROM:<sender@client.example>", "250");
        client.say("RCPT TO:<someone@nowhere.example>", "250");
        client.say("DATA", "354");
        relay.signal(signal);
        relay.wait_for("event=stopping");
        assert!(
            TcpStream::connect(relay.address).is_err(),
            "it still accepts connections"
        );
        client.say("Subject: late\r\n\r\nHello\r\n.", "250");
        assert_eq!(relay.wait().code(), Some(0));
        assert!(relay.log().contains("event=stopped"), "{}", relay.log());
        assert_eq!(relay.queue().len(), 1);
    }
}

#[test]
fn a_second_signal_ends_the_daemon_at_once() {
    let mut relay = Relay::start(NO_DNS);
    let mut client = Client::connect(relay.address);
    client.say("MAIL FROM:<sender@client.example>", "250");
    client.say("RCPT TO:<someone@nowhere.example>", "250");
    client.say("DATA", "354");
    relay.signal(Signal::TERM);
    relay.wait_for("event=stopping");
    relay.signal(Signal::TERM);
    // In order it would end with 0, and later.
    assert_eq!(relay.wait().code(), Some(1));
}

#[test]
fn sighup_reopens_the_log_and_rereads_what_can_change() {
    let relay = Relay::start(NO_DNS);
    std::fs::rename(relay.path("log"), relay.path("log.1")).unwrap();
    let networks = "[access]\nnetworks = [\"192.0.2.0/24\"]\n";
    let text = configuration(NO_DNS).replace("[limits]", &format!("{networks}[limits]"));
    std::fs::write(
        relay.path("danerelay.toml"),
        text.replace("retry = [\"1h\"]", "retry = [\"2h\"]"),
    )
    .unwrap();
    std::fs::write(
        relay.path("policy.toml"),
        "version = 1\n[default]\ndane = \"strict\"\n",
    )
    .unwrap();
    relay.signal(Signal::HUP);
    let loaded = relay.wait_for("status=loaded");
    assert!(loaded.contains("policy.toml\", event=policy"), "{loaded}");
    assert!(
        relay
            .wait_for("takes effect at the next start")
            .contains("changed=\"delivery.retry\"")
    );
    assert!(
        !std::fs::read_to_string(relay.path("log.1"))
            .unwrap()
            .contains("status=loaded")
    );
    let mut client = Client::connect(relay.address);
    client.say("MAIL FROM:<sender@client.example>", "250");
    client.say("RCPT TO:<someone@nowhere.example>", "5");
}

#[test]
fn a_bad_file_is_refused_whole_and_the_old_one_stays_in_force() {
    let relay = Relay::start(NO_DNS);
    std::fs::rename(relay.path("log"), relay.path("log.1")).unwrap();
    let text = configuration(NO_DNS).replace("[limits]", "[access]\nnetworks = []\n[limits]");
    std::fs::write(relay.path("danerelay.toml"), text).unwrap();
    std::fs::write(
        relay.path("policy.toml"),
        "version = 1\n[default]\ndane = \"always\"\n",
    )
    .unwrap();
    relay.signal(Signal::HUP);
    let refused = relay.wait_for("status=refused");
    assert!(
        refused.contains("policy.toml:3:8: ") && refused.contains("event=policy"),
        "{refused}"
    );
    // The networks of the same reload did not take effect either.
    Client::connect(relay.address).send("someone@nowhere.example");
    // Once the file is mended, all of the reload does.
    std::fs::write(relay.path("policy.toml"), "version = 1\n").unwrap();
    relay.wait_for("status=loaded");
    let mut client = Client::connect(relay.address);
    client.say("MAIL FROM:<sender@client.example>", "250");
    client.say("RCPT TO:<someone@nowhere.example>", "5");
}

/// What a lost danefail list would do is hold mail up: who has the list yet keeps it, and who starts without it serves.
#[test]
fn a_lost_list_is_kept_by_a_running_daemon_and_does_not_hinder_a_new_one() {
    let mut relay = Relay::start(NO_DNS);
    let policy = "[[list]]\nkind = \"danefail\"\nfile = \"fail.list\"\n";
    std::fs::write(relay.path("policy.toml"), policy).unwrap();
    std::fs::write(relay.path("fail.list"), "broken.example\n").unwrap();
    relay.signal(Signal::HUP);
    relay.wait_for("status=loaded");
    std::fs::write(relay.path("fail.list"), "<!DOCTYPE html>\n<title>Moved</title>\n").unwrap();
    relay.signal(Signal::HUP);
    let refused = relay.wait_for("status=refused");
    assert!(
        refused.contains("is an HTML page and no list of domains"),
        "{refused}"
    );
    relay.stop();
    relay.start_again();
    let warning = relay.wait_for("nobody counts as being on this danefail list");
    assert!(
        warning.contains(" warning ") && warning.contains("event=policy"),
        "{warning}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_goes_out_under_dane() {
    let world = World::start().await.unwrap();
    let identity = Ca::new("Test CA").unwrap().issue(&["mx.good.test"]).unwrap();
    let receiver = Receiver::builder("mx.good.test")
        .identity(&identity)
        .start()
        .await
        .unwrap();
    world.domain("test").signed().add().unwrap();
    let good = world
        .domain("good.test")
        .signed()
        .mx(10, "mx.good.test", receiver.address());
    good.tlsa(identity.tlsa_3_1_1()).add().unwrap();
    let anchor = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(anchor.path(), world.trust_anchor_ds().unwrap()).unwrap();
    let more = format!(
        "[dns]\nmode = \"validate\"\nservers = [\"{}\"]\ntrust_anchor = \"{}\"\n[delivery]\nignore_addresses = []\nport = {}\n",
        world.address(),
        anchor.path().display(),
        receiver.address().port(),
    );
    let sent = tokio::task::spawn_blocking(move || {
        let relay = Relay::start(&more);
        Client::connect(relay.address).send("someone@good.test");
        relay.wait_for("status=sent")
    });
    let sent = sent.await.unwrap();
    for field in [
        "mode=dane opportunistic, ",
        "dane=\"Verify (Secure TLSA RRs found)\", ",
        "tlsvalid=\"0 (ok)\", ",
    ] {
        assert!(sent.contains(field), "{field} is not in {sent}");
    }
    assert_eq!(receiver.messages().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resolver_that_cannot_be_relied_on_raises_an_alarm_and_mail_waits() {
    let world = World::start().await.unwrap();
    world.domain("test").signed().add().unwrap();
    // Were the answers believed, this host would be tried without DANE.
    let open = world.domain("open.test").unsigned();
    open.mx(10, "mx.open.test", SocketAddr::from(([127, 0, 0, 9], 25)))
        .add()
        .unwrap();
    world.set_role(Role::Forwarder);
    let (anchor, other) = (tempfile::NamedTempFile::new().unwrap(), world.clone());
    let (believing, validating) = (
        asking(&world, "trust-ad", anchor.path()),
        asking(&world, "validate", anchor.path()),
    );
    let done = tokio::task::spawn_blocking(move || {
        assert_alarm(&believing, "trust-ad", "the resolver does not validate");
        let everything = Questions::Below(".".to_owned());
        other.break_dns(&everything, DnsFault::StripDnssec).unwrap();
        assert_alarm(
            &validating,
            "validate",
            "the DNS servers leave out DNSSEC signatures",
        );
        other.mend_dns(&everything).unwrap();
        let relay = Relay::start(&validating);
        let fine = relay.wait_for("event=resolver");
        assert!(
            fine.contains(" info status=fine, dns=validate, reason=\"configured\""),
            "{fine}"
        );
    });
    done.await.unwrap();
}

fn assert_alarm(settings: &str, mode: &str, fault: &str) {
    let relay = Relay::start(settings);
    Client::connect(relay.address).send("someone@open.test");
    let alarm = relay.wait_for("event=resolver");
    let expected = format!(" error status=failing, dns={mode}, reason=\"{fault}");
    assert!(alarm.contains(&expected), "{alarm}");
    let deferred = relay.wait_for("status=deferred");
    assert!(
        deferred.contains("relay=-, ") && deferred.contains("dane=\"Fail (MX lookup: "),
        "{deferred}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exception_from_dnssec_takes_effect_and_ends_with_a_reload() {
    let world = World::start().await.unwrap();
    let anchor = tempfile::NamedTempFile::new().unwrap();
    let more = asking(&world, "validate", anchor.path());
    let done = tokio::task::spawn_blocking(move || {
        let relay = Relay::start(&more);
        let policy = "version = 1\n[[exception]]\ndomain = \"broken.test\"\ndnssec = \"off\"\n\
                      reason = \"their keys\"\nuntil = 2999-01-01\n";
        std::fs::write(relay.path("policy.toml"), policy).unwrap();
        relay.signal(Signal::HUP);
        relay.wait_for("status=unvalidated, names=\"broken.test\"");
        std::fs::write(relay.path("policy.toml"), "version = 1\n").unwrap();
        relay.signal(Signal::HUP);
        relay.wait_for("status=unvalidated, names=\"\"");
        assert!(!relay.log().contains("takes effect at the next start"));
    });
    done.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn trust_anchors_are_read_again_and_a_bad_file_changes_nothing() {
    let world = World::start().await.unwrap();
    world.domain("test").signed().add().unwrap();
    let (anchor, ds) = (
        tempfile::NamedTempFile::new().unwrap(),
        world.trust_anchor_ds().unwrap(),
    );
    let more = asking(&world, "validate", anchor.path());
    let foreign = World::start().await.unwrap().trust_anchor_ds().unwrap();
    let done = tokio::task::spawn_blocking(move || {
        let relay = Relay::start(&more);
        relay.wait_for("status=fine");
        std::fs::write(anchor.path(), format!("{ds}\nnonsense\n")).unwrap();
        relay.signal(Signal::HUP);
        let refused = relay.wait_for("status=refused");
        assert!(
            refused.contains("line ") && refused.contains("event=resolver"),
            "{refused}"
        );
        let read_again = relay.log();
        assert!(!read_again.contains("status=trust-anchors"), "{read_again}");
        std::fs::write(anchor.path(), foreign).unwrap();
        relay.signal(Signal::HUP);
        relay.wait_for("status=trust-anchors");
        // What was known of this domain a moment ago counts no more.
        Client::connect(relay.address).send("someone@test");
        let deferred = relay.wait_for("status=deferred");
        assert!(
            deferred.contains("dane=\"Fail (MX lookup: bogus)\""),
            "{deferred}"
        );
    });
    done.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_has_what_the_resolver_says_about_its_failure() {
    let world = World::start().await.unwrap();
    world.set_role(Role::Validator);
    world.domain("test").signed().add().unwrap();
    world.domain("bogus.test").bogus(Bogus::WrongKey).add().unwrap();
    let anchor = tempfile::NamedTempFile::new().unwrap();
    let more = asking(&world, "trust-ad", anchor.path());
    let said = format!(
        "reason=\"the MX look-up failed: bogus: {} answers SERVFAIL for bogus.test MX, EDE 6 (DNSSEC Bogus)\"",
        world.address()
    );
    let done = tokio::task::spawn_blocking(move || {
        let relay = Relay::start(&more);
        Client::connect(relay.address).send("someone@bogus.test");
        let deferred = relay.wait_for("status=deferred");
        for words in ["dane=\"Fail (MX lookup: bogus)\"", &said] {
            assert!(deferred.contains(words), "{deferred}");
        }
    });
    done.await.unwrap();
}
