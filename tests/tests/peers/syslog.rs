use danerelay_tests::arena;
use danerelay_tests::process::{Daemon, command, find, run};
use danerelay_tests::relay::{DnsMode, HOST, PORT, Relay};
use danerelay_tests::server::FRONT;
use danerelay_tests::wait;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;

/// What is shown of each line: facility, program and message, as rsyslog understands them.
const CONFIGURATION: &str = r#"
global(workDirectory="DIRECTORY" maxMessageSize="8k")
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="/dev/log" RateLimit.Interval="0")
template(name="shown" type="string" string="%syslogfacility-text%|%programname%|%msg%\n")
*.* action(type="omfile" file="DIRECTORY/syslog.log" template="shown")
"#;

/// More messages than the relay keeps lines of for a log that is gone (1 MiB): each has one of 400 octets when it is accepted.
const WHILE_GONE: usize = 4000;

/// A real rsyslog gets one line for each event, whatever is in it; mail goes on while it is gone, and afterwards the log says
/// how many lines are missing.
#[test]
fn rsyslog_gets_one_line_an_event_and_mail_goes_on_without_it() {
    arena::run(
        "syslog::rsyslog_gets_one_line_an_event_and_mail_goes_on_without_it",
        |directory| {
            have_an_own_dev(directory);
            let mut rsyslog = rsyslog(directory);
            let mut relay = Relay::start(directory, DnsMode::TrustAd, Path::new(""), "soft.test");
            let file = format!("target = \"{}\"", directory.join("relay.log").display());
            let networks = format!("{FRONT}/32");
            relay.change(&[
                (&file, "target = \"syslog\""),
                (&networks, "127.0.0.0/8"),
                ("retry = [\"2s\"]", "retry = [\"1h\"]"),
            ]);

            let mut client = Client::connect();
            let hostile = "<1\u{1b}[2J%s\u{7f}@x> event=delivery, status=sent";
            client.send(r#""a\"b \\ event=x"@one.test"#, hostile);
            client.send("two@two.test", &long("two"));
            let lines = lines_with(directory, "event=accepted", 2);
            for line in &lines {
                assert!(line.starts_with("mail|danerelay| id="), "{line}");
                assert!(line.ends_with(", event=accepted"), "{line}");
                // What rsyslog would have made of a control character.
                assert!(!line.contains("#0") && !line.contains("#1"), "{line}");
                assert!(line.len() < 2100, "{line}");
            }
            assert!(lines[0].contains(r"\x1B\x5B2J"), "{}", lines[0]);
            assert!(lines[1].contains("two"), "{}", lines[1]);

            rsyslog.kill();
            for number in 0..WHILE_GONE {
                client.send(&format!("n{number}@gone.test"), &long(&format!("n{number}-")));
            }
            let _back = self::rsyslog(directory);
            let lost = lines_with(directory, "lost=", 1);
            assert!(lost[0].contains("event=log"), "{}", lost[0]);
            client.send("back@back.test", "<back@x>");
            // The first of those lines were kept, and what came after the gap is there.
            lines_with(directory, "<n0-", 1);
            lines_with(directory, "<back@x>", 1);
            let kept = shown(directory);
            let kept = kept.iter().filter(|line| line.contains("event=accepted"));
            assert!(kept.count() < WHILE_GONE, "nothing was lost");
        },
    );
}

/// A Message-ID as long as a line of a header can be.
fn long(name: &str) -> String {
    format!("<{name}{}@long.test>", "x".repeat(950))
}

/// The devices that programs need, in a directory where the socket can be made. The tests' own directory may be in `/dev/shm`.
fn have_an_own_dev(directory: &Path) {
    let own = directory.join("dev");
    fs::create_dir(&own).unwrap();
    run(command("mount")
        .args(["-t", "tmpfs", "-o", "mode=755", "none"])
        .arg(&own));
    for device in ["null", "zero", "full", "random", "urandom"] {
        let place = own.join(device);
        fs::write(&place, "").unwrap();
        run(command("mount")
            .arg("--bind")
            .arg(Path::new("/dev").join(device))
            .arg(&place));
    }
    fs::create_dir(own.join("shm")).unwrap();
    run(command("mount").args(["--bind", "/dev/shm"]).arg(own.join("shm")));
    run(command("mount").arg("--rbind").arg(&own).arg("/dev"));
}

fn rsyslog(directory: &Path) -> Daemon {
    let place = directory.display().to_string();
    let configuration = directory.join("rsyslog.conf");
    fs::write(&configuration, CONFIGURATION.replace("DIRECTORY", &place)).unwrap();
    let _ = fs::remove_file("/dev/log");
    let mut rsyslogd = command(find("rsyslogd").expect("rsyslog"));
    rsyslogd.arg("-n").arg("-f").arg(configuration);
    rsyslogd.arg("-i").arg(directory.join("rsyslog.pid"));
    let daemon = Daemon::start(&mut rsyslogd, &directory.join("rsyslog-itself.log"));
    wait::until("rsyslog's socket", || {
        Path::new("/dev/log").exists().then_some(())
    });
    daemon
}

/// What rsyslog has written so far.
fn shown(directory: &Path) -> Vec<String> {
    let text = fs::read(directory.join("syslog.log")).unwrap_or_default();
    let text = String::from_utf8(text).expect("what the relay writes is UTF-8");
    text.lines().map(str::to_owned).collect()
}

/// Waits for so many lines with this text.
fn lines_with(directory: &Path, text: &str, count: usize) -> Vec<String> {
    wait::until(&format!("{count} lines with {text}"), || {
        let lines = shown(directory).into_iter();
        let found: Vec<String> = lines.filter(|line| line.contains(text)).collect();
        (found.len() >= count).then_some(found)
    })
}

struct Client(BufReader<TcpStream>);

impl Client {
    fn connect() -> Self {
        let mut client = Self(BufReader::new(TcpStream::connect((HOST, PORT)).unwrap()));
        client.hear("220");
        client.say("EHLO client.test", "250");
        client
    }

    fn send(&mut self, recipient: &str, message_id: &str) {
        self.say("MAIL FROM:<sender@client.test>", "250");
        self.say(&format!("RCPT TO:<{recipient}>"), "250");
        self.say("DATA", "354");
        self.say(&format!("Message-ID: {message_id}\r\n\r\nx\r\n."), "250");
    }

    fn say(&mut self, line: &str, code: &str) {
        self.0
            .get_mut()
            .write_all(format!("{line}\r\n").as_bytes())
            .unwrap();
        self.hear(code);
    }

    fn hear(&mut self, code: &str) {
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            assert!(line.starts_with(code), "{line}");
            if line.as_bytes().get(3) != Some(&b'-') {
                return;
            }
        }
    }
}
