//! Settings for clients that need something of their own.

use super::{Relay, good, ports, run, user, with_everything};

const OLD_CLIENT: &str = r#"
import smtplib, sys
with smtplib.SMTP("127.0.0.1", int(sys.argv[1])) as client:
    client.ehlo("old.example")
    client.login("user", "secret")
    assert client.mail("a@b.example")[0] == 550
    assert client.mail("a@c.example")[0] == 250
    assert client.rcpt("d@e.example")[0] == 250
    assert client.docmd("DATA")[0] == 354
    client.send(b"Subject: x\n\nx\n.\ny\r\n.\r\n")
    assert client.getreply()[0] == 250
"#;

#[test]
fn the_settings_for_old_clients_reach_the_listener() {
    let directory = with_everything();
    assert_eq!(user(directory.path(), &["add", "user"], "secret\n").status, 0);
    let file = directory.path().join("danerelay.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text
        .replace(
            "[listen]\n",
            "[listen]\nclient_in_received = false\nadd_missing_headers = true\n",
        )
        .replace("[limits]\n", "[limits]\nallow_bare_lf = true\n")
        .replace(
            "[access]\n",
            "[access]\nuser_senders = [\"user:c.example\", \"other:b.example\"]\n",
        );
    std::fs::write(&file, text).unwrap();
    let relay = Relay::start_in_any(directory);
    let [starttls, _] = ports(&relay).map(|port| port.to_string());
    good(&run("python3", &["-", &starttls], OLD_CLIENT));
    let id = relay.queue()[0]["id"].as_str().unwrap().to_owned();
    let content = relay.print(&["queue", "export", &id]).replace("\r\n", "\n");
    assert!(
        content.contains("Received: by relay.example with ESMTPA id "),
        "{content}"
    );
    assert!(
        !content.contains("127.0.0.1") && !content.contains("old.example"),
        "{content}"
    );
    let (_, own) = content.split_once("\nSubject: x\nDate: ").expect(&content);
    assert!(
        own.ends_with(&format!(" +0000\nMessage-ID: <{id}@relay.example>\n\nx\n.\ny\n")),
        "{content}"
    );
}
