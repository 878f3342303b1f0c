//! Exim instances of their own: configuration, spool, log and port, nothing of the system's.
//!
//! Debian's packages of Exim and Postfix exclude each other, so `tests/run` unpacks Exim's below the target directory. Exim
//! has its account's name compiled in, and it drops root's rights if its configuration is not at the compiled-in place. So
//! the arena gets that account, and port 25 without root.

use crate::accounts;
use crate::letter::Letter;
use crate::manual;
use crate::process::{Daemon, command, find, output, run, words};
use crate::server::{BACK, FRONT, NOBODY, Receive, Submit};
use crate::unpacked;
use crate::wait;
use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The account that Debian compiles into Exim.
const ACCOUNT: &str = "Debian-exim";

/// What Exim writes when a client begins a transaction; see [`BACK_ACCESS`].
const SEEN: &str = "seen: MAIL FROM";

/// The access rules of the receiving instance. Each MAIL command leaves a line in the log, before anything is decided.
const BACK_ACCESS: &str = "
begin acl
mail:
  accept logwrite = seen: MAIL FROM:<$sender_address> TLS:$tls_in_cipher
rcpt:
  accept domains = +local_domains
";

/// A running instance. It ends with the arena.
pub struct Exim {
    configuration: PathBuf,
    log: PathBuf,
    mail: PathBuf,
    daemon: Option<Daemon>,
}

impl Exim {
    /// A submitting instance, without a daemon: handing it a message starts the delivery to `host` and `port`.
    pub fn front(directory: &Path, host: &str, port: u16) -> Self {
        let [router, transport] = manual::exim().map(|part| manual::leading_to(part, host, port));
        let settings = format!(
            "trusted_users = root\nlocal_from_check = false\ndomainlist local_domains =\n\
             begin routers\n{router}\nbegin transports\n{transport}  interface = {FRONT}\n"
        );
        Self::prepare(directory, "front", &settings)
    }

    /// A receiving instance for these domains, with STARTTLS and one Maildir for all recipients; `settings` are lines of
    /// the main configuration.
    pub fn back(directory: &Path, domains: &[&str], key_and_chain: &str, settings: &str) -> Self {
        let chain_file = directory.join("back.pem");
        fs::write(&chain_file, key_and_chain).unwrap();
        let settings = format!(
            "domainlist local_domains = {domains}\nlocal_interfaces = {BACK}\ndaemon_smtp_ports = 25\n\
             tls_advertise_hosts = *\ntls_certificate = {chain}\n\
             log_selector = +smtp_connection +smtp_incomplete_transaction\n{settings}\
             acl_smtp_mail = mail\nacl_smtp_rcpt = rcpt\n{BACK_ACCESS}\
             begin routers\ninbox:\n  driver = accept\n  transport = maildir\n\
             begin transports\nmaildir:\n  driver = appendfile\n  directory = {mail}/inbox\n  maildir_format\n  \
             user = {ACCOUNT}\n  group = {ACCOUNT}\n",
            domains = domains.join(" : "),
            chain = chain_file.display(),
            mail = directory.join("mail").display(),
        );
        let mut back = Self::prepare(directory, "back", &settings);
        fs::create_dir(&back.mail).unwrap();
        chown(&back.mail, Some(NOBODY), Some(NOBODY)).unwrap();
        let stderr = directory.join("back-stderr.log");
        back.daemon = Some(Daemon::start(back.command().arg("-bdf"), &stderr));
        wait::until_listening("the receiving Exim", format!("{BACK}:25").parse().unwrap());
        // That was a connection too: it must be in the log before anyone counts.
        wait::until("the first connection's end", || {
            (back.connections() == 1).then_some(())
        });
        back
    }

    /// A relaying instance that delivers at once, in as many processes as there are messages, and never without DANE: from
    /// loopback, at this port of 127.0.0.1, to anywhere. Its log is `relay-main.log`.
    pub fn relay(directory: &Path, port: u16) -> Self {
        let settings = format!(
            "local_interfaces = 127.0.0.1\ndaemon_smtp_ports = {port}\ndns_dnssec_ok = 1\n\
             smtp_accept_max = 200\nsmtp_accept_queue_per_connection = 0\nsmtp_accept_max_per_connection = 0\n\
             smtp_connect_backlog = 100\nrfc1413_query_timeout = 0s\nsplit_spool_directory\n\
             remote_max_parallel = 20\nqueue_run_max = 20\nacl_smtp_rcpt = rcpt\n\
             begin acl\nrcpt:\n  accept hosts = 127.0.0.0/8\n\
             begin routers\nmx:\n  driver = dnslookup\n  transport = remote\n\
             begin transports\nremote:\n  driver = smtp\n  hosts_require_dane = *\n"
        );
        let mut relay = Self::prepare(directory, "relay", &settings);
        let stderr = directory.join("relay-stderr.log");
        relay.daemon = Some(Daemon::start(relay.command().args(["-bdf", "-q10s"]), &stderr));
        wait::until_listening("the relaying Exim", format!("127.0.0.1:{port}").parse().unwrap());
        relay
    }

    fn prepare(directory: &Path, name: &str, settings: &str) -> Self {
        // As another name of an account without rights.
        accounts::add(directory, ACCOUNT, NOBODY);
        open_low_ports();
        let spool = directory.join(format!("{name}-spool"));
        fs::create_dir(&spool).unwrap();
        chown(&spool, Some(NOBODY), Some(NOBODY)).unwrap();
        for kind in ["main", "reject", "panic"] {
            let log = directory.join(format!("{name}-{kind}.log"));
            fs::write(&log, "").unwrap();
            chown(&log, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let text = format!(
            "primary_hostname = {name}.test\nspool_directory = {spool}\nlog_file_path = {place}/{name}-%s.log\n\
             pid_file_path = {spool}/pid\ndeliver_drop_privilege\nkeep_environment =\n{settings}",
            spool = spool.display(),
            place = directory.display(),
        );
        let configuration = directory.join(format!("{name}-exim.conf"));
        fs::write(&configuration, text).unwrap();
        Self {
            configuration,
            log: directory.join(format!("{name}-main.log")),
            mail: directory.join("mail"),
            daemon: None,
        }
    }

    fn command(&self) -> Command {
        let mut exim = command(program().expect("the arena has looked for it"));
        exim.arg("-C").arg(&self.configuration);
        exim
    }
}

impl Submit for Exim {
    fn submit_from(&self, letter: &Letter, sender: &str, options: &[&str]) {
        let file = self.configuration.with_extension("letter");
        fs::write(&file, letter.text()).unwrap();
        run(self
            .command()
            .args(["-i", "-f", sender])
            .args(options)
            .args(["--", &letter.recipient])
            .stdin(Stdio::from(fs::File::open(file).unwrap())));
    }
}

impl Receive for Exim {
    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn maildir(&self) -> PathBuf {
        self.mail.join("inbox")
    }

    fn connections(&self) -> usize {
        self.log()
            .lines()
            .filter(|line| line.contains(" SMTP connection from [") && line.contains("connection count"))
            .count()
    }

    fn has_seen_mail(&self) -> bool {
        self.log().contains(SEEN)
    }
}

/// What Exim says of its version; its account is in the arena then.
pub fn version(directory: &Path) -> String {
    accounts::add(directory, ACCOUNT, NOBODY);
    // It fails, because its configuration is not where it was compiled to look.
    words(&output(
        command(program().expect("the arena has looked for it")).arg("-bV"),
    ))
}

/// Exim's program: unpacked by `tests/run`, or installed.
pub fn program() -> Option<PathBuf> {
    unpacked::find(unpacked::EXIM).or_else(|| find("exim4"))
}

/// Lets every account of this arena listen on port 25; the setting belongs to the network namespace.
fn open_low_ports() {
    fs::write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0").unwrap();
}
