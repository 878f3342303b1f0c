//! A session without sockets, clock and disk, for a fuzzer and for tests that run many sessions.

use std::sync::Arc;

use bytes::BytesMut;
use jiff::Timestamp;
use mail::{Envelope, QueueId};

use crate::client::Client;
use crate::config::ListenerConfig;
use crate::logins::Login;
use crate::session::{Finished, Session, Stamp, Step};

/// The result of a session.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Played {
    /// All replies, in order.
    pub replies: Vec<u8>,
    /// The messages that were accepted, with their content.
    pub messages: Vec<(Envelope, Vec<u8>)>,
    /// The maximum of unread input, in octets, when more was requested.
    pub kept: usize,
}

/// Plays a client on loopback that sends these pieces, one after the other. The only user is `user`, with any password.
/// TLS is not started: the session ends there.
pub fn play(settings: ListenerConfig, pieces: &[&[u8]]) -> Played {
    let client = Client::at(std::net::Ipv4Addr::LOCALHOST.into());
    let mut session: Session<Vec<u8>> = Session::new(Arc::new(settings), client);
    let (mut input, mut pieces) = (BytesMut::new(), pieces.iter());
    let mut played = Played::default();
    let mut step = Step::Flush;
    loop {
        let next = match step {
            Step::Go | Step::Flush | Step::Pause(_) => None,
            Step::Read | Step::ReadContent => {
                played.kept = played.kept.max(input.len());
                let Some(piece) = pieces.next() else { break };
                input.extend_from_slice(piece);
                None
            }
            Step::Begin(mail) => Some(session.begin(mail, Ok(()))),
            Step::Open(transaction) => {
                let stamp = Stamp {
                    id: QueueId::from_bytes([0; 16]),
                    at: Timestamp::UNIX_EPOCH,
                };
                Some(session.open(transaction, Ok(Vec::new()), stamp))
            }
            Step::Store => {
                if let Some((place, content)) = session.unstored() {
                    place.extend_from_slice(content);
                    content.clear();
                }
                None
            }
            Step::Commit(finished) => {
                let Finished { place, message, .. } = *finished;
                played.messages.push((message.envelope, place));
                Some(session.accepted(message.id))
            }
            Step::Check(said) => {
                let known = said.user == "user";
                let login = if known {
                    Login::User("user".into())
                } else {
                    Login::Wrong
                };
                Some(session.checked(login, said.user))
            }
            Step::Rename(to) => Some(session.renamed(*to)),
            Step::StartTls => break,
            Step::Close(end) => {
                session.farewell(end);
                break;
            }
        };
        step = next.unwrap_or_else(|| session.step(&mut input));
    }
    played.replies = session.output().to_vec();
    played
}
