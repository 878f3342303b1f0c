//! Belief in a validating resolver on loopback or over TLS: its AD bit is the status (RFC 4035 §4.9.3, RFC 6840 §5.8).

use std::sync::Arc;

use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use mail::{LookupFailure, Security};

use crate::NoAnswer;
use crate::extended::ExtendedError;
use crate::flaw::Flaw;
use crate::hop::{Finding, Hop, is_answer, read};
use crate::outage::Outage;
use crate::upstream::{Asking, Reply, Upstream};

/// A resolver that leaves the validation to another.
pub(crate) struct Trusting {
    upstream: Arc<Upstream>,
}

impl Trusting {
    pub(crate) fn new(upstream: Arc<Upstream>) -> Self {
        Self { upstream }
    }

    /// What stands at a name, as the resolver says.
    pub(crate) async fn hop(&self, name: &Name, record_type: RecordType) -> Result<Hop, NoAnswer> {
        let (message, finding, ttl) = self.ask(&Query::query(name.clone(), record_type)).await?;
        let security = status(&message);
        let hop = Hop {
            security,
            finding,
            ttl,
        };
        match (&hop.finding, security) {
            // AD speaks for the whole message. Where it is clear, the alias itself may be secure all the same and only its
            // target insecure: the alias is asked about by itself (RFC 7672 §2.1.3, §2.2.2).
            (Finding::Alias(_), Security::Insecure) => self.alias(name).await,
            (Finding::Alias(_) | Finding::Records(_) | Finding::NoData | Finding::NxDomain, _) => Ok(hop),
        }
    }

    /// Whether the resolver validates: the root is signed, so its SOA comes with AD or the bit means nothing. Each server is
    /// asked, for each may be the next to answer a look-up; one that does not validate spoils them all. One that is silent
    /// now does not: another's answer counts.
    pub(crate) async fn root(&self) -> Result<Security, NoAnswer> {
        let question = Query::query(Name::root(), RecordType::SOA);
        let mut found = Err(NoAnswer::from(LookupFailure::Timeout));
        for answer in self
            .upstream
            .exchange_with_each(&question, Asking::Validated)
            .await
        {
            match answer {
                Ok(reply) if !is_answer(&reply.message, &question) => {
                    let failure = self.refusal(&question, &reply).await;
                    found = found.or(Err(failure));
                }
                Ok(reply) if status(&reply.message) == Security::Insecure => return Ok(Security::Insecure),
                Ok(_) => found = Ok(Security::Secure),
                Err(silence) if silence.cause == LookupFailure::Timeout => {
                    found = found.map_err(|before| {
                        if before.reason().is_some() {
                            before
                        } else {
                            silence
                        }
                    });
                }
                Err(failure) => found = found.or(Err(failure)),
            }
        }
        found
    }

    async fn alias(&self, name: &Name) -> Result<Hop, NoAnswer> {
        // The server gave an alias before and gives none now.
        let gone =
            || NoAnswer::new(LookupFailure::Malformed, Outage::Unreadable).about(name, RecordType::CNAME);
        let (message, finding, ttl) = self.ask(&Query::query(name.clone(), RecordType::CNAME)).await?;
        let Finding::Records(records) = finding else {
            return Err(gone());
        };
        let [RData::CNAME(target)] = records.as_slice() else {
            return Err(gone());
        };
        Ok(Hop {
            security: status(&message),
            finding: Finding::Alias(target.0.clone()),
            ttl,
        })
    }

    async fn ask(&self, question: &Query) -> Result<(Message, Finding, u32), NoAnswer> {
        let reply = self.upstream.exchange(question, Asking::Validated).await?;
        if !is_answer(&reply.message, question) {
            return Err(self.refusal(question, &reply).await);
        }
        let (finding, ttl) =
            read(&reply.message, question).map_err(|failure| failure.at_server(&reply.server))?;
        Ok((reply.message, finding, ttl))
    }

    /// SERVFAIL may be an outage or a failed validation: an extended error tells, or else whether the data is there when no
    /// validation is asked for. That data is not used.
    async fn refusal(&self, question: &Query, reply: &Reply) -> NoAnswer {
        let refusal = reply.failure(question);
        if reply.message.metadata.response_code != ResponseCode::ServFail {
            return refusal;
        }
        if ExtendedError::says_bogus(&reply.message) {
            return refusal.called(LookupFailure::Bogus);
        }
        match self.upstream.exchange(question, Asking::Unchecked).await {
            Ok(unchecked) if is_answer(&unchecked.message, question) => {
                refusal.because(LookupFailure::Bogus, Flaw::RefusedByServer)
            }
            Ok(_) | Err(_) => refusal,
        }
    }
}

fn status(message: &Message) -> Security {
    if message.metadata.authentic_data {
        Security::Secure
    } else {
        Security::Insecure
    }
}
