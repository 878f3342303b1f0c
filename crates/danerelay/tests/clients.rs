//! Real clients with the daemon: TLS, users and certificates as its configuration says them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod common;

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use common::{End, NO_DNS, Relay, configuration};
use tempfile::TempDir;

/// The program, or `None` where it is not installed: `tests/run` brings all of them.
fn run(program: &str, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}; `tests/run` brings it"));
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn good(output: &Output) -> String {
    let end = End::of(output);
    assert_eq!(end.status, 0, "{}{}", end.stdout, end.stderr);
    end.stdout
}

/// A certificate and its key, in these files.
fn certificate(directory: &Path, name: &str) {
    let path = |kind: &str| directory.join(format!("{name}.{kind}")).display().to_string();
    let (key, pem) = (path("key"), path("pem"));
    good(&run(
        "openssl",
        &[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=relay.example",
            "-keyout",
            &key,
            "-out",
            &pem,
        ],
        "",
    ));
}

/// What the administrator is told to type for `access.client_certificates`.
fn key_digest(directory: &Path, name: &str) -> String {
    let line = format!(
        "openssl x509 -in {name}.pem -noout -pubkey | openssl pkey -pubin -outform DER | openssl dgst -sha256 -c"
    );
    let output = Command::new("sh")
        .args(["-c", &line])
        .current_dir(directory)
        .output()
        .unwrap();
    let text = good(&output);
    text.trim().rsplit(' ').next().unwrap().to_owned()
}

/// A configuration with everything about clients in it, and nobody who may relay by address.
fn with_everything() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for name in ["relay", "client", "stranger"] {
        certificate(directory.path(), name);
    }
    let digest = key_digest(directory.path(), "client");
    let text = configuration(NO_DNS).replace(
        "smtp = [\"127.0.0.1:0\"]\n",
        "smtp = [\"127.0.0.1:0\"]\nsmtps = [\"127.0.0.1:0\"]\ntls_certificate = \"relay.pem\"\n\
         tls_key = \"relay.key\"\n",
    );
    let access =
        format!("[access]\nnetworks = []\nusers_file = \"users\"\nclient_certificates = [\"{digest}\"]\n");
    let file = directory.path().join("danerelay.toml");
    std::fs::write(file, format!("{text}{access}")).unwrap();
    directory
}

fn user(directory: &Path, arguments: &[&str], input: &str) -> End {
    let file = directory.join("danerelay.toml");
    let arguments = [&["-c", file.to_str().unwrap(), "user"], arguments].concat();
    End::of(&run(env!("CARGO_BIN_EXE_danerelay"), &arguments, input))
}

/// Both ports: STARTTLS and TLS from the first octet.
fn ports(relay: &Relay) -> [u16; 2] {
    let started = relay.wait_for("event=started");
    let (_, rest) = started.split_once("listen=\"").unwrap();
    let addresses = rest.split('"').next().unwrap().split(", ");
    let ports: Vec<u16> = addresses
        .map(|one| one.rsplit(':').next().unwrap().parse().unwrap())
        .collect();
    ports.try_into().unwrap()
}

#[test]
fn users_are_added_listed_and_removed() {
    let directory = with_everything();
    let user = |arguments: &[&str], input: &str| user(directory.path(), arguments, input);
    assert_eq!(user(&["list"], "").stdout, "");
    assert_eq!(
        user(&["add", "b@x.example"], "secret\n").stdout,
        "added b@x.example\n"
    );
    assert_eq!(user(&["add", "a"], "other").stdout, "added a\n");
    assert_eq!(user(&["add", "a"], "another\n").stdout, "changed a\n");
    assert_eq!(user(&["list"], "").stdout, "a\nb@x.example\n");
    let text = std::fs::read_to_string(directory.path().join("users")).unwrap();
    assert!(
        text.starts_with("b@x.example:$argon2id$") && !text.contains("secret"),
        "{text}"
    );
    let mode = std::fs::metadata(directory.path().join("users"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o640);
    assert_eq!(user(&["remove", "a"], "").stdout, "removed a\n");
    assert_eq!(user(&["remove", "a"], "").status, 1);
    for input in ["", "\n", "two\nlines\n"] {
        let end = user(&["add", "c"], input);
        assert_eq!(end.status, 2);
        assert!(end.stderr.contains("one line, not empty"), "{}", end.stderr);
    }
    // Never a part of what was given.
    let longest = "x".repeat(1024);
    assert_eq!(user(&["add", "long"], &format!("{longest}\r\n")).status, 0);
    for input in [
        format!("{longest}x\n"),
        format!("{longest}\u{e9}"),
        "x\n".repeat(1000),
    ] {
        let end = user(&["add", "c"], &input);
        assert_eq!(end.status, 2);
        assert_eq!(
            end.stderr.contains("longer than 1,024 octets"),
            input.starts_with("xx"),
            "{}",
            end.stderr
        );
    }
    for name in ["", "a:b", "a b"] {
        assert_eq!(user(&["add", name], "x\n").status, 2, "{name}");
    }
    std::fs::write(directory.path().join("users"), "nonsense\n").unwrap();
    let end = user(&["add", "c"], "x\n");
    assert_eq!(end.status, 2);
    assert!(end.stderr.contains("line 1: "), "{}", end.stderr);
}

/// Python's smtplib logs in over both kinds of TLS, and is refused without.
const SMTPLIB: &str = r#"
import smtplib, ssl, sys
starttls, implicit = int(sys.argv[1]), int(sys.argv[2])
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
letter = "Subject: caf\u00e9\n\n.one dot\n" + "x" * 1200 + "\n"
letter = letter.replace("\n", "\r\n")
def send(client):
    client.sendmail("a@b.example", ["c@d.example", "e@f.example"], letter.encode())
with smtplib.SMTP("127.0.0.1", starttls) as client:
    try:
        send(client)
        sys.exit("relayed without a login")
    except smtplib.SMTPRecipientsRefused as refused:
        assert all(code == 550 for code, _ in refused.recipients.values()), refused
    client.starttls(context=context)
    try:
        client.login("user", "wrong")
        sys.exit("a wrong password")
    except smtplib.SMTPAuthenticationError as refused:
        assert refused.smtp_code == 535, refused
    client.login("user", "secret")
    send(client)
with smtplib.SMTP_SSL("127.0.0.1", implicit, context=context) as client:
    assert not client.has_extn("starttls")
    client.login("user", "secret")
    send(client)
"#;

#[test]
fn pythons_smtplib_logs_in_and_sends() {
    let directory = with_everything();
    assert_eq!(user(directory.path(), &["add", "user"], "secret\n").status, 0);
    let relay = Relay::start_in_any(directory);
    let [starttls, implicit] = ports(&relay).map(|port| port.to_string());
    good(&run("python3", &["-", &starttls, &implicit], SMTPLIB));
    let lines = relay.wait_for_lines("event=accepted", 2);
    for line in lines {
        assert!(
            line.contains("tls=TLSv1.3:TLS_AES_256_GCM_SHA384, auth=user, "),
            "{line}"
        );
    }
    let log = relay.log();
    assert!(!log.contains("c2VjcmV0") && !log.contains("AHVzZXI"), "{log}");
}

/// The certificate whose key may relay, and one whose key may not.
const CERTIFICATES: &str = r#"
import smtplib, ssl, sys
port, directory = int(sys.argv[1]), sys.argv[2]
for name, code in [("client", 250), ("stranger", 550)]:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(f"{directory}/{name}.pem", f"{directory}/{name}.key")
    with smtplib.SMTP_SSL("127.0.0.1", port, context=context) as client:
        client.ehlo()
        client.mail("a@b.example")
        assert client.rcpt("c@d.example")[0] == code, name
        if code == 250:
            assert client.data("Subject: x\r\n\r\nx\r\n")[0] == 250
"#;

#[test]
fn the_key_of_a_client_certificate_may_relay() {
    let directory = with_everything();
    assert_eq!(user(directory.path(), &["add", "user"], "secret\n").status, 0);
    let relay = Relay::start_in_any(directory);
    let [_, implicit] = ports(&relay).map(|port| port.to_string());
    let place = relay.directory.path().display().to_string();
    good(&run("python3", &["-", &implicit, &place], CERTIFICATES));
    assert!(relay.wait_for("event=accepted").contains(", auth=key:"));
}

/// From loopback a password may be said in clear.
#[test]
fn swaks_logs_in_by_each_mechanism() {
    let directory = with_everything();
    assert_eq!(user(directory.path(), &["add", "user"], "secret\n").status, 0);
    let relay = Relay::start_in_any(directory);
    let [starttls, _] = ports(&relay).map(|port| port.to_string());
    for mechanism in ["PLAIN", "LOGIN"] {
        let common = [
            "--server",
            "127.0.0.1",
            "--from",
            "a@b.example",
            "--to",
            "c@d.example",
            "--port",
            &starttls,
        ];
        let auth = [
            "--auth",
            mechanism,
            "--auth-user",
            "user",
            "--auth-password",
            "secret",
        ];
        good(&run("swaks", &[&common[..], &auth].concat(), ""));
    }
    relay.wait_for_lines(", auth=user, event=accepted", 2);
}

#[test]
fn certificate_and_users_are_read_again_when_they_change() {
    let directory = with_everything();
    assert_eq!(user(directory.path(), &["add", "user"], "secret\n").status, 0);
    let relay = Relay::start_in_any(directory);
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

/// What is offered by versions: nothing below TLS 1.2 (RFC 9325 §3.1.1).
#[test]
fn old_versions_are_refused() {
    let relay = {
        let directory = with_everything();
        assert_eq!(user(directory.path(), &["add", "user"], "secret\n").status, 0);
        Relay::start_in_any(directory)
    };
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
