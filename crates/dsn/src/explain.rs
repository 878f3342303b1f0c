//! A sentence for each security rule that can hold up mail: what was not as it must be, and who can mend it.

use mail::{DaneVerdict, EnhancedStatus, FailCause, LookupFailure};

use crate::Diagnostic;
use crate::report::RecipientReport;

/// The rule that was not met, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenRule {
    /// What was not as it must be; whole sentences.
    pub sentences: String,
    /// Who can mend it.
    pub mender: Mender,
}

/// Who can mend it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mender {
    /// Those who run the receiving servers or their DNS.
    Receiver,
    /// Those who run our resolver, and nobody else.
    OurResolver,
    /// Those who run our resolver, the network, or the receiving side's DNS: an outage looks the same wherever it is.
    ResolverOrReceiver,
    /// The receiving side, by offering TLS with a valid certificate, or whoever made the rule.
    ReceiverOrPolicy,
    /// Those who run this relay, whose policy demands more than the receiving side offers.
    OurPolicy,
}

/// What is said where our own resolver fails.
const OUR_RESOLVER: &str = "This mail system could not look up in the DNS where the message is to go, because its own \
     resolver does not work as it must. Mail is not sent on the strength of records that may be missing or forged.";

/// The rule that held up mail for a recipient. `None` where it was no rule, but a refusal or an outage.
pub(crate) fn rule_of(recipient: &RecipientReport) -> Option<BrokenRule> {
    if recipient.culprit.is_ours() {
        return Some(BrokenRule {
            sentences: OUR_RESOLVER.to_owned(),
            mender: Mender::OurResolver,
        });
    }
    broken_rule(&recipient.verdict).or_else(|| tls_rule(recipient.status, &recipient.diagnostic))
}

/// The rule that is not DANE's. Reasons of ours, and no server's reply, have the status X.7.4 where encryption was not
/// offered and X.7.5 where it did not come about or proved nothing; which of these it was, the reason begins with.
fn tls_rule(status: EnhancedStatus, diagnostic: &Diagnostic) -> Option<BrokenRule> {
    let Diagnostic::Relay(reason) = diagnostic else {
        return None;
    };
    let is = |detail| status == EnhancedStatus::new(status.class(), 7, detail);
    if !is(4) && !is(5) {
        return None;
    }
    let (sentences, mender) = if reason.starts_with("the policy demands DANE") {
        let sentences =
            demanded("the receiving server is given by its address, for which there are no TLSA records");
        (sentences, Mender::OurPolicy)
    } else if reason.starts_with("the server did not prove its identity")
        || reason.starts_with("the domain's MTA-STS policy")
    {
        let sentences = "This mail system has been told, by its own policy or by one that the domain publishes \
             (MTA-STS), to send mail to the domain only to servers that show a certificate valid for their name. \
             Nothing was sent to a server that did not.";
        (sentences.to_owned(), Mender::ReceiverOrPolicy)
    } else {
        let sentences = "This mail system has been told, by its own policy or by one that the domain publishes \
             (MTA-STS), to send mail to the domain over encrypted connections only. Nothing was sent in clear.";
        (sentences.to_owned(), Mender::ReceiverOrPolicy)
    };
    Some(BrokenRule { sentences, mender })
}

/// What DANE found wrong. `None` where DANE found nothing wrong or had no say: then something else decided.
pub fn broken_rule(verdict: &DaneVerdict) -> Option<BrokenRule> {
    match verdict {
        DaneVerdict::Fail(cause) => Some(BrokenRule {
            sentences: sentences(cause),
            mender: mender(cause),
        }),
        DaneVerdict::NotReached
        | DaneVerdict::Verify
        | DaneVerdict::VerifyHostOnly
        | DaneVerdict::EncryptNoUsable
        | DaneVerdict::Skip(_)
        | DaneVerdict::Softfail(_) => None,
    }
}

fn sentences(cause: &FailCause) -> String {
    match cause {
        FailCause::MxLookup(failure) => format!(
            "The DNS records that name the mail servers of the domain could not be had: {} Mail is not sent on the \
             strength of records that may be missing or forged.",
            lookup_sentence(failure)
        ),
        FailCause::AddressLookup(failure) => format!(
            "The DNS records with the addresses of the receiving server could not be had: {} Mail is not sent on the \
             strength of records that may be missing or forged.",
            lookup_sentence(failure)
        ),
        FailCause::TlsaLookup(failure) => format!(
            "The DNS records (TLSA) by which the receiving server can be known could not be had: {} No connection is \
             made without them, for whoever suppresses them could pose as the server.",
            lookup_sentence(failure)
        ),
        FailCause::InsecureMx => demanded("the records that name its mail servers are not signed with DNSSEC"),
        FailCause::InsecureHost => {
            demanded("the addresses of the receiving server are not signed with DNSSEC")
        }
        FailCause::NoSecureTlsa => demanded("the receiving server has no TLSA records signed with DNSSEC"),
        FailCause::NoUsableTlsa => {
            demanded("none of the TLSA records of the receiving server is of a kind that can be used for mail")
        }
        FailCause::NoMatchingTlsa => "The certificate of the receiving server matches none of the TLSA records that \
             are published for it. The server has not proved that it is the right one, so nothing was sent to it."
            .to_owned(),
        FailCause::StarttlsNotOffered => "TLSA records are published for the receiving server, which promise that it \
             encrypts, but it did not offer encryption (STARTTLS). Nothing was sent to it in clear."
            .to_owned(),
        FailCause::StarttlsRefused => "TLSA records are published for the receiving server, which promise that it \
             encrypts, but it refused to begin encryption (STARTTLS). Nothing was sent to it in clear."
            .to_owned(),
        FailCause::TlsHandshake(words) => format!(
            "TLSA records are published for the receiving server, which promise that it encrypts, but no encrypted \
             connection came about ({words}). Nothing was sent to it in clear."
        ),
        FailCause::NameMismatch => "The certificate of the receiving server comes from the authority that the TLSA \
             records name, but it is not made out to the server's name. The server has not proved that it is the \
             right one, so nothing was sent to it."
            .to_owned(),
        FailCause::Expired => "A certificate of the receiving server comes from the authority that the TLSA records \
             name, but it has expired or is not valid yet. The server has not proved that it is the right one, so \
             nothing was sent to it."
            .to_owned(),
        FailCause::Untrusted => "The certificate of the receiving server does not lead to the authority that the \
             TLSA records name. The server has not proved that it is the right one, so nothing was sent to it."
            .to_owned(),
    }
}

/// A demand of our own policy (RFC 7672 §6) that the receiving side does not promise to meet.
fn demanded(lack: &str) -> String {
    format!(
        "This mail system has been told to send to the domain only under the protection of DANE, and {lack}."
    )
}

/// How a look-up failed, as a clause with its full stop.
fn lookup_sentence(failure: &LookupFailure) -> String {
    match failure {
        LookupFailure::Bogus => "the DNSSEC signatures of the answer do not hold.".to_owned(),
        LookupFailure::Indeterminate => {
            "what is needed to check the answer's signatures was not to be had.".to_owned()
        }
        LookupFailure::Servfail => "the look-up ended in a failure (SERVFAIL).".to_owned(),
        LookupFailure::Rcode(name) => format!("there was no answer but the error {name}."),
        LookupFailure::Timeout => "no answer came in time.".to_owned(),
        LookupFailure::Malformed => "the answer could not be understood.".to_owned(),
        LookupFailure::AliasLoop => "its aliases go round in a circle or are too many.".to_owned(),
    }
}

fn mender(cause: &FailCause) -> Mender {
    match cause {
        FailCause::MxLookup(failure) | FailCause::AddressLookup(failure) | FailCause::TlsaLookup(failure) => {
            match failure {
                LookupFailure::Bogus | LookupFailure::Malformed | LookupFailure::AliasLoop => {
                    Mender::Receiver
                }
                LookupFailure::Indeterminate
                | LookupFailure::Servfail
                | LookupFailure::Rcode(_)
                | LookupFailure::Timeout => Mender::ResolverOrReceiver,
            }
        }
        FailCause::InsecureMx
        | FailCause::InsecureHost
        | FailCause::NoSecureTlsa
        | FailCause::NoUsableTlsa => Mender::OurPolicy,
        FailCause::NoMatchingTlsa
        | FailCause::StarttlsNotOffered
        | FailCause::StarttlsRefused
        | FailCause::TlsHandshake(_)
        | FailCause::NameMismatch
        | FailCause::Expired
        | FailCause::Untrusted => Mender::Receiver,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mail::SkipReason;
    use std::collections::HashSet;

    fn causes() -> Vec<FailCause> {
        let failures = [
            LookupFailure::Bogus,
            LookupFailure::Indeterminate,
            LookupFailure::Servfail,
            LookupFailure::Rcode("REFUSED".to_owned()),
            LookupFailure::Timeout,
            LookupFailure::Malformed,
            LookupFailure::AliasLoop,
        ];
        let mut causes: Vec<FailCause> = failures
            .into_iter()
            .flat_map(|failure| {
                [
                    FailCause::MxLookup(failure.clone()),
                    FailCause::AddressLookup(failure.clone()),
                    FailCause::TlsaLookup(failure),
                ]
            })
            .collect();
        causes.extend([
            FailCause::InsecureMx,
            FailCause::InsecureHost,
            FailCause::NoSecureTlsa,
            FailCause::NoUsableTlsa,
            FailCause::NoMatchingTlsa,
            FailCause::StarttlsNotOffered,
            FailCause::StarttlsRefused,
            FailCause::TlsHandshake("handshake_failure".to_owned()),
            FailCause::NameMismatch,
            FailCause::Expired,
            FailCause::Untrusted,
        ]);
        causes
    }

    #[test]
    fn every_cause_has_sentences_of_its_own() {
        let mut seen = HashSet::new();
        for cause in causes() {
            let rule = broken_rule(&DaneVerdict::Fail(cause.clone())).unwrap();
            assert!(
                rule.sentences.ends_with('.') && rule.sentences.len() > 60,
                "{cause:?}"
            );
            assert!(!rule.sentences.contains("  "), "{cause:?}: {}", rule.sentences);
            assert!(seen.insert(rule.sentences), "{cause:?} shares its sentences");
        }
    }

    #[test]
    fn the_mender_is_whoever_can_mend_it() {
        let mender = |cause| broken_rule(&DaneVerdict::Fail(cause)).unwrap().mender;
        assert_eq!(mender(FailCause::NoMatchingTlsa), Mender::Receiver);
        assert_eq!(mender(FailCause::NoSecureTlsa), Mender::OurPolicy);
        assert_eq!(
            mender(FailCause::MxLookup(LookupFailure::Bogus)),
            Mender::Receiver
        );
        assert_eq!(
            mender(FailCause::TlsaLookup(LookupFailure::Timeout)),
            Mender::ResolverOrReceiver
        );
    }

    #[test]
    fn rules_about_encryption_are_told_by_status_and_reason() {
        let rule = |detail, reason: &str| {
            tls_rule(
                EnhancedStatus::new(4, 7, detail),
                &Diagnostic::Relay(reason.to_owned()),
            )
        };
        let offer = "TLS is required, and the server does not offer STARTTLS";
        let proof = "the server did not prove its identity: certificate expired";
        for (detail, reason, words, mender) in [
            (
                4,
                offer,
                "over encrypted connections only",
                Mender::ReceiverOrPolicy,
            ),
            (
                5,
                "the TLS handshake failed: x",
                "over encrypted connections only",
                Mender::ReceiverOrPolicy,
            ),
            (
                5,
                proof,
                "a certificate valid for their name",
                Mender::ReceiverOrPolicy,
            ),
            (
                5,
                "the policy demands DANE, and x",
                "the protection of DANE",
                Mender::OurPolicy,
            ),
        ] {
            let rule = rule(detail, reason).unwrap();
            assert!(rule.sentences.contains(words), "{}", rule.sentences);
            assert_eq!(rule.mender, mender, "{reason}");
        }
        assert_eq!(rule(1, proof), None);
        assert_eq!(
            tls_rule(EnhancedStatus::new(4, 4, 5), &Diagnostic::Relay(proof.to_owned())),
            None
        );
        let reply = Diagnostic::reply(
            mail::ReplyCode::new(550).unwrap(),
            &["5.7.5 your mail is not encrypted"],
        );
        assert_eq!(tls_rule(EnhancedStatus::new(5, 7, 5), &reply), None);
    }

    #[test]
    fn no_rule_is_blamed_where_none_was_broken() {
        for verdict in [
            DaneVerdict::NotReached,
            DaneVerdict::Verify,
            DaneVerdict::VerifyHostOnly,
            DaneVerdict::EncryptNoUsable,
            DaneVerdict::Skip(SkipReason::NoSecureTlsa),
            DaneVerdict::Softfail(FailCause::NoMatchingTlsa),
        ] {
            assert_eq!(broken_rule(&verdict), None, "{verdict}");
        }
    }
}
