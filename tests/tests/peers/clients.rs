use danerelay_tests::arena;
use danerelay_tests::letter::{Letter, SENDER};
use danerelay_tests::make::Make;
use danerelay_tests::process::{command, output, words};
use danerelay_tests::relay::{DnsMode, HOST, PORT};
use danerelay_tests::server::{BACK, FRONT};
use danerelay_tests::stage::{Cast, Stage, letter_to};
use danerelay_tests::world::GOOD;
use std::fs;
use std::path::Path;
use std::process::Output;

/// What swaks exits with when every recipient was refused.
const SWAKS_RECIPIENT_REFUSED: i32 = 24;

/// Only the networks named in the configuration may relay.
#[test]
fn strangers_may_not_relay() {
    arena::run("clients::strangers_may_not_relay", |directory| {
        let stage = Stage::set(directory, Cast::both(Make::Exim, DnsMode::TrustAd));
        let letter = letter_to(GOOD);
        let stranger = swaks(directory, BACK, &letter);
        assert_eq!(
            stranger.status.code(),
            Some(SWAKS_RECIPIENT_REFUSED),
            "{}",
            words(&stranger)
        );
        assert_eq!(stage.relay.queued(&letter.recipient), None);
    });
}

/// swaks, an SMTP client without a queue, hands over a message that arrives whole.
#[test]
fn swaks_may_relay() {
    arena::run("clients::swaks_may_relay", |directory| {
        let stage = Stage::set(directory, Cast::both(Make::Exim, DnsMode::TrustAd));
        let letter = letter_to(GOOD);
        let known = swaks(directory, FRONT, &letter);
        let said = words(&known);
        assert!(known.status.success(), "{said}");
        let line = stage.relay.delivery(&letter.recipient, "sent");
        let accepted = format!("250 2.0.0 Ok: queued as {}", line.get("id"));
        assert!(said.contains(&accepted), "{accepted} is not in\n{said}");
        assert_eq!(line.get("from"), format!("<{SENDER}>"));
        assert_eq!(line.get("dane"), "Verify (Secure TLSA RRs found)");
        letter.assert_same(&stage.world.back.receive(&letter));
    });
}

/// Offers the relay the letter from this local address.
fn swaks(directory: &Path, from: &str, letter: &Letter) -> Output {
    let file = directory.join("letter");
    // swaks ends the last line itself.
    fs::write(&file, letter.text().strip_suffix(b"\n").unwrap()).unwrap();
    let server = format!("{HOST}:{PORT}");
    output(
        command("swaks")
            .args([
                "--server",
                &server,
                "--local-interface",
                from,
                "--helo",
                "front.test",
            ])
            .args(["--from", SENDER, "--to", &letter.recipient])
            // `@`: the message is in this file.
            .arg("--data")
            .arg(format!("@{}", file.display())),
    )
}
