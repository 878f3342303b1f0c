//! The servers that are asked, over UDP and then TCP, or over TLS. This module only sets DNSSEC's bits; it knows nothing
//! else of DNSSEC.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hickory_net::NetError;
use hickory_net::runtime::TokioRuntimeProvider;
use hickory_net::tcp::TcpClientStream;
use hickory_net::udp::UdpClientStream;
use hickory_net::xfer::{DnsHandle, DnsRequestSender, FirstAnswer};
use hickory_proto::op::{
    DnsRequest, DnsRequestOptions, DnsResponse, Edns, Message, MessageType, OpCode, Query,
};
use mail::LookupFailure;
use tokio::time::timeout;

use crate::belief::Credit;
use crate::channel::Channel;
use crate::fault::Fault;
use crate::hop::{failure_of, is_answer};
use crate::outage::Outage;
use crate::places::Place;
use crate::sockets::Counted;
use crate::{NoAnswer, Server};

/// The UDP payload that fits any path without fragmentation, in octets (RFC 6891 §6.2.5; DNS flag day 2020).
const UDP_PAYLOAD: u16 = 1232;

/// The largest valid TTL, in seconds; a larger one counts as zero (RFC 2181 §8).
const LONGEST_TTL: u32 = u32::MAX >> 1;

/// After this long without an answer a datagram may have been lost, in milliseconds; a busy resolver often takes that long.
const RESEND_AFTER: u64 = 1000;

/// Whether the resolver is to validate. DO is always set: it obliges a resolver to send AD and signatures (RFC 4035 §3.2).
/// AD is never set: a server that only copies what it does not understand would seem to have validated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asking {
    /// CD clear: the resolver is to validate and say so.
    Validated,
    /// CD set: the data as it is; we validate (RFC 4035 §4.9.2).
    Unchecked,
    /// An authoritative server, about what it has itself.
    Directly,
}

/// The servers in their order.
pub(crate) struct Upstream {
    servers: Vec<Source>,
    /// The server that answered last: so a dead one before it costs its time-out only once, not for each question.
    preferred: AtomicUsize,
    /// The longest that one server may take for one question, including TCP.
    patience: Duration,
    provider: TokioRuntimeProvider,
    /// How many losses of trust in a server have been acted on.
    losses_taken: AtomicUsize,
    /// For questions outside look-ups.
    aside: Arc<Place>,
}

/// A server.
pub(crate) struct Source {
    /// Its name in messages for people.
    pub(crate) name: Arc<str>,
    /// What it has shown about its validation.
    pub(crate) credit: Credit,
    transport: Transport,
}

impl Source {
    /// Why it cannot be reached over TLS.
    pub(crate) fn obstacle(&self) -> Option<String> {
        match &self.transport {
            Transport::Plain(_) => None,
            Transport::Tls(channel) => channel.obstacle(),
        }
    }
}

/// What a server sent, whether an answer or a refusal.
pub(crate) struct Reply {
    pub(crate) message: Message,
    /// The server, for people to read.
    pub(crate) server: Arc<str>,
}

impl Reply {
    /// The failure that the reply stands for if it is not an answer.
    pub(crate) fn failure(&self, question: &Query) -> NoAnswer {
        failure_of(&self.message)
            .about(question.name(), question.query_type())
            .at_server(&self.server)
    }
}

/// How a server is reached.
enum Transport {
    Plain(SocketAddr),
    Tls(Channel),
}

impl Upstream {
    /// `deadline` is that of a whole look-up: there is time for an answer even if only the last server is alive.
    pub(crate) fn new(servers: Vec<Server>, deadline: Duration) -> Self {
        let parts = u32::try_from(servers.len())
            .unwrap_or(u32::MAX)
            .saturating_mul(2)
            .saturating_add(1);
        let patience = deadline.saturating_mul(2) / parts;
        let servers = servers.into_iter().map(|server| Source {
            name: server.to_string().into(),
            credit: Credit::new(),
            transport: match server {
                Server::Plain(address) => Transport::Plain(address),
                Server::Tls(server) => Transport::Tls(Channel::new(server, patience)),
            },
        });
        Self {
            servers: servers.collect(),
            preferred: AtomicUsize::new(0),
            patience,
            provider: TokioRuntimeProvider::new(),
            losses_taken: AtomicUsize::new(0),
            aside: Arc::new(Place::aside()),
        }
    }

    /// Asks one server after the other until one answers. If none does, a refusal or referral counts more than no answer.
    pub(crate) async fn exchange(&self, question: &Query, asking: Asking) -> Result<Reply, NoAnswer> {
        let mut best = Err(self.nobody());
        for (place, server) in self.in_order() {
            match self.ask(server, question, asking).await {
                Ok(reply) if is_answer(&reply.message, question) => {
                    self.prefer(place);
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

    /// The servers with their positions, the preferred one first.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = (usize, &Source)> {
        let first = self.preferred.load(Ordering::Relaxed);
        let servers = self.servers.iter().enumerate();
        servers.cycle().skip(first).take(self.servers.len())
    }

    /// The server at this position gave an answer that counts.
    pub(crate) fn prefer(&self, place: usize) {
        self.preferred.store(place, Ordering::Relaxed);
    }

    /// The result of a question if no server was asked.
    pub(crate) fn nobody(&self) -> NoAnswer {
        if self.servers.is_empty() {
            let fault = Outage::SelfTest(Box::new(Fault::NoServers));
            return NoAnswer::new(LookupFailure::Indeterminate, fault).ours();
        }
        LookupFailure::Timeout.into()
    }

    /// How often a server has lost our trust.
    pub(crate) fn losses(&self) -> usize {
        self.servers.iter().map(|server| server.credit.losses()).sum()
    }

    /// Whether that has happened since the last call.
    pub(crate) fn take_losses(&self) -> bool {
        let losses = self.losses();
        self.losses_taken.swap(losses, Ordering::SeqCst) != losses
    }

    /// What the servers are called.
    pub(crate) fn names(&self) -> Vec<String> {
        self.servers
            .iter()
            .map(|server| server.name.to_string())
            .collect()
    }

    /// Why a server cannot be reached over TLS.
    pub(crate) fn obstacle(&self) -> Option<String> {
        self.servers.iter().find_map(Source::obstacle)
    }

    /// Asks one server.
    pub(crate) async fn ask(
        &self,
        server: &Source,
        question: &Query,
        asking: Asking,
    ) -> Result<Reply, NoAnswer> {
        let asked = timeout(self.patience, self.ask_by(&server.transport, question, asking)).await;
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

    async fn ask_by(
        &self,
        transport: &Transport,
        question: &Query,
        asking: Asking,
    ) -> Result<Message, NoAnswer> {
        let place = Place::here().unwrap_or_else(|| Arc::clone(&self.aside));
        let request = request(question, asking);
        let answer = match transport {
            Transport::Plain(address) => self.in_clear(*address, request, &place).await,
            Transport::Tls(channel) => match channel.ask(request).await {
                Ok(answer) => place.take(answer).await,
                Err(error) => Err(error),
            },
        };
        let message = answer.map_err(|error| self.failure(&error))?;
        if !fits(&message, question) {
            return Err(unreadable());
        }
        let mut message = message.into_message();
        for record in message.answers.iter_mut().chain(&mut message.authorities) {
            if record.ttl > LONGEST_TTL {
                record.ttl = 0;
            }
        }
        // An RRset never contains a record twice (RFC 2181 §5); a server that followed a loop of aliases repeats them.
        let mut seen = HashSet::new();
        let all = message.answers.iter();
        let is_new: Vec<bool> = all
            .map(|record| seen.insert((&record.name, &record.data)))
            .collect();
        let mut is_new = is_new.into_iter();
        message.answers.retain(|_| is_new.next().unwrap_or_default());
        Ok(message)
    }

    /// A response that cannot be read is malformed; all other errors mean that there was no response.
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

    async fn in_clear(
        &self,
        server: SocketAddr,
        request: DnsRequest,
        place: &Place,
    ) -> Result<DnsResponse, NetError> {
        let provider = Counted::new(place.sockets(), self.provider.clone());
        let message = self.over_udp(server, request.clone(), provider.clone()).await?;
        if !message.metadata.truncation {
            return Ok(message);
        }
        let answer = place
            .with_stream(self.over_tcp(server, request, provider))
            .await?;
        place.take(answer).await
    }

    /// A fresh socket, hence a fresh random port, for each question (RFC 5452 §9.2).
    async fn over_udp(
        &self,
        server: SocketAddr,
        request: DnsRequest,
        provider: Counted,
    ) -> Result<DnsResponse, NetError> {
        UdpClientStream::builder(server, provider)
            .with_timeout(Some(self.patience))
            .with_retry_interval_floor(RESEND_AFTER)
            .build()
            .send_message(request)
            .first_answer()
            .await
    }

    async fn over_tcp(
        &self,
        server: SocketAddr,
        request: DnsRequest,
        provider: Counted,
    ) -> Result<DnsResponse, NetError> {
        let connection = TcpClientStream::exchange(server, None, self.patience, None, provider).await?;
        connection.send(request).first_answer().await
    }
}

fn request(question: &Query, asking: Asking) -> DnsRequest {
    let mut message = Message::query();
    message.add_query(question.clone());
    message.metadata.recursion_desired = asking != Asking::Directly;
    message.metadata.checking_disabled = asking == Asking::Unchecked;
    let mut edns = Edns::new();
    edns.set_max_payload(UDP_PAYLOAD).set_dnssec_ok(true);
    message.set_edns(edns);
    DnsRequest::new(message, DnsRequestOptions::default())
}

/// RFC 5452 §9.1: whether a message is a whole answer to this question. Addresses, ports and IDs are checked by the layer
/// below. Records of another class (RFC 1035 §3.2.4) were not asked for, and cannot be part of an answer.
fn fits(message: &Message, question: &Query) -> bool {
    let metadata = &message.metadata;
    let mut records = message.answers.iter().chain(&message.authorities);
    metadata.message_type == MessageType::Response
        && metadata.op_code == OpCode::Query
        && !metadata.truncation
        && matches!(message.queries.as_slice(), [asked] if asked == question)
        && records.all(|record| record.dns_class == question.query_class())
}

fn unreadable() -> NoAnswer {
    NoAnswer::new(LookupFailure::Malformed, Outage::Unreadable)
}
