//! What the listener presents in TLS.

use super::{certificate, good, ports, relay_with_everything, run};

#[test]
fn certificate_and_users_are_read_again_when_they_change() {
    let relay = relay_with_everything();
    let [starttls, _] = ports(&relay).map(|port| port.to_string());
    let shown = || {
        let server = format!("127.0.0.1:{starttls}");
        let output = run(
            "openssl",
            &["s_client", "-connect", &server, "-starttls", "smtp"],
            "QUIT\r\n",
        );
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (_, rest) = text.split_once("-----BEGIN CERTIFICATE-----").expect(&text);
        rest.split_once("-----END").unwrap().0.to_owned()
    };
    let before = shown();
    // A key alone does not fit: what is there stays in force.
    certificate(relay.directory.path(), "next");
    std::fs::copy(relay.path("next.key"), relay.path("relay.key")).unwrap();
    relay.wait_for("status=refused");
    assert_eq!(shown(), before);
    std::fs::copy(relay.path("next.pem"), relay.path("relay.pem")).unwrap();
    relay.wait_for("status=loaded, event=clients");
    assert_ne!(shown(), before);
}

/// A reload is refused as a whole because of the certificate; the policy is taken up by itself all the same.
#[test]
fn a_reload_that_is_refused_swallows_no_change_of_the_policy() {
    let relay = relay_with_everything();
    let rule = "version = 1\n[[domain]]\nmatch = \"good.test\"\ndane = \"strict\"\n";
    std::fs::write(relay.path("policy.toml"), rule).unwrap();
    let certificate = std::fs::read(relay.path("relay.pem")).unwrap();
    std::fs::write(relay.path("relay.pem"), "rubbish").unwrap();
    let end = relay.run(&["reload"]);
    assert_eq!(end.status, 2, "{}", end.stderr);
    std::fs::write(relay.path("relay.pem"), certificate).unwrap();
    relay.wait_for("status=loaded, file=");
    let shown = relay.run(&["explain", "good.test"]).stdout;
    assert!(shown.contains("dane strict"), "{shown}");
}

/// What is offered by versions: nothing below TLS 1.2 (RFC 9325 §3.1.1).
#[test]
fn old_versions_are_refused() {
    let relay = relay_with_everything();
    let [_, implicit] = ports(&relay).map(|port| port.to_string());
    let server = format!("127.0.0.1:{implicit}");
    for (version, works) in [("-tls1_1", false), ("-tls1_2", true), ("-tls1_3", true)] {
        let arguments = [
            "s_client",
            "-connect",
            &server,
            "-cipher",
            "ALL:@SECLEVEL=0",
            version,
        ];
        let output = run("openssl", &arguments, "QUIT\r\n");
        assert_eq!(output.status.success(), works, "{version}");
    }
}

/// RFC 7671 §8: records that `tlsa make` makes of the configured certificate fit what the listener presents, as OpenSSL
/// judges it, over STARTTLS and over TLS from the first octet; a record for another key does not.
#[test]
fn records_made_of_the_certificate_fit_the_listener() {
    let relay = relay_with_everything();
    let [starttls, implicit] = ports(&relay).map(|port| format!("127.0.0.1:{port}"));
    for (name, code) in [
        ("relay", "0 (ok)"),
        ("stranger", "65 (no matching DANE TLSA records)"),
    ] {
        let made = relay
            .run(&[
                "tlsa",
                "make",
                relay.path(&format!("{name}.pem")).to_str().unwrap(),
            ])
            .stdout;
        let (_, data) = made.split_once(" TLSA ").expect(&made);
        let data = data.lines().next().unwrap();
        assert!(data.starts_with("3 1 1 "), "{made}");
        for connection in [
            &["-connect", &starttls, "-starttls", "smtp"][..],
            &["-connect", &implicit],
        ] {
            let dane = ["-dane_tlsa_domain", "relay.example", "-dane_tlsa_rrdata", data];
            let output = run(
                "openssl",
                &[&["s_client"], connection, &dane].concat(),
                "QUIT\r\n",
            );
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(
                text.contains(&format!("Verify return code: {code}")),
                "{name}: {text}"
            );
        }
    }
}

/// RFC 9325 §3.3: even a client that offers compression gets none.
#[test]
fn tls_is_never_compressed() {
    let relay = relay_with_everything();
    let [_, implicit] = ports(&relay).map(|port| format!("127.0.0.1:{port}"));
    for version in ["-tls1_2", "-tls1_3"] {
        let output = run(
            "openssl",
            &["s_client", "-connect", &implicit, "-comp", version],
            "QUIT\r\n",
        );
        let text = good(&output);
        assert!(text.contains("Compression: NONE"), "{text}");
    }
}
