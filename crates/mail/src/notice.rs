//! What a sender is to be told about one recipient; kept in the queue until a report has told it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::address::DomainPart;
use crate::cause::{BrokenHandshake, Cause, DaneFlaw, Demand, Lookup, TlsFault, Unproven};
use crate::domain::Domain;
use crate::lookup::{Culprit, FailedLookup, LookupFailure};
use crate::verdict::{DaneVerdict, FailCause};

/// What happened to a recipient: the values of RFC 3464 §2.3.3 that apply to a relay, with two kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It failed for good.
    Failed,
    /// It was tried for as long as a message may wait, and then given up.
    Expired,
    /// It waits for a further attempt.
    Delayed {
        /// When it will be given up.
        will_retry_until: Timestamp,
    },
    /// It was handed to a server that will not report; only a sender who asked is told (RFC 3461 §5.2.3).
    Relayed,
}

/// What to report about one recipient, beside its outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub struct Notice {
    /// What was done.
    pub action: Action,
    /// The server that was last tried; `None` if no server was.
    pub remote_mta: Option<DomainPart>,
    /// What DANE found.
    pub verdict: DaneVerdict,
    /// Why it failed; `None` if it did not.
    pub cause: Option<Cause>,
    /// Where its TLSA records are (RFC 7672 §2.2.2), if they mattered.
    pub tlsa_base: Option<Domain>,
    /// When it was last tried.
    pub last_attempt: Timestamp,
}

/// A notice as it may be stored in a queue. Notices of earlier versions have no cause: what DANE found wrong gives most of
/// it.
#[derive(Deserialize)]
struct Stored {
    action: Action,
    remote_mta: Option<DomainPart>,
    verdict: DaneVerdict,
    #[serde(default)]
    cause: Option<Cause>,
    #[serde(default)]
    culprit: Culprit,
    tlsa_base: Option<Domain>,
    last_attempt: Timestamp,
}

impl From<Stored> for Notice {
    fn from(stored: Stored) -> Self {
        let cause = stored.cause.or_else(|| told(&stored.verdict, stored.culprit));
        Self {
            action: stored.action,
            remote_mta: stored.remote_mta,
            verdict: stored.verdict,
            cause,
            tlsa_base: stored.tlsa_base,
            last_attempt: stored.last_attempt,
        }
    }
}

/// The cause, as far as a verdict shows it.
fn told(verdict: &DaneVerdict, culprit: Culprit) -> Option<Cause> {
    let DaneVerdict::Fail(failed) = verdict else {
        return None;
    };
    let dns = |lookup, failure: &LookupFailure| {
        let words = failure.to_string();
        Cause::Dns(lookup, FailedLookup::new(failure.clone(), culprit, &words))
    };
    let unproven = |flaw| Cause::Tls(TlsFault::Unproven(Unproven::Dane(flaw)));
    Some(match failed {
        FailCause::MxLookup(failure) => dns(Lookup::Mx, failure),
        FailCause::AddressLookup(failure) => dns(Lookup::Address, failure),
        FailCause::TlsaLookup(failure) => dns(Lookup::Tlsa, failure),
        FailCause::InsecureMx => Cause::Policy(Demand::InsecureMx),
        FailCause::InsecureHost => Cause::Policy(Demand::InsecureHost),
        FailCause::NoSecureTlsa => Cause::Policy(Demand::NoSecureTlsa),
        FailCause::NoUsableTlsa => Cause::Policy(Demand::NoUsableTlsa),
        FailCause::NoMatchingTlsa => unproven(DaneFlaw::NoMatch),
        FailCause::NameMismatch => unproven(DaneFlaw::NameMismatch),
        FailCause::Expired => unproven(DaneFlaw::Expired),
        FailCause::Untrusted => unproven(DaneFlaw::Untrusted),
        FailCause::StarttlsNotOffered => Cause::Tls(TlsFault::NotOffered),
        FailCause::StarttlsRefused => {
            Cause::Tls(TlsFault::Handshake(BrokenHandshake::Other(failed.to_string())))
        }
        FailCause::TlsHandshake(words) => {
            Cause::Tls(TlsFault::Handshake(BrokenHandshake::Other(words.clone())))
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::cause::{BeyondAscii, Missing, SmtpFault, WebPkiFlaw};
    use crate::stage::Stage;
    use crate::status::ReplyCode;

    fn notice(cause: Option<Cause>) -> Notice {
        Notice {
            action: Action::Expired,
            remote_mta: Some(DomainPart::parse("mx.example").unwrap()),
            verdict: DaneVerdict::Fail(FailCause::MxLookup(LookupFailure::Bogus)),
            cause,
            tlsa_base: None,
            last_attempt: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_notice_is_kept_with_its_cause() {
        let refused = SmtpFault::Refused {
            stage: Stage::FinalDot,
            code: ReplyCode::new(554).unwrap(),
            enhanced: "5.7.1".parse().ok(),
        };
        for cause in [
            Cause::Smtp(refused),
            Cause::Smtp(SmtpFault::Lacks(Missing::SmtpUtf8(BeyondAscii::Header))),
            Cause::Smtp(SmtpFault::Lacks(Missing::EightBitMime)),
            Cause::Dns(Lookup::Tlsa, LookupFailure::Rcode("REFUSED".to_owned()).into()),
            Cause::Policy(Demand::InsecureHost),
            Cause::Tls(TlsFault::Unproven(Unproven::WebPki(
                WebPkiFlaw::Expired,
                "certificate expired".to_owned(),
            ))),
        ] {
            let notice = notice(Some(cause));
            let text = serde_json::to_string(&notice).unwrap();
            assert_eq!(serde_json::from_str::<Notice>(&text).unwrap(), notice, "{text}");
        }
        // Later versions must be able to read what a queue holds.
        let cause = Cause::Tls(TlsFault::Unproven(Unproven::Dane(DaneFlaw::NoMatch)));
        let text = serde_json::to_string(&cause).unwrap();
        assert_eq!(text, r#"{"tls":{"unproven":{"dane":"no-match"}}}"#);
        let cause = Cause::Smtp(SmtpFault::Lacks(Missing::Size(10)));
        assert_eq!(
            serde_json::to_string(&cause).unwrap(),
            r#"{"smtp":{"too-large":10}}"#
        );
    }

    #[test]
    fn what_an_earlier_version_kept_tells_its_cause_by_the_verdict() {
        let read = |verdict: &str, culprit: &str| {
            let text = format!(
                r#"{{"action":"expired","remote_mta":"mx.example","verdict":{verdict},{culprit}"tlsa_base":null,
                "last_attempt":"1970-01-01T00:00:00Z"}}"#
            );
            serde_json::from_str::<Notice>(&text).unwrap()
        };
        let bogus = r#"{"Fail":{"MxLookup":"bogus"}}"#;
        let told = read(bogus, r#""culprit":"our-resolver","#);
        assert_eq!(told, notice(told.cause.clone()));
        assert!(told.cause.unwrap().culprit().is_ours());
        let told = read(bogus, "");
        let cause = Cause::Dns(Lookup::Mx, LookupFailure::Bogus.into());
        assert!(!cause.culprit().is_ours());
        assert_eq!(told.cause, Some(cause));
        let told = read(r#"{"Fail":"NoMatchingTlsa"}"#, "");
        assert_eq!(
            told.cause,
            Some(Cause::Tls(TlsFault::Unproven(Unproven::Dane(DaneFlaw::NoMatch))))
        );
        assert_eq!(read(r#""Verify""#, "").cause, None);
    }
}
