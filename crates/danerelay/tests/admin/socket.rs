//! The socket in the file system: whose it is, and what becomes of it.

use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;

use rustix::process::Signal;

use crate::common::{Client, NO_DNS, Relay, configuration, prepared};

#[test]
fn the_socket_is_for_owner_and_group_and_goes_with_the_daemon() {
    let mut relay = Relay::start(NO_DNS);
    let socket = relay.path("admin.sock");
    let found = std::fs::symlink_metadata(&socket).unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o777, 0o660);
    relay.stop();
    assert!(!socket.exists());
}

#[test]
fn the_socket_of_a_dead_daemon_is_replaced() {
    let mut relay = Relay::start(NO_DNS);
    let id = Client::connect(relay.address).send("x@nowhere.example");
    relay.wait_for("status=deferred");
    relay.signal(Signal::KILL);
    relay.wait();
    assert!(relay.path("admin.sock").exists());
    // Nobody answers there: the spool itself is read, and there is nothing to be said about that.
    assert_eq!(relay.queue()[0]["id"], id.as_str());
    assert_eq!(relay.run(&["queue", "hold", "--all"]).status, 3);
    relay.start_again();
    let recovery = relay.wait_for("event=recovery");
    assert!(recovery.contains("messages=1, deliveries="), "{recovery}");
    assert_eq!(
        relay.print(&["queue", "hold", "--all"]),
        "held 1 recipient of 1 message\n"
    );
}

#[test]
fn the_socket_of_a_living_daemon_is_left_alone_and_nobody_takes_the_one_for_the_other() {
    let first = Relay::start(NO_DNS);
    let socket = first.path("admin.sock");
    let directory = prepared("");
    let shared = configuration(NO_DNS).replace("\"admin.sock\"", &format!("\"{}\"", socket.display()));
    std::fs::write(directory.path().join("danerelay.toml"), shared).unwrap();
    let second = Relay::start_in(directory, |command| command);
    let warning = second.wait_for("there is no admin socket");
    assert!(
        warning.contains(" warning ") && warning.contains("another daemon listens on"),
        "{warning}"
    );
    // It runs, and takes mail.
    let id = Client::connect(second.address).send("x@nowhere.example");
    second.wait_for("status=deferred");
    let hold = second.run(&["queue", "hold", "--all"]);
    assert_eq!(hold.status, 2, "{}", hold.stdout);
    assert!(hold.stderr.contains("has another spool"), "{}", hold.stderr);
    let list = second.run(&["queue", "list", "--json"]);
    assert!(list.status == 0 && list.stdout.contains(&id), "{}", list.stdout);
    assert!(
        list.stderr.contains("reading the spool itself"),
        "{}",
        list.stderr
    );
    assert_eq!(first.queue().len(), 0);
    drop(second);
    assert!(UnixStream::connect(&socket).is_ok());
}

#[test]
fn without_a_place_for_it_the_daemon_runs_without_it() {
    let directory = prepared("");
    std::fs::write(directory.path().join("file"), "").unwrap();
    let text = configuration(NO_DNS).replace("\"admin.sock\"", "\"file/admin.sock\"");
    std::fs::write(directory.path().join("danerelay.toml"), text).unwrap();
    let relay = Relay::start_in(directory, |command| command);
    relay.wait_for("there is no admin socket");
    Client::connect(relay.address).send("x@nowhere.example");
    assert_eq!(relay.run(&["queue", "list"]).status, 0);
}

#[test]
fn an_empty_path_means_no_socket() {
    let directory = prepared("");
    let text = configuration(NO_DNS).replace("\"admin.sock\"", "\"\"");
    std::fs::write(directory.path().join("danerelay.toml"), text).unwrap();
    let relay = Relay::start_in(directory, |command| command);
    assert!(!relay.log().contains("admin socket"), "{}", relay.log());
    assert_eq!(relay.print(&["queue", "list"]), "Mail queue is empty\n");
    let end = relay.run(&["queue", "hold", "--all"]);
    assert_eq!(end.status, 2);
    assert!(end.stderr.contains("`admin.socket` is empty"), "{}", end.stderr);
}
