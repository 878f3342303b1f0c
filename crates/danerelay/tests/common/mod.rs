//! A daemon, its clients and its commands, for tests.

#![allow(clippy::disallowed_types, reason = "the time that really passes is meant")]
#![allow(dead_code, reason = "each test uses its part of it")]

pub(crate) mod demo;
pub(crate) mod pem;

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use testworld::dns::World;

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Nobody answers there: look-ups fail, and mail waits.
pub(crate) const NO_DNS: &str =
    "[dns]\nservers = [\"127.0.0.1:9\"]\ntimeout = \"1s\"\n[delivery]\nretry = [\"1h\"]\n";

/// A running daemon in a directory of its own.
pub(crate) struct Relay {
    pub(crate) directory: TempDir,
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
}

impl Relay {
    /// Starts with these lines in addition to what every test needs, and waits until it serves.
    pub(crate) fn start(more: &str) -> Self {
        Self::start_in(prepared(more), |command| command)
    }

    pub(crate) fn start_in(directory: TempDir, prepare: impl FnOnce(&mut Command) -> &mut Command) -> Self {
        let child = prepare(&mut serve(directory.path())).spawn().unwrap();
        let mut relay = Self {
            directory,
            child,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        relay.address = relay.listening_address();
        relay
    }

    /// Starts with the configuration in this directory, whatever it listens on.
    pub(crate) fn start_in_any(directory: TempDir) -> Self {
        let relay = Self {
            child: serve(directory.path()).spawn().unwrap(),
            directory,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        relay.wait_for("event=started");
        relay
    }

    /// The same by another command than the one that serves, made of it.
    pub(crate) fn start_by(directory: TempDir, make: impl FnOnce(&Command) -> Command) -> Self {
        let relay = Self {
            child: make(&serve(directory.path())).spawn().unwrap(),
            directory,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        relay.wait_for("event=started");
        relay
    }

    /// Starts it again after its end, with a new log.
    pub(crate) fn start_again(&mut self) {
        std::fs::remove_file(self.path("log")).unwrap();
        self.child = serve(self.directory.path()).spawn().unwrap();
        self.address = self.listening_address();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    fn listening_address(&self) -> SocketAddr {
        let started = self.wait_for("event=started");
        let (_, rest) = started.split_once("listen=\"").unwrap();
        rest.split('"').next().unwrap().parse().unwrap()
    }

    /// The first whole log line that contains the text.
    pub(crate) fn wait_for(&self, text: &str) -> String {
        self.wait_for_lines(text, 1).pop().unwrap()
    }

    /// So many log lines that contain the text, once there are as many.
    pub(crate) fn wait_for_lines(&self, text: &str, count: usize) -> Vec<String> {
        let began = Instant::now();
        loop {
            let log = self.log();
            let whole = log.rsplit_once('\n').map_or("", |(whole, _)| whole);
            let lines: Vec<String> = whole
                .lines()
                .filter(|line| line.contains(text))
                .take(count)
                .map(str::to_owned)
                .collect();
            if lines.len() == count {
                return lines;
            }
            assert!(began.elapsed() < PATIENCE, "no {count} {text:?} in:\n{log}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "still running:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Stops it in order.
    pub(crate) fn stop(&mut self) {
        self.signal(Signal::TERM);
        assert_eq!(self.wait().code(), Some(0), "{}", self.log());
    }

    /// A command with this relay's configuration.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_danerelay"));
        command
            .arg("--config")
            .arg(self.path("danerelay.toml"))
            .args(arguments);
        command
    }

    /// Runs a command with this relay's configuration.
    pub(crate) fn run(&self, arguments: &[&str]) -> End {
        End::of(&self.command(arguments).output().unwrap())
    }

    /// What the command prints, which is to end well.
    pub(crate) fn print(&self, arguments: &[&str]) -> String {
        let end = self.run(arguments);
        assert_eq!(end.status, 0, "{arguments:?}: {}{}", end.stdout, end.stderr);
        assert_eq!(end.stderr, "", "{arguments:?}");
        end.stdout
    }

    /// The objects that the command prints, a line each.
    pub(crate) fn objects(&self, arguments: &[&str]) -> Vec<Value> {
        let text = self.print(arguments);
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// What is in the queue.
    pub(crate) fn queue(&self) -> Vec<Value> {
        self.objects(&["queue", "list", "--json"])
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How a command ended.
pub(crate) struct End {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl End {
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            status: output.status.code().expect("the program ends by itself"),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

pub(crate) fn configuration(more: &str) -> String {
    format!(
        "hostname = \"relay.example\"\nstate_directory = \"state\"\n[listen]\nsmtp = [\"127.0.0.1:0\"]\n[limits]\nspool_free = \"1 MiB\"\n\
         [spool]\npath = \"spool\"\n[log]\ntarget = \"log\"\n[admin]\nsocket = \"admin.sock\"\n{more}"
    )
}

/// A directory with a configuration file.
pub(crate) fn prepared(more: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("danerelay.toml"), configuration(more)).unwrap();
    directory
}

/// The command that serves with the configuration in this directory.
pub(crate) fn serve(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_danerelay"));
    command
        .args(["serve", "-c"])
        .arg(directory.join("danerelay.toml"))
        .stdin(Stdio::null());
    command
}

/// Settings that ask the world, whose anchor is written to a file, and retry after an hour.
pub(crate) fn asking(world: &World, mode: &str, anchor: &Path) -> String {
    std::fs::write(anchor, world.trust_anchor_ds().unwrap()).unwrap();
    format!(
        "[dns]\nmode = \"{mode}\"\nservers = [\"{}\"]\ntrust_anchor = \"{}\"\n[delivery]\nretry = [\"1h\"]\n\
         ignore_addresses = []\n",
        world.address(),
        anchor.display(),
    )
}

/// A client's side of a session.
pub(crate) struct Client(BufReader<TcpStream>);

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut client = Self(BufReader::new(stream));
        client.expect("220");
        client.say("EHLO client.example", "250");
        client
    }

    pub(crate) fn say(&mut self, line: &str, reply: &str) -> String {
        self.0
            .get_mut()
            .write_all(format!("{line}\r\n").as_bytes())
            .unwrap();
        self.expect(reply)
    }

    fn expect(&mut self, reply: &str) -> String {
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            assert!(line.starts_with(reply), "{line:?} is not {reply}");
            if line.get(3..4) != Some("-") {
                return line;
            }
        }
    }

    /// Sends a message and gives its queue id.
    pub(crate) fn send(&mut self, recipient: &str) -> String {
        self.send_from("sender@client.example", &[recipient])
    }

    /// Sends a message from one to some and gives its queue id.
    pub(crate) fn send_from(&mut self, sender: &str, recipients: &[&str]) -> String {
        self.say(&format!("MAIL FROM:<{sender}>"), "250");
        for recipient in recipients {
            self.say(&format!("RCPT TO:<{recipient}>"), "250");
        }
        self.send_content()
    }

    /// Ends a transaction and gives the queue id.
    pub(crate) fn send_content(&mut self) -> String {
        self.say("DATA", "354");
        let reply = self.say(&format!("{CONTENT}."), "250");
        reply.trim_end().rsplit(' ').next().unwrap().to_owned()
    }
}

/// What [`Client::send`] sends.
pub(crate) const CONTENT: &str = "Subject: greetings\r\nMessage-ID: <1@client.example>\r\n\r\nHello\r\n";
