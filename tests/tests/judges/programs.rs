//! The judges: what each says about a scene, in one word.
//!
//! Postfix's client looks everything up itself. The others judge one host: which one, and whether its addresses are secure, `dig`
//! finds out through Unbound.

use std::path::Path;

use danerelay_tests::process::{command, output, words};
use danerelay_tests::relay;
use serde_json::Value;

use crate::stage::{Set, Stage};

/// What a judge says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Says {
    /// The server is authenticated.
    Accepts,
    /// It must not get mail.
    Refuses,
    /// There is nothing to authenticate it by.
    Nothing,
    /// Nothing can be said now.
    Undecided,
    /// There is no mail service.
    NoMail,
    /// The judge cannot be asked about this.
    NotAsked,
}

impl Says {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Accepts => "accepts",
            Self::Refuses => "refuses",
            Self::Nothing => "no DANE",
            Self::Undecided => "undecided",
            Self::NoMail => "no mail",
            Self::NotAsked => "–",
        }
    }
}

/// What all of them say, and their own words.
pub(crate) struct Opinions {
    pub(crate) ours: Says,
    pub(crate) postfix: Says,
    pub(crate) openssl: Says,
    pub(crate) ldns: Says,
    pub(crate) danetool: Says,
    pub(crate) words: String,
}

impl Opinions {
    pub(crate) fn of(stage: &Stage, set: &Set) -> Self {
        let host = Host::of(set);
        let (ours, check) = ours(stage, set);
        let (postfix, finger) = postfix(stage, set);
        let (openssl, s_client) = openssl(set, &host);
        let (ldns, ldns_dane) = ldns(set, &host);
        let (danetool, gnutls) = danetool(stage, &host);
        Self {
            ours,
            postfix,
            openssl,
            ldns,
            danetool,
            words: format!(
                "danerelay: {check}\nposttls-finger: {finger}\nopenssl: {s_client}\nldns-dane: {ldns_dane}\ndanetool: {gnutls}\n"
            ),
        }
    }
}

fn ours(stage: &Stage, set: &Set) -> (Says, String) {
    let place = stage.directory.join("danerelay.toml");
    let output = output(command(relay::program()).arg("-c").arg(place).args([
        "check",
        "--json",
        "--timeout",
        "5",
        &set.domain,
    ]));
    let said = words(&output);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    let says = match report["verdict"].as_str() {
        Some("secure") => Says::Accepts,
        Some("broken") => Says::Refuses,
        Some("insecure") => Says::Nothing,
        Some("unreachable") => Says::Undecided,
        Some("no-mail") => Says::NoMail,
        _ => panic!("{said}"),
    };
    (says, said)
}

fn postfix(stage: &Stage, set: &Set) -> (Says, String) {
    let output = output(
        command("posttls-finger")
            .env("MAIL_CONFIG", stage.directory.join("postfix"))
            .args(["-c", "-l", "dane", "-L", "summary,verbose", "-t", "5", "-T", "5"])
            .arg(&set.domain),
    );
    let said = words(&output);
    let has = |text: &str| said.contains(text);
    let is_bound = has("DNSSEC-signed TLSA record");
    let must_be_encrypted = is_bound || has("unsupported TLSA") || has("unusable TLSA");
    let says = if has("Verified TLS connection established") {
        Says::Accepts
    } else if has("does not accept mail") || has("Host not found") && !has("try again") {
        Says::NoMail
    } else if [
        "TLSA lookup error",
        "try again",
        "SMTP service not available",
        "Connection refused",
        "timed out",
    ]
    .into_iter()
    .any(has)
        // A handshake that does not end is none that succeeds.
        && !has("SSL_connect error")
    {
        Says::Undecided
    } else if has("fallback to unauthenticated TLS") && has("TLS connection established")
        || has("MX RRset insecure") && has("Trusted TLS connection established")
    {
        // Encrypted, or the right host under a name that anybody could have given.
        Says::Nothing
    } else if is_bound || must_be_encrypted && !has("TLS connection established") {
        Says::Refuses
    } else {
        Says::Nothing
    };
    (says, said)
}

/// What DNS says about the host of a domain, to somebody who believes the resolver.
struct Host {
    name: String,
    standing: Standing,
}

enum Standing {
    /// Secure records.
    Records(Vec<String>),
    /// None that count.
    None,
    /// The look-up failed.
    Failed,
    NoMail,
}

impl Host {
    fn of(set: &Set) -> Self {
        let standing = |standing| Self {
            name: set.host.clone(),
            standing,
        };
        match Dig::ask(&set.domain, "MX") {
            Dig::Failed => return standing(Standing::Failed),
            Dig::Missing => return standing(Standing::NoMail),
            Dig::Answer { lines, .. } if lines.iter().any(|line| line == "0 .") => {
                return standing(Standing::NoMail);
            }
            Dig::Answer { .. } => {}
        }
        match Dig::ask(&set.host, "A") {
            Dig::Failed => return standing(Standing::Failed),
            Dig::Answer { secure: false, .. } | Dig::Missing => return standing(Standing::None),
            Dig::Answer { .. } => {}
        }
        match Dig::ask(&format!("_25._tcp.{}", set.host), "TLSA") {
            Dig::Failed => standing(Standing::Failed),
            Dig::Answer {
                secure: true, lines, ..
            } if !lines.is_empty() => standing(Standing::Records(lines)),
            Dig::Answer { .. } | Dig::Missing => standing(Standing::None),
        }
    }
}

/// One answer of the resolver.
enum Dig {
    Answer { secure: bool, lines: Vec<String> },
    Missing,
    Failed,
}

impl Dig {
    fn ask(name: &str, record_type: &str) -> Self {
        let said = words(&output(command("dig").args([
            "+dnssec",
            "+noall",
            "+comments",
            "+answer",
            "+time=3",
            "+tries=1",
            name,
            record_type,
        ])));
        let status = |word: &str| said.contains(&format!("status: {word}"));
        if status("NXDOMAIN") {
            return Self::Missing;
        }
        if !status("NOERROR") {
            return Self::Failed;
        }
        let flags = said.lines().find(|line| line.contains("flags:")).unwrap_or("");
        let flags = flags
            .split(';')
            .find(|part| part.contains("flags:"))
            .unwrap_or("");
        let data = said.lines().filter_map(|line| {
            let mut words = line.split_whitespace().skip(2);
            let is_it = words.next() == Some("IN") && words.next() == Some(record_type);
            is_it.then(|| words.collect::<Vec<_>>().join(" "))
        });
        Self::Answer {
            secure: flags.split_whitespace().any(|flag| flag == "ad"),
            lines: data.collect(),
        }
    }
}

impl Standing {
    /// What every judge says that is not asked about records.
    fn without_records(&self) -> Option<Says> {
        match self {
            Self::Records(_) => None,
            Self::None => Some(Says::Nothing),
            Self::Failed => Some(Says::Undecided),
            Self::NoMail => Some(Says::NoMail),
        }
    }
}

fn openssl(set: &Set, host: &Host) -> (Says, String) {
    let Standing::Records(records) = &host.standing else {
        return (
            host.standing.without_records().unwrap_or(Says::NotAsked),
            String::new(),
        );
    };
    let mut s_client = command("timeout");
    s_client.args([
        "10",
        "openssl",
        "s_client",
        "-starttls",
        "smtp",
        "-brief",
        "-verify_return_error",
    ]);
    s_client.args([
        "-dane_ee_no_namechecks",
        "-dane_tlsa_domain",
        &host.name,
        "-name",
        "judge.test",
    ]);
    s_client.args(["-connect", &set.address.to_string(), "-servername", &host.name]);
    for record in records {
        s_client.args(["-dane_tlsa_rrdata", record]);
    }
    let output = output(s_client.stdin(std::process::Stdio::null()));
    let said = words(&output);
    let says = if said.contains("Verification: OK") {
        Says::Accepts
    } else if said.contains("Failed to import any TLSA records") {
        Says::Nothing
    } else if said.contains("Connection refused") {
        Says::Undecided
    } else {
        Says::Refuses
    };
    (says, said)
}

/// It speaks no STARTTLS, so it gets the chain in a file.
fn ldns(set: &Set, host: &Host) -> (Says, String) {
    match &host.standing {
        Standing::Records(_) => {}
        other => return (other.without_records().unwrap_or(Says::NotAsked), String::new()),
    }
    let output = output(
        command("timeout")
            .args(["10", "ldns-dane", "-r", "127.0.0.1", "-c"])
            .arg(&set.chain)
            .args(["verify", &host.name, "25"]),
    );
    let said = words(&output);
    let says = if output.status.success() && said.contains("dane-validated successfully") {
        Says::Accepts
    } else if said.contains("No usable TLSA records") {
        Says::Nothing
    } else if said.contains("did not dane-validate") {
        Says::Refuses
    } else {
        Says::Undecided
    };
    (says, said)
}

fn danetool(stage: &Stage, host: &Host) -> (Says, String) {
    if let Standing::NoMail = &host.standing {
        return (Says::NoMail, String::new());
    }
    // It leaves files in the current directory.
    let output = output(command("timeout").current_dir(&stage.directory).args([
        "4",
        "danetool",
        "--check",
        &host.name,
        "--proto",
        "tcp",
        "--port",
        "25",
        "--starttls-proto",
        "smtp",
        "--local-dns",
    ]));
    let said = words(&output);
    let has = |text: &str| said.contains(text);
    let says = if has("Verification: Certificate matches") {
        Says::Accepts
    } else if has("Verification: Verification failed") {
        Says::Refuses
    } else if has("No DANE data were found") || has("No DNSSEC signature was found") {
        Says::Nothing
    } else {
        Says::Undecided
    };
    (says, said)
}

/// The settings of Postfix's program and of ours.
pub(crate) fn configure(directory: &Path) {
    let postfix = directory.join("postfix");
    std::fs::create_dir(&postfix).unwrap();
    let main = "compatibility_level = 3.6\nmyhostname = judge.test\nsmtp_dns_support_level = dnssec\n\
                inet_protocols = ipv4\nmail_owner = postfix\n";
    std::fs::write(postfix.join("main.cf"), main).unwrap();
    let ours = "hostname = \"judge.test\"\nstate_directory = \"state\"\n[dns]\nmode = \"validate\"\n\
                servers = [\"127.0.0.1\"]\ntrust_anchor = \"anchor\"\ntimeout = \"3s\"\n\
                [delivery]\nignore_addresses = []\n";
    std::fs::write(directory.join("danerelay.toml"), ours).unwrap();
    // The file that GnuTLS reads.
    danerelay_tests::process::run(
        command("mount")
            .arg("--bind")
            .arg(directory.join("anchor"))
            .arg("/usr/share/dns/root.key"),
    );
}
