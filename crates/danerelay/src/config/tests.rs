//! What the file may say, and what is said about it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::io;
use std::path::Path;

use settings_file::{Document, FileError};

use super::load::parse;
use super::*;

fn read(text: &str) -> Result<Loaded, ConfigError> {
    parse(Path::new("/etc/danerelay/danerelay.toml"), Some(text.to_owned()))
}

fn faults(text: &str) -> Vec<FileError> {
    match read(text) {
        Ok(_) => panic!("accepted: {text}"),
        Err(ConfigError::Faults(faults)) => faults,
        Err(other) => panic!("{other}"),
    }
}

/// Each wrong text, where the fault is, and words that the message must hold.
const WRONG: [(&str, (usize, usize), &[&str]); 46] = [
    (
        "[access]\nnetworks = [\"0.0.0.0/1\", \"128.0.0.0/1\"]",
        (2, 12),
        &[
            "`access.networks` cannot be [\"0.0.0.0/1\", \"128.0.0.0/1\"]",
            "everybody on IPv4",
            "open relay",
        ],
    ),
    (
        "[access]\nnetworks = [\"127.0.0.0/8\", \"::/0\"]",
        (2, 12),
        &["everybody on IPv6", "allowed: the networks of your own clients"],
    ),
    (
        "[listen]\nsmtp = [\"127.0.0.1:25\", \"0.0.0.0:25\"]",
        (2, 8),
        &[
            "`listen.smtp` cannot be",
            "127.0.0.1:25 and 0.0.0.0:25 cannot both listen",
        ],
    ),
    (
        "[listen]\nsmtp = [\"[::ffff:127.0.0.1]:25\", \"[::]:25\"]",
        (2, 8),
        &[
            "[::ffff:127.0.0.1]:25 is an IPv4 address in IPv6 form",
            "allowed: \"127.0.0.1:25\"",
        ],
    ),
    (
        "[delivery]\nsource_addresses = [\"::ffff:192.0.2.1\"]",
        (2, 20),
        &[
            "::ffff:192.0.2.1 is an IPv4 address in IPv6 form",
            "allowed: \"192.0.2.1\"",
        ],
    ),
    (
        "hostnam = \"a.example\"",
        (1, 1),
        &["unknown key \"hostnam\"", "did you mean \"hostname\""],
    ),
    (
        "version = 1\n[listen]\n  smpt = []",
        (3, 3),
        &["\"smpt\"", "\"smtp\"?", "allowed here: ", "\"smtps\""],
    ),
    (
        "[delivery.timeouts]\nbaner = \"5m\"",
        (2, 1),
        &["\"baner\"", "\"banner\"?"],
    ),
    (
        "[polcy]\nfile = \"x\"",
        (1, 2),
        &["unknown key \"polcy\"", "\"policy\"?"],
    ),
    (
        "dns = { self_test = { secur = [] } }",
        (1, 23),
        &["\"secur\"", "\"secure\"?"],
    ),
    (
        "[delivery]\nmax_age = \"5 parsecs\"",
        (2, 11),
        &[
            "`delivery.max_age` cannot be \"5 parsecs\"; allowed: ",
            "s, m, h, d",
        ],
    ),
    (
        "[delivery]\nretry = [\"5m\", \"x\"]",
        (2, 16),
        &["`delivery.retry` cannot be \"x\"; allowed: "],
    ),
    (
        "[delivery]\nretry = []",
        (2, 9),
        &["`delivery.retry` cannot be []; allowed: at least one"],
    ),
    (
        "[delivery]\nretry = [\"5m\", \"0s\"]",
        (2, 9),
        &["`delivery.retry` cannot be [\"5m\", \"0s\"]; allowed: more than 0"],
    ),
    (
        "[delivery.timeouts]\nrcpt = 0",
        (2, 8),
        &["`delivery.timeouts.rcpt` cannot be 0; allowed: more than 0, at most 1h"],
    ),
    (
        "[limits]\nrecipients = 100001",
        (2, 14),
        &["`limits.recipients` cannot be 100001; allowed: a whole number from 1 to 100000"],
    ),
    (
        "[limits]\ntimeout = \"3601s\"",
        (2, 11),
        &["`limits.timeout` cannot be \"3601s\"; allowed: more than 0, at most 1h"],
    ),
    (
        "[limits]\nmessage_size = \"5 GiB\"",
        (2, 16),
        &["`limits.message_size` cannot be \"5 GiB\"; allowed: more than 0, at most 4 GiB"],
    ),
    (
        "[delivery]\nretry = [\"5m\", \"101d\"]",
        (2, 9),
        &["`delivery.retry` cannot be [\"5m\", \"101d\"]; allowed: more than 0, at most 100d"],
    ),
    (
        "[limits]\ntimeout = \"soon\"",
        (2, 11),
        &[
            "`limits.timeout` cannot be \"soon\"; allowed: a whole number and one of s, m, h, d in quotes, like \"30s\" \
             or \"5d\"; more than 0, at most 1h",
        ],
    ),
    (
        "[report]\nkeep = \"99999999d\"",
        (2, 8),
        &["`report.keep` cannot be \"99999999d\": longer than 100 years; allowed: "],
    ),
    (
        "hostname = \"relay.example",
        (1, 12),
        &["`hostname` cannot be \"relay.example: the closing quote is missing; allowed: a domain name"],
    ),
    (
        "[delivery]\nport = 0",
        (2, 8),
        &["`delivery.port` cannot be 0; allowed: a port from 1 to 65535"],
    ),
    ("[delivery]\nport = 65536", (2, 8), &["65536"]),
    (
        "[limits]\nmessage_size = \"50 megs\"",
        (2, 16),
        &["`limits.message_size` cannot be \"50 megs\"; allowed: ", "MiB"],
    ),
    (
        "[limits]\nrecipients = \"many\"",
        (2, 14),
        &["`limits.recipients` cannot be \"many\"; allowed: a whole number from 1 to 100000"],
    ),
    (
        "[listen]\nsmtp = [\"localhost\"]",
        (2, 9),
        &["`listen.smtp` cannot be \"localhost\"; allowed: \"ADDRESS:PORT\""],
    ),
    ("[access]\nnetworks = [\"10.1.2.3/8\"]", (2, 13), &["10.0.0.0/8"]),
    (
        "[dns]\nmode = \"trustad\"",
        (2, 8),
        &["\"trustad\"", "\"auto\"", "\"trust-ad\"", "\"validate\""],
    ),
    (
        "[dns]\nmode = \"trust-ad\"\nservers = [\"192.0.2.1\"]",
        (3, 11),
        &[
            "`dns.servers` cannot be [\"192.0.2.1\"]: ",
            "forge",
            "allowed: an address on loopback",
        ],
    ),
    (
        "[dns]\nservers = [\"tls://192.0.2.1\"]",
        (2, 12),
        &["cannot be \"tls://192.0.2.1\"; allowed: ", "tls://NAME@ADDRESS"],
    ),
    (
        "[spool]\nstore = \"postgres\"",
        (2, 1),
        &["not available in this version", "embedded"],
    ),
    (
        "[tlsrpt]\nsend = true\ncontact = \"a@b.example\"\ndkim = { domain = \"b.example\", selector = \"s\", key = \"k\" }",
        (2, 8),
        &["`tlsrpt.send`", "`tlsrpt.organization` is missing"],
    ),
    (
        "[tlsrpt]\nsend = true\norganization = \"A\"\ndkim = { domain = \"b.example\", selector = \"s\", key = \"k\" }",
        (2, 8),
        &["`tlsrpt.send`", "`tlsrpt.contact` is missing"],
    ),
    (
        "[tlsrpt]\nsend = true\norganization = \"A\"\ncontact = \"a@b.example\"",
        (2, 8),
        &["`tlsrpt.send`", "`tlsrpt.dkim` is missing", "must be signed"],
    ),
    (
        "[tlsrpt]\ncontact = \"mailto:a@b.example@\"",
        (2, 11),
        &["`tlsrpt.contact`", "a mail address"],
    ),
    (
        "[tlsrpt]\ndkim = { domain = \"b.example\", key = \"k\" }",
        (2, 8),
        &["`tlsrpt.dkim`", "`selector`"],
    ),
    (
        "[listen]\ntls_key = \"relay.key\"",
        (2, 11),
        &[
            "`listen.tls_key`",
            "`listen.tls_certificate` is missing",
            "allowed: both",
        ],
    ),
    (
        "[listen]\nsmtps = [\"127.0.0.1:465\"]",
        (2, 9),
        &["`listen.smtps`", "there is no TLS"],
    ),
    (
        "[access]\nclient_certificates = [\"00:11\"]",
        (2, 24),
        &["\"00:11\"", "allowed: the SHA-256"],
    ),
    (
        "[listen]\nxclient_from = [\"0.0.0.0/0\"]",
        (2, 16),
        &["`listen.xclient_from`", "everybody on IPv4"],
    ),
    (
        "[log]\nfacility = \"post\"",
        (2, 12),
        &["\"post\"", "\"mail\"", "\"local7\""],
    ),
    ("[log]\nlevel = \"loud\"", (2, 9), &["\"loud\"", "\"warning\""]),
    (
        "version = 2",
        (1, 11),
        &["`version` cannot be 2; allowed: the number 1"],
    ),
    (
        "hostname = \"a..b\"",
        (1, 12),
        &["`hostname` cannot be \"a..b\": a label is empty; allowed: a domain name"],
    ),
    ("[dns\nmode = 1", (1, 5), &[]),
];

#[test]
fn wrong_files_are_refused_at_the_right_place() {
    for (text, place, words) in WRONG {
        let faults = faults(text);
        let fault = faults.first().unwrap();
        assert_eq!((fault.line, fault.column), place, "{text}\n{fault}");
        for word in words {
            assert!(fault.to_string().contains(word), "{word:?} is not in: {fault}");
        }
        assert!(
            fault.to_string().starts_with("/etc/danerelay/danerelay.toml:"),
            "{fault}"
        );
    }
}

#[test]
fn every_fault_is_told_at_once() {
    let faults = faults("hostnam = 1\n[listen]\nsmpt = 1\n[delivery]\nretry = []\n[tls]\ngroups = []");
    let lines: Vec<usize> = faults.iter().map(|fault| fault.line).collect();
    assert_eq!(lines, [1, 3, 5, 7]);
}

#[test]
fn the_template_holds_the_defaults() {
    let written = read(&template()).unwrap();
    let defaults = read("").unwrap();
    assert_eq!(written.config, defaults.config);
    assert_eq!(written.warnings, []);
}

#[test]
fn the_template_names_every_key_with_its_default() {
    let uncommented: String = template()
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(setting) if !setting.starts_with(' ') => format!("{setting}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let path = Path::new("/etc/danerelay/danerelay.toml");
    let read = settings_file::read::<Config>("template", &uncommented);
    assert!(read.faults.is_empty(), "{:?}", read.faults);
    assert_eq!(read.value.unwrap(), Config::default());
    let document = Document::new(path, &uncommented);
    for row in Config::default().rows() {
        let key = row.dotted();
        assert!(document.has(&key), "{key} is not in the template");
    }
}

#[test]
fn what_does_not_exist_yet_is_a_warning() {
    let text = "[listen]\nsmtp = [\"127.0.0.1:465\"]\n[delivery]\ndelay_warning = \"0\"\n\
                [spool]\nurl = \"postgres://a\"\n[admin]\nhttp = \"127.0.0.1:8025\"";
    let loaded = read(text).unwrap();
    let lines: Vec<usize> = loaded.warnings.iter().map(|warning| warning.line).collect();
    assert_eq!(lines, [6]);
    for warning in &loaded.warnings {
        assert!(
            warning.to_string().contains("not available in this version"),
            "{warning}"
        );
    }
}

#[test]
fn what_is_hardly_meant_is_a_remark() {
    for (text, line, words) in [
        (
            "hostname = \"mail\"",
            1,
            "`hostname` is \"mail\", a name without a domain",
        ),
        ("hostname = \"localhost\"", 1, "the name of every machine"),
        (
            "hostname = \"192.0.2.1\"",
            1,
            "`hostname` is \"192.0.2.1\", an address",
        ),
        (
            "[access]\nnetworks = [\"192.0.0.0/8\"]",
            2,
            "all of 192.0.0.0/8, a public network",
        ),
        (
            "[access]\nnetworks = [\"2001:d00::/24\"]",
            2,
            "all of 2001:d00::/24, a public network",
        ),
        (
            "[delivery]\nmax_age = \"1h\"\ndelay_warning = \"0\"\nretry = [\"2h\"]",
            4,
            "nothing will be tried twice",
        ),
        (
            "[delivery]\nmax_age = \"1h\"",
            1,
            "`delivery.delay_warning` is longer",
        ),
    ] {
        let loaded = read(text).unwrap();
        let [remark] = loaded.warnings.as_slice() else {
            panic!("{text}: {:?}", loaded.warnings)
        };
        assert_eq!(remark.line, line, "{remark}");
        assert!(remark.to_string().contains(words), "{remark}");
    }
    let long = format!("[admin]\nsocket = \"{}\"", "d/".repeat(60));
    assert!(
        read(&long).unwrap().warnings[0]
            .to_string()
            .contains("at most 103"),
        "{long}"
    );
    let fine = "hostname = \"mail.example.nl\"\n[access]\nnetworks = [\"10.0.0.0/8\", \"192.0.2.0/24\", \"fc00::/7\"]\n\
                [listen]\nsmtp = [\"0.0.0.0:25\", \"[::]:25\", \"127.0.0.1:2525\"]";
    assert_eq!(read(fine).unwrap().warnings, []);
}

#[test]
fn the_log_has_targets_and_paths() {
    for (name, target) in [
        ("stderr", LogTarget::Stderr),
        ("syslog", LogTarget::Syslog),
        ("journald", LogTarget::Journald),
        ("/var/log/x", LogTarget::File("/var/log/x".into())),
    ] {
        let loaded = read(&format!("[log]\ntarget = \"{name}\"\nfacility = \"authpriv\"")).unwrap();
        assert_eq!(loaded.warnings, []);
        assert_eq!(loaded.config.log.target, target);
        assert_eq!(loaded.config.log.facility.number(), 10);
    }
}

#[test]
fn paths_begin_at_the_file() {
    let loaded = read("[spool]\npath = \"spool\"\n[log]\ntarget = \"log\"").unwrap();
    assert_eq!(loaded.config.spool.path, Path::new("/etc/danerelay/spool"));
    assert_eq!(loaded.config.policy.file, Path::new("/etc/danerelay/policy.toml"));
    assert_eq!(
        loaded.config.log.target,
        LogTarget::File("/etc/danerelay/log".into())
    );
    assert_eq!(loaded.config.dns.trust_anchor, Path::new(""));
    assert!(loaded.is_written("spool.path") && !loaded.is_written("policy.file"));
}

#[test]
fn the_settings_are_shown_with_their_origin() {
    let loaded = read("hostname = \"relay.example\"\n[delivery.timeouts]\nrcpt = \"120s\"").unwrap();
    let shown = show(&loaded);
    assert!(
        shown.contains("hostname = \"relay.example\"  # danerelay.toml:1\n"),
        "{shown}"
    );
    assert!(shown.contains("[delivery.timeouts]\n"), "{shown}");
    assert!(shown.contains("\nrcpt = \"2m\"  # danerelay.toml:3\n"), "{shown}");
    assert!(
        shown.contains("\ndata = \"2m\"  # default: RFC 5321 §4.5.3.2.4\n"),
        "{shown}"
    );
    assert_eq!(read(&shown).unwrap().config, loaded.config);
}

#[test]
fn a_named_file_must_exist() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("none.toml");
    match load(Some(&missing)) {
        Err(ConfigError::Unreadable { path, cause }) => {
            assert_eq!(path, missing);
            assert_eq!(cause.kind(), io::ErrorKind::NotFound);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn only_what_a_reload_cannot_change_waits() {
    let before = "[log]\nlevel = \"info\"\n[delivery.timeouts]\nrcpt = \"5m\"\nmail = \"5m\"";
    let after = "[log]\nlevel = \"debug\"\n[listen]\nsmtp = []\n[delivery.timeouts]\nrcpt = \"6m\"\nmail = \"300s\"\n[spool]\nurl = \"a\"";
    let (before, after) = (read(before).unwrap().config, read(after).unwrap().config);
    assert_eq!(
        waiting(&before, &after),
        ["listen.smtp", "delivery.timeouts.rcpt"]
    );
    assert_eq!(waiting(&before, &before), Vec::<String>::new());
}
