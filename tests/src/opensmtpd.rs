//! OpenSMTPD instances of their own.
//!
//! OpenSMTPD has the places of its queue, its socket and its helper programs compiled in, and the names of its accounts. The
//! arena gets all of them. An arena has one instance.

use crate::accounts;
use crate::process::{Daemon, command, run};
use crate::server::{BACK, NOBODY, Receive};
use crate::unpacked;
use crate::wait;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

/// The accounts that Debian compiles into OpenSMTPD, and numbers that Debian gives to no package.
const ACCOUNTS: [(&str, u32); 2] = [("opensmtpd", 64_026), ("opensmtpq", 64_027)];

/// Where it locks its processes in.
const EMPTY: &str = "/var/lib/opensmtpd/empty";

/// A running instance. It ends with the arena.
pub struct OpenSmtpd {
    log: PathBuf,
    mail: PathBuf,
    _daemon: Daemon,
}

impl OpenSmtpd {
    /// A receiving instance for these domains, with STARTTLS and one Maildir for all recipients; `settings` (lines of
    /// smtpd.conf) come first.
    pub fn back(directory: &Path, domains: &[&str], key_and_chain: &str, settings: &str) -> Self {
        let program = unpacked::find(unpacked::OPENSMTPD).expect("the arena has looked for it");
        prepare(directory, &program);
        let chain_file = directory.join("back.pem");
        fs::write(&chain_file, key_and_chain).unwrap();
        // It reads no key that others could read.
        fs::set_permissions(&chain_file, fs::Permissions::from_mode(0o600)).unwrap();
        let mail = directory.join("mail");
        fs::create_dir(&mail).unwrap();
        chown(&mail, Some(NOBODY), Some(NOBODY)).unwrap();
        let configuration = directory.join("back-smtpd.conf");
        let text = format!(
            "{settings}pki back cert \"{chain}\"\npki back key \"{chain}\"\n\
             table domains {{ {domains} }}\ntable users {{ \"@\" = \"nobody\" }}\n\
             listen on {BACK} port 25 tls pki back hostname back.test\n\
             action \"inbox\" maildir \"{mail}/inbox\" virtual <users>\n\
             match from any for domain <domains> action \"inbox\"\n",
            chain = chain_file.display(),
            domains = domains.join(", "),
            mail = mail.display(),
        );
        fs::write(&configuration, text).unwrap();
        let log = directory.join("back.log");
        let mut serve = command(program);
        // In the foreground, and with every command in the log.
        serve.args(["-d", "-v", "-T", "smtp", "-f"]).arg(configuration);
        let back = Self {
            _daemon: Daemon::start(&mut serve, &log),
            log,
            mail,
        };
        wait::until_listening("the receiving OpenSMTPD", format!("{BACK}:25").parse().unwrap());
        // That was a connection too: it must be in the log before anyone counts.
        wait::until("the first connection's end", || {
            back.log().contains("smtp disconnected").then_some(())
        });
        back
    }
}

/// Gives the arena what is compiled in.
fn prepare(directory: &Path, program: &Path) {
    for (name, number) in ACCOUNTS {
        accounts::add(directory, name, number);
    }
    for place in ["/run", "/var/lib", "/var/spool"] {
        run(command("mount").args(["-t", "tmpfs", "-o", "mode=755", "none", place]));
    }
    fs::create_dir_all(EMPTY).unwrap();
    let root = program.ancestors().nth(2).expect("below usr/sbin");
    run(command("mount")
        .arg("--bind")
        .arg(root.join("libexec"))
        .arg("/usr/libexec"));
}

impl Receive for OpenSmtpd {
    fn log(&self) -> String {
        // The content of messages is in it too, whatever that is.
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    fn maildir(&self) -> PathBuf {
        self.mail.join("inbox")
    }

    fn connections(&self) -> usize {
        let log = self.log();
        log.lines()
            .filter(|line| line.contains(" smtp connected "))
            .count()
    }

    fn has_seen_mail(&self) -> bool {
        self.log().contains(": <<< MAIL FROM")
    }
}
