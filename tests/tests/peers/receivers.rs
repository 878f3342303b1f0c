use danerelay_tests::arena;
use danerelay_tests::burst;
use danerelay_tests::certificates::Certificates;
use danerelay_tests::exim::Exim;
use danerelay_tests::log::LogLine;
use danerelay_tests::make::Make;
use danerelay_tests::opensmtpd::OpenSmtpd;
use danerelay_tests::postfix::{Door, Postfix};
use danerelay_tests::postgrey::Postgrey;
use danerelay_tests::relay::DnsMode;
use danerelay_tests::resolver::Resolver;
use danerelay_tests::server::Receive;
use danerelay_tests::stage::{Stage, letter_to};
use danerelay_tests::wait;
use danerelay_tests::world::{GOOD, World};
use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// How long many messages may take, on a busy machine.
const MANY: Duration = Duration::from_secs(90);

/// What a receiver may have to refuse before it is known how many connections it takes.
const REFUSED: usize = 10;

/// A Postfix that takes three connections and five recipients a transaction.
const POSTFIX: &str = "smtpd_client_connection_count_limit = 3\nsmtpd_recipient_limit = 5\n";

#[test]
fn a_postfix_that_takes_three_connections_gets_all_that_waits() {
    let name = "receivers::a_postfix_that_takes_three_connections_gets_all_that_waits";
    arena::run(name, |directory| {
        let stage = before(directory, |directory, domains, certificates| {
            let chain = &certificates.key_and_chain;
            Box::new(Postfix::back_behind(
                Door::Smtpd,
                directory,
                domains,
                chain,
                POSTFIX,
            ))
        });
        deliver_at_once(&stage, &one_each(100));
        let log = stage.world.back.log();
        let refused = log.matches("Connection concurrency limit exceeded").count();
        assert!(refused <= REFUSED, "{refused} refused:\n{log}");
        deliver_at_once(&stage, &[many("crowd", 12)]);
    });
}

/// An Exim that takes three connections and five recipients a transaction, and delivers all messages of a session at once.
const EXIM: &str = "smtp_accept_max_per_host = 3\nrecipients_max = 5\nsmtp_accept_queue_per_connection = 0\n";

#[test]
fn an_exim_that_takes_three_connections_gets_all_that_waits() {
    let name = "receivers::an_exim_that_takes_three_connections_gets_all_that_waits";
    arena::run(name, |directory| {
        let stage = before(directory, |directory, domains, certificates| {
            Box::new(Exim::back(directory, domains, &certificates.key_and_chain, EXIM))
        });
        deliver_at_once(&stage, &one_each(40));
        let log = stage.world.back.log();
        let refused = log.matches("too many connections from that IP address").count();
        assert!(refused <= REFUSED, "{refused} refused:\n{log}");
        deliver_at_once(&stage, &[many("crowd", 12)]);
    });
}

/// An OpenSMTPD that takes ten messages a session and five recipients a transaction.
const OPENSMTPD: &str = "smtp limit max-mails 10\nsmtp limit max-rcpt 5\n";

#[test]
fn an_opensmtpd_that_takes_few_messages_a_session_gets_all_that_waits() {
    if crate::is_opensmtpd_left_out() {
        return;
    }
    let name = "receivers::an_opensmtpd_that_takes_few_messages_a_session_gets_all_that_waits";
    arena::run(name, |directory| {
        let stage = before(directory, |directory, domains, certificates| {
            Box::new(OpenSmtpd::back(
                directory,
                domains,
                &certificates.key_and_chain,
                OPENSMTPD,
            ))
        });
        deliver_at_once(&stage, &[many("crowd", 12)]);
        deliver_at_once(&stage, &one_each(40));
    });
}

/// The tests of clients that postscreen has, after the greeting too: whoever passes them is told to come again.
const POSTSCREEN: &str = "postscreen_greet_action = enforce\npostscreen_greet_wait = 1s\n\
    postscreen_pipelining_enable = yes\npostscreen_pipelining_action = enforce\n\
    postscreen_non_smtp_command_enable = yes\npostscreen_non_smtp_command_action = enforce\n\
    postscreen_bare_newline_enable = yes\npostscreen_bare_newline_action = enforce\n";

#[test]
fn postscreen_passes_the_relay_when_it_comes_again() {
    let name = "receivers::postscreen_passes_the_relay_when_it_comes_again";
    arena::run(name, |directory| {
        let stage = before(directory, |directory, domains, certificates| {
            let chain = &certificates.key_and_chain;
            Box::new(Postfix::back_behind(
                Door::Postscreen,
                directory,
                domains,
                chain,
                POSTSCREEN,
            ))
        });
        let [first, second] = taken_at_the_retry(&stage);
        assert!(first.get("reply").starts_with("450 4.3.2 "), "{first:?}");
        assert_eq!(first.get("dane"), "Verify (Secure TLSA RRs found)");
        assert_ne!(second.get("attempt"), "1");
        let log = stage.world.back.log();
        assert!(log.contains("PASS NEW ["), "{log}");
        // The same address is known at the second time.
        assert!(log.contains("PASS OLD ["), "{log}");
    });
}

/// What the relay waits at least between two attempts, in seconds.
const STEP: u32 = 2;

#[test]
fn postgrey_takes_the_retry_and_none_comes_before_its_delay() {
    let name = "receivers::postgrey_takes_the_retry_and_none_comes_before_its_delay";
    arena::run(name, |directory| {
        let postgrey = Postgrey::start(directory, STEP);
        let stage = before(directory, |directory, domains, certificates| {
            let chain = &certificates.key_and_chain;
            let asked = Postgrey::ASKED;
            Box::new(Postfix::back_behind(
                Door::Smtpd,
                directory,
                domains,
                chain,
                asked,
            ))
        });
        let [first, second] = taken_at_the_retry(&stage);
        assert!(first.get("reply").starts_with("450 4.2.0 "), "{first:?}");
        assert!(first.get("reply").contains("Greylisted"), "{first:?}");
        assert_eq!(second.get("attempt"), "2");
        let decided = postgrey.log();
        assert_eq!(decided.matches("action=greylist").count(), 1, "{decided}");
        assert_eq!(decided.matches("reason=triplet found").count(), 1, "{decided}");
    });
}

/// The relay before this server.
fn before(
    directory: &Path,
    start_back: impl FnOnce(&Path, &[&str], &Certificates) -> Box<dyn Receive>,
) -> Stage {
    let world = World::start_around(directory, Resolver::Validating, start_back);
    Stage::set_in(world, Make::Exim, DnsMode::TrustAd)
}

/// A letter that is put off once; the lines of the two attempts.
fn taken_at_the_retry(stage: &Stage) -> [LogLine; 2] {
    let letter = letter_to(GOOD);
    stage.front.submit(&letter);
    let first = stage.relay.delivery(&letter.recipient, "deferred");
    assert_eq!(letter.find_in(&stage.world.back.maildir()), None);
    let second = stage.relay.delivery(&letter.recipient, "sent");
    assert_eq!(second.get("dane"), "Verify (Secure TLSA RRs found)");
    let arrived = stage.world.back.receive(&letter);
    assert!(arrived.ends_with(letter.text()));
    [first, second]
}

/// So many messages with one recipient each.
fn one_each(count: usize) -> Vec<Vec<String>> {
    (0..count)
        .map(|number| vec![format!("user{number}@{GOOD}")])
        .collect()
}

/// The recipients of one message.
fn many(name: &str, count: usize) -> Vec<String> {
    (0..count)
        .map(|number| format!("{name}{number}@{GOOD}"))
        .collect()
}

/// Has these messages delivered, none of them put off on the way.
fn deliver_at_once(stage: &Stage, messages: &[Vec<String>]) {
    deliver(stage, messages);
    let deliveries = stage.relay.all_deliveries();
    let put_off: Vec<_> = deliveries
        .iter()
        .filter(|line| line.get("status") != "sent")
        .collect();
    assert!(put_off.is_empty(), "{put_off:#?}\n{}", stage.world.back.log());
}

/// Has these messages delivered under DANE; each recipient gets its copy, and no second one.
fn deliver(stage: &Stage, messages: &[Vec<String>]) {
    let already = copies(stage);
    burst::submit(&stage.world.directory, messages);
    let recipients: HashSet<&String> = messages.iter().flatten().collect();
    let what = format!("{} deliveries", recipients.len());
    let sent = wait::until_within(MANY, &what, || {
        let mut sent = stage.relay.all_deliveries();
        sent.retain(|line| {
            line.get("status") == "sent" && recipients.iter().any(|one| line.get("to") == one.as_str())
        });
        (sent.len() >= recipients.len()).then_some(sent)
    });
    for line in &sent {
        assert_eq!(line.get("dane"), "Verify (Secure TLSA RRs found)");
    }
    let expected = already + recipients.len();
    wait::until("every copy in the mailbox", || {
        (copies(stage) >= expected).then_some(())
    });
    assert_eq!((sent.len(), copies(stage)), (recipients.len(), expected));
}

/// How many messages are in the mailbox.
fn copies(stage: &Stage) -> usize {
    fs::read_dir(stage.world.back.maildir().join("new")).map_or(0, Iterator::count)
}
