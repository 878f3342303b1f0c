//! Real clients hand over mail, each in its own way. Each message arrives as it was given.

use danerelay_tests::arena;
use danerelay_tests::letter::{Letter, SENDER};
use danerelay_tests::log::LogLine;
use danerelay_tests::make::Make;
use danerelay_tests::manual::migration;
use danerelay_tests::postfix::Postfix;
use danerelay_tests::process::{Daemon, command, output, run, words};
use danerelay_tests::relay::{DnsMode, HOST, PORT};
use danerelay_tests::server::{BACK, FRONT, Submit};
use danerelay_tests::stage::{Cast, Stage};
use danerelay_tests::wait;
use danerelay_tests::world::GOOD;
use std::fs;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Where the relay listens for TLS from the first octet.
const IMPLICIT: u16 = 4650;
/// Where `HAProxy` listens, and from where it connects to the relay.
const PROXY: (&str, u16) = ("127.0.0.3", 2626);
const BEHIND_PROXY: &str = "127.0.0.4";

const AIOSMTPLIB: &str = r#"
import aiosmtplib, asyncio, sys
host, port, sender, recipient, letter = sys.argv[1:]
asyncio.run(aiosmtplib.send(
    open(letter, "rb").read(), sender=sender, recipients=[recipient], hostname=host, port=int(port),
    username="user", password="secret", start_tls=True, validate_certs=False))
"#;

const NODEMAILER: &str = r#"
const [host, port, from, to, letter] = process.argv.slice(2);
const transport = require("/usr/share/nodejs/nodemailer").createTransport({
    host, port, secure: true, auth: { user: "user", pass: "secret" }, tls: { rejectUnauthorized: false },
});
transport.sendMail({ envelope: { from, to }, raw: require("fs").readFileSync(letter) }, (error) => {
    if (error) throw error;
});
"#;

#[test]
fn programs_that_send() {
    arena::run("handover::programs_that_send", |directory| {
        let stage = stage(directory);
        for (name, program, arguments) in programs(directory) {
            let letter = Letter::new(name, &format!("{name}@{GOOD}"));
            hand_over(directory, &letter, program, &arguments);
            letter.assert_same(&stage.world.back.receive(&letter));
            let id = stage
                .relay
                .delivery(&letter.recipient, "sent")
                .get("id")
                .to_owned();
            let accepted = accepted(directory, &id);
            assert!(accepted.contains(" tls=TLSv1.3:"), "{accepted}");
            assert!(accepted.contains(", auth=user, "), "{accepted}");
        }
    });
}

/// The name of each, its program, and the arguments with which it logs in and sends; see [`hand_over`].
fn programs(directory: &Path) -> [(&'static str, &'static str, String); 5] {
    let place = |name: &str, text: &str| {
        let path = directory.join(name);
        fs::write(&path, text).unwrap();
        // msmtp wants a password to be its owner's alone.
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        path.display().to_string()
    };
    let msmtp = format!(
        "account default\nhost {HOST}\nport {PORT}\ntls on\ntls_certcheck off\nauth plain\nuser user\n\
         password secret\nfrom {SENDER}\n"
    );
    let msmtp = place("msmtprc", &msmtp);
    let aiosmtplib = place("with_aiosmtplib.py", AIOSMTPLIB);
    let nodemailer = place("with_nodemailer.js", NODEMAILER);
    [
        ("msmtp", "msmtp", format!("--file={msmtp} TO")),
        (
            "curl",
            "curl",
            format!(
                "--silent --show-error --insecure --user user:secret --url smtps://{HOST}:{IMPLICIT}/client.test \
                 --mail-from {SENDER} --mail-rcpt TO --upload-file CRLF"
            ),
        ),
        (
            "swaks",
            "swaks",
            format!(
                "--server {HOST} --port {PORT} --tls --auth LOGIN --auth-user user --auth-password secret \
                 --from {SENDER} --to TO --data @LETTER"
            ),
        ),
        (
            "aiosmtplib",
            // Debian's, which has Debian's modules.
            "/usr/bin/python3",
            format!("{aiosmtplib} {HOST} {PORT} {SENDER} TO CRLF"),
        ),
        (
            "nodemailer",
            "node",
            format!("{nodemailer} {HOST} {IMPLICIT} {SENDER} TO CRLF"),
        ),
    ]
}

/// Runs the program with the letter as its standard input. `TO` among its arguments is the recipient, `CRLF` the letter
/// with the line ends of mail, and `@LETTER` that as swaks wants it, without its last line end.
fn hand_over(directory: &Path, letter: &Letter, program: &str, arguments: &str) {
    let [plain, crlf, input] = ["plain", "crlf", "input"].map(|name| directory.join(name));
    let text = letter.text();
    fs::write(&plain, text.strip_suffix(b"\n").unwrap()).unwrap();
    fs::write(&input, text).unwrap();
    let lines: Vec<&[u8]> = text.split(|octet| *octet == b'\n').collect();
    fs::write(&crlf, lines.join(&b"\r\n"[..])).unwrap();
    let arguments = arguments.split(' ').map(|argument| match argument {
        "TO" => letter.recipient.clone(),
        "CRLF" => crlf.display().to_string(),
        "@LETTER" => format!("@{}", plain.display()),
        other => other.to_owned(),
    });
    run(command(program)
        .args(arguments)
        .stdin(fs::File::open(&input).unwrap()));
}

/// `HAProxy` says whose connection it passes on, and that client decides.
#[test]
fn haproxy_says_who_the_client_is() {
    arena::run("handover::haproxy_says_who_the_client_is", |directory| {
        let stage = stage(directory);
        let configuration = directory.join("haproxy.cfg");
        let (host, port) = PROXY;
        let text = format!(
            "defaults\n mode tcp\n timeout connect 10s\n timeout client 60s\n timeout server 60s\n\
             frontend mail\n bind {host}:{port}\n default_backend relay\n\
             backend relay\n server relay {HOST}:{PORT} send-proxy-v2 source {BEHIND_PROXY}\n"
        );
        fs::write(&configuration, text).unwrap();
        let log = directory.join("haproxy.log");
        let _haproxy = Daemon::start(command("haproxy").arg("-db").arg("-f").arg(configuration), &log);
        wait::until_listening("HAProxy", format!("{host}:{port}").parse().unwrap());
        let letter = Letter::new("haproxy", &format!("haproxy@{GOOD}"));
        let swaks = |from: &str| {
            format!(
                "--server {host} --port {port} --local-interface {from} --from {SENDER} --to TO --data @LETTER"
            )
        };
        let stranger =
            output(command("swaks").args(swaks(BACK).replace("TO", "a@b.test").split(' ').take(10)));
        assert!(words(&stranger).contains("550 5.7.1 "), "{}", words(&stranger));
        hand_over(directory, &letter, "swaks", &swaks(FRONT));
        letter.assert_same(&stage.world.back.receive(&letter));
        let id = stage
            .relay
            .delivery(&letter.recipient, "sent")
            .get("id")
            .to_owned();
        assert!(accepted(directory, &id).contains(&format!(" client=unknown [{FRONT}], ")));
    });
}

/// Postfix takes mail from others and hands it on under TLS, saying where it came from. It sends DSN parameters, addresses
/// beyond ASCII, and large messages, over many connections at once.
#[test]
fn postfix_passes_on_for_others() {
    arena::run("handover::postfix_passes_on_for_others", |directory| {
        let stage = stage(directory);
        let postfix = Postfix::taking(
            directory,
            &format!(
                "relayhost = [{HOST}]:{PORT}\nsmtp_bind_address = {FRONT}\nsmtp_tls_security_level = encrypt\n\
                 smtp_send_xforward_command = yes\nmynetworks = {BACK}/32"
            ),
        );
        let letter = Letter::new("forwarded", &format!("forwarded@{GOOD}"));
        let swaks =
            format!("--server {FRONT} --local-interface {BACK} --from {SENDER} --to TO --data @LETTER");
        hand_over(directory, &letter, "swaks", &swaks);
        letter.assert_same(&stage.world.back.receive(&letter));
        let line: LogLine = stage.relay.delivery(&letter.recipient, "sent");
        let taken = accepted(directory, line.get("id"));
        assert!(
            taken.contains(&format!(" orig_client=unknown [{BACK}], ")),
            "{taken}"
        );
        assert!(taken.contains(" tls=TLSv1.3:"), "{taken}");

        let abroad = Letter::new("abroad", &format!("gr\u{fc}n@{GOOD}"));
        postfix.submit(&abroad);
        abroad.assert_same(&stage.world.back.receive(&abroad));

        let sent = |log: &str| log.lines().filter(|line| line.contains("status=sent")).count();
        let log = || fs::read_to_string(directory.join("relay.log")).unwrap();
        let before = sent(&log());
        let relay = format!("{HOST}:{PORT}");
        for (messages, size) in [("60", "3000"), ("2", "8000000")] {
            let to = format!("source@{GOOD}");
            run(command("smtp-source").args([
                "-s", "10", "-m", messages, "-l", size, "-f", SENDER, "-t", &to, &relay,
            ]));
        }
        wait::until("62 messages of smtp-source", || {
            (sent(&log()) >= before + 62).then_some(())
        });
    });
}

/// Each step of the migration from a Postfix that verifies by itself leads all mail through the relay. Nothing answers at
/// the policy server's place: it is not asked about the hop to the relay.
#[test]
fn postfix_as_the_page_on_migration_says() {
    arena::run("handover::postfix_as_the_page_on_migration_says", |directory| {
        let cast = Cast {
            front: Make::Exim,
            back: Make::Exim,
            mode: DnsMode::TrustAd,
        };
        let stage = Stage::set(directory, cast);
        let steps = migration();
        let [one, hop, all] = steps[..] else {
            panic!("{steps:?}")
        };
        let verified = "smtp_dns_support_level = dnssec\nsmtp_tls_security_level = dane-only";
        let beside = format!("{verified}\n{}\n{hop}", one.replace("example.nl", GOOD));
        for (name, settings) in [("beside", beside.as_str()), ("all", all)] {
            let place = directory.join(name);
            fs::create_dir(&place).unwrap();
            let postfix = Postfix::front(&place, settings);
            let letter = Letter::new(name, &format!("{name}@{GOOD}"));
            postfix.submit(&letter);
            letter.assert_same(&stage.world.back.receive(&letter));
            let line = stage.relay.delivery(&letter.recipient, "sent");
            assert_eq!(line.get("dane"), "Verify (Secure TLSA RRs found)", "{name}");
        }
    });
}

/// The world with a relay that has TLS, a user, and proxies.
fn stage(directory: &Path) -> Stage {
    let cast = Cast {
        front: Make::Exim,
        back: Make::Postfix,
        mode: DnsMode::TrustAd,
    };
    let mut stage = Stage::set(directory, cast);
    stage
        .relay
        .write("relay.pem", &stage.world.certificates.key_and_chain);
    stage.relay.write("users", "");
    let [listen, access] = ["[listen]\n", "[access]\nnetworks = [\""];
    stage.relay.change(&[
        (
            listen,
            &format!(
                "{listen}smtps = [\"{HOST}:{IMPLICIT}\"]\ntls_certificate = \"relay.pem\"\ntls_key = \"relay.pem\"\n\
                 proxy_protocol_from = [\"{BEHIND_PROXY}/32\"]\nxclient_from = [\"{FRONT}/32\"]\n"
            ),
        ),
        (access, &format!("[access]\nusers_file = \"users\"\nnetworks = [\"{HOST}/32\", \"")),
    ]);
    let secret = directory.join("secret");
    fs::write(&secret, "secret\n").unwrap();
    run(stage
        .relay
        .command(&["user", "add", "user"])
        .stdin(fs::File::open(secret).unwrap()));
    stage.relay.restart();
    stage
}

/// The line about this message's acceptance.
fn accepted(directory: &Path, id: &str) -> String {
    let log = fs::read_to_string(directory.join("relay.log")).unwrap();
    let mut lines = log.lines().filter(|line| line.ends_with(", event=accepted"));
    let id = format!(" id={id}, ");
    lines.find(|line| line.contains(&id)).expect(&log).to_owned()
}
