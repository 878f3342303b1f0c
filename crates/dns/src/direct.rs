//! One question to one authoritative server, past every resolver: for finding the server of a zone that answers otherwise
//! than the others. Nothing of it is validated, and no decision about mail depends on it.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_proto::op::{Query, ResponseCode};

use crate::hop::{Finding, failure_of, is_answer, read};
use crate::presentation::presented;
use crate::question::{QuestionError, to_type};
use crate::record::absolute;
use crate::upstream::{Asking, Upstream};
use crate::validate::signatures_of;
use crate::{NoAnswer, Server};

/// What a server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Direct {
    /// The answer itself.
    pub said: Said,
    /// Whether it speaks for the zone (RFC 1035 §4.1.1).
    pub is_authoritative: bool,
    /// Whether signatures over the records came with them.
    pub is_signed: bool,
}

/// The kinds of answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Records in presentation form, and their TTL in seconds.
    Records(Vec<String>, u32),
    /// An alias.
    Alias,
    /// The name exists, but has no records of the type.
    NoData,
    /// The name does not exist.
    NxDomain,
    /// It refused, or sent elsewhere: why, in the words of [`LookupFailure`](mail::LookupFailure).
    Refused(NoAnswer),
}

/// Asks one server, without recursion and with DO, for at most so long.
pub async fn ask(
    server: SocketAddr,
    name: &str,
    record_type: &str,
    patience: Duration,
) -> Result<Result<Direct, NoAnswer>, QuestionError> {
    let owner = absolute(name).ok_or_else(|| QuestionError::Name(name.to_owned()))?;
    let question = Query::query(owner, to_type(record_type)?);
    Ok(exchange(server, &question, patience).await)
}

async fn exchange(server: SocketAddr, question: &Query, patience: Duration) -> Result<Direct, NoAnswer> {
    let upstream = Upstream::new(vec![Server::Plain(server)], patience);
    let reply = upstream.exchange(question, Asking::Directly).await?;
    let message = &reply.message;
    let is_refusal = !is_answer(message, question)
        || !matches!(
            message.metadata.response_code,
            ResponseCode::NoError | ResponseCode::NXDomain
        );
    let said = if is_refusal {
        Said::Refused(failure_of(message))
    } else {
        match read(message, question)? {
            (Finding::Records(records), ttl) => Said::Records(records.iter().map(presented).collect(), ttl),
            (Finding::Alias(_), _) => Said::Alias,
            (Finding::NoData, _) => Said::NoData,
            (Finding::NxDomain, _) => Said::NxDomain,
        }
    };
    Ok(Direct {
        said,
        is_authoritative: message.metadata.authoritative,
        is_signed: signatures_of(&message.answers, question.name(), question.query_type())
            .next()
            .is_some(),
    })
}
