//! The commands as a shell sees them: what they print, where, and their exit status.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

fn danerelay(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_danerelay"))
        .args(arguments)
        .output()
        .unwrap()
}

fn status(output: &Output) -> i32 {
    output.status.code().expect("the program ends by itself")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A directory with a configuration file, and the path of the file.
fn configured(text: &str) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("danerelay.toml");
    std::fs::write(&file, text).unwrap();
    (directory, file)
}

fn with(file: &Path, arguments: &[&str]) -> Output {
    danerelay(&[&["--config", file.to_str().unwrap()], arguments].concat())
}

#[test]
fn help_and_version_are_no_failures() {
    let help = danerelay(&["--help"]);
    assert_eq!(status(&help), 0);
    for word in [
        "serve",
        "demo",
        "queue",
        "config",
        "--config <FILE>",
        "Exit status",
    ] {
        assert!(stdout(&help).contains(word), "{word}");
    }
    for command in [
        &["serve"][..],
        &["demo"],
        &["queue", "list"],
        &["config", "check"],
    ] {
        let help = danerelay(&[command, &["--help"]].concat());
        assert_eq!(status(&help), 0, "{command:?}");
        assert!(stdout(&help).contains("Usage: danerelay"), "{command:?}");
    }
    assert_eq!(
        stdout(&danerelay(&["--version"])),
        format!("danerelay {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn wrong_usage_is_2() {
    for arguments in [
        &[][..],
        &["server"],
        &["serve", "--fast"],
        &["queue"],
        &["queue", "list", "--id", "x"],
    ] {
        let output = danerelay(arguments);
        assert_eq!(status(&output), 2, "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_bare_address_is_told_how_to_stand_in_brackets() {
    for (bare, bracketed) in [
        ("192.0.2.1", "[192.0.2.1]"),
        ("u@192.0.2.1", "[192.0.2.1]"),
        ("2001:db8::1", "[IPv6:2001:db8::1]"),
    ] {
        let output = danerelay(&["explain", bare]);
        assert_eq!(status(&output), 2, "{bare}");
        let words = format!("an address stands in brackets, {bracketed}");
        assert!(stderr(&output).contains(&words), "{}", stderr(&output));
    }
}

#[test]
fn a_wrong_configuration_is_2_for_every_command_that_reads_it() {
    let (_directory, file) = configured("version = 1\n[delivery]\n  conections = 5\n");
    for command in [
        &["serve"][..],
        &["queue", "list"],
        &["config", "check"],
        &["config", "show"],
    ] {
        let output = with(&file, command);
        assert_eq!(status(&output), 2, "{command:?}");
        let place = format!("{}:3:3: ", file.display());
        let words = stderr(&output);
        assert!(words.contains(&place), "{words}");
        assert!(words.contains("did you mean \"connections\"?"), "{words}");
    }
}

#[test]
fn a_named_file_that_is_missing_is_2() {
    let output = danerelay(&["config", "check", "-c", "/nonexistent/danerelay.toml"]);
    assert_eq!(status(&output), 2);
    assert!(stderr(&output).contains("/nonexistent/danerelay.toml"));
}

#[test]
fn a_wrong_policy_is_2_and_a_missing_one_only_where_it_is_named() {
    let (directory, file) = configured("version = 1\n");
    let missing = with(&file, &["config", "check"]);
    assert_eq!(status(&missing), 0, "{}", stderr(&missing));
    assert!(
        stdout(&missing).contains("policy.toml: does not exist"),
        "{}",
        stdout(&missing)
    );

    std::fs::write(
        directory.path().join("policy.toml"),
        "version = 1\n[default]\ndane = \"stritc\"\n",
    )
    .unwrap();
    let wrong = with(&file, &["config", "check"]);
    assert_eq!(status(&wrong), 2);
    assert!(stderr(&wrong).contains("policy.toml:3:8: "), "{}", stderr(&wrong));
    assert!(stderr(&wrong).contains("\"strict\""), "{}", stderr(&wrong));

    let (_directory, file) = configured("[policy]\nfile = \"other.toml\"\n");
    let named = with(&file, &["config", "check"]);
    assert_eq!(status(&named), 2);
    assert!(stderr(&named).contains("other.toml"), "{}", stderr(&named));
}

#[test]
fn check_warns_of_what_is_not_available() {
    let (_directory, file) = configured("hostname = \"relay.example\"\n[spool]\nurl = \"a\"\n");
    let output = with(&file, &["config", "check"]);
    assert_eq!(status(&output), 0);
    let warnings: Vec<String> = stderr(&output).lines().map(str::to_owned).collect();
    let [warning] = warnings.as_slice() else {
        panic!("{warnings:?}")
    };
    assert!(
        warning.contains(":3:1: `spool.url`") && warning.contains("not available in this version"),
        "{warning}"
    );
}

#[test]
fn the_template_is_a_good_configuration() {
    let template = danerelay(&["config", "template"]);
    assert_eq!(status(&template), 0);
    let text = stdout(&template).replace("#hostname = \"\"", "hostname = \"relay.example\"");
    let (_directory, file) = configured(&text);
    let check = with(&file, &["config", "check"]);
    assert_eq!((status(&check), stderr(&check)), (0, String::new()));
}

#[test]
fn check_warns_of_what_is_hardly_meant_and_with_strict_that_is_1() {
    let clean = "hostname = \"relay.example\"\n";
    let elsewhere = "hostname = \"relay.example\"\n[listen]\nsmtp = [\"192.0.2.1:25\"]\n[delivery]\nsource_addresses = [\"192.0.2.1\"]\n";
    let spool = "hostname = \"relay.example\"\n[limits]\nspool_free = \"9000 TiB\"\n[spool]\npath = \".\"\n";
    let logging =
        "hostname = \"relay.example\"\n[spool]\npath = \"spool\"\n[log]\ntarget = \"nowhere/log\"\n";
    for (text, policy, expected) in [
        (clean, "version = 1\n", &[][..]),
        (
            "hostname = \"relay\"\n",
            "",
            &["danerelay.toml:1:1: `hostname` is \"relay\", a name without a domain"],
        ),
        (
            "hostname = \"relay.example\"\n[listen]\nsmtp = [\"127.0.0.1:2525\"]\n",
            "[default]\nroute = \"[127.0.0.1]:2525\"\n",
            &[
                "the policy sends mail to [127.0.0.1]:2525, where this relay itself listens: it would go round",
            ],
        ),
        (
            "hostname = \"relay.example\"\n[listen]\nsmtp = [\"127.0.0.1:2525\"]\n",
            "[default]\nroute = \"[127.0.0.1]:2526\"\n",
            &[],
        ),
        (
            "hostname = \"relay.example\"\n[listen]\nsmtp = []\n",
            "",
            &["danerelay.toml:3:1: `listen.smtp` is empty: no mail is taken"],
        ),
        (
            elsewhere,
            "",
            &[
                "danerelay.toml:3:1: `listen.smtp` has 192.0.2.1, which is no address of this machine",
                "danerelay.toml:5:1: `delivery.source_addresses` has 192.0.2.1, which is no address of this machine",
            ],
        ),
        (
            spool,
            "",
            &["danerelay.toml:3:1: `limits.spool_free` is 9000 TiB, and the disk of "],
        ),
        (
            logging,
            "",
            &[
                "danerelay.toml:3:1: `spool.path`: ",
                "danerelay.toml:5:1: `log.target`: there is no directory ",
            ],
        ),
        (
            clean,
            "[[exception]]\ndomain = \"a.example\"\ndane = \"off\"\nuntil = 2020-01-31\nreason = \"r\"\n",
            &["policy.toml:4: this exception has expired on 2020-01-31"],
        ),
        (
            clean,
            "[[list]]\nkind = \"danefail\"\nfile = \"danerelay.toml\"\n",
            &["policy.toml:3: "],
        ),
        (
            "hostname = \"relay.example\"\n[dns]\nmode = \"trust-ad\"\nservers = [\"127.0.0.1\"]\n",
            "[[exception]]\ndomain = \"a.example\"\ndnssec = \"off\"\nuntil = 2999-01-31\nreason = \"r\"\n",
            &["the exception from DNSSEC for \"a.example\" has no effect"],
        ),
    ] {
        let (directory, file) = configured(text);
        std::fs::write(directory.path().join("policy.toml"), policy).unwrap();
        let output = with(&file, &["config", "check"]);
        let said = stderr(&output);
        assert_eq!(status(&output), 0, "{text}{said}");
        assert_eq!(said.lines().count(), expected.len(), "{text}{said}");
        for (line, words) in said.lines().zip(expected) {
            assert!(
                line.starts_with("warning: ") && line.contains(words),
                "{words}\n{said}"
            );
            assert!(!line.contains("os error"), "{line}");
        }
        let strict = with(&file, &["config", "check", "--strict"]);
        assert_eq!(status(&strict), i32::from(!expected.is_empty()), "{text}");
        assert_eq!(stderr(&strict), said);
    }
}

#[test]
fn check_looks_into_the_files_that_are_named() {
    for (key, text) in [
        ("[dns]\ntrust_anchor", "no.record\n"),
        ("[tls]\nwebpki_roots", "no certificate\n"),
    ] {
        let (directory, file) = configured(&format!("hostname = \"relay.example\"\n{key} = \"named\"\n"));
        let named = directory.path().join("named");
        assert_eq!(status(&with(&file, &["config", "check"])), 2, "{key}: missing");
        std::fs::write(&named, text).unwrap();
        let wrong = with(&file, &["config", "check"]);
        assert_eq!(status(&wrong), 2, "{key}: {}", stderr(&wrong));
    }
}

#[test]
fn show_names_the_origin_of_each_setting() {
    let (_directory, file) = configured("hostname = \"relay.example\"\n");
    let shown = stdout(&with(&file, &["config", "show"]));
    assert!(
        shown.contains("hostname = \"relay.example\"  # danerelay.toml:1\n"),
        "{shown}"
    );
    assert!(
        shown.contains("port = 25  # default: RFC 5321 §2.3.4\n"),
        "{shown}"
    );
}

#[test]
fn a_queue_that_does_not_exist_is_2() {
    let (_directory, file) = configured("[spool]\npath = \"spool\"\n");
    let output = with(&file, &["queue", "list"]);
    assert_eq!(status(&output), 2);
    assert!(
        stderr(&output).contains("there is no spool in"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn an_address_that_is_taken_is_1() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let (_directory, file) = configured(&format!(
        "hostname = \"relay.example\"\n[listen]\nsmtp = [\"{address}\"]\n[spool]\npath = \"spool\"\n\
         [dns]\nservers = [\"127.0.0.1\"]\n[log]\ntarget = \"log\"\n"
    ));
    let output = with(&file, &["serve"]);
    assert_eq!(status(&output), 1);
    let words = format!("cannot listen on {address}: ");
    assert!(stderr(&output).contains(&words), "{}", stderr(&output));
    let log = std::fs::read_to_string(file.with_file_name("log")).unwrap();
    assert!(log.contains(&words) && log.contains("event=not-started"), "{log}");
}

#[test]
fn a_resolver_elsewhere_is_not_believed() {
    let (_directory, file) = configured("[dns]\nmode = \"trust-ad\"\nservers = [\"192.0.2.53\"]\n");
    let output = with(&file, &["serve"]);
    assert_eq!(status(&output), 2);
    assert!(
        stderr(&output).contains(":3:11: ") && stderr(&output).contains("loopback"),
        "{}",
        stderr(&output)
    );
}

/// A report in one of the forms in which it may come.
fn report(form: &str) -> PathBuf {
    let corpus = "../../tests/fuzz/corpus/tlsrpt_report";
    Path::new(env!("CARGO_MANIFEST_DIR")).join(corpus).join(form)
}

fn read_report(file: &Path, options: &[&str]) -> Output {
    danerelay(&[&["tlsrpt", "read", file.to_str().unwrap()], options].concat())
}

#[test]
fn tlsrpt_read_says_in_words_what_a_report_means() {
    for form in ["mail", "mbox", "forwarded", "gzip", "rfc"] {
        let read = read_report(&report(form), &[]);
        assert_eq!(status(&read), 1, "{form}: {}", stderr(&read));
        let text = stdout(&read);
        for words in [
            "TLS report by Company-X, contact sts-reporting@company-x.example\n",
            "company-y.example: MTA-STS policy\n    version: STSv1\n    mode: testing\n",
            "  5326 sessions met it, 303 did not (5.3 %)\n",
            "  starttls-not-supported: 200 sessions\n    200 x at mx2.mail.company-y.example [203.0.113.56], tried from",
            "    Meaning: The server did not offer STARTTLS to this sender, or refused it.\n    To do:   Turn STARTTLS on",
            ": X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED\n",
            "303 of 5629 sessions failed.\n",
        ] {
            assert!(text.contains(words), "{form}: {words:?} in {text}");
        }
    }
    let mailed = stdout(&read_report(&report("mail"), &[]));
    assert!(
        mailed.contains(
            "mailed by tlsrpt@company-x.example, signed by company-x.example (not verified here)\n"
        )
    );
    let unsigned = stdout(&read_report(&report("mbox"), &[]));
    assert!(
        unsigned.contains("Note: the mail has no DKIM signature"),
        "{unsigned}"
    );
    let quiet = read_report(&report("nothing"), &[]);
    assert_eq!(status(&quiet), 0);
    assert!(stdout(&quiet).contains("No failures in 0 sessions."));
}

#[test]
fn tlsrpt_read_prints_what_the_manual_shows() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/tlsrpt.md");
    let page = std::fs::read_to_string(page).unwrap();
    let sample = page.split("$ danerelay tlsrpt read report.eml\n").nth(1).unwrap();
    let sample = sample.split("```").next().unwrap();
    let text = stdout(&read_report(&report("mail"), &[]));
    let (first, last) = sample.split_once("[…]\n").unwrap();
    assert!(text.starts_with(first) && text.ends_with(last), "{text}");
}

#[test]
fn tlsrpt_read_has_json() {
    let read = read_report(&report("mail"), &["--json"]);
    assert_eq!(status(&read), 1);
    let value: serde_json::Value = serde_json::from_str(&stdout(&read)).unwrap();
    let text = |path: &str| value.pointer(path).unwrap().as_str().unwrap().to_owned();
    assert_eq!(text("/organization"), "Company-X");
    assert_eq!(text("/policies/0/type"), "sts");
    assert_eq!(
        text("/policies/0/failures/0/mx_host"),
        "mx1.mail.company-y.example"
    );
    assert_eq!(text("/mail/signed_by/0"), "company-x.example");
    assert_eq!(value.get("failed").unwrap(), 303);
    assert_eq!(text("/meanings/0/result"), "starttls-not-supported");
    assert!(!text("/meanings/0/advice").is_empty());
}

#[test]
fn tlsrpt_read_says_what_is_no_report() {
    let missing = read_report(&report("missing"), &[]);
    assert_eq!(status(&missing), 2);
    assert!(
        stderr(&missing).contains("tlsrpt_report/missing: "),
        "{}",
        stderr(&missing)
    );
    for (form, words) in [
        (
            "plain_mail",
            "plain_mail: it is mail without a report: it has text/html; wanted: a part of application/tlsrpt+gzip",
        ),
        (
            "no_report",
            "no_report: it is JSON, but no TLS report (RFC 8460 section 4.4): there is no \"policies\"",
        ),
    ] {
        let read = read_report(&report(form), &[]);
        assert_eq!(status(&read), 2);
        assert!(stderr(&read).contains(words), "{}", stderr(&read));
        assert_eq!(stdout(&read), "");
    }
}

#[test]
fn tlsrpt_read_obeys_no_report() {
    use std::io::Write as _;
    let hostile = "{\"organization-name\": \"\\u001b]0;title\\u0007\\u202e\", \"policies\": [{\"policy\": {\"policy-string\": \
                   [\"a\\nb\"]}, \"failure-details\": [{\"result-type\": \"x\\n\\n0 of 0 sessions failed.\", \
                   \"failed-session-count\": 1}]}], \"contact-info\": \"a@x\\n\\n0 of 0 sessions failed.\"}";
    let hostile = format!("TLS-Report-Submitter: y\nContent-Type: application/tlsrpt+json\n\n{hostile}");
    let mut child = Command::new(env!("CARGO_BIN_EXE_danerelay"))
        .args(["tlsrpt", "read", "-"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(hostile.as_bytes()).unwrap();
    let read = child.wait_with_output().unwrap();
    assert_eq!(status(&read), 1);
    let text = stdout(&read);
    assert!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{text}");
    assert!(text.contains("    a\\x0Ab\n"), "{text}");
    assert!(!text.contains("\n0 of 0"), "{text}");
}

/// Durations and dates that are out of range are refused, and none ends the program.
#[test]
fn the_last_day_of_an_exception_has_bounds() {
    let (_directory, file) = configured("state_directory = \"state\"\n[admin]\nsocket = \"\"\n");
    for until in ["7304484d", "7304485d", "2147483647d", "99999999999999d", "36501d"] {
        let output = with(
            &file,
            &["danefail", "add", "a.example", "--reason", "r", "--until", until],
        );
        assert_eq!(status(&output), 2, "{until}: {}", stderr(&output));
        assert!(
            stderr(&output).contains("from 1d to 36500d"),
            "{}",
            stderr(&output)
        );
    }
}

/// Whoever asks without being able to read all of the policy is told so, and gets no all-clear.
#[test]
fn what_cannot_be_read_of_the_policy_is_said() {
    let (directory, file) = configured("state_directory = \"state\"\n[admin]\nsocket = \"\"\n");
    // A directory: nobody can read that as a file, not even root.
    std::fs::create_dir_all(directory.path().join("state/exceptions.toml")).unwrap();
    let listed = with(&file, &["danefail", "list"]);
    assert_eq!((status(&listed), stdout(&listed)), (0, String::new()));
    let said = "the exceptions that were added by commands cannot be read, and do not count here";
    assert!(stderr(&listed).contains(said), "{}", stderr(&listed));
    let listed = with(&file, &["danefail", "list", "--json"]);
    let listed: serde_json::Value = serde_json::from_str(&stdout(&listed)).unwrap();
    let unread = listed["unread"].as_array().unwrap();
    assert!(
        unread.len() == 1 && unread[0].as_str().unwrap().contains("exceptions.toml"),
        "{listed}"
    );
    let tested = with(&file, &["danefail", "recheck", "a.example"]);
    assert_eq!(status(&tested), 3, "{}", stderr(&tested));
    assert!(
        stderr(&tested).contains("a.example is not excepted by what can be read"),
        "{}",
        stderr(&tested)
    );
}

/// Each entry of an imported list turns DANE off for somebody: a file that is no list adds none.
#[test]
fn what_is_no_list_is_not_imported() {
    let (directory, file) = configured("state_directory = \"state\"\n[admin]\nsocket = \"\"\n");
    let wrong = directory.path().join("wrong");
    let long = vec![b'#'; 16 * 1024 * 1024 + 1];
    for (octets, words) in [
        (
            &b"<html>\n<head>\nbody\nexample.com\n"[..],
            "is an HTML page and no list of domains; nothing was added",
        ),
        (
            b"a page about\nwhat went wrong\nat this server\nexample.com\n",
            "is no list of domains: most of its lines are no domain; nothing was added",
        ),
        (b"a.example\n\0\n", "it has NUL octets"),
        (&long, "larger than 16 MiB"),
    ] {
        std::fs::write(&wrong, octets).unwrap();
        let imported = with(&file, &["danefail", "import", wrong.to_str().unwrap()]);
        assert_eq!(status(&imported), 2, "{words}: {}", stderr(&imported));
        assert!(
            stderr(&imported).contains(words),
            "{words} is not in: {}",
            stderr(&imported)
        );
    }
    assert!(!directory.path().join("state/exceptions.toml").exists());
    std::fs::write(&wrong, "<html>\nexample.com\n").unwrap();
    let compared = with(&file, &["danefail", "compare", wrong.to_str().unwrap()]);
    assert_eq!(status(&compared), 2, "{}", stderr(&compared));
    // Of a long reason the beginning is kept.
    std::fs::write(&wrong, format!("a.example # {}\n", "x".repeat(5000))).unwrap();
    let imported = with(&file, &["danefail", "import", wrong.to_str().unwrap()]);
    assert_eq!(status(&imported), 0, "{}", stderr(&imported));
    let written = std::fs::read_to_string(directory.path().join("state/exceptions.toml")).unwrap();
    assert!(written.contains(&format!("reason = \"{}\"", "x".repeat(1000))));
}
