//! What the page on running it says of the spool: it can be copied while nobody uses it, read where it lies, and used elsewhere.

use std::fs;
use std::process::Command;

use crate::common::{Client, NO_DNS, Relay};
use crate::pages;

#[test]
fn a_spool_is_moved_and_rescued_as_the_page_says() {
    let page = pages::page("docs/operations.md").text;
    assert!(page.contains("cp -a /var/spool/danerelay /mnt/fast/danerelay\n"));
    let mut relay = Relay::start(NO_DNS);
    let id = Client::connect(relay.address).send("somebody@moved.example");
    relay.wait_for("status=deferred");
    relay.stop();
    let (from, to) = (relay.path("spool"), relay.path("fast"));
    let copied = Command::new("cp").arg("-a").args([&from, &to]).status().unwrap();
    assert!(copied.success());
    fs::rename(&from, relay.path("spool.old")).unwrap();

    let configuration = relay.path("danerelay.toml");
    let text = fs::read_to_string(&configuration).unwrap();
    let pointing = |place: &str| text.replace("path = \"spool\"", &format!("path = \"{place}\""));
    fs::write(&configuration, pointing("fast")).unwrap();
    relay.start_again();
    let queue = relay.queue();
    assert_eq!(queue.len(), 1, "{queue:?}");
    assert_eq!(queue[0]["id"], id);

    // Beside the running one.
    fs::write(
        relay.path("rescue.toml"),
        pointing("spool.old").replace("admin.sock", "no.sock"),
    )
    .unwrap();
    let rescue = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_danerelay"))
            .arg("-c")
            .arg(relay.path("rescue.toml"))
            .args(arguments)
            .current_dir(relay.directory.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(rescue(&["queue", "list"]).contains(&id));
    rescue(&["queue", "export", &id, "--output", "rescued.eml"]);
    let rescued = fs::read_to_string(relay.path("rescued.eml")).unwrap();
    assert!(rescued.contains(&format!("id {id}")), "{rescued}");
    relay.stop();
}

/// What an older program says of a newer spool.
#[test]
fn the_refusal_is_quoted_as_it_is() {
    let refusal = spool::SpoolError::NewerVersion { found: 10, known: 9 };
    let page = pages::page("docs/operations.md").text;
    assert!(page.contains(&format!("\n{refusal}\n")), "{refusal}");
}
