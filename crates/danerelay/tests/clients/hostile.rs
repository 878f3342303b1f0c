//! Clients whose words look like commands, paths or formats of something else.

use super::common::NO_DNS;
use super::{Relay, good, run};

const HOSTILE: &str = r#"
import smtplib, sys
with smtplib.SMTP("127.0.0.1", int(sys.argv[1])) as client:
    client.ehlo("$(touch${IFS}helo)")
    client.ehlo("client.example")
    for local in LOCAL:
        mailbox = '<"' + local + '"@'
        assert client.docmd("MAIL", "FROM:" + mailbox + "b.example> ENVID=../../../xxxx")[0] == 250, local
        assert client.docmd("RCPT", "TO:" + mailbox + "d.example> ORCPT=rfc822;../../xxxx@y")[0] == 250, local
        content = "Subject: " + local + "\r\nMessage-ID: <../../" + local + ">\r\n\r\n" + local + "\r\n"
        assert client.data(content.encode())[0] == 250, local
"#;

/// Local parts that a shell, a formatter, a database or a file system would act on.
const LOCAL: [&str; 6] = [
    "$(touch helo)",
    "`touch helo`",
    "%s%n{}{0}",
    "'; DROP TABLE messages; --",
    "../../../etc/passwd",
    "|/bin/sh -c exit",
];

#[test]
fn addresses_are_never_more_than_addresses() {
    let relay = Relay::start(NO_DNS);
    let script = format!("LOCAL = {LOCAL:?}\n{HOSTILE}");
    let port = relay.address.port().to_string();
    good(&run("python3", &["-", &port], &script));
    let mut queued: Vec<String> = relay
        .queue()
        .iter()
        .map(|message| message["recipients"][0]["address"].as_str().unwrap().to_owned())
        .collect();
    let mut given = LOCAL.map(|local| format!("\"{local}\"@d.example")).to_vec();
    queued.sort_unstable();
    given.sort_unstable();
    assert_eq!(queued, given);
    // Nothing stands outside the spool, and nothing in it has a name that a client gave.
    let mut names = Vec::new();
    files_below(relay.directory.path(), &mut names);
    for name in names {
        assert!(
            !["helo", "passwd", "xxxx", "DROP"]
                .iter()
                .any(|word| name.contains(word)),
            "{name}"
        );
    }
}

fn files_below(directory: &std::path::Path, names: &mut Vec<String>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        names.push(entry.file_name().to_string_lossy().into_owned());
        if entry.file_type().unwrap().is_dir() {
            files_below(&entry.path(), names);
        }
    }
}
