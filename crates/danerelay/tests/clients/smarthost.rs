//! Another relay as the client: this one is its smarthost.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;

use testworld::RecordType;
use testworld::dns::World;

use crate::common::{Client, Relay, asking, prepared};
use crate::{good, ports, run, user, with_everything};

/// A relay whose mail all goes through another one: over STARTTLS and over TLS from the first octet, known by its TLSA
/// record.
#[tokio::test(flavor = "multi_thread")]
async fn another_relay_is_a_smarthost_that_wants_a_login() {
    let directory = with_everything();
    assert_eq!(
        user(directory.path(), &["add", "user"], "secret word\n").status,
        0
    );
    let certificate = directory.path().join("relay.pem").display().to_string();
    let made = run(
        env!("CARGO_BIN_EXE_danerelay"),
        &["tlsa", "make", &certificate, "--usage", "3"],
        "",
    );
    let record = good(&made).split_once("3 1 1 ").unwrap().1[..64].to_owned();
    let smarthost = Relay::start_in_any(directory);
    let ports = ports(&smarthost);
    let world = World::start().await.unwrap();
    world.domain("test").signed().add().unwrap();
    let mut smart = world.domain("smart.test").signed();
    for (name, port) in ["a.smart.test", "b.smart.test"].into_iter().zip(ports) {
        smart = smart.host(name, SocketAddr::from(([127, 0, 0, 1], port))).record(
            &format!("_{port}._tcp.{name}"),
            RecordType::TLSA,
            &format!("3 1 1 {record}"),
        );
    }
    smart.add().unwrap();
    let anchor = tempfile::NamedTempFile::new().unwrap();
    let more = asking(&world, "validate", anchor.path());
    let done = tokio::task::spawn_blocking(move || {
        let directory = prepared(&format!("{more}[policy]\nfile = \"policy.toml\"\n"));
        let path = |name: &str| directory.path().join(name);
        fs::write(path("smart.login"), "user\nsecret word\n").unwrap();
        fs::set_permissions(path("smart.login"), fs::Permissions::from_mode(0o600)).unwrap();
        let [starttls, implicit] = ports;
        let policy = format!(
            "[default]\nroute = \"[a.smart.test]:{starttls}\"\nroute_login = \"smart.login\"\n\
             [[domain]]\nmatch = \"implicit.example\"\nroute = \"[b.smart.test]:{implicit}\"\nroute_tls = \"implicit\"\n\
             route_login = \"smart.login\"\n"
        );
        fs::write(path("policy.toml"), policy).unwrap();
        let relay = Relay::start_in(directory, |command| command);
        for recipient in ["a@anywhere.example", "a@implicit.example"] {
            Client::connect(relay.address).send(recipient);
        }
        for line in relay.wait_for_lines(", to=a@", 2) {
            assert!(
                line.contains("status=sent") && line.contains("dane=\"Verify (Secure TLSA RRs found)\""),
                "{line}"
            );
        }
        for line in smarthost.wait_for_lines("event=accepted", 2) {
            assert!(line.contains(", auth=user, "), "{line}");
        }
        let log = relay.log();
        assert!(!log.contains("secret word") && !log.contains("c2VjcmV0"), "{log}");
    });
    done.await.unwrap();
}
