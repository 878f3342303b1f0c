use danerelay_tests::arena;
use danerelay_tests::make::Make;
use danerelay_tests::relay::DnsMode;
use danerelay_tests::stage::{Cast, Stage, letter_to};
use danerelay_tests::world::WRONG;

/// A shortened list takes effect at the next attempt for a message that is already waiting.
#[test]
fn a_changed_list_takes_effect_on_sighup() {
    arena::run("reload::a_changed_list_takes_effect_on_sighup", |directory| {
        let stage = Stage::set(directory, Cast::both(Make::Exim, DnsMode::TrustAd));
        let relay = &stage.relay;
        let lists = "version = 1\n[[list]]\nkind = \"strict\"\nfile = \"strict.list\"\n\
                     [[list]]\nkind = \"soft-fail\"\nfile = \"soft-fail.list\"\n";
        let listed = format!("{WRONG}\n");
        relay.write("strict.list", &listed);
        relay.write("soft-fail.list", "# nobody yet\n");
        relay.write("policy.toml", lists);
        relay.hang_up();
        relay.event("policy", "loaded");

        let letter = letter_to(WRONG);
        stage.front.submit(&letter);
        let line = relay.delivery(&letter.recipient, "deferred");
        assert_eq!(line.get("mode"), "dane strict");
        assert_eq!(line.get("dane"), "Fail (No matching TLSA RRs)");

        relay.write("strict.list", "# nobody any more\n");
        relay.write("soft-fail.list", &listed);
        relay.hang_up();
        let line = relay.delivery(&letter.recipient, "sent");
        assert_eq!(line.get("mode"), "dane soft-fail");
        assert_eq!(line.get("dane"), "Softfail (No matching TLSA RRs)");
        letter.assert_same(&stage.world.back.receive(&letter));
    });
}

/// An invalid policy is refused as a whole, with the place of the fault, and the old one stays in force.
#[test]
fn a_broken_policy_is_refused_on_sighup() {
    arena::run("reload::a_broken_policy_is_refused_on_sighup", |directory| {
        let stage = Stage::set(directory, Cast::both(Make::Exim, DnsMode::TrustAd));
        let relay = &stage.relay;
        relay.write("policy.toml", "version = 1\ndefault.dane = \"strict\"\n");
        relay.hang_up();
        relay.event("policy", "loaded");

        relay.write(
            "policy.toml",
            "version = 1\ndefault.dane = \"off\"\ndefault.tsl = \"may\"\n",
        );
        relay.hang_up();
        let refused = relay.event("policy", "refused");
        let reason = refused.get("reason");
        assert!(reason.contains("policy.toml:3:"), "{refused:?}");
        assert!(reason.contains("did you mean \\\"tls\\\"?"), "{refused:?}");

        let letter = letter_to(WRONG);
        stage.front.submit(&letter);
        let line = relay.delivery(&letter.recipient, "deferred");
        assert_eq!(line.get("mode"), "dane strict");
        assert!(!stage.world.back.has_seen_mail(), "{}", stage.world.back.log());
    });
}
