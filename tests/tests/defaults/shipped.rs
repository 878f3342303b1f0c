use danerelay_tests::arena;
use danerelay_tests::relay::{HOST, PORT};
use danerelay_tests::resolver::Resolver;
use danerelay_tests::server::Make;
use danerelay_tests::stage::letter_to;
use danerelay_tests::system::System;
use danerelay_tests::world::{GOOD, World};

/// A healthy Unbound that resolv.conf vouches for, and no configuration file at all.
#[test]
fn without_any_file_mail_goes_out() {
    arena::run("shipped::without_any_file_mail_goes_out", |directory| {
        let system = System::prepare(directory);
        system.resolv_conf("nameserver 127.0.0.1\noptions edns0 trust-ad\n");
        let world = World::start(directory, Resolver::Validating, Make::Exim);
        let front = Make::Exim.front(directory, HOST, PORT);
        let relay = system.serve();

        let letter = letter_to(GOOD);
        front.submit(&letter);
        letter.assert_same(&world.back.receive(&letter));
        let line = relay.delivery(&letter.recipient, "sent");
        assert_eq!(line.get("dane"), "Verify (Secure TLSA RRs found)");
        assert_eq!(relay.event("resolver", "fine").get("dns"), "trust-ad");
    });
}
