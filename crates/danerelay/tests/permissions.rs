//! What `serve` says where owners, modes or privileges are in its way, and with which exit status it ends.
//!
//! Root may do everything, so the daemon runs as another user here; whoever is not root cannot change owners, and sees
//! less of these tests.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{FlockOperation, flock};
use rustix::process::geteuid;
use tempfile::TempDir;

use common::{End, NO_DNS, Relay, configuration};

/// The user and group `nobody` of Debian; only the numbers count.
const NOBODY: u32 = 65534;

/// A directory that `nobody` can enter, with the program and a configuration.
struct Place {
    directory: TempDir,
}

impl Place {
    fn new(more: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        set_mode(directory.path(), 0o755);
        let place = Self { directory };
        let program = Path::new(env!("CARGO_BIN_EXE_danerelay"));
        if fs::hard_link(program, place.path("danerelay")).is_err() {
            fs::copy(program, place.path("danerelay")).unwrap();
        }
        place.write("danerelay.toml", &configuration(&format!("{NO_DNS}{more}")));
        place.write("policy.toml", "version = 1\n");
        fs::create_dir(place.path("spool")).unwrap();
        chown(place.path("spool"), Some(NOBODY), Some(NOBODY)).unwrap();
        // The log: so that only what is under test cannot be written.
        place.write("log", "");
        chown(place.path("log"), Some(NOBODY), Some(NOBODY)).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
        set_mode(&self.path(name), 0o644);
    }

    /// A command as nobody, behind these words of a command line.
    fn run_behind(&self, words: &[&str], arguments: &[&str]) -> End {
        let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
        let mut command = words.iter().chain(&nobody);
        let mut run = Command::new(command.next().unwrap());
        run.args(command).arg(self.path("danerelay")).args(arguments);
        End::of(&run.arg("-c").arg(self.path("danerelay.toml")).output().unwrap())
    }

    fn serve_behind(&self, words: &[&str]) -> End {
        self.run_behind(words, &["serve"])
    }

    fn serve(&self) -> End {
        self.serve_behind(&[])
    }

    fn check(&self) -> End {
        self.run_behind(&[], &["config", "check", "--strict"])
    }

    fn run_as_root(&self, arguments: &[&str]) -> End {
        let mut run = Command::new(self.path("danerelay"));
        End::of(
            &run.args(arguments)
                .arg("-c")
                .arg(self.path("danerelay.toml"))
                .output()
                .unwrap(),
        )
    }

    fn serve_as_root(&self) -> End {
        self.run_as_root(&["serve"])
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn is_root() -> bool {
    geteuid().is_root()
}

/// The daemon ended with 2, and said all this.
fn assert_refused(end: &End, words: &[&str]) {
    assert_eq!(end.status, 2, "{}", end.stderr);
    for word in words {
        assert!(end.stderr.contains(word), "{word:?} is not in: {}", end.stderr);
    }
    assert!(!end.stderr.contains("os error"), "{}", end.stderr);
}

const NOBODY_READS: &str =
    "belongs to root:root and has mode 0600, and nobody (uid 65534) must be able to read it";

#[test]
fn files_that_cannot_be_read_are_named_with_owner_and_mode() {
    if !is_root() {
        return;
    }
    for (key, name) in [
        ("", "danerelay.toml"),
        ("", "policy.toml"),
        ("[tls]\nwebpki_roots = \"roots.pem\"\n", "roots.pem"),
    ] {
        let place = Place::new(key);
        if !place.path(name).exists() {
            place.write(name, "");
        }
        set_mode(&place.path(name), 0o600);
        let path = place.path(name);
        assert_refused(&place.serve(), &[&format!("{} {NOBODY_READS}", path.display())]);
    }
    let place = Place::new("");
    place.write("strict.list", "a.example\n");
    place.write(
        "policy.toml",
        "[[list]]\nkind = \"strict\"\nfile = \"strict.list\"\n",
    );
    set_mode(&place.path("strict.list"), 0o600);
    assert_refused(
        &place.serve(),
        &["policy.toml:3:8: ", "strict.list", NOBODY_READS],
    );
    let place = Place::new("");
    let text = configuration(&NO_DNS.replace("timeout", "trust_anchor = \"hidden/root.key\"\ntimeout"));
    place.write("danerelay.toml", &text);
    fs::create_dir(place.path("hidden")).unwrap();
    place.write("hidden/root.key", "");
    set_mode(&place.path("hidden"), 0o700);
    assert_refused(
        &place.serve(),
        &["/hidden belongs to root:root and has mode 0700, and nobody (uid 65534) must be able to enter it"],
    );
}

#[test]
fn places_that_cannot_be_written_are_named_with_owner_and_mode() {
    if !is_root() {
        return;
    }
    let keeps =
        "belongs to root:root and has mode 0755, and nobody (uid 65534) must be able to keep files in it";
    let place = Place::new("");
    chown(place.path("spool"), Some(0), Some(0)).unwrap();
    set_mode(&place.path("spool"), 0o755);
    assert_refused(&place.serve(), &["the spool ", "/spool ", keeps]);

    let place = Place::new("");
    fs::remove_dir(place.path("spool")).unwrap();
    let directory = place.directory.path().display().to_string();
    assert_refused(&place.serve(), &["the spool ", &format!("{directory} {keeps}")]);

    let place = Place::new("");
    fs::remove_file(place.path("log")).unwrap();
    assert_refused(
        &place.serve(),
        &[
            "`log.target`",
            &format!(
                "{directory_of} {keeps}",
                directory_of = place.directory.path().display()
            ),
        ],
    );

    // What an administrator has copied there as root.
    let place = Place::new("");
    place.write("spool/queue.db", "");
    set_mode(&place.path("spool/queue.db"), 0o600);
    assert_refused(
        &place.serve(),
        &[
            "spool/queue.db belongs to root:root and has mode 0600, and nobody (uid 65534) must be able to write it",
        ],
    );
}

#[test]
fn a_port_that_needs_a_privilege_says_which() {
    if !is_root() {
        return;
    }
    let place = Place::new("");
    let text = configuration(NO_DNS).replace("127.0.0.1:0", "0.0.0.0:25");
    place.write("danerelay.toml", &text);
    // In a network of its own, whatever this one allows.
    let end = place.serve_behind(&["unshare", "--net"]);
    assert_refused(&end, &["cannot listen on 0.0.0.0:25: ", "CAP_NET_BIND_SERVICE"]);
}

#[test]
fn a_disk_that_is_full_may_be_mended_by_a_moment() {
    if !is_root() {
        return;
    }
    let place = Place::new("");
    let mounted = format!(
        "mount -t tmpfs -o size=64k,mode=0777 none {} && exec \"$@\"",
        place.path("spool").display()
    );
    let end = place.serve_behind(&["unshare", "--mount", "sh", "-c", &mounted, "sh"]);
    assert_eq!(end.status, 1, "{}", end.stderr);
    assert!(end.stderr.contains("the spool "), "{}", end.stderr);
}

/// What ends `serve` is told before it is started.
#[test]
fn a_spool_that_cannot_be_used_is_found_by_the_check() {
    if !is_root() {
        return;
    }
    let place = Place::new("");
    let end = place.check();
    assert_eq!(
        (end.status, end.stderr.contains("spool.path")),
        (0, false),
        "{}",
        end.stderr
    );
    // Another user's is as it should be, for root who only looks.
    let end = place.run_as_root(&["config", "check", "--strict"]);
    assert_eq!(
        (end.status, end.stderr.contains("spool.path")),
        (0, false),
        "{}",
        end.stderr
    );
    chown(place.path("spool"), Some(0), Some(0)).unwrap();
    let end = place.check();
    assert_eq!(end.status, 1, "{}", end.stderr);
    for word in [
        "run by this user `serve` would end at once",
        "belongs to root:root",
    ] {
        assert!(end.stderr.contains(word), "{word:?} is not in: {}", end.stderr);
    }
    fs::remove_dir(place.path("spool")).unwrap();
    place.write("spool", "");
    let end = place.check();
    assert_eq!(end.status, 1, "{}", end.stderr);
    assert!(
        end.stderr.contains("/spool: it is no directory"),
        "{}",
        end.stderr
    );
}

/// What root makes there, its owner could not open: neither then nor at the next start.
#[test]
fn root_leaves_nothing_in_the_spool_of_another_user() {
    if !is_root() {
        return;
    }
    let place = Place::new("");
    let end = place.serve_as_root();
    assert_refused(
        &end,
        &[
            "/spool: it belongs to nobody:nogroup, who could not open what root makes in it",
            "sudo -u nobody danerelay serve",
        ],
    );
    assert_eq!(fs::read_dir(place.path("spool")).unwrap().count(), 0);
    assert_eq!(fs::read_to_string(place.path("log")).unwrap(), "");
}

#[test]
fn root_makes_no_spool_that_the_service_could_not_open() {
    if !is_root() {
        return;
    }
    let place = Place::new("");
    fs::remove_dir(place.path("spool")).unwrap();
    let users = fs::read_to_string("/etc/passwd").unwrap();
    place.write(
        "passwd",
        &format!("{users}danerelay:x:990:990::/var/spool/danerelay:/usr/sbin/nologin\n"),
    );
    let script = format!(
        "mount --bind {passwd} /etc/passwd && exec {program} serve -c {file}",
        passwd = place.path("passwd").display(),
        program = place.path("danerelay").display(),
        file = place.path("danerelay.toml").display(),
    );
    let end = Command::new("unshare")
        .args(["--mount", "sh", "-c", &script])
        .output()
        .unwrap();
    assert_refused(
        &End::of(&end),
        &[
            "/spool: it does not exist",
            "install -d -o danerelay -g danerelay -m 0750",
        ],
    );
    assert!(!place.path("spool").exists());
}

#[test]
fn root_in_its_own_spool_is_warned() {
    if !is_root() {
        return;
    }
    let relay = Relay::start(NO_DNS);
    let warning = relay.wait_for("runs as root");
    assert!(
        warning.contains(" warning ") && warning.contains("User="),
        "{warning}"
    );
}

#[test]
fn a_socket_that_cannot_be_made_names_owner_and_mode_and_the_daemon_runs() {
    if !is_root() {
        return;
    }
    let place = Place::new("");
    fs::create_dir(place.path("run")).unwrap();
    let text = configuration(NO_DNS).replace("\"admin.sock\"", "\"run/admin.sock\"");
    place.write("danerelay.toml", &text);
    let script = "timeout -s TERM 3 \"$@\"; true";
    let end = place.serve_behind(&["sh", "-c", script, "sh"]);
    assert_eq!(end.status, 0, "{}", end.stderr);
    let log = fs::read_to_string(place.path("log")).unwrap();
    assert!(
        log.contains("there is no admin socket: ")
            && log.contains("/run belongs to root:root and has mode 0755"),
        "{log}"
    );
}

#[test]
fn a_queue_that_is_anothers_says_whose() {
    if !is_root() {
        return;
    }
    let place = Place::new("");
    place.write("spool/queue.db", "");
    set_mode(&place.path("spool/queue.db"), 0o600);
    let mut list = Command::new("setpriv");
    list.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    list.arg(place.path("danerelay")).args(["queue", "list", "-c"]);
    let end = End::of(&list.arg(place.path("danerelay.toml")).output().unwrap());
    let whose = "queue.db belongs to root:root and has mode 0600; run this as its owner";
    assert_refused(&end, &["the spool ", whose]);
}

#[test]
fn who_holds_the_lock_of_a_spool_is_told() {
    let directory = common::prepared(NO_DNS);
    let spool = directory.path().join("spool");
    fs::create_dir(&spool).unwrap();
    fs::write(spool.join("lock"), "1\n").unwrap();
    let lock = File::open(spool.join("lock")).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    let end = End::of(&common::serve(directory.path()).output().unwrap());
    let log = fs::read_to_string(directory.path().join("log")).unwrap();
    assert_eq!(end.status, 2, "{log}");
    let ours = format!("(process {})", std::process::id());
    assert!(
        log.contains("spool/lock is held by another program, ") && log.contains(&ours),
        "{log}"
    );
    drop(lock);
    fs::remove_file(directory.path().join("log")).unwrap();
    // A file alone is no lock: whoever wrote it has ended.
    let relay = Relay::start_in(directory, |command| command);
    assert!(!relay.log().contains("is held by"), "{}", relay.log());
}

#[test]
fn a_lock_that_is_no_file_is_named() {
    let directory = common::prepared(NO_DNS);
    fs::create_dir_all(directory.path().join("spool/lock")).unwrap();
    let end = End::of(&common::serve(directory.path()).output().unwrap());
    assert_refused(&end, &["/spool/lock: is a directory"]);
}
