//! The system's list of name servers: strange, late, and another than before. The relay runs without any file of its own.

use danerelay_tests::arena;
use danerelay_tests::letter::Letter;
use danerelay_tests::make::Make;
use danerelay_tests::relay::{HOST, PORT};
use danerelay_tests::resolver::Resolver;
use danerelay_tests::server::Submit;
use danerelay_tests::stage::letter_to;
use danerelay_tests::system::{Installed, System};
use danerelay_tests::wait;
use danerelay_tests::world::{GOOD, UNSIGNED, WRONG, World};
use std::fs;

/// An address at which nobody answers.
const NOBODY: &str = "127.0.0.99";
/// Where a second resolver listens.
const SECOND: &str = "127.0.0.4";

#[test]
fn what_the_c_library_passes_over_stops_no_mail() {
    arena::run(
        "resolv_conf::what_the_c_library_passes_over_stops_no_mail",
        |directory| {
            let system = System::prepare(directory);
            let odd = b"# \xff\xfe\nfrobnicate yes\nsearch example.org\nnameserver none.example\nnameserver 127.1 and more\n\
                    options no-such-option edns0 trust-ad timeout:1\n\x1b[2J\n";
            fs::write("/etc/resolv.conf", odd).unwrap();
            let world = World::start(directory, Resolver::Validating, Make::Exim);
            let front = Make::Exim.front(directory, HOST, PORT);
            let relay = system.serve();
            goes_out(&relay, &world, &*front, "odd");
            let warnings = relay.events("resolver", "passed-over");
            let [warning] = warnings.as_slice() else {
                panic!("one warning, not {warnings:?}");
            };
            let reason = warning.get("reason");
            for part in [
                "/etc/resolv.conf: line 2 (`frobnicate yes`",
                "`nameserver none.example`",
                "and ",
            ] {
                assert!(reason.contains(part), "{part} in {reason}");
            }
            assert_eq!(relay.event("resolver", "fine").get("servers"), "127.0.0.1:53");
        },
    );
}

#[test]
fn mail_waits_until_the_system_names_a_server_and_follows_it() {
    arena::run(
        "resolv_conf::mail_waits_until_the_system_names_a_server_and_follows_it",
        |directory| {
            let system = System::prepare(directory);
            system.resolv_conf("");
            let mut world = World::start(directory, Resolver::Validating, Make::Exim);
            let front = Make::Exim.front(directory, HOST, PORT);
            let relay = system.serve();
            // An Unbound is there at the address that the C library would make up. Nobody has named it.
            let alarm = relay.event("resolver", "failing");
            let reason = alarm.get("reason");
            assert!(
                reason.starts_with("no DNS server is known: /etc/resolv.conf"),
                "{alarm:?}"
            );
            let early = letter_to(GOOD);
            front.submit(&early);
            let line = relay.delivery(&early.recipient, "deferred");
            assert_eq!(line.get("dane"), "Fail (MX lookup: indeterminate)");
            assert!(line.get("reason").contains("no DNS server is known"), "{line:?}");
            fs::remove_file("/etc/resolv.conf").unwrap();

            system.resolv_conf("nameserver 127.0.0.1\noptions trust-ad\n");
            let changed = relay.event("resolver", "servers");
            assert_eq!(changed.get("servers"), "127.0.0.1:53");
            assert_eq!(relay.event("resolver", "fine").get("dns"), "trust-ad");
            relay.command(&["queue", "retry", "--all"]);
            early.assert_same(&world.back.receive(&early));
            let line = relay.delivery(&early.recipient, "sent");
            assert_eq!(line.get("dane"), "Verify (Secure TLSA RRs found)");

            // The server moves, and the file says so.
            let moved = Resolver::Validating.start_at(SECOND, directory, &world.tree);
            world.silence_resolver();
            system.resolv_conf(&format!("nameserver {SECOND}\noptions trust-ad\n"));
            servers_are(&relay, &format!("{SECOND}:53"));
            goes_out(&relay, &world, &*front, "moved");

            // On reload at once, and to a server that is not vouched for: who validates changes with it.
            system.resolv_conf(&format!("nameserver {NOBODY}\nnameserver {SECOND}\n"));
            relay.hang_up();
            servers_are(&relay, &format!("{NOBODY}:53, {SECOND}:53"));
            wait::until("validation here", || {
                let line = relay.last("resolver")?;
                (line.has("status", "failing") && line.has("dns", "validate")).then_some(())
            });
            drop(moved);
        },
    );
}

/// The second server vouches for nothing, and takes over when the first ends: in trust-ad mode it is not believed for what the
/// first has shown, and where we validate it will do.
#[test]
fn the_second_server_is_not_believed_for_the_first() {
    arena::run(
        "resolv_conf::the_second_server_is_not_believed_for_the_first",
        |directory| {
            let system = System::prepare(directory);
            system.resolv_conf(&format!(
                "nameserver 127.0.0.1\nnameserver {SECOND}\noptions trust-ad\n"
            ));
            system.configure(
                "danerelay.toml",
                "version = 1\n[dns]\nmode = \"trust-ad\"\n[delivery]\nretry = [\"1s\"]\n",
            );
            let mut world = World::start(directory, Resolver::Validating, Make::Exim);
            let front = Make::Exim.front(directory, HOST, PORT);
            // It is silent during the test.
            let relay = system.serve();
            relay.event("resolver", "fine");
            goes_out(&relay, &world, &*front, "first");

            let _second = Resolver::Plain.start_at(SECOND, directory, &world.tree);
            world.silence_resolver();
            relay.command(&["flush", "--all"]);
            let letters =
                [GOOD, UNSIGNED, WRONG].map(|domain| Letter::new(domain, &format!("second@{domain}")));
            for letter in &letters {
                front.submit(letter);
                let line = relay.delivery(&letter.recipient, "deferred");
                assert!(line.get("dane").starts_with("Fail (MX lookup: "), "{line:?}");
            }
            let alarm = relay.event("resolver", "failing");
            assert!(alarm.get("reason").contains(SECOND), "{alarm:?}");
            assert!(alarm.get("reason").contains("does not validate"), "{alarm:?}");
            for letter in &letters {
                assert!(letter.find_in(&world.back.maildir()).is_none());
            }
            world.resolve_by(Resolver::Validating);
            let [good, unsigned, wrong] = &letters;
            for letter in [good, unsigned] {
                letter.assert_same(&world.back.receive(letter));
            }
            assert!(wrong.find_in(&world.back.maildir()).is_none());
        },
    );
}

fn servers_are(relay: &Installed, servers: &str) {
    wait::until(&format!("the servers {servers}"), || {
        let lines = relay.events("resolver", "servers");
        lines
            .iter()
            .any(|line| line.get("servers") == servers)
            .then_some(())
    });
}

fn goes_out(relay: &Installed, world: &World, front: &dyn Submit, token: &str) {
    let letter = Letter::new(token, &format!("{token}@{GOOD}"));
    front.submit(&letter);
    letter.assert_same(&world.back.receive(&letter));
    let line = relay.delivery(&letter.recipient, "sent");
    assert_eq!(line.get("dane"), "Verify (Secure TLSA RRs found)");
}
