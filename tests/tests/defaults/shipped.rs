//! What is shipped, as it is, behind a healthy Unbound. But for the last test resolv.conf vouches for that.

use danerelay_tests::arena;
use danerelay_tests::letter::Letter;
use danerelay_tests::make::Make;
use danerelay_tests::relay::{HOST, PORT};
use danerelay_tests::resolver::Resolver;
use danerelay_tests::server::Submit;
use danerelay_tests::stage::letter_to;
use danerelay_tests::system::{Installed, NAME, System};
use danerelay_tests::unit::Unit;
use danerelay_tests::world::{GOOD, UNSIGNED, WRONG, World};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

const VOUCHED: &str = "nameserver 127.0.0.1\noptions edns0 trust-ad\n";

#[test]
fn without_any_file_mail_goes_out() {
    arena::run("shipped::without_any_file_mail_goes_out", |directory| {
        let world = Surroundings::new(directory, VOUCHED);
        let relay = world.system.serve();
        world.mail_is_relayed(&relay);
        world.a_wrong_server_gets_nothing(&relay);
    });
}

#[test]
fn the_full_files_change_nothing() {
    arena::run("shipped::the_full_files_change_nothing", |directory| {
        let world = Surroundings::new(directory, VOUCHED);
        world.configure("config");
        let relay = world.system.serve();
        world.mail_is_relayed(&relay);
        world.a_wrong_server_gets_nothing(&relay);
    });
}

#[test]
fn the_minimal_files_hold_nothing_up() {
    arena::run("shipped::the_minimal_files_hold_nothing_up", |directory| {
        let world = Surroundings::new(directory, VOUCHED);
        world.configure("config/minimal");
        let relay = world.system.serve();
        world.mail_is_relayed(&relay);
        let letter = letter_to(WRONG);
        world.front.submit(&letter);
        letter.assert_same(&world.world.back.receive(&letter));
        let line = relay.delivery(&letter.recipient, "sent");
        assert_eq!(line.get("dane"), "Softfail (No matching TLSA RRs)");
        assert_eq!(line.get("mode"), "dane soft-fail");
    });
}

/// With the full files, as the package installs them.
#[test]
fn the_unit_runs_the_relay_and_is_told_so() {
    arena::run("shipped::the_unit_runs_the_relay_and_is_told_so", |directory| {
        let world = Surroundings::new(directory, VOUCHED);
        world.configure("config");
        let unit = Unit::shipped();
        assert_eq!((unit.get("Type"), unit.get("User")), ("notify", NAME));
        let told = UnixDatagram::bind("/run/notify").unwrap();
        fs::set_permissions("/run/notify", std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
        let relay = world.system.serve_by(&unit, Path::new("/run/notify"));
        let mut buffer = [0; 1024];
        let length = told.recv(&mut buffer).unwrap();
        let words = String::from_utf8_lossy(&buffer[..length]);
        assert!(words.contains("READY=1"), "{words}");
        world.mail_is_relayed(&relay);
        world.a_wrong_server_gets_nothing(&relay);
        // Its spool is its own, and its directories are what commands expect.
        let spool = fs::metadata("/var/spool/danerelay").unwrap();
        for entry in fs::read_dir("/var/spool/danerelay").unwrap() {
            let entry = entry.unwrap().metadata().unwrap();
            assert_eq!(entry.uid(), spool.uid());
            assert_eq!(entry.mode() & 0o027, 0, "the unit's mask");
        }
        let list = relay.command(&["queue", "list"]);
        assert!(list.contains(WRONG), "{list}");
    });
}

/// Nobody vouches for the resolver, so that we validate ourselves; and the root behind it is not the one whose keys are built
/// in: what it says cannot be true.
#[test]
fn behind_another_root_than_the_real_one_mail_waits() {
    arena::run(
        "shipped::behind_another_root_than_the_real_one_mail_waits",
        |directory| {
            let world = Surroundings::new(directory, "nameserver 127.0.0.1\n");
            let relay = world.system.serve();
            let alarm = relay.event("resolver", "failing");
            assert_eq!(alarm.get("dns"), "validate");
            let reason = alarm.get("reason");
            assert!(
                reason.starts_with("the root does not validate up to the trust anchor"),
                "{alarm:?}"
            );
            let before = world.world.back.connections();
            for domain in [GOOD, UNSIGNED, WRONG] {
                let letter = letter_to(domain);
                world.front.submit(&letter);
                let line = relay.delivery(&letter.recipient, "deferred");
                assert!(line.get("dane").starts_with("Fail (MX lookup: "), "{line:?}");
            }
            assert_eq!(world.world.back.connections(), before);
        },
    );
}

struct Surroundings {
    system: System,
    world: World,
    front: Box<dyn Submit>,
}

impl Surroundings {
    fn new(directory: &Path, resolv_conf: &str) -> Self {
        let system = System::prepare(directory);
        system.resolv_conf(resolv_conf);
        Self {
            system,
            world: World::start(directory, Resolver::Validating, Make::Exim),
            front: Make::Exim.front(directory, HOST, PORT),
        }
    }

    /// Installs the two files of a shipped directory.
    fn configure(&self, directory: &str) {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(directory);
        for name in ["danerelay.toml", "policy.toml"] {
            let text = fs::read_to_string(directory.join(name)).unwrap();
            self.system.configure(name, &text);
        }
    }

    /// With and without DANE, by what Unbound says.
    fn mail_is_relayed(&self, relay: &Installed) {
        for (domain, dane) in [
            (GOOD, "Verify (Secure TLSA RRs found)"),
            (UNSIGNED, "Skip (Insecure host information)"),
        ] {
            let letter = letter_to(domain);
            self.front.submit(&letter);
            letter.assert_same(&self.world.back.receive(&letter));
            let line = relay.delivery(&letter.recipient, "sent");
            assert_eq!(line.get("dane"), dane, "{line:?}");
            assert_eq!(line.get("attempt"), "1", "{line:?}");
        }
        let fine = relay.event("resolver", "fine");
        assert_eq!(fine.get("dns"), "trust-ad");
        let reason = fine.get("reason");
        assert!(
            reason.contains("the self-test shows that they validate"),
            "{fine:?}"
        );
    }

    fn a_wrong_server_gets_nothing(&self, relay: &Installed) {
        let letter = Letter::new("wrong", &format!("bob@{WRONG}"));
        self.front.submit(&letter);
        let line = relay.delivery(&letter.recipient, "deferred");
        assert_eq!(line.get("dane"), "Fail (No matching TLSA RRs)");
        assert!(letter.find_in(&self.world.back.maildir()).is_none());
    }
}
