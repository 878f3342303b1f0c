//! MTA-STS with the whole program: a policy host whose authority is in `tls.webpki_roots`, at the port of HTTPS.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};

use serde_json::Value;
use testworld::RecordType;
use testworld::dns::World;
use testworld::mail::Ca;
use testworld::web::{Page, WebServer};

use crate::common::{Client, Relay, asking, pem::pem};

/// The policy host's address; the port is always that of HTTPS (RFC 8461 §3.2).
const HOST: ([u8; 4], u16) = ([127, 0, 0, 77], 443);
/// Nothing listens there.
const CLOSED: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9);

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_is_enforced_shown_kept_and_dropped() {
    let address = SocketAddr::from(HOST);
    if let Err(error) = TcpListener::bind(address)
        && error.kind() == ErrorKind::PermissionDenied
    {
        eprintln!("skipped: who runs this test may not listen at port 443");
        return;
    }
    let (world, ca) = (World::start().await.unwrap(), Ca::new("An authority").unwrap());
    let identity = ca.issue(&["mta-sts.a.test"]).unwrap();
    let web = WebServer::start_at(address, &identity).await.unwrap();
    let policy = "version: STSv1\r\nmode: enforce\r\nmx: *.b.test\r\nmax_age: 604800\r\n";
    web.put("/.well-known/mta-sts.txt", Page::text(policy));
    let domain = world.domain("a.test").unsigned().mx(10, "mx.a.test", CLOSED);
    let domain = domain.host("mta-sts.a.test", address);
    domain
        .record("_mta-sts.a.test", RecordType::TXT, "\"v=STSv1; id=7;\"")
        .add()
        .unwrap();
    let anchor = tempfile::NamedTempFile::new().unwrap();
    let roots = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(roots.path(), pem(ca.certificate())).unwrap();
    let more = asking(&world, "validate", anchor.path());
    let more = format!("{more}[tls]\nwebpki_roots = \"{}\"\n", roots.path().display());
    let done = tokio::task::spawn_blocking(move || {
        let mut relay = Relay::start(&more);
        relay.wait_for("status=fine");
        Client::connect(relay.address).send("someone@a.test");
        let line = relay.wait_for("status=deferred");
        assert!(
            line.contains("enhanced=4.7.5") && line.contains("sts=enforce"),
            "{line}"
        );
        let asked = web.asked();
        assert_eq!(asked.len(), 1);
        assert!(
            asked[0].starts_with("GET /.well-known/mta-sts.txt HTTP/1.1\r\n"),
            "{}",
            asked[0]
        );
        assert!(
            asked[0].to_ascii_lowercase().contains("host: mta-sts.a.test\r\n"),
            "{}",
            asked[0]
        );

        let end = relay.run(&["explain", "--json", "a.test"]);
        let found: Value = serde_json::from_str(&end.stdout).unwrap();
        let sts = &found["mta_sts"];
        assert_eq!(
            (&sts["status"], &sts["id"], &sts["mx"][0]),
            (&"enforce".into(), &"7".into(), &"*.b.test".into())
        );
        let table = relay.run(&["explain", "a.test"]).stdout;
        assert!(
            table.contains("\nMTA-STS      a.test enforce; id 7; until "),
            "{table}"
        );

        // It outlives the process, and the record.
        relay.stop();
        world.remove("_mta-sts.a.test", RecordType::TXT).unwrap();
        relay.start_again();
        relay.wait_for("status=fine");
        Client::connect(relay.address).send("other@a.test");
        assert!(relay.wait_for("to=other@a.test").contains("sts=enforce"));
        assert_eq!(web.asked().len(), 1);

        assert_eq!(relay.print(&["flush", "a.test"]), "flushed a.test\n");
        Client::connect(relay.address).send("third@a.test");
        let line = relay.wait_for("to=third@a.test");
        assert!(
            line.contains("sts=-") && !line.contains("enhanced=4.7.5"),
            "{line}"
        );
    });
    done.await.unwrap();
}
