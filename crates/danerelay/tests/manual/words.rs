//! The page on troubleshooting has everything that the log can say.

use std::fs;

use mail::cause::{
    BeyondAscii, BrokenHandshake, Cause, ConnectionFault, DaneFlaw, Demand, Limit, LoginFault, Lookup,
    Missing, NoWay, OurFault, SmtpFault, TlsFault, Unproven, WebPkiFlaw,
};
use mail::{
    CauseKind, Culprit, DaneVerdict, FailCause, FailedLookup, LookupFailure, ReplyCode, SkipReason, Stage,
};

use crate::pages;

const PAGE: &str = "docs/troubleshooting.md";

/// The cells of the page's table rows, without backticks.
fn rows() -> Vec<Vec<String>> {
    let page = pages::page(PAGE);
    let lines = page.prose();
    let rows = lines.iter().filter_map(|(_, line)| line.strip_prefix("| "));
    rows.map(|row| {
        row.replace('`', "")
            .split(" |")
            .map(|cell| cell.trim().to_owned())
            .collect()
    })
    .collect()
}

/// Whether the first cell of a row says this, alone or in a list of such words.
fn begins_a_row(rows: &[Vec<String>], words: &str) -> bool {
    rows.iter()
        .any(|row| row[0].split(", ").any(|part| part == words) || row[0] == words)
}

/// Every value, with what may stand in it left out as on the page. What follows a value in the match is the next one, so
/// that a new one does not compile without a place here.
fn verdicts() -> Vec<String> {
    let mut found = Vec::new();
    let mut next = Some(DaneVerdict::NotReached);
    while let Some(verdict) = next {
        let text = verdict.to_string();
        next = match &verdict {
            DaneVerdict::NotReached => Some(DaneVerdict::Verify),
            DaneVerdict::Verify => Some(DaneVerdict::VerifyHostOnly),
            DaneVerdict::VerifyHostOnly => Some(DaneVerdict::EncryptNoUsable),
            DaneVerdict::EncryptNoUsable => Some(DaneVerdict::Skip(SkipReason::InsecureHost)),
            DaneVerdict::Skip(reason) => Some(match skipped_after(reason) {
                Some(reason) => DaneVerdict::Skip(reason),
                None => DaneVerdict::Softfail(FailCause::InsecureMx),
            }),
            DaneVerdict::Softfail(_) => Some(DaneVerdict::Fail(FailCause::MxLookup(LookupFailure::Bogus))),
            DaneVerdict::Fail(cause) => failed_after(cause).map(DaneVerdict::Fail),
        };
        found.push(match &verdict {
            DaneVerdict::Softfail(_) => "Softfail (…)".to_owned(),
            DaneVerdict::Fail(FailCause::TlsHandshake(_)) => "Fail (TLS handshake: …)".to_owned(),
            DaneVerdict::Fail(_) => text.replace(": bogus)", ": …)"),
            _ => text,
        });
    }
    found
}

fn skipped_after(reason: &SkipReason) -> Option<SkipReason> {
    Some(match reason {
        SkipReason::InsecureHost => SkipReason::NoSecureTlsa,
        SkipReason::NoSecureTlsa => SkipReason::InsecureMx,
        SkipReason::InsecureMx => SkipReason::EncryptInsecureMx,
        SkipReason::EncryptInsecureMx => SkipReason::AddressLiteral,
        SkipReason::AddressLiteral => SkipReason::DisabledByPolicy,
        SkipReason::DisabledByPolicy => SkipReason::TlsRequiredNo,
        SkipReason::TlsRequiredNo => SkipReason::Exception {
            until: "DATE".to_owned(),
        },
        SkipReason::Exception { .. } => SkipReason::Danefail {
            source: "list".to_owned(),
            line: 0,
        },
        SkipReason::Danefail { .. } => return None,
    })
}

fn failed_after(cause: &FailCause) -> Option<FailCause> {
    Some(match cause {
        FailCause::MxLookup(failure) => FailCause::AddressLookup(failure.clone()),
        FailCause::AddressLookup(failure) => FailCause::TlsaLookup(failure.clone()),
        FailCause::TlsaLookup(_) => FailCause::InsecureMx,
        FailCause::InsecureMx => FailCause::InsecureHost,
        FailCause::InsecureHost => FailCause::NoSecureTlsa,
        FailCause::NoSecureTlsa => FailCause::NoUsableTlsa,
        FailCause::NoUsableTlsa => FailCause::NoMatchingTlsa,
        FailCause::NoMatchingTlsa => FailCause::StarttlsNotOffered,
        FailCause::StarttlsNotOffered => FailCause::StarttlsRefused,
        FailCause::StarttlsRefused => FailCause::TlsHandshake("words".to_owned()),
        FailCause::TlsHandshake(_) => FailCause::NameMismatch,
        FailCause::NameMismatch => FailCause::Expired,
        FailCause::Expired => FailCause::Untrusted,
        FailCause::Untrusted => return None,
    })
}

fn failures() -> Vec<LookupFailure> {
    let mut found = vec![LookupFailure::Bogus];
    loop {
        let next = match found.last().unwrap() {
            LookupFailure::Bogus => LookupFailure::Indeterminate,
            LookupFailure::Indeterminate => LookupFailure::Servfail,
            LookupFailure::Servfail => LookupFailure::Rcode("NAME".to_owned()),
            LookupFailure::Rcode(_) => LookupFailure::Timeout,
            LookupFailure::Timeout => LookupFailure::Malformed,
            LookupFailure::Malformed => LookupFailure::AliasLoop,
            LookupFailure::AliasLoop => return found,
        };
        found.push(next);
    }
}

#[test]
fn every_value_of_dane_is_explained() {
    let rows = rows();
    let verdicts = verdicts();
    assert_eq!(verdicts.len(), 4 + 9 + 1 + 14);
    for verdict in verdicts {
        let verdict = verdict.replace("danefail list:0", "danefail SOURCE:LINE");
        assert!(begins_a_row(&rows, &verdict), "{verdict} begins no row of {PAGE}");
    }
    for failure in failures() {
        let failure = failure.to_string();
        assert!(begins_a_row(&rows, &failure), "{failure} begins no row of {PAGE}");
    }
}

fn code(code: u16) -> ReplyCode {
    ReplyCode::new(code).unwrap()
}

fn refused(number: u16) -> Cause {
    Cause::Smtp(SmtpFault::Refused {
        stage: Stage::Rcpt,
        code: code(number),
        enhanced: None,
    })
}

fn lookup(lookup: Lookup, failure: LookupFailure) -> Cause {
    Cause::Dns(lookup, failure.into())
}

fn tls(fault: TlsFault) -> Cause {
    Cause::Tls(fault)
}

/// One of each, with the examples that the page has. [`groups`] sees to it that none is forgotten.
fn causes() -> Vec<Cause> {
    let words = |words: &str| words.to_owned();
    let mut causes = vec![
        refused(451),
        refused(550),
        Cause::Smtp(SmtpFault::Lacks(Missing::Size(10240))),
        Cause::Smtp(SmtpFault::Lacks(Missing::EightBitMime)),
        Cause::Smtp(SmtpFault::Lacks(Missing::RequireTls)),
        Cause::Smtp(SmtpFault::Lacks(Missing::SmtpUtf8(BeyondAscii::Address))),
        Cause::Smtp(SmtpFault::Lacks(Missing::SmtpUtf8(BeyondAscii::Header))),
        Cause::Login(LoginFault::Unauthenticated),
        Cause::Login(LoginFault::NotOffered),
        Cause::Login(LoginFault::Challenge),
        Cause::Login(LoginFault::Refused {
            code: code(535),
            enhanced: None,
        }),
        Cause::Connection(ConnectionFault::Unreachable(words("Connection refused"))),
        Cause::Connection(ConnectionFault::TimedOut(Stage::Banner)),
        Cause::Connection(ConnectionFault::Closed(Stage::Mail)),
        Cause::Connection(ConnectionFault::Protocol(Stage::Banner, words("not SMTP"))),
        tls(TlsFault::NotOffered),
        tls(TlsFault::Refused(code(454))),
        tls(TlsFault::DataBeforeHandshake),
        tls(TlsFault::TimedOut),
        tls(TlsFault::Closed),
        tls(TlsFault::Protocol(words("not SMTP"))),
        tls(TlsFault::Handshake(BrokenHandshake::Alert(words(
            "handshake_failure",
        )))),
        tls(TlsFault::Unproven(Unproven::Key)),
        tls(TlsFault::Unproven(Unproven::NoReference)),
    ];
    for (flaw, example) in [
        (WebPkiFlaw::NameMismatch, "certificate not valid for the name"),
        (WebPkiFlaw::Expired, "certificate expired"),
        (WebPkiFlaw::NotYetValid, "certificate not yet valid"),
        (WebPkiFlaw::Untrusted, "unknown issuer"),
    ] {
        causes.push(tls(TlsFault::Unproven(Unproven::WebPki(flaw, words(example)))));
    }
    let flaws = [
        DaneFlaw::NoMatch,
        DaneFlaw::NameMismatch,
        DaneFlaw::Expired,
        DaneFlaw::NotYetValid,
        DaneFlaw::Untrusted,
        DaneFlaw::UnsupportedKey,
    ];
    causes.extend(flaws.map(|flaw| tls(TlsFault::Unproven(Unproven::Dane(flaw)))));
    for failure in [LookupFailure::Bogus, LookupFailure::Timeout] {
        causes.extend([Lookup::Mx, Lookup::Address, Lookup::Tlsa].map(|what| lookup(what, failure.clone())));
    }
    let ours = FailedLookup::new(LookupFailure::Timeout, Culprit::OurResolver, "timeout");
    causes.push(Cause::Dns(Lookup::Mx, ours));
    causes.extend(nowhere().map(Cause::Destination));
    causes.extend(demands().map(Cause::Policy));
    causes.extend(faults().map(Cause::Ours));
    causes
}

fn nowhere() -> [NoWay; 8] {
    [
        NoWay::NullMx,
        NoWay::NoSuchDomain(None),
        NoWay::NoSuchDomain(Some("gone.example".parse().unwrap())),
        NoWay::OwnMx,
        NoWay::NoAddresses,
        NoWay::IgnoredAddresses,
        NoWay::OtherFamily,
        NoWay::HostGone,
    ]
}

fn demands() -> [Demand; 14] {
    [
        Demand::AddressLiteral,
        Demand::InsecureMx,
        Demand::AddressName,
        Demand::InsecureHost,
        Demand::NoSecureTlsa,
        Demand::NoUsableTlsa,
        Demand::MtaStsMismatch,
        Demand::MtaStsUnproven,
        Demand::MtaStsUnknown,
        Demand::SecurePath,
        Demand::SecurePathOfReport,
        Demand::SecureAddress,
        Demand::SecureRoute,
        Demand::NoName,
    ]
}

fn faults() -> [OurFault; 12] {
    [
        OurFault::Content,
        OurFault::DamagedContent,
        OurFault::NoRoots,
        OurFault::NoProof,
        OurFault::TooLate(10),
        OurFault::NotAsked,
        OurFault::NothingTried,
        OurFault::SourceAddress([192, 0, 2, 1].into()),
        OurFault::NoSocket,
        OurFault::PolicyNotFetched,
        OurFault::NoTurn(Limit::Pace),
        OurFault::NoTurn(Limit::Connections),
    ]
}

/// How many causes there are of each group: a new one does not compile without a number here.
fn group(cause: &Cause) -> (usize, usize) {
    match cause {
        Cause::Ours(
            OurFault::Content
            | OurFault::DamagedContent
            | OurFault::NoRoots
            | OurFault::NoProof
            | OurFault::TooLate(_)
            | OurFault::NotAsked
            | OurFault::NothingTried
            | OurFault::SourceAddress(_)
            | OurFault::NoSocket
            | OurFault::PolicyNotFetched
            | OurFault::NoTurn(Limit::Pace | Limit::Connections),
        ) => (0, 12),
        Cause::Dns(Lookup::Mx | Lookup::Address | Lookup::Tlsa, _) => (1, 7),
        Cause::Destination(
            NoWay::NullMx
            | NoWay::NoSuchDomain(_)
            | NoWay::OwnMx
            | NoWay::NoAddresses
            | NoWay::IgnoredAddresses
            | NoWay::OtherFamily
            | NoWay::HostGone,
        ) => (2, 8),
        Cause::Policy(
            Demand::AddressLiteral
            | Demand::InsecureMx
            | Demand::AddressName
            | Demand::InsecureHost
            | Demand::NoSecureTlsa
            | Demand::NoUsableTlsa
            | Demand::MtaStsMismatch
            | Demand::MtaStsUnproven
            | Demand::MtaStsUnknown
            | Demand::SecurePath
            | Demand::SecurePathOfReport
            | Demand::SecureAddress
            | Demand::SecureRoute
            | Demand::NoName,
        ) => (3, 14),
        Cause::Connection(
            ConnectionFault::Unreachable(_)
            | ConnectionFault::TimedOut(_)
            | ConnectionFault::Closed(_)
            | ConnectionFault::Protocol(..),
        ) => (4, 4),
        Cause::Tls(fault) => tls_group(fault),
        Cause::Login(
            LoginFault::Unauthenticated
            | LoginFault::NotOffered
            | LoginFault::Refused { .. }
            | LoginFault::Challenge,
        ) => (6, 4),
        Cause::Smtp(
            SmtpFault::Refused { .. }
            | SmtpFault::Lacks(
                Missing::Size(_)
                | Missing::EightBitMime
                | Missing::RequireTls
                | Missing::SmtpUtf8(BeyondAscii::Address | BeyondAscii::Header),
            ),
        ) => (7, 7),
    }
}

fn tls_group(fault: &TlsFault) -> (usize, usize) {
    match fault {
        TlsFault::NotOffered
        | TlsFault::Refused(_)
        | TlsFault::DataBeforeHandshake
        | TlsFault::TimedOut
        | TlsFault::Closed
        | TlsFault::Protocol(_)
        | TlsFault::Handshake(_)
        | TlsFault::Unproven(
            Unproven::Key
            | Unproven::NoReference
            | Unproven::WebPki(
                WebPkiFlaw::NameMismatch
                | WebPkiFlaw::Expired
                | WebPkiFlaw::NotYetValid
                | WebPkiFlaw::Untrusted,
                _,
            )
            | Unproven::Dane(
                DaneFlaw::NoMatch
                | DaneFlaw::NameMismatch
                | DaneFlaw::Expired
                | DaneFlaw::NotYetValid
                | DaneFlaw::Untrusted
                | DaneFlaw::UnsupportedKey,
            ),
        ) => (5, 19),
    }
}

#[test]
fn every_cause_is_explained() {
    let rows = rows();
    let mut counted = [0; 8];
    for cause in causes() {
        let (group, expected) = group(&cause);
        counted[group] += 1;
        assert!(counted[group] <= expected, "{cause:?}");
        let kind = CauseKind::from(&cause);
        let name = serde_json::to_value(kind).unwrap();
        let words = [name.as_str().unwrap().to_owned(), kind.to_string()];
        let row = rows.iter().find(|row| row.get(..2) == Some(&words));
        let row = row.unwrap_or_else(|| panic!("no row of {PAGE} begins with {words:?}"));
        let reason = cause.to_string();
        let is_said = match kind {
            CauseKind::Ours => begins_a_row(&rows, &reason) || rows.iter().any(|row| row[0] == reason),
            CauseKind::OurResolver => true,
            _ => row[2].contains(&reason),
        };
        assert!(is_said, "{cause:?}: {reason:?} is not in {PAGE} at {words:?}");
    }
    assert_eq!(counted, [12, 7, 8, 14, 4, 19, 4, 7]);
    for kind in CauseKind::ALL {
        let name = serde_json::to_value(kind).unwrap();
        assert!(
            begins_a_row(&rows, name.as_str().unwrap()),
            "{name} begins no row of {PAGE}"
        );
    }
}

#[test]
fn every_way_in_which_tls_fails_is_explained() {
    let rows = rows();
    let handshakes = [
        BrokenHandshake::NothingInCommon,
        BrokenHandshake::NotTls,
        BrokenHandshake::Misbehaved,
        BrokenHandshake::Closed,
    ];
    for handshake in handshakes {
        let words = handshake.to_string();
        assert!(begins_a_row(&rows, &words), "{words} begins no row of {PAGE}");
    }
    for cause in causes() {
        let is_example = matches!(
            cause,
            Cause::Tls(
                TlsFault::Protocol(_) | TlsFault::Handshake(_) | TlsFault::Unproven(Unproven::NoReference)
            )
        );
        if let (Some(words), false) = (cause.tlsfail(), is_example) {
            assert!(begins_a_row(&rows, &words), "{words} begins no row of {PAGE}");
        }
    }
}

/// The names are in the functions `name` of the events' sources.
#[test]
fn every_event_is_explained() {
    let rows = rows();
    let mut found = 0;
    for entry in fs::read_dir(pages::root().join("crates/mail/src/event")).unwrap() {
        let source = fs::read_to_string(entry.unwrap().path()).unwrap();
        for part in source.split("fn name(&self) -> &'static str {").skip(1) {
            let (body, _) = part.split_once("\n    }\n").unwrap();
            for name in body.split('"').skip(1).step_by(2) {
                assert!(begins_a_row(&rows, name), "event={name} begins no row of {PAGE}");
                found += 1;
            }
        }
    }
    assert!(found > 25, "{found}");
}
