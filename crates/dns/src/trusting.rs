//! Relies on validating resolvers on loopback or over TLS: the AD bit is the status (RFC 4035 §4.9.3, RFC 6840 §5.8).
//!
//! A set bit can be relied on: no server may set it on data that it has not found authentic (RFC 4035 §3.2.3), and over a
//! channel that nobody else can write to it comes from the server. A clear bit cannot: a server that no longer validates, or
//! never did, leaves it clear on everything. So an answer without it, whether records or an absence, counts only once the
//! same server has set the bit on the signed root in reply to a question asked after that answer came. What one server has
//! shown does not count for another.

use std::sync::Arc;

use hickory_proto::dnssec::Algorithm;
use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use mail::{Domain, LookupFailure, Security};

use crate::NoAnswer;
use crate::algorithm;
use crate::belief::{Moment, Unproved};
use crate::extended::ExtendedError;
use crate::fault::Fault;
use crate::flaw::Flaw;
use crate::hop::{Finding, Hop, is_answer, is_denied_compactly, read, signed};
use crate::outage::Outage;
use crate::record::to_name;
use crate::upstream::{Asking, Reply, Source, Upstream};

/// A resolver that leaves the validation to others.
#[derive(Clone)]
pub(crate) struct Trusting {
    upstream: Arc<Upstream>,
}

/// What one server says, before it is known whether it counts.
struct Heard {
    hop: Hop,
    /// When it was there.
    at: Moment,
}

/// Why one server gave nothing that counts.
enum Passed {
    /// Another may know more.
    On(NoAnswer),
    /// The server has validated and refuses: no other server overrules that.
    Final(NoAnswer),
}

impl Passed {
    fn into_failure(self) -> NoAnswer {
        match self {
            Self::On(failure) | Self::Final(failure) => failure,
        }
    }
}

impl Trusting {
    pub(crate) fn new(upstream: Arc<Upstream>) -> Self {
        Self { upstream }
    }

    /// The records at a name, according to the first server that answers and can be believed.
    pub(crate) async fn hop(&self, name: &Name, record_type: RecordType) -> Result<Hop, NoAnswer> {
        let mut failure = self.upstream.nobody();
        for (place, server) in self.upstream.in_order() {
            match self.hop_at(server, name, record_type).await {
                Ok(hop) => {
                    self.upstream.prefer(place);
                    return Ok(hop);
                }
                Err(Passed::Final(cause)) => return Err(cause),
                Err(Passed::On(another)) => failure = graver(failure, another),
            }
        }
        Err(failure)
    }

    /// Each server separately, for the self-test.
    pub(crate) fn witnesses(&self) -> Vec<Witness<'_>> {
        let servers = self.upstream.in_order();
        servers
            .map(|(_, server)| Witness {
                trusting: self,
                server,
            })
            .collect()
    }

    async fn hop_at(&self, server: &Source, name: &Name, record_type: RecordType) -> Result<Hop, Passed> {
        // Before the first question: a server that has shown nothing yet is not even asked.
        if !server.credit.has_shown() {
            self.show(server, server.credit.now()).await?;
        }
        let hop = self.answer(server, name, record_type).await?;
        // Checked last: a self-test may have found a fault meanwhile.
        match server.credit.distrust() {
            Some(fault) => Err(Passed::On(not_believed(server, fault))),
            None => Ok(hop),
        }
    }

    async fn answer(&self, server: &Source, name: &Name, record_type: RecordType) -> Result<Hop, Passed> {
        let heard = self
            .hear(server, &Query::query(name.clone(), record_type))
            .await?;
        let heard = match (&heard.hop.finding, heard.hop.security) {
            // AD is about the whole message. If it is clear, the alias itself may still be secure and only its target
            // insecure: so the alias is asked about separately (RFC 7672 §2.1.3, §2.2.2).
            (Finding::Alias(_), Security::Insecure) => self.alias(server, name).await?,
            (Finding::Alias(_) | Finding::Records(_) | Finding::NoData | Finding::NxDomain, _) => heard,
        };
        match heard.hop.security {
            Security::Secure => {}
            Security::Insecure => self.show(server, heard.at).await?,
        }
        Ok(heard.hop)
    }

    async fn show(&self, server: &Source, since: Moment) -> Result<(), Passed> {
        let proof = self.proof(server, since).await;
        proof.map_err(|unproved| {
            Passed::On(match unproved {
                Unproved::DoesNotValidate => not_believed(server, Fault::NotValidating),
                Unproved::Failed(failure) => failure,
            })
        })
    }

    async fn alias(&self, server: &Source, name: &Name) -> Result<Heard, Passed> {
        let question = Query::query(name.clone(), RecordType::CNAME);
        let mut heard = self.hear(server, &question).await?;
        let target = match &heard.hop.finding {
            Finding::Records(records) => match records.as_slice() {
                [RData::CNAME(target)] => Some(target.0.clone()),
                _ => None,
            },
            Finding::Alias(_) | Finding::NoData | Finding::NxDomain => None,
        };
        // The server gave an alias before, but gives none now.
        let target = target.ok_or_else(|| Passed::On(unreadable(server, &question)))?;
        heard.hop.finding = Finding::Alias(target);
        Ok(heard)
    }

    async fn hear(&self, server: &Source, question: &Query) -> Result<Heard, Passed> {
        let asked = server.credit.now();
        let reply = self.upstream.ask(server, question, Asking::Validated).await;
        let reply = reply.map_err(Passed::On)?;
        if !is_answer(&reply.message, question) {
            return Err(self.overruled_by_none(server, asked, question, &reply).await);
        }
        let (finding, ttl) =
            read(&reply.message, question).map_err(|failure| Passed::On(failure.at_server(&reply.server)))?;
        if matches!(finding, Finding::Records(_))
            && reply.message.metadata.response_code == ResponseCode::NXDomain
        {
            // The name that has the records does not exist.
            return Err(Passed::On(unreadable(server, question)));
        }
        let security = status(&reply.message);
        if security == Security::Secure {
            server.credit.show(asked);
        }
        let finding = match (finding, security) {
            (Finding::NoData, Security::Secure) if is_denied_compactly(&reply.message, question.name()) => {
                Finding::NxDomain
            }
            (finding, _) => finding,
        };
        Ok(Heard {
            hop: Hop {
                security,
                signed: signed(&reply.message, question, |_| security == Security::Secure),
                finding,
                ttl,
            },
            at: server.credit.now(),
        })
    }

    /// Succeeds if the server has set AD on the answer to a question asked since that moment.
    async fn proof(&self, server: &Source, since: Moment) -> Result<(), Unproved> {
        while !server.credit.has_shown_since(since) {
            // A question in progress may have been asked too early; then the next one counts, which begins after it.
            let proving = server.credit.proving.share(&(), || self.prove(server));
            if proving.await? >= since {
                break;
            }
        }
        Ok(())
    }

    /// Whether the server validates: the root is signed, so its SOA comes with AD, or else the bit means nothing.
    async fn prove(&self, server: &Source) -> Result<Moment, Unproved> {
        let question = Query::query(Name::root(), RecordType::SOA);
        let asked = server.credit.now();
        let reply = self.upstream.ask(server, &question, Asking::Validated).await;
        let reply = reply.map_err(|failure| Unproved::Failed(failure.ours()))?;
        if !is_answer(&reply.message, &question) {
            return Err(Unproved::Failed(
                match self.refusal(server, &question, &reply).await {
                    // A bogus root says nothing about the name.
                    Passed::Final(failure) if failure.cause.is_bogus() => {
                        failure.ours().called(LookupFailure::Indeterminate)
                    }
                    Passed::Final(failure) | Passed::On(failure) => failure.ours(),
                },
            ));
        }
        match status(&reply.message) {
            Security::Secure => {
                server.credit.show(asked);
                Ok(asked)
            }
            Security::Insecure => {
                server.credit.lose();
                Err(Unproved::DoesNotValidate)
            }
        }
    }

    /// A refusal. If it is SERVFAIL and this server shows that it validates, no other server overrules it: it may have found
    /// the data bogus without saying so. A server that says that it reaches no other server has found nothing.
    async fn overruled_by_none(
        &self,
        server: &Source,
        asked: Moment,
        question: &Query,
        reply: &Reply,
    ) -> Passed {
        match self.refusal(server, question, reply).await {
            Passed::On(refusal)
                if reply.message.metadata.response_code == ResponseCode::ServFail
                    && !ExtendedError::says_out_of_reach(&reply.message)
                    && self.proof(server, asked).await.is_ok() =>
            {
                Passed::Final(refusal)
            }
            passed => passed,
        }
    }

    /// SERVFAIL may be an outage or a failed validation: an extended error tells which, or else whether the data is there
    /// when the same server is asked not to validate. That data is not used. If there is no answer to that, no other server
    /// overrules this one.
    async fn refusal(&self, server: &Source, question: &Query, reply: &Reply) -> Passed {
        let refusal = reply.failure(question);
        if reply.message.metadata.response_code != ResponseCode::ServFail {
            return Passed::On(refusal);
        }
        if ExtendedError::says_bogus(&reply.message) {
            return Passed::Final(refusal.called(LookupFailure::Bogus));
        }
        match self.upstream.ask(server, question, Asking::Unchecked).await {
            Ok(unchecked) if is_answer(&unchecked.message, question) => {
                Passed::Final(refusal.because(LookupFailure::Bogus, Flaw::RefusedByServer))
            }
            Ok(_) => Passed::On(refusal),
            Err(_) => Passed::Final(refusal),
        }
    }
}

/// One server, as the self-test looks at it.
pub(crate) struct Witness<'a> {
    trusting: &'a Trusting,
    server: &'a Source,
}

impl Witness<'_> {
    /// Its name for people.
    pub(crate) fn name(&self) -> String {
        self.server.name.to_string()
    }

    /// Whether it shows now that it validates.
    pub(crate) async fn validates(&self) -> Result<(), Unproved> {
        self.trusting.proof(self.server, self.server.credit.now()).await
    }

    /// The SOA at a name, whether or not the server is believed.
    pub(crate) async fn soa(&self, name: &Domain) -> Result<Hop, NoAnswer> {
        let name = to_name(name)?;
        let answer = self.trusting.answer(self.server, &name, RecordType::SOA).await;
        answer.map_err(Passed::into_failure)
    }

    /// The algorithms with which the zone of this name is signed, according to its secure DS records.
    pub(crate) async fn algorithms(&self, zone: &Domain) -> Result<Vec<Algorithm>, NoAnswer> {
        let name = to_name(zone)?;
        let answer = self.trusting.answer(self.server, &name, RecordType::DS).await;
        let hop = answer.map_err(Passed::into_failure)?;
        Ok(match (hop.security, hop.finding) {
            (Security::Secure, Finding::Records(records)) => algorithm::of_delegation(&records),
            _ => Vec::new(),
        })
    }

    /// Whether it passes on the root's signatures.
    pub(crate) async fn passes_signatures_on(&self) -> Result<bool, NoAnswer> {
        let question = signed_question();
        let upstream = &self.trusting.upstream;
        let reply = upstream.ask(self.server, &question, Asking::Unchecked).await?;
        has_signatures(&reply, &question)
    }

    /// Why it cannot be reached over TLS, if that is so.
    pub(crate) fn obstacle(&self) -> Option<String> {
        self.server.obstacle()
    }

    /// How the self-test ended.
    pub(crate) fn judge(&self, fault: Option<Fault>) {
        self.server.credit.judge(fault);
    }
}

/// A question whose answer must have signatures.
pub(crate) fn signed_question() -> Query {
    Query::query(Name::root(), RecordType::DNSKEY)
}

/// Whether it has, if it came.
pub(crate) fn has_signatures(reply: &Reply, question: &Query) -> Result<bool, NoAnswer> {
    if !is_answer(&reply.message, question) {
        return Err(reply.failure(question));
    }
    let mut answers = reply.message.answers.iter();
    Ok(answers.any(|record| record.record_type() == RecordType::RRSIG))
}

/// The more informative of two failures: a refusal says more than no answer, and otherwise the first says more than the
/// second.
fn graver(first: NoAnswer, second: NoAnswer) -> NoAnswer {
    if first.cause == LookupFailure::Timeout
        && (second.cause != LookupFailure::Timeout || first.reason().is_none())
    {
        second
    } else {
        first
    }
}

fn not_believed(server: &Source, fault: Fault) -> NoAnswer {
    NoAnswer::new(LookupFailure::Indeterminate, Outage::SelfTest(Box::new(fault)))
        .at_server(&server.name)
        .ours()
}

fn unreadable(server: &Source, question: &Query) -> NoAnswer {
    NoAnswer::new(LookupFailure::Malformed, Outage::Unreadable)
        .about(question.name(), question.query_type())
        .at_server(&server.name)
}

fn status(message: &Message) -> Security {
    if message.metadata.authentic_data {
        Security::Secure
    } else {
        Security::Insecure
    }
}
