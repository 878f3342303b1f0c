//! `danerelay doctor`: what is found on a machine of which the faults are known.

use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use testworld::RecordType;
use testworld::dns::{DnsFault, Questions};
use testworld::mail::{Ca, MailFault, Receiver, free_port_on};

use crate::{End, Stage};

impl End {
    /// The findings about one subject: result and words.
    fn about(&self, subject: &str) -> Vec<(String, String)> {
        let report = self.json();
        let checks = report["checks"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        checks
            .filter(|check| check["check"] == json!(subject))
            .map(|check| (text(&check["result"]), text(&check["found"])))
            .collect()
    }

    #[track_caller]
    fn expect(&self, subject: &str, result: &str, words: &str) {
        let found = self.about(subject);
        assert!(
            found
                .iter()
                .any(|(level, text)| level == result && text.contains(words)),
            "no {result} {words:?} in {found:?}\n{}",
            self.stderr
        );
    }
}

fn doctor(stage: &Stage, more: &[&str]) -> End {
    stage.run(&[&["doctor", "--json"], more].concat())
}

/// A world with a mail server at 127.0.2.7, to be probed.
struct Probed {
    stage: Stage,
    port: u16,
    receiver: Receiver,
}

impl Probed {
    fn new(faults: Vec<MailFault>) -> Self {
        let address = IpAddr::from([127, 0, 2, 7]);
        let port = free_port_on(&[address]).unwrap();
        let stage = Stage::new(&format!(
            "port = {port}\n[spool]\npath = \"spool\"\n[limits]\nspool_free = \"1 MiB\"\n"
        ));
        let identity = Ca::new("Test CA").unwrap().issue(&["mx.probed.test"]).unwrap();
        let socket = SocketAddr::new(address, port);
        let builder = Receiver::builder("mx.probed.test")
            .address(socket)
            .identity(&identity);
        let receiver = stage.runtime.block_on(builder.start()).unwrap();
        receiver.set_faults(faults);
        let zone = stage.world.domain("probed.test").signed();
        zone.mx(10, "mx.probed.test", socket).add().unwrap();
        Self {
            stage,
            port,
            receiver,
        }
    }

    fn doctor(&self) -> End {
        doctor(&self.stage, &["--probe", "probed.test"])
    }
}

#[test]
fn port_25_is_tried_and_nothing_is_sent() {
    let probed = Probed::new(Vec::new());
    let end = probed.doctor();
    end.expect(
        "port25",
        "ok",
        &format!("mx.probed.test [127.0.2.7] port {}", probed.port),
    );
    end.expect("resolver", "ok", "self-test passed");
    end.expect("spool", "warn", "`limits.spool_free` is 1 MiB");
    assert_eq!(
        (probed.receiver.messages().len(), probed.receiver.count_of("QUIT")),
        (0, 1)
    );
    assert_eq!(probed.receiver.count_of("MAIL"), 0);

    probed.receiver.set_faults(vec![MailFault::NoStartTls]);
    let end = probed.doctor();
    end.expect("port25", "bad", "STARTTLS");
    assert_eq!(end.status, 1);
    let report = end.json();
    let mend = report["checks"].as_array().unwrap().iter();
    let mut mend = mend.filter(|check| check["check"] == json!("port25"));
    assert!(
        mend.next().unwrap()["mend"]
            .as_str()
            .unwrap()
            .contains("firewall"),
        "{report}"
    );

    drop(probed.receiver);
    let end = doctor(&probed.stage, &["--probe", "probed.test"]);
    end.expect("port25", "bad", "127.0.2.7");
    let end = doctor(&probed.stage, &[]);
    end.expect("port25", "unknown", "not tried");
}

#[test]
fn a_resolver_that_fails_is_bad_and_nothing_else_is_blamed() {
    let probed = Probed::new(Vec::new());
    let everything = Questions::Below(".".to_owned());
    let world = &probed.stage.world;
    world.break_dns(&everything, DnsFault::StripDnssec).unwrap();
    let end = probed.doctor();
    assert_eq!(end.status, 1);
    end.expect("resolver", "bad", "leave out DNSSEC signatures");
    end.expect("port25", "unknown", "was not tried");
    end.expect("name", "unknown", "the resolver fails");
}

#[test]
fn name_addresses_and_reverse_names_have_to_agree() {
    let stage = Stage::new(
        "source_addresses = [\"198.51.100.7\", \"198.51.100.8\", \"198.51.100.9\", \"127.0.0.1\"]\n",
    );
    let end = doctor(&stage, &[]);
    end.expect("name", "bad", "relay.example, said in EHLO, has no addresses");
    end.expect("reverse", "bad", "198.51.100.7 has no reverse name");
    end.expect("reverse", "warn", "127.0.0.1, an address of this machine alone");

    let at = |last: u8| SocketAddr::from(([198, 51, 100, last], 25));
    stage.world.domain("example").signed().add().unwrap();
    let own = stage.world.domain("relay.example").signed();
    own.host("relay.example", at(7))
        .host("other.relay.example", at(8))
        .add()
        .unwrap();
    stage.world.domain("arpa").signed().add().unwrap();
    let mut reverse = stage.world.domain("100.51.198.in-addr.arpa").signed();
    for (last, name) in [
        (7, "relay.example."),
        (8, "other.relay.example."),
        (9, "relay.example."),
    ] {
        let owner = format!("{last}.100.51.198.in-addr.arpa");
        reverse = reverse.record(&owner, RecordType::PTR, name);
    }
    reverse.add().unwrap();
    let end = doctor(&stage, &[]);
    end.expect(
        "name",
        "warn",
        "resolves to 198.51.100.7, and mail comes from 198.51.100.8",
    );
    end.expect("reverse", "ok", "198.51.100.7 is relay.example, and back");
    end.expect(
        "reverse",
        "ok",
        "198.51.100.8 is other.relay.example, and back; in EHLO it says relay.example",
    );
    end.expect(
        "reverse",
        "bad",
        "198.51.100.9 is relay.example, which does not resolve back to it",
    );

    let mute = Questions::At("7.100.51.198.in-addr.arpa".to_owned());
    stage.world.break_dns(&mute, DnsFault::ServFail).unwrap();
    doctor(&stage, &[]).expect("reverse", "unknown", "could not be looked up");
}

#[test]
fn the_spool_the_clock_and_the_files_are_looked_at() {
    let stage =
        Stage::new("[spool]\npath = \"/dev/shm/no-such-spool\"\n[limits]\nspool_free = \"900000 GiB\"\n");
    let end = doctor(&stage, &[]);
    end.expect("spool", "bad", "is on tmpfs: it is memory");
    end.expect("spool", "bad", "no mail is taken");
    end.expect("spool", "ok", "are on disk after");
    let [(level, found)] = &end.about("clock")[..] else {
        unreachable!("one clock")
    };
    assert!(level == "ok" || level == "warn", "{found}");
    end.expect("permissions", "ok", "nothing is open to others");
    assert!(
        !std::path::Path::new("/dev/shm/no-such-spool").exists(),
        "nothing is made"
    );

    let config = stage.path("danerelay.toml");
    std::fs::set_permissions(&config, std::fs::Permissions::from_mode(0o666)).unwrap();
    doctor(&stage, &[]).expect("permissions", "bad", "everybody can write");
    // What was written cannot be in the future.
    let file = std::fs::File::options().append(true).open(&config).unwrap();
    let tomorrow = std::time::SystemTime::now() + std::time::Duration::from_hours(24);
    file.set_modified(tomorrow).unwrap();
    doctor(&stage, &[]).expect("clock", "bad", "danerelay.toml is from");
}

#[test]
fn people_read_what_to_mend() {
    let stage = Stage::new("");
    let end = stage.run(&["doctor"]);
    assert_eq!(end.status, 1, "{}", end.stdout);
    assert!(end.stdout.contains("BAD     name"), "{}", end.stdout);
    assert!(
        end.stdout.contains("=> publish A and AAAA records"),
        "{}",
        end.stdout
    );
    assert!(
        end.stdout.lines().all(|line| line.chars().count() <= 100),
        "{}",
        end.stdout
    );
}

#[test]
fn the_trials_are_made_under_this_policy() {
    let stage = Stage::new("");
    for (policy, exit, trials) in [
        ("version = 1\n", 0, ["ok", "ok", "ok"]),
        (
            "version = 1\n[default]\ndane = \"soft-fail\"\n",
            1,
            ["ok", "ok", "bad"],
        ),
        (
            "version = 1\n[default]\ndane = \"strict\"\n",
            0,
            ["ok", "warn", "ok"],
        ),
    ] {
        stage.write("policy.toml", policy);
        let end = doctor(&stage, &["--self-test"]);
        let levels: Vec<String> = end.about("trial").into_iter().map(|(level, _)| level).collect();
        assert_eq!(
            (end.status, levels.as_slice()),
            (exit, trials.map(str::to_owned).as_slice()),
            "{policy}{}{}",
            end.stdout,
            end.stderr
        );
    }
    stage.write("policy.toml", "version = 1\n[default]\ndane = \"off\"\n");
    let end = doctor(&stage, &["--self-test"]);
    assert_eq!(end.status, 1);
    end.expect("trial", "bad", "the wrong server got the mail");
    stage.write(
        "policy.toml",
        "version = 1\n[default]\nroute = \"[hub.example]\"\n",
    );
    let end = doctor(&stage, &["--self-test"]);
    assert_eq!(end.status, 3);
    end.expect("trial", "unknown", "sends all mail to [hub.example]");
}
