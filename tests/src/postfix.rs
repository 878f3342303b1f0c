//! Postfix instances of their own: configuration, queue, log and port, nothing of the system's.

use crate::letter::Letter;
use crate::process::{command, run};
use crate::server::{BACK, FRONT, NOBODY, Receive, Submit};
use crate::wait;
use std::fmt::Write;
use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// The services an instance needs; columns as in master(5), nothing in a chroot.
const MASTER: &str = "
pickup    unix  n       -       n       60      1       pickup
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
tlsmgr    unix  -       -       n       1000?   1       tlsmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
verify    unix  -       -       n       -       1       verify
flush     unix  n       -       n       1000?   0       flush
proxymap  unix  -       -       n       -       -       proxymap
smtp      unix  -       -       n       -       -       smtp
relay     unix  -       -       n       -       -       smtp
showq     unix  n       -       n       -       -       showq
error     unix  -       -       n       -       -       error
retry     unix  -       -       n       -       -       error
virtual   unix  -       n       n       -       -       virtual
anvil     unix  -       -       n       -       1       anvil
scache    unix  -       -       n       -       1       scache
postlog   unix-dgram n  -       n       -       1       postlogd
";

/// What answers on a receiving instance's port 25.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// smtpd itself.
    Smtpd,
    /// postscreen, which passes on to smtpd whom it knows.
    Postscreen,
}

impl Door {
    /// The services that this takes, as in [`MASTER`].
    fn services(self) -> &'static str {
        match self {
            Self::Smtpd => "smtp inet n - n - - smtpd\n",
            Self::Postscreen => {
                "smtp inet n - n - 1 postscreen\nsmtpd pass - - n - - smtpd\n\
                 dnsblog unix - - n - 0 dnsblog\ntlsproxy unix - - n - 0 tlsproxy\n"
            }
        }
    }
}

/// A running instance. It ends with the arena.
pub struct Postfix {
    directory: PathBuf,
    log: PathBuf,
}

impl Postfix {
    /// A submitting instance. Every message goes where `settings` (main.cf lines) lead.
    pub fn front(directory: &Path, settings: &str) -> Self {
        let settings = format!(
            "inet_interfaces = {FRONT}\nsmtp_bind_address = {FRONT}\nmydestination =\n\
             minimal_backoff_time = 1s\nmaximal_backoff_time = 1s\nqueue_run_delay = 1s\n{settings}\n"
        );
        Self::start(directory, "front", &settings, "")
    }

    /// A receiving instance for these domains, with STARTTLS and one Maildir for all recipients.
    pub fn back(directory: &Path, domains: &[&str], key_and_chain: &str) -> Self {
        Self::back_behind(Door::Smtpd, directory, domains, key_and_chain, "")
    }

    /// The same behind this door, with these settings (main.cf lines).
    pub fn back_behind(
        door: Door,
        directory: &Path,
        domains: &[&str],
        key_and_chain: &str,
        settings: &str,
    ) -> Self {
        let chain_file = directory.join("back.pem");
        fs::write(&chain_file, key_and_chain).unwrap();
        let mail = directory.join("mail");
        fs::create_dir(&mail).unwrap();
        chown(&mail, Some(NOBODY), Some(NOBODY)).unwrap();
        let settings = format!(
            "inet_interfaces = {BACK}\nmydestination =\nmynetworks =\nsmtpd_peername_lookup = no\n\
             smtpd_relay_restrictions = reject_unauth_destination\n\
             smtpd_tls_security_level = may\nsmtpd_tls_loglevel = 1\nsmtpd_tls_chain_files = {chain}\n\
             virtual_mailbox_domains = {domains}\nvirtual_mailbox_base = {mail}\n\
             virtual_mailbox_maps = static:inbox/\nvirtual_uid_maps = static:{NOBODY}\n\
             virtual_gid_maps = static:{NOBODY}\n{settings}",
            chain = chain_file.display(),
            domains = domains.join(", "),
            mail = mail.display(),
        );
        let back = Self::start(directory, "back", &settings, door.services());
        wait::until_listening("the receiving Postfix", format!("{BACK}:25").parse().unwrap());
        // That was a connection too: it must be in the log before anyone counts.
        wait::until("the first connection's end", || {
            let log = back.log();
            (log.contains("disconnect from") || log.contains("DISCONNECT [")).then_some(())
        });
        back
    }

    /// An instance on [`FRONT`], port 25, that accepts mail for anywhere; `settings` (main.cf lines) say from whom, and
    /// where it goes: over SMTP, or to the transport `discard`.
    pub fn taking(directory: &Path, settings: &str) -> Self {
        let settings = format!(
            "inet_interfaces = {FRONT}\nmydestination =\nsmtpd_peername_lookup = no\n\
             smtpd_relay_restrictions = permit_mynetworks, reject\nsmtpd_forbid_bare_newline = reject\n\
             smtpd_hard_error_limit = 1000\nsmtpd_soft_error_limit = 1000\nsmtpd_junk_command_limit = 1000\n\
             smtpd_client_connection_count_limit = 0\nsmtpd_helo_required = yes\n{settings}\n"
        );
        let services = "smtp inet n - n - - smtpd\ndiscard unix - - n - - discard\n";
        let taking = Self::start(directory, "taking", &settings, services);
        wait::until_listening("Postfix", format!("{FRONT}:25").parse().unwrap());
        taking
    }

    /// A relaying instance with Postfix's defaults but for DANE, and for `settings` (main.cf lines): from loopback, at this
    /// port of 127.0.0.1, to anywhere. Its log is `relay.log`.
    pub fn relay(directory: &Path, port: u16, settings: &str) -> Self {
        let settings = format!(
            "inet_interfaces = 127.0.0.1\nmydestination =\nmynetworks = 127.0.0.0/8\n\
             smtp_dns_support_level = dnssec\nsmtp_tls_security_level = dane\nsmtp_tls_loglevel = 1\n{settings}\n"
        );
        let services = format!("127.0.0.1:{port} inet n - n - - smtpd\ntlsproxy unix - - n - 0 tlsproxy\n");
        let relay = Self::start(directory, "relay", &settings, &services);
        wait::until_listening(
            "the relaying Postfix",
            format!("127.0.0.1:{port}").parse().unwrap(),
        );
        relay
    }

    fn start(directory: &Path, name: &str, settings: &str, services: &str) -> Self {
        let configuration = directory.join(name);
        let queue = directory.join(format!("{name}-queue"));
        let data = directory.join(format!("{name}-data"));
        let log = directory.join(format!("{name}.log"));
        for path in [&configuration, &queue, &data] {
            fs::create_dir(path).unwrap();
        }
        run(command("chown").arg("postfix").arg(&data));
        let mut main =
            String::from("compatibility_level = 3.6\ninet_protocols = ipv4\nmail_owner = postfix\n");
        writeln!(
            main,
            "setgid_group = postdrop\nmyhostname = {name}.test\nalias_maps =\nalias_database ="
        )
        .unwrap();
        writeln!(
            main,
            "queue_directory = {}\ndata_directory = {}",
            queue.display(),
            data.display()
        )
        .unwrap();
        writeln!(
            main,
            "maillog_file = {}\nmaillog_file_prefixes = {}",
            log.display(),
            directory.display()
        )
        .unwrap();
        main.push_str(settings);
        fs::write(configuration.join("main.cf"), main).unwrap();
        fs::write(configuration.join("master.cf"), format!("{services}{MASTER}")).unwrap();
        run(command("postfix").arg("-c").arg(&configuration).arg("start"));
        Self {
            directory: configuration,
            log,
        }
    }

    /// Has everything in the queue tried now, as its next time may be passed over ("skipped, still being delivered").
    pub fn flush(&self) {
        run(command("postqueue").arg("-c").arg(&self.directory).arg("-f"));
    }
}

impl Submit for Postfix {
    fn submit_from(&self, letter: &Letter, sender: &str, options: &[&str]) {
        let file = self.directory.join("letter");
        fs::write(&file, letter.text()).unwrap();
        run(command("sendmail")
            .arg("-C")
            .arg(&self.directory)
            .args(["-i", "-f", sender])
            .args(options)
            .args(["--", &letter.recipient])
            .stdin(Stdio::from(fs::File::open(file).unwrap())));
    }
}

impl Receive for Postfix {
    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn maildir(&self) -> PathBuf {
        self.directory.with_file_name("mail").join("inbox")
    }

    fn connections(&self) -> usize {
        self.log()
            .lines()
            .filter(|line| line.contains(": connect from ") || line.contains(": CONNECT from "))
            .count()
    }

    fn has_seen_mail(&self) -> bool {
        // smtpd counts the commands of each session in its last line.
        self.log()
            .lines()
            .any(|line| line.contains(" client=") || line.contains(" mail="))
    }
}
