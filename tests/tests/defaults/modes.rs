//! Each `dns.mode` through a day with its resolver: it comes up late, stops validating, loses all signatures, and is fixed.

use danerelay_tests::arena;
use danerelay_tests::letter::Letter;
use danerelay_tests::log::LogLine;
use danerelay_tests::make::Make;
use danerelay_tests::relay::{HOST, PORT};
use danerelay_tests::resolver::Resolver;
use danerelay_tests::server::Submit;
use danerelay_tests::system::{Installed, System};
use danerelay_tests::wait;
use danerelay_tests::world::{GOOD, UNSIGNED, WRONG, World};
use std::path::Path;

const VOUCHED: &str = "nameserver 127.0.0.1\noptions edns0 trust-ad\n";
const UNVOUCHED: &str = "nameserver 127.0.0.1\n";

/// What becomes of mail.
#[derive(Clone, Copy)]
enum Mail {
    /// It goes out, authenticated, and this is who validated.
    Goes(&'static str),
    /// It waits, and the alarm says this.
    Waits(&'static str),
}

/// A set-up.
struct Case {
    resolv_conf: &'static str,
    /// `dns.mode`.
    mode: &'static str,
    /// Behind a resolver that validates, one that does not, and one without signatures.
    validating: Mail,
    plain: Mail,
    stripping: Mail,
}

const NOT_VALIDATING: Mail = Mail::Waits("does not validate");
const NO_SIGNATURES: Mail = Mail::Waits("leave out DNSSEC signatures");

#[test]
fn auto_where_the_system_vouches_for_the_resolver() {
    arena::run(
        "modes::auto_where_the_system_vouches_for_the_resolver",
        |directory| {
            play(
                directory,
                &Case {
                    resolv_conf: VOUCHED,
                    mode: "auto",
                    validating: Mail::Goes("trust-ad"),
                    plain: Mail::Goes("validate"),
                    stripping: NO_SIGNATURES,
                },
            );
        },
    );
}

#[test]
fn auto_where_it_does_not() {
    arena::run("modes::auto_where_it_does_not", |directory| {
        play(
            directory,
            &Case {
                resolv_conf: UNVOUCHED,
                mode: "auto",
                validating: Mail::Goes("validate"),
                plain: Mail::Goes("validate"),
                stripping: NO_SIGNATURES,
            },
        );
    });
}

#[test]
fn trust_ad() {
    arena::run("modes::trust_ad", |directory| {
        play(
            directory,
            &Case {
                resolv_conf: UNVOUCHED,
                mode: "trust-ad",
                validating: Mail::Goes("trust-ad"),
                plain: NOT_VALIDATING,
                stripping: NOT_VALIDATING,
            },
        );
    });
}

#[test]
fn validate() {
    arena::run("modes::validate", |directory| {
        play(
            directory,
            &Case {
                resolv_conf: VOUCHED,
                mode: "validate",
                validating: Mail::Goes("validate"),
                plain: Mail::Goes("validate"),
                stripping: NO_SIGNATURES,
            },
        );
    });
}

fn play(directory: &Path, case: &Case) {
    let system = System::prepare(directory);
    system.resolv_conf(case.resolv_conf);
    let mut world = World::start(directory, Resolver::Validating, Make::Exim);
    world.silence_resolver();
    // The anchor has no effect where the resolver is believed. Mail that waits is tried again at once.
    system.configure(
        "danerelay.toml",
        &format!(
            "version = 1\n[dns]\nmode = \"{}\"\ntrust_anchor = \"{}\"\n[delivery]\nretry = [\"1s\"]\n",
            case.mode,
            world.tree.trust_anchor().display()
        ),
    );
    let mut story = Story {
        front: Make::Exim.front(directory, HOST, PORT),
        relay: system.serve(),
        world,
        letters: Vec::new(),
    };
    let wrong = Letter::new("never", &format!("never@{WRONG}"));
    story.front.submit(&wrong);
    story.goes_on("late", Mail::Waits("no DNS server answers"));
    for (resolver, mail) in [
        (Resolver::Validating, case.validating),
        (Resolver::Plain, case.plain),
        (Resolver::Stripping, case.stripping),
        (Resolver::Validating, case.validating),
    ] {
        println!("--- {resolver:?}");
        story.world.resolve_by(resolver);
        // What was learnt before would do for a second.
        story.relay.command(&["flush", "--all"]);
        story.goes_on(&format!("{resolver:?}-{}", story.letters.len()), mail);
    }
    // Everything that was waiting has been sent by now, and what no server may receive was never sent.
    for letter in &story.letters {
        letter.assert_same(&story.world.back.receive(letter));
    }
    assert!(wrong.find_in(&story.world.back.maildir()).is_none());
    let attempts = story.relay.deliveries(&wrong.recipient);
    assert!(attempts.len() > 5, "{attempts:?}");
    for line in &attempts {
        assert_eq!(line.get("status"), "deferred");
        assert!(line.get("dane").starts_with("Fail ("), "{line:?}");
    }
}

struct Story {
    front: Box<dyn Submit>,
    relay: Installed,
    world: World,
    letters: Vec<Letter>,
}

impl Story {
    /// Sends mail at once, when nobody knows yet what has become of the resolver, and says what becomes of it.
    fn goes_on(&mut self, token: &str, mail: Mail) {
        let secured = Letter::new(&format!("{token}-secured"), &format!("{token}@{GOOD}"));
        let open = Letter::new(&format!("{token}-open"), &format!("{token}@{UNSIGNED}"));
        for letter in [&secured, &open] {
            self.front.submit(letter);
        }
        match mail {
            Mail::Goes(validator) => {
                for (letter, dane) in [
                    (&secured, "Verify (Secure TLSA RRs found)"),
                    (&open, "Skip (Insecure host information)"),
                ] {
                    letter.assert_same(&self.world.back.receive(letter));
                    let line = self.relay.delivery(&letter.recipient, "sent");
                    assert_eq!(line.get("dane"), dane, "{line:?}");
                }
                self.resolver_is(|line| line.has("status", "fine") && line.has("dns", validator));
            }
            Mail::Waits(reason) => {
                self.resolver_is(|line| line.has("status", "failing") && line.get("reason").contains(reason));
                for letter in [&secured, &open] {
                    let line = self.relay.delivery(&letter.recipient, "deferred");
                    assert!(line.get("dane").starts_with("Fail (MX lookup: "), "{line:?}");
                    assert_eq!(line.get("relay"), "-", "{line:?}");
                    assert!(letter.find_in(&self.world.back.maildir()).is_none());
                }
            }
        }
        self.letters.extend([secured, open]);
    }

    /// Waits until the log's last word on the resolver is so.
    fn resolver_is(&self, is_so: impl Fn(&LogLine) -> bool) {
        wait::until("the last word on the resolver", || {
            self.relay.last("resolver").filter(&is_so).map(drop)
        });
    }
}
