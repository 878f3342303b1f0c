//! SMTP grammar and protocol state, without I/O (RFC 5321).
//!
//! A tour, first as a client, then as a server:
//!
//! * [`client`]: [`Command`]: what we send, with parameters only of extensions that were offered.
//! * [`authenticate`]: the responses of AUTH.
//! * [`reply`]: [`ReplyParser`] takes [`Reply`] after [`Reply`] out of a read buffer, within caps.
//! * [`extensions`]: [`Extensions`]: what the latest EHLO reply offers.
//! * [`data`]: [`DotStuffer`] writes content, [`DataDecoder`] reads it. One line ending exists, CRLF, and one end
//!   of data, CRLF.CRLF.
//! * [`seven_bit`]: content with octets above 127 for servers that do not take them.
//! * [`mod@line`]: [`LineReader`] takes command lines out of a read buffer.
//! * [`request`]: [`Request`]: what a client asked, or the [`Refusal`] that is the reply to it.
//! * [`server`]: [`ServerState`]: which command may follow which.
//!
//! All functions are pure except for the buffers given to them. None uses a socket, a clock or a policy; none panics,
//! whatever the octets, and each holds a bounded amount of what a peer sends.

pub mod authenticate;
pub mod client;
pub mod data;
pub mod extensions;
pub mod line;
mod path;
pub mod refusal;
pub mod reply;
pub mod request;
pub mod server;
pub mod seven_bit;

pub use client::Command;
pub use data::{ContentFault, DataDecoder, DotStuffer, LoneLf, LoneLineEnding, LongLines};
pub use extensions::{Extension, Extensions, Limits};
pub use line::{Line, LineReader};
pub use refusal::Refusal;
pub use reply::{Reply, ReplyError, ReplyParser};
pub use request::{
    Answer, Attribute, Attributes, Auth, Chunk, Credentials, Exchange, ForwardPath, MailFrom, Mechanism,
    RcptTo, Request,
};
pub use server::{Hello, Protocol, ServerState, Transaction};
