//! From the octets of a query to those of the reply, with the faults in between.

use std::time::Duration;

use hickory_proto::dnssec::rdata::{DNSSECRData, RRSIG};
use hickory_proto::op::{Edns, Message, Metadata, OpCode, ResponseCode};
use hickory_proto::rr::rdata::opt::EdnsOption;
use hickory_proto::rr::{Name, RData, Record, RecordType};

use super::answer::{Answer, Security, deny_existing, replay_wildcard, respond, soa_of};
use super::fault::DnsFault;
use super::rdata::parse_name;
use super::shared::{Query, Role, Shared, Transport};

/// The payload this server is willing to send over UDP, in octets (the value of DNS flag day 2020).
const UDP_PAYLOAD: u16 = 1232;

/// A reply and how long to hold it back.
pub(super) struct Reply {
    pub(super) octets: Vec<u8>,
    delay: Duration,
}

impl Reply {
    pub(super) async fn wait(&self) {
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
    }
}

impl Shared {
    /// Answers one message; `None` if there should be no answer, or a fault asks for silence.
    pub(super) fn reply(&self, octets: &[u8], transport: Transport) -> Option<Reply> {
        let query = Message::from_vec(octets).ok()?;
        let question = query.queries.first()?;
        let (name, record_type) = (question.name().to_lowercase(), question.query_type());
        self.log(Query {
            name: name.clone(),
            record_type,
            transport,
        });

        let fault = self.fault_at(&name, record_type);
        let fault = fault.as_ref();
        if fault == Some(&DnsFault::Silence) {
            return None;
        }
        if fault == Some(&DnsFault::Malformed) {
            let octets = [query.metadata.id.to_be_bytes().as_slice(), &[0x84, 0, 0xff]].concat();
            return Some(Reply {
                octets,
                delay: Duration::ZERO,
            });
        }
        let delay = if let Some(DnsFault::Delay(time)) = fault {
            *time
        } else {
            Duration::ZERO
        };
        let stripped = fault == Some(&DnsFault::StripDnssec);
        let mut message = self
            .message(&query, self.answer(&query, &name, record_type, fault))
            .maybe_strip_dnssec_records(wants_dnssec(&query) && !stripped);
        if fault == Some(&DnsFault::NotAuthoritative) {
            message.metadata.authoritative = false;
        }
        let octets = match transport {
            Transport::Tcp | Transport::Tls => message.to_vec().ok()?,
            Transport::Udp if fault == Some(&DnsFault::Truncate) => message.truncate().to_vec().ok()?,
            Transport::Udp => fit(&message, query.max_payload())?,
        };
        Some(Reply { octets, delay })
    }

    fn answer(
        &self,
        query: &Message,
        name: &Name,
        record_type: RecordType,
        fault: Option<&DnsFault>,
    ) -> Answer {
        if query.metadata.op_code != OpCode::Query {
            return Answer::bare(ResponseCode::NotImp);
        }
        let honest = || respond(&self.state().tree, name, record_type);
        let answer = match fault {
            Some(DnsFault::ServFail) => Ok(Answer::bare(ResponseCode::ServFail)),
            Some(DnsFault::Refused) => Ok(Answer::bare(ResponseCode::Refused)),
            Some(DnsFault::NotImp) => Ok(Answer::bare(ResponseCode::NotImp)),
            Some(DnsFault::NxDomain) => honest().map(|answer| answer.coded(ResponseCode::NXDomain)),
            Some(DnsFault::SignedNxDomain) => deny_existing(&self.state().tree, name),
            Some(DnsFault::BadSignature) => honest().map(|mut answer| {
                answer
                    .answers
                    .iter_mut()
                    .chain(&mut answer.authorities)
                    .for_each(spoil);
                answer.forged()
            }),
            Some(DnsFault::NoProof) => honest().map(|mut answer| {
                answer.authorities.clear();
                answer.forged()
            }),
            Some(DnsFault::ForgedNoData(zone)) => {
                parse_name(zone).and_then(|zone| soa_of(&self.state().tree, &zone))
            }
            Some(DnsFault::ForgedNxDomain(zone)) => parse_name(zone)
                .and_then(|zone| soa_of(&self.state().tree, &zone))
                .map(|answer| answer.coded(ResponseCode::NXDomain)),
            Some(DnsFault::ReplayedWildcard) => replay_wildcard(&self.state().tree, name, record_type),
            Some(
                DnsFault::Silence
                | DnsFault::NotAuthoritative
                | DnsFault::Delay(_)
                | DnsFault::StripDnssec
                | DnsFault::Truncate
                | DnsFault::Malformed,
            )
            | None => honest(),
        };
        answer.unwrap_or_else(|_| Answer::bare(ResponseCode::ServFail))
    }

    /// Header and EDNS as sent by a forwarder, or by a validating resolver.
    fn message(&self, query: &Message, answer: Answer) -> Message {
        let mut message = Message::response(query.metadata.id, query.metadata.op_code);
        message.metadata = Metadata::response_from_request(&query.metadata);
        message.metadata.recursion_available = true;
        message.metadata.response_code = answer.code;
        // Who asks without wanting recursion takes it for the server of the zone.
        message.metadata.authoritative = !query.metadata.recursion_desired
            && matches!(answer.code, ResponseCode::NoError | ResponseCode::NXDomain);
        message.add_queries(query.queries.iter().take(1).cloned());
        if query.edns.is_some() {
            let mut edns = Edns::new();
            edns.set_max_payload(UDP_PAYLOAD)
                .set_dnssec_ok(wants_dnssec(query));
            message.set_edns(edns);
        }
        let validates = self.state().role == Role::Validator && !query.metadata.checking_disabled;
        if validates && answer.security == Security::Bogus {
            message.metadata.response_code = ResponseCode::ServFail;
            if let Some(edns) = message.edns.as_mut() {
                // Extended DNS Error 6, "DNSSEC Bogus" (RFC 8914 §4.7).
                edns.options_mut().insert(EdnsOption::Unknown(15, vec![0, 6]));
            }
            return message;
        }
        message.metadata.authentic_data = validates
            && (wants_dnssec(query) || query.metadata.authentic_data)
            && answer.security == Security::Secure
            && matches!(answer.code, ResponseCode::NoError | ResponseCode::NXDomain);
        message.add_answers(answer.answers);
        message.add_authorities(answer.authorities);
        message
    }
}

/// The message in octets, or its truncated form if it does not fit into a datagram (RFC 2181 §9).
fn fit(message: &Message, accepted_payload: u16) -> Option<Vec<u8>> {
    let octets = message.to_vec().ok()?;
    if octets.len() <= usize::from(accepted_payload.min(UDP_PAYLOAD)) {
        return Some(octets);
    }
    message.truncate().to_vec().ok()
}

fn wants_dnssec(query: &Message) -> bool {
    query.edns.as_ref().is_some_and(|edns| edns.flags().dnssec_ok)
}

/// Flips one bit of a signature, leaving its length and everything else unchanged.
fn spoil(record: &mut Record) {
    if let RData::DNSSEC(DNSSECRData::RRSIG(rrsig)) = &record.data {
        let mut signature = rrsig.sig().to_vec();
        if let Some(last) = signature.last_mut() {
            *last ^= 1;
        }
        record.data = RData::DNSSEC(DNSSECRData::RRSIG(RRSIG::from_sig(
            rrsig.input().clone(),
            signature,
        )));
    }
}
