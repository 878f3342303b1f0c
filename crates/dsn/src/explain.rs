//! One sentence for each security rule that can hold up mail: what was wrong, and who can fix it.

use mail::cause::{Cause, DaneFlaw, Demand, Lookup, OurFault, TlsFault, Unproven};
use mail::{DaneVerdict, FailedLookup, LookupFailure};

use crate::report::RecipientReport;

/// The rule that was not met, explained for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenRule {
    /// What was wrong; whole sentences.
    pub sentences: String,
    /// Who can mend it.
    pub mender: Mender,
}

/// Who can mend it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mender {
    /// Those who run the receiving servers or their DNS.
    Receiver,
    /// Those who run this relay or its resolver, and nobody else.
    OurSystem,
    /// Those who run our resolver, the network, or the receiving side's DNS: an outage looks the same wherever it happens.
    ResolverOrReceiver,
    /// The receiving side, by offering TLS with a valid certificate, or whoever made the rule.
    ReceiverOrPolicy,
    /// Those who run this relay, whose policy demands more than the receiving side offers.
    OurPolicy,
    /// The receiving side, by correcting its MTA-STS policy or its MX records.
    PolicyOrMx,
    /// The receiving side, by making its MTA-STS policy available; or those who run this relay, if that is why it could not
    /// be fetched.
    PolicyHost,
    /// The sender, by another address or without the demand.
    Sender,
}

/// The text for a failure of our own resolver.
const OUR_RESOLVER: &str = "This mail system could not look up in the DNS where the message is to go, because its own \
     resolver does not work as it must. Mail is not sent on the strength of records that may be missing or forged.";

/// The text for a certificate that cannot be checked here.
const OUR_CHECK: &str = "This mail system has been told to send mail to the domain only to servers that show a \
     certificate valid for their name, and could not check that, because it is not set up for it as it must be.";

/// The text for an address that is not this machine's.
const OUR_ADDRESS: &str = "This mail system has been told to make its connections from an address from which it cannot. \
     The receiving side has not seen the message.";

/// The text for a login that failed.
const OUR_LOGIN: &str = "This mail system sends mail for the domain through another mail server, at which it must log in \
     first, and could not. The receiving side has not seen the message.";

/// The text for a certificate that is demanded, but not by TLSA records.
const CERTIFICATE: &str = "This mail system has been told, by its own policy or by one that the domain publishes \
     (MTA-STS), to send mail to the domain only to servers that show a certificate valid for their name. Nothing was \
     sent to a server that did not.";

/// The text for an answer that would end mail and may be forged.
const UNPROVEN_END: &str = "The domain publishes a policy (MTA-STS) that protects mail for it, but the DNS says that its \
     mail goes nowhere, and that is not signed with DNSSEC. Whoever forges such an answer must not be able to have mail \
     returned.";

/// The text for a message that requires TLS, where nothing says which server is the right one.
const SECURE_PATH: &str = "The message was sent with the demand that it travels only to servers that are known to be the \
     right ones (REQUIRETLS), and the domain publishes neither signed DNS records nor a policy (MTA-STS) by which they \
     could be known.";

/// The text for a server that the domain's policy does not name.
const NOT_NAMED: &str = "The domain publishes a policy (MTA-STS) that lists the servers to which its mail may be sent, and \
     a server that the DNS names for it is not among them. No connection was made to that server.";

/// The text for a message that requires TLS, where the policy that may name the right servers could not be had.
const PATH_UNKNOWN: &str = "The message was sent with the demand that it travels only to servers that are known to be the \
     right ones (REQUIRETLS). The DNS records that name the domain's servers are not signed, and its policy (MTA-STS), \
     which may name them as well, could not be fetched.";

/// The text for a message that requires TLS to a server that is named by its address.
const NOTHING_BUT_ADDRESS: &str = "The message was sent with the demand that it travels only to servers that are known to \
     be the right ones (REQUIRETLS). The receiving server is named by its address alone, and cannot prove that it is the \
     right one.";

/// The same where we have chosen the server.
const OUR_ROUTE: &str = "The message was sent with the demand that it travels only to servers that are known to be the \
     right ones (REQUIRETLS). This mail system has been told to send mail for the domain to a server that it knows by its \
     address alone, and which cannot prove that it is the right one.";

/// The text for encryption that is demanded, but not by TLSA records.
const ENCRYPTION: &str = "This mail system has been told, by its own policy or by one that the domain publishes \
     (MTA-STS), to send mail to the domain over encrypted connections only. Nothing was sent in clear.";

impl BrokenRule {
    fn new(sentences: impl Into<String>, mender: Mender) -> Self {
        Self {
            sentences: sentences.into(),
            mender,
        }
    }
}

/// The rule that held up mail for a recipient. `None` if it was not a rule, but a refusal or an outage.
pub(crate) fn rule_of(recipient: &RecipientReport) -> Option<BrokenRule> {
    broken_rule(recipient.cause.as_ref()?, &recipient.verdict)
}

/// The rule behind a failure; the verdict tells whether DANE caused it. `None` if there was none.
pub fn broken_rule(cause: &Cause, verdict: &DaneVerdict) -> Option<BrokenRule> {
    match cause {
        Cause::Ours(OurFault::NoRoots | OurFault::NoProof) => {
            Some(BrokenRule::new(OUR_CHECK, Mender::OurSystem))
        }
        Cause::Ours(OurFault::SourceAddress(_)) => Some(BrokenRule::new(OUR_ADDRESS, Mender::OurSystem)),
        Cause::Dns(_, failure) if failure.culprit.is_ours() => {
            Some(BrokenRule::new(OUR_RESOLVER, Mender::OurSystem))
        }
        Cause::Dns(lookup, failure) => Some(BrokenRule::new(
            looked_up(*lookup, failure),
            mender(&failure.cause),
        )),
        Cause::Policy(demand) => Some(of_policy(*demand)),
        Cause::Login(_) => Some(BrokenRule::new(OUR_LOGIN, Mender::OurSystem)),
        Cause::Tls(fault) => Some(match verdict {
            DaneVerdict::Fail(_) => BrokenRule::new(promised(fault), Mender::Receiver),
            DaneVerdict::NotReached
            | DaneVerdict::Verify
            | DaneVerdict::VerifyHostOnly
            | DaneVerdict::EncryptNoUsable
            | DaneVerdict::Skip(_)
            | DaneVerdict::Softfail(_) => BrokenRule::new(demanded_tls(fault), Mender::ReceiverOrPolicy),
        }),
        Cause::Ours(
            OurFault::Content
            | OurFault::DamagedContent
            | OurFault::TooLate(_)
            | OurFault::NotAsked
            | OurFault::NothingTried
            | OurFault::NoSocket
            | OurFault::PolicyNotFetched
            | OurFault::NoTurn(_),
        )
        | Cause::Destination(_)
        | Cause::Connection(_)
        | Cause::Smtp(_) => None,
    }
}

/// A look-up that must give an answer.
fn looked_up(lookup: Lookup, failure: &FailedLookup) -> String {
    let clause = lookup_sentence(&failure.cause);
    match lookup {
        Lookup::Mx => format!(
            "The DNS records that name the mail servers of the domain could not be had: {clause} Mail is not sent on the \
             strength of records that may be missing or forged."
        ),
        Lookup::Address => format!(
            "The DNS records with the addresses of the receiving server could not be had: {clause} Mail is not sent on \
             the strength of records that may be missing or forged."
        ),
        Lookup::Tlsa => format!(
            "The DNS records (TLSA) by which the receiving server can be known could not be had: {clause} No connection \
             is made without them, for whoever suppresses them could pose as the server."
        ),
    }
}

/// What the policy demands.
fn of_policy(demand: Demand) -> BrokenRule {
    let lack = match demand {
        Demand::AddressLiteral | Demand::AddressName => {
            "the receiving server is given by its address, for which there are no TLSA records"
        }
        Demand::InsecureMx => "the records that name its mail servers are not signed with DNSSEC",
        Demand::InsecureHost => "the addresses of the receiving server are not signed with DNSSEC",
        Demand::NoSecureTlsa => "the receiving server has no TLSA records signed with DNSSEC",
        Demand::NoUsableTlsa => {
            "none of the TLSA records of the receiving server is of a kind that can be used for mail"
        }
        Demand::NoName => return BrokenRule::new(CERTIFICATE, Mender::ReceiverOrPolicy),
        Demand::MtaStsMismatch => return BrokenRule::new(NOT_NAMED, Mender::PolicyOrMx),
        Demand::MtaStsUnproven => return BrokenRule::new(UNPROVEN_END, Mender::ResolverOrReceiver),
        Demand::MtaStsUnknown => return BrokenRule::new(PATH_UNKNOWN, Mender::PolicyHost),
        Demand::SecurePath | Demand::SecurePathOfReport => {
            return BrokenRule::new(SECURE_PATH, Mender::Receiver);
        }
        Demand::SecureAddress => return BrokenRule::new(NOTHING_BUT_ADDRESS, Mender::Sender),
        Demand::SecureRoute => return BrokenRule::new(OUR_ROUTE, Mender::OurSystem),
    };
    BrokenRule::new(demanded(lack), Mender::OurPolicy)
}

/// What the receiving side promises by its TLSA records.
fn promised(fault: &TlsFault) -> String {
    match fault {
        TlsFault::NotOffered => "TLSA records are published for the receiving server, which promise that it \
             encrypts, but it did not offer encryption (STARTTLS). Nothing was sent to it in clear."
            .to_owned(),
        TlsFault::Refused(_) => "TLSA records are published for the receiving server, which promise that it \
             encrypts, but it refused to begin encryption (STARTTLS). Nothing was sent to it in clear."
            .to_owned(),
        TlsFault::Unproven(Unproven::Dane(DaneFlaw::NoMatch)) => "The certificate of the receiving server matches \
             none of the TLSA records that are published for it. The server has not proved that it is the right one, so \
             nothing was sent to it."
            .to_owned(),
        TlsFault::Unproven(Unproven::Dane(DaneFlaw::NameMismatch)) => "The certificate of the receiving server comes \
             from the authority that the TLSA records name, but it is not made out to the server's name. The server has \
             not proved that it is the right one, so nothing was sent to it."
            .to_owned(),
        TlsFault::Unproven(Unproven::Dane(DaneFlaw::Expired)) => "A certificate of the receiving server comes from \
             the authority that the TLSA records name, but it has expired. The server has not proved that it is the right \
             one, so nothing was sent to it."
            .to_owned(),
        TlsFault::Unproven(Unproven::Dane(DaneFlaw::NotYetValid)) => "A certificate of the receiving server comes \
             from the authority that the TLSA records name, but it is not valid yet. The server has not proved that it \
             is the right one, so nothing was sent to it."
            .to_owned(),
        TlsFault::Unproven(Unproven::Dane(DaneFlaw::Untrusted)) => "The certificate of the receiving server does not \
             lead to the authority that the TLSA records name. The server has not proved that it is the right one, so \
             nothing was sent to it."
            .to_owned(),
        TlsFault::Unproven(
            Unproven::Dane(DaneFlaw::UnsupportedKey) | Unproven::WebPki(..) | Unproven::Key | Unproven::NoReference,
        )
        | TlsFault::DataBeforeHandshake
        | TlsFault::TimedOut
        | TlsFault::Closed
        | TlsFault::Protocol(_)
        | TlsFault::Handshake(_) => format!(
            "TLSA records are published for the receiving server, which promise that it encrypts, but no encrypted \
             connection came about ({}). Nothing was sent to it in clear.",
            fault.words()
        ),
    }
}

/// What is demanded of TLS, but not by TLSA records.
fn demanded_tls(fault: &TlsFault) -> &'static str {
    match fault {
        TlsFault::Unproven(_) => CERTIFICATE,
        TlsFault::NotOffered
        | TlsFault::Refused(_)
        | TlsFault::DataBeforeHandshake
        | TlsFault::TimedOut
        | TlsFault::Closed
        | TlsFault::Protocol(_)
        | TlsFault::Handshake(_) => ENCRYPTION,
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
            "what is needed to check the answer's signatures could not be fetched.".to_owned()
        }
        LookupFailure::Servfail => "the look-up ended in a failure (SERVFAIL).".to_owned(),
        LookupFailure::Rcode(name) => format!("there was no answer but the error {name}."),
        LookupFailure::Timeout => "no answer came in time.".to_owned(),
        LookupFailure::Malformed => "the answer could not be understood.".to_owned(),
        LookupFailure::AliasLoop => "its aliases go round in a circle or are too many.".to_owned(),
    }
}

/// Who can fix a look-up that failed.
fn mender(failure: &LookupFailure) -> Mender {
    match failure {
        LookupFailure::Bogus | LookupFailure::Malformed | LookupFailure::AliasLoop => Mender::Receiver,
        LookupFailure::Indeterminate
        | LookupFailure::Servfail
        | LookupFailure::Rcode(_)
        | LookupFailure::Timeout => Mender::ResolverOrReceiver,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mail::cause::{BrokenHandshake, ConnectionFault, LoginFault, NoWay, SmtpFault, WebPkiFlaw};
    use mail::{FailCause, SkipReason, Stage};
    use std::collections::HashSet;

    fn failed() -> DaneVerdict {
        DaneVerdict::Fail(FailCause::NoMatchingTlsa)
    }

    fn unproven(flaw: DaneFlaw) -> Cause {
        Cause::Tls(TlsFault::Unproven(Unproven::Dane(flaw)))
    }

    /// The causes for which DANE is what failed.
    fn of_dane() -> Vec<Cause> {
        let failures = [
            LookupFailure::Bogus,
            LookupFailure::Indeterminate,
            LookupFailure::Servfail,
            LookupFailure::Rcode("REFUSED".to_owned()),
            LookupFailure::Timeout,
            LookupFailure::Malformed,
            LookupFailure::AliasLoop,
        ];
        let mut causes: Vec<Cause> = failures
            .into_iter()
            .flat_map(|failure| {
                [Lookup::Mx, Lookup::Address, Lookup::Tlsa]
                    .map(|lookup| Cause::Dns(lookup, failure.clone().into()))
            })
            .collect();
        causes.extend(
            [
                Demand::AddressLiteral,
                Demand::InsecureMx,
                Demand::InsecureHost,
                Demand::NoSecureTlsa,
                Demand::NoUsableTlsa,
            ]
            .map(Cause::Policy),
        );
        causes.extend([
            unproven(DaneFlaw::NoMatch),
            unproven(DaneFlaw::NameMismatch),
            unproven(DaneFlaw::Expired),
            unproven(DaneFlaw::NotYetValid),
            unproven(DaneFlaw::Untrusted),
            unproven(DaneFlaw::UnsupportedKey),
            Cause::Tls(TlsFault::NotOffered),
            Cause::Tls(TlsFault::Refused(mail::ReplyCode::new(454).unwrap())),
            Cause::Tls(TlsFault::DataBeforeHandshake),
            Cause::Tls(TlsFault::TimedOut),
            Cause::Tls(TlsFault::Handshake(BrokenHandshake::Alert(
                "handshake_failure".to_owned(),
            ))),
        ]);
        causes
    }

    #[test]
    fn every_cause_has_sentences_of_its_own() {
        let mut seen = HashSet::new();
        for cause in of_dane() {
            let rule = broken_rule(&cause, &failed()).unwrap();
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
        let mender = |cause: Cause| broken_rule(&cause, &failed()).unwrap().mender;
        assert_eq!(mender(unproven(DaneFlaw::NoMatch)), Mender::Receiver);
        assert_eq!(mender(Cause::Policy(Demand::NoSecureTlsa)), Mender::OurPolicy);
        assert_eq!(
            mender(Cause::Dns(Lookup::Mx, LookupFailure::Bogus.into())),
            Mender::Receiver
        );
        assert_eq!(
            mender(Cause::Dns(Lookup::Tlsa, LookupFailure::Timeout.into())),
            Mender::ResolverOrReceiver
        );
        assert_eq!(mender(Cause::Ours(OurFault::NoRoots)), Mender::OurSystem);
        let source = OurFault::SourceAddress([192, 0, 2, 1].into());
        assert_eq!(mender(Cause::Ours(source)), Mender::OurSystem);
        assert_eq!(mender(Cause::Login(LoginFault::NotOffered)), Mender::OurSystem);
    }

    #[test]
    fn without_dane_the_rule_is_about_encryption_or_certificates() {
        let expired = Unproven::WebPki(WebPkiFlaw::Expired, "certificate expired".to_owned());
        let verdict = DaneVerdict::Skip(SkipReason::NoSecureTlsa);
        for (cause, words) in [
            (
                Cause::Tls(TlsFault::NotOffered),
                "over encrypted connections only",
            ),
            (
                Cause::Tls(TlsFault::Handshake(BrokenHandshake::NotTls)),
                "over encrypted connections only",
            ),
            (
                Cause::Tls(TlsFault::Unproven(expired)),
                "a certificate valid for their name",
            ),
        ] {
            let rule = broken_rule(&cause, &verdict).unwrap();
            assert!(rule.sentences.contains(words), "{}", rule.sentences);
            assert_eq!(rule.mender, Mender::ReceiverOrPolicy, "{cause:?}");
        }
        for (demand, words, mender) in [
            (
                Demand::MtaStsMismatch,
                "is not among them. No connection was made to that server.",
                Mender::PolicyOrMx,
            ),
            (Demand::MtaStsUnknown, "could not be fetched", Mender::PolicyHost),
            (
                Demand::SecurePath,
                "neither signed DNS records nor a policy",
                Mender::Receiver,
            ),
            (
                Demand::SecureAddress,
                "named by its address alone",
                Mender::Sender,
            ),
            (Demand::SecureRoute, "has been told to send", Mender::OurSystem),
        ] {
            let rule = broken_rule(&Cause::Policy(demand), &verdict).unwrap();
            assert!(rule.sentences.contains(words), "{}", rule.sentences);
            assert_eq!(rule.mender, mender, "{demand:?}");
        }
        let literal = broken_rule(&Cause::Policy(Demand::AddressLiteral), &verdict).unwrap();
        assert_eq!(literal.mender, Mender::OurPolicy);
    }

    #[test]
    fn no_rule_is_blamed_where_none_was_broken() {
        let refused = SmtpFault::Refused {
            stage: Stage::Rcpt,
            code: mail::ReplyCode::new(550).unwrap(),
            enhanced: None,
        };
        for cause in [
            Cause::Smtp(refused),
            Cause::Connection(ConnectionFault::Closed(Stage::Mail)),
            Cause::Destination(NoWay::NoAddresses),
            Cause::Ours(OurFault::DamagedContent),
        ] {
            assert_eq!(broken_rule(&cause, &failed()), None, "{cause:?}");
        }
    }
}
