//! The daemon as its surroundings see it: mail in, log and queue, signals, mail out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use testworld::dns::{DnsFault, Questions, Role, World};
use testworld::mail::{Ca, Receiver};

const PATIENCE: Duration = Duration::from_secs(20);

/// A running daemon in a directory of its own.
struct Relay {
    directory: TempDir,
    child: Child,
    address: SocketAddr,
}

impl Relay {
    /// Starts with these lines in addition to what every test needs, and waits until it serves.
    fn start(more: &str) -> Self {
        Self::start_in(prepared(more), |command| command)
    }

    fn start_in(directory: TempDir, prepare: impl FnOnce(&mut Command) -> &mut Command) -> Self {
        let child = prepare(&mut serve(directory.path())).spawn().unwrap();
        let mut relay = Self {
            directory,
            child,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        relay.address = relay.listening_address();
        relay
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    fn listening_address(&self) -> SocketAddr {
        let started = self.wait_for("event=started");
        let (_, rest) = started.split_once("listen=\"").unwrap();
        rest.split('"').next().unwrap().parse().unwrap()
    }

    /// The first log line that contains the text.
    fn wait_for(&self, text: &str) -> String {
        let began = Instant::now();
        loop {
            if let Some(line) = self.log().lines().find(|line| line.contains(text)) {
                return line.to_owned();
            }
            assert!(began.elapsed() < PATIENCE, "no {text:?} in:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn wait(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "still running:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn queue(&self) -> Vec<Value> {
        let output = Command::new(env!("CARGO_BIN_EXE_danerelay"))
            .args(["queue", "list", "--json", "-c"])
            .arg(self.path("danerelay.toml"))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn configuration(more: &str) -> String {
    format!(
        "hostname = \"relay.example\"\n[listen]\nsmtp = [\"127.0.0.1:0\"]\n[limits]\nspool_free = \"1 MiB\"\n\
         [spool]\npath = \"spool\"\n[log]\ntarget = \"log\"\n{more}"
    )
}

/// A directory with a configuration file.
fn prepared(more: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("danerelay.toml"), configuration(more)).unwrap();
    directory
}

fn serve(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_danerelay"));
    command
        .args(["serve", "-c"])
        .arg(directory.join("danerelay.toml"))
        .stdin(Stdio::null());
    command
}

/// A client's side of a session.
struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut client = Self(BufReader::new(stream));
        client.expect("220");
        client.say("EHLO client.example", "250");
        client
    }

    fn say(&mut self, line: &str, reply: &str) -> String {
        self.0
            .get_mut()
            .write_all(format!("{line}\r\n").as_bytes())
            .unwrap();
        self.expect(reply)
    }

    fn expect(&mut self, reply: &str) -> String {
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            assert!(line.starts_with(reply), "{line:?} is not {reply}");
            if line.get(3..4) != Some("-") {
                return line;
            }
        }
    }

    /// Sends a message and gives its queue id.
    fn send(&mut self, recipient: &str) -> String {
        self.say("MAIL FROM:<sender@client.example>", "250");
        self.say(&format!("RCPT TO:<{recipient}>"), "250");
        self.say("DATA", "354");
        let reply = self.say(
            "Subject: greetings\r\nMessage-ID: <1@client.example>\r\n\r\nHello\r\n.",
            "250",
        );
        reply.trim_end().rsplit(' ').next().unwrap().to_owned()
    }
}

/// Nobody answers there: look-ups fail, and mail waits.
const NO_DNS: &str = "[dns]\nservers = [\"127.0.0.1:9\"]\ntimeout = \"1s\"\n[delivery]\nretry = [\"1h\"]\n";

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

    std::fs::remove_file(relay.path("log")).unwrap();
    relay.child = serve(relay.directory.path()).spawn().unwrap();
    relay.wait_for("event=started");
    assert_deferred(&relay.queue(), &id);
}

fn assert_deferred(queue: &[Value], id: &str) {
    let [message] = queue else { panic!("{queue:?}") };
    assert_eq!(message.get("id").unwrap(), id);
    assert_eq!(message.pointer("/recipients/0/state").unwrap(), "deferred");
    assert!(message.pointer("/recipients/0/next_attempt").unwrap().is_string());
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
    assert!(told().contains("READY=1\n"));
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
    let began = Instant::now();
    assert_eq!(relay.wait().code(), Some(1));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
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
        "[dns]\nmode = \"validate\"\nservers = [\"{}\"]\ntrust_anchor = \"{}\"\n[delivery]\nport = {}\n",
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

/// Settings that ask the world, whose anchor is written to a file.
fn asking(world: &World, mode: &str, anchor: &Path) -> String {
    std::fs::write(anchor, world.trust_anchor_ds().unwrap()).unwrap();
    format!(
        "[dns]\nmode = \"{mode}\"\nservers = [\"{}\"]\ntrust_anchor = \"{}\"\n[delivery]\nretry = [\"1h\"]\n",
        world.address(),
        anchor.display(),
    )
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
