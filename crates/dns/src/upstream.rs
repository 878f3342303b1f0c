//! The servers that are asked, over UDP and then TCP or else over TLS. Nothing here knows DNSSEC beyond setting its bits.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use hickory_net::NetError;
use hickory_net::runtime::TokioRuntimeProvider;
use hickory_net::tcp::TcpClientStream;
use hickory_net::udp::UdpClientStream;
use hickory_net::xfer::{DnsHandle, DnsRequestSender, FirstAnswer};
use hickory_proto::op::{DnsRequest, DnsRequestOptions, DnsResponse, Edns, Message, Query};
use mail::LookupFailure;
use tokio::time::timeout;

use crate::channel::Channel;
use crate::hop::{failure_of, is_answer};
use crate::outage::Outage;
use crate::{NoAnswer, Server};

/// The UDP payload that fits through any path without fragments, in octets (RFC 6891 §6.2.5; DNS flag day 2020).
const UDP_PAYLOAD: u16 = 1232;

/// The longest time that a record can say it may be kept, in seconds; what is longer counts as none (RFC 2181 §8).
const LONGEST_TTL: u32 = u32::MAX >> 1;

/// After this long without an answer a datagram may have been lost, in milliseconds; a resolver at work often takes as long.
const RESEND_AFTER: u64 = 1000;

/// Which bits a question carries. DO is always set: without it a resolver owes us neither AD nor signatures (RFC 6840 §5.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asking {
    /// AD set, CD clear: the resolver shall validate and say so.
    Validated,
    /// CD set: the data as it is; the validation is ours (RFC 4035 §4.9.2).
    Unchecked,
}

/// The servers in their order.
pub(crate) struct Upstream {
    servers: Vec<NamedWay>,
    /// The server that answered last: a dead one before it costs its time-out once, not for each question.
    preferred: AtomicUsize,
    /// The longest that one server may take for one question, TCP included.
    patience: Duration,
    provider: TokioRuntimeProvider,
}

/// A server with the name that it has in messages for people.
struct NamedWay {
    name: Arc<str>,
    way: Way,
}

/// What a server sent, be it an answer or a refusal.
pub(crate) struct Reply {
    pub(crate) message: Message,
    /// The server, for people to read.
    pub(crate) server: Arc<str>,
}

impl Reply {
    /// What the reply means if it is no answer.
    pub(crate) fn failure(&self, question: &Query) -> NoAnswer {
        failure_of(&self.message)
            .about(question.name(), question.query_type())
            .at_server(&self.server)
    }
}

/// The way to a server.
enum Way {
    Plain(SocketAddr),
    Tls(Channel),
}

impl Upstream {
    /// `deadline` is that of a whole look-up: even if the last server is the only one alive there is time for its answer.
    pub(crate) fn new(servers: Vec<Server>, deadline: Duration) -> Self {
        let parts = u32::try_from(servers.len())
            .unwrap_or(u32::MAX)
            .saturating_mul(2)
            .saturating_add(1);
        let patience = deadline.saturating_mul(2) / parts;
        let ways = servers.into_iter().map(|server| NamedWay {
            name: server.to_string().into(),
            way: match server {
                Server::Plain(address) => Way::Plain(address),
                Server::Tls(server) => Way::Tls(Channel::new(server, patience)),
            },
        });
        Self {
            servers: ways.collect(),
            preferred: AtomicUsize::new(0),
            patience,
            provider: TokioRuntimeProvider::new(),
        }
    }

    /// Asks one server after the other until one answers. Where none does, a refusal or referral counts more than silence.
    pub(crate) async fn exchange(&self, question: &Query, asking: Asking) -> Result<Reply, NoAnswer> {
        let first = self.preferred.load(Ordering::Relaxed);
        let mut best = Err(NoAnswer::from(LookupFailure::Timeout));
        let order = self
            .servers
            .iter()
            .enumerate()
            .cycle()
            .skip(first)
            .take(self.servers.len());
        for (index, server) in order {
            match self.ask(server, question, asking).await {
                Ok(reply) if is_answer(&reply.message, question) => {
                    self.preferred.store(index, Ordering::Relaxed);
                    return Ok(reply);
                }
                Ok(refusal) if best.is_err() => best = Ok(refusal),
                Err(failure)
                    if best
                        .as_ref()
                        .is_err_and(|best| best.cause == LookupFailure::Timeout) =>
                {
                    best = Err(failure);
                }
                Ok(_) | Err(_) => {}
            }
        }
        best
    }

    /// Why a server over TLS cannot be spoken to.
    pub(crate) fn obstacle(&self) -> Option<String> {
        self.servers.iter().find_map(|server| match &server.way {
            Way::Plain(_) => None,
            Way::Tls(channel) => channel.obstacle(),
        })
    }

    /// Asks every server, at the same time, whichever is preferred.
    pub(crate) async fn exchange_with_each(
        &self,
        question: &Query,
        asking: Asking,
    ) -> Vec<Result<Reply, NoAnswer>> {
        join_all(
            self.servers
                .iter()
                .map(|server| self.ask(server, question, asking)),
        )
        .await
    }

    async fn ask(&self, server: &NamedWay, question: &Query, asking: Asking) -> Result<Reply, NoAnswer> {
        let asked = timeout(self.patience, self.ask_by(&server.way, question, asking)).await;
        let reply = asked.unwrap_or_else(|_| Err(self.silence()));
        match reply {
            Ok(message) => Ok(Reply {
                message,
                server: Arc::clone(&server.name),
            }),
            Err(failure) => Err(failure
                .about(question.name(), question.query_type())
                .at_server(&server.name)),
        }
    }

    async fn ask_by(&self, way: &Way, question: &Query, asking: Asking) -> Result<Message, NoAnswer> {
        let answer = match way {
            Way::Plain(address) => self.in_clear(*address, request(question, asking)).await,
            Way::Tls(channel) => channel.ask(request(question, asking)).await,
        };
        let message = answer.map_err(|error| self.failure(&error))?;
        // RFC 5452 §9.1: the answer is to this question. Addresses, ports and IDs are checked below us.
        let fits = matches!(message.queries.as_slice(), [asked] if asked == question);
        if !fits || message.metadata.truncation {
            return Err(unreadable());
        }
        let mut message = message.into_message();
        for record in message.answers.iter_mut().chain(&mut message.authorities) {
            if record.ttl > LONGEST_TTL {
                record.ttl = 0;
            }
        }
        // An RRset has no record twice (RFC 2181 §5); a server that went round a loop of aliases repeats them.
        let mut seen = HashSet::new();
        message
            .answers
            .retain(|record| seen.insert((record.name.clone(), record.data.clone())));
        Ok(message)
    }

    /// An answer that came and cannot be read is malformed; everything else is an answer that did not come.
    fn failure(&self, error: &NetError) -> NoAnswer {
        match error {
            NetError::Proto(_) => unreadable(),
            NetError::Io(error) => {
                let words = Outage::NoConnection(error.to_string());
                NoAnswer::new(LookupFailure::Timeout, words)
            }
            _ => self.silence(),
        }
    }

    fn silence(&self) -> NoAnswer {
        NoAnswer::new(LookupFailure::Timeout, Outage::NoReply(self.patience))
    }

    async fn in_clear(&self, server: SocketAddr, request: DnsRequest) -> Result<DnsResponse, NetError> {
        let message = self.over_udp(server, request.clone()).await?;
        if message.metadata.truncation {
            return self.over_tcp(server, request).await;
        }
        Ok(message)
    }

    /// A fresh socket, hence a fresh random port, for each question (RFC 5452 §9.2).
    async fn over_udp(&self, server: SocketAddr, request: DnsRequest) -> Result<DnsResponse, NetError> {
        UdpClientStream::builder(server, self.provider.clone())
            .with_timeout(Some(self.patience))
            .with_retry_interval_floor(RESEND_AFTER)
            .build()
            .send_message(request)
            .first_answer()
            .await
    }

    async fn over_tcp(&self, server: SocketAddr, request: DnsRequest) -> Result<DnsResponse, NetError> {
        let connection =
            TcpClientStream::exchange(server, None, self.patience, None, self.provider.clone()).await?;
        connection.send(request).first_answer().await
    }
}

fn request(question: &Query, asking: Asking) -> DnsRequest {
    let mut message = Message::query();
    message.add_query(question.clone());
    message.metadata.recursion_desired = true;
    message.metadata.authentic_data = asking == Asking::Validated;
    message.metadata.checking_disabled = asking == Asking::Unchecked;
    let mut edns = Edns::new();
    edns.set_max_payload(UDP_PAYLOAD).set_dnssec_ok(true);
    message.set_edns(edns);
    DnsRequest::new(message, DnsRequestOptions::default())
}

fn unreadable() -> NoAnswer {
    NoAnswer::new(LookupFailure::Malformed, Outage::Unreadable)
}
