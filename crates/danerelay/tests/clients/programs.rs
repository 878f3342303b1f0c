//! Real clients hand over mail; `tests/tests/peers` has more of them.

use super::{good, ports, relay_with_everything, run};

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
    let relay = relay_with_everything();
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
    let relay = relay_with_everything();
    let [_, implicit] = ports(&relay).map(|port| port.to_string());
    let place = relay.directory.path().display().to_string();
    good(&run("python3", &["-", &implicit, &place], CERTIFICATES));
    assert!(relay.wait_for("event=accepted").contains(", auth=key:"));
}

/// From loopback a password may be said in clear.
#[test]
fn swaks_logs_in_by_each_mechanism() {
    let relay = relay_with_everything();
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
