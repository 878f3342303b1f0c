//! Every event as it is written: what is in `events.golden` is what log readers rely on.
//! `BLESS=1` writes the file anew.
#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use mail::event::admin::{Admin, Done};
use mail::event::client::{
    Accepted, BeginFault, ConnectionRefused, HandshakeFault, ListenerTrouble, NotBegun, Rejected,
};
use mail::event::delivery::{
    ClockWentBack, Delivery, DestinationHeldUp, HeldUp, ReportKind, ReportMade, Undeliverable,
};
use mail::event::fault::Fault;
use mail::event::log::{Library, LogTrouble, Throttled};
use mail::event::mta_sts::MtaSts;
use mail::event::resolver::{Finding, Resolver};
use mail::event::service::{Listen, NotStarted, Recovery, SpoolTrouble, Started, Stopped, Stopping};
use mail::event::settings::{
    ClientsLoaded, ExceptionEnds, ListNews, ListState, Mended, PolicyLoaded, Rechecked, Refused, Subject,
    WaitsForRestart, Warning,
};
use mail::event::spool::Spool;
use mail::event::store::{Failed, Gone, LedgerBound, Store};
use mail::event::tlsrpt::{NotCollected, ReportEnd, TlsReport, TlsReports};
use mail::event::trace::{StepKind, TraceStep};
use mail::record::Level;
use mail::{
    DaneVerdict, DeliverySecurity, Domain, Event, FailCause, Mailbox, Outcome, QueueId, Reason, ReplyCode,
    ReversePath, Security, Status,
};

fn id() -> QueueId {
    "01JDB3M9V7Q2X4Z6Y8W0T1R3S5".parse().unwrap()
}

fn sender() -> ReversePath {
    ReversePath::Mailbox(Mailbox::parse("a@example.org").unwrap())
}

fn recipient() -> Mailbox {
    Mailbox::parse("info@example.nl").unwrap()
}

fn domain(name: &str) -> Domain {
    Domain::parse(name).unwrap()
}

fn client() -> IpAddr {
    [192, 0, 2, 7].into()
}

fn outcome(status: Status, code: Option<u16>, enhanced: &str, reason: &str) -> Outcome {
    Outcome {
        status,
        reply_code: code.map(|code| ReplyCode::new(code).unwrap()),
        enhanced: enhanced.parse().unwrap(),
        reason: match code {
            Some(_) => Reason::of_reply(reason),
            None => reason.into(),
        },
    }
}

fn page() -> String {
    "bad page".to_owned()
}

/// Nothing is known of the host.
fn delivery(mode: &'static str, outcome: Outcome) -> Delivery {
    Delivery {
        id: id(),
        from: sender(),
        to: recipient(),
        mode,
        dane: DaneVerdict::NotReached,
        tls: None,
        tls_fail: None,
        tls_valid: None,
        host: None,
        address: None,
        port: 25,
        outcome,
        mx: None,
        base: None,
        tlsa: None,
        sts: None,
        delay: Duration::from_millis(210),
        delays: [0, 10, 150, 50].map(Duration::from_millis),
        attempt: 1,
        size: 10_240,
        is_told: false,
        security: DeliverySecurity::None,
    }
}

fn deliveries(all: &mut Vec<Event>) {
    let reply = "250 2.0.0 Ok: \"queued\" as 4XYZ";
    all.push(Event::Delivery(Box::new(Delivery {
        dane: DaneVerdict::Verify,
        tls: Some("TLSv1.3:TLS_AES_256_GCM_SHA384".to_owned()),
        // Said only where there is no session.
        tls_fail: Some("refused".to_owned()),
        tls_valid: Some("0 (ok)".to_owned()),
        host: Some(domain("mx1.example.nl")),
        address: Some([192, 0, 2, 1].into()),
        mx: Some(Security::Secure),
        base: Some(domain("mx1.example.nl")),
        tlsa: Some("3 1 1 29c8601c…".to_owned()),
        ..delivery("strict", outcome(Status::Sent, Some(250), "2.0.0", reply))
    })));
    all.push(Event::Delivery(Box::new(Delivery {
        tls_fail: Some("not-offered".to_owned()),
        attempt: 3,
        ..delivery(
            "opportunistic",
            outcome(Status::Expired, None, "4.4.7", "no answer, in time"),
        )
    })));
    all.push(Event::Delivery(Box::new(Delivery {
        dane: DaneVerdict::Softfail(FailCause::StarttlsRefused),
        tls_fail: Some("refused".to_owned()),
        tls_valid: Some("65 (no matching DANE TLSA records)".to_owned()),
        host: Some(domain("mx1.example.nl")),
        mx: Some(Security::Insecure),
        sts: Some("enforce"),
        attempt: 2,
        is_told: true,
        ..delivery(
            "soft-fail",
            outcome(Status::Deferred, Some(450), "4.2.0", "450 later"),
        )
    })));
    all.push(Event::Trace(TraceStep {
        id: Some(id()),
        next_hop: "example.nl".to_owned(),
        host: Some("mx1.example.nl [192.0.2.1]".to_owned()),
        at: Duration::from_millis(31),
        step: StepKind::Server,
        text: "250 \"ok\"".to_owned(),
    }));
    all.push(Event::Undeliverable(Undeliverable {
        id: id(),
        to: recipient(),
        outcome: outcome(Status::Bounced, Some(550), "5.1.1", "550 no such user"),
    }));
    all.push(Event::ReportMade(ReportMade {
        id: id(),
        about: id(),
        to: sender(),
        kind: ReportKind::Failed,
    }));
    for event in [
        MtaSts::NotFetched {
            domain: domain("example.nl"),
            id: "20261129".to_owned(),
            reason: "the policy host has no address".to_owned(),
        },
        MtaSts::NotRefreshed {
            domain: domain("example.nl"),
            ends: "2026-12-06T10:00:00Z".to_owned(),
            reason: "the policy host has no address".to_owned(),
        },
        MtaSts::NotKept("no space left on device".to_owned()),
    ] {
        all.push(Event::MtaSts(event));
    }
    all.push(Event::ClockWentBack(ClockWentBack { messages: 7 }));
    for (how, limit, refused, not_tried, reason) in [
        (HeldUp::Limited, 3, 2, 0, None),
        (
            HeldUp::Failing,
            1,
            0,
            40,
            Some("not tried: \"timeout\"".to_owned()),
        ),
    ] {
        all.push(Event::DestinationHeldUp(DestinationHeldUp {
            next_hop: "example.org".to_owned(),
            how,
            limit,
            refused,
            not_tried,
            waiting: 97,
            reason,
        }));
    }
}

fn clients(all: &mut Vec<Event>) {
    let accepted = Accepted {
        id: id(),
        client: client(),
        from: sender(),
        recipients: 2,
        size: 10_240,
        message_id: Some("1@example.org".to_owned()),
        name: None,
        tls: None,
        auth: None,
        orig_client: None,
    };
    all.push(Event::Accepted(Box::new(accepted.clone())));
    all.push(Event::Accepted(Box::new(Accepted {
        name: Some("mta.example.org".to_owned()),
        tls: Some("TLSv1.3:TLS_AES_256_GCM_SHA384".to_owned()),
        auth: Some("user".to_owned()),
        orig_client: Some("other.example.org [192.0.2.2]".to_owned()),
        ..accepted.clone()
    })));
    all.push(Event::Accepted(Box::new(Accepted {
        client: "2001:db8::1".parse().unwrap(),
        from: ReversePath::Null,
        recipients: 1,
        message_id: None,
        ..accepted
    })));
    let rejected = Rejected {
        client: client(),
        from: Some(sender()),
        to: Some(recipient()),
        reply: "554 5.7.1 relay access denied".to_owned(),
        refused: 3,
        may_relay: false,
        name: None,
        command: None,
        user: None,
        other: None,
    };
    all.push(Event::Rejected(Box::new(rejected.clone())));
    all.push(Event::Rejected(Box::new(Rejected {
        from: None,
        to: None,
        command: Some("MAIL FRM:<>".to_owned()),
        other: Some("501 5.5.4 syntax".to_owned()),
        user: Some("user".to_owned()),
        ..rejected
    })));
    all.push(Event::NotBegun(NotBegun {
        client: client(),
        fault: BeginFault::StartTls(HandshakeFault::Failed("not TLS".to_owned())),
    }));
    all.push(Event::ConnectionRefused(ConnectionRefused {
        client: client(),
        limit: "connections_per_client",
    }));
    all.push(Event::Listener(ListenerTrouble::Accept(
        "too many open files".to_owned(),
    )));
    all.push(Event::Listener(ListenerTrouble::AcceptOver(Duration::from_secs(
        90,
    ))));
    all.push(Event::Listener(ListenerTrouble::Session(
        "task 7 panicked".to_owned(),
    )));
}

fn spool(all: &mut Vec<Event>) {
    let error = || "disk full".to_owned();
    let (client, id) = (client(), id());
    let events = [
        Spool::Failed {
            client,
            error: error(),
        },
        Spool::Full {
            client,
            error: error(),
        },
        Spool::Accepting {
            refused: 100,
            lasted: Duration::from_secs(90),
        },
        Spool::Message {
            id,
            error: page(),
            is_damaged: true,
        },
        Spool::Message {
            id,
            error: page(),
            is_damaged: false,
        },
        Spool::Unread(page()),
        Spool::Unreadable {
            action: "list",
            messages: 2,
            id: Some(id),
            error: page(),
        },
        Spool::Unreadable {
            action: "list",
            messages: 2,
            id: None,
            error: page(),
        },
    ];
    all.extend(events.map(Event::Spool));
    let error = "task 7 panicked".to_owned();
    all.push(Event::Fault(Fault::Delivery { id, error }));
    all.push(Event::Fault(Fault::PartEnded("listener")));
}

fn store(all: &mut Vec<Event>) {
    let failed = |what| Store::Failed(what, page());
    let events = [
        failed(Failed::ReportOfOne),
        failed(Failed::Reports),
        failed(Failed::ScheduleOfMessage),
        failed(Failed::ScheduleOfRecipient),
        Store::LogKept,
        Store::Vanished { durable: 9, found: 7 },
        failed(Failed::Reserve),
        failed(Failed::NoteOfDoubt),
        failed(Failed::EndOfDoubt),
        failed(Failed::ReadDurable),
        Store::DurableUnclear,
        Store::NotRemoved {
            path: "/var/spool/x".into(),
            error: page(),
        },
        Store::LogCarriedOver,
        failed(Failed::NewLog),
        failed(Failed::Sweep),
        failed(Failed::Prune),
        Store::CaretakerGone(Gone::Ended),
        Store::CaretakerGone(Gone::Panicked),
        failed(Failed::Checkpoint),
        failed(Failed::NoteDurable),
        Store::Swept(4),
        failed(Failed::Tidy),
        failed(Failed::Write),
        Store::Writable,
        Store::LedgerFull(LedgerBound::Whole),
        Store::LedgerFull(LedgerBound::Day),
        Store::LedgerHasRoom,
    ];
    all.extend(events.map(Event::Store));
}

fn resolver(all: &mut Vec<Event>) {
    let tested = |finding| Resolver::Tested {
        dns: "validate",
        finding,
        servers: "192.0.2.53:53, 192.0.2.54:53".to_owned(),
    };
    let conf = || "/etc/resolv.conf".to_owned();
    let events = [
        Resolver::Unvalidated {
            names: vec![domain("a.example"), domain("b.example")],
            has_effect: false,
        },
        Resolver::Unvalidated {
            names: Vec::new(),
            has_effect: false,
        },
        tested(Finding::Fine("configured".to_owned())),
        tested(Finding::Failing("no DNS server answers".to_owned())),
        Resolver::Servers {
            dns: "validate",
            file: conf(),
            servers: "192.0.2.53:53, 192.0.2.54:53".to_owned(),
        },
        Resolver::ServersRefused {
            file: conf(),
            error: "bad".to_owned(),
        },
        Resolver::PassedOver {
            file: conf(),
            reason: "a fourth server".to_owned(),
        },
        Resolver::TrustAnchors {
            file: "/etc/root.ds".to_owned(),
            anchors: 2,
        },
    ];
    all.extend(events.map(Event::Resolver));
}

fn settings(all: &mut Vec<Event>) {
    let reason = || "line 3: not so".to_owned();
    for about in [
        Subject::Config,
        Subject::Descriptors,
        Subject::Limits,
        Subject::Policy,
    ] {
        let reason = reason();
        all.push(Event::Warning(Warning { about, reason }));
    }
    for about in [Subject::Config, Subject::Policy, Subject::Resolver] {
        let reason = reason();
        all.push(Event::Refused(Refused { about, reason }));
    }
    all.push(Event::WaitsForRestart(WaitsForRestart {
        changed: vec!["listen.smtp".to_owned(), "hostname".to_owned()],
    }));
    let file = "built-in".to_owned();
    all.push(Event::PolicyLoaded(PolicyLoaded {
        file,
        mended: Mended::Policy,
    }));
    all.push(Event::ClientsLoaded(ClientsLoaded));
    policy(all);
}

fn policy(all: &mut Vec<Event>) {
    let news = [
        ListState::Fetched(1_000),
        ListState::NotFetched("the server answers with the status 503".to_owned()),
        ListState::HeldBack("what came is an HTML page and no list of domains".to_owned()),
        ListState::TooOld("the server answers with the status 503".to_owned()),
        ListState::Recovered,
        ListState::NotNamed,
    ];
    all.extend(news.map(|news| {
        let url = "https://lists.example/fail.dat".to_owned();
        Event::List(ListNews { url, news })
    }));
    for is_over in [false, true] {
        all.push(Event::ExceptionEnds(ExceptionEnds {
            kind: "domain",
            names: ".example.nl".to_owned(),
            until: "2027-01-31".to_owned(),
            is_over,
            place: "/etc/danerelay/policy.toml:12".to_owned(),
            reason: "told \"hostmaster\"".to_owned(),
        }));
    }
    for is_closed in [false, true] {
        all.push(Event::Rechecked(Rechecked {
            kind: "mx",
            name: "mx.example.nl".to_owned(),
            place: "/var/lib/danerelay/exceptions.toml:4".to_owned(),
            is_closed,
            reason: "DANE is verified".to_owned(),
        }));
    }
}

fn admin(all: &mut Vec<Event>) {
    let by = || "root (uid 0)".to_owned();
    let acted = |trouble| Admin::Acted {
        action: "hold",
        by: by(),
        selector: "--all".to_owned(),
        done: Done {
            messages: 4,
            done: 3,
            leased: 2,
            unsuitable: 1,
        },
        trouble,
    };
    let reload = |is_loaded| Admin::Reload { by: by(), is_loaded };
    let export = |trouble| Admin::Export {
        id: id(),
        by: by(),
        trouble,
    };
    let selector = || "example.nl".to_owned();
    let events = [
        Admin::Deleted { id: id(), by: by() },
        acted(None),
        acted(Some(page())),
        reload(true),
        reload(false),
        Admin::Flush {
            by: by(),
            selector: selector(),
        },
        export(None),
        export(Some(page())),
        Admin::Explain {
            selector: selector(),
            by: by(),
        },
        Admin::SendReport {
            selector: selector(),
            by: by(),
        },
        Admin::MailReport {
            selector: "postmaster@example.nl".to_owned(),
            by: by(),
        },
        Admin::SocketReplaced("/run/a.sock".to_owned()),
        Admin::NoSocket("denied".to_owned()),
        Admin::StatusPage("127.0.0.1:8025".to_owned()),
        Admin::NoStatusPage("127.0.0.1:8025: in use".to_owned()),
        Admin::NotAccepting("too many open files".to_owned()),
    ];
    all.extend(events.map(Event::Admin));
}

fn tlsrpt(all: &mut Vec<Event>) {
    let to = || "reports@example.nl".to_owned();
    for end in [
        ReportEnd::Queued(id(), to()),
        ReportEnd::Posted("https://reports.example/v1".to_owned()),
        ReportEnd::Failed("no answer \"yet\"".to_owned()),
        ReportEnd::Dropped("nobody to send it to".to_owned()),
    ] {
        all.push(Event::TlsReport(TlsReport {
            domain: "example.nl".parse().unwrap(),
            day: "2026-11-29".to_owned(),
            met: 17,
            failed: 2,
            end,
        }));
    }
    let reason = "tlsrpt.dkim: /etc/danerelay/tlsrpt.pem: Permission denied".to_owned();
    all.push(Event::TlsReports(TlsReports::NotSent(reason)));
    all.push(Event::TlsReports(TlsReports::SentAgain));
    all.push(Event::NotCollected(NotCollected {
        lost: 3,
        error: "/run/tlsrpt: no such file".to_owned(),
    }));
    let trouble = Spool::TlsReports("the disk is full".to_owned());
    all.push(Event::Spool(trouble));
}

fn service(all: &mut Vec<Event>) {
    all.push(Event::Started(Box::new(Started {
        version: "0.1.0",
        listen: "127.0.0.1:2525, [::1]:2525".to_owned(),
        dns: "validate",
        reason: "configured".to_owned(),
        servers: "192.0.2.53:53, 192.0.2.54:53".to_owned(),
        spool: "/var/spool/danerelay".to_owned(),
        config: "built-in".to_owned(),
        policy: "/etc/danerelay/policy.toml".to_owned(),
    })));
    let found = |deliveries| Recovery::Found {
        messages: 9,
        deliveries,
        possible_duplicates: 0,
    };
    let recoveries = [found(0), found(1), Recovery::InDoubt(id()), Recovery::Vanished(2)];
    all.extend(recoveries.map(Event::Recovery));
    all.push(Event::Listen(Listen::PassedToAnother("77".to_owned())));
    all.push(Event::Listen(Listen::NoAddress {
        address: "[::1]:2525".parse().unwrap(),
        reason: "no such family".to_owned(),
    }));
    let reason = "the spool is in use".to_owned();
    all.push(Event::NotStarted(NotStarted { reason }));
    all.push(Event::Stopping(Stopping::Begun));
    all.push(Event::Stopping(Stopping::BrokenOff));
    all.push(Event::Stopped(Stopped::InOrder));
    all.push(Event::Stopped(Stopped::SpoolOpen(SpoolTrouble::Late)));
    all.push(Event::Stopped(Stopped::AtOnce));
    all.push(Event::Log(LogTrouble::Unopened("denied".to_owned())));
    all.push(Event::Log(LogTrouble::Lost(5)));
    all.push(Event::Throttled(Throttled {
        source: "client 192.0.2.0".to_owned(),
        more: 5,
    }));
    all.push(Event::Library(Library {
        level: Level::Warning,
        library: "hickory_proto",
        module: "hickory_proto::udp".to_owned(),
        message: "odd packet".to_owned(),
    }));
}

#[test]
fn every_event_is_written_as_log_readers_know_it() {
    let mut all = Vec::new();
    deliveries(&mut all);
    clients(&mut all);
    spool(&mut all);
    store(&mut all);
    resolver(&mut all);
    settings(&mut all);
    admin(&mut all);
    tlsrpt(&mut all);
    service(&mut all);
    let mut written = String::new();
    for event in &all {
        writeln!(
            written,
            "{}\n{}\n",
            event.to_text(),
            event.to_json("2026-11-22T10:00:00Z")
        )
        .unwrap();
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/events.golden");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&golden, &written).unwrap();
    }
    let known = std::fs::read_to_string(&golden).unwrap();
    for (line, (found, expected)) in written.lines().zip(known.lines()).enumerate() {
        assert_eq!(found, expected, "line {}", line + 1);
    }
    assert_eq!(written.lines().count(), known.lines().count());
}
